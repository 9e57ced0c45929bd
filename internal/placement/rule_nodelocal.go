package placement

import (
	"fmt"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Law: where a policy says nodeLocalStorage: Deny, a pod's volumes keep no data on the node.
//
// Reads spec.volumes, by the list in volume.go. Denies, under Deny, every volume that is not known to keep its data elsewhere: emptyDir on
// disk, hostPath, inline csi, gitRepo, flexVolume, and any type that the list does not have, so that a type which Kubernetes gets later is
// refused until somebody has looked at it. Admits what holds no data of the workload's own (configMap, downwardAPI, image, projected, secret),
// emptyDir in memory, claims, and volumes of the network: where those lie is not the node's but the volume's place. Ignores what
// cannot be seen here: a container's writable layer, its logs, and swap.
//
// Under QualifiedNodes and Allow the pod is admitted: where it runs, its data on the node lies. The two differ in what is said of
// PersistentVolumes on nodes, and of volumes of which nobody can tell whether they are on the node: Allow does not ask.
func ruleNodeLocal() Rule {
	return Rule{
		Name:     "node-local-storage",
		Template: true,
		Judge: func(c Case) []Denial {
			if c.Owed.NodeLocalStorage != v1alpha1.NodeLocalStorageDeny {
				return nil
			}
			var denials []Denial
			for _, v := range c.Pod.Spec.Volumes {
				if !v.elsewhere() {
					denials = append(denials, c.onNode(v))
				}
			}
			return denials
		},
		Variables: []Variable{{
			"nodeLocalVolumes", `variables.floor.?nodeLocalStorage.orValue('') != 'Deny' ? [] : object.spec.?volumes.orValue([]).filter(v, dyn(v).size() != 2 ||
  !dyn(v).exists(k, k in ` + Quoted(elsewhere()) + ` || (k == 'emptyDir' && (v.emptyDir.?medium.orValue('') == 'Memory' || v.emptyDir.?medium.orValue('').startsWith('HugePages')))))`,
		}},
		Validations: func(Settings) []Validation {
			return []Validation{{
				`variables.nodeLocalVolumes.size() == 0`,
				`'volume "' + variables.nodeLocalVolumes[0].name + '" would keep data on the node, but ' + variables.floor.?demandedBy.orValue([]).filter(d, d.?nodeLocalStorage.orValue('') == 'Deny').map(d, string(d.kind) + '/' + string(d.name)).join(', ')
  + ' says nodeLocalStorage: Deny; ` + insteadOfNodeLocal + `'`,
			}}
		},
	}
}

const insteadOfNodeLocal = "use a PersistentVolumeClaim, or an emptyDir with medium: Memory"

func (c Case) onNode(v Volume) Denial {
	kind := "of no type"
	if len(v.Types) > 0 {
		kind = "of type " + strings.Join(v.Types, ", ")
	}
	return Denial{Rule: "node-local-storage", Field: fmt.Sprintf("spec.volumes[%s]", v.Name), Message: fmt.Sprintf(
		"volume %q, %s, would keep data on the node, but %s says nodeLocalStorage: Deny; %s",
		v.Name, kind, policy.InWords(c.Owed.DeniesNodeLocalStorage()), insteadOfNodeLocal)}
}
