package api_test

import (
	"fmt"
	"strings"
)

func zone() fixture {
	return fixture{
		kind:    "Zone",
		minimal: `spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: api-test}}}`,
		full: `
spec:
  country: FR
  provider: outscale
  offer: oks
  region: cloudgouv-eu-west-1
  site: paris-1
  recognition:
    providerIDPrefixes: ["aws:///cloudgouv-eu-west-1a/"]
    labels: {topology.kubernetes.io/zone: cloudgouv-eu-west-1a}
    csiDrivers: [bsu.csi.outscale.com]
    systemUUIDs: [4c4c4544-0042-3510-8054-b4c04f4d3332]
status:
  observedGeneration: 1
  conditions: ` + someConditions + `
  site: paris-1
  nodes: 12
  satisfies: secnumcloud
  trustLevels: [{name: secnumcloud, satisfied: true, until: "2029-01-01T00:00:00Z", reason: Satisfied, message: It is.}]
  nextChange: "2029-01-01T00:00:00Z"`,
		refused: all(
			required("spec", "spec.country", "spec.recognition"),
			longName("a zone's name becomes a label value: metadata.name must have at most 63 characters"),
			country("spec.country"),
			objectName("spec.provider"),
			term("spec.offer"),
			term("spec.region"),
			siteName("spec.site"),
			cases{
				"an offer of nobody": {
					both(without("spec.provider"), without("spec.region")), "spec.offer",
					"offer needs provider: an offer is one of a provider's, so name that CloudProvider too",
				},
				"a region in nobody's words": {
					both(without("spec.provider"), without("spec.offer")), "spec.region",
					"region needs provider: a region is named in its provider's words, so name that CloudProvider too",
				},
			},
			signals("spec.recognition"),
			zoneStatus(),
		),
		accepted: accepted{
			"somebody else's label whose name contains ours": set("spec.recognition.labels", map[string]any{"grandterroir.example/rack": "a1"}),
			"a label without a value":                        set("spec.recognition.labels", map[string]any{"node-role.kubernetes.io/worker": ""}),
			"a provider whose IDs have nothing but a number": set("spec.recognition.providerIDPrefixes", []any{"hcloud://"}),
			"a UUID in upper case":                           set("spec.recognition.systemUUIDs", []any{"4C4C4544-0042-3510-8054-B4C04F4D3332"}),
			"a name of 63 characters":                        set("metadata.name", strings.Repeat("a", 63)),
			"no site":                                        without("spec.site"),
			"1000 machines":                                  set("spec.recognition.systemUUIDs", machines(1000)),
		},
	}
}

func signals(path string) cases {
	const noSignal = "at least one of providerIDPrefixes, labels, csiDrivers and systemUUIDs must be given: a zone without a signal would contain every node"
	return all(
		cases{
			"no signal":          {set(path, map[string]any{}), path, noSignal},
			"only empty signals": {set(path, map[string]any{"labels": map[string]any{}, "systemUUIDs": []any{}, "csiDrivers": []any{}, "providerIDPrefixes": []any{}}), path, noSignal},
		},
		setOf(path+".providerIDPrefixes", 64),
		prefix(path+".providerIDPrefixes[0]"),
		labelSignals(path+".labels"),
		setOf(path+".csiDrivers", 16),
		text(path+".csiDrivers[0]", 1, 63),
		setOf(path+".systemUUIDs", 1000),
		text(path+".systemUUIDs[0]", 0, 36),
		wrong(path+".systemUUIDs[0]", "must be a UUID, such as 4c4c4544-0042-3510-8054-b4c04f4d3332", "", "n1", "4c4c454400423510-8054-b4c04f4d3332"),
		wrong(path+".systemUUIDs[0]", "must be the UUID of one machine: this one is what machines without a UUID report",
			"00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
	)
}

func labelSignals(path string) cases {
	const isOurs = "Terroir's own labels cannot be a signal, since Terroir writes them where it has recognised a node: name labels that others write, such as topology.kubernetes.io/zone"
	found := labelsOf(path, "each key must be the key of a label, such as topology.kubernetes.io/zone")
	for _, key := range ourLabels {
		found[fmt.Sprintf("the label %s as a signal", key)] = refusal{set(path, map[string]any{key: "x"}), path, isOurs}
	}
	return found
}

func zoneStatus() cases {
	const first = "status.trustLevels[0]"
	return all(
		setOf("status.trustLevels", 256, "name"),
		required(first+".name", first+".satisfied", first+".reason", first+".message"),
		moment(first+".until"),
		text(first+".message", 0, 1024),
		moment("status.nextChange"),
		conditions(),
	)
}

// longName is a name of 64 characters that is otherwise fine.
func longName(says string) cases {
	return cases{"a name of 64 characters": {set("metadata.name", strings.Repeat("a", 64)), "", says}}
}

func machines(n int) []any {
	var uuids []any
	for i := range n {
		uuids = append(uuids, fmt.Sprintf("4c4c4544-0042-3510-8054-%012d", i))
	}
	return uuids
}
