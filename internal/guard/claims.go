package guard

import (
	"strings"

	"github.com/terroir-dev/terroir/internal/placement"
)

// Law: where the volume of a governed claim is made is the scheduler's choice.
//
// Reads the annotation volume.kubernetes.io/selected-node of a PersistentVolumeClaim before and after a request that creates or
// changes it, its status included. Whoever sets it chooses the node, and so the zone, for which the volume is made, with no pod and no
// scheduler involved: that goes for clones and restores, too. Denies it to everybody but those who may bind governed pods,
// however privileged. Ignores that somebody takes it off: provisioners do, to have the scheduler choose again.
func claims(s placement.Settings) Guard {
	const selected = `.metadata.?annotations[?'volume.kubernetes.io/selected-node']`
	return Guard{
		Name:  "terroir-claims",
		Looks: []Resources{{Version: "v1", Names: []string{"persistentvolumeclaims", "persistentvolumeclaims/status"}, Operations: ops(create, update)}},
		Scope: Governed,
		Conditions: []placement.Variable{{
			Name:       "node-selected",
			Expression: `object` + selected + `.hasValue() && (oldObject == null || oldObject` + selected + ` != object` + selected + `)`,
		}},
		Validations: []placement.Validation{{
			Expression: in(s.SchedulerUsers...),
			Message: `'annotation volume.kubernetes.io/selected-node of PersistentVolumeClaim ' + object.metadata.?name.orValue('') + ' asks for a volume on node "' + string(object` + selected + `.value()) + '"; ` +
				`in this namespace only ` + strings.Join(s.SchedulerUsers, ", ") + ` may choose that, so that volumes lie in qualified zones; leave the annotation out'`,
		}},
	}
}

// Law: a governed claim that waits for its volume goes on asking for the one that it asked for.
//
// Reads spec.volumeName and spec.volumeAttributesClassName of a PersistentVolumeClaim without a volume before and after a change. The API server lets
// whoever may change the claim write both, also after Terroir has looked at the claim and let its pod go: the pod would then start with a volume that nobody
// looked at. Denies it to everybody but the volume controllers of the control plane, those who may bind governed pods, and those who maintain
// Terroir. Ignores claims that are made with them, which Terroir sees, and those that have their volume.
func claimVolumes(s placement.Settings) Guard {
	changed := func(field string) string {
		return `(object.spec.?` + field + `.orValue('') != oldObject.spec.?` + field + `.orValue('') ? ['spec.` + field + `'] : [])`
	}
	all := changed("volumeName") + ` + ` + changed("volumeAttributesClassName")
	return Guard{
		Name:       "terroir-claim-volumes",
		Looks:      []Resources{{Version: "v1", Names: []string{"persistentvolumeclaims", "persistentvolumeclaims/status"}, Operations: ops(update)}},
		Scope:      Governed,
		Conditions: []placement.Variable{{Name: "volume-changes", Expression: `oldObject.spec.?volumeName.orValue('') == '' && ` + all + ` != []`}},
		Variables:  []placement.Variable{{Name: "changed", Expression: all}},
		Validations: []placement.Validation{{
			Expression: anyOf(in(append(volumeControllers(), s.SchedulerUsers...)...), maintains),
			Message: `variables.changed[0] + ' of PersistentVolumeClaim ' + object.metadata.?name.orValue('') + ' stays as it is until there is a volume: pods may have been let go by what the claim asked for; ` +
				`delete the claim, and create it anew with what it should have'`,
		}},
	}
}
