package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

const (
	ignore = v1alpha1.TooFewReplicasIgnore
	warn   = v1alpha1.TooFewReplicasWarn
	deny   = v1alpha1.TooFewReplicasDeny
)

func demand(levels []string, sites, skew int32, replicas v1alpha1.TooFewReplicas) policy.Demand {
	return policy.Demand{Source: web, Levels: levels, MinSites: sites, MaxSkew: skew, TooFewReplicas: replicas}
}

func TestWith(t *testing.T) {
	type owed struct {
		Levels      []string
		Sites, Skew int32 // Skew as in MaxSkew
		Replicas    v1alpha1.TooFewReplicas
	}
	for sentence, c := range map[string]struct {
		demands []policy.Demand
		want    owed
	}{
		"nobody demands anything":                               {nil, owed{}},
		"a demand of nothing":                                   {[]policy.Demand{demand(nil, 0, 5, deny)}, owed{}},
		"levels are united":                                     {[]policy.Demand{demand([]string{"b", "c"}, 0, 0, ""), demand([]string{"a", "b"}, 0, 0, "")}, owed{Levels: []string{"a", "b", "c"}}},
		"the larger number of sites wins":                       {[]policy.Demand{demand(nil, 3, 1, ignore), demand(nil, 2, 1, ignore)}, owed{nil, 3, 1, ignore}},
		"the smaller skew wins, whoever wants more sites":       {[]policy.Demand{demand(nil, 3, 4, warn), demand(nil, 2, 2, warn)}, owed{nil, 3, 2, warn}},
		"who does not say a skew leaves it to others":           {[]policy.Demand{demand(nil, 3, 4, warn), demand(nil, 5, 0, warn)}, owed{nil, 5, 4, warn}},
		"the stricter answer to too few replicas wins":          {[]policy.Demand{demand(nil, 2, 1, deny), demand(nil, 3, 1, ignore)}, owed{nil, 3, 1, deny}},
		"who does not say an answer warns":                      {[]policy.Demand{demand(nil, 2, 0, ""), demand(nil, 3, 0, ignore)}, owed{nil, 3, 0, warn}},
		"without a spread nobody is asked for skew or replicas": {[]policy.Demand{demand([]string{"a"}, 0, 1, deny)}, owed{Levels: []string{"a"}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := merged(c.demands)
			if diff := cmp.Diff(c.want, owed{o.Levels, o.MinSites, o.MaxSkew, o.TooFewReplicas}); diff != "" {
				t.Errorf("owed (-want +got):\n%s", diff)
			}
		})
	}
}

func merged(demands []policy.Demand) policy.Obligation {
	var o policy.Obligation
	for _, d := range demands {
		o = o.With(d)
	}
	return o
}

func TestTheSkewOfASpreadIsOneUnlessSomebodySays(t *testing.T) {
	if skew := merged([]policy.Demand{demand(nil, 3, 0, "")}).Skew(); skew != 1 {
		t.Errorf("nobody says, and the skew is %d", skew)
	}
	if skew := merged([]policy.Demand{demand(nil, 3, 0, ""), demand(nil, 2, 4, "")}).Skew(); skew != 4 {
		t.Errorf("one says 4, and the skew is %d", skew)
	}
}

func TestTheStrictestWordOnDataOnNodesWins(t *testing.T) {
	const (
		unsaid    = v1alpha1.NodeLocalStorage("")
		denied    = v1alpha1.NodeLocalStorageDeny
		qualified = v1alpha1.NodeLocalStorageQualifiedNodes
		allowed   = v1alpha1.NodeLocalStorageAllow
	)
	for sentence, c := range map[string]struct {
		said []v1alpha1.NodeLocalStorage
		want v1alpha1.NodeLocalStorage
	}{
		"nobody demands anything":                     {nil, unsaid},
		"who does not say means qualified nodes":      {[]v1alpha1.NodeLocalStorage{unsaid}, qualified},
		"one allows":                                  {[]v1alpha1.NodeLocalStorage{allowed}, allowed},
		"all allow":                                   {[]v1alpha1.NodeLocalStorage{allowed, allowed}, allowed},
		"who does not say keeps others from allowing": {[]v1alpha1.NodeLocalStorage{allowed, unsaid, allowed}, qualified},
		"one denies":                                  {[]v1alpha1.NodeLocalStorage{allowed, denied, qualified}, denied},
		"a policy that allows does not loosen what was before": {[]v1alpha1.NodeLocalStorage{unsaid, allowed}, qualified},
	} {
		var owed policy.Obligation
		for _, said := range c.said {
			owed = owed.With(policy.Demand{Source: web, Levels: []string{"a"}, NodeLocalStorage: said})
		}
		if owed.NodeLocalStorage != c.want {
			t.Errorf("%s: owed is %q, want %q", sentence, owed.NodeLocalStorage, c.want)
		}
	}
}

func TestOwes(t *testing.T) {
	for sentence, c := range map[string]struct {
		owed policy.Obligation
		want bool
	}{
		"nothing":                        {policy.Obligation{}, false},
		"a level":                        {policy.Obligation{Levels: []string{"a"}}, true},
		"a spread":                       {policy.Obligation{MinSites: 1}, true},
		"that volumes are encrypted":     {policy.Obligation{Encryption: &policy.Encryption{}}, true},
		"a problem, which refuses":       {policy.Obligation{}.Refusing(policy.Problem{Message: "m"}), true},
		"no problem more than there was": {policy.Obligation{}.Refusing(), false},
	} {
		if got := c.owed.Owes(); got != c.want {
			t.Errorf("%s: owes %v", sentence, got)
		}
	}
}

