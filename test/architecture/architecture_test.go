package architecture

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// answers are the packages that each answer one of the questions everything else is built on: what is this ground worth, what does
// this workload owe, is this key what it must be, what protects this volume. They do not know each other.
var answers = []string{"internal/trust", "internal/policy", "internal/keys", "internal/storage"}

// core is the part that is pure: everything it knows comes in as an argument, and everything it says goes out as a result.
var core = append([]string{"internal/placement"}, answers...)

// The API is types only, so that anyone can import it.
func TestAPIImportsOnlyAPIMachinery(t *testing.T) {
	for _, p := range allPackages(t) {
		if !within(p.path(), "api") {
			continue
		}
		for _, imported := range p.Imports {
			allowed := isStandard(imported) || within(imported, "k8s.io/api", "k8s.io/apimachinery", module+"/api")
			if !allowed {
				t.Errorf("%s imports %s: only the standard library, k8s.io/apimachinery and k8s.io/api are allowed there", p.path(), imported)
			}
		}
	}
}

// corePackages are the core's packages and all of this module that they build on: purity does not end at a package's edge.
func corePackages(t *testing.T) []goPackage {
	t.Helper()
	all := allPackages(t)
	var members []string
	for _, p := range all {
		if within(p.path(), core...) && p.Name != "main" {
			members = append(members, p.ImportPath)
			members = append(members, p.Deps...)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(p goPackage) bool {
		return !slices.Contains(members, p.ImportPath)
	})
}

func TestCoreKnowsNoClientLoggerContextOrEnvironment(t *testing.T) {
	forbidden := []string{"context", "log", "log/slog", "net", "net/http", "os", "os/exec", "flag", "github.com/go-logr/logr"}
	for _, p := range corePackages(t) {
		for _, imported := range p.Imports {
			if slices.Contains(forbidden, imported) {
				t.Errorf("%s imports %s: the pure core gets its facts as arguments and returns what there is to say", p.path(), imported)
			}
		}
		isClient := func(path string) bool { return within(path, "k8s.io/client-go", "sigs.k8s.io/controller-runtime") }
		if i := slices.IndexFunc(p.Deps, isClient); i >= 0 {
			t.Errorf("%s depends on %s: the pure core knows no client", p.path(), p.Deps[i])
		}
	}
}

// Time is an argument.
func TestCoreHasNoClock(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTicker", "NewTimer", "Sleep", "Tick"}
	for _, p := range corePackages(t) {
		for _, use := range uses(t, p, "time", clock...) {
			t.Errorf("%s: the pure core takes the time as an argument", use)
		}
		for _, use := range uses(t, p, "k8s.io/apimachinery/pkg/apis/meta/v1", "Now") {
			t.Errorf("%s: the pure core takes the time as an argument", use)
		}
	}
}

func TestAnswersDoNotKnowEachOther(t *testing.T) {
	for _, p := range allPackages(t) {
		if !within(p.path(), answers...) {
			continue
		}
		for _, dependency := range p.Deps {
			if other, ours := inModule(dependency); ours && within(other, answers...) && !sameAnswer(p.path(), other) {
				t.Errorf("%s depends on %s: only internal/placement knows both", p.path(), other)
			}
		}
	}
}

func sameAnswer(a, b string) bool {
	return slices.ContainsFunc(answers, func(answer string) bool { return within(a, answer) && within(b, answer) })
}

// Putting the answers together is a decision, and decisions are made in internal/placement. Others may carry answers from one to the next.
func TestOnlyPlacementAndTheEdgesCombineAnswers(t *testing.T) {
	for _, p := range allPackages(t) {
		if p.isCommand() || within(p.path(), "internal/placement", "internal/snapshot", "internal/webhook", "internal/report", "controllers") {
			continue
		}
		var known []string
		for _, answer := range answers {
			if slices.Contains(p.Imports, module+"/"+answer) {
				known = append(known, answer)
			}
		}
		if len(known) > 1 {
			t.Errorf("%s imports %s: only internal/placement, the snapshot, the webhook, the report and the controllers know more than one", p.path(), strings.Join(known, " and "))
		}
	}
}

// What is imported does not import back: commands stand on controllers, controllers on internal, internal on the API.
func TestImportsPointDownwards(t *testing.T) {
	layers := []string{"api", "internal", "controllers", "cmd", "hack", "test"} // from the ground up
	layer := func(p string) int {
		return slices.IndexFunc(layers, func(l string) bool { return within(p, l) })
	}
	for _, p := range allPackages(t) {
		if within(p.path(), "test") {
			continue
		}
		for _, imported := range p.Imports {
			if lower, ours := inModule(imported); ours && layer(lower) > layer(p.path()) {
				t.Errorf("%s imports %s, which stands above it", p.path(), lower)
			}
		}
	}
}

func TestOnlyCommandsReadFlagsAndEnvironment(t *testing.T) {
	for _, p := range allPackages(t) {
		if p.isCommand() {
			continue
		}
		for _, imported := range p.Imports {
			if imported == "flag" || within(imported, "github.com/spf13/pflag", "github.com/spf13/cobra") {
				t.Errorf("%s imports %s: only commands read flags", p.path(), imported)
			}
		}
		for _, use := range uses(t, p, "os", "Environ", "ExpandEnv", "Getenv", "LookupEnv", "Setenv", "Args") {
			t.Errorf("%s: only commands read the environment", use)
		}
	}
}

// A package is a noun with a purpose.
func TestPackagesAreNamedAfterWhatTheyAreAbout(t *testing.T) {
	nothing := []string{"base", "common", "helper", "helpers", "lib", "misc", "shared", "tools", "types", "util", "utils"}
	for _, p := range allPackages(t) {
		if slices.Contains(nothing, p.Name) || slices.Contains(nothing, path.Base(p.path())) {
			t.Errorf("%s: the name says nothing about what is in it", p.path())
		}
	}
}

func TestPackagesSayWhatTheyAreAbout(t *testing.T) {
	for _, p := range allPackages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment", p.path())
		}
	}
}
