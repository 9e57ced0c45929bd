package guard

import "github.com/terroir-dev/terroir/internal/placement"

// Law: a namespace that is governed is called so until Terroir says otherwise.
//
// Reads the labels terroir.dev/governed, terroir.dev/warned, terroir.dev/encrypted and terroir.dev/unsettled of a Namespace before and after a change,
// through whatever subresource. Denies that anybody but Terroir takes off or falsifies the mark by which the fence knows the
// namespace, or calls one unsettled that has been governed before: the fence would no longer look at its floor. Ignores
// that somebody calls a namespace governed: that only tightens, and Terroir takes it off again where nothing is owed.
func namespaceMarks() Guard {
	const (
		lost = `['terroir.dev/encrypted', 'terroir.dev/governed', 'terroir.dev/warned'].exists(m, oldObject.metadata.?labels[?m].orValue('') == 'true' && object.metadata.?labels[?m].orValue('') != 'true')`
		// The policy that marks namespaces calls one unsettled in the request by which it becomes governed.
		unsettled = `object.metadata.?labels[?'terroir.dev/unsettled'] != oldObject.metadata.?labels[?'terroir.dev/unsettled']
  && (oldObject.metadata.?labels[?'terroir.dev/governed'].orValue('') == 'true' || object.metadata.?labels[?'terroir.dev/unsettled'].orValue('') != 'true')`
	)
	return Guard{
		Name:       "terroir-namespace-marks",
		Looks:      namespaceChanges(),
		Conditions: []placement.Variable{notOperator, {Name: "marks-change", Expression: anyOf(lost, unsettled)}},
		Validations: []placement.Validation{{
			Expression: maintains,
			Message: `'the labels that say that namespace ' + object.metadata.name + ' is governed are put on and taken off by Terroir alone; ` +
				`they go by themselves when no policy and no annotation requires anything there'`,
		}},
	}
}

// Law: a namespace is not taken out of a policy by those whom the policy binds.
//
// Reads the labels of a governed Namespace before and after a change, through whatever subresource, and the selector of each
// enforcing ClusterPlacementPolicy. Denies a change after which a policy that selected the namespace does so no more, unless its
// sender may update that very policy and so might as well have changed the selector. Ignores policies that only watch.
func namespaceSelection() Guard {
	return Guard{
		Name:              "terroir-namespace-selection",
		Looks:             namespaceChanges(),
		Scope:             Governed,
		EachClusterPolicy: true,
		Conditions:        []placement.Variable{notOperator, {Name: "relabelled", Expression: `object.metadata.?labels != oldObject.metadata.?labels`}},
		Variables: []placement.Variable{
			{Name: "selected", Expression: placement.Selects("params.spec.namespaceSelector", "oldObject")},
			{Name: "selects", Expression: placement.Selects("params.spec.namespaceSelector", "object")},
		},
		Validations: []placement.Validation{{
			Expression: anyOf(
				`params.spec.enforcement != 'Enforce'`, `!variables.selected`, `variables.selects`,
				`authorizer.group('terroir.dev').resource('clusterplacementpolicies').name(params.metadata.name).check('update').allowed()`,
			),
			Message: `'this change of its labels would take namespace ' + object.metadata.name + ' out of ClusterPlacementPolicy ' + params.metadata.name +
  '; only whoever may change that policy may do so'`,
		}},
	}
}

func namespaceChanges() []Resources {
	return []Resources{{Version: "v1", Names: []string{"namespaces", "namespaces/finalize", "namespaces/status"}, Operations: ops(update)}}
}
