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
