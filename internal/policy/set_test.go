package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

var health = v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data": "health"}}

func cluster(name string, selector v1alpha1.NamespaceSelector, enforcement v1alpha1.Enforcement, levels ...v1alpha1.LevelName) v1alpha1.ClusterPlacementPolicy {
	return v1alpha1.ClusterPlacementPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ClusterPlacementPolicySpec{
			NamespaceSelector: selector, PlacementDemand: v1alpha1.PlacementDemand{TrustLevels: levels, Enforcement: enforcement},
		},
	}
}

func namespaced(namespace, name string, enforcement v1alpha1.Enforcement, levels ...v1alpha1.LevelName) v1alpha1.PlacementPolicy {
	return v1alpha1.PlacementPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.PlacementPolicySpec{PlacementDemand: v1alpha1.PlacementDemand{TrustLevels: levels, Enforcement: enforcement}},
	}
}

// set is the set of the tests, in no order.
func set() *policy.Set {
	spread := cluster("spread", health, v1alpha1.EnforcementEnforce, "in-france")
	spread.Spec.Spread = &v1alpha1.Spread{MinSites: 3, MaxSkew: 2, TooFewReplicas: v1alpha1.TooFewReplicasDeny}
	return policy.Compile(policy.Objects{
		ClusterPolicies: []v1alpha1.ClusterPlacementPolicy{
			spread,
			cluster("data", health, v1alpha1.EnforcementEnforce, "secnumcloud"),
			cluster("watched", v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceRequirement{
				{Key: "kubernetes.io/metadata.name", Operator: v1alpha1.NamespaceOperatorExists},
			}}, v1alpha1.EnforcementWarn, "in-eu"),
			cluster("typo", v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data": "typo"}}, v1alpha1.EnforcementEnforce, "secnumclod", "in-france"),
		},
		Policies: []v1alpha1.PlacementPolicy{
			namespaced("hr", "pay", v1alpha1.EnforcementEnforce, "c5"),
			namespaced("hr", "look", v1alpha1.EnforcementAudit, "in-eu"),
			namespaced("law", "other", v1alpha1.EnforcementEnforce, "in-eu"),
		},
		Levels:           []string{"secnumcloud", "in-france", "in-eu", "c5"},
		ExemptNamespaces: []string{"monitoring"},
	})
}

func namespaceOf(name string, labels, annotations map[string]string) policy.Namespace {
	all := map[string]string{"kubernetes.io/metadata.name": name}
	for key, value := range labels {
		all[key] = value
	}
	return policy.Namespace{Name: name, Labels: all, Annotations: annotations}
}

func TestConcerning(t *testing.T) {
	data := map[string]string{"data": "health"}
	for sentence, c := range map[string]struct {
		namespace policy.Namespace
		want      string
	}{
		"cluster policies by name, then those of the namespace": {
			namespaceOf("hr", data, nil), "ClusterPlacementPolicy/data ClusterPlacementPolicy/spread ClusterPlacementPolicy/watched PlacementPolicy/hr/look PlacementPolicy/hr/pay",
		},
		"of no label":                        {namespaceOf("free", nil, nil), "ClusterPlacementPolicy/watched"},
		"of another value":                   {namespaceOf("free", map[string]string{"data": "wealth"}, nil), "ClusterPlacementPolicy/watched"},
		"of nothing at all":                  {policy.Namespace{Name: "free"}, ""},
		"exempt by the configuration":        {namespaceOf("monitoring", data, nil), ""},
		"exempt for the cluster's sake":      {namespaceOf("kube-system", data, nil), ""},
		"exempt for Terroir's":               {namespaceOf("terroir-system", data, nil), ""},
		"exempt by literal name, not a part": {namespaceOf("kube-system-2", nil, nil), "ClusterPlacementPolicy/watched"},
	} {
		t.Run(sentence, func(t *testing.T) {
			var names []string
			for _, p := range set().Concerning(c.namespace) {
				names = append(names, p.String())
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("concerned by %s, want %s", got, c.want)
			}
		})
	}
}

