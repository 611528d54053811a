{{- define "riverrun.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 40 characters, so that a role fits behind it. */ -}}
{{- define "riverrun.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "riverrun.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "riverrun.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "riverrun.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "riverrun.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "riverrun.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "riverrun.selectorLabels" -}}
app.kubernetes.io/name: {{ include "riverrun.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "riverrun.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "riverrun.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: riverrun
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* What a schema cannot say: it compares no two values. */ -}}
{{- define "riverrun.check" -}}
{{- with .Values -}}
{{- if and (not .redis.url) (not .redis.existingSecret) (not .redis.nodes) -}}
{{- fail "redis: give redis.existingSecret (a Secret with the URL), redis.url (one without a password) or redis.nodes" -}}
{{- end -}}
{{- if and .redis.url .redis.existingSecret -}}
{{- fail "redis.url and redis.existingSecret are both given: expected one of them" -}}
{{- end -}}
{{- if and (ne .redis.mode "standalone") (not .redis.nodes) -}}
{{- fail (printf "redis.nodes is missing: redis.mode=%s needs it, as host:port" .redis.mode) -}}
{{- end -}}
{{- if ne (empty .kafka.tls.certKey) (empty .kafka.tls.keyKey) -}}
{{- fail "kafka.tls.certKey and kafka.tls.keyKey go together: give both or neither" -}}
{{- end -}}
{{- $scaling := .predictor.autoscaling -}}
{{- with .kafka.partitions -}}
{{- if and $scaling.enabled (gt (int $scaling.maxReplicas) (int .)) -}}
{{- fail (printf "predictor.autoscaling.maxReplicas=%d is above kafka.partitions=%d: the replicas beyond it would never have work" (int $scaling.maxReplicas) (int .)) -}}
{{- end -}}
{{- if and (not $scaling.enabled) (gt (int $.Values.predictor.replicas) (int .)) -}}
{{- fail (printf "predictor.replicas=%d is above kafka.partitions=%d: the replicas beyond it would never have work" (int $.Values.predictor.replicas) (int .)) -}}
{{- end -}}
{{- end -}}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail (printf "predictor.autoscaling.minReplicas=%d is above maxReplicas=%d" (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if lt (int .terminationGracePeriodSeconds) (add (int .preStopSeconds) 6) -}}
{{- fail "terminationGracePeriodSeconds has to leave 6 s after preStopSeconds: the service drains for up to 5 s" -}}
{{- end -}}
{{- end -}}
{{- end -}}
