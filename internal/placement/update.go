package placement

import v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"

// Law: the label by which a workload's pods are counted does not change.
//
// Reads the label terroir.dev/workload before and after an update. Denies a change, since the spread of the whole workload
// counts by it. Looks at nothing that did not change: finalizers of pods older than their policy must come off.

// JudgeUpdate judges an update of a pod that owes something.
func JudgeUpdate(before, after *Pod) Verdict {
	was := before.Metadata.Labels[v1alpha1.WorkloadLabel]
	is := after.Metadata.Labels[v1alpha1.WorkloadLabel]
	if was == is {
		return verdictOf(nil)
	}
	return verdictOf([]Denial{{
		Rule: "workload", Field: "metadata.labels[terroir.dev/workload]",
		Message: "label terroir.dev/workload may not change: the spread of the workload counts by it",
	}})
}

// UpdateValidations are [JudgeUpdate] in CEL.
func UpdateValidations() []Validation {
	return []Validation{{
		`oldObject.metadata.?labels.orValue({})[?'terroir.dev/workload'].orValue('') == object.metadata.?labels.orValue({})[?'terroir.dev/workload'].orValue('')`,
		`'label terroir.dev/workload may not change: the spread of the workload counts by it'`,
	}}
}
