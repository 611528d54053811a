{{- /* One role's Deployment. Takes {root, role, spec, replicas}; replicas null: somebody else scales it. */ -}}
{{- define "riverrun.deployment" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $secrets := include "riverrun.secrets" .root | fromJsonArray -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "riverrun.fullname" .root }}-{{ .role }}
  labels:
    {{- include "riverrun.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  {{- if not (kindIs "invalid" .replicas) }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  minReadySeconds: {{ .spec.minReadySeconds }}
  # Longer than the startup probe waits: a long replay is progress.
  progressDeadlineSeconds: {{ add 300 .spec.minReadySeconds (mul (int $values.probes.startup.periodSeconds) (int $values.probes.startup.failureThreshold)) }}
  strategy:
    {{- toYaml .spec.strategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "riverrun.selectorLabels" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .role }}
  template:
    metadata:
      labels:
        {{- with .spec.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "riverrun.selectorLabels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
        app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
        app.kubernetes.io/part-of: riverrun
      annotations:
        checksum/config: {{ include (print $root.Template.BasePath "/configmap.yaml") $root | sha256sum }}
        {{- with .spec.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "riverrun.serviceAccountName" .root }}
      automountServiceAccountToken: false
      # A Service called riverrun would otherwise set RIVERRUN_PORT.
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- with $values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      {{- with .spec.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        {{- toYaml $values.podSecurityContext | nindent 8 }}
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile:
          type: RuntimeDefault
      {{- if $values.topologySpread.enabled }}
      topologySpreadConstraints:
        {{- $role := .role }}
        {{- range $values.topologySpread.topologyKeys }}
        - maxSkew: 1
          topologyKey: {{ . }}
          whenUnsatisfiable: {{ $values.topologySpread.whenUnsatisfiable }}
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels:
              {{- include "riverrun.selectorLabels" $root | nindent 14 }}
              app.kubernetes.io/component: {{ $role }}
        {{- end }}
      {{- end }}
      containers:
        - name: riverrun
          image: {{ include "riverrun.image" .root }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          envFrom:
            - configMapRef:
                name: {{ include "riverrun.fullname" .root }}
          env:
            - name: RIVERRUN_MODE
              value: distributed
            - name: RIVERRUN_ROLE
              value: {{ .role }}
            - name: RIVERRUN_HOST
              value: 0.0.0.0
            - name: PORT
              value: '3000'
            - name: RIVERRUN_DATA_DIR
              value: /data
            {{- if $values.config.pipelines }}
            - name: RIVERRUN_CONFIG
              value: /etc/riverrun/riverrun.yaml
            {{- end }}
            {{- range $mount := $secrets }}
            {{- range $variable, $key := $mount.files }}
            - name: {{ $variable }}
              value: /run/secrets/riverrun/{{ $mount.name }}/{{ $key }}
            {{- end }}
            {{- end }}
            {{- with $values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - name: http
              containerPort: 3000
          # Alive is not ready: no restart brings Kafka back or shortens a replay.
          startupProbe:
            httpGet: { path: /livez, port: http }
            {{- toYaml $values.probes.startup | nindent 12 }}
          livenessProbe:
            httpGet: { path: /livez, port: http }
            {{- toYaml $values.probes.liveness | nindent 12 }}
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            {{- toYaml $values.probes.readiness | nindent 12 }}
          {{- if gt (int $values.preStopSeconds) 0 }}
          lifecycle:
            preStop:
              sleep:
                seconds: {{ $values.preStopSeconds }}
          {{- end }}
          resources:
            {{- toYaml .spec.resources | nindent 12 }}
          volumeMounts:
            - name: data
              mountPath: /data
            {{- if $values.config.pipelines }}
            - name: config
              mountPath: /etc/riverrun
              readOnly: true
            {{- end }}
            {{- range $secrets }}
            - name: {{ .name }}
              mountPath: /run/secrets/riverrun/{{ .name }}
              readOnly: true
            {{- end }}
      volumes:
        - name: data
          emptyDir:
            sizeLimit: {{ $values.data.sizeLimit }}
        {{- if $values.config.pipelines }}
        - name: config
          configMap:
            name: {{ include "riverrun.fullname" .root }}
            items:
              - key: riverrun.yaml
                path: riverrun.yaml
        {{- end }}
        {{- range $secrets }}
        - name: {{ .name }}
          secret:
            secretName: {{ .secret }}
            defaultMode: 288 # 0440
            items:
              {{- range $key := values .files | sortAlpha }}
              - key: {{ $key }}
                path: {{ $key }}
              {{- end }}
        {{- end }}
      {{- with .spec.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .spec.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .spec.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}
