{{- define "cloudtask.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The name of the objects. It leaves room for their endings. */ -}}
{{- define "cloudtask.fullname" -}}
{{- $name := include "cloudtask.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 45 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "cloudtask.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "cloudtask.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "cloudtask.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag }}
{{- printf "%s:%s" .Values.image.repository $tag }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- /* What the Deployment, the Service and the others find the pods by. */ -}}
{{- define "cloudtask.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cloudtask.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: manager
{{- end }}

{{- define "cloudtask.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "cloudtask.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /*
The metadata of an object. Takes root and name, and where there are any namespace,
labels, annotations and a component other than the operator itself.
*/ -}}
{{- define "cloudtask.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- mergeOverwrite (deepCopy .root.Values.commonLabels) (.labels | default dict | deepCopy) (include "cloudtask.labels" .root | fromYaml) (dict "app.kubernetes.io/component" (.component | default "manager")) | toYaml | nindent 2 }}
{{- with mergeOverwrite (deepCopy .root.Values.commonAnnotations) (.annotations | default dict | deepCopy) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "cloudtask.leaderElection" -}}
{{- if or .Values.leaderElection.enabled (gt (int .Values.replicaCount) 1) }}true{{ end }}
{{- end }}

{{- /* As the operator names it: by what it works on. */ -}}
{{- define "cloudtask.leaseName" -}}
{{- printf "cloudtask-%s" (printf "%s/%s" (join "," (sortAlpha .Values.watchNamespaces)) .Values.watchLabelSelector | sha256sum | trunc 8) }}
{{- end }}

{{- /* Secure metrics want TokenReview, which only a cluster-wide grant gives. */ -}}
{{- define "cloudtask.metrics" -}}
{{- if and .Values.metrics.enabled (or (not .Values.watchNamespaces) .Values.metrics.authDelegator (not .Values.metrics.secure)) }}true{{ end }}
{{- end }}

{{- /* What the operator does with the objects of the namespaces it works in. */ -}}
{{- define "cloudtask.rules" -}}
- apiGroups: [tencent.cloudtask.dev]
  resources: [cloudtasks]
  verbs: [list, watch, delete]
- apiGroups: [tencent.cloudtask.dev]
  resources: [cloudtasks/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- with .Values.credentials.secretNames }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames:
    {{- toYaml . | nindent 4 }}
  verbs: [get, list, watch]
{{- end }}
{{- end }}

{{- /* Where the test's CloudTask is: the operator must work there. */ -}}
{{- define "cloudtask.testNamespace" -}}
{{- first (append .Values.watchNamespaces .Release.Namespace) }}
{{- end }}

{{- define "cloudtask.subject" -}}
- kind: ServiceAccount
  name: {{ include "cloudtask.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{- /* A monitor's endpoint, but for its port and authorization. */ -}}
{{- define "cloudtask.scrape" -}}
path: /metrics
scheme: {{ ternary "https" "http" .root.Values.metrics.secure }}
{{- with .monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- if .root.Values.metrics.secure }}
{{- with .monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.authorization }}
authorization:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
relabelings:
  # The alerts and the dashboard know the job by this name, whatever the release's is.
  - targetLabel: job
    replacement: cloudtask
  {{- with .monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Values that contradict each other, and that no schema can refuse. */ -}}
{{- define "cloudtask.validate" -}}
{{- $v := .Values }}
{{- $monitor := or $v.metrics.serviceMonitor.enabled $v.metrics.podMonitor.enabled }}
{{- if and $monitor (not (include "cloudtask.metrics" .)) }}
{{- fail "there are no metrics to scrape: set metrics.enabled, and with watchNamespaces also metrics.authDelegator" }}
{{- end }}
{{- if and $v.metrics.serviceMonitor.enabled $v.metrics.podMonitor.enabled }}
{{- fail "metrics.serviceMonitor and metrics.podMonitor would both scrape the same pods: enable one of them" }}
{{- end }}
{{- if and $v.metrics.serviceMonitor.enabled (not $v.metrics.service.enabled) }}
{{- fail "metrics.serviceMonitor finds the pods by the Service: set metrics.service.enabled, or use metrics.podMonitor" }}
{{- end }}
{{- if and $v.metrics.podMonitor.enabled $v.metrics.secure (not $v.metrics.podMonitor.authorization) }}
{{- fail "by a PodMonitor, Prometheus cannot send the token of its own pod: give metrics.podMonitor.authorization, or use metrics.serviceMonitor" }}
{{- end }}
{{- if and $v.podIdentity.enabled $v.credentials.existingSecret }}
{{- fail "podIdentity and credentials.existingSecret both give the operator's own key: keep one of them" }}
{{- end }}
{{- if and $v.podDisruptionBudget.enabled (not (toString $v.podDisruptionBudget.minAvailable)) (not (toString $v.podDisruptionBudget.maxUnavailable)) }}
{{- fail "podDisruptionBudget wants minAvailable or maxUnavailable" }}
{{- end }}
{{- end }}
