package api_test

import "strings"

func trustLevel() fixture {
	return fixture{
		kind:    "TrustLevel",
		minimal: `spec: {countries: [AQ]}`,
		full: `
spec:
  qualifications:
  - anyOf:
    - framework: c5-2020
      levels: [type-2]
      serviceModels: [IaaS]
      appliesTo: Offer
      countries: [DE]
      maxPeriodAge: 8760h
      basis: Its basic criteria cover what SecNumCloud asks for.
      until: "2027-06-01T00:00:00Z"
  countries: [FR]
  seatIn: [EU]
  administrationFrom: [EU]
  supportFrom: [EEA]
  notExposedTo: [US-CLOUD-Act]
  nodeEvidence: Listed
  maxEvidenceAge: 8760h
  staleEvidence: Warn
status:
  observedGeneration: 1
  conditions: ` + someConditions + `
  zones: 2
  sites: 2
  nodes: 12
  pods: 6
  astray: 1
  astrayVolumes: 1
  straying: [hr/data]
  nextChange: "2029-01-01T00:00:00Z"
  requiredBy: [ClusterPlacementPolicy/health-data]`,
		refused: all(
			required("spec"),
			longName(labelName),
			cases{
				"a name that is no DNS label":      {set("metadata.name", "secnumcloud-3.2"), "", labelName},
				"no demand":                        {set("spec", map[string]any{}), "spec", noDemand},
				"evidence of nodes, and no demand": {set("spec", map[string]any{"nodeEvidence": "Listed"}), "spec", noDemand},
				"a demand of nothing":              {set("spec", map[string]any{"countries": []any{}, "qualifications": []any{}}), "spec", noDemand},
				"the age of what nobody demands": {
					without("spec.qualifications"), "spec.maxEvidenceAge",
					"maxEvidenceAge is about qualifications, and none is demanded: demand one, or leave maxEvidenceAge out",
				},
				"Hold of evidence that never grows old": {
					both(set("spec.staleEvidence", "Hold"), without("spec.maxEvidenceAge")), "spec.maxEvidenceAge",
					"staleEvidence: Hold needs maxEvidenceAge, since without it no evidence is ever stale: say how long after lastVerified it is fresh, such as 8760h for a year, or write staleEvidence: Warn",
				},
			},
			list("spec.qualifications", 8),
			alternatives("spec.qualifications[0]"),
			demandedPlaces("spec.countries", "spec.seatIn", "spec.administrationFrom", "spec.supportFrom"),
			setOf("spec.notExposedTo", 32),
			term("spec.notExposedTo[0]"),
			duration("spec.maxEvidenceAge"),
			choice("spec.nodeEvidence", "Claimed", "Listed", "CloudController", "Corroborated"),
			choice("spec.staleEvidence", "Warn", "Hold"),
			moment("status.nextChange"),
			setOf("status.requiredBy", 16),
			setOf("status.straying", 10),
			conditions(),
		),
		accepted: accepted{
			"Warn of evidence that never grows old":  without("spec.maxEvidenceAge"),
			"neither, of which Warn is the default":  both(without("spec.maxEvidenceAge"), without("spec.staleEvidence")),
			"Hold of evidence that grows old":        set("spec.staleEvidence", "Hold"),
			"an alternative without end or basis":    both(set(firstAlternative+".until", nil), without(firstAlternative+".basis")),
			"a length of hours, minutes and seconds": set("spec.maxEvidenceAge", "1h30m15s"),
			"the longest length":                     set("spec.maxEvidenceAge", "999999h999999m999999s"),
			"the largest level":                      set("spec.qualifications", largestDemand()),
		},
	}
}

const (
	labelName = "a trust level's name becomes part of label keys: metadata.name must be a DNS label of at most 63 characters, such as secnumcloud"
	noDemand  = "at least one demand must be given: qualifications, countries, seatIn, administrationFrom, supportFrom or notExposedTo"
)

func alternatives(path string) cases {
	first := path + ".anyOf[0]"
	const unexplained = "an alternative with an end needs a basis: why it is accepted meanwhile"
	return all(
		required(path+".anyOf", first+".framework", first+".levels"),
		filled(path+".anyOf"),
		list(path+".anyOf", 8),
		objectName(first+".framework"),
		filled(first+".levels"),
		setOf(first+".levels", 16),
		term(first+".levels[0]"),
		setOf(first+".serviceModels", 4),
		choice(first+".serviceModels[0]", "IaaS", "CaaS", "PaaS", "SaaS"),
		choice(first+".appliesTo", "Offer", "OfferOrUnderlying"),
		demandedPlaces(first+".countries"),
		duration(first+".maxPeriodAge"),
		text(first+".basis", 0, 1024),
		moment(first+".until"),
		cases{
			"an alternative that ends, without a basis":     {without(first + ".basis"), first + ".basis", unexplained},
			"an alternative that ends, with an empty basis": {set(first+".basis", ""), first + ".basis", unexplained},
		},
	)
}

const firstAlternative = "spec.qualifications[0].anyOf[0]"

// largestDemand is as large as the bounds allow where rules run over lists in lists: their cost must stay within the API server's.
func largestDemand() []any {
	var countries, anyOf, demands []any
	for _, code := range strings.Fields("AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS " +
		"BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE") {
		countries = append(countries, code)
	}
	for range 8 {
		anyOf = append(anyOf, map[string]any{"framework": strings.Repeat("f", 253), "levels": []any{"qualified"}, "countries": countries})
	}
	for range 8 {
		demands = append(demands, map[string]any{"anyOf": anyOf})
	}
	return demands
}

func demandedPlaces(paths ...string) cases {
	found := cases{}
	for _, path := range paths {
		found = all(found, setOf(path, 64), territory(path+"[0]"))
	}
	return found
}
