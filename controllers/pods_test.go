package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// seen is a pod as the cache has it.
func seen(t *testing.T, p *corev1.Pod) *seenPod {
	t.Helper()
	o, err := newLooks().slim(p)
	if err != nil {
		t.Fatal(err)
	}
	return o.(*seenPod)
}

// standing is a running pod on a node, changed by tweak.
func standing(t *testing.T, namespace, name, node string, tweak func(*corev1.Pod)) *seenPod {
	t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{NodeName: node}}
	if tweak != nil {
		tweak(p)
	}
	return seen(t, p)
}

// replica is a pod of a workload, with what all pods carry and nobody here reads.
func replica(name string, tweak func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "n", Name: name, GenerateName: "web-", UID: "u-" + "x", ResourceVersion: "7",
			Labels:          map[string]string{"app": "web", v1alpha1.WorkloadLabel: "rs"},
			Annotations:     map[string]string{"example.org/a": name, v1alpha1.PlacementAnnotation: name, v1alpha1.TrustLevelAnnotation: "here"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: "rs", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName: "node-" + name, NodeSelector: map[string]string{heldHere: "true", "disk": "ssd"},
			Volumes: []corev1.Volume{
				{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-" + name}}},
				{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}},
			},
		},
	}
	if tweak != nil {
		tweak(p)
	}
	return p
}

func TestPodsOfAWorkloadShareWhatTheyHaveInCommon(t *testing.T) {
	l := newLooks()
	slim := func(p *corev1.Pod) *seenPod {
		o, err := l.slim(p)
		if err != nil {
			t.Fatal(err)
		}
		return o.(*seenPod)
	}
	a, b := slim(replica("a", nil)), slim(replica("b", nil))
	if a.look != b.look {
		t.Error("each has its own")
	}
	if diff := cmp.Diff([]string{"data-a", "a-scratch"}, a.claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if a.on() != "node-a" || a.Name != "a" || a.Namespace != "n" || a.ResourceVersion != "7" || a.workload() != "ReplicaSet/web-1" || !a.isAnnotated || a.judged().Metadata.Name != "a" {
		t.Errorf("it is seen as %+v %+v", a, a.look)
	}
	for what, tweak := range map[string]func(*corev1.Pod){
		"another selector":         func(p *corev1.Pod) { p.Spec.NodeSelector = nil },
		"another demand":           func(p *corev1.Pod) { p.Annotations = nil },
		"another controller":       func(p *corev1.Pod) { p.OwnerReferences[0].UID = "other" },
		"none":                     func(p *corev1.Pod) { p.OwnerReferences = nil },
		"another scheduler":        func(p *corev1.Pod) { p.Spec.SchedulerName = "mine" },
		"another workload label":   func(p *corev1.Pod) { p.Labels[v1alpha1.WorkloadLabel] = "other" },
		"a mirror of a static pod": func(p *corev1.Pod) { p.Annotations[corev1.MirrorPodAnnotationKey] = "x" },
		"a share of its own": func(p *corev1.Pod) {
			p.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}
		},
		"a constraint on where it may come": func(p *corev1.Pod) {
			p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{TopologyKey: openHere}}
		},
	} {
		if slim(replica("a", tweak)).look == a.look {
			t.Errorf("%s makes no difference", what)
		}
	}
	again, err := l.slim(a)
	if err != nil || again != any(a) {
		t.Errorf("what is slim already becomes %v (%v)", again, err)
	}
}

func TestPodChangesThatConcern(t *testing.T) {
	l := newLooks()
	slim := func(p *corev1.Pod) *seenPod {
		o, _ := l.slim(p)
		return o.(*seenPod)
	}
	before := slim(replica("a", nil))
	for what, c := range map[string]struct {
		tweak    func(*corev1.Pod)
		concerns bool
	}{
		"a heartbeat":        {func(p *corev1.Pod) { p.Status.Message = "x" }, false},
		"a foreign label":    {func(p *corev1.Pod) { p.Labels["x"] = "y" }, false},
		"it is bound":        {func(p *corev1.Pod) { p.Spec.NodeName = "other" }, true},
		"it finishes":        {func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, true},
		"its workload label": {func(p *corev1.Pod) { p.Labels[v1alpha1.WorkloadLabel] = "x" }, true},
		"its annotation":     {func(p *corev1.Pod) { p.Annotations[v1alpha1.TrustLevelAnnotation] = "x" }, true},
	} {
		if got := podConcerns(before, slim(replica("a", c.tweak))); got != c.concerns {
			t.Errorf("%s: concerns %v", what, got)
		}
	}
}

func TestWhichPodsHaveBeenLetGoAndHaveNoNodeYet(t *testing.T) {
	for what, c := range map[string]struct {
		tweak func(*corev1.Pod)
		want  bool
	}{
		"one whose gate was lifted": {func(*corev1.Pod) {}, true},
		"not one that waits": {func(p *corev1.Pod) {
			p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.EncryptionGate}}
		}, false},
		"not one that has a node":                      {func(p *corev1.Pod) { p.Spec.NodeName = "n1" }, false},
		"not one that never waited":                    {func(p *corev1.Pod) { p.Status.Conditions = nil }, false},
		"not one that is finished":                     {func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, false},
		"not one that is going":                        {func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} }, false},
		"one that waits for somebody else's gate, too": {func(p *corev1.Pod) { p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.org/other"}} }, true},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "db-0"}}
		p.Status.Conditions = []corev1.PodCondition{{Type: v1alpha1.EncryptionProvenCondition, Status: corev1.ConditionTrue, Reason: "Proven"}}
		c.tweak(p)
		if got := seen(t, p).letGo(); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
