package placement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

func TestPodsThatWaitForProof(t *testing.T) {
	gate, quota := corev1.PodSchedulingGate{Name: v1alpha1.EncryptionGate}, corev1.PodSchedulingGate{Name: "example.org/quota"}
	encrypted := policy.Obligation{}.With(policy.Demand{Source: policy.Source{Kind: "Pod", Name: "web"}, Encryption: &policy.Encryption{Keys: []string{"health-kek"}}})
	for sentence, c := range map[string]struct {
		owed    policy.Obligation
		volumes []string // their types
		gates   []corev1.PodSchedulingGate
		patches []placement.Patch
		denied  bool
	}{
		"it has a claim":                             {owed: encrypted, volumes: []string{"secret", "persistentVolumeClaim"}, patches: []placement.Patch{{Op: "add", Path: "/spec/schedulingGates", Value: []corev1.PodSchedulingGate{gate}}}, denied: true},
		"it makes a claim of its own":                {owed: encrypted, volumes: []string{"ephemeral"}, patches: []placement.Patch{{Op: "add", Path: "/spec/schedulingGates", Value: []corev1.PodSchedulingGate{gate}}}, denied: true},
		"it waits for somebody else already":         {owed: encrypted, volumes: []string{"ephemeral"}, gates: []corev1.PodSchedulingGate{quota}, patches: []placement.Patch{{Op: "add", Path: "/spec/schedulingGates/-", Value: gate}}, denied: true},
		"it waits already":                           {owed: encrypted, volumes: []string{"ephemeral"}, gates: []corev1.PodSchedulingGate{quota, gate}},
		"it has no claim":                            {owed: encrypted, volumes: []string{"secret", "emptyDir", "hostPath"}},
		"it has a claim, and owes nothing":           {volumes: []string{"persistentVolumeClaim"}},
		"it owes nothing, and brings Terroir's gate": {volumes: []string{"persistentVolumeClaim"}, gates: []corev1.PodSchedulingGate{gate}},
	} {
		t.Run(sentence, func(t *testing.T) {
			pod := &placement.Pod{}
			pod.Metadata.Name, pod.Spec.SchedulingGates = "web", c.gates
			for _, of := range c.volumes {
				pod.Spec.Volumes = append(pod.Spec.Volumes, placement.Volume{Name: of, Types: []string{of}})
			}
			asked := placement.Case{Pod: pod, Owed: c.owed, Settings: placement.DefaultSettings()}
			if diff := cmp.Diff(c.patches, placement.Shape(asked)); diff != "" {
				t.Errorf("it is given (-want +got):\n%s", diff)
			}
			const want = "Pod/web requires that volumes are encrypted, so spec.schedulingGates must contain terroir.dev/encryption until that is proven; leave it to Terroir"
			if v := placement.Judge(asked); v.Allowed() == c.denied || c.denied && v.Message() != want {
				t.Errorf("as it comes, it says %q", v.Message())
			}
			if v := placement.JudgeShaped(asked); !v.Allowed() {
				t.Errorf("shaped, it says %q", v.Message())
			}
		})
	}
}
