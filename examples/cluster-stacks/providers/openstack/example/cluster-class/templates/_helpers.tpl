{{/*
Name of everything in a release: <provider>-<stack>-<major>-<minor>-<version>. The operator gives the first part as name of the
helm release. With the version in the name, an old and a new release live side by side.
*/}}
{{- define "name" -}}
{{ .Release.Name }}-{{ .Chart.Version }}
{{- end -}}
