package fence_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

var settings = placement.Settings{
	Schedulers: []string{"default-scheduler"}, SchedulerUsers: []string{"system:kube-scheduler"}, RuntimeClasses: []string{"gvisor"},
}

// theFence is compiled once: that takes as long as judging a thousand pods.
var theFence = sync.OnceValues(func() (*fencetest.Fence, error) {
	return fencetest.Compile(fence.Objects(fence.Options{Settings: settings, Mutating: true}))
})

func compile(t testing.TB) *fencetest.Fence {
	t.Helper()
	f, err := theFence()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// levels that exist, for the Go half. The CEL half learns of missing ones from the floor.
var levels = []string{"c5", "in-france", "secnumcloud"}

// floorOf is the floor that Terroir writes for what a namespace owes.
func floorOf(t testing.TB, owed policy.Obligation) runtime.Object {
	t.Helper()
	floor := fence.Floor("hr", owed)
	floor.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PlacementFloor"}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(floor)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: content}
}

func podRequest(pod *corev1.Pod, floor runtime.Object) fencetest.Request {
	return fencetest.Request{
		Kind: corev1.SchemeGroupVersion.WithKind("Pod"), Resource: corev1.SchemeGroupVersion.WithResource("pods"),
		Operation: admission.Create, User: "dev", Object: pod, Params: floor,
	}
}

// TestHalvesAgreeOnRandomPods: the Go halves and the CEL halves give the same shape and the same verdict.
func TestHalvesAgreeOnRandomPods(t *testing.T) {
	seen := newTally(t, 100, "annotations", "demands", "node-name", "scheduler", "runtime-class", "node-local-storage", "encryption", "encryption-gate", "workload", "node-selector", "spread")
	random(t, 10000, 7, func(t *testing.T, f *fencetest.Fence, seed int, r *rand.Rand) {
		set, namespace := randomObligation(r)
		floor := floorOf(t, namespace)
		pod := randomPod(r)
		c := caseOf(set, namespace, pod)

		// Some are judged as they come, some after shaping, some after shaping and another mutator.
		got, err := f.Mutate(fence.Pods, podRequest(pod, floor))
		if err != nil {
			t.Fatalf("seed %d: the fence cannot shape: %v\n%s", seed, err, pretty(pod))
		}
		want := apply(t, pod, placement.Shape(c))
		if diff := cmp.Diff(want, got.(*corev1.Pod)); diff != "" {
			t.Fatalf("seed %d: shapes differ (-Go +CEL):\n%s\npod %s", seed, diff, pretty(pod))
		}
		for _, judged := range []*corev1.Pod{pod, want, tamper(r, want)} {
			seen.note(agree(t, f, seed, caseOf(set, namespace, judged), judged, floor))
		}
		if again := placement.Shape(caseOf(set, namespace, want)); len(again) > 0 {
			t.Fatalf("seed %d: shaping twice changes something: %v", seed, again)
		}
	})
}

// random does something for so many seeds, on every processor, in the same way each time.
func random(t *testing.T, count int, stream uint64, do func(*testing.T, *fencetest.Fence, int, *rand.Rand)) {
	t.Helper()
	f := compile(t)
	if testing.Short() {
		count /= 10
	}
	const shares = 8
	for share := range shares {
		t.Run(fmt.Sprintf("share %d of %d", share+1, shares), func(t *testing.T) {
			t.Parallel()
			for seed := share; seed < count; seed += shares {
				do(t, f, seed, rand.New(rand.NewPCG(uint64(seed), stream)))
			}
		})
	}
}

// tally counts what verdicts say, so that random cases are not one-sided.
type tally struct {
	mu    sync.Mutex
	words map[string]int
}

// newTally fails the test in the end if not every word, and none at all, was said so many times.
func newTally(t *testing.T, least int, words ...string) *tally {
	t.Helper()
	seen := &tally{words: map[string]int{}}
	if testing.Short() {
		least /= 10
	}
	t.Cleanup(func() {
		for _, word := range append(words, "allowed") {
			if seen.words[word] < least {
				t.Errorf("%q was said %d times: the cases are one-sided: %v", word, seen.words[word], seen.words)
			}
		}
	})
	return seen
}

func (seen *tally) note(v placement.Verdict) {
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if v.Allowed() {
		seen.words["allowed"]++
	}
	for _, d := range v.Denials {
		seen.words[d.Rule]++
	}
}

func agree(t *testing.T, f *fencetest.Fence, seed int, c placement.Case, pod *corev1.Pod, floor runtime.Object) placement.Verdict {
	t.Helper()
	denials, err := f.Validate(fence.Pods, podRequest(pod, floor))
	if err != nil {
		t.Fatalf("seed %d: the fence cannot judge: %v\n%s", seed, err, pretty(pod))
	}
	verdict := placement.Judge(c)
	if verdict.Allowed() != (len(denials) == 0) {
		t.Fatalf("seed %d: Go says %q, CEL says %q\nowed %+v\npod %s", seed, verdict.Message(), denials, c.Owed, pretty(pod))
	}
	return verdict
}

func caseOf(set *policy.Set, namespace policy.Obligation, pod *corev1.Pod) placement.Case {
	read := placement.PodOf(&pod.ObjectMeta, &pod.Spec)
	owed := read.Owed(set, namespace, policy.Source{Kind: "Pod", Namespace: "hr", Name: pod.Name})
	return placement.Case{Pod: &read, Owed: owed, Settings: settings}
}

func randomObligation(r *rand.Rand) (*policy.Set, policy.Obligation) {
	objects := policy.Objects{Levels: levels, Keys: encryptionKeys()}
	for i := range r.IntN(3) {
		demand := v1alpha1.PlacementDemand{Enforcement: v1alpha1.EnforcementEnforce}
		for range 1 + r.IntN(2) {
			demand.TrustLevels = append(demand.TrustLevels, v1alpha1.LevelName(pick(r, append(levels, "missing")[:3+r.IntN(5)/4])))
		}
		if r.IntN(2) == 0 {
			demand.Spread = &v1alpha1.Spread{MinSites: 1 + r.Int32N(4), MaxSkew: 1 + r.Int32N(3)}
		}
		demand.NodeLocalStorage = pick(r, []v1alpha1.NodeLocalStorage{"", "Deny", "Deny", "QualifiedNodes", "Allow"})
		demand.Encryption = randomEncryption(r)
		objects.ClusterPolicies = append(objects.ClusterPolicies, v1alpha1.ClusterPlacementPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("policy-%d", i)},
			Spec: v1alpha1.ClusterPlacementPolicySpec{
				NamespaceSelector: v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"a": "b"}}, PlacementDemand: demand,
			},
		})
	}
	set := policy.Compile(objects)
	return set, set.Namespace(policy.Namespace{Name: "hr", Labels: map[string]string{"a": "b"}})
}

