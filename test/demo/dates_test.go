package demo

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
	"github.com/terroir-dev/terroir/test/terroir"
)

// TestTheStoryHoldsInAnyYear judges the story's zones and machines as of several moments: samples bear dates, and the demo must not end with them.
func TestTheStoryHoldsInAnyYear(t *testing.T) {
	for _, day := range []string{"2026-11-23", "2027-01-04", "2027-01-05", "2027-06-01", "2027-12-01", "2028-12-17", "2031-01-01"} {
		now, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(day, func(t *testing.T) { holdsAt(t, now) })
	}
}

func holdsAt(t *testing.T, now time.Time) {
	view := trust.Compile(catalogueOf(t, now)).At(now)
	wanted := worths(now)
	for name, want := range wanted {
		is := worth{reason: view.Standing(name, secnumcloud).Reason}
		for _, level := range levels {
			if view.Standing(name, level).Worth == trust.Open {
				is.satisfies = append(is.satisfies, level)
			}
		}
		slices.Sort(is.satisfies)
		if diff := cmp.Diff(want, is, cmp.AllowUnexported(worth{})); diff != "" {
			t.Errorf("zone %s (-want +got):\n%s", name, diff)
		}
	}
	for i, m := range machines() {
		var drivers []string
		if m.driver != "" {
			drivers = []string{m.driver}
		}
		a := view.Assess(facts(m.node(i), drivers))
		if _, known := wanted[m.zone]; a.Zone != m.zone || m.zone != "" && !known || m.zone == "" && (a.Reason != m.reason || !contains(a.Message, []string{m.words})) {
			t.Errorf("node %s: %s in zone %q, %s", m.name, a.State, a.Zone, a.Message)
		}
	}
}

// catalogueOf reads from the repository what the story loads into the API server. A later object replaces an earlier one.
func catalogueOf(t *testing.T, now time.Time) trust.Objects {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(terroir.Root(), "config/catalog/*/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no catalogue: %v", err)
	}
	var sources []source
	for _, f := range files {
		path, err := filepath.Rel(terroir.Root(), f)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, source{path: path})
	}
	found := map[string]*unstructured.Unstructured{}
	for _, f := range slices.Concat(sources, fictions(now), ground()) {
		objects, err := f.read()
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range objects {
			found[u.GetKind()+"/"+u.GetName()] = u
		}
	}
	var o trust.Objects
	for _, u := range found {
		switch u.GetKind() {
		case trust.KindFramework:
			o.Frameworks = append(o.Frameworks, typed[v1alpha1.Framework](t, u))
		case trust.KindCloudProvider:
			o.Providers = append(o.Providers, typed[v1alpha1.CloudProvider](t, u))
		case trust.KindZone:
			o.Zones = append(o.Zones, typed[v1alpha1.Zone](t, u))
		case trust.KindQualification:
			o.Qualifications = append(o.Qualifications, typed[v1alpha1.Qualification](t, u))
		case trust.KindTrustLevel:
			o.TrustLevels = append(o.TrustLevels, typed[v1alpha1.TrustLevel](t, u))
		}
	}
	return o
}

func typed[T any](t *testing.T, u *unstructured.Unstructured) T {
	t.Helper()
	var o T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &o); err != nil {
		t.Fatal(err)
	}
	return o
}
