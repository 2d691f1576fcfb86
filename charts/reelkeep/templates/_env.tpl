{{/*
The environment of a role: settings as they are, secrets by reference, each only for those that need it.
Call with (dict "root" $ "role" "worker").
*/}}
{{- define "reelkeep.env" -}}
{{- $v := .root.Values -}}
- name: REELKEEP_OPS_LISTEN
  value: ":9464" # IPv4 and IPv6
- name: REELKEEP_STORE
  value: {{ $v.store | quote }}
- name: REELKEEP_REDIS
  {{- include "reelkeep.secretKey" (list $v.redis.existingSecret $v.redis.key) | nindent 2 }}
{{- if $v.heygen.existingSecret }}
- name: HEYGEN_API_KEY
  {{- include "reelkeep.secretKey" (list $v.heygen.existingSecret $v.heygen.key) | nindent 2 }}
{{- end }}
{{- if $v.accounts.existingSecret }}
- name: REELKEEP_ACCOUNTS_FILE
  value: {{ printf "/etc/reelkeep/accounts/%s" $v.accounts.key | quote }}
{{- end }}
{{- if $v.s3.existingSecret }}
- name: AWS_ACCESS_KEY_ID
  {{- include "reelkeep.secretKey" (list $v.s3.existingSecret $v.s3.accessKeyIdKey) | nindent 2 }}
- name: AWS_SECRET_ACCESS_KEY
  {{- include "reelkeep.secretKey" (list $v.s3.existingSecret $v.s3.secretAccessKeyKey) | nindent 2 }}
{{- end }}
{{- if $v.notify.existingSecret }}
- name: REELKEEP_NOTIFY_SECRET
  {{- include "reelkeep.secretKey" (list $v.notify.existingSecret $v.notify.key) | nindent 2 }}
{{- end }}
{{- if eq .role "api" }}
- name: REELKEEP_LISTEN
  value: ":8080" # IPv4 and IPv6
- name: REELKEEP_API_TOKENS
  {{- include "reelkeep.secretKey" (list $v.api.tokens.existingSecret $v.api.tokens.key) | nindent 2 }}
{{- with $v.api.links }}
{{- if .existingSecret }}
- name: REELKEEP_LINK_SECRETS
  {{- include "reelkeep.secretKey" (list .existingSecret .key) | nindent 2 }}
{{- end }}
{{- end }}
{{- with $v.api.webhooks }}
{{- if and .existingSecret .secretsKey }}
- name: REELKEEP_WEBHOOK_SECRETS
  {{- include "reelkeep.secretKey" (list .existingSecret .secretsKey) | nindent 2 }}
{{- end }}
{{- if and .existingSecret .tokenKey }}
- name: REELKEEP_WEBHOOK_TOKEN
  {{- include "reelkeep.secretKey" (list .existingSecret .tokenKey) | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := $v.config }}
- name: {{ $name }}
  {{- /* Helm reads numbers as floats, and would write 1e+06. */}}
  value: {{ kindIs "float64" $value | ternary (int64 $value) $value | toString | quote }}
{{- end }}
{{- end -}}

{{- define "reelkeep.secretKey" -}}
valueFrom:
  secretKeyRef:
    name: {{ index . 0 }}
    key: {{ index . 1 }}
{{- end -}}
