{{- define "type" -}}
{{- $type := . -}}
{{- if markdownShouldRenderType $type -}}
### {{ $type.Name }}

{{ if $type.IsAlias }}_Underlying type:_ {{ markdownRenderTypeLink $type.UnderlyingType }}

{{ end -}}
{{ $type.Doc }}

{{ if $type.References -}}
_Used in:_ {{ range $i, $r := $type.SortedReferences }}{{ if $i }}, {{ end }}{{ markdownRenderTypeLink $r }}{{ end }}

{{ end -}}
{{ if $type.Validation -}}
_Bounds:_ {{ range $i, $v := $type.Validation }}{{ if $i }}, {{ end }}{{ $v }}{{ end }}

{{ end -}}
{{ with index $type.Markers "kubebuilder:validation:XValidation" -}}
_Rules:_
{{ range . }}
- {{ if .FieldPath }}`{{ trimPrefix "." .FieldPath }}`: {{ end }}{{ .Message }}
{{- end }}

{{ end -}}
{{ if $type.Members -}}
| Field | Description | Default | Bounds |
| --- | --- | --- | --- |
{{ if $type.GVK -}}
| `apiVersion` _string_ | `{{ $type.GVK.Group }}/{{ $type.GVK.Version }}` | | |
| `kind` _string_ | `{{ $type.GVK.Kind }}` | | |
{{ end -}}
{{ range $type.Members -}}
| `{{ .Name }}` _{{ markdownRenderType .Type }}_ | {{ template "type_members" . }} | {{ markdownRenderDefault .Default }} | {{ template "bounds" .Validation }} |
{{ end }}
{{ end -}}
{{ if $type.EnumValues -}}
One of: {{ range $i, $v := $type.EnumValues }}{{ if $i }}, {{ end }}`{{ $v.Name }}`{{ end }}.

{{ end -}}
{{- end -}}
{{- end -}}

{{- define "bounds" -}}
{{- $first := true -}}
{{- range . -}}
{{- $bound := . | replace ": {}" "" -}}
{{- if ne $bound "Optional" -}}
{{- if not $first }}, {{ end }}{{ $first = false }}{{ replace "|" "\\|" $bound }}
{{- end -}}
{{- end -}}
{{- end -}}
