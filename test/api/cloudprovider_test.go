package api_test

func cloudProvider() fixture {
	return fixture{
		kind:    "CloudProvider",
		minimal: `spec: {legalEntity: OUTSCALE SAS, seat: FR}`,
		full: `
spec:
  legalEntity: OUTSCALE SAS
  seat: FR
  parent: {name: Dassault Systèmes SE, country: FR}
  owners: [{name: Dassault Systèmes SE, country: FR}]
  exposures: [{law: US-CLOUD-Act, state: NotExposed, assessedBy: Counsel, assessedAt: "2026-01-01", basis: No presence there.}]
  recognition:
    providerIDPrefixes: ["aws:///eu-west-2a/"]
    csiDrivers: [bsu.csi.outscale.com]
    regions: [eu-west-2]
    labelKeys: [topology.outscale.com/net]
  offers:
  - name: oks
    title: OUTSCALE Kubernetes
    serviceModel: CaaS
    administrationFrom: [FR]
    supportFrom: [FR]
    hostedOn: [{provider: outscale, offer: iaas, regions: [cloudgouv-eu-west-1]}]
    subcontractors:
    - name: Somebody SARL
      country: FR
      role: model runtime
      exposures: [{law: US-CLOUD-Act, state: NotExposed, assessedBy: Counsel, assessedAt: "2026-01-01", basis: No presence there.}]
  evidence: [{url: "https://example.org/legal", sha256: ` + someSHA256 + `, retrievedAt: "2026-11-01T00:00:00Z", note: The legal notice.}]
status:
  observedGeneration: 1
  conditions: ` + someConditions,
		refused: all(
			required("spec", "spec.legalEntity", "spec.seat"),
			text("spec.legalEntity", 1, 256),
			country("spec.seat"),
			company("spec.parent"),
			setOf("spec.owners", 16, "name"),
			company("spec.owners[0]"),
			exposures("spec.exposures"),
			providerRecognition("spec.recognition"),
			setOf("spec.offers", 32, "name"),
			offer("spec.offers[0]"),
			evidence("spec.evidence"),
			conditions(),
		),
	}
}

func company(path string) cases {
	return all(required(path+".name", path+".country"), text(path+".name", 1, 256), country(path+".country"))
}

func providerRecognition(path string) cases {
	return all(
		setOf(path+".providerIDPrefixes", 64),
		prefix(path+".providerIDPrefixes[0]"),
		setOf(path+".csiDrivers", 16),
		text(path+".csiDrivers[0]", 1, 63),
		setOf(path+".regions", 128),
		term(path+".regions[0]"),
		setOf(path+".labelKeys", 16),
		labelKey(path+".labelKeys[0]"),
		foreignLabels(path+".labelKeys"),
	)
}

// foreignLabels are keys of labels that others write.
func foreignLabels(path string) cases {
	found := cases{}
	for _, key := range ourLabels {
		found["the label key "+key] = refusal{
			set(path+"[0]", key), path,
			"none may be one of Terroir's own labels, which Terroir writes on the nodes of every provider: name a label that only this provider's nodes carry",
		}
	}
	return found
}

func offer(path string) cases {
	return all(
		required(path+".name", path+".serviceModel"),
		term(path+".name"),
		text(path+".title", 0, 128),
		choice(path+".serviceModel", "IaaS", "CaaS", "PaaS", "SaaS"),
		setOf(path+".administrationFrom", 64),
		country(path+".administrationFrom[0]"),
		setOf(path+".supportFrom", 64),
		country(path+".supportFrom[0]"),
		list(path+".hostedOn", 8),
		required(path+".hostedOn[0].provider", path+".hostedOn[0].offer"),
		objectName(path+".hostedOn[0].provider"),
		term(path+".hostedOn[0].offer"),
		setOf(path+".hostedOn[0].regions", 64),
		term(path+".hostedOn[0].regions[0]"),
		setOf(path+".subcontractors", 16, "name"),
		company(path+".subcontractors[0]"),
		text(path+".subcontractors[0].role", 0, 256),
		exposures(path+".subcontractors[0].exposures"),
	)
}