func TestProvenance(t *testing.T) {
	o := merged([]policy.Demand{
		{Source: policy.Source{Kind: "ClusterPlacementPolicy", Name: "health"}, Levels: []string{"a"}, MinSites: 2},
		{Source: policy.Source{Kind: "PlacementPolicy", Namespace: "hr", Name: "pay"}, Levels: []string{"a", "b"}},
		{Source: policy.Source{Kind: "Namespace", Name: "hr"}, MinSites: 3},
	})
	for asked, want := range map[string]string{
		"a": "ClusterPlacementPolicy/health, PlacementPolicy/hr/pay", "b": "PlacementPolicy/hr/pay", "c": "nobody", "": "ClusterPlacementPolicy/health, Namespace/hr",
	} {
		if got := o.Provenance(asked); got != want {
			t.Errorf("%q is demanded by %s, want %s", asked, got, want)
		}
	}
}

// The laws of merging, on random demands.
func TestMerging(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var demands []policy.Demand
		for i := range r.IntN(6) {
			demands = append(demands, randomDemand(r, i))
		}
		onlyTightens(t, demands)
		orderDoesNotMatter(t, r, demands)
		repeatingChangesNothing(t, demands)
		if t.Failed() {
			t.Fatalf("seed %d: %+v", seed, demands)
		}
	}
}

func randomDemand(r *rand.Rand, i int) policy.Demand {
	d := policy.Demand{Source: policy.Source{Kind: "PlacementPolicy", Namespace: "hr", Name: fmt.Sprintf("p%d", i)}}
	for _, level := range []string{"a", "b", "c", "d"} {
		if r.IntN(3) == 0 {
			d.Levels = append(d.Levels, level)
		}
	}
	if r.IntN(3) > 0 {
		d.MinSites = r.Int32N(5)
	}
	d.MaxSkew = r.Int32N(4)
	d.TooFewReplicas = []v1alpha1.TooFewReplicas{"", ignore, warn, deny}[r.IntN(4)]
	d.NodeLocalStorage = nodeLocal[r.IntN(len(nodeLocal))]
	d.Encryption = randomEncryption(r)
	return d
}

// nodeLocal is what can be said of data on nodes, from the loosest to the strictest.
var nodeLocal = []v1alpha1.NodeLocalStorage{"", v1alpha1.NodeLocalStorageAllow, v1alpha1.NodeLocalStorageQualifiedNodes, v1alpha1.NodeLocalStorageDeny}

var strictness = []v1alpha1.TooFewReplicas{"", ignore, warn, deny}

// onlyTightens: with every demand more, all that was owed is owed still, and what is demanded is owed as well.
func onlyTightens(t *testing.T, demands []policy.Demand) {
	t.Helper()
	var was policy.Obligation
	for _, d := range demands {
		untouched := fmt.Sprintf("%#v", was)
		is := was.With(d)
		if now := fmt.Sprintf("%#v", was); now != untouched {
			t.Errorf("what was handed over has changed: %s, now %s", untouched, now)
		}
		for _, level := range slices.Concat(was.Levels, d.Levels) {
			if !slices.Contains(is.Levels, level) {
				t.Errorf("level %s is not owed any more", level)
			}
		}
		if is.MinSites < max(was.MinSites, d.MinSites) {
			t.Errorf("sites: %d, with %d: %d", was.MinSites, d.MinSites, is.MinSites)
		}
		if d.MinSites > 0 && (looserSkew(is.MaxSkew, d.MaxSkew) || slices.Index(strictness, is.TooFewReplicas) < slices.Index(strictness, d.TooFewReplicas)) {
			t.Errorf("demanded are skew %d and %q, and owed %d and %q", d.MaxSkew, d.TooFewReplicas, is.MaxSkew, is.TooFewReplicas)
		}
		if looserSkew(is.MaxSkew, was.MaxSkew) || slices.Index(strictness, is.TooFewReplicas) < slices.Index(strictness, was.TooFewReplicas) {
			t.Errorf("owed were skew %d and %q, and now %d and %q", was.MaxSkew, was.TooFewReplicas, is.MaxSkew, is.TooFewReplicas)
		}
		if strict := slices.Index(nodeLocal, is.NodeLocalStorage); strict < max(slices.Index(nodeLocal, was.NodeLocalStorage), slices.Index(nodeLocal, d.NodeLocalStorage)) && d.Demands() {
			t.Errorf("of data on nodes %q was owed and %q is demanded, and now %q is owed", was.NodeLocalStorage, d.NodeLocalStorage, is.NodeLocalStorage)
		}
		volumesOnlyTighten(t, was.Encryption, d.Encryption, is.Encryption)
		was = is
	}
}

// looserSkew says whether a skew allows more than one that somebody has said; 0 is what nobody said.
func looserSkew(is, said int32) bool { return said > 0 && (is == 0 || is > said) }

func orderDoesNotMatter(t *testing.T, r *rand.Rand, demands []policy.Demand) {
	t.Helper()
	shuffled := slices.Clone(demands)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if diff := cmp.Diff(sum(merged(demands)), sum(merged(shuffled))); diff != "" {
		t.Errorf("in another order (-before +after):\n%s", diff)
	}
}

func repeatingChangesNothing(t *testing.T, demands []policy.Demand) {
	t.Helper()
	if diff := cmp.Diff(sum(merged(demands)), sum(merged(slices.Concat(demands, demands)))); diff != "" {
		t.Errorf("demanded twice (-once +twice):\n%s", diff)
	}
}

// sum is what is owed, without who demands it.
func sum(o policy.Obligation) policy.Obligation { o.Demands = nil; return o }
