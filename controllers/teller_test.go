package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// However much there is to say, the schema admits what is said: a status that is not admitted says nothing at all.
func TestWhatIsToldFitsTheSchema(t *testing.T) {
	told := tellerOf(extensive(300))
	zone := told.zone(&v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: "z"}})
	if n := len(zone.Status.TrustLevels); n != 256 {
		t.Errorf("the zone tells of %d levels, of 300; the schema admits 256", n)
	}
	for i, l := range zone.Status.TrustLevels {
		if n := utf8.RuneCountInString(l.Message); n > 1024 {
			t.Errorf("the message about level %s has %d characters", l.Name, n)
		}
		if i > 0 && l.Name <= zone.Status.TrustLevels[i-1].Name {
			t.Errorf("level %s is told after %s", l.Name, zone.Status.TrustLevels[i-1].Name)
		}
	}
	if !strings.Contains(zone.Status.Satisfies, "level-299") {
		t.Error("a level that the list has no room for is not named among those that hold either")
	}
	conditionsFit(t, "the zone", zone.Status.Conditions)

	level := told.level(&v1alpha1.TrustLevel{ObjectMeta: metav1.ObjectMeta{Name: "anywhere-but-here"}})
	if n := len(level.Status.RequiredBy); n != 16 {
		t.Errorf("the level tells of %d who require it, of 300; the schema admits 16", n)
	}
	conditionsFit(t, "the level", level.Status.Conditions)
}

// extensive is a world of n levels that hold in its zone, and one that does not and takes long to say why.
func extensive(n int) trust.Objects {
	zone := v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: "z"}, Spec: v1alpha1.ZoneSpec{
		Country: "FR", Provider: "p", Offer: "o", Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"place": "here"}},
	}}
	provider := v1alpha1.CloudProvider{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: v1alpha1.CloudProviderSpec{
		LegalEntity: "P", Seat: "FR", Offers: []v1alpha1.Offer{{
			Name: "o", ServiceModel: v1alpha1.IaaS, Subcontractors: []v1alpha1.Subcontractor{{Name: strings.Repeat("é", 2000), Country: "US"}},
		}},
	}}
	o := trust.Objects{Zones: []v1alpha1.Zone{zone}, Providers: []v1alpha1.CloudProvider{provider}}
	for i := range n {
		o.TrustLevels = append(o.TrustLevels, v1alpha1.TrustLevel{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("level-%03d", i)}, Spec: v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR", "US"}},
		})
	}
	o.TrustLevels = append(o.TrustLevels, v1alpha1.TrustLevel{
		ObjectMeta: metav1.ObjectMeta{Name: "anywhere-but-here"}, Spec: v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR"}},
	})
	return o
}

func tellerOf(o trust.Objects) teller {
	c := trust.Compile(o)
	used := usage{requiredBy: map[string][]string{}}
	for i := range 300 {
		used.requiredBy["anywhere-but-here"] = append(used.requiredBy["anywhere-but-here"], fmt.Sprintf("PlacementPolicy/ns-%03d/p", i))
	}
	return newTeller(c, c.At(noon), used)
}

func conditionsFit(t *testing.T, whose string, conditions []metav1.Condition) {
	t.Helper()
	for _, c := range conditions {
		if n := utf8.RuneCountInString(c.Message); n > 1024 || c.Reason == "" {
			t.Errorf("condition %s of %s, for %q, has a message of %d characters", c.Type, whose, c.Reason, n)
		}
	}
	if !slices.ContainsFunc(conditions, func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionReady }) {
		t.Errorf("%s does not say whether it is ready", whose)
	}
}

func TestClip(t *testing.T) {
	for sentence, c := range map[string]struct{ message, want string }{
		"a short message stays":                       {"it is", "it is"},
		"one that just fits stays":                    {strings.Repeat("é", 1000), strings.Repeat("é", 1000)},
		"a longer one ends at the end of a character": {strings.Repeat("é", 1001), strings.Repeat("é", 999) + "…"},
	} {
		if got := clip(c.message); got != c.want {
			t.Errorf("%s: got %d characters, want %d", sentence, utf8.RuneCountInString(got), utf8.RuneCountInString(c.want))
		}
	}
}
