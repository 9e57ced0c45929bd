package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/snapshot"
)

// kept is a store of objects with a loop over it.
type kept struct {
	*Gates
	recorder *events.FakeRecorder
	current  *snapshot.Snapshot
}

func keeping(t *testing.T, objects ...client.Object) kept {
	t.Helper()
	scheme, err := Scheme(clientgoscheme.AddToScheme)
	if err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(&corev1.Pod{}).Build()
	recorder := events.NewFakeRecorder(8)
	return kept{
		Gates: &Gates{writer: writer{c}, live: c, recorder: recorder}, recorder: recorder,
		current: &snapshot.Snapshot{Versions: map[types.UID]int64{"policy": 3}},
	}
}

// is gives the pod as it is afterwards: its gates, and what its condition says.
func (k kept) is(t *testing.T, p *corev1.Pod) string {
	t.Helper()
	var is corev1.Pod
	if err := k.client.Get(context.Background(), client.ObjectKeyFromObject(p), &is); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, g := range is.Spec.SchedulingGates {
		words = append(words, g.Name)
	}
	for _, c := range is.Status.Conditions {
		words = append(words, string(c.Type)+"="+string(c.Status), c.Reason, c.Message, "since", c.LastTransitionTime.UTC().Format("15:04"))
	}
	return strings.Join(words, " ")
}

func (k kept) carry(t *testing.T, w *sealed) {
	t.Helper()
	world := w.world(t)
	if err := k.carryOut(context.Background(), k.current, world, decideGates(world)); err != nil {
		t.Fatal(err)
	}
}

