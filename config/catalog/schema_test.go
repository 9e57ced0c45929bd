package catalog_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// schema is one kind's schema as the API server would use it.
type schema struct {
	structural *structuralschema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

// schemas reads the custom resource definitions that are installed beside the catalogue.
func schemas(t *testing.T) map[string]schema {
	t.Helper()
	files, err := filepath.Glob("../crd/bases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no custom resource definitions: %v", err)
	}
	found := map[string]schema{}
	for _, d := range documents(t, files...) {
		definition := decode[apiextensionsv1.CustomResourceDefinition](t, d)
		found[definition.Spec.Names.Kind] = compileSchema(t, &definition)
	}
	return found
}

func compileSchema(t *testing.T, definition *apiextensionsv1.CustomResourceDefinition) schema {
	t.Helper()
	var internal apiextensions.JSONSchemaProps
	err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, &internal, nil)
	if err != nil {
		t.Fatalf("converting the schema of %s: %v", definition.Name, err)
	}
	structural, err := structuralschema.NewStructural(&internal)
	if err != nil {
		t.Fatalf("schema of %s: %v", definition.Name, err)
	}
	openAPI, _, err := validation.NewSchemaValidator(&internal)
	if err != nil {
		t.Fatalf("validator of %s: %v", definition.Name, err)
	}
	return schema{
		structural: structural,
		openAPI:    openAPI,
		rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}
}

// errors says what an API server would object to.
func (s *schema) errors(object map[string]any) field.ErrorList {
	var list field.ErrorList
	for _, path := range pruning.PruneWithOptions(object, s.structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		list = append(list, field.Invalid(field.NewPath(path), nil, "unknown field"))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
	defaulting.Default(object, s.structural)
	list = append(list, validation.ValidateCustomResource(nil, object, s.openAPI)...)
	ruled, _ := s.rules.Validate(context.Background(), nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(list, ruled...)
}

func TestEveryFileIsValidAgainstTheInstalledSchemas(t *testing.T) {
	kinds := schemas(t)
	seen := map[string]bool{}
	for _, d := range documents(t, "frameworks", "providers", "qualifications", "zones", "../samples") {
		apiVersion, kind, name := kindOf(t, d)
		if apiVersion != v1alpha1.GroupVersion.String() {
			continue
		}
		s, known := kinds[kind]
		if !known {
			t.Errorf("%s: there is no kind %s", d.file, kind)
			continue
		}
		seen[kind] = true
		if errs := s.errors(generic(t, d)); len(errs) > 0 {
			t.Errorf("%s: %s %s: %v", d.file, kind, name, errs.ToAggregate())
		}
	}
	for _, kind := range []string{"Framework", "CloudProvider", "Zone", "Qualification", "TrustLevel", "ClusterPlacementPolicy", "PlacementPolicy"} {
		if !seen[kind] {
			t.Errorf("no file has an object of kind %s", kind)
		}
	}
}

func TestTheSchemaCheckSeesWhatIsWrong(t *testing.T) {
	kinds := schemas(t)
	for sentence, text := range map[string]string{
		"an unknown field":         "apiVersion: terroir.dev/v1alpha1\nkind: TrustLevel\nmetadata: {name: x}\nspec: {countries: [FR], country: FR}",
		"a rule in CEL":            "apiVersion: terroir.dev/v1alpha1\nkind: TrustLevel\nmetadata: {name: x}\nspec: {}",
		"a value out of the enums": "apiVersion: terroir.dev/v1alpha1\nkind: CloudProvider\nmetadata: {name: x}\nspec: {legalEntity: X, seat: FR, offers: [{name: a, serviceModel: XaaS}]}",
	} {
		t.Run(sentence, func(t *testing.T) {
			d := document{sentence, []byte(text)}
			_, kind, _ := kindOf(t, d)
			s := kinds[kind]
			if errs := s.errors(generic(t, d)); len(errs) == 0 {
				t.Error("nothing was found wrong")
			}
		})
	}
}

// generic decodes a document as the API server does: numbers as int64 where they are whole.
func generic(t *testing.T, d document) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON(d.data)
	if err != nil {
		t.Fatalf("reading %s: %v", d.file, err)
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatalf("reading %s: %v", d.file, err)
	}
	return whole(object).(map[string]any)
}

func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = whole(v[key])
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}
