package trust

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// worlds is how many random catalogues each law is tried on.
const worlds = 1500

// lawfully runs a law on many random catalogues and names the seed of the one that breaks it.
func lawfully(t *testing.T, law func(t *testing.T, r chance)) {
	t.Helper()
	for seed := range uint64(worlds) {
		law(t, seeded(seed))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// fresh asks without the memory of an epoch, so that what is shared between moments is tested, not assumed.
func fresh(c *Catalogue, at time.Time) *View {
	c.current.Store(nil)
	return c.At(at)
}

func eachStanding(c *Catalogue, ask func(zone, level string)) {
	for _, z := range c.zoneNames {
		for _, l := range c.levelNames {
			ask(z, l)
		}
	}
}

func TestMoreEvidenceNeverLosesALevel(t *testing.T) {
	more := map[string]func(chance, *Objects){
		"a qualification": func(r chance, o *Objects) {
			o.Qualifications = append(o.Qualifications, v1alpha1.Qualification{ObjectMeta: named("q-more"), Spec: r.qualification()})
		},
		"a grant": func(r chance, o *Objects) {
			if len(o.Qualifications) > 0 {
				o.Qualifications[r.IntN(len(o.Qualifications))].Spec.State = v1alpha1.QualificationGranted
			}
		},
	}
	lawfully(t, func(t *testing.T, r chance) {
		o := r.objects()
		before := Compile(o).At(now)
		for what, add := range more {
			richer := o
			richer.Qualifications = slices.Clone(o.Qualifications)
			add(r, &richer)
			after := Compile(richer).At(now)
			eachStanding(before.catalogue, func(z, l string) {
				if was, is := before.Standing(z, l), after.Standing(z, l); is.Worth < was.Worth {
					t.Errorf("with %s: %v, then %v: %s", what, was.Worth, is.Worth, is.Message)
				}
			})
		}
	})
}

func TestMoreSignalsNeverLoseALevelUnlessTheyMakeItAmbiguous(t *testing.T) {
	more := []func(chance, *NodeFacts){
		func(r chance, n *NodeFacts) {
			n.CSIDrivers = append(slices.Clone(n.CSIDrivers), string(pick(r, driverNames...)))
		},
		func(r chance, n *NodeFacts) {
			if n.ProviderID == "" {
				n.ProviderID = pick(r, machineIDs...)
			}
		},
		func(r chance, n *NodeFacts) {
			if n.SystemUUID == "" {
				n.SystemUUID = string(pick(r, uuidNames...))
			}
		},
		func(r chance, n *NodeFacts) {
			if key := pick(r, "zone", regionLabel, "k0", "k1"); n.Labels[key] == "" {
				*n = with(*n, label{key, pick(r, "1", "2", "r0")})
			}
		},
	}
	recognised := 0
	lawfully(t, func(t *testing.T, r chance) {
		v := Compile(r.objects()).At(now)
		for range 20 {
			n := r.node()
			was := v.Assess(n)
			if was.State == Recognised {
				recognised++
			}
			for _, add := range more {
				add(r, &n)
			}
			is := v.Assess(n)
			if was.State == Recognised && is.State != Ambiguous && is.Zone != was.Zone {
				t.Errorf("%+v was in %s and is %v in %q: %s", n, was.Zone, is.State, is.Zone, is.Message)
			}
		}
	})
	if recognised < worlds {
		t.Errorf("only %d nodes of %d were recognised: the law was hardly tried", recognised, 20*worlds)
	}
}

func TestMoreDemandsNeverGainALevel(t *testing.T) {
	open := 0
	lawfully(t, func(t *testing.T, r chance) {
		o := r.objects()
		less, more := r.level(), v1alpha1.TrustLevelSpec{}
		less.DeepCopyInto(&more)
		if r.one(2) {
			more.Qualifications = append(more.Qualifications, r.demand())
		}
		for _, list := range []*[]v1alpha1.Territory{&more.Countries, &more.SeatIn, &more.AdministrationFrom, &more.SupportFrom} {
			if len(*list) == 0 && r.one(4) {
				*list = some(r, territoryName...)
			}
		}
		if r.one(4) {
			more.NotExposedTo = append(more.NotExposedTo, some(r, lawNames...)...)
		}
		o.TrustLevels = []v1alpha1.TrustLevel{{ObjectMeta: named("less"), Spec: less}, {ObjectMeta: named("more"), Spec: more}}
		v := Compile(o).At(now)
		if v.catalogue.levelsBy["less"].flaw != "" {
			return // a level without demands is malformed and holds nowhere, so that any demand is more
		}
		for _, z := range v.Zones() {
			l, m := v.Standing(z.Name, "less"), v.Standing(z.Name, "more")
			if m.Worth > l.Worth || (m.Worth == Open && !l.Until.IsZero() && (m.Until.IsZero() || m.Until.After(l.Until))) {
				t.Errorf("less: %v %s\nmore: %v %s", l.Worth, l.Message, m.Worth, m.Message)
			}
			if m.Worth == Open {
				open++
			}
		}
	})
	if open < 20 {
		t.Errorf("only %d standings held: the law was hardly tried", open)
	}
}

func TestTheOrderOfObjectsDoesNotMatter(t *testing.T) {
	lawfully(t, func(t *testing.T, r chance) {
		o := r.objects()
		if r.one(3) {
			r.spoil(reflect.ValueOf(&o).Elem(), 40)
		}
		nodes := []NodeFacts{r.node(), r.node(), r.node(), r.node()}
		if doubled(o) {
			return // of two objects with one name, nobody can say which is meant
		}
		want := everything(Compile(o), nodes)
		shuffle(r, o.Frameworks)
		shuffle(r, o.Providers)
		shuffle(r, o.Zones)
		shuffle(r, o.Qualifications)
		shuffle(r, o.TrustLevels)
		for i := range o.Providers {
			s := &o.Providers[i].Spec
			shuffle(r, s.Offers)
			shuffle(r, s.Exposures)
			if s.Recognition != nil {
				shuffle(r, s.Recognition.CSIDrivers)
				shuffle(r, s.Recognition.ProviderIDPrefixes)
			}
			for j := range s.Offers {
				shuffle(r, s.Offers[j].AdministrationFrom)
			}
		}
		for i := range o.Qualifications {
			shuffle(r, o.Qualifications[i].Spec.Subject.Regions)
		}
		for i := range nodes {
			shuffle(r, nodes[i].CSIDrivers)
		}
		if diff := cmp.Diff(want, everything(Compile(o), nodes)); diff != "" {
			t.Errorf("in another order (-before +after):\n%s", diff)
		}
	})
}

func shuffle[T any](r chance, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// everything is every answer that a catalogue can give.
func everything(c *Catalogue, nodes []NodeFacts) []any {
	v := c.At(now)
	answers := []any{c.Problems(), v.NextChange(), v.Zones(), v.TrustLevels()}
	for _, q := range c.qualifications {
		answers = append(answers, v.Qualification(q.name))
	}
	for _, n := range nodes {
		answers = append(answers, v.Assess(n))
	}
	return answers
}

func TestNothingChangesBeforeItsNextChange(t *testing.T) {
	ended := 0
	lawfully(t, func(t *testing.T, r chance) {
		c := Compile(r.objects())
		at := now.Add(time.Duration(r.IntN(14)-7) * 12 * time.Hour)
		was := fresh(c, at)
		eachStanding(c, func(z, l string) {
			s := was.Standing(z, l)
			for _, later := range between(r, at, s.NextChange) {
				if diff := cmp.Diff(s, fresh(c, later).Standing(z, l)); diff != "" {
					t.Errorf("%s in %s changed at %s, before %s:\n%s", l, z, later, s.NextChange, diff)
				}
			}
			if !s.Until.IsZero() {
				ended++
				if before := fresh(c, s.Until.Add(-1)).Standing(z, l); before.Worth != Open {
					t.Errorf("%s in %s ended before %s: %s", l, z, s.Until, before.Message)
				}
				if then := fresh(c, s.Until).Standing(z, l); then.Worth == Open {
					t.Errorf("%s in %s did not end at %s: %s", l, z, s.Until, then.Message)
				}
			}
			if next := was.NextChange(); !s.NextChange.IsZero() && (next.IsZero() || s.NextChange.Before(next)) {
				t.Errorf("%s in %s may change at %s, before the view does at %s", l, z, s.NextChange, next)
			}
		})
		for _, q := range c.qualifications {
			is := was.Qualification(q.name)
			for _, later := range between(r, at, is.NextChange) {
				if diff := cmp.Diff(is, fresh(c, later).Qualification(q.name)); diff != "" {
					t.Errorf("%s changed at %s, before %s:\n%s", q.name, later, is.NextChange, diff)
				}
			}
		}
	})
	if ended < 100 {
		t.Errorf("only %d standings had an end: the law was hardly tried", ended)
	}
}

// between samples moments from now to the next change, exclusive; where there is none, far ahead.
func between(r chance, from, to time.Time) []time.Time {
	if to.IsZero() {
		to = from.Add(10000 * time.Hour)
	}
	gap := to.Sub(from)
	return []time.Time{from.Add(time.Duration(r.Int64N(int64(gap)))), from.Add(gap / 2), to.Add(-1)}
}

func TestASharedEpochAnswersAsAFreshOne(t *testing.T) {
	lawfully(t, func(t *testing.T, r chance) {
		o := r.objects()
		shared, alone := Compile(o), Compile(o)
		for range 6 {
			at := now.Add(time.Duration(r.IntN(500)-200) * time.Hour)
			if diff := cmp.Diff(fresh(alone, at).Zones(), shared.At(at).Zones()); diff != "" {
				t.Errorf("at %s (-fresh +shared):\n%s", at, diff)
			}
		}
	})
}

// The index is a shortcut: it must find what asking every zone would.
func TestTheIndexFindsEveryZoneThatMatches(t *testing.T) {
	lawfully(t, func(t *testing.T, r chance) {
		c := Compile(r.objects())
		for range 20 {
			n := r.node()
			near := c.index.candidates(&n)
			for _, z := range c.zones {
				found, _ := c.relation(z, &n)
				if matches := c.matches(z, &n); matches != (found == fits) || (matches && !slices.Contains(near, z)) {
					t.Errorf("zone %s, node %+v: matches %v, relation %v, found %v", z.name, n, matches, found, slices.Contains(near, z))
				}
			}
		}
	})
}

// A zone reported as lying within another must never be the only one that matches.
func TestAnOverlapIsOne(t *testing.T) {
	lawfully(t, func(t *testing.T, r chance) {
		c := Compile(r.objects())
		for range 40 {
			n := r.node()
			a := c.At(now).Assess(n)
			if a.State != Recognised {
				continue
			}
			for _, p := range c.ProblemsOf(KindZone, a.Zone) {
				if p.Reason == OverlappingRecognition && !strings.HasPrefix(p.Message, "every node of") {
					t.Errorf("node %+v is recognised in %s, although: %s", n, a.Zone, p.Message)
				}
			}
		}
	})
}