func TestAGateIsLiftedFromThePodThatWasMeant(t *testing.T) {
	const proven = " terroir.dev/EncryptionProven=True Proven every volume of the pod is, or will be, encrypted as it owes since 12:00"
	for what, c := range map[string]struct {
		there func(*corev1.Pod)
		want  string
	}{
		"others' gates stay":                         {func(*corev1.Pod) {}, "example.org/other" + proven},
		"wherever among them it is":                  {func(p *corev1.Pod) { p.Spec.SchedulingGates = p.Spec.SchedulingGates[1:] }, strings.TrimSpace(proven)},
		"from a pod without it nothing can be taken": {func(p *corev1.Pod) { p.Spec.SchedulingGates = p.Spec.SchedulingGates[:1] }, "example.org/other" + proven},
	} {
		w := waiting()
		there := w.pod.DeepCopy()
		c.there(there)
		k := keeping(t, there, &w.claims[0])
		k.carry(t, w)
		if diff := cmp.Diff(c.want, k.is(t, there)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if told := eventsOf(k.recorder); len(told) > 0 {
			t.Errorf("%s: told %v", what, told)
		}
	}
}

func TestTheGateOfAPodThatHasComeByTheNameStays(t *testing.T) {
	w := waiting()
	there := w.pod.DeepCopy()
	there.UID = "successor"
	k := keeping(t, there, &w.claims[0])
	k.carry(t, w)
	if got := k.is(t, there); !strings.Contains(got, v1alpha1.EncryptionGate) {
		t.Error(got)
	}
}

func TestWhatLeavesNothingToBeDone(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	invalid := func(path string) error {
		return apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "p", field.ErrorList{field.Invalid(field.NewPath(path), "x", "field is immutable")})
	}
	for what, c := range map[string]struct {
		err  error
		want bool
	}{
		"it is done":                     {nil, true},
		"the pod is gone":                {apierrors.NewNotFound(pods, "p"), true},
		"another has come by its name":   {invalid("metadata.uid"), true},
		"somebody else was faster":       {apierrors.NewConflict(pods, "p", errors.New("x")), true},
		"the API server refuses":         {invalid("status"), false},
		"Terroir may not":                {apierrors.NewForbidden(pods, "p", errors.New("x")), false},
		"nobody knows whether it worked": {errors.New("timeout"), false},
	} {
		if got := passed(c.err); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestAPodThatIsGoneIsNoFailure(t *testing.T) {
	w := waiting()
	keeping(t, &w.claims[0]).carry(t, w)
}

func TestAGateIsLiftedForTheClaimsThatWereMeant(t *testing.T) {
	for what, tweak := range map[string]func(*corev1.PersistentVolumeClaim){
		"another claim has come by the name":           func(c *corev1.PersistentVolumeClaim) { c.UID = "successor" },
		"somebody has named a volume in it":            func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "by-hand" },
		"somebody has it override what its class says": func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeAttributesClassName = new("plain") },
		"it is gone, and there is one by another name": func(c *corev1.PersistentVolumeClaim) { c.Name = "other" },
		"the old annotation on it names another class": func(c *corev1.PersistentVolumeClaim) { c.Annotations[corev1.BetaStorageClassAnnotation] = "slow" },
	} {
		w := waiting()
		there := w.claims[0].DeepCopy()
		tweak(there)
		k := keeping(t, w.pod.DeepCopy(), there)
		k.carry(t, w)
		if diff := cmp.Diff("example.org/other terroir.dev/encryption", k.is(t, &w.pod)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestAPodThatWaitsIsToldWhyOnce(t *testing.T) {
	w := waiting()
	w.claims = nil
	w.pod.Status.Conditions = []corev1.PodCondition{{Type: "PodScheduled", Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(noon.Add(-60e9))}}
	k := keeping(t, w.pod.DeepCopy())
	k.carry(t, w)
	k.carry(t, w) // the cache has not seen yet what was written
	const others = "example.org/other terroir.dev/encryption "
	missing := `claim "data" does not exist, so nobody can tell how its volume will be encrypted`
	if diff := cmp.Diff(others+"terroir.dev/EncryptionProven=False ClaimNotFound "+missing+" since 12:00 PodScheduled=False   since 11:59", k.is(t, &w.pod)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Warning ClaimNotFound " + missing}, eventsOf(k.recorder)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestSinceWhenAPodWaitsStays(t *testing.T) {
	w := waiting()
	w.claims = nil
	w.pod.Status.Conditions = []corev1.PodCondition{{
		Type: v1alpha1.EncryptionProvenCondition, Status: corev1.ConditionFalse, Reason: "KeyRevoked", Message: "m", LastTransitionTime: metav1.NewTime(noon.Add(-60e9)),
	}}
	k := keeping(t, w.pod.DeepCopy())
	k.carry(t, w)
	if got := k.is(t, &w.pod); !strings.Contains(got, "ClaimNotFound") || !strings.HasSuffix(got, "since 11:59") {
		t.Error(got)
	}
}

func TestAGateIsNotLiftedForWantOfAPolicyThatIsNotKnownYet(t *testing.T) {
	policy := func(generation int64) *v1alpha1.ClusterPlacementPolicy {
		return &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "policy", Generation: generation}}
	}
	for what, c := range map[string]struct {
		policy    *v1alpha1.ClusterPlacementPolicy
		namespace map[string]string
		lifted    bool
	}{
		"all are known":              {policy(3), map[string]string{"data": "health"}, true},
		"one was changed":            {policy(4), map[string]string{"data": "health"}, false},
		"the namespace was labelled": {policy(3), map[string]string{"data": "other"}, false},
	} {
		w := waiting()
		w.demand.Encryption = nil
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: c.namespace}}
		k := keeping(t, w.pod.DeepCopy(), c.policy, namespace)
		k.carry(t, w)
		if lifted := !strings.Contains(k.is(t, &w.pod), v1alpha1.EncryptionGate+" ") && strings.Contains(k.is(t, &w.pod), "NothingOwed"); lifted != c.lifted {
			t.Errorf("%s: lifted %v: %s", what, lifted, k.is(t, &w.pod))
		}
	}
}

func TestRecordsAreWritten(t *testing.T) {
	w := waiting()
	w.claims[0].Annotations = nil
	k := keeping(t, &w.claims[0])
	if err := k.record(context.Background(), decideRecords(w.world(t))); err != nil {
		t.Fatal(err)
	}
	var is corev1.PersistentVolumeClaim
	if err := k.client.Get(context.Background(), client.ObjectKeyFromObject(&w.claims[0]), &is); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{v1alpha1.KeyLabel: "kek", v1alpha1.BindingLabel: "ProviderEnvelope"}
	if diff := cmp.Diff(want, is.Labels); diff != "" || is.Annotations[v1alpha1.ClassAnnotation] == "" {
		t.Errorf("labels (-want +got):\n%s\nannotations %v", diff, is.Annotations)
	}
}
