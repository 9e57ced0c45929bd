package api_test

func placementFloor() fixture {
	const first = "spec.demandedBy[0]"
	return fixture{
		kind:       "PlacementFloor",
		namespaced: true,
		minimal:    `{metadata: {name: floor}, spec: {}}`,
		full: `
metadata: {name: floor}
spec:
  trustLevels: [secnumcloud]
  missingTrustLevels: [secnumcloud]
  problems: [trust level secnumcloud does not exist]
  minSites: 3
  maxSkew: 1
  nodeLocalStorage: Deny
  encryption:
    keys: [health-kek]
    protection: HSM
    custody: [Customer]
    evidence: {nonExtractable: Tested, origin: Reported, protection: Declared, custody: Declared}
    acceptedBindings: [NodeEnvelope]
    onRevocation: Evict
  demandedBy: [{kind: ClusterPlacementPolicy, name: health-data, trustLevels: [secnumcloud], minSites: 3, nodeLocalStorage: Deny, encryption: true}]`,
		refused: all(
			required("spec", first+".kind", first+".name"),
			cases{
				"a second floor": {set("metadata.name", "ceiling"), "", "a namespace has one floor, which Terroir writes: metadata.name must be floor"},
			},
			setOf("spec.trustLevels", 64),
			levelName("spec.trustLevels[0]"),
			setOf("spec.missingTrustLevels", 64),
			levelName("spec.missingTrustLevels[0]"),
			list("spec.problems", 8),
			text("spec.problems[0]", 0, 2048),
			number("spec.minSites", 0, 64),
			number("spec.maxSkew", 0, 1000),
			choice("spec.nodeLocalStorage", "Deny", "QualifiedNodes", "Allow"),
			encryptionWords("spec.encryption"),
			setOf("spec.encryption.acceptedBindings", 6),
			choice(first+".nodeLocalStorage", "Deny", "QualifiedNodes", "Allow"),
			list("spec.demandedBy", 256),
			choice(first+".kind", "ClusterPlacementPolicy", "PlacementPolicy", "Namespace"),
			text(first+".name", 0, 253),
			setOf(first+".trustLevels", 64),
			text(first+".trustLevels[0]", 0, 63),
		),
	}
}
