package placement

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Law: a pod that owes encryption and has claims waits until Terroir has proven under which keys its volumes are.
//
// Reads spec.volumes and spec.schedulingGates. Demands the gate terroir.dev/encryption of pods with a claim, a generic ephemeral one
// included: what has to be looked up, neither the pod nor its policy says, and no probe of a store shall hold up admission. Door 11 keeps
// the gate, which Terroir alone lifts. Ignores other gates, and pods that bring this one and owe nothing: Terroir lifts it.
func ruleGate() Rule {
	return Rule{
		Name: "encryption-gate",
		Judge: func(c Case) []Denial {
			if !c.lacksGate() {
				return nil
			}
			return []Denial{{Rule: "encryption-gate", Field: "spec.schedulingGates", Message: requiresEncryption(c.Owed) + gateMissing}}
		},
		Patches: func(c Case) []Patch {
			gate := corev1.PodSchedulingGate{Name: v1alpha1.EncryptionGate}
			switch {
			case !c.lacksGate():
				return nil
			case c.Pod.Spec.SchedulingGates == nil:
				return []Patch{{Op: "add", Path: "/spec/schedulingGates", Value: []corev1.PodSchedulingGate{gate}}}
			default:
				return []Patch{{Op: "add", Path: "/spec/schedulingGates/-", Value: gate}}
			}
		},
		Variables: []Variable{
			{"lacksGate", `variables.encrypted && !object.spec.?schedulingGates.orValue([]).exists(g, g.name == '` + v1alpha1.EncryptionGate + `')
  && object.spec.?volumes.orValue([]).exists(v, has(v.persistentVolumeClaim) || has(v.ephemeral))`},
		},
		Validations: func(Settings) []Validation {
			return []Validation{{`!variables.lacksGate`, `variables.demanders.join(', ') + ' requires that volumes are encrypted` + gateMissing + `'`}}
		},
		Patch: `(!variables.lacksGate ? [] : has(object.spec.schedulingGates) ? [JSONPatch{op: 'add', path: '/spec/schedulingGates/-', value: {'name': '` + v1alpha1.EncryptionGate + `'}}]
  : [JSONPatch{op: 'add', path: '/spec/schedulingGates', value: [{'name': '` + v1alpha1.EncryptionGate + `'}]}])`,
	}
}

const gateMissing = ", so spec.schedulingGates must contain " + v1alpha1.EncryptionGate + " until that is proven; leave it to Terroir"

// lacksGate reports whether the pod has to wait and does not.
func (c Case) lacksGate() bool {
	if c.Owed.Encryption == nil || !slices.ContainsFunc(c.Pod.Spec.Volumes, Volume.claimed) {
		return false
	}
	return !slices.ContainsFunc(c.Pod.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.EncryptionGate })
}
