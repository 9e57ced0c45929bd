package api_test

func terroirConfig() fixture {
	const first, unrecognised = "status.revoking[0]", "status.unrecognised[0]"
	return fixture{
		kind:    "TerroirConfig",
		minimal: `metadata: {name: cluster}`,
		full: `
metadata: {name: cluster}
spec:
  allowedSchedulers: [default-scheduler]
  allowedRuntimeClasses: [gvisor]
  schedulerUsers: [system:kube-scheduler]
  cloudControllerUsers: [system:cloud-controller-manager]
  exemptNamespaces: [monitoring]
  storageDrivers: [{driver: rbd.csi.ceph.com, namespace: rook-ceph}]
status:
  observedGeneration: 1
  conditions: ` + someConditions + `
  fence: Full
  revoking: [{node: n1, trustLevels: [secnumcloud], until: "2026-11-01T00:00:10Z"}]
  nodes: {total: 3, recognised: 1, suspect: 1, evidence: {claimed: 1, listed: 0, cloudController: 0, corroborated: 0}}
  unrecognised: [{node: n2, state: Unknown, reason: NoZoneMatches, message: No zone has its signals.}]`,
		refused: all(
			cases{
				"a second configuration": {set("metadata.name", "other"), "", "there is one TerroirConfig: metadata.name must be cluster"},
			},
			filled("spec.allowedSchedulers"),
			setOf("spec.allowedSchedulers", 16),
			text("spec.allowedSchedulers[0]", 1, 253),
			wrong("spec.allowedSchedulers[0]", "must be a scheduler's name, such as default-scheduler", "Default Scheduler", "*"),
			setOf("spec.allowedRuntimeClasses", 64),
			text("spec.allowedRuntimeClasses[0]", 1, 253),
			wrong("spec.allowedRuntimeClasses[0]", "must be the name of a RuntimeClass, such as gvisor", "gVisor", "*", "it's"),
			filled("spec.schedulerUsers"),
			setOf("spec.schedulerUsers", 16),
			text("spec.schedulerUsers[0]", 1, 253),
			wrong("spec.schedulerUsers[0]", userName,
				"kube scheduler", "o'neill", `"quoted"`, `back\slash`, "a\nb"),
			filled("spec.cloudControllerUsers"),
			setOf("spec.cloudControllerUsers", 16),
			text("spec.cloudControllerUsers[0]", 1, 253),
			wrong("spec.cloudControllerUsers[0]", userName, "cloud controller", "o'neill", `"quoted"`, `back\slash`, "a\nb"),
			setOf("spec.exemptNamespaces", 64),
			term("spec.exemptNamespaces[0]"),
			wrong("spec.exemptNamespaces[0]", "must be the name of a namespace, such as monitoring", "kube-*", "Monitoring", "a.b"),
			setOf("spec.storageDrivers", 16, "driver"),
			required("spec.storageDrivers[0].driver", "spec.storageDrivers[0].namespace"),
			text("spec.storageDrivers[0].driver", 1, 63),
			term("spec.storageDrivers[0].namespace"),
			wrong("spec.storageDrivers[0].namespace", "must be the name of a namespace, such as monitoring", "Rook", "a.b"),
			choice("status.fence", "Full", "ValidatingOnly", "Off"),
			setOf("status.revoking", 10000, "node"),
			required(first+".node", first+".trustLevels", first+".until"),
			text(first+".node", 0, 253),
			setOf(first+".trustLevels", 256),
			text(first+".trustLevels[0]", 0, 63),
			moment(first+".until"),
			required("status.nodes.total", "status.nodes.recognised", "status.nodes.suspect"),
			setOf("status.unrecognised", 100, "node"),
			required(unrecognised+".node", unrecognised+".state", unrecognised+".reason", unrecognised+".message"),
			text(unrecognised+".node", 0, 253),
			choice(unrecognised+".state", "Unknown", "Ambiguous", "Suspect"),
			text(unrecognised+".reason", 0, 63),
			text(unrecognised+".message", 0, 1024),
			conditions(),
		),
	}
}

const userName = "must be a user as the API server names it, without quotes, backslashes and spaces, such as system:kube-scheduler"
