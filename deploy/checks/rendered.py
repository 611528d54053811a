"""What no schema sees: that the objects of a rendered chart fit each other, and what every pod of riverrun has to have. rendered.py FILE"""

import re
import sys

import yaml

UNITS = {"": 1, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 1e3, "M": 1e6, "G": 1e9}
problems = []


def require(condition, problem):
    if not condition:
        problems.append(problem)


def quantity(text):
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * UNITS[unit]


def selects(selector, labels):
    return selector.items() <= labels.items()


with open(sys.argv[1], encoding="utf-8") as file:
    objects = [each for each in yaml.safe_load_all(file) if each]


def of_kind(kind):
    return [each for each in objects if each["kind"] == kind]


def check_deployment(deployment, scaled):
    name = deployment["metadata"]["name"]
    spec, template = deployment["spec"], deployment["spec"]["template"]
    pod, (container,) = template["spec"], template["spec"]["containers"]
    require(selects(spec["selector"]["matchLabels"], template["metadata"]["labels"]), f"{name}: selector and labels differ")
    require(("replicas" in spec) != (name in scaled), f"{name}: replicas belong to the chart or to the scaler, one of them")
    require("checksum/config" in template["metadata"]["annotations"], f"{name}: a changed ConfigMap would not restart it")

    require(pod["enableServiceLinks"] is False, f"{name}: enableServiceLinks")
    require(pod["automountServiceAccountToken"] is False, f"{name}: the token is mounted")
    require(pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0, f"{name}: root")
    require(pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, f"{name}: seccomp")
    own = container["securityContext"]
    require(own["readOnlyRootFilesystem"] is True, f"{name}: the root file system can be written")
    require(own["allowPrivilegeEscalation"] is False and own["capabilities"] == {"drop": ["ALL"]}, f"{name}: privileges")

    resources = container["resources"]
    for what, limit in resources.get("limits", {}).items():
        request = resources.get("requests", {}).get(what, limit)
        require(quantity(request) <= quantity(limit), f"{name}: {what} requested is above its limit")

    variables = [(each["name"], each.get("value")) for each in container["env"]]
    for reference in container["envFrom"]:
        maps = [each for each in of_kind("ConfigMap") if each["metadata"]["name"] == reference["configMapRef"]["name"]]
        require(len(maps) == 1, f"{name}: its ConfigMap is missing")
        variables += [pair for each in maps for pair in each["data"].items()]
    environment = dict(variables)
    require(len(environment) == len(variables), f"{name}: a variable is set twice")
    require("RIVERRUN_PORT" not in environment, f"{name}: RIVERRUN_PORT")
    require(environment["RIVERRUN_ROLE"] == deployment["metadata"]["labels"]["app.kubernetes.io/component"], f"{name}: role")
    require(environment["RIVERRUN_MODE"] == "distributed", f"{name}: mode")

    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    require(mounts.keys() == volumes.keys(), f"{name}: volumes and mounts differ")
    files = {f"{mounts[v]}/{item['path']}" for v in volumes for item in volumes[v].get("secret", {}).get("items", [])}
    named = {value for key, value in environment.items() if key.endswith("_FILE")}
    require(files == named, f"{name}: secret files {sorted(files)} are not those of the environment {sorted(named)}")
    require(mounts["data"] == environment["RIVERRUN_DATA_DIR"], f"{name}: data folder")

    ports = {each["name"] for each in container["ports"]}
    paths = {}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        paths[probe] = container[probe]["httpGet"]["path"]
        require(container[probe]["httpGet"]["port"] in ports, f"{name}: {probe} asks a port that is not there")
    require(list(paths.values()) == ["/livez", "/livez", "/readyz"], f"{name}: probes ask {paths}")
    stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    require(pod["terminationGracePeriodSeconds"] > stop + 5, f"{name}: no time to drain")


scaled_names = {each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in of_kind("ScaledObject")}
deployments = of_kind("Deployment")
for each in deployments:
    check_deployment(each, scaled_names)
require(set(scaled_names) <= {d["metadata"]["name"] for d in deployments}, "a scaler without its Deployment")
for scaler in scaled_names.values():
    require(1 <= scaler["minReplicaCount"] <= scaler["maxReplicaCount"], "the scaler's bounds")
    authentications = {each["metadata"]["name"] for each in of_kind("TriggerAuthentication")}
    for trigger in scaler["triggers"]:
        reference = trigger.get("authenticationRef", {}).get("name")
        require(reference is None or reference in authentications, f"no TriggerAuthentication {reference}")

pods = [each["spec"]["template"]["metadata"]["labels"] for each in deployments]
for service in of_kind("Service"):
    name = service["metadata"]["name"]
    require(name != "riverrun", "a Service called riverrun sets RIVERRUN_PORT in every pod of the namespace")
    require(sum(selects(service["spec"]["selector"], labels) for labels in pods) == 1, f"Service {name}: not one Deployment")
for budget in of_kind("PodDisruptionBudget"):
    matched = sum(selects(budget["spec"]["selector"]["matchLabels"], labels) for labels in pods)
    require(matched == 1, f"PodDisruptionBudget {budget['metadata']['name']}: not one Deployment")
for monitor in of_kind("ServiceMonitor"):
    matched = [s for s in of_kind("Service") if selects(monitor["spec"]["selector"]["matchLabels"], s["metadata"]["labels"])]
    require(len(matched) == len(deployments), "the ServiceMonitor does not find every Service")
for policy in of_kind("NetworkPolicy"):
    for labels in pods:
        require(selects(policy["spec"]["podSelector"]["matchLabels"], labels), "a pod without its NetworkPolicy")
identities = [(each["kind"], each["metadata"]["name"]) for each in objects]
require(len(identities) == len(set(identities)), "two objects of one name")

print("\n".join(problems))
sys.exit(1 if problems else 0)