// encryptionKeys are those that exist. All may ask for them, since the CEL half cannot know who may.
func encryptionKeys() []policy.Key {
	anybody := func(map[string]string) bool { return true }
	return []policy.Key{{Name: "health-kek", Allows: anybody}, {Name: "other-kek", Allows: anybody}}
}

func randomEncryption(r *rand.Rand) *v1alpha1.Encryption {
	if r.IntN(3) > 0 {
		return nil
	}
	return &v1alpha1.Encryption{
		Keys:             pick(r, [][]v1alpha1.KeyName{nil, nil, {"health-kek"}, {"health-kek"}, {"health-kek", "other-kek"}, {"missing"}}),
		AcceptedBindings: pick(r, [][]v1alpha1.VolumeBinding{nil, nil, nil, {v1alpha1.BindingKeyServed}, {v1alpha1.BindingNodeEnvelope, v1alpha1.BindingKeyServed}}),
		Custody:          pick(r, [][]v1alpha1.Custody{nil, nil, nil, {v1alpha1.CustodyCustomer}, {v1alpha1.CustodyProvider}}),
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func randomPod(r *rand.Rand) *corev1.Pod {
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	pod.Namespace = "hr"
	switch r.IntN(4) {
	case 0:
		pod.GenerateName = "run-"
	case 1:
		pod.Name = "a-name-that-is-longer-than-a-label-value-may-be-and-goes-on.and-on"
	default:
		pod.Name = "web-0"
	}
	if r.IntN(2) == 0 {
		owner := pick(r, []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "ReplicaSet"},
			{APIVersion: "apps/v1", Kind: "DaemonSet"},
			{APIVersion: "batch/v1", Kind: "Job"},
			{APIVersion: "example.org/v1", Kind: "Job"},
		})
		controller := r.IntN(4) > 0
		owner.Name, owner.UID, owner.Controller = "o", types.UID("1f0c2c5e-0000-4000-8000-00000000000"+fmt.Sprint(r.IntN(3))), &controller
		pod.OwnerReferences = append(pod.OwnerReferences, owner)
	}
	pod.Annotations = randomAnnotations(r)
	if r.IntN(3) == 0 {
		pod.Labels = map[string]string{"app": "web"}
		if r.IntN(2) == 0 {
			pod.Labels[v1alpha1.WorkloadLabel] = pick(r, []string{"web-0", "other", "run"})
		}
	}
	pod.Spec.SchedulerName = pick(r, []string{"default-scheduler", "default-scheduler", "default-scheduler", "mine"})
	if r.IntN(8) == 0 {
		pod.Spec.NodeName = "n1"
	}
	if r.IntN(3) == 0 {
		pod.Spec.NodeSelector = map[string]string{"disk": "ssd"}
		if r.IntN(2) == 0 {
			pod.Spec.NodeSelector[v1alpha1.HeldLabelPrefix+pick(r, levels)] = pick(r, []string{"true", "false"})
		}
	}
	if r.IntN(6) == 0 {
		pod.Spec.RuntimeClassName = pick(r, []*string{ptr("gvisor"), ptr("kata"), ptr("")})
	}
	for i := range max(0, r.IntN(5)-2) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: pick(r, volumeSources())})
	}
	for range max(0, r.IntN(5)-2) {
		pod.Spec.SchedulingGates = append(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: pick(r, []string{v1alpha1.EncryptionGate, "example.org/quota", "terroir.dev/other"})})
	}
	for range r.IntN(3) {
		pod.Spec.TopologySpreadConstraints = append(pod.Spec.TopologySpreadConstraints, randomConstraint(r))
	}
	return pod
}

