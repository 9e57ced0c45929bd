package placement

import (
	"strconv"
	"strings"

	"github.com/terroir-dev/terroir/internal/policy"
)

// Source says where CEL expressions read what a namespace owes. Everything else they read is the same.
type Source int

const (
	// FromFloor is the namespace's PlacementFloor, the parameter. The zero value: without a floor everything is refused.
	FromFloor Source = iota
	// FromNothing is for namespaces that are not governed: annotations of the object itself are all that is owed. Such policies have no
	// parameter, so that a missing floor, or even a missing CustomResourceDefinition, cannot stop anything there.
	FromNothing
	// FromPolicies is for namespaces that have no floor yet: each ClusterPlacementPolicy in turn is the parameter.
	FromPolicies
	// FromNamespace is for the same: the annotations of the Namespace, without a parameter.
	FromNamespace
)

// Floor is the variable floor: what the namespace owes, in the fields of a PlacementFloor's spec.
func (s Source) Floor() Variable {
	switch s {
	case FromFloor:
		return Variable{"floor", `params.spec`}
	case FromPolicies:
		return Variable{"floor", `params.spec.enforcement == 'Enforce' && (` + Selects("params.spec.namespaceSelector", "namespaceObject") + `) ? dyn({
  'trustLevels': dyn(params.spec.trustLevels), 'minSites': dyn(params.spec.?spread.minSites.orValue(0)), 'maxSkew': dyn(params.spec.?spread.maxSkew.orValue(0)),
  'nodeLocalStorage': dyn(params.spec.?nodeLocalStorage.orValue('QualifiedNodes')),
  'demandedBy': dyn([{'kind': 'ClusterPlacementPolicy', 'name': string(params.metadata.name), 'nodeLocalStorage': string(params.spec.?nodeLocalStorage.orValue('QualifiedNodes'))}]),
  ?'encryption': params.spec.?encryption}) : dyn({})`}
	case FromNamespace:
		return Variable{"floor", `dyn({
  'trustLevels': dyn([namespaceObject.metadata.?annotations[?'terroir.dev/trust-level']]` + celLevels + `),
  'minSites': dyn([namespaceObject.metadata.?annotations[?'terroir.dev/min-sites']].filter(o, o.hasValue() && string(o.value()).matches('` + policy.SitesPattern + `')).map(o, int(string(o.value()))) + [0])[0],
  ?'encryption': [namespaceObject.metadata.?annotations[?'terroir.dev/encryption-key']].filter(o, o.hasValue() && string(o.value()).matches('` + policy.KeyPattern + `'))
    .map(o, dyn({'keys': [string(o.value())]}))[?0],
  'demandedBy': dyn(namespaceObject.metadata.?annotations.orValue({}).exists(k, k in ['terroir.dev/encryption-key', 'terroir.dev/min-sites', 'terroir.dev/trust-level']) ?
    [{'kind': 'Namespace', 'name': string(namespaceObject.metadata.name)}] : [])})`}
	default:
		return Variable{"floor", `dyn({})`}
	}
}

// Selects says, in CEL, whether a label selector fits the labels of an object. Both are given as CEL expressions. It is the API
// machinery's own law: a missing key fits NotIn and DoesNotExist, and In must find it.
func Selects(selector, object string) string {
	labels := object + `.metadata.?labels`
	operators := []string{
		`e.operator == 'In' ? ` + labels + `[?e.key].hasValue() && ` + labels + `[?e.key].value() in e.?values.orValue([])`,
		`e.operator == 'NotIn' ? !(` + labels + `[?e.key].hasValue() && ` + labels + `[?e.key].value() in e.?values.orValue([]))`,
		`e.operator == 'Exists' ? ` + labels + `[?e.key].hasValue()`,
		`!` + labels + `[?e.key].hasValue()`,
	}
	return selector + `.?matchLabels.orValue({}).all(k, ` + labels + `[?k] == optional.of(` + selector + `.matchLabels[k]))
  && ` + selector + `.?matchExpressions.orValue([]).all(e, ` + strings.Join(operators, ` : `) + `)`
}

// celLevels reads, in CEL, the levels that a list of optional annotation values names. What does not parse names none.
var celLevels = `.filter(o, o.hasValue() && string(o.value()).size() <= ` + strconv.Itoa(policy.MaxLength) + `).map(o, string(o.value()).split(',').map(l, l.trim()))
  .filter(ls, ls.size() <= ` + strconv.Itoa(policy.MaxLevels) + ` && ls.all(l, l.matches('` + policy.LevelPattern + `'))).flatten()`
