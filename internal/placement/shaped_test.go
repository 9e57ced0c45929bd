package placement_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// TestJudgeShapedIsJudgeOfTheShaped: asking only what shaping cannot mend gives the verdict that asking everything about the pod
// really patched gives.
func TestJudgeShapedIsJudgeOfTheShaped(t *testing.T) {
	allowed := 0
	for seed := range 4000 {
		r := rand.New(rand.NewPCG(uint64(seed), 11))
		c := randomCase(r)
		patched := patchedPod(t, c)
		really := placement.Judge(placement.Case{Pod: patched, Owed: c.Owed, Settings: c.Settings})
		got := placement.JudgeShaped(c)
		if got.Allowed() != really.Allowed() {
			t.Fatalf("seed %d: JudgeShaped says %q, Judge of the patched pod says %q\n%+v\nowed %+v", seed, got.Message(), really.Message(), *c.Pod, c.Owed)
		}
		if got.Allowed() {
			allowed++
		}
	}
	if allowed < 400 || allowed > 3600 {
		t.Errorf("%d of 4000 were allowed: the cases are one-sided", allowed)
	}
}

func patchedPod(t *testing.T, c placement.Case) *placement.Pod {
	t.Helper()
	// What is empty is absent in an object of the API server, which placement.Pod's plain tags do not say.
	spec := lean(t, c.Pod.Spec)
	spec["volumes"] = volumesOf(c.Pod)
	raw, err := json.Marshal(map[string]any{"metadata": lean(t, c.Pod.Metadata), "spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(placement.Shape(c))
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err = patch.Apply(raw)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, text, raw)
	}
	var pod placement.Pod
	if err := json.Unmarshal(raw, &pod); err != nil {
		t.Fatal(err)
	}
	return &pod
}

// volumesOf are a pod's volumes, as the API writes them.
func volumesOf(pod *placement.Pod) []any {
	volumes := []any{}
	for _, v := range pod.Spec.Volumes {
		volume := map[string]any{"name": v.Name}
		for _, of := range v.Types {
			volume[of] = map[string]any{}
		}
		volumes = append(volumes, volume)
	}
	return volumes
}

func lean(t *testing.T, value any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	for key, v := range fields {
		if v == nil || v == "" {
			delete(fields, key)
		}
	}
	return fields
}

func oneOf[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomCase(r *rand.Rand) placement.Case {
	anybody := func(map[string]string) bool { return true }
	set := policy.Compile(policy.Objects{Keys: []policy.Key{{Name: "health-kek", Allows: anybody}}, Levels: []string{"c5", "in-france", "secnumcloud"}, ClusterPolicies: []v1alpha1.ClusterPlacementPolicy{{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec: v1alpha1.ClusterPlacementPolicySpec{
			NamespaceSelector: v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"a": "b"}},
			PlacementDemand: v1alpha1.PlacementDemand{
				TrustLevels: []v1alpha1.LevelName{oneOf[v1alpha1.LevelName](r, "c5", "secnumcloud", "secnumcloud", "missing")}, Enforcement: v1alpha1.EnforcementEnforce,
				Encryption: oneOf(r, nil, nil, &v1alpha1.Encryption{}, &v1alpha1.Encryption{Keys: []v1alpha1.KeyName{"health-kek"}}),
				Spread:     oneOf(r, nil, &v1alpha1.Spread{MinSites: 1 + r.Int32N(3), MaxSkew: r.Int32N(3)}),
			},
		},
	}}})
	namespace := set.Namespace(policy.Namespace{Name: "hr", Labels: oneOf(r, nil, map[string]string{"a": "b"})})
	pod := randomPod(r)
	return placement.Case{Pod: pod, Owed: pod.Owed(set, namespace, policy.Source{Kind: "Pod", Name: "web"}), Settings: placement.DefaultSettings()}
}

func randomPod(r *rand.Rand) *placement.Pod {
	p := &placement.Pod{}
	p.Metadata.Name = oneOf(r, "", "web-0", "web-0", "-invalid", "a-name-that-is-longer-than-a-label-value-may-be-and-goes-on.and-on")
	p.Metadata.GenerateName = oneOf(r, "", "", "web-")
	p.Metadata.Labels = oneOf(r, nil, map[string]string{}, map[string]string{"app": "x"}, map[string]string{"terroir.dev/workload": oneOf(r, "", "web-0", "web-", "other")})
	p.Metadata.Annotations = oneOf(r, nil, nil, map[string]string{"terroir.dev/trust-level": oneOf(r, "in-france", "c5, in-france", "nope", "?")},
		map[string]string{"terroir.dev/min-sites": oneOf(r, "2", "x")}, map[string]string{"terroir.dev/mispelt": "2"}, map[string]string{"terroir.dev/placement": "mine"}, map[string]string{"terroir.dev/encryption-key": oneOf(r, "health-kek", "health-kek", "moon", "?")})
	for range r.IntN(3) {
		p.Spec.Volumes = append(p.Spec.Volumes, placement.Volume{Name: "v", Types: []string{oneOf(r, "persistentVolumeClaim", "ephemeral", "emptyDir", "secret", "nfs", "csi")}})
	}
	p.Spec.SchedulingGates = oneOf(r, nil, nil, []corev1.PodSchedulingGate{{Name: "example.org/quota"}}, []corev1.PodSchedulingGate{{Name: v1alpha1.EncryptionGate}})
	if r.IntN(2) == 0 {
		p.Metadata.OwnerReferences = []placement.Owner{{APIVersion: oneOf(r, "apps/v1", "batch/v1"), Kind: oneOf(r, "ReplicaSet", "DaemonSet", "Job"), UID: oneOf(r, "u-1", "u-1", ""), Controller: r.IntN(4) > 0}}
	}
	p.Spec.NodeName = oneOf(r, "", "", "", "", "n")
	p.Spec.SchedulerName = oneOf(r, "", "default-scheduler", "default-scheduler", "mine")
	p.Spec.RuntimeClassName = oneOf(r, "", "", "", "kata")
	p.Spec.NodeSelector = oneOf(r, nil, map[string]string{"disk": "ssd"}, map[string]string{v1alpha1.HeldLabelPrefix + "secnumcloud": oneOf(r, "true", "false")})
	randomConstraints(r, p)
	return p
}

// randomConstraints are some of ours, right and wrong, and some of others.
func randomConstraints(r *rand.Rand, p *placement.Pod) {
	for range r.IntN(4) {
		text := fmt.Sprintf(`{"maxSkew": %d, "minDomains": %d, "topologyKey": %q, "whenUnsatisfiable": %q, "nodeTaintsPolicy": %q, "labelSelector": {"matchLabels": {"terroir.dev/workload": %q}}}`,
			oneOf(r, 1, 2, 2147483647), oneOf(r, 1, 2, 3), oneOf(r, v1alpha1.OpenLabelPrefix+"secnumcloud", v1alpha1.OpenLabelPrefix+"c5", "kubernetes.io/hostname"),
			oneOf(r, "DoNotSchedule", "DoNotSchedule", "ScheduleAnyway"), oneOf(r, "Honor", "Honor", "Ignore"), oneOf(r, "web-0", "u-1", "other"))
		var constraint corev1.TopologySpreadConstraint
		if err := json.Unmarshal([]byte(text), &constraint); err != nil {
			panic(err) // the text above is JSON
		}
		p.Spec.TopologySpreadConstraints = append(p.Spec.TopologySpreadConstraints, constraint)
	}
}