// volumeSources are one of each type, emptyDirs of each medium, and what no API server admits: none, and two at once.
func volumeSources() []corev1.VolumeSource {
	var sources []corev1.VolumeSource
	all := reflect.TypeFor[corev1.VolumeSource]()
	for i := range all.NumField() {
		var source corev1.VolumeSource
		reflect.ValueOf(&source).Elem().Field(i).Set(reflect.New(all.Field(i).Type.Elem()))
		sources = append(sources, source)
	}
	for _, medium := range []corev1.StorageMedium{corev1.StorageMediumMemory, corev1.StorageMediumHugePages, "HugePages-2Mi", "Disk"} {
		sources = append(sources, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: medium}})
	}
	return append(sources, corev1.VolumeSource{}, corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{}, EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory},
	})
}

func randomAnnotations(r *rand.Rand) map[string]string {
	if r.IntN(2) == 0 {
		return nil
	}
	annotations := map[string]string{"unrelated": "x"}
	set := func(key string, values ...string) {
		if r.IntN(3) == 0 {
			annotations[key] = pick(r, values)
		}
	}
	set(v1alpha1.TrustLevelAnnotation, "secnumcloud", "c5, in-france", "c5,c5", "", "Nope!", "a,b,c,d,e,f,g,h,i")
	set(v1alpha1.InheritedTrustLevelAnnotation, "secnumcloud", "in-france")
	set(v1alpha1.MinSitesAnnotation, "2", "5", "0", "65", "two", "3.0")
	set(v1alpha1.InheritedMinSitesAnnotation, "3")
	if r.IntN(3) == 0 {
		set(v1alpha1.EncryptionKeyAnnotation, "health-kek", "health-kek", "health-kek", "other-kek", "Not a key", "a,b", "")
		set(v1alpha1.InheritedEncryptionKeyAnnotation, "health-kek", "health-kek", "other-kek")
	}
	if r.IntN(20) == 0 {
		annotations["terroir.dev/trust-levle"] = "secnumcloud"
	}
	if r.IntN(10) == 0 {
		annotations[v1alpha1.PlacementAnnotation] = "{}"
	}
	return annotations
}

