{{- define "gvDetails" -}}
{{- $gv := . }}
<!-- Written by `make generate` from api/v1alpha1. Do not edit. -->

Every field of `{{ $gv.GroupVersionString }}`, from the comments beside the types. What the kinds are for, with samples and
pitfalls, stands in a page for each: [kinds](../kinds/README.md).

## Kinds
{{ range $gv.SortedKinds }}
- {{ $gv.TypeForKind . | markdownRenderTypeLink }}
{{- end }}

## Types

{{ range $gv.SortedTypes }}
{{- template "type" . }}
{{- end }}
{{- end -}}
