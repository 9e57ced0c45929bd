package guard

import (
	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
)

// Law: by which class a governed claim's volume was made, and under which key it is, is told by Terroir alone.
//
// Reads the annotation terroir.dev/storage-class and the labels terroir.dev/encryption-key and terroir.dev/encryption-binding of a
// PersistentVolumeClaim before and after a request that creates or changes it, its status included. Denies it to everybody but Terroir
// and those who maintain it that one of them comes, goes or changes: a class that was recreated with other parameters would pass for the one that was there.
func claimRecords() Guard {
	return Guard{
		Name:       "terroir-claim-records",
		Looks:      []Resources{{Version: "v1", Names: []string{"persistentvolumeclaims", "persistentvolumeclaims/status"}, Operations: ops(create, update)}},
		Scope:      Governed,
		Conditions: []placement.Variable{notOperator, {Name: "records-change", Expression: changedRecords("annotations", v1alpha1.ClassAnnotation) + ` + ` + changedRecords("labels", v1alpha1.BindingLabel, v1alpha1.KeyLabel) + ` != []`}},
		Variables: []placement.Variable{{
			Name: "changed", Expression: changedRecords("annotations", v1alpha1.ClassAnnotation) + ` + ` + changedRecords("labels", v1alpha1.BindingLabel, v1alpha1.KeyLabel),
		}},
		Validations: []placement.Validation{{
			Expression: maintains,
			Message: `variables.changed[0] + ' of PersistentVolumeClaim ' + object.metadata.?name.orValue('') + ' says how its volume is encrypted, and Terroir alone writes it; ` +
				`leave it out, also of claim templates and of what a backup restores'`,
		}},
	}
}

// Law: under which key a volume was proven is told by Terroir alone.
//
// Reads the annotation terroir.dev/encryption-proof of a PersistentVolume before and after a request that creates or changes it, its
// status included. Denies it to everybody but Terroir and those who maintain it that it comes, goes or changes, in whatever namespace the claim is: pods
// start by it while the key's store is silent.
func volumeProofs() Guard {
	return Guard{
		Name:       "terroir-volume-proofs",
		Looks:      []Resources{{Version: "v1", Names: []string{"persistentvolumes", "persistentvolumes/status"}, Operations: ops(create, update)}},
		Conditions: []placement.Variable{notOperator, {Name: "proof-changes", Expression: changedRecords("annotations", v1alpha1.ProofAnnotation) + ` != []`}},
		Validations: []placement.Validation{{
			Expression: maintains,
			Message: `'annotation terroir.dev/encryption-proof of PersistentVolume ' + object.metadata.?name.orValue('') + ' says under which key the volume was proven, and Terroir alone writes it; ` +
				`leave it out, also of what a backup restores'`,
		}},
	}
}

// changedRecords gives, in CEL, those of an object's annotations or labels that differ after the request, each with what it is. In a request that
// creates, those that are there.
func changedRecords(of string, keys ...string) string {
	kind := map[string]string{"annotations": "annotation ", "labels": "label "}[of]
	return placement.Quoted(keys) + `.filter(k, object.metadata.?` + of + `[?k] != (oldObject == null ? optional.none() : oldObject.metadata.?` + of + `[?k])).map(k, '` + kind + `' + k)`
}
