package api_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// fixture is what is known of a kind. What goes without saying is left out of its objects: apiVersion, kind, and the name
// where any will do.
type fixture struct {
	kind string
	// namespaced says that objects of the kind live in namespaces.
	namespaced bool
	// minimal is the least that is accepted. It is also what is stored where something has to be, and then concerns no node
	// and no namespace of anybody else's.
	minimal string
	// full has every field there is, status included. The cases tweak it.
	full string
	// instead turns the full object into others, each with fields that exclude some of its own.
	instead map[string]tweak
	// refused are the cases.
	refused cases
	// frozen are cases of what cannot be changed: they tweak the minimal object once it is stored.
	frozen cases
	// accepted are those that look like one of them.
	accepted accepted
}

// fixtures are those of all kinds.
func fixtures() []fixture {
	return []fixture{
		cloudProvider(), clusterPlacementPolicy(), encryptionKey(), framework(), keyObservation(), keyStore(), placementFloor(), placementPolicy(), qualification(),
		terroirConfig(), trustLevel(), zone(),
	}
}

func fixtureOf(t *testing.T, kind string) fixture {
	t.Helper()
	for _, f := range fixtures() {
		if f.kind == kind {
			return f
		}
	}
	t.Fatalf("%s has no fixture", kind)
	return fixture{}
}

// What any kind may contain. The conditions are all that there are, so that every column finds its own.
const (
	someDigest     = "sha256:" + someSHA256
	someSHA256     = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	someConditions = `
  - {type: Ready, status: "True", reason: AsExpected, message: It is., lastTransitionTime: "2026-11-01T00:00:00Z"}
  - {type: InForce, status: "True", reason: AsExpected, message: It is., lastTransitionTime: "2026-11-01T00:00:00Z"}
  - {type: Satisfied, status: "True", reason: AsExpected, message: It is., lastTransitionTime: "2026-11-01T00:00:00Z"}
  - {type: Compliant, status: "True", reason: AsExpected, message: It is., lastTransitionTime: "2026-11-01T00:00:00Z"}`
)

// anyName is the name of objects that may have any, and namespace is where they are.
const (
	anyName   = "api-test"
	namespace = "terroir-api-test"
)

func (f fixture) object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{Object: parse(t, text)}
	object.SetAPIVersion(v1alpha1.GroupVersion.String())
	object.SetKind(f.kind)
	if object.GetName() == "" {
		object.SetName(anyName)
	}
	if f.namespaced {
		object.SetNamespace(namespace)
	}
	return object
}

// tweaked is the full object with one tweak.
func (f fixture) tweaked(t *testing.T, change tweak) *unstructured.Unstructured {
	t.Helper()
	object := f.object(t, f.full)
	change(object.Object)
	return object
}

// fulls are the full object and those that there are instead, by the sentence that says how they differ.
func (f fixture) fulls(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	objects := map[string]*unstructured.Unstructured{"full": f.object(t, f.full)}
	for sentence, change := range f.instead {
		objects[sentence] = f.tweaked(t, change)
	}
	return objects
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	content := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(text), &content); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return content
}
