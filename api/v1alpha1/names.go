package v1alpha1

// Names that users, scripts and the scheduler rely on. They are part of the API.
const (
	// HeldLabelPrefix precedes a TrustLevel's name in the key of the Node label that lets pods owing the level stay. Its value is "true".
	HeldLabelPrefix = "held.terroir.node-restriction.kubernetes.io/"
	// OpenLabelPrefix precedes a TrustLevel's name in the key of the Node label that lets pods owing the level come. Its value is the site.
	OpenLabelPrefix = "open.terroir.node-restriction.kubernetes.io/"
	// ZoneLabel is the key of the Node label that names the Zone in which the node was recognised. A node whose identity is in doubt
	// keeps it: it is then what Terroir remembers.
	ZoneLabel = "terroir.node-restriction.kubernetes.io/zone"
	// SuspectSinceLabel is the key of the Node label that says since when a signal of a recognised node is missing, in the
	// layout of [SuspectSinceLayout]. It is a label because kubelets may change annotations and status, but not these keys.
	SuspectSinceLabel = "terroir.node-restriction.kubernetes.io/suspect-since"
	// SuspectSinceLayout is the layout, for [time.Parse], of the value of [SuspectSinceLabel]. The time is UTC.
	SuspectSinceLayout = "20060102T150405Z"
	// ContestedLabel is the key of the Node label that says since when somebody else may hold a certificate in the node's name, in
	// the layout of [SuspectSinceLayout]. It stays until the Node is deleted.
	ContestedLabel = "terroir.node-restriction.kubernetes.io/contested"
	// EvidenceLabel is the key of the Node label that says on what the node's recognition rests: a NodeEvidence.
	EvidenceLabel = "terroir.node-restriction.kubernetes.io/evidence"
	// MachineLabel is the key of the Node label by which Terroir knows the machine again: digests of its machine id, system UUID and
	// providerID, joined by dots, with the word none for what it did not show. It stays until the Node is deleted.
	MachineLabel = "terroir.node-restriction.kubernetes.io/machine"
	// SeenLabelPrefix precedes, in the keys of Node labels, the digest of each signal by which the node was recognised in its Zone,
	// providerID and system UUID aside. The value is the digest of what it showed.
	SeenLabelPrefix = "seen.terroir.node-restriction.kubernetes.io/"
	// ProviderIDFromLabel is the key of the Node label that says who set the node's providerID. An admission policy writes it in that
	// very request; Terroir only reads it.
	ProviderIDFromLabel = "terroir.node-restriction.kubernetes.io/provider-id-from"
	// ProviderIDFromCloudController is the value of [ProviderIDFromLabel] for a user listed in TerroirConfig's cloudControllerUsers.
	ProviderIDFromCloudController = "cloud-controller"
	// ProviderIDFromOther is the value of [ProviderIDFromLabel] for anybody else but a kubelet, of which nothing is written.
	ProviderIDFromOther = "other"

	// CertificateSecret is the name of the Secret, in terroir-system, with the webhook's certificate and its key.
	CertificateSecret = "terroir-webhook-cert"

	// AnnotationPrefix precedes every annotation that developers write. A key under it that is not known is refused.
	AnnotationPrefix = "terroir.dev/"
	// TrustLevelAnnotation asks for TrustLevels by name, separated by commas.
	TrustLevelAnnotation = AnnotationPrefix + "trust-level"
	// MinSitesAnnotation asks for a spread over at least so many sites.
	MinSitesAnnotation = AnnotationPrefix + "min-sites"
	// EncryptionKeyAnnotation asks for an EncryptionKey by name: the pod's volumes must be under it.
	EncryptionKeyAnnotation = AnnotationPrefix + "encryption-key"
	// PlacementAnnotation is written on pods by Terroir: what was demanded and by whom, as JSON, for people. It is never evidence.
	PlacementAnnotation = AnnotationPrefix + "placement"

	// InheritedPrefix precedes the name of a workload's annotation in the mirror of it that Terroir writes on the pod template.
	InheritedPrefix = "inherited.terroir.dev/"
	// InheritedTrustLevelAnnotation mirrors [TrustLevelAnnotation].
	InheritedTrustLevelAnnotation = InheritedPrefix + "trust-level"
	// InheritedMinSitesAnnotation mirrors [MinSitesAnnotation].
	InheritedMinSitesAnnotation = InheritedPrefix + "min-sites"
	// InheritedEncryptionKeyAnnotation mirrors [EncryptionKeyAnnotation].
	InheritedEncryptionKeyAnnotation = InheritedPrefix + "encryption-key"

	// EncryptionGate is the scheduling gate behind which pods wait that owe encryption and have claims. Terroir alone lifts it.
	EncryptionGate = "terroir.dev/encryption"
	// EncryptionProvenCondition is the type of the Pod condition that says why a pod waits behind [EncryptionGate].
	EncryptionProvenCondition = "terroir.dev/EncryptionProven"
	// KeyLabel and BindingLabel are the keys of labels of PersistentVolumeClaims that tell people which EncryptionKey protects the volume,
	// and how: a VolumeBinding. They are never evidence.
	KeyLabel     = "terroir.dev/encryption-key"
	BindingLabel = "terroir.dev/encryption-binding"
	// ClassAnnotation is the key of the annotation of a PersistentVolumeClaim that records by which StorageClass its volume is made: the
	// class's metadata.uid, a colon, and a digest of its provisioner and parameters. Terroir alone writes it.
	ClassAnnotation = "terroir.dev/storage-class"
	// ProofAnnotation is the key of the annotation of a PersistentVolume that records under which key it was proven: the claim's
	// metadata.uid, a colon, the EncryptionKey's name, a colon, and the key's fingerprint. Terroir alone writes it.
	ProofAnnotation = "terroir.dev/encryption-proof"
	// EncryptedLabel is the key of the Namespace label, of value "true", where the floor demands encryption. Claims are judged there when they are created.
	EncryptedLabel = "terroir.dev/encrypted"

	// WorkloadLabel is the key of the Pod label by which spreads count: the UID of the pod's controller, or a bare pod's own name.
	WorkloadLabel = "terroir.dev/workload"
	// GovernedLabel is the key of the Namespace label, of value "true", where an enforcing policy or an annotated workload is. PersistentVolumes that
	// hold what such a namespace wrote carry it, too, and StorageClasses by which its claims get volumes.
	GovernedLabel = "terroir.dev/governed"
	// UnsettledLabel is the key of the Namespace label, of value "true", where a namespace is governed and its floor is not written yet. The
	// API server puts it on in the request by which the namespace becomes governed; Terroir takes it off when the floor is there.
	UnsettledLabel = "terroir.dev/unsettled"
	// WarnedLabel is the key of the Namespace label, of value "true", where a policy with enforcement Warn applies.
	WarnedLabel = "terroir.dev/warned"

	// FloorName is the name of the one PlacementFloor of a namespace.
	FloorName = "floor"
	// ConfigName is the name of the one TerroirConfig of a cluster.
	ConfigName = "cluster"
	// ManagerObserver is the observer of KeyStores whose probe is from Manager: the operator itself.
	ManagerObserver = "manager"
	// AgentObserver is the observer of those among them that are of type PKCS11: the agent beside the operator.
	AgentObserver = "agent"
	// SystemNamespace is the namespace in which Terroir runs.
	SystemNamespace = "terroir-system"
	// InUseFinalizer keeps a TrustLevel that policies require from vanishing under them.
	InUseFinalizer = "terroir.dev/in-use"
	// FieldOwner is the field manager under which Terroir writes.
	FieldOwner = "terroir"
)

