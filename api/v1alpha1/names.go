package v1alpha1

// Names that users, scripts and the scheduler rely on. They are part of the API.
const (
	// HeldLabelPrefix precedes a TrustLevel's name in the key of the Node label that lets pods owing the level stay. Its value is "true".
	HeldLabelPrefix = "held.terroir.node-restriction.kubernetes.io/"
	// OpenLabelPrefix precedes a TrustLevel's name in the key of the Node label that lets pods owing the level come. Its value is the site.
	OpenLabelPrefix = "open.terroir.node-restriction.kubernetes.io/"
	// ZoneLabel is the key of the Node label that names the Zone in which the node was recognised.
	ZoneLabel = "terroir.node-restriction.kubernetes.io/zone"
	// SuspectSinceLabel is the key of the Node label that says since when a signal of a recognised node is missing, in the
	// layout of [SuspectSinceLayout]. It is a label because kubelets may change annotations and status, but not these keys.
	SuspectSinceLabel = "terroir.node-restriction.kubernetes.io/suspect-since"
	// SuspectSinceLayout is the layout, for [time.Parse], of the value of [SuspectSinceLabel]. The time is UTC.
	SuspectSinceLayout = "20060102T150405Z"

	// AnnotationPrefix precedes every annotation that developers write. A key under it that is not known is refused.
	AnnotationPrefix = "terroir.dev/"
	// TrustLevelAnnotation asks for TrustLevels by name, separated by commas.
	TrustLevelAnnotation = AnnotationPrefix + "trust-level"
	// MinSitesAnnotation asks for a spread over at least so many sites.
	MinSitesAnnotation = AnnotationPrefix + "min-sites"
	// PlacementAnnotation is written on pods by Terroir: what was demanded and by whom, as JSON, for people. It is never evidence.
	PlacementAnnotation = AnnotationPrefix + "placement"

	// InheritedPrefix precedes the name of a workload's annotation in the mirror of it that Terroir writes on the pod template.
	InheritedPrefix = "inherited.terroir.dev/"
	// InheritedTrustLevelAnnotation mirrors [TrustLevelAnnotation].
	InheritedTrustLevelAnnotation = InheritedPrefix + "trust-level"
	// InheritedMinSitesAnnotation mirrors [MinSitesAnnotation].
	InheritedMinSitesAnnotation = InheritedPrefix + "min-sites"

	// WorkloadLabel is the key of the Pod label by which spreads count: the UID of the pod's controller, or a bare pod's own name.
	WorkloadLabel = "terroir.dev/workload"
	// GovernedLabel is the key of the Namespace label, of value "true", where an enforcing policy or an annotated workload is.
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
)
