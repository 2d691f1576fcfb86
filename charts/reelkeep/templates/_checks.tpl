{{/* What a schema can't say in words that help. All that is wrong is told at once. */}}
{{- define "reelkeep.checks" -}}
{{- $wrong := list -}}
{{- $v := .Values -}}
{{- if not $v.store -}}
{{- $wrong = append $wrong "store: set it to s3://bucket/prefix, where the archive is to be" -}}
{{- else if not (regexMatch "^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$" $v.store) -}}
{{- $wrong = append $wrong (printf "store: want s3://bucket/prefix, got %q; a folder can't be shared by pods" $v.store) -}}
{{- end -}}
{{- if not $v.redis.existingSecret -}}
{{- $wrong = append $wrong (printf "redis.existingSecret: name a Secret that holds the URL of Redis under the key %q" $v.redis.key) -}}
{{- end -}}
{{- if not (or $v.heygen.existingSecret $v.accounts.existingSecret) -}}
{{- $wrong = append $wrong (printf "heygen.existingSecret: name a Secret that holds your HeyGen key under the key %q; or accounts.existingSecret for several" $v.heygen.key) -}}
{{- end -}}
{{- if and $v.serviceMonitor.enabled $v.podMonitor.enabled -}}
{{- $wrong = append $wrong "serviceMonitor.enabled and podMonitor.enabled: choose one, or every process is counted twice" -}}
{{- end -}}
{{- if and $v.api.enabled (not $v.api.tokens.existingSecret) -}}
{{- $wrong = append $wrong (printf "api.tokens.existingSecret: name a Secret that holds the tokens of the API under the key %q (a comma list of token or account:token)" $v.api.tokens.key) -}}
{{- end -}}
{{- if and $v.api.ingress.enabled (not $v.api.enabled) -}}
{{- $wrong = append $wrong "api.ingress.enabled: there is nothing behind it without api.enabled" -}}
{{- end -}}
{{- if and $v.api.ingress.enabled (not $v.api.ingress.hosts) -}}
{{- $wrong = append $wrong "api.ingress.hosts: name at least one host" -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "\n\n  %s\n\ndocs/deploy.md shows a whole example." (join "\n  " $wrong)) -}}
{{- end -}}
{{- end -}}
