package policy_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

const (
	software, hsm              = v1alpha1.ProtectionSoftware, v1alpha1.ProtectionHSM
	declared, reported, tested = v1alpha1.EvidenceDeclared, v1alpha1.EvidenceReported, v1alpha1.EvidenceTested
	customer, provider         = v1alpha1.CustodyCustomer, v1alpha1.CustodyProvider
	nodeEnvelope, keyServed    = v1alpha1.BindingNodeEnvelope, v1alpha1.BindingKeyServed
	providerEnvelope           = v1alpha1.BindingProviderEnvelope
)

// ofVolumes is what several demand of volumes, merged.
func ofVolumes(demands ...policy.Encryption) *policy.Encryption {
	var o policy.Obligation
	for _, e := range demands {
		o = o.With(policy.Demand{Source: web, Encryption: &e})
	}
	return o.Encryption
}

func TestWhatIsDemandedOfVolumesIsMerged(t *testing.T) {
	for sentence, c := range map[string]struct {
		demands []policy.Encryption
		want    *policy.Encryption
	}{
		"nobody demands anything":                        {nil, nil},
		"that they are encrypted, in whatever way":       {[]policy.Encryption{{}}, &policy.Encryption{}},
		"keys that all accept":                           {[]policy.Encryption{{Keys: []string{"a", "b"}}, {Keys: []string{"b", "c"}}}, &policy.Encryption{Keys: []string{"b"}}},
		"who names no key accepts any":                   {[]policy.Encryption{{Keys: []string{"a"}}, {}}, &policy.Encryption{Keys: []string{"a"}}},
		"keys that have none in common are none at all":  {[]policy.Encryption{{Keys: []string{"a"}}, {Keys: []string{"b"}}}, &policy.Encryption{Keys: []string{}}},
		"none at all stays none, whoever comes after":    {[]policy.Encryption{{Keys: []string{"a"}}, {Keys: []string{"b"}}, {Keys: []string{"a"}}}, &policy.Encryption{Keys: []string{}}},
		"the stricter protection":                        {[]policy.Encryption{{Protection: hsm}, {Protection: software}, {}}, &policy.Encryption{Protection: hsm}},
		"custody that all accept":                        {[]policy.Encryption{{Custody: []v1alpha1.Custody{customer, provider}}, {Custody: []v1alpha1.Custody{customer}}}, &policy.Encryption{Custody: []v1alpha1.Custody{customer}}},
		"bindings that all accept":                       {[]policy.Encryption{{Bindings: []v1alpha1.VolumeBinding{keyServed, nodeEnvelope}}, {Bindings: []v1alpha1.VolumeBinding{nodeEnvelope}}}, &policy.Encryption{Bindings: []v1alpha1.VolumeBinding{nodeEnvelope}}},
		"who does not say a binding leaves it to others": {[]policy.Encryption{{}, {Bindings: []v1alpha1.VolumeBinding{keyServed}}}, &policy.Encryption{Bindings: []v1alpha1.VolumeBinding{keyServed}}},
		"the better evidence, fact by fact": {
			[]policy.Encryption{{Evidence: policy.Evidence{Origin: reported, Custody: declared}}, {Evidence: policy.Evidence{NonExtractable: tested, Origin: declared}}},
			&policy.Encryption{Evidence: policy.Evidence{NonExtractable: tested, Origin: reported, Custody: declared}},
		},
		"one evicts": {[]policy.Encryption{{OnRevocation: v1alpha1.OnRevocationEvict}, {OnRevocation: v1alpha1.OnRevocationReport}}, &policy.Encryption{OnRevocation: v1alpha1.OnRevocationEvict}},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(c.want, ofVolumes(c.demands...)); diff != "" {
				t.Errorf("owed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBindingsOfWhichNobodySaysAnything(t *testing.T) {
	if diff := cmp.Diff([]v1alpha1.VolumeBinding{nodeEnvelope, providerEnvelope}, ofVolumes(policy.Encryption{}).Accepted()); diff != "" {
		t.Errorf("accepted are (-want +got):\n%s", diff)
	}
	contradictory := ofVolumes(policy.Encryption{Bindings: []v1alpha1.VolumeBinding{keyServed}}, policy.Encryption{Bindings: []v1alpha1.VolumeBinding{nodeEnvelope}})
	if got := contradictory.Accepted(); len(got) > 0 {
		t.Errorf("nothing satisfies both, and accepted are %v", got)
	}
}

// randomEncryption is what somebody may demand of volumes; nothing, in two cases of three.
func randomEncryption(r *rand.Rand) *policy.Encryption {
	if r.IntN(3) > 0 {
		return nil
	}
	return &policy.Encryption{
		Keys: some(r, "a", "b", "c"), Custody: some(r, customer, provider), Bindings: some(r, keyServed, nodeEnvelope, providerEnvelope),
		Protection:   pick(r, protectionOrder),
		OnRevocation: pick(r, revocationOrder),
		Evidence: policy.Evidence{
			NonExtractable: pick(r, evidenceOrder), Origin: pick(r, evidenceOrder), Protection: pick(r, evidenceOrder), Custody: pick(r, evidenceOrder),
		},
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// some are a few of the given, in their order; nil, in one case of two.
func some[T any](r *rand.Rand, from ...T) []T {
	if r.IntN(2) == 0 {
		return nil
	}
	first := r.IntN(len(from))
	return from[first : first+1+r.IntN(len(from)-first)]
}

var (
	protectionOrder = []v1alpha1.KeyProtection{"", software, hsm}
	evidenceOrder   = []v1alpha1.KeyEvidence{"", declared, reported, tested, v1alpha1.EvidenceAttested}
	revocationOrder = []v1alpha1.OnRevocation{"", v1alpha1.OnRevocationReport, v1alpha1.OnRevocationEvict}
)

// volumesOnlyTighten: with every demand more, no volume is accepted that was not, and none that the demand does not accept.
func volumesOnlyTighten(t *testing.T, was, demanded, is *policy.Encryption) {
	t.Helper()
	for _, than := range []*policy.Encryption{was, demanded} {
		if than != nil && (is == nil || looser(is, than)) {
			t.Errorf("of volumes %+v was owed and %+v is demanded, and now %+v is owed", was, demanded, is)
		}
	}
}

func looser(is, than *policy.Encryption) bool {
	a, b := is.Evidence, than.Evidence
	return accepts(is.Keys, than.Keys) || accepts(is.Custody, than.Custody) || accepts(is.Bindings, than.Bindings) ||
		before(protectionOrder, is.Protection, than.Protection) || before(revocationOrder, is.OnRevocation, than.OnRevocation) ||
		before(evidenceOrder, a.NonExtractable, b.NonExtractable) || before(evidenceOrder, a.Origin, b.Origin) ||
		before(evidenceOrder, a.Protection, b.Protection) || before(evidenceOrder, a.Custody, b.Custody)
}

// accepts says whether a list accepts what another, which says something, does not.
func accepts[T comparable](is, than []T) bool {
	return than != nil && (is == nil || slices.ContainsFunc(is, func(x T) bool { return !slices.Contains(than, x) }))
}

func before[T comparable](order []T, is, than T) bool {
	return slices.Index(order, is) < slices.Index(order, than)
}

// demanding is a policy about namespaces of health that demands something of volumes.
func demanding(name string, e v1alpha1.Encryption) v1alpha1.ClusterPlacementPolicy {
	p := cluster(name, health, v1alpha1.EnforcementEnforce, "in-eu")
	p.Spec.Encryption = &e
	return p
}

// secured is a cluster with two keys, for one of which only health may ask.
func secured(policies ...v1alpha1.ClusterPlacementPolicy) *policy.Set {
	return policy.Compile(policy.Objects{ClusterPolicies: policies, Levels: []string{"in-eu"}, Keys: []policy.Key{
		{Name: "health-kek", Allows: func(ns map[string]string) bool { return ns["data"] == "health" }},
		{Name: "any-kek", Allows: func(map[string]string) bool { return true }},
	}})
}

func TestWhatAPolicyDoesNotSayOfVolumes(t *testing.T) {
	owed := secured(demanding("p", v1alpha1.Encryption{})).Namespace(namespaceOf("hr", map[string]string{"data": "health"}, nil))
	want := &policy.Encryption{
		Protection: hsm, Bindings: []v1alpha1.VolumeBinding{nodeEnvelope, providerEnvelope}, OnRevocation: v1alpha1.OnRevocationReport,
		Evidence: policy.Evidence{NonExtractable: reported, Origin: declared, Protection: declared, Custody: declared},
	}
	if diff := cmp.Diff(want, owed.Encryption); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
}

func TestKeysThatADemandNames(t *testing.T) {
	const key, inheritedKey = v1alpha1.EncryptionKeyAnnotation, v1alpha1.InheritedEncryptionKeyAnnotation
	data := map[string]string{"data": "health"}
	names := func(names ...v1alpha1.KeyName) v1alpha1.Encryption { return v1alpha1.Encryption{Keys: names} }
	for sentence, c := range map[string]struct {
		policies    []v1alpha1.ClusterPlacementPolicy
		namespace   policy.Namespace
		annotations map[string]string // of the pod
		keys        []string
		problems    []string
	}{
		"a policy names them":                      {policies: []v1alpha1.ClusterPlacementPolicy{demanding("p", names("health-kek", "any-kek"))}, namespace: namespaceOf("hr", data, nil), keys: []string{"any-kek", "health-kek"}},
		"a policy names one that is none":          {policies: []v1alpha1.ClusterPlacementPolicy{demanding("p", names("health-kk"))}, namespace: namespaceOf("hr", data, nil), keys: []string{"health-kk"}},
		"a pod asks for one":                       {namespace: namespaceOf("hr", data, nil), annotations: map[string]string{key: "health-kek"}, keys: []string{"health-kek"}},
		"a pod and its workload ask for the same":  {namespace: namespaceOf("hr", data, nil), annotations: map[string]string{key: "any-kek", inheritedKey: "any-kek"}, keys: []string{"any-kek"}},
		"a namespace asks for one":                 {namespace: namespaceOf("hr", data, map[string]string{key: "health-kek"}), keys: []string{"health-kek"}},
		"a namespace asks for one that is none":    {namespace: namespaceOf("hr", data, map[string]string{key: "health-kk"}), keys: []string{"health-kk"}},
		"of those accepted a pod chooses one":      {policies: []v1alpha1.ClusterPlacementPolicy{demanding("p", names("health-kek", "any-kek"))}, namespace: namespaceOf("hr", data, nil), annotations: map[string]string{key: "any-kek"}, keys: []string{"any-kek"}},
		"a pod asks for one that nearly is":        {namespace: namespaceOf("hr", data, nil), annotations: map[string]string{key: "health-kk"}, keys: []string{"health-kk"}, problems: []string{`Deployment/hr/web requires encryption key "health-kk", which does not exist; did you mean "health-kek"?`}},
		"it is not told what others may ask for":   {namespace: namespaceOf("free", nil, nil), annotations: map[string]string{key: "health-kk"}, keys: []string{"health-kk"}, problems: []string{`which does not exist; there is any-kek`}},
		"a pod asks for one that it may not":       {namespace: namespaceOf("free", nil, nil), annotations: map[string]string{key: "health-kek"}, keys: []string{"health-kek"}, problems: []string{`Deployment/hr/web requires encryption key "health-kek", for which this namespace may not ask; have the namespaceSelector of EncryptionKey/health-kek select it`}},
		"a pod asks for what a policy forbids":     {policies: []v1alpha1.ClusterPlacementPolicy{demanding("p", names("health-kek"))}, namespace: namespaceOf("hr", data, nil), annotations: map[string]string{key: "any-kek"}, keys: []string{}, problems: []string{"no encryption key satisfies all who demand something of volumes: ClusterPlacementPolicy/p accepts health-kek, and Deployment/hr/web accepts any-kek; have them accept one in common"}},
		"a pod and its workload ask for different": {namespace: namespaceOf("hr", data, nil), annotations: map[string]string{key: "any-kek", inheritedKey: "health-kek"}, keys: []string{}, problems: []string{`Deployment/hr/web: annotations terroir.dev/encryption-key and inherited.terroir.dev/encryption-key ask for different keys, "any-kek" and "health-kek"; a volume has one`}},
		"policies contradict each other":           {policies: []v1alpha1.ClusterPlacementPolicy{demanding("p", names("health-kek")), demanding("q", names("any-kek"))}, namespace: namespaceOf("hr", data, nil), keys: []string{}, problems: []string{"no encryption key satisfies all who demand something of volumes: ClusterPlacementPolicy/p accepts health-kek, and ClusterPlacementPolicy/q accepts any-kek"}},
		"policies contradict each other in custody": {
			policies:  []v1alpha1.ClusterPlacementPolicy{demanding("p", v1alpha1.Encryption{Custody: []v1alpha1.Custody{customer}}), demanding("q", v1alpha1.Encryption{Custody: []v1alpha1.Custody{provider}})},
			namespace: namespaceOf("hr", data, nil), problems: []string{"no custody satisfies all who demand something of volumes: ClusterPlacementPolicy/p accepts Customer, and ClusterPlacementPolicy/q accepts Provider"},
		},
		"policies contradict each other in bindings": {
			policies:  []v1alpha1.ClusterPlacementPolicy{demanding("p", v1alpha1.Encryption{AcceptedBindings: []v1alpha1.VolumeBinding{keyServed}}), demanding("q", v1alpha1.Encryption{})},
			namespace: namespaceOf("hr", data, nil), problems: []string{"no binding satisfies all who demand something of volumes: ClusterPlacementPolicy/p accepts KeyServed, and ClusterPlacementPolicy/q accepts NodeEnvelope, ProviderEnvelope"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			set := secured(c.policies...)
			owed := set.AddAnnotations(set.Namespace(c.namespace), web, c.annotations)
			if diff := cmp.Diff(c.keys, owed.Encryption.Keys); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			sameProblems(t, c.problems, owed.Problems)
		})
	}
}

func TestAPolicyWhoseKeyDoesNotExistSaysSo(t *testing.T) {
	p := demanding("p", v1alpha1.Encryption{Keys: []v1alpha1.KeyName{"health-kk", "any-kek"}})
	problems := secured(p).ProblemsOf(policy.Source{Kind: "ClusterPlacementPolicy", Name: "p"})
	sameProblems(t, []string{`ClusterPlacementPolicy/p requires encryption key "health-kk", which does not exist; did you mean "health-kek"?`}, problems)
	if problems[0].Reason != policy.EncryptionKeyNotFound {
		t.Errorf("the reason is %s", problems[0].Reason)
	}
}

func TestKeysThatANamespaceAsksFor(t *testing.T) {
	asks := func(labels map[string]string, key string) []policy.Problem {
		return secured().MissingKeys(namespaceOf("hr", labels, map[string]string{v1alpha1.EncryptionKeyAnnotation: key}))
	}
	sameProblems(t, nil, asks(map[string]string{"data": "health"}, "health-kek"))
	sameProblems(t, []string{`Namespace/hr requires encryption key "health-kek", for which this namespace may not ask`}, asks(nil, "health-kek"))
	sameProblems(t, []string{`Namespace/hr requires encryption key "moon", which does not exist; there is any-kek`}, asks(nil, "moon"))
	sameProblems(t, nil, asks(nil, "not a name")) // that is told elsewhere
}

func TestWhatVolumesOweInAnExemptNamespace(t *testing.T) {
	p := v1alpha1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "p"}}
	p.Spec.Enforcement, p.Spec.Encryption = v1alpha1.EnforcementEnforce, &v1alpha1.Encryption{}
	if owed := policy.Compile(policy.Objects{Policies: []v1alpha1.PlacementPolicy{p}}).Namespace(policy.Namespace{Name: "kube-system"}); owed.Owes() {
		t.Errorf("the exempt namespace owes %+v", owed)
	}
}
