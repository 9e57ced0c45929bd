package placement

import "fmt"

// Law: a pod names every trust level it owes in its nodeSelector.
//
// Reads spec.nodeSelector. Demands the entry held.…/<level>: "true" for each level owed. The nodeSelector is ANDed with whatever the
// pod's affinity says, however wide its terms are, and the DaemonSet controller and the kubelet honour it too. Ignores every other entry.
func ruleNodeSelector() Rule {
	return Rule{
		Name: "node-selector",
		Judge: func(c Case) []Denial {
			var denials []Denial
			for _, level := range c.lackingSelectors() {
				denials = append(denials, Denial{Rule: "node-selector", Field: "spec.nodeSelector", Message: fmt.Sprintf(
					"%s, so spec.nodeSelector must contain %s: \"true\"; leave it to Terroir", requiresLevel(c.Owed, level), heldKey(level))})
			}
			return denials
		},
		Patches: func(c Case) []Patch {
			var patches []Patch
			exists := c.Pod.Spec.NodeSelector != nil
			for _, level := range c.lackingSelectors() {
				patches = append(patches, setKey("/spec/nodeSelector", exists, heldKey(level), "true")...)
				exists = true
			}
			return patches
		},
		Variables: []Variable{{
			"lackingSelectors",
			`variables.levels.filter(l, variables.selector[?'held.terroir.node-restriction.kubernetes.io/' + l].orValue('') != 'true')`,
		}},
		Validations: func(Settings) []Validation {
			return []Validation{{
				`variables.lackingSelectors.size() == 0`,
				`variables.demanders.join(', ') + ' requires trust level ' + variables.lackingSelectors[0] + ': spec.nodeSelector must contain held.terroir.node-restriction.kubernetes.io/' + variables.lackingSelectors[0] + ': "true"; leave it to Terroir'`,
			}}
		},
		Patch: `(variables.lackingSelectors.size() == 0 || has(object.spec.nodeSelector) ? [] : [JSONPatch{op: 'add', path: '/spec/nodeSelector', value: {}}])
  + variables.lackingSelectors.map(l, JSONPatch{op: 'add',
    path: '/spec/nodeSelector/' + jsonpatch.escapeKey('held.terroir.node-restriction.kubernetes.io/' + l), value: 'true'})`,
	}
}

// lackingSelectors are the levels owed that the nodeSelector does not name.
func (c Case) lackingSelectors() []string {
	var lacking []string
	for _, level := range c.Owed.Levels {
		if c.Pod.Spec.NodeSelector[heldKey(level)] != "true" {
			lacking = append(lacking, level)
		}
	}
	return lacking
}
