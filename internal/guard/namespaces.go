package guard

import (
	"strings"

	"github.com/terroir-dev/terroir/internal/placement"
)

// Law: a namespace that is governed is called so until Terroir says otherwise.
//
// Reads the labels terroir.dev/governed and terroir.dev/warned of a Namespace before and after a change, through whatever
// subresource. Denies that anybody but Terroir takes off or falsifies the mark, by which the fence knows the
// namespace. Ignores that somebody puts it on: that only tightens, and Terroir takes it off again where nothing is owed.
func namespaceMarks() Guard {
	const marks = `['terroir.dev/governed', 'terroir.dev/warned']`
	return Guard{
		Name:       "terroir-namespace-marks",
		Looks:      namespaceChanges(),
		Conditions: []placement.Variable{notOperator, {Name: "marked", Expression: marks + `.exists(m, oldObject.metadata.?labels[?m].orValue('') == 'true' && object.metadata.?labels[?m].orValue('') != 'true')`}},
		Validations: []placement.Validation{{
			Expression: maintains,
			Message: `'the label that says that namespace ' + object.metadata.name + ' is governed is put on and taken off by Terroir alone; ` +
				`it goes by itself when no policy and no annotation requires anything there'`,
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
			{Name: "selector", Expression: `params.spec.namespaceSelector`},
			{Name: "selected", Expression: selects("oldObject")},
			{Name: "selects", Expression: selects("object")},
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

// selects says, in CEL, whether the variable selector fits the labels of an object. It is the API machinery's own law: In and NotIn
// read the value, a missing key fits NotIn and DoesNotExist.
func selects(object string) string {
	labels := object + `.metadata.?labels`
	operators := []string{
		`e.operator == 'In' ? ` + labels + `[?e.key].hasValue() && ` + labels + `[?e.key].value() in e.?values.orValue([])`,
		`e.operator == 'NotIn' ? !(` + labels + `[?e.key].hasValue() && ` + labels + `[?e.key].value() in e.?values.orValue([]))`,
		`e.operator == 'Exists' ? ` + labels + `[?e.key].hasValue()`,
		`!` + labels + `[?e.key].hasValue()`,
	}
	return `variables.selector.?matchLabels.orValue({}).all(k, ` + labels + `[?k] == optional.of(variables.selector.matchLabels[k]))
  && variables.selector.?matchExpressions.orValue([]).all(e, ` + strings.Join(operators, ` : `) + `)`
}

func namespaceChanges() []Resources {
	return []Resources{{Version: "v1", Names: []string{"namespaces", "namespaces/finalize", "namespaces/status"}, Operations: ops(update)}}
}
