package api_test

import (
	"fmt"
	"strings"
)

const someDemand = `
  trustLevels: [secnumcloud]
  spread: {minSites: 3, maxSkew: 1, tooFewReplicas: Warn}
  enforcement: Enforce
  nodeLocalStorage: Deny
  encryption:
    keys: [health-kek]
    protection: HSM
    custody: [Customer, SovereignProvider]
    evidence: {nonExtractable: Tested, origin: Reported, protection: Declared, custody: Declared}
    acceptedBindings: [NodeEnvelope, ProviderEnvelope]
    onRevocation: Report`

const somePolicyStatus = `
status:
  observedGeneration: 1
  conditions: ` + someConditions + `
  requires: secnumcloud
  namespaces: 1
  pods: 2
  volumes: 1
  violations: 1
  reasons: [{reason: VolumeNotQualified, count: 1}]
  violating: [{namespace: hr, pod: payroll-0, node: n1, claim: data, reason: VolumeNotQualified, message: volume v is in no qualified zone}]`

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
			longName("a policy's metadata.name must have at most 63 characters"),
			namespaceSelector(selector),
			demand(),
			policyStatus(),
		),
		accepted: accepted{
			"every namespace, by an expression": set(selector, map[string]any{"matchExpressions": []any{
				map[string]any{"key": "kubernetes.io/metadata.name", "operator": "Exists"},
			}}),
			"Exists with an empty list":         both(set(selector+".matchExpressions[0].operator", "Exists"), set(selector+".matchExpressions[0].values", []any{})),
			"a value twice":                     set(selector+".matchExpressions[0].values", []any{"patients", "patients"}),
			"the empty value":                   both(set(selector+".matchLabels", map[string]any{"data": ""}), set(selector+".matchExpressions[0].values", []any{""})),
			"a key that only contains our name": set(selector+".matchLabels", map[string]any{"grandterroir.dev/data": "health"}),
			"the largest selector":              set(selector, largestSelector()),
			"encryption in whatever way":        set("spec.encryption", map[string]any{}),
			"the longest list of keys":          set("spec.encryption.keys", longestNames(16)),
			"any custody, in an empty list":     set("spec.encryption.custody", []any{}),
			"a name of 63 characters":           set("metadata.name", strings.Repeat("a", 63)),
		},
	}
}

const (
	selectsAll = "must select by at least one label, since an empty selector would govern every namespace; " +
		"to mean every namespace, write matchExpressions: [{key: kubernetes.io/metadata.name, operator: Exists}]"
	selectsByOurs = "Terroir's own labels cannot select, since Terroir writes them where a policy applies: name a label that you write, such as data-class"
)

// ourLabels are keys that Terroir writes, or might.
var ourLabels = []string{
	"terroir.node-restriction.kubernetes.io/zone", "open.terroir.node-restriction.kubernetes.io/secnumcloud", "held.terroir.node-restriction.kubernetes.io/secnumcloud",
	"terroir.dev/governed", "inherited.terroir.dev/trust-level",
}

// labelsOf are labels that are given as a map.
func labelsOf(path, isKey string) cases {
	found := cases{
		path + " are 17":                    {set(path, labels(17)), path, tooMany(16)},
		path + " have a long value":         {set(path, map[string]any{"rack": strings.Repeat("x", 64)}), path + ".rack", tooLong(63)},
		path + " have no key":               {set(path, map[string]any{"": "x"}), path, isKey},
		path + " have a key too many":       {set(path, map[string]any{"a/b/c": "x"}), path, isKey},
		path + " have a key with a space":   {set(path, map[string]any{"a b": "x"}), path, isKey},
		path + " have a value with a space": {set(path, map[string]any{"rack": "a 1"}), path + "[rack]", isLabelValue},
	}
	return found
}

// isLabelValue is what is said of anything else.
const isLabelValue = "must be a label's value: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, such as par-1"

// namespaceSelector selects namespaces, and never all of them by silence.
func namespaceSelector(path string) cases {
	return all(
		cases{
			"the selector is empty":             {set(path, map[string]any{}), path, selectsAll},
			"the selector has only empty lists": {set(path, map[string]any{"matchLabels": map[string]any{}, "matchExpressions": []any{}}), path, selectsAll},
		},
		selectedLabels(path+".matchLabels"),
		expressions(path+".matchExpressions"),
	)
}