func TestNamespace(t *testing.T) {
	data := map[string]string{"data": "health"}
	for sentence, c := range map[string]struct {
		namespace policy.Namespace
		levels    string
		sites     int32
		missing   string
		problems  []string
	}{
		"what enforcing policies demand, and no others": {namespace: namespaceOf("hr", data, nil), levels: "c5 in-france secnumcloud", sites: 3},
		"its own annotations tighten":                   {namespace: namespaceOf("law", data, map[string]string{level: "in-eu", minSites: "4"}), levels: "in-eu in-france secnumcloud", sites: 4},
		"its own annotations do not loosen":             {namespace: namespaceOf("law", data, map[string]string{minSites: "1"}), levels: "in-eu in-france secnumcloud", sites: 3},
		"its own annotations alone":                     {namespace: namespaceOf("free", nil, map[string]string{level: "in-eu"}), levels: "in-eu"},
		"an annotation that does not parse": {
			namespace: namespaceOf("free", nil, map[string]string{minSites: "many"}), problems: []string{`Namespace/free: annotation terroir.dev/min-sites is "many"; ` + notSites},
		},
		"an annotation that is none": {
			namespace: namespaceOf("free", nil, map[string]string{"terroir.dev/trust-levels": "in-eu"}), problems: []string{`did you mean "terroir.dev/trust-level"?`},
		},
		"a level that is nearly one": {
			namespace: namespaceOf("t", map[string]string{"data": "typo"}, nil), levels: "in-france secnumclod", missing: "secnumclod",
			problems: []string{`ClusterPlacementPolicy/typo requires trust level "secnumclod", which does not exist; did you mean "secnumcloud"?`},
		},
		"a level that is nothing like one": {
			namespace: namespaceOf("free", nil, map[string]string{level: "moon"}), levels: "moon", missing: "moon",
			problems: []string{`Namespace/free requires trust level "moon", which does not exist; there is c5, in-eu, in-france, secnumcloud`},
		},
		"an exempt namespace owes nothing, whatever it says": {namespace: namespaceOf("monitoring", data, map[string]string{level: "?"})},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := set().Namespace(c.namespace)
			got := []string{strings.Join(o.Levels, " "), fmt.Sprint(o.MinSites), strings.Join(o.Missing, " ")}
			if diff := cmp.Diff([]string{c.levels, fmt.Sprint(c.sites), c.missing}, got); diff != "" {
				t.Errorf("levels, sites and missing (-want +got):\n%s", diff)
			}
			sameProblems(t, c.problems, o.Problems)
		})
	}
}

// sameProblems compares problems with parts of their messages.
func sameProblems(t *testing.T, want []string, got []policy.Problem) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("problems %+v, want %q", got, want)
	}
	for i, p := range got {
		if !strings.Contains(p.Message, want[i]) {
			t.Errorf("problem %q, want %q", p.Message, want[i])
		}
	}
}

func TestWhatThereIsIsToldInPart(t *testing.T) {
	objects := policy.Objects{}
	for i := range 12 {
		objects.Levels = append(objects.Levels, fmt.Sprintf("level-%02d", 11-i))
	}
	ns := policy.Namespace{Name: "free", Annotations: map[string]string{level: "moon"}}
	sameProblems(t, []string{"; there are level-00, level-01, level-02, level-03, level-04, level-05, level-06, level-07, level-08, level-09 and 2 more"},
		policy.Compile(objects).Namespace(ns).Problems)
	sameProblems(t, []string{`"moon", which does not exist; there is none yet`}, policy.Compile(policy.Objects{}).Namespace(ns).Problems)
}

