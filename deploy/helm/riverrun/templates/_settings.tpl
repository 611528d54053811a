{{- /* The environment both roles share. An empty value stays out: the service's own default counts. */ -}}
{{- define "riverrun.settings" -}}
{{- $c := .Values.config -}}
{{- $all := dict
  "RIVERRUN_APP" $c.app
  "RIVERRUN_TICKS_TOPIC" (join "," $c.ticksTopics)
  "RIVERRUN_PREDICTIONS_TOPIC" $c.predictionsTopic
  "RIVERRUN_DEAD_LETTER_TOPIC" $c.deadLetterTopic
  "RIVERRUN_CHECKPOINT_TOPIC" $c.checkpointTopic
  "RIVERRUN_DELIVERY" $c.delivery
  "RIVERRUN_FROM" $c.from
  "RIVERRUN_SESSION_TIMEOUT" $c.sessionTimeout
  "RIVERRUN_MAX_BATCH_WAIT" $c.maxBatchWait
  "RIVERRUN_MAX_RECORD_BYTES" $c.maxRecordBytes
  "RIVERRUN_HOT_BYTES" $c.hotBytes
  "RIVERRUN_RETRAIN_INTERVAL" $c.retrainInterval
  "LOG_LEVEL" $c.logLevel
  "KAFKA_BROKERS" (join "," .Values.kafka.brokers)
  "REDIS_MODE" .Values.redis.mode
  "REDIS_NODES" (join "," .Values.redis.nodes)
  "REDIS_URL" .Values.redis.url
-}}
{{- with $c.maxBatch }}{{ $_ := set $all "RIVERRUN_MAX_BATCH" (int . | toString) }}{{ end -}}
{{- if .Values.kafka.tls.enabled }}{{ $_ := set $all "KAFKA_SSL" "on" }}{{ end -}}
{{- if .Values.kafka.sasl.existingSecret }}{{ $_ := set $all "KAFKA_SASL_MECHANISM" .Values.kafka.sasl.mechanism }}{{ end -}}
{{- range $name, $value := $all }}
{{- if $value }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Secrets the pods mount, each as {name, secret, files: {variable: key}}; JSON. */ -}}
{{- define "riverrun.secrets" -}}
{{- $k := .Values.kafka -}}
{{- $r := .Values.redis -}}
{{- $list := list -}}
{{- if and $k.tls.enabled $k.tls.existingSecret -}}
{{- $files := dict -}}
{{- with $k.tls.caKey }}{{ $_ := set $files "KAFKA_SSL_CA_FILE" . }}{{ end -}}
{{- with $k.tls.certKey }}{{ $_ := set $files "KAFKA_SSL_CERT_FILE" . }}{{ end -}}
{{- with $k.tls.keyKey }}{{ $_ := set $files "KAFKA_SSL_KEY_FILE" . }}{{ end -}}
{{- $list = append $list (dict "name" "kafka-tls" "secret" $k.tls.existingSecret "files" $files) -}}
{{- end -}}
{{- with $k.sasl.existingSecret -}}
{{- $list = append $list (dict "name" "kafka-sasl" "secret" . "files" (dict "KAFKA_SASL_USERNAME_FILE" $k.sasl.usernameKey "KAFKA_SASL_PASSWORD_FILE" $k.sasl.passwordKey)) -}}
{{- end -}}
{{- with $r.existingSecret -}}
{{- $list = append $list (dict "name" "redis" "secret" . "files" (dict "REDIS_URL_FILE" $r.urlKey)) -}}
{{- end -}}
{{- with $r.tls.existingSecret -}}
{{- $list = append $list (dict "name" "redis-tls" "secret" . "files" (dict "REDIS_TLS_CA_FILE" $r.tls.caKey)) -}}
{{- end -}}
{{- with .Values.adminToken.existingSecret -}}
{{- $list = append $list (dict "name" "admin" "secret" . "files" (dict "RIVERRUN_ADMIN_TOKEN_FILE" $.Values.adminToken.key)) -}}
{{- end -}}
{{- toJson $list -}}
{{- end -}}
