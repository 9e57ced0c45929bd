package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// The API server alone, while the operator is away, shapes random pods as the Go half does and refuses those that it refuses. In
// process, package fence compares tens of thousands; here the pods pass through everything else that an API server does to them.
func TestTheAPIServerAgreesWithGo(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "agrees")
	w.mustPatch(t, &v1alpha1.ClusterPlacementPolicy{}, "agrees", `{"spec":{"nodeLocalStorage":"Deny","encryption":{"keys":["health-kek"]}}}`)
	w.create(t, `{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: remote}, handler: remote}`)
	var p v1alpha1.ClusterPlacementPolicy
	eventually(t, "the floor says what the policy does", func() error {
		var floor v1alpha1.PlacementFloor
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "agrees", Name: v1alpha1.FloorName}, &floor); err != nil {
			return err
		}
		if floor.Spec.NodeLocalStorage != v1alpha1.NodeLocalStorageDeny || floor.Spec.Encryption == nil {
			return fmt.Errorf("it is %+v", floor.Spec)
		}
		return w.Get(t.Context(), client.ObjectKey{Name: "agrees"}, &p)
	})
	set := policy.Compile(policy.Objects{ClusterPolicies: []v1alpha1.ClusterPlacementPolicy{p}, Levels: []string{"trusted"}, Keys: anybodysKeys("health-kek", "other-kek")})
	owed := set.Namespace(policy.Namespace{Name: "agrees", Labels: map[string]string{"policy": "agrees"}})
	w.withoutOperator(t)
	admitted := 0
	for seed := range uint64(400) {
		pod := anyPod(rand.New(rand.NewPCG(seed, 23)))
		if w.agree(t, seed, pod, set, owed) {
			admitted++
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d of 400 were admitted", admitted)
	if admitted < 40 || admitted > 360 {
		t.Error("the cases are one-sided")
	}
}

// anybodysKeys are keys for which everybody may ask: who may, the API server alone cannot know.
func anybodysKeys(names ...string) []policy.Key {
	var all []policy.Key
	for _, name := range names {
		all = append(all, policy.Key{Name: name, Allows: func(map[string]string) bool { return true }})
	}
	return all
}

// agree compares verdict and shape of one pod.
func (w *world) agree(t *testing.T, seed uint64, pod *corev1.Pod, set *policy.Set, namespace policy.Obligation) (admitted bool) {
	t.Helper()
	sent := pod.DeepCopy()
	err := w.Create(t.Context(), pod, client.DryRunAll)
	read := placement.PodOf(&sent.ObjectMeta, &sent.Spec)
	owed := read.Owed(set, namespace, policy.Source{Kind: "Pod", Namespace: sent.Namespace, Name: sent.Name})
	c := placement.Case{Pod: &read, Owed: owed, Settings: placement.DefaultSettings()}
	verdict := placement.JudgeShaped(c)
	if verdict.Allowed() != (err == nil) {
		t.Errorf("seed %d: Go says %q, and the API server %v, of %s", seed, verdict.Message(), err, text(t, sent))
	}
	if err != nil {
		return false
	}
	want := shaped(t, sent, placement.Shape(c))
	for what, pair := range map[string][2]any{
		"labels": {want.Labels, pod.Labels}, "annotations": {want.Annotations, pod.Annotations},
		"nodeSelector": {want.Spec.NodeSelector, pod.Spec.NodeSelector}, "constraints": {want.Spec.TopologySpreadConstraints, pod.Spec.TopologySpreadConstraints},
		"gates": {want.Spec.SchedulingGates, pod.Spec.SchedulingGates},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("seed %d: %s (-Go +API server):\n%s", seed, what, diff)
		}
	}
	return true
}

func text(t *testing.T, o any) []byte {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func shaped(t *testing.T, pod *corev1.Pod, patches []placement.Patch) *corev1.Pod {
	t.Helper()
	patch, err := jsonpatch.DecodePatch(text(t, append([]placement.Patch{}, patches...)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := patch.Apply(text(t, pod))
	if err != nil {
		t.Fatal(err)
	}
	out := &corev1.Pod{}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// anyPod is a pod that an API server without Terroir admits.
func anyPod(r *rand.Rand) *corev1.Pod {
	controller := true
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "agrees", Name: one(r, "web-0", "a-name-that-is-longer-than-a-label-value-may-be-and-goes-on.and-on"),
		Labels:          one(r, nil, map[string]string{"app": "web"}, map[string]string{v1alpha1.WorkloadLabel: one(r, "web-0", "web-0", "other")}),
		Annotations:     one(r, nil, nil, map[string]string{"unrelated": "x"}, map[string]string{v1alpha1.TrustLevelAnnotation: one(r, "trusted", "trusted, trusted", "?")}, map[string]string{v1alpha1.InheritedMinSitesAnnotation: one(r, "2", "5", "many")}, map[string]string{v1alpha1.EncryptionKeyAnnotation: one(r, "health-kek", "health-kek", "other-kek", "a,b")}),
		OwnerReferences: one(r, nil, nil, []metav1.OwnerReference{{APIVersion: one(r, "apps/v1", "batch/v1"), Kind: one(r, "ReplicaSet", "DaemonSet", "Job"), Name: "o", UID: "1f0c2c5e-0000-4000-8000-000000000001", Controller: &controller}}),
	}}
	p.Spec = corev1.PodSpec{
		Containers:      []corev1.Container{{Name: "c", Image: "x"}},
		SchedulerName:   one(r, "", "", "", "", "", "", "mine"),
		NodeName:        one(r, "", "", "", "", "", "", "", "na1"),
		NodeSelector:    one(r, nil, map[string]string{"disk": "ssd"}, map[string]string{heldTrusted: "true"}, map[string]string{heldTrusted: "false"}),
		Volumes:         one(r, nil, nil, nil, []corev1.Volume{anyVolume(r)}, []corev1.Volume{anyVolume(r)}),
		SchedulingGates: one(r, nil, nil, []corev1.PodSchedulingGate{{Name: "example.org/quota"}}, []corev1.PodSchedulingGate{{Name: v1alpha1.EncryptionGate}}),
	}
	if r.IntN(8) == 0 {
		p.Spec.RuntimeClassName = new("remote")
	}
	for i := range r.IntN(3) {
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, anyConstraint(r, i))
	}
	return p
}

func anyVolume(r *rand.Rand) corev1.Volume {
	return corev1.Volume{Name: "v", VolumeSource: one(r,
		corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		corev1.VolumeSource{},
		corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}},
		corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}},
		corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}},
		corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}},
		corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "s", Path: "/"}},
		corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		}}}},
	)}
}

// anyConstraint is right or wrong. The API server admits no two on one key with the same action.
func anyConstraint(r *rand.Rand, i int) corev1.TopologySpreadConstraint {
	honor, ignore := corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore
	c := corev1.TopologySpreadConstraint{
		MaxSkew: one[int32](r, 1, 1, 3), TopologyKey: []string{open("trusted"), corev1.LabelTopologyZone}[i], WhenUnsatisfiable: one(r, corev1.DoNotSchedule, corev1.DoNotSchedule, corev1.ScheduleAnyway),
		NodeAffinityPolicy: one(r, nil, &honor, &ignore), NodeTaintsPolicy: one(r, &honor, &honor, &ignore),
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.WorkloadLabel: one(r, "web-0", "1f0c2c5e-0000-4000-8000-000000000001")}},
	}
	if c.WhenUnsatisfiable == corev1.DoNotSchedule {
		c.MinDomains = one(r, nil, new(int32(3)), new(int32(5)))
	}
	return c
}