func TestProblemsOf(t *testing.T) {
	expressing := func(r v1alpha1.NamespaceRequirement) v1alpha1.NamespaceSelector {
		return v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceRequirement{r}}
	}
	const understood = "ClusterPlacementPolicy/p: spec.namespaceSelector cannot be understood"
	for sentence, c := range map[string]struct {
		policy v1alpha1.ClusterPlacementPolicy
		reason policy.Reason
		says   string
	}{
		"nothing is wrong":                    {policy: cluster("p", health, v1alpha1.EnforcementEnforce, "in-eu")},
		"a level does not exist":              {cluster("p", health, v1alpha1.EnforcementAudit, "in-ue"), policy.TrustLevelNotFound, `requires trust level "in-ue", which does not exist; did you mean "in-eu"?`},
		"the selector is empty":               {cluster("p", v1alpha1.NamespaceSelector{}, v1alpha1.EnforcementEnforce, "in-eu"), policy.SelectorInvalid, "ClusterPlacementPolicy/p: spec.namespaceSelector selects nothing: give at least one label"},
		"the selector has a key that is none": {cluster("p", expressing(v1alpha1.NamespaceRequirement{Key: "a b", Operator: "Exists"}), v1alpha1.EnforcementEnforce, "in-eu"), policy.SelectorInvalid, understood},
		"the selector has a value that is none": {
			cluster("p", v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"a": "b c"}}, v1alpha1.EnforcementEnforce, "in-eu"), policy.SelectorInvalid, understood,
		},
		"the selector has an operator that is none": {cluster("p", expressing(v1alpha1.NamespaceRequirement{Key: "a", Operator: "Gt"}), v1alpha1.EnforcementEnforce, "in-eu"), policy.SelectorInvalid, understood},
		"the selector compares with nothing":        {cluster("p", expressing(v1alpha1.NamespaceRequirement{Key: "a", Operator: "In"}), v1alpha1.EnforcementEnforce, "in-eu"), policy.SelectorInvalid, understood},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := policy.Compile(policy.Objects{ClusterPolicies: []v1alpha1.ClusterPlacementPolicy{c.policy}, Levels: []string{"in-eu"}})
			source := policy.Source{Kind: "ClusterPlacementPolicy", Name: "p"}
			var want []string
			if c.says != "" {
				want = []string{c.says}
			}
			sameProblems(t, want, s.ProblemsOf(source))
			for _, p := range s.ProblemsOf(source) {
				if p.Reason != c.reason || p.Source != source {
					t.Errorf("problem %+v, want reason %s", p, c.reason)
				}
			}
			// A policy whose selector nobody understands governs nothing; any other governs although something is wrong with it.
			if governs := len(s.All()) == 1; governs != (c.reason != policy.SelectorInvalid) {
				t.Errorf("it governs: %v", governs)
			}
		})
	}
}

func TestExempt(t *testing.T) {
	s := set()
	for _, name := range append(policy.AlwaysExempt(), "monitoring") {
		if !s.Exempt(name) {
			t.Errorf("%s is not exempt", name)
		}
	}
	for _, name := range []string{"", "default", "hr", "kube-system-2", "terroir"} {
		if s.Exempt(name) {
			t.Errorf("%s is exempt", name)
		}
	}
}

func TestAll(t *testing.T) {
	var names []string
	for _, p := range set().All() {
		names = append(names, p.String())
	}
	want := []string{
		"ClusterPlacementPolicy/data", "ClusterPlacementPolicy/spread", "ClusterPlacementPolicy/typo", "ClusterPlacementPolicy/watched",
		"PlacementPolicy/hr/look", "PlacementPolicy/hr/pay", "PlacementPolicy/law/other",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("all policies (-want +got):\n%s", diff)
	}
}

// A pod's annotations tighten what its namespace owes, and a level that does not exist refuses it.
func TestAddAnnotations(t *testing.T) {
	s := set()
	owed := s.Namespace(namespaceOf("law", map[string]string{"data": "health"}, nil))
	tightened := s.AddAnnotations(owed, web, map[string]string{level: "c5, in-ue", minSites: "5", "terroir.dev/x": ""})
	if got := strings.Join(tightened.Levels, " "); got != "c5 in-eu in-france in-ue secnumcloud" || tightened.MinSites != 5 || strings.Join(tightened.Missing, " ") != "in-ue" {
		t.Errorf("owed are %s on %d sites, missing %v", got, tightened.MinSites, tightened.Missing)
	}
	sameProblems(t, []string{`Deployment/hr/web requires trust level "in-ue", which does not exist; did you mean "in-eu"?`, "annotation terroir.dev/x is unknown"}, tightened.Problems)
	if len(owed.Problems) > 0 || owed.MinSites != 3 {
		t.Errorf("what was handed over has changed: %+v", owed)
	}
}

func TestAPolicyInAnExemptNamespaceSaysSo(t *testing.T) {
	p := v1alpha1.PlacementPolicy{Spec: v1alpha1.PlacementPolicySpec{PlacementDemand: v1alpha1.PlacementDemand{
		TrustLevels: []v1alpha1.LevelName{"trusted"}, Enforcement: v1alpha1.EnforcementEnforce,
	}}}
	p.Namespace, p.Name = "kube-system", "p"
	set := policy.Compile(policy.Objects{Policies: []v1alpha1.PlacementPolicy{p}, Levels: []string{"trusted"}})
	problems := set.ProblemsOf(policy.Source{Kind: "PlacementPolicy", Namespace: "kube-system", Name: "p"})
	if len(problems) != 1 || problems[0].Reason != policy.NamespaceExempt {
		t.Errorf("its problems are %v", problems)
	}
	if owed := set.Namespace(policy.Namespace{Name: "kube-system"}); owed.Owes() {
		t.Errorf("the exempt namespace owes %+v", owed)
	}
}
