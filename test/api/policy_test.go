package api_test

import (
	"fmt"
	"strings"
)

const someDemand = `
  trustLevels: [secnumcloud]
  spread: {minSites: 3, maxSkew: 1, tooFewReplicas: Warn}
  enforcement: Enforce`

const somePolicyStatus = `
status:
  observedGeneration: 1
  conditions: ` + someConditions + `
  requires: secnumcloud
  namespaces: 1
  pods: 2
  violations: 1
  violating: [{namespace: hr, pod: payroll-0, node: n1, reason: NotQualified, message: node n1 is in no qualified zone}]`

func clusterPlacementPolicy() fixture {
	const selector = "spec.namespaceSelector"
	return fixture{
		kind:    "ClusterPlacementPolicy",
		minimal: `spec: {namespaceSelector: {matchLabels: {api-test: nobody}}, trustLevels: [in-france], enforcement: Enforce}`,
		full: `
spec:
  namespaceSelector:
    matchLabels: {data-class: health}
    matchExpressions: [{key: data, operator: In, values: [patients]}]` + someDemand + somePolicyStatus,
		refused: all(
			required("spec", selector),
			longName(64, "a policy's metadata.name must have at most 63 characters"),
			cases{
				"the selector is empty":               {set(selector, map[string]any{}), selector, selectsAll},
				"the selector has only empty lists":   {set(selector, map[string]any{"matchLabels": map[string]any{}, "matchExpressions": []any{}}), selector, selectsAll},
				"the selector has 17 labels":          {set(selector+".matchLabels", labels(17)), selector + ".matchLabels", labelBounds},
				"a label of the selector has no key":  {set(selector+".matchLabels", map[string]any{"": "x"}), selector + ".matchLabels", labelBounds},
				"a label of the selector is too long": {set(selector+".matchLabels", map[string]any{"data": strings.Repeat("x", 64)}), selector + ".matchLabels", labelBounds},
				"the selector has 17 expressions":     {grown(selector+".matchExpressions", 17), selector + ".matchExpressions", expressionBounds},
				"an expression has 65 values":         {grown(selector+".matchExpressions[0].values", 65), selector + ".matchExpressions", expressionBounds},
				"In without values":                   {without(selector + ".matchExpressions[0].values"), selector + ".matchExpressions", expressionForm},
				"In with an empty list":               {set(selector+".matchExpressions[0].values", []any{}), selector + ".matchExpressions", expressionForm},
				"Exists with values":                  {set(selector+".matchExpressions[0].operator", "Exists"), selector + ".matchExpressions", expressionForm},
				"an operator that labels do not have": {set(selector+".matchExpressions[0].operator", "Gt"), selector + ".matchExpressions", expressionForm},
			},
			required(selector+".matchExpressions[0].key", selector+".matchExpressions[0].operator"),
			demand(),
			policyStatus(),
		),
		accepted: accepted{
			"every namespace, by an expression": set(selector, map[string]any{"matchExpressions": []any{
				map[string]any{"key": "kubernetes.io/metadata.name", "operator": "Exists"},
			}}),
			"Exists with an empty list": both(set(selector+".matchExpressions[0].operator", "Exists"), set(selector+".matchExpressions[0].values", []any{})),
			"a name of 63 characters":   set("metadata.name", strings.Repeat("a", 63)),
		},
	}
}

const (
	selectsAll       = "must select by at least one label: an empty selector would govern every namespace"
	labelBounds      = "must be at most 16 labels, with keys of at most 316 and values of at most 63 characters"
	expressionBounds = "must have at most 16 expressions with at most 64 values each"
	expressionForm   = "each expression must have the operator In or NotIn with values, or Exists or DoesNotExist without"
)

func labels(n int) map[string]any {
	many := map[string]any{}
	for i := range n {
		many[fmt.Sprintf("label-%d", i)] = "x"
	}
	return many
}

func placementPolicy() fixture {
	return fixture{
		kind:       "PlacementPolicy",
		namespaced: true,
		minimal:    `spec: {trustLevels: [secnumcloud], enforcement: Enforce}`,
		full:       `spec:` + someDemand + somePolicyStatus,
		refused:    all(required("spec"), demand(), policyStatus()),
	}
}

// demand is what both kinds of policy have.
func demand() cases {
	return all(
		required("spec.trustLevels", "spec.enforcement", "spec.spread.minSites"),
		filled("spec.trustLevels"),
		setOf("spec.trustLevels", 8),
		levelName("spec.trustLevels[0]"),
		number("spec.spread.minSites", 1, 64),
		number("spec.spread.maxSkew", 1, 1000),
		choice("spec.spread.tooFewReplicas", "Ignore", "Warn", "Deny"),
		choice("spec.enforcement", "Audit", "Warn", "Enforce"),
	)
}

func policyStatus() cases {
	const first = "status.violating[0]"
	return all(
		list("status.violating", 10),
		required(first+".namespace", first+".pod", first+".node", first+".reason", first+".message"),
		text(first+".message", 0, 1024),
		conditions(),
	)
}
