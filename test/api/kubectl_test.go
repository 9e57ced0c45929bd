package api_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/util/jsonpath"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestWhatKubectlGetShows(t *testing.T) {
	s := start(t)
	headers := map[string]string{
		"zones":                    "NAME COUNTRY PROVIDER OFFER SITE NODES SATISFIES READY",
		"trustlevels":              "NAME SATISFIED ZONES SITES NODES PODS ASTRAY NEXT CHANGE READY REASON",
		"qualifications":           "NAME FRAMEWORK PROVIDER OFFER STATE UNTIL IN FORCE REASON",
		"clusterplacementpolicies": "NAME ENFORCEMENT REQUIRES NAMESPACES PODS VIOLATIONS READY REASON",
		"placementpolicies":        "NAME ENFORCEMENT REQUIRES PODS VIOLATIONS READY REASON",
		"placementfloors":          "NAME REQUIRES MIN SITES NODE-LOCAL STORAGE MISSING",
		"frameworks":               "NAME TITLE VERSION AUTHORITY LIFECYCLE READY",
		"cloudproviders":           "NAME LEGAL ENTITY SEAT PARENT READY",
		"keystores":                "NAME TYPE PROTECTION CUSTODY KEYS VERIFIED READY REASON",
		"encryptionkeys":           "NAME STORE PHASE VERIFIED UNTIL VOLUMES PODS REASON",
		"keyobservations":          "NAME KEY OBSERVER OUTCOME SINCE MESSAGE",
		"terroirconfigs":           "NAME FENCE NODES RECOGNISED READY REASON",
	}
	for _, f := range fixtures() {
		s.store(t, f, "kubectl-test")
	}
	kinds := slices.Sorted(maps.Keys(headers))
	tables := strings.Split(s.kubectl(t, "get", strings.Join(kinds, ",")), "\n\n")
	if len(tables) != len(kinds) {
		t.Fatalf("kubectl get %v shows %d tables: %q", kinds, len(tables), tables)
	}
	for i, kind := range kinds {
		header, _, _ := strings.Cut(tables[i], "\n")
		if diff := cmp.Diff(headers[kind], strings.Join(strings.Fields(header), " ")); diff != "" {
			t.Errorf("the header of %s is (-want +got):\n%s", kind, diff)
		}
	}
}

// A column whose path is mistyped shows nothing, for ever. A column of type date shows its age, and of a future moment only
// "<invalid>"; our dates are mostly about the future.
func TestEveryColumnShowsSomething(t *testing.T) {
	for _, definition := range definitions(t) {
		full := fixtureOf(t, definition.Spec.Names.Kind)
		for _, column := range definition.Spec.Versions[0].AdditionalPrinterColumns {
			t.Run(definition.Spec.Names.Kind+"/"+column.Name, func(t *testing.T) {
				if column.Type == "date" {
					t.Error("it is of type date")
				}
				var shown strings.Builder
				path := jsonpath.New(column.Name)
				if err := path.Parse("{" + column.JSONPath + "}"); err != nil {
					t.Fatal(err)
				}
				if err := path.Execute(&shown, full.object(t, full.full).Object); err != nil || shown.Len() == 0 {
					t.Errorf("%s finds nothing in the full object: %v", column.JSONPath, err)
				}
			})
		}
	}
}

func TestTheCategoryListsEveryKind(t *testing.T) {
	s := start(t)
	client, err := discovery.NewDiscoveryClientForConfig(s.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	served, err := client.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, resource := range served.APIResources {
		if slices.Contains(resource.Categories, "sovereignty") {
			listed[resource.Kind] = true
		}
	}
	for _, f := range fixtures() {
		if !listed[f.kind] {
			t.Errorf("kubectl get sovereignty does not list %s", f.kind)
		}
	}
	stored := s.store(t, zone(), "category-test")
	if names := s.kubectl(t, "get", "sovereignty", "--all-namespaces", "--output=name"); !strings.Contains(names, "zone.terroir.dev/"+stored.GetName()) {
		t.Errorf("kubectl get sovereignty lists no zone:\n%s", names)
	}
}

// kubectl explain is where users read about fields: what is said there begins with the field's name.
func TestEveryFieldExplainsItself(t *testing.T) {
	for _, definition := range definitions(t) {
		version := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
		for _, part := range []string{"spec", "status"} {
			if schema, has := version.Properties[part]; has {
				explained(t, definition.Spec.Names.Kind+"."+part, part, &schema)
			}
		}
	}
}

func explained(t *testing.T, path, name string, s *apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	first, _, _ := strings.Cut(s.Description, " ")
	if strings.Trim(first, ":") != name && name != "" {
		t.Errorf("the description of %s begins with %q", path, first)
	}
	for below, property := range s.Properties {
		explained(t, path+"."+below, below, &property)
	}
	if s.Items != nil {
		explained(t, path, "", s.Items.Schema)
	}
}

func (s *server) kubectl(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), s.cluster.Kubectl(), append(arguments,
		"--kubeconfig", s.cluster.Kubeconfig(), "--cache-dir", t.TempDir(), "--namespace", namespace)...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}
