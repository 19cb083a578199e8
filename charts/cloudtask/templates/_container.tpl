{{- define "cloudtask.args" -}}
- manager
{{- with .Values.watchNamespaces }}
- --namespaces={{ join "," . }}
{{- end }}
{{- with .Values.watchLabelSelector }}
- {{ printf "--watch-label-selector=%s" . | quote }}
{{- end }}
- --credential-secret-names={{ join "," .Values.credentials.secretNames }}
{{- with .Values.credentials.operatorNamespaces }}
- {{ printf "--operator-credentials-namespaces=%s" (join "," .) | quote }}
{{- end }}
- --cloud-root-domain={{ .Values.cloud.rootDomain }}
{{- with .Values.cloud.endpoint }}
- --cloud-endpoint={{ . }}
{{- end }}
{{- range $api, $rate := .Values.cloud.rates }}
- --api-rate={{ $api }}={{ $rate }}
{{- end }}
- --health-probe-bind-address=:8081
{{- if include "cloudtask.metrics" . }}
- --metrics-bind-address=:8443
- --metrics-secure={{ .Values.metrics.secure }}
{{- else }}
- --metrics-bind-address=0
{{- end }}
{{- if include "cloudtask.leaderElection" . }}
- --leader-elect
- --leader-elect-identity=$(POD_NAME)_$(POD_UID)
- --leader-elect-lease-duration={{ .Values.leaderElection.leaseDuration }}
- --leader-elect-renew-deadline={{ .Values.leaderElection.renewDeadline }}
- --leader-elect-retry-period={{ .Values.leaderElection.retryPeriod }}
{{- end }}
- --zap-log-level={{ .Values.log.level }}
- --zap-encoder={{ .Values.log.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "cloudtask.env" -}}
{{- if include "cloudtask.leaderElection" . }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_UID
  valueFrom:
    fieldRef:
      fieldPath: metadata.uid
{{- end }}
{{- if and .Values.goMemLimit (dig "limits" "memory" "" .Values.resources) }}
- name: GOMEMLIMIT
  valueFrom:
    resourceFieldRef:
      resource: limits.memory
{{- end }}
{{- with .Values.credentials.existingSecret }}
- name: TENCENTCLOUD_SECRET_ID
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: secretId
- name: TENCENTCLOUD_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: secretKey
- name: TENCENTCLOUD_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: token
      optional: true
{{- end }}
{{- with .Values.podIdentity }}
{{- if .enabled }}
- name: TKE_REGION
  value: {{ required "podIdentity wants the cluster's region in podIdentity.region" .region | quote }}
- name: TKE_PROVIDER_ID
  value: {{ required "podIdentity wants the identity provider in podIdentity.providerId" .providerId | quote }}
- name: TKE_ROLE_ARN
  value: {{ required "podIdentity wants the role in podIdentity.roleArn" .roleArn | quote }}
- name: TKE_WEB_IDENTITY_TOKEN_FILE
  value: /var/run/secrets/cloud.tencent.com/serviceaccount/token
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