func randomConstraint(r *rand.Rand) corev1.TopologySpreadConstraint {
	honor, ignore := corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore
	workload := pick(r, []string{"web-0", "run", "1f0c2c5e-0000-4000-8000-000000000001", "x"})
	c := corev1.TopologySpreadConstraint{
		MaxSkew:           pick(r, []int32{1, 1, 2, 5, 2147483647}),
		TopologyKey:       pick(r, []string{v1alpha1.OpenLabelPrefix + "secnumcloud", v1alpha1.OpenLabelPrefix + "c5", "topology.kubernetes.io/zone"}),
		WhenUnsatisfiable: pick(r, []corev1.UnsatisfiableConstraintAction{corev1.DoNotSchedule, corev1.DoNotSchedule, corev1.ScheduleAnyway}),
	}
	c.NodeAffinityPolicy = pick(r, []*corev1.NodeInclusionPolicy{nil, &honor, &honor, &ignore})
	c.NodeTaintsPolicy = pick(r, []*corev1.NodeInclusionPolicy{nil, &honor, &honor, &ignore})
	c.MinDomains = pick(r, []*int32{nil, ptr[int32](2), ptr[int32](3), ptr[int32](9)})
	c.LabelSelector = pick(r, []*metav1.LabelSelector{
		nil,
		{},
		{MatchLabels: map[string]string{v1alpha1.WorkloadLabel: workload}},
		{MatchLabels: map[string]string{v1alpha1.WorkloadLabel: workload}},
		{MatchLabels: map[string]string{v1alpha1.WorkloadLabel: workload, "more": "x"}},
		{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: v1alpha1.WorkloadLabel, Operator: metav1.LabelSelectorOpExists}}},
	})
	if r.IntN(8) == 0 {
		c.MatchLabelKeys = []string{"pod-template-hash"}
	}
	return c
}

func ptr[T any](v T) *T { return &v }

// tamper does what a later mutator may do to a shaped pod.
func tamper(r *rand.Rand, shaped *corev1.Pod) *corev1.Pod {
	pod := shaped.DeepCopy()
	switch r.IntN(7) {
	case 6:
		pod.Spec.SchedulingGates = slices.DeleteFunc(pod.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.EncryptionGate })
	case 0:
		delete(pod.Labels, v1alpha1.WorkloadLabel)
	case 1:
		pod.Spec.NodeSelector = nil
	case 2:
		pod.Spec.TopologySpreadConstraints = slices.DeleteFunc(pod.Spec.TopologySpreadConstraints, func(corev1.TopologySpreadConstraint) bool { return r.IntN(2) == 0 })
	case 3:
		for i := range pod.Spec.TopologySpreadConstraints {
			pod.Spec.TopologySpreadConstraints[i].MinDomains = nil
		}
	case 4:
		for i := range pod.Spec.TopologySpreadConstraints {
			pod.Spec.TopologySpreadConstraints[i].LabelSelector = nil
		}
	case 5:
		for i := range pod.Spec.TopologySpreadConstraints {
			pod.Spec.TopologySpreadConstraints[i].MaxSkew++
		}
	}
	return pod
}

// apply applies a patch as the API server does.
func apply(t testing.TB, pod *corev1.Pod, patches []placement.Patch) *corev1.Pod {
	t.Helper()
	before, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(patches)
	if err != nil {
		t.Fatal(err)
	}
	if len(patches) == 0 {
		text = []byte("[]")
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(before)
	if err != nil {
		t.Fatalf("applying %s: %v", text, err)
	}
	out := &corev1.Pod{}
	if err := json.Unmarshal(after, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func pretty(v any) string {
	text, _ := json.MarshalIndent(v, "", " ")
	return string(text)
}

// TestAVolumeTypeOfTheFutureIsRefused: in both halves, a type that nobody knows yet counts as one on the node.
func TestAVolumeTypeOfTheFutureIsRefused(t *testing.T) {
	owed := policy.Obligation{}.With(policy.Demand{Source: policy.Source{Kind: "ClusterPlacementPolicy", Name: "p"}, Levels: []string{"c5"}, NodeLocalStorage: v1alpha1.NodeLocalStorageDeny})
	pod := map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p", "namespace": "hr"},
		"spec": map[string]any{"schedulerName": "default-scheduler", "volumes": []any{map[string]any{"name": "scratch", "nodeDisk": map[string]any{"size": "1Gi"}}}},
	}
	var read placement.Pod
	if err := json.Unmarshal([]byte(pretty(pod)), &read); err != nil {
		t.Fatal(err)
	}
	request := podRequest(nil, floorOf(t, owed))
	request.Object = &unstructured.Unstructured{Object: pod}
	denials, err := compile(t).Validate(fence.Pods, request)
	if err != nil {
		t.Fatal(err)
	}
	verdict := placement.Judge(placement.Case{Pod: &read, Owed: owed, Settings: settings})
	for half, said := range map[string]string{"Go": verdict.Message(), "CEL": strings.Join(denials, "; ")} {
		if !strings.Contains(said, `volume "scratch"`) || !strings.Contains(said, "would keep data on the node") {
			t.Errorf("%s says %q", half, said)
		}
	}
}
