package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// module is the path of the product's Go module.
const module = "github.com/terroir-dev/terroir"

// goPackage is what `go list` says of a package of this module.
type goPackage struct {
	Dir        string
	ImportPath string
	Name       string
	Doc        string
	Imports    []string // by its files that are no tests
	Deps       []string // Imports, and theirs
	GoFiles    []string
}

// path is the package's folder in the repository, with slashes. The root is the empty path.
func (p goPackage) path() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// isCommand tells whether p is a program, or belongs to the tests: where flags and the environment may be read.
func (p goPackage) isCommand() bool {
	return p.Name == "main" || within(p.path(), "cmd", "test")
}

// within tells whether a path is one of the folders or lies in one of them.
func within(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return path == folder || strings.HasPrefix(path, folder+"/")
	})
}

// inModule is the repository path of a package of this module, and false for any other.
func inModule(importPath string) (string, bool) {
	return strings.CutPrefix(importPath, module+"/")
}

// isStandard tells whether a package belongs to the standard library: its path begins without a host.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}

// root is the folder of the product's go.mod.
var root = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	return strings.TrimSpace(string(out)), err
})

// packages are the packages of this module, once listed for all tests.
var packages = sync.OnceValues(func() ([]goPackage, error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	// With -e a package that does not compile is listed too. That it does not is for the compiler to say.
	list := exec.Command("go", "list", "-e", "-json=Dir,ImportPath,Name,Doc,Imports,Deps,GoFiles", "./...")
	list.Dir = dir
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	return decodePackages(out)
})

func decodePackages(out []byte) ([]goPackage, error) {
	var all []goPackage
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p goPackage
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case len(p.GoFiles) > 0: // not those that are only tests
			all = append(all, p)
		}
	}
}

// rootDir is the folder of the product's go.mod.
func rootDir(t *testing.T) string {
	t.Helper()
	dir, err := root()
	if err != nil {
		t.Fatalf("finding the module: %v", err)
	}
	return dir
}

// allPackages are the packages of this module.
func allPackages(t *testing.T) []goPackage {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatalf("listing packages: %v", err)
	}
	return all
}

// parsed are the syntax trees of a package's files, without those that are tests.
func parsed(t *testing.T, p goPackage) (*token.FileSet, []*ast.File) {
	t.Helper()
	positions := token.NewFileSet()
	files := make([]*ast.File, 0, len(p.GoFiles))
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(positions, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parsing %s: %v", p.ImportPath, err)
		}
		files = append(files, file)
	}
	return positions, files
}

// uses lists where a package selects one of the names from an imported package, as in time.Now.
func uses(t *testing.T, p goPackage, importPath string, names ...string) []string {
	t.Helper()
	var found []string
	positions, files := parsed(t, p)
	for _, file := range files {
		local, imported := localName(file, importPath)
		if !imported {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok && isSelection(selector, local, names) {
				found = append(found, positions.Position(selector.Pos()).String()+": "+importPath+"."+selector.Sel.Name)
			}
			return true
		})
	}
	return found
}

func isSelection(selector *ast.SelectorExpr, local string, names []string) bool {
	x, ok := selector.X.(*ast.Ident)
	return ok && x.Name == local && slices.Contains(names, selector.Sel.Name)
}

// localName is the name under which a file knows an imported package.
func localName(file *ast.File, importPath string) (string, bool) {
	for _, spec := range file.Imports {
		if strings.Trim(spec.Path.Value, `"`) != importPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name, true
		}
		return filepath.Base(importPath), true
	}
	return "", false
}
