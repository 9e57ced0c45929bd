package storage

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// documents reads the documents of a file in testdata.
func documents[T any](t *testing.T, path string) []*T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []*T
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 1024); ; {
		one := new(T)
		err := d.Decode(one)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("reading %s: %v", path, err)
		}
		all = append(all, one)
	}
}

// known is what there is to look up in the golden tests.
func known(t *testing.T) Lookup {
	t.Helper()
	maps := documents[corev1.ConfigMap](t, filepath.Join("testdata", "ceph_configmaps.yaml"))
	return func(driver, name string) map[string]string {
		for _, m := range maps {
			if m.Name == name && strings.Contains(driver, ".ceph.com") {
				return m.Data
			}
		}
		return nil
	}
}

func classFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var classes []string
	for _, f := range files {
		if filepath.Base(f) != "ceph_configmaps.yaml" {
			classes = append(classes, f)
		}
	}
	return classes
}

// What each driver makes of StorageClasses, and what people are told of them.
func TestClassesSayHowTheirVolumesAreEncrypted(t *testing.T) {
	for _, file := range classFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			var said strings.Builder
			for _, class := range documents[storagev1.StorageClass](t, file) {
				p := OfClass(class, known(t))
				said.WriteString("# " + strings.ReplaceAll(class.Name, "-", " ") + "\n" + p.String() + "\n")
				if p.Message != "" {
					said.WriteString(p.Message + "\n")
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", said.String())
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("answers differ from %s; if they are meant, run go test with -update (-golden +now):\n%s", path, diff)
	}
}
