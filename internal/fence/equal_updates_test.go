package fence_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/placement"
)

// TestHalvesAgreeOnRandomUpdates: the Go halves and the CEL halves judge updates of pods alike, and with the same sentences.
func TestHalvesAgreeOnRandomUpdates(t *testing.T) {
	seen := newTally(t, 100, "annotations", "workload", "gates", "labels")
	random(t, 8000, 17, func(t *testing.T, f *fencetest.Fence, seed int, r *rand.Rand) {
		before := randomPlaced(r)
		after := randomUpdate(r, before)
		request := updateRequest(r, before, after)
		want := placement.JudgeUpdate(placement.Update{
			Before: readPod(before), After: readPod(after), User: request.User,
			Governed: request.Namespace.Labels[v1alpha1.GovernedLabel] == "true" && request.Namespace.Name != metav1.NamespaceSystem,
		})
		got, err := f.Validate(fence.PodUpdates, request)
		if err != nil || !slices.Equal(sentences(want), got) {
			t.Fatalf("seed %d: Go says %q, CEL says %q, %v\nbefore %s\nafter %s", seed, sentences(want), got, err, pretty(before), pretty(after))
		}
		seen.note(want)
		if want = placement.JudgeUpdate(placement.Update{Before: readPod(before), After: readPod(before), Governed: true}); !want.Allowed() {
			t.Fatalf("seed %d: nothing changed, and Go says %q", seed, want.Message())
		}
	})
}

// TestHalvesAgreeOnRandomAdoptions: the Go half and the CEL half judge alike whether a pod may get another controller.
func TestHalvesAgreeOnRandomAdoptions(t *testing.T) {
	seen := newTally(t, 100, "adoption")
	random(t, 4000, 19, func(t *testing.T, f *fencetest.Fence, seed int, r *rand.Rand) {
		before := randomPlaced(r)
		after := randomUpdate(r, before)
		_, namespace := randomObligation(r)
		request := updateRequest(r, before, after)
		request.Params = floorOf(t, namespace)
		verdict := placement.JudgeAdoption(readPod(before), readPod(after), namespace)
		seen.note(verdict)
		denials, err := f.Validate(fence.PodAdoptions, request)
		if err != nil || verdict.Allowed() != (len(denials) == 0) {
			t.Fatalf("seed %d: Go says %q, CEL says %q, %v\nowed %+v\nbefore %s\nafter %s", seed, verdict.Message(), denials, err, namespace, pretty(before), pretty(after))
		}
	})
}

func sentences(v placement.Verdict) []string {
	var said []string
	for _, d := range v.Denials {
		said = append(said, d.Message)
	}
	return said
}

func readPod(pod *corev1.Pod) *placement.Pod {
	read := placement.PodOf(&pod.ObjectMeta, &pod.Spec)
	read.Status.Phase = pod.Status.Phase
	return &read
}

func updateRequest(r *rand.Rand, before, after *corev1.Pod) fencetest.Request {
	request := podRequest(after, nil)
	request.Operation, request.Old = admission.Update, before
	request.User = pick(r, []string{"dev", "dev", placement.OperatorUser})
	request.Namespace = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: pick(r, []string{"hr", "hr", "hr", metav1.NamespaceSystem}), Labels: pick(r, []map[string]string{nil, {v1alpha1.GovernedLabel: "true"}, {v1alpha1.GovernedLabel: "true"}}),
	}}
	return request
}

// randomPlaced is a pod as it may have become after its creation.
func randomPlaced(r *rand.Rand) *corev1.Pod {
	pod := randomPod(r)
	pod.Spec.NodeName = pick(r, []string{"", "n1", "n1"})
	pod.Status.Phase = pick(r, []corev1.PodPhase{"", corev1.PodPending, corev1.PodRunning, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed})
	if r.IntN(3) == 0 {
		pod.Labels = map[string]string{"app": "web", "pod-template-hash": "5d9c"}
	}
	for _, gate := range []string{"terroir.dev/keys", "terroir.dev/volumes", "example.org/quota"} {
		if r.IntN(6) == 0 {
			pod.Spec.SchedulingGates = append(pod.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: gate})
		}
	}
	return pod
}

// randomUpdate changes up to three things about a pod.
func randomUpdate(r *rand.Rand, before *corev1.Pod) *corev1.Pod {
	after := before.DeepCopy()
	for range r.IntN(4) {
		pick(r, []func(*rand.Rand, *corev1.Pod){relabel, annotate, lift, release, adopt, finish})(r, after)
	}
	return after
}

func relabel(r *rand.Rand, pod *corev1.Pod) {
	pod.Labels = maps.Clone(pod.Labels)
	key := pick(r, []string{"app", "role", "pod-template-hash", v1alpha1.WorkloadLabel})
	if r.IntN(3) == 0 {
		delete(pod.Labels, key)
		return
	}
	metav1.SetMetaDataLabel(&pod.ObjectMeta, key, pick(r, []string{"web", "", "5d9c", "primary", "1f0c2c5e-0000-4000-8000-000000000001"}))
}

func annotate(r *rand.Rand, pod *corev1.Pod) {
	pod.Annotations = maps.Clone(pod.Annotations)
	key := pick(r, []string{"unrelated", v1alpha1.TrustLevelAnnotation, v1alpha1.PlacementAnnotation, v1alpha1.InheritedMinSitesAnnotation, "terroir.dev/unknown"})
	if r.IntN(3) == 0 {
		delete(pod.Annotations, key)
		return
	}
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, key, pick(r, []string{"secnumcloud", "", "3", "{}"}))
}

func lift(r *rand.Rand, pod *corev1.Pod) {
	if len(pod.Spec.SchedulingGates) > 0 && r.IntN(3) > 0 {
		pod.Spec.SchedulingGates = pod.Spec.SchedulingGates[1:]
		return
	}
	gate := corev1.PodSchedulingGate{Name: pick(r, []string{"terroir.dev/keys", "example.org/quota"})}
	pod.Spec.SchedulingGates = append(slices.Clone(pod.Spec.SchedulingGates), gate)
}

func release(_ *rand.Rand, pod *corev1.Pod) { pod.OwnerReferences = nil }

// adopt makes a pod one of another controller; sometimes one that could be adopted.
func adopt(r *rand.Rand, pod *corev1.Pod) {
	if slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return *o.Controller }) {
		return
	}
	owner := metav1.OwnerReference{
		APIVersion: "apps/v1", Kind: pick(r, []string{"ReplicaSet", "StatefulSet", "ReplicationController"}), Name: "o",
		UID: types.UID(fmt.Sprintf("1f0c2c5e-0000-4000-8000-00000000000%d", r.IntN(3))), Controller: ptr(true),
	}
	pod.OwnerReferences = append(slices.Clone(pod.OwnerReferences), owner)
	if r.IntN(2) == 0 {
		pod.Spec.NodeSelector = map[string]string{}
		for _, level := range levels[r.IntN(2):] {
			pod.Spec.NodeSelector[v1alpha1.HeldLabelPrefix+level] = "true"
		}
	}
	if r.IntN(2) == 0 {
		metav1.SetMetaDataLabel(&pod.ObjectMeta, v1alpha1.WorkloadLabel, string(owner.UID))
	}
}

func finish(_ *rand.Rand, pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded }
