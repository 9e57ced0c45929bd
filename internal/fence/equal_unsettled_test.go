package fence_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/policy"
)

// TestWithoutAFloorThePolicyItselfIsEnforced: in a namespace that has no floor yet, a cluster policy has its pods shaped and judged as
// the floor would that Terroir writes for it; and where it does not select the namespace, or only watches, it asks for nothing.
func TestWithoutAFloorThePolicyItselfIsEnforced(t *testing.T) {
	f := compile(t)
	selected := 0
	for seed := range 3000 {
		r := rand.New(rand.NewPCG(uint64(seed), 17))
		namespace := randomNamespace(r)
		p := randomClusterPolicy(r)
		set := policy.Compile(policy.Objects{Levels: levels, Keys: encryptionKeys(), ClusterPolicies: []v1alpha1.ClusterPlacementPolicy{p}})
		owed := set.Namespace(policy.Namespace{Name: namespace.Name, Labels: namespace.Labels})
		if owed.Owes() {
			selected++
		}
		standsIn(t, f, seed, fence.UnsettledPods, params(t, &p, "ClusterPlacementPolicy"), namespace, owed, randomPod(r))
	}
	if selected < 300 {
		t.Errorf("only %d of the random policies demanded anything: the test shows little", selected)
	}
}

// TestWithoutAFloorTheNamespacesAnnotationsAreEnforced: what a namespace itself asks for holds before Terroir has read it.
func TestWithoutAFloorTheNamespacesAnnotationsAreEnforced(t *testing.T) {
	f := compile(t)
	for seed := range 1500 {
		r := rand.New(rand.NewPCG(uint64(seed), 19))
		namespace := randomNamespace(r)
		namespace.Annotations = map[string]string{
			v1alpha1.TrustLevelAnnotation: pick(r, []string{"secnumcloud", "c5, in-france", "c5,c5"}),
			v1alpha1.MinSitesAnnotation:   pick(r, []string{"1", "3"}),
		}
		if r.IntN(2) == 0 {
			delete(namespace.Annotations, v1alpha1.MinSitesAnnotation)
		}
		if r.IntN(2) == 0 {
			namespace.Annotations[v1alpha1.EncryptionKeyAnnotation] = pick(r, []string{"health-kek", "other-kek"})
		}
		set := policy.Compile(policy.Objects{Levels: levels, Keys: encryptionKeys()})
		owed := set.Namespace(policy.Namespace{Name: namespace.Name, Labels: namespace.Labels, Annotations: namespace.Annotations})
		standsIn(t, f, seed, fence.UnsettledAnnotatedPods, nil, namespace, owed, randomPod(r))
	}
}

// TestWhereNothingIsOwedAPodsOwnAnnotationsAreEnforced: in a free namespace a pod is shaped and judged by what it asks for itself, as under a floor that
// demands nothing.
func TestWhereNothingIsOwedAPodsOwnAnnotationsAreEnforced(t *testing.T) {
	f := compile(t)
	for seed := range 1500 {
		r := rand.New(rand.NewPCG(uint64(seed), 29))
		standsIn(t, f, seed, fence.AnnotatedPods, nil, randomNamespace(r), policy.Obligation{}, randomPod(r))
	}
}

// standsIn checks that a policy that reads what is owed from elsewhere does with a pod what the floor would have done.
func standsIn(t *testing.T, f *fencetest.Fence, seed int, name string, from runtime.Object, namespace *corev1.Namespace, owed policy.Obligation, pod *corev1.Pod) {
	t.Helper()
	without := podRequest(pod, from)
	without.Namespace = namespace
	with := podRequest(pod, floorOf(t, owed))
	for _, shaped := range []bool{false, true} {
		got, err := f.Validate(name, without)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, pretty(pod))
		}
		want, err := f.Validate(fence.Pods, with)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, pretty(pod))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: verdicts differ (-floor +%s):\n%s\nowed %+v\npod %s", seed, name, diff, owed, pretty(pod))
		}
		if shaped {
			return
		}
		without.Object, with.Object = shape(t, f, name, without), shape(t, f, fence.Pods, with)
		if diff := cmp.Diff(with.Object, without.Object); diff != "" {
			t.Fatalf("seed %d: shapes differ (-floor +%s):\n%s\nowed %+v", seed, name, diff, owed)
		}
	}
}

func shape(t *testing.T, f *fencetest.Fence, name string, r fencetest.Request) runtime.Object {
	t.Helper()
	shaped, err := f.Mutate(name, r)
	if err != nil {
		t.Fatalf("%s cannot shape: %v\n%s", name, err, pretty(r.Object))
	}
	return shaped
}

func params(t *testing.T, o runtime.Object, kind string) runtime.Object {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	return u
}

func randomNamespace(r *rand.Rand) *corev1.Namespace {
	n := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	n.Name = "hr"
	if r.IntN(8) == 0 {
		return n // without any label
	}
	n.Labels = map[string]string{"a": pick(r, []string{"b", "c"})}
	if r.IntN(2) == 0 {
		n.Labels["d"] = pick(r, []string{"e", ""})
	}
	return n
}

func randomClusterPolicy(r *rand.Rand) v1alpha1.ClusterPlacementPolicy {
	p := v1alpha1.ClusterPlacementPolicy{}
	p.Name = "health"
	p.Spec.Enforcement = pick(r, []v1alpha1.Enforcement{v1alpha1.EnforcementEnforce, v1alpha1.EnforcementEnforce, v1alpha1.EnforcementEnforce, v1alpha1.EnforcementWarn, v1alpha1.EnforcementAudit})
	for range 1 + r.IntN(2) {
		p.Spec.TrustLevels = append(p.Spec.TrustLevels, v1alpha1.LevelName(pick(r, levels)))
	}
	if r.IntN(2) == 0 {
		p.Spec.Spread = &v1alpha1.Spread{MinSites: 1 + r.Int32N(4), MaxSkew: 1 + r.Int32N(3)}
	}
	p.Spec.Encryption = randomEncryption(r)
	requirements := r.IntN(3)
	if requirements == 0 || r.IntN(2) == 0 { // the schema admits no empty selector
		p.Spec.NamespaceSelector.MatchLabels = map[string]v1alpha1.LabelValue{"a": "b"}
	}
	for range requirements {
		e := v1alpha1.NamespaceRequirement{
			Key: pick(r, []v1alpha1.LabelKey{"a", "d"}),
			Operator: pick(r, []v1alpha1.NamespaceOperator{
				v1alpha1.NamespaceOperatorIn, v1alpha1.NamespaceOperatorNotIn, v1alpha1.NamespaceOperatorExists, v1alpha1.NamespaceOperatorDoesNotExist,
			}),
		}
		if e.Operator == v1alpha1.NamespaceOperatorIn || e.Operator == v1alpha1.NamespaceOperatorNotIn {
			e.Values = []v1alpha1.LabelValue{pick(r, []v1alpha1.LabelValue{"b", "e", "c"}), ""}
		}
		p.Spec.NamespaceSelector.MatchExpressions = append(p.Spec.NamespaceSelector.MatchExpressions, e)
	}
	return p
}
