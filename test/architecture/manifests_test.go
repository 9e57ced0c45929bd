package architecture

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// files are the files under a folder of the repository whose names end in one of the given ways.
func files(t *testing.T, folder string, endings ...string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(rootDir(t), folder), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".":
			return fs.SkipDir
		case !entry.IsDir() && slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(path, e) }):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("listing %s: %v", folder, err)
	}
	return found
}

// read is a file's content.
func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	return data
}

// documents are the YAML documents in a text, each by itself.
func documents(t *testing.T, text []byte) [][]byte {
	t.Helper()
	var all [][]byte
	reader := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	for {
		buffer := make([]byte, len(text)+1)
		n, err := reader.Read(buffer)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("splitting YAML: %v", err)
		}
		all = append(all, buffer[:n])
	}
}

// relative is a file's path in the repository.
func relative(t *testing.T, path string) string {
	t.Helper()
	rel, err := filepath.Rel(rootDir(t), path)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.ToSlash(rel)
}

// A permission that nobody spelled out is one that nobody thought about.
func TestRBACHasNoWildcards(t *testing.T) {
	for _, file := range append(files(t, "config/rbac", ".yaml"), files(t, "config/keyprobe", ".yaml")...) {
		for _, document := range documents(t, read(t, file)) {
			// Role and ClusterRole share the shape of their rules; other kinds have none.
			var role rbacv1.ClusterRole
			if err := yaml.Unmarshal(document, &role); err != nil {
				t.Errorf("%s: %v", relative(t, file), err)
				continue
			}
			for _, rule := range role.Rules {
				named := slices.Concat(rule.APIGroups, rule.Resources, rule.ResourceNames, rule.Verbs, rule.NonResourceURLs)
				if slices.ContainsFunc(named, func(s string) bool { return strings.Contains(s, "*") }) {
					t.Errorf("%s: %s %s grants a wildcard: %v", relative(t, file), role.Kind, role.Name, rule)
				}
			}
		}
	}
}

// Every kind is installed, is known to the tools that read PROJECT, and has a page for its users.
func TestEveryKindIsInstalledAndDocumented(t *testing.T) {
	kustomization := string(read(t, filepath.Join(rootDir(t), "config/crd/kustomization.yaml")))
	project := string(read(t, filepath.Join(rootDir(t), "PROJECT")))
	for _, file := range files(t, "config/crd/bases", ".yaml") {
		var crd struct {
			Spec struct{ Names struct{ Kind string } }
		}
		if err := yaml.Unmarshal(read(t, file), &crd); err != nil {
			t.Fatalf("%s: %v", relative(t, file), err)
		}
		kind := crd.Spec.Names.Kind
		if !strings.Contains(kustomization, "bases/"+filepath.Base(file)+"\n") {
			t.Errorf("config/crd/kustomization.yaml does not list %s", filepath.Base(file))
		}
		if !strings.Contains(project, "kind: "+kind+"\n") {
			t.Errorf("PROJECT does not list %s", kind)
		}
		page := filepath.Join(rootDir(t), "docs/kinds", strings.ToLower(kind)+".md")
		if _, err := os.Stat(page); err != nil {
			t.Errorf("%s has no page: %v", kind, err)
		}
	}
}
