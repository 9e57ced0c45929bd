package api_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// validation is something that a definition refuses, in the words in which the API server says so.
type validation struct {
	kind string
	// field is the path of the error, with [] for any entry of a list and * for any key of a map.
	field string
	// says is a part of the error's message.
	says string
}

func (v validation) String() string { return fmt.Sprintf("%s %s: %s", v.kind, v.field, v.says) }

// triggeredBy tells whether an error of the API server came from this validation.
func (v validation) triggeredBy(e validation) bool {
	inMap, _, isValue := strings.Cut(v.field, ".*")
	// Bounds of a map's values are reported as fields of the map, rules as its entries.
	atField := v.field == e.field || isValue && (strings.HasPrefix(e.field, inMap+".") || strings.HasPrefix(e.field, inMap+"[]"))
	return v.kind == e.kind && atField && strings.Contains(e.says, v.says)
}

// anyEntry turns the path of an entry into that of any entry: spec.offers[3].name into spec.offers[].name.
func anyEntry(field string) string { return entry.ReplaceAllString(field, "[]") }

var entry = regexp.MustCompile(`\[[^]]*\]`)

// definitions are the custom resource definitions as they were generated.
func definitions(t *testing.T) []apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(bases, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions in %s: %v", bases, err)
	}
	found := make([]apiextensionsv1.CustomResourceDefinition, len(files))
	for i, file := range files {
		if err := yaml.UnmarshalStrict(read(t, file), &found[i]); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return found
}

// validationsOf lists all that a definition refuses.
func validationsOf(definition *apiextensionsv1.CustomResourceDefinition) []validation {
	w := walk{kind: definition.Spec.Names.Kind}
	w.schema("", definition.Spec.Versions[0].Schema.OpenAPIV3Schema)
	return w.found
}

// walk collects the validations of a schema.
type walk struct {
	kind  string
	found []validation
}

func (w *walk) add(field, says string) {
	w.found = append(w.found, validation{w.kind, strings.TrimPrefix(field, "."), says})
}

func (w *walk) schema(path string, s *apiextensionsv1.JSONSchemaProps) {
	w.value(path, s)
	w.text(path, s)
	w.number(path, s)
	w.collection(path, s)
	w.rules(path, s)
	for _, name := range s.Required {
		w.add(path+"."+name, missing)
	}
	for name, property := range s.Properties {
		w.schema(path+"."+name, &property)
	}
	if s.AdditionalProperties != nil {
		w.schema(path+".*", s.AdditionalProperties.Schema)
	}
	// What a condition looks like is not ours to say.
	if s.Items != nil && path != ".status.conditions" {
		w.schema(path+"[]", s.Items.Schema)
	}
}

func (w *walk) value(path string, s *apiextensionsv1.JSONSchemaProps) {
	if len(s.Enum) > 0 {
		var values []string
		for _, value := range s.Enum {
			values = append(values, strings.Trim(string(value.Raw), `"`))
		}
		w.add(path, oneOf(values...))
	}
	// That a number fits into 32 bits says the Go type, and its bounds say more.
	if s.Format != "" && s.Format != "int32" && s.Format != "int64" {
		w.add(path, formatted(s.Format))
	}
	if s.Pattern != "" {
		w.add(path, "should match '"+s.Pattern+"'")
	}
}

func (w *walk) text(path string, s *apiextensionsv1.JSONSchemaProps) {
	if s.MinLength != nil {
		w.add(path, tooShort(*s.MinLength))
	}
	if s.MaxLength != nil {
		w.add(path, tooLong(*s.MaxLength))
	}
}

func (w *walk) number(path string, s *apiextensionsv1.JSONSchemaProps) {
	if s.Minimum != nil {
		w.add(path, tooSmall(int64(*s.Minimum)))
	}
	if s.Maximum != nil {
		w.add(path, tooBig(int64(*s.Maximum)))
	}
}

func (w *walk) collection(path string, s *apiextensionsv1.JSONSchemaProps) {
	if s.MinItems != nil {
		w.add(path, tooFew(*s.MinItems))
	}
	if s.MaxItems != nil {
		w.add(path, tooMany(*s.MaxItems))
	}
	if s.MaxProperties != nil {
		w.add(path, tooMany(*s.MaxProperties))
	}
	if s.XListType != nil && *s.XListType != "atomic" {
		w.add(path+"[]", duplicate)
	}
}

func (w *walk) rules(path string, s *apiextensionsv1.JSONSchemaProps) {
	for _, rule := range s.XValidations {
		w.add(path+rule.FieldPath, rule.Message)
	}
}

// The words of the API server.
const (
	missing   = "Required value"
	duplicate = "Duplicate value"
)

func tooShort(n int64) string { return fmt.Sprintf("should be at least %d chars long", n) }
func tooLong(n int64) string  { return fmt.Sprintf("Too long: may not be more than %d bytes", n) }

func tooSmall(n int64) string      { return fmt.Sprintf("should be greater than or equal to %d", n) }
func tooBig(n int64) string        { return fmt.Sprintf("should be less than or equal to %d", n) }
func tooFew(n int64) string        { return fmt.Sprintf("should have at least %d items", n) }
func tooMany(n int64) string       { return fmt.Sprintf("must have at most %d items", n) }
func formatted(name string) string { return "must be of type " + name }
func oneOf(values ...string) string {
	return `supported values: "` + strings.Join(values, `", "`) + `"`
}