// Condition types.
const (
	// ConditionReady says whether the object is complete, its references resolve, and what it asks for is in effect.
	ConditionReady = "Ready"
	// ConditionUntampered says, on TerroirConfig, whether somebody else changed or deleted what Terroir consists of.
	ConditionUntampered = "Untampered"
	// ConditionInForce says whether a Qualification counts at this moment.
	ConditionInForce = "InForce"
	// ConditionSatisfied says whether at least one Zone satisfies a TrustLevel at this moment.
	ConditionSatisfied = "Satisfied"
	// ConditionCompliant says whether every pod that a policy concerns runs where the policy wants it.
	ConditionCompliant = "Compliant"
	// ConditionRevoked says, on EncryptionKey, whether something definite stands against the key: it is destroyed, deactivated, compromised, expired or replaced.
	ConditionRevoked = "Revoked"
	// ConditionBraked says, on KeyStore, whether so many of its keys are found revoked that no pod is evicted for them.
	ConditionBraked = "Braked"
	// ConditionNodeRestriction says whether the API server runs the admission plugin NodeRestriction.
	ConditionNodeRestriction = "NodeRestriction"
)

// Reasons of the condition [EncryptionProvenCondition] of pods.
const (
	// ReasonEncryptionProven says that every volume of the pod is proven to be encrypted as demanded.
	ReasonEncryptionProven = "Proven"
	// ReasonNothingOwed says that the pod owes no encryption, or has no volume that could be encrypted.
	ReasonNothingOwed = "NothingOwed"
	// ReasonEncryptionNotProven says that a volume is not known to be encrypted as demanded.
	ReasonEncryptionNotProven = "EncryptionNotProven"
	// ReasonClaimNotFound says that a claim of the pod does not exist.
	ReasonClaimNotFound = "ClaimNotFound"
)
