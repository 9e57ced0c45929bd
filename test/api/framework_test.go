package api_test

func framework() fixture {
	return fixture{
		kind: "Framework",
		minimal: `
spec: {title: SecNumCloud, version: "3.2", authority: {name: ANSSI, kind: State}, lifecycle: InForce, levels: [{name: qualified}]}`,
		full: `
spec:
  title: C5
  version: "2020"
  authority: {name: BSI, kind: State, country: DE}
  lifecycle: Superseded
  acceptUntil: "2027-06-01T00:00:00Z"
  levels: [{name: type-2, include: [type-1]}, {name: type-1}]
  evidence: [{url: "https://example.org/c5", sha256: ` + someSHA256 + `, retrievedAt: "2026-11-01T00:00:00Z", note: The catalogue.}]
status:
  observedGeneration: 1
  qualifications: 3
  conditions: ` + someConditions,
		refused: all(
			required("spec", "spec.title", "spec.version", "spec.authority", "spec.lifecycle", "spec.levels"),
			text("spec.title", 1, 128),
			text("spec.version", 1, 32),
			required("spec.authority.name", "spec.authority.kind"),
			text("spec.authority.name", 1, 128),
			choice("spec.authority.kind", "State", "EUInstitution", "Association", "Vendor", "Auditor"),
			country("spec.authority.country"),
			choice("spec.lifecycle", "Draft", "Proposed", "InForce", "Superseded"),
			moment("spec.acceptUntil"),
			filled("spec.levels"),
			setOf("spec.levels", 16, "name"),
			required("spec.levels[0].name"),
			term("spec.levels[0].name"),
			setOf("spec.levels[0].include", 16),
			term("spec.levels[0].include[0]"),
			cases{
				"a framework in force has an end": {
					set("spec.lifecycle", "InForce"), "spec.acceptUntil",
					"acceptUntil has a meaning only when lifecycle is Superseded: leave it out, or set lifecycle: Superseded",
				},
				"a level includes itself":                  {set("spec.levels[1].include", []any{"type-1"}), "spec.levels", includesOthers},
				"a level includes one that does not exist": {set("spec.levels[0].include", []any{"type-3"}), "spec.levels", includesOthers},
			},
			evidence("spec.evidence"),
			conditions(),
		),
		accepted: accepted{
			"a framework in force that ends at null": both(set("spec.lifecycle", "InForce"), set("spec.acceptUntil", nil)),
			"two levels that include each other":     set("spec.levels[1].include", []any{"type-2"}),
			"an institution without a country":       without("spec.authority.country"),
		},
	}
}

const includesOthers = "a level may include only other levels of this framework: list each included level here by its own name"
