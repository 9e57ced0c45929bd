package trust

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestValidity(t *testing.T) {
	for sentence, test := range map[string]struct {
		tweak  func(*Objects)
		reason Reason
		until  string
		next   string
		says   string
	}{
		"it counts":        {func(*Objects) {}, InForce, "2029-01-01T00:00:00Z", "2029-01-01T00:00:00Z", "it counts until 2029-01-01T00:00:00Z"},
		"it has ended":     {func(o *Objects) { o.qualification("outscale-iaas").ValidUntil = &metav1.Time{Time: now} }, QualificationExpired, "", "", "ended at"},
		"it has not begun": {func(o *Objects) { o.qualification("outscale-iaas").ValidFrom = when("2027-01-01T00:00:00Z") }, QualificationNotYetValid, "", "2027-01-01T00:00:00Z", "begins at"},
		"it is suspended":  {func(o *Objects) { o.qualification("outscale-iaas").State = "Suspended" }, QualificationNotGranted, "", "", "is suspended"},
		"it is malformed":  {func(o *Objects) { o.qualification("outscale-iaas").Framework = "x" }, QualificationInvalid, "", "", "spec.framework: there is no Framework x"},
		"its framework is superseded": {func(o *Objects) {
			o.framework("secnumcloud-3.2").Lifecycle, o.framework("secnumcloud-3.2").AcceptUntil = v1alpha1.LifecycleSuperseded, when("2027-06-01T00:00:00Z")
		}, InForce, "2027-06-01T00:00:00Z", "2027-06-01T00:00:00Z", ""},
		"its provider is malformed": {func(o *Objects) { o.provider("outscale").Seat = "" }, QualificationInvalid, "", "", "provider outscale is not valid"},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			test.tweak(&o)
			got := Compile(o).At(now).Qualification("outscale-iaas")
			if got.Counts != (test.reason == InForce) || got.Reason != test.reason || !strings.Contains(got.Message, test.says) {
				t.Errorf("got %+v; want %s, saying %q", got, test.reason, test.says)
			}
			if written(got.Until) != test.until || written(got.NextChange) != test.next {
				t.Errorf("until %s, next change %s; want %s and %s", written(got.Until), written(got.NextChange), test.until, test.next)
			}
		})
	}
	if got := Compile(world()).At(now).Qualification("nobody"); got.Counts || got.Reason != NoSuchQualification {
		t.Errorf("got %+v", got)
	}
}

func written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return moment(t)
}

func TestNearest(t *testing.T) {
	o := world()
	both := accepts("both", snc()).Spec
	both.SeatIn = []v1alpha1.Territory{"FR"}
	nowhere := both
	nowhere.Countries = []v1alpha1.Territory{"DE"}
	o.TrustLevels = append(o.TrustLevels, v1alpha1.TrustLevel{ObjectMeta: named("both"), Spec: both}, v1alpha1.TrustLevel{ObjectMeta: named("nowhere"), Spec: nowhere})
	v := Compile(o).At(now)
	for level, want := range map[string]string{
		"in-france":   "bleu-1",     // the first by name that satisfies it
		"secnumcloud": "outscale-a", // the only one
		"both":        "outscale-a",
		"nowhere":     "outscale-a", // one demand fails; elsewhere two
		"no-such":     "bleu-1",
	} {
		if got, found := v.Nearest(level); !found || got.Zone != want {
			t.Errorf("nearest to %s is %s; want %s", level, got.Zone, want)
		}
	}
	if _, found := Compile(Objects{TrustLevels: o.TrustLevels}).At(now).Nearest("both"); found {
		t.Error("there is a nearest zone among none")
	}
}

func TestSummaries(t *testing.T) {
	o := world()
	o.zone("par-1").Site = "paris-1"
	v := Compile(o).At(now)
	for _, level := range v.TrustLevels() {
		if level.Name != "in-france" {
			continue
		}
		want := LevelSummary{
			Name: "in-france", Zones: []string{"bleu-1", "fr-par-1", "oks-a", "outscale-a", "par-1"}, Sites: []string{"bleu-1", "fr-par-1", "paris-1", "paris-2"},
			Nearest: v.Standing("bleu-1", "in-france"),
		}
		if diff := cmp.Diff(want, level); diff != "" {
			t.Errorf("in-france (-want +got):\n%s", diff)
		}
	}
	for _, z := range v.Zones() {
		if z.Name == "outscale-a" && (z.Site != "paris-1" || len(z.Standings) != 2 || written(z.NextChange) != "2029-01-01T00:00:00Z") {
			t.Errorf("got %+v", z)
		}
	}
	if got := written(v.NextChange()); got != "2029-01-01T00:00:00Z" {
		t.Errorf("the next change is at %s", got)
	}
}

func TestLevelsAreListed(t *testing.T) {
	o := world()
	o.TrustLevels = append(o.TrustLevels, v1alpha1.TrustLevel{ObjectMeta: named("empty")})
	c := Compile(o)
	if diff := cmp.Diff([]string{"empty", "in-france", "secnumcloud"}, c.Levels()); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	if !c.HasLevel("empty") || c.HasLevel("in-germany") {
		t.Error("a malformed level exists, one that nobody wrote does not")
	}
}

func TestViewsMayBeUsedByMany(t *testing.T) {
	c := Compile(world())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for hours := range 50 {
				v := c.At(now.Add(time.Duration(hours*i) * 1000 * time.Hour))
				v.Assess(NodeFacts{Labels: map[string]string{"topology.kubernetes.io/zone": "par-1"}})
				v.TrustLevels()
				v.Nearest("secnumcloud")
			}
		})
	}
	all.Wait()
}

func TestWhatWasHandedInIsNotTouched(t *testing.T) {
	o, untouched := world(), world()
	c := Compile(o)
	for _, z := range c.At(now).Zones() {
		_ = z
	}
	if diff := cmp.Diff(untouched, o); diff != "" {
		t.Errorf("objects changed:\n%s", diff)
	}
}
