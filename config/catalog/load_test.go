package catalog_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// demo is where the fictitious certificates and opinions are: what a test needs when it shows what a granted one would change.
const demo = "../samples/demo"

// document is one YAML document and the file it stands in.
type document struct {
	file string
	data []byte
}

// documents reads every YAML document under the paths, kustomizations apart, in the order of file names.
func documents(t *testing.T, paths ...string) []document {
	t.Helper()
	var found []document
	for _, path := range paths {
		files := 0
		err := filepath.WalkDir(path, func(name string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" || filepath.Base(name) == "kustomization.yaml" {
				return err
			}
			files++
			data, err := os.ReadFile(name)
			for _, part := range bytes.Split(data, []byte("\n---\n")) {
				found = append(found, document{name, part})
			}
			return err
		})
		if err != nil || files == 0 {
			t.Fatalf("reading %s: %v, %d YAML files", path, err, files)
		}
	}
	return found
}

// kindOf reads what a document says it is.
func kindOf(t *testing.T, d document) (apiVersion, kind, name string) {
	t.Helper()
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(d.data, &head); err != nil {
		t.Fatalf("reading %s: %v", d.file, err)
	}
	return head.APIVersion, head.Kind, head.Metadata.Name
}

// decode fills the object from the document and fails on a field that the object does not have.
func decode[T any](t *testing.T, d document) T {
	t.Helper()
	var object T
	if err := yaml.UnmarshalStrict(d.data, &object); err != nil {
		t.Fatalf("decoding %s: %v", d.file, err)
	}
	return object
}

// objects decodes the kinds of the catalogue from everything under the paths. Of two objects of one kind and name the later one
// counts, as it would when applied; that is how the demo's providers replace the catalogue's.
func objects(t *testing.T, paths ...string) trust.Objects {
	t.Helper()
	var o trust.Objects
	for _, d := range documents(t, paths...) {
		switch _, kind, _ := kindOf(t, d); kind {
		case trust.KindFramework:
			o.Frameworks = put(o.Frameworks, decode[v1alpha1.Framework](t, d), func(o *v1alpha1.Framework) string { return o.Name })
		case trust.KindCloudProvider:
			o.Providers = put(o.Providers, decode[v1alpha1.CloudProvider](t, d), func(o *v1alpha1.CloudProvider) string { return o.Name })
		case trust.KindZone:
			o.Zones = put(o.Zones, decode[v1alpha1.Zone](t, d), func(o *v1alpha1.Zone) string { return o.Name })
		case trust.KindQualification:
			o.Qualifications = put(o.Qualifications, decode[v1alpha1.Qualification](t, d), func(o *v1alpha1.Qualification) string { return o.Name })
		case trust.KindTrustLevel:
			o.TrustLevels = put(o.TrustLevels, decode[v1alpha1.TrustLevel](t, d), func(o *v1alpha1.TrustLevel) string { return o.Name })
		}
	}
	return o
}

func put[T any](list []T, object T, name func(*T) string) []T {
	i := slices.IndexFunc(list, func(other T) bool { return name(&other) == name(&object) })
	if i >= 0 {
		list[i] = object
		return list
	}
	return append(list, object)
}

// catalogue is everything that kubectl apply -k config/catalog applies.
func catalogue(t *testing.T) trust.Objects {
	t.Helper()
	return objects(t, "frameworks", "providers", "qualifications")
}

// zoneDirectories names the directories under zones/.
func zoneDirectories(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("zones")
	if err != nil {
		t.Fatalf("reading zones: %v", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// levels are the trust levels of the samples, without the zone that stands beside one of them.
func levels(t *testing.T) []v1alpha1.TrustLevel {
	t.Helper()
	var files []string
	entries, err := filepath.Glob("../samples/trustlevel-*.yaml")
	if err != nil || len(entries) == 0 {
		t.Fatalf("no sample trust levels: %v", err)
	}
	files = append(files, entries...)
	return objects(t, append(files, "../samples/in-france.yaml")...).TrustLevels
}

// words says whether a message contains all the words.
func words(message string, all ...string) bool {
	return !slices.ContainsFunc(all, func(word string) bool { return !strings.Contains(message, word) })
}

// asking makes a level from "framework level", named framework-level, without dots.
func asking(t *testing.T, what string) v1alpha1.TrustLevel {
	t.Helper()
	framework, level, _ := strings.Cut(what, " ")
	return decode[v1alpha1.TrustLevel](t, document{what, []byte(`
metadata: {name: ` + strings.ReplaceAll(framework, ".", "-") + `-` + level + `}
spec: {qualifications: [{anyOf: [{framework: ` + framework + `, levels: [` + level + `]}]}]}`)})
}

// granting makes a fictitious grant of "framework level" to STACKIT's Kubernetes in eu01.
func granting(t *testing.T, what string) v1alpha1.Qualification {
	t.Helper()
	framework, level, _ := strings.Cut(what, " ")
	return decode[v1alpha1.Qualification](t, document{what, []byte(`
metadata: {name: fictitious-` + framework + `-` + level + `}
spec:
  framework: ` + framework + `
  levels: [` + level + `]
  subject: {provider: stackit, offer: ske, regions: [eu01]}
  state: Granted
  milestone: FICTITIOUS
  validUntil: "2029-01-01T00:00:00Z"`)})
}
