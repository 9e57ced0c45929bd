package placement

import (
	"fmt"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Law: the pods of one workload are counted together, and no others with them.
//
// Reads the label terroir.dev/workload: it is the UID of the pod's controller; a bare pod's own name. Denies another value, since
// the spread constraints count by it, and does not replace one: a controller whose selector asks for that value would not know its
// own pod again, and create pods without end. A pod that is created by generateName has no name yet when it is shaped: then
// the beginning of its name stands for it. Names too long for a label value count by as much of them as fits.
func ruleWorkload() Rule {
	return Rule{
		Name: "workload",
		Judge: func(c Case) []Denial {
			if len(c.Owed.Levels) == 0 || c.Pod.workloadLabelRight() {
				return nil
			}
			return []Denial{c.wrongWorkload()}
		},
		Patches: func(c Case) []Patch {
			if len(c.Owed.Levels) == 0 || c.Pod.hasWorkloadLabel() {
				return nil
			}
			return setKey("/metadata/labels", c.Pod.Metadata.Labels != nil, v1alpha1.WorkloadLabel, c.Pod.workload())
		},
		Variables: []Variable{
			{"podName", `object.metadata.?name.orValue('')`},
			{"workloads", `variables.controllers.size() > 0 ? [string(variables.controllers[0].uid)] :
  [variables.podName, object.metadata.?generateName.orValue('')].filter(n, n != '').map(n, n.find('` + labelValue.String() + `')).filter(n, n != '')`},
			{"workloadRight", `'terroir.dev/workload' in variables.labels && variables.labels['terroir.dev/workload'] != '' && variables.labels['terroir.dev/workload'] in variables.workloads`},
			{"workload", `variables.workloadRight ? string(variables.labels['terroir.dev/workload']) : (variables.workloads + [''])[0]`},
		},
		Validations: func(Settings) []Validation {
			return []Validation{{
				`variables.levels.size() == 0 || variables.workloadRight`,
				`'label terroir.dev/workload must be ' + variables.workload + ' so that the spread counts the pods of this workload and no others; leave it to Terroir'`,
			}}
		},
		Patch: `(variables.levels.size() == 0 || 'terroir.dev/workload' in variables.labels ? [] :
  (has(object.metadata.labels) ? [] : [JSONPatch{op: 'add', path: '/metadata/labels', value: {}}])
  + [JSONPatch{op: 'add', path: '/metadata/labels/terroir.dev~1workload', value: variables.workload}])`,
	}
}

func (c Case) wrongWorkload() Denial {
	return Denial{Rule: "workload", Field: "metadata.labels[terroir.dev/workload]", Message: fmt.Sprintf(
		"label %s is %q, but must be %q so that the spread counts this workload's pods and no others; remove it and leave it to Terroir",
		v1alpha1.WorkloadLabel, c.Pod.Metadata.Labels[v1alpha1.WorkloadLabel], c.Pod.workload())}
}

func (p *Pod) hasWorkloadLabel() bool {
	_, has := p.Metadata.Labels[v1alpha1.WorkloadLabel]
	return has
}

// workloads are the values that the workload label may have, the preferred one first; empty ones are none.
func (p *Pod) workloads() (preferred, other string) {
	if o, ok := p.controller(); ok {
		return o.UID, ""
	}
	byName, byPrefix := labelValue.FindString(p.Metadata.Name), labelValue.FindString(p.Metadata.GenerateName)
	if p.Metadata.Name == "" {
		return byPrefix, ""
	}
	return byName, byPrefix
}

func (p *Pod) workloadLabelRight() bool {
	preferred, other := p.workloads()
	got := p.Metadata.Labels[v1alpha1.WorkloadLabel]
	return got != "" && (got == preferred || got == other)
}

// workload is the value by which the pod is counted. It is empty for a pod with neither controller nor name, which the API
// server refuses.
func (p *Pod) workload() string {
	if p.workloadLabelRight() {
		return p.Metadata.Labels[v1alpha1.WorkloadLabel]
	}
	preferred, _ := p.workloads()
	return preferred
}

// setKey adds a key to a map that may not be there yet.
func setKey(parent string, exists bool, key, value string) []Patch {
	set := Patch{Op: "add", Path: pathTo(parent, key), Value: value}
	if exists {
		return []Patch{set}
	}
	return []Patch{{Op: "add", Path: parent, Value: map[string]string{}}, set}
}
