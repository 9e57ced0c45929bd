package api_test

import (
	"fmt"
	"maps"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// fixture is what is known of a kind.
type fixture struct {
	kind string
	// minimal is the least that is accepted: spec and, where the kind has a name of its own, metadata.
	minimal string
	// full has every field once, status included. Cases tweak it.
	full string
	// refused are the cases, by a sentence that says what is wrong with the object.
	refused cases
}

// fixtures are all kinds'. The completeness test says so if one is missing.
var fixtures = []fixture{
	cloudProvider, clusterPlacementPolicy, framework, placementFloor, placementPolicy, qualification, terroirConfig, trustLevel, zone,
}

// cases are objects to be refused, by the sentence that says what is wrong with each.
type cases map[string]refusal

// refusal is one tweak of a valid object, and what the API server has to say to it.
type refusal struct {
	tweak tweak
	// field is the path at which the error stands.
	field string
	// says is a part of the error's message.
	says string
}

// all joins tables. A sentence that stands in two of them is a mistake.
func all(tables ...cases) cases {
	joined := cases{}
	for _, table := range tables {
		for sentence, c := range table {
			if _, twice := joined[sentence]; twice {
				panic(fmt.Sprintf("two cases are called %q", sentence))
			}
			joined[sentence] = c
		}
	}
	return maps.Clone(joined)
}

func (f fixture) minimalObject(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return f.object(t, f.minimal)
}

func (f fixture) fullObject(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return f.object(t, f.full)
}

// object completes what a fixture says by what goes without saying.
func (f fixture) object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	content := fromYAML(t, text)
	content["apiVersion"], content["kind"] = groupVersion, f.kind
	object := &unstructured.Unstructured{Object: content}
	if object.GetName() == "" {
		object.SetName("api-test")
	}
	if namespaced[f.kind] {
		object.SetNamespace("default")
	}
	return object
}

// namespaced are the kinds that are.
var namespaced = map[string]bool{"PlacementFloor": true, "PlacementPolicy": true}

func fromYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	var object unstructured.Unstructured
	content := map[string]any{}
	if err := object.UnmarshalJSON(withKind(asJSON)); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	maps.Copy(content, object.Object)
	return content
}
