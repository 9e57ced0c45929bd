package placement

import "fmt"

// Law: the scheduler chooses the node.
//
// Reads spec.nodeName of a pod that is being created. Denies any value: it would bypass the scheduler and with it every demand.
// A kubelet's mirror pods never come before this rule: see [Pod.Mirror].
func ruleNodeName() Rule {
	return Rule{
		Name:     "node-name",
		Template: true,
		Judge: func(c Case) []Denial {
			if c.Pod.Spec.NodeName == "" {
				return nil
			}
			return []Denial{{Rule: "node-name", Field: "spec.nodeName", Message: fmt.Sprintf(
				"spec.nodeName asks for node %q directly, which bypasses the scheduler, but %s; remove spec.nodeName, and use a nodeSelector to narrow the choice",
				c.Pod.Spec.NodeName, requires(c.Owed))}}
		},
		Validations: func(Settings) []Validation {
			return []Validation{{
				`(variables.levels.size() == 0 && variables.minSites == 0 && !variables.encrypted) || object.spec.?nodeName.orValue('') == ''`,
				`'spec.nodeName bypasses the scheduler, but ' + variables.demanders.join(', ') + ' requires ' + variables.required + '; remove spec.nodeName'`,
			}}
		},
	}
}
