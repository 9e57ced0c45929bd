package api_test

func qualification() fixture {
	return fixture{
		kind: "Qualification",
		minimal: `
spec: {framework: secnumcloud-3.2, levels: [qualified], subject: {provider: outscale, offer: oks, everywhere: true}, state: Announced}`,
		full: `
spec:
  framework: c5-2020
  levels: [type-2]
  subject: {provider: outscale, offer: oks, regions: [cloudgouv-eu-west-1], sites: [paris-1], everywhere: false}
  state: Granted
  milestone: J3
  validFrom: "2026-01-01T00:00:00Z"
  validUntil: "2029-01-01T00:00:00Z"
  period: {from: "2025-01-01T00:00:00Z", to: "2026-01-01T00:00:00Z"}
  evidence: [{url: "https://example.org/list", sha256: ` + someSHA256 + `, retrievedAt: "2026-11-01T00:00:00Z", note: The list.}]
  lastVerified: "2026-11-01T00:00:00Z"
status:
  observedGeneration: 1
  conditions: ` + someConditions + `
  nextChange: "2029-01-01T00:00:00Z"`,
		refused: all(
			required("spec", "spec.framework", "spec.levels", "spec.subject", "spec.state"),
			objectName("spec.framework"),
			filled("spec.levels"),
			setOf("spec.levels", 16),
			term("spec.levels[0]"),
			subject(),
			choice("spec.state", "Announced", "Applied", "InEvaluation", "Granted", "Suspended", "Withdrawn"),
			text("spec.milestone", 0, 64),
			validity(),
			evidence("spec.evidence"),
			moment("spec.lastVerified"),
			moment("status.nextChange"),
			conditions(),
		),
		accepted: accepted{
			"no period":                          set("spec.period", nil),
			"a qualification that began at null": set("spec.validFrom", nil),
			"an end that nobody knows yet":       both(set("spec.state", "Applied"), set("spec.validUntil", nil)),
			"everywhere with empty lists": both(set("spec.subject.everywhere", true),
				both(set("spec.subject.regions", []any{}), set("spec.subject.sites", []any{}))),
		},
	}
}

func subject() cases {
	const (
		path         = "spec.subject"
		saysNowhere  = "say where the offer is qualified: give regions, sites, or everywhere: true"
		contradicted = "everywhere: true contradicts a list of regions or sites: give the one or the other"
	)
	return all(
		required(path+".provider", path+".offer"),
		objectName(path+".provider"),
		term(path+".offer"),
		setOf(path+".regions", 64),
		term(path+".regions[0]"),
		setOf(path+".sites", 64),
		siteName(path+".sites[0]"),
		cases{
			"qualified nowhere":         {set(path, map[string]any{"provider": "outscale", "offer": "oks"}), path, saysNowhere},
			"qualified in empty lists":  {both(set(path+".regions", []any{}), set(path+".sites", []any{})), path, saysNowhere},
			"everywhere and in a place": {set(path+".everywhere", true), path + ".everywhere", contradicted},
			"everywhere and in a site":  {both(set(path+".everywhere", true), without(path+".regions")), path + ".everywhere", contradicted},
		},
	)
}

func validity() cases {
	return all(
		moment("spec.validFrom"),
		moment("spec.validUntil"),
		required("spec.period.from", "spec.period.to"),
		moment("spec.period.from"),
		moment("spec.period.to"),
		cases{
			"it ends before it begins":               {set("spec.validUntil", "2025-12-31T23:59:59Z"), "spec.validUntil", "validUntil must be after validFrom"},
			"it ends when it begins":                 {set("spec.validUntil", "2026-01-01T01:00:00+01:00"), "spec.validUntil", "validUntil must be after validFrom"},
			"it is granted for ever":                 {without("spec.validUntil"), "spec.validUntil", endless},
			"it is granted until null":               {set("spec.validUntil", nil), "spec.validUntil", endless},
			"the period ends before it begins":       {set("spec.period.to", "2024-12-31T23:59:59Z"), "spec.period.to", "to must be after from"},
			"the period ends in the moment it began": {set("spec.period.to", "2025-01-01T00:00:00Z"), "spec.period.to", "to must be after from"},
		},
	)
}

const endless = "a Granted qualification needs validUntil: one without an end would never stop counting"
