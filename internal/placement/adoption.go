package placement

import (
	"fmt"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Law: a controller in a governed namespace adopts only pods that do what the namespace asks.
//
// Reads the owner references of a pod before and after an update, its nodeSelector, its label terroir.dev/workload and what its namespace
// owes. When the pod gets a controller that it did not have, denies it unless the nodeSelector names every level owed; and, where a
// spread is owed and the controller is a ReplicaSet or ReplicationController, unless the pod is counted with that controller's pods. A
// controller that adopts one pod too many deletes another, which complies.
//
// A StatefulSet may adopt pods that are counted by the UID of its predecessor: deleting one with --cascade=orphan and creating it
// anew is how its fixed fields are changed. Ignores pods that have finished, releases, and what only the controller's own
// annotations demand: a pod does not show what its controller's template asks for.

// JudgeAdoption judges that a pod gets another controller, by what its namespace owes.
func JudgeAdoption(before, after *Pod, owed policy.Obligation) Verdict {
	adopter, adopted := adopter(before, after)
	if !adopted || before.finished() {
		return verdictOf(nil)
	}
	var denials []Denial
	c := Case{Pod: after, Owed: owed}
	for _, level := range c.lackingSelectors() {
		denials = append(denials, Denial{Rule: "adoption", Field: "metadata.ownerReferences", Message: fmt.Sprintf(
			"%s may not adopt this pod: %s, which the pod does not ask for in its nodeSelector; %s", adopter.Kind, requiresLevel(owed, level), insteadOfAdoption)})
	}
	if owed.MinSites > 0 && adopter.replicates() && after.Metadata.Labels[v1alpha1.WorkloadLabel] != adopter.UID {
		denials = append(denials, Denial{Rule: "adoption", Field: "metadata.ownerReferences", Message: fmt.Sprintf(
			"%s may not adopt this pod: its pods are spread over sites, and this one was not counted with them; %s", adopter.Kind, insteadOfAdoption)})
	}
	return verdictOf(denials)
}

const insteadOfAdoption = "delete the pod, or change its labels so that the selector does not fit"

// adopter is the controller that a pod has after an update and did not have before.
func adopter(before, after *Pod) (Owner, bool) {
	is, has := after.controller()
	was, had := before.controller()
	return is, has && (!had || was.UID != is.UID)
}

// replicates reports whether an owner makes pods that are like one another and are counted by its UID.
func (o Owner) replicates() bool { return o.Kind == "ReplicaSet" || o.Kind == "ReplicationController" }

// ConditionAdopted holds of updates by which an unfinished pod gets a controller that it did not have.
const ConditionAdopted = `!(oldObject.?status.phase.orValue('') in ['Succeeded', 'Failed'])
  && object.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false)
  && !oldObject.metadata.?ownerReferences.orValue([]).exists(p, p.?controller.orValue(false) && p.uid == o.uid))`

// AdoptionVariables are what [AdoptionValidations] use. params is the namespace's PlacementFloor.
func AdoptionVariables() []Variable {
	return []Variable{
		{"adopter", `object.metadata.ownerReferences.filter(o, o.?controller.orValue(false))[0]`},
		{"lacking", `params.spec.?trustLevels.orValue([]).map(l, string(l)).filter(l, object.spec.?nodeSelector.orValue({})[?'held.terroir.node-restriction.kubernetes.io/' + l].orValue('') != 'true')`},
	}
}

// AdoptionValidations are [JudgeAdoption] in CEL.
func AdoptionValidations() []Validation {
	return []Validation{
		{
			`variables.lacking.size() == 0`,
			`string(variables.adopter.kind) + ' may not adopt this pod: its namespace requires trust level ' + variables.lacking[0] + ', which the pod does not ask for in its nodeSelector; ` + insteadOfAdoption + `'`,
		},
		{
			`int(params.spec.?minSites.orValue(0)) == 0 || !(variables.adopter.kind in ['ReplicaSet', 'ReplicationController'])
  || object.metadata.?labels.orValue({})[?'terroir.dev/workload'].orValue('') == variables.adopter.uid`,
			`string(variables.adopter.kind) + ' may not adopt this pod: its pods are spread over sites, and this one was not counted with them; ` + insteadOfAdoption + `'`,
		},
	}
}