func selectedLabels(path string) cases {
	found := labelsOf(path, "each key must be the key of a label, such as data-class or example.org/team")
	for _, key := range ourLabels {
		found["namespaces selected by "+key] = refusal{set(path, map[string]any{key: "x"}), path, selectsByOurs}
	}
	return found
}

func expressions(path string) cases {
	const (
		first    = "[0]"
		nothing  = "In and NotIn need at least one value to compare the label with"
		compared = "Exists and DoesNotExist compare no values: leave them out, or write In or NotIn"
	)
	key, operator, values := path+first+".key", path+first+".operator", path+first+".values"
	return all(
		list(path, 16),
		required(key, operator),
		labelKey(key),
		wrong(key, selectsByOurs, ourLabels...),
		choice(operator, "In", "NotIn", "Exists", "DoesNotExist"),
		wrong(operator, oneOf("In", "NotIn", "Exists", "DoesNotExist"), "Gt", "", "Equals"),
		list(values, 64),
		text(values+"[0]", 0, 63),
		wrong(values+"[0]", isLabelValue, "a b", "-a", "a/b"),
		cases{
			"In without values":        {without(values), values, nothing},
			"In with an empty list":    {set(values, []any{}), values, nothing},
			"NotIn without values":     {both(set(operator, "NotIn"), without(values)), values, nothing},
			"Exists with values":       {set(operator, "Exists"), values, compared},
			"DoesNotExist with values": {set(operator, "DoesNotExist"), values, compared},
		},
	)
}

// largestSelector is as large as the bounds allow: the cost of its rules must stay within the API server's.
func largestSelector() map[string]any {
	longest := func(i int) string {
		return fmt.Sprintf("%sexample/%s-%02d", strings.Repeat("a.", 120), strings.Repeat("x", 60), i)
	}
	matchLabels, values, matchExpressions := map[string]any{}, []any{}, []any{}
	for i := range 64 {
		values = append(values, fmt.Sprintf("%s-%02d", strings.Repeat("x", 60), i))
	}
	for i := range 16 {
		matchLabels[longest(i)] = strings.Repeat("x", 63)
		matchExpressions = append(matchExpressions, map[string]any{"key": longest(i), "operator": "In", "values": values})
	}
	return map[string]any{"matchLabels": matchLabels, "matchExpressions": matchExpressions}
}

// longestNames are n different names of 63 characters.
func longestNames(n int) []any {
	var names []any
	for i := range n {
		names = append(names, fmt.Sprintf("%s-%02d", strings.Repeat("x", 60), i))
	}
	return names
}

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
		choice("spec.nodeLocalStorage", "Deny", "QualifiedNodes", "Allow"),
		encryption("spec.encryption"),
	)
}

// encryption is what is demanded of volumes.
func encryption(path string) cases {
	const nothing = "None is a volume that is not encrypted: to demand nothing, leave out encryption"
	bindings := path + ".acceptedBindings"
	return all(
		encryptionWords(path),
		filled(bindings),
		setOf(bindings, 5),
		cases{
			"a volume that is not encrypted would do":   {set(bindings, []any{"None"}), bindings, nothing},
			"one that is encrypted would do, or is not": {set(bindings, []any{"NodeEnvelope", "None"}), bindings, nothing},
		},
	)
}

// encryptionWords are the words in which policies and floors speak of encryption.
func encryptionWords(path string) cases {
	found := all(
		setOf(path+".keys", 16),
		keyName(path+".keys[0]"),
		choice(path+".protection", "Software", "HSM"),
		setOf(path+".custody", 3),
		choice(path+".custody[0]", "Customer", "SovereignProvider", "Provider"),
		choice(path+".acceptedBindings[0]", "ProviderEnvelope", "NodeEnvelope", "KeyServed", "KubernetesSecret", "ProviderManaged", "None"),
		wrong(path+".acceptedBindings[0]", "Unsupported value", "Unknown"),
		choice(path+".onRevocation", "Report", "Evict"),
	)
	for _, fact := range []string{"nonExtractable", "origin", "protection", "custody"} {
		found = all(found, choice(path+".evidence."+fact, "Declared", "Reported", "Tested", "Attested"))
	}
	return found
}

func policyStatus() cases {
	const first = "status.violating[0]"
	return all(
		list("status.violating", 10),
		required(first+".namespace", first+".reason", first+".message"),
		setOf("status.reasons", 32, "reason"),
		required("status.reasons[0].reason", "status.reasons[0].count"),
		text("status.reasons[0].reason", 0, 64),
		text(first+".message", 0, 1024),
		conditions(),
	)
}
