{{- define "type_members" -}}
{{- $field := . -}}
{{- if eq $field.Name "metadata" -}}
As in every Kubernetes object.
{{- else -}}
{{ markdownRenderFieldDoc $field.Doc }}
{{- with index $field.Markers "kubebuilder:validation:XValidation" -}}
{{- if not (index $field.Type.Markers "kubebuilder:validation:XValidation") -}}
{{- range . }}<br />Rule: {{ .Message }}.{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
