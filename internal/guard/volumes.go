package guard

import (
	"strings"

	"github.com/terroir-dev/terroir/internal/placement"
)

// Law: while a volume holds what a governed namespace wrote, it stays what and where it is said to be.
//
// Reads a PersistentVolume that Terroir has marked, before and after a change, its status included: the mark, from which nodes the
// volume is reached, its zone and region labels, and whose claim it is. Denies a change of these to everybody but Terroir,
// the volume controllers of the control plane, those who may bind governed pods, and those who maintain Terroir. A scheduler
// that chose a volume for a pod writes the claim into it before it binds the pod.
// Kubernetes itself lets its node affinity be added where there was none, and labels and claim be changed at any time. Ignores all
// else: capacity, class, reclaim policy, finalizers, annotations are the business of provisioners, resizers and attachers.
func volumes(s placement.Settings) Guard {
	return Guard{
		Name:       "terroir-volumes",
		Looks:      []Resources{{Version: "v1", Names: []string{"persistentvolumes", "persistentvolumes/status"}, Operations: ops(update)}},
		Conditions: []placement.Variable{notOperator, marked},
		Variables: []placement.Variable{{Name: "changed", Expression: strings.Join([]string{
			changedLabel(governedMark),
			`(object.spec.?nodeAffinity != oldObject.spec.?nodeAffinity ? ['spec.nodeAffinity'] : [])`,
			changedLabel(zoneLabels()...),
			`(` + otherClaim() + ` ? ['spec.claimRef'] : [])`,
		}, "\n  + ")}},
		Validations: []placement.Validation{{
			Expression: anyOf(`variables.changed.size() == 0`, in(append(volumeControllers(), s.SchedulerUsers...)...), maintains),
			Message: `'PersistentVolume ' + object.metadata.name + ' holds data of a governed namespace, so ' + variables.changed[0] + ' stays as it is: it says where the data lies and whose it is; ` +
				`only those may change it to whom RBAC grants the verb maintain on installations.terroir.dev'`,
		}},
	}
}

// Law: a class by which governed claims get their volumes goes on making them where it did.
//
// Reads a StorageClass that Terroir has marked. Denies that it is deleted, that its allowedTopologies change, and that its mark is
// taken off, to everybody but those who maintain Terroir. Kubernetes keeps its parameters as they are, but not its topologies, and a
// class that is deleted can come again under its name with any parameters.
func storageClasses() Guard {
	return Guard{
		Name:       "terroir-storageclasses",
		Looks:      []Resources{{Group: "storage.k8s.io", Version: "v1", Names: []string{"storageclasses"}, Operations: ops(update, remove)}},
		Conditions: []placement.Variable{notOperator, marked},
		Validations: []placement.Validation{{
			Expression: anyOf(
				`request.operation == 'UPDATE' && object.?allowedTopologies == oldObject.?allowedTopologies && (`+changedLabel(governedMark)+`).size() == 0`,
				maintains,
			),
			Message: `'claims of governed namespaces get their volumes by StorageClass ' + oldObject.metadata.name + ', so it is not deleted, and its allowedTopologies stay as they are; ` +
				`create another class, or ask those to whom RBAC grants the verb maintain on installations.terroir.dev'`,
		}},
	}
}

// governedMark is the label of what Terroir marked, on volumes and classes as on namespaces.
const governedMark = "terroir.dev/governed"

// marked is a condition: Terroir marked the object.
var marked = placement.Variable{Name: "marked", Expression: `oldObject.metadata.?labels[?'` + governedMark + `'].orValue('') == 'true'`}

// changedLabel gives, in CEL, those of the labels whose value differs after the request.
func changedLabel(keys ...string) string {
	return placement.Quoted(keys) + `.filter(k, object.metadata.?labels[?k] != oldObject.metadata.?labels[?k])`
}

// otherClaim holds, in CEL, when the volume is another claim's, or nobody's, after the request.
func otherClaim() string {
	var fields []string
	for _, f := range []string{"namespace", "name", "uid"} {
		fields = append(fields, `object.spec.?claimRef.?`+f+` != oldObject.spec.?claimRef.?`+f)
	}
	return strings.Join(fields, ` || `)
}

// volumeControllers are the controllers of kube-controller-manager that look after volumes, as Kubernetes' own RBAC names them.
func volumeControllers() []string {
	names := []string{"attachdetach-controller", "expand-controller", "persistent-volume-binder", "pv-protection-controller"}
	for i := range names {
		names[i] = "system:serviceaccount:kube-system:" + names[i]
	}
	return append(names, "system:kube-controller-manager")
}
