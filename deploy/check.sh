#!/usr/bin/env bash
# Checks everything under deploy/ without a cluster: the chart, the alerts, the compose file. Needs Go, Python 3 with pip, and for promtool either
# Debian's `prometheus` or the right to install it. Tools and schemas are cached, a second run takes seconds: bash deploy/check.sh
set -euo pipefail
cd "$(dirname "$0")"

HELM=v3.19.0
KUBECONFORM=v0.7.0
COMPOSE=v2.16.2
KUBERNETES=1.34.0
KUBERNETES_VALIDATE=1.34.1 # the wheel on PyPI that brings Kubernetes' schemas
PYYAML=6.0.3
KEDA=v2.21.0
PROMETHEUS_OPERATOR=v0.85.0

cache=${XDG_CACHE_HOME:-$HOME/.cache}/riverrun
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
checked=0
failed=0
started=$SECONDS

step() { printf '\n== %s\n' "$*"; }
passed() { checked=$((checked + 1)) && printf '   ok      %s\n' "$1"; }
refuse() { checked=$((checked + 1)) && failed=$((failed + 1)) && printf '   FAILED  %s\n' "$1" && sed 's/^/           /' "$2"; }
# check WHAT COMMAND…: its output is shown only where it fails.
check() {
  local what=$1
  shift
  if "$@" >"$out/said" 2>&1; then passed "$what"; else refuse "$what" "$out/said"; fi
}

# tool NAME MODULE VERSION BINARY: made once for each version.
tool() {
  local path=$cache/bin/$1-$3
  if [ ! -x "$path" ]; then
    printf '   building %s %s …\n' "$1" "$3"
    mkdir -p "$cache/bin"
    GOBIN=$out/bin GOFLAGS=-mod=mod go install "$2@$3"
    mv "$out/bin/$4" "$path"
  fi
}

step "tools (cached in $cache)"
tool helm helm.sh/helm/v3/cmd/helm $HELM helm
tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform $KUBECONFORM kubeconform
# The loader behind `docker compose config`.
tool compose github.com/compose-spec/compose-go/v2/cmd $COMPOSE cmd
if ! command -v promtool >/dev/null; then
  apt-get update -qq
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null
fi
# Helm tells of each link that it follows: the alerts and the dashboard.
helm() {
  local status=0
  "$cache/bin/helm-$HELM" "$@" 2>"$out/helm-said" || status=$?
  grep -v 'found symbolic link' "$out/helm-said" >&2 || true
  return $status
}
kubeconform=$cache/bin/kubeconform-$KUBECONFORM

schemas=$cache/schemas-$KUBERNETES-$KUBERNETES_VALIDATE-$KEDA-$PROMETHEUS_OPERATOR
export PYTHONPATH=$cache/python-$PYYAML
if [ ! -d "$PYTHONPATH" ]; then
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --target "$out/python" "PyYAML==$PYYAML"
  mkdir -p "$cache" && mv "$out/python" "$PYTHONPATH"
fi
if [ ! -d "$schemas" ]; then
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$out" "kubernetes-validate==$KUBERNETES_VALIDATE"
  module() { (cd "$out" && go mod download -json "$1") | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])'; }
  python3 checks/make-schemas.py "$out/schemas" "$KUBERNETES" "$out"/kubernetes_validate-*.whl \
    "$(module github.com/kedacore/keda/v2@$KEDA)"/config/crd/bases/keda.sh_{scaledobjects,triggerauthentications}.yaml \
    "$(module github.com/prometheus-operator/prometheus-operator@$PROMETHEUS_OPERATOR)"/example/prometheus-operator-crd/monitoring.coreos.com_{servicemonitors,prometheusrules}.yaml
  mv "$out/schemas" "$schemas"
fi
printf '   ready after %d s: helm %s, kubeconform %s, Kubernetes %s, KEDA %s, Prometheus Operator %s\n' \
  $((SECONDS - started)) $HELM $KUBECONFORM $KUBERNETES $KEDA $PROMETHEUS_OPERATOR

built=true
if [ ! -d ../dist ]; then
  built=false
  printf '   not built (npm run build): what needs the service itself is skipped\n'
fi

chart=helm/riverrun
render() { helm template forecasts "$chart" --namespace streaming --kube-version $KUBERNETES --values "$1"; }

step 'chart: lint, render, Kubernetes schemas (strict), what schemas cannot see'
for values in "$chart"/ci/*.yaml; do
  name=$(basename "$values" .yaml)
  check "$name: helm lint" helm lint "$chart" --strict --quiet --kube-version $KUBERNETES --values "$values"
  if ! render "$values" >"$out/$name.yaml" 2>"$out/said"; then
    refuse "$name: helm template" "$out/said"
    continue
  fi
  check "$name: kubeconform, $(grep -c '^kind:' "$out/$name.yaml") objects" "$kubeconform" -strict -kubernetes-version $KUBERNETES \
    -schema-location "$schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json" "$out/$name.yaml"
  check "$name: objects fit each other" python3 checks/rendered.py "$out/$name.yaml"
  if $built; then check "$name: the service takes its settings" node checks/settings.mjs "$out/$name.yaml"; fi
done

step 'chart: values that must be refused, with the reason in their first line'
for values in "$chart"/ci/refused/*.yaml; do
  name=$(basename "$values" .yaml)
  reason=$(sed -n '1s/^# refused: //p' "$values")
  if render "$values" >"$out/said" 2>&1; then
    refuse "$name: was not refused" /dev/null
  elif [ -n "$reason" ] && grep -qF -- "$reason" "$out/said"; then
    passed "$name"
  else
    refuse "$name: refused for another reason than: $reason" "$out/said"
  fi
done

step 'alerts, dashboard, scrape configurations: promtool'
check 'check rules' promtool check rules prometheus/alerts.yaml
for test in prometheus/tests/*.yaml; do check "test rules $(basename "$test")" promtool test rules "$test"; done
python3 checks/dashboard-rules.py grafana/riverrun.json >"$out/dashboard.yaml"
check "check rules of the dashboard's queries" promtool check rules "$out/dashboard.yaml"
for config in prometheus/prometheus.yml compose/prometheus.yml; do check "check config $config" promtool check config "$config"; done
if $built; then
  node checks/print-metrics.mjs >"$out/metrics"
  check "check metrics, $(grep -c '^# TYPE riverrun_' "$out/metrics") of riverrun" sh -c 'promtool check metrics <"$1"' - "$out/metrics"
fi

step 'compose'
check 'compose.yaml: the specification and its consistency' "$cache/bin/compose-$COMPOSE" compose.yaml

printf '\n%d checked, %d failed, %d s\n' $checked $failed $((SECONDS - started))
[ $failed -eq 0 ]
