package placement

import (
	"fmt"
	"slices"
)

// Law: where encryption is owed, a pod brings no volume of which nobody can ever tell the key.
//
// Reads spec.volumes, by the list in volume.go, and what is asked of keys. Denies volumes that the pod itself brings from the network, and those
// of which nobody can tell where their data lie, inline csi among them: no StorageClass says how they are encrypted. Denies annotations that ask
// for another key than what the namespace owes accepts. Ignores data on nodes, which is under no key that a cluster could name:
// nodeLocalStorage is the demand about that. Which key protects a claim is looked up while the pod waits: see [ruleGate].
//
// In Go, demands that contradict each other stand among the obligation's problems, and are told by the rule on annotations.
func ruleEncryption() Rule {
	return Rule{
		Name:     "encryption",
		Template: true,
		Judge: func(c Case) []Denial {
			if c.Owed.Encryption == nil {
				return nil
			}
			var denials []Denial
			for _, v := range c.Pod.Spec.Volumes {
				if v.Remote() || v.Opaque() {
					denials = append(denials, Denial{Rule: RuleEncryption, Field: fmt.Sprintf("spec.volumes[%s]", v.Name), Message: fmt.Sprintf(
						"volume %q comes with the pod, so nobody can tell under which key its data lies, but %s; %s",
						v.Name, requiresEncryption(c.Owed), insteadOfKeyless)})
				}
			}
			return denials
		},
		Variables: []Variable{
			{"otherKeys", `variables.askedKeys.filter(k, variables.askedKeys.size() > 1 || !(k in variables.floor.?encryption.keys.orValue([k])))`},
			{
				"keylessVolumes", `!variables.encrypted ? [] : object.spec.?volumes.orValue([]).filter(v, dyn(v).size() != 2 || !dyn(v).exists(k, k in ` + Quoted(keyedOrNone()) + `))`,
			},
		},
		Validations: func(Settings) []Validation {
			return []Validation{
				{
					`variables.otherKeys.size() == 0`,
					`'an annotation asks for encryption key ' + variables.otherKeys[0] + ', but a volume has one key, and ' + (variables.askedKeys.size() > 1 ? 'another annotation asks for another'
  : variables.demanders.join(', ') + ' accepts ' + variables.floor.encryption.keys.join(', ')) + '; ask for one that all accept'`,
				},
				{
					`variables.keylessVolumes.size() == 0`,
					`'volume "' + variables.keylessVolumes[0].name + '" comes with the pod, so nobody can tell under which key its data lies, but ' + variables.demanders.join(', ') + ' requires that volumes are encrypted; ` + insteadOfKeyless + `'`,
				},
			}
		},
	}
}

const insteadOfKeyless = "use a PersistentVolumeClaim whose StorageClass names a key"

// keyedOrNone are the types of volumes of which a claim tells the key, and those that have none since they lie on the node or hold no data, sorted.
func keyedOrNone() []string {
	all := places()
	return slices.Sorted(slices.Values(slices.Concat(all[nowhere], all[onTheNode], all[byClaim])))
}
