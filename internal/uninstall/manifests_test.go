package uninstall

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// What `make deploy` installs, and the agents beside it, this package removes: by name what belongs to the whole cluster, and with its namespace all that lies in it.
func TestWhatIsInstalledIsRemoved(t *testing.T) {
	seen := 0
	for _, o := range append(manifests(t, "../../config/default"), manifests(t, "../../config/keyprobe")...) {
		seen++
		var known []string
		switch o.GetKind() {
		case "Namespace":
			known = []string{v1alpha1.SystemNamespace}
		case "ClusterRole":
			known = ownRoles()
		case "ClusterRoleBinding":
			known = ownBindings()
		case "Deployment":
			known = []string{managerName, agentName}
		}
		if kind := o.GetKind(); o.GetNamespace() == newsNamespace && (kind == "Role" || kind == "RoleBinding") {
			known = []string{managerName}
		}
		inside := o.GetNamespace() == v1alpha1.SystemNamespace
		if known == nil && !inside || known != nil && !slices.Contains(known, o.GetName()) {
			t.Errorf("config/ installs %s %s/%s, which would stay", o.GetKind(), o.GetNamespace(), o.GetName())
		}
	}
	if seen == 0 {
		t.Error("no manifest was found: does this test still look in the right place?")
	}
}

// manifests are the objects in the files of the folders that a folder of manifests is made of.
func manifests(t *testing.T, whole string) []*unstructured.Unstructured {
	t.Helper()
	folders, _, err := unstructured.NestedStringSlice(decode(t, filepath.Join(whole, "kustomization.yaml"))[0].Object, "resources")
	if err != nil {
		t.Fatal(err)
	}
	var found []*unstructured.Unstructured
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(whole, folder, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if filepath.Base(file) != "kustomization.yaml" {
				found = append(found, decode(t, file)...)
			}
		}
	}
	return found
}

func decode(t *testing.T, path string) []*unstructured.Unstructured {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var found []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(u)
		switch {
		case errors.Is(err, io.EOF):
			return found
		case err != nil:
			t.Fatalf("%s: %v", path, err)
		case len(u.Object) > 0:
			found = append(found, u)
		}
	}
}
