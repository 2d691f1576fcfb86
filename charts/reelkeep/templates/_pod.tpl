{{/*
The pod template of a role; all are the same program.
Call with (dict "root" $ "role" "worker" "values" .Values.worker).
*/}}
{{- define "reelkeep.pod" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
metadata:
  labels:
    {{- include "reelkeep.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
    {{- with .values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "reelkeep.serviceAccountName" $root }}
  automountServiceAccountToken: false # nothing here talks to Kubernetes
  enableServiceLinks: false # a Service called "reelkeep" would set REELKEEP_… in our environment
  terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532 # may read the mounted Secret
    seccompProfile:
      type: RuntimeDefault
  {{- with $v.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: {{ .role }}
      image: {{ include "reelkeep.image" $root | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: [serve, --roles, {{ .role }}]
      env:
        {{- include "reelkeep.env" (dict "root" $root "role" .role) | nindent 8 }}
      ports:
        - name: ops
          containerPort: 9464
          protocol: TCP
        {{- if eq .role "api" }}
        - name: http
          containerPort: 8080
          protocol: TCP
        {{- end }}
      # It listens before it contacts anything. What is out of reach makes it not ready, never dead: a restart would not
      # bring Redis back.
      startupProbe:
        httpGet:
          path: /livez
          port: ops
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 30
      livenessProbe:
        httpGet:
          path: /livez
          port: ops
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet:
          path: /readyz
          port: ops
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      {{- if or $v.accounts.existingSecret $v.extraVolumeMounts }}
      volumeMounts:
        {{- if $v.accounts.existingSecret }}
        - name: accounts
          mountPath: /etc/reelkeep/accounts
          readOnly: true
        {{- end }}
        {{- with $v.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
  {{- if or $v.accounts.existingSecret $v.extraVolumes }}
  volumes:
    {{- if $v.accounts.existingSecret }}
    - name: accounts
      secret:
        secretName: {{ $v.accounts.existingSecret }}
        defaultMode: 288 # 0440
    {{- end }}
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- $own := dict "matchLabels" (include "reelkeep.selectorLabels" $root | fromYaml | merge (dict "app.kubernetes.io/component" .role)) }}
    {{- range .values.topologySpreadConstraints }}
    - {{ toYaml (hasKey . "labelSelector" | ternary . (merge (dict "labelSelector" $own) .)) | nindent 6 | trim }}
    {{- end }}
  {{- end }}
{{- end -}}
