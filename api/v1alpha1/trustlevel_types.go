package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TrustLevel is the name a workload asks for: a conjunction of demands on the ground it runs on.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !format.dns1123Label().validate(self.metadata.name).hasValue()",message="a trust level's name becomes part of label keys: metadata.name must be a DNS label of at most 63 characters, such as secnumcloud",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Satisfied",type=string,JSONPath=`.status.conditions[?(@.type=="Satisfied")].status`
// +kubebuilder:printcolumn:name="Zones",type=integer,JSONPath=`.status.zones`
// +kubebuilder:printcolumn:name="Sites",type=integer,JSONPath=`.status.sites`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Astray",type=integer,JSONPath=`.status.astray`
// +kubebuilder:printcolumn:name="Next change",type=string,JSONPath=`.status.nextChange`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Satisfied")].message`
type TrustLevel struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec lists the demands.
	// +required
	Spec TrustLevelSpec `json:"spec"`
	// status says where they are satisfied.
	// +optional
	Status TrustLevelStatus `json:"status,omitempty"`
}

// TrustLevelSpec lists demands. All of them must hold; an absent or empty list demands nothing.
//
// +kubebuilder:validation:XValidation:rule="(has(self.qualifications) && self.qualifications.size() > 0) || (has(self.countries) && self.countries.size() > 0) || (has(self.seatIn) && self.seatIn.size() > 0) || (has(self.administrationFrom) && self.administrationFrom.size() > 0) || (has(self.supportFrom) && self.supportFrom.size() > 0) || (has(self.notExposedTo) && self.notExposedTo.size() > 0)",message="at least one demand must be given: qualifications, countries, seatIn, administrationFrom, supportFrom or notExposedTo",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.maxEvidenceAge) || (has(self.qualifications) && self.qualifications.size() > 0)",message="maxEvidenceAge is about qualifications, and none is demanded: demand one, or leave maxEvidenceAge out",fieldPath=".maxEvidenceAge",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.staleEvidence) || self.staleEvidence != 'Hold' || has(self.maxEvidenceAge)",message="staleEvidence: Hold needs maxEvidenceAge, since without it no evidence is ever stale: say how long after lastVerified it is fresh, such as 8760h for a year, or write staleEvidence: Warn",fieldPath=".maxEvidenceAge",reason=FieldValueRequired
type TrustLevelSpec struct {
	// qualifications are demands for certificates. Every entry must hold.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Qualifications []QualificationDemand `json:"qualifications,omitempty"`
	// countries: the machines stand, and subcontractors work, in one of these.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Countries []Territory `json:"countries,omitempty"`
	// seatIn: the provider, its parent, whoever hosts its offer, and subcontractors are established in one of these.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	SeatIn []Territory `json:"seatIn,omitempty"`
	// administrationFrom: the service is administered only from these.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	AdministrationFrom []Territory `json:"administrationFrom,omitempty"`
	// supportFrom: support is given only from these.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	SupportFrom []Territory `json:"supportFrom,omitempty"`
	// notExposedTo: nobody in the chain can be compelled under any of these laws, by a stated opinion with its basis.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	NotExposedTo []Term `json:"notExposedTo,omitempty"`
	// nodeEvidence is the least on which the recognition of a node must rest for the node to satisfy the level, from weak to strong: Claimed, Listed, CloudController, Corroborated. It is asked of each node, besides the demands, of which there must be at least one. Absent: Claimed, which asks nothing.
	// +optional
	NodeEvidence NodeEvidence `json:"nodeEvidence,omitempty"`
	// maxEvidenceAge is how long after lastVerified a qualification is fresh, such as 8760h. Absent: for ever.
	// +optional
	MaxEvidenceAge *Duration `json:"maxEvidenceAge,omitempty"`
	// staleEvidence says what follows when a qualification that counts is no longer fresh. Warn says so; Hold, which needs maxEvidenceAge, also admits no new pods. Neither moves a running one.
	// +optional
	// +kubebuilder:validation:Enum=Warn;Hold
	// +kubebuilder:default=Warn
	StaleEvidence StaleEvidence `json:"staleEvidence,omitempty"`
}

// NodeEvidence says on what the recognition of a node rests: Claimed on what its own kubelet says alone, Listed on a list of the administrator's, CloudController on a providerID that the cloud controller set, Corroborated also on the CSI driver that the Zone names.
//
// +kubebuilder:validation:Enum=Claimed;Listed;CloudController;Corroborated
type NodeEvidence string

// On what the recognition of a node rests, from weak to strong.
const (
	NodeEvidenceClaimed         NodeEvidence = "Claimed"
	NodeEvidenceListed          NodeEvidence = "Listed"
	NodeEvidenceCloudController NodeEvidence = "CloudController"
	NodeEvidenceCorroborated    NodeEvidence = "Corroborated"
)

// StaleEvidence says what follows from evidence that nobody has verified for too long.
type StaleEvidence string

// What follows from stale evidence.
const (
	StaleEvidenceWarn StaleEvidence = "Warn"
	StaleEvidenceHold StaleEvidence = "Hold"
)

// Duration is a positive length of time in hours, minutes and seconds, such as 8760h for a year of 365 days.
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.size() > 0 && self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && duration(self) > duration('0s')",message="must be a positive length of time in hours, minutes and seconds, each of at most six digits, such as 8760h for a year"
type Duration string

// QualificationDemand holds when any of its alternatives does.
type QualificationDemand struct {
	// anyOf are the alternatives. A scheme is accepted in place of another only by being written here.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	AnyOf []Alternative `json:"anyOf"`
}

// Alternative describes the qualifications that are accepted.
//
// +kubebuilder:validation:XValidation:rule="!has(self.until) || (has(self.basis) && self.basis.size() > 0)",message="an alternative with an end needs a basis: why it is accepted meanwhile",fieldPath=".basis",reason=FieldValueRequired
type Alternative struct {
	// framework is the name of the Framework.
	// +required
	Framework ObjectName `json:"framework"`
	// levels are the framework's levels of which any one is accepted. A level that includes one of them is accepted too.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Levels []Term `json:"levels"`
	// serviceModels are the service models of which any one is accepted for the qualified offer. Empty: any.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=4
	ServiceModels []ServiceModel `json:"serviceModels,omitempty"`
	// appliesTo says whether the offer itself must be qualified (Offer) or what it is hosted on may be in its place (OfferOrUnderlying).
	// +optional
	// +kubebuilder:validation:Enum=Offer;OfferOrUnderlying
	// +kubebuilder:default=Offer
	AppliesTo AppliesTo `json:"appliesTo,omitempty"`
	// countries are those in whose zones this alternative is accepted. Empty: in all that the level allows.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Countries []Territory `json:"countries,omitempty"`
	// maxPeriodAge is how long after the end of its period an attestation is accepted. With it, one without a period is not.
	// +optional
	MaxPeriodAge *Duration `json:"maxPeriodAge,omitempty"`
	// basis says why this alternative is accepted.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Basis string `json:"basis,omitempty"`
	// until is the moment, exclusive, until which this alternative is accepted.
	// +optional
	// +nullable
	Until *metav1.Time `json:"until,omitempty"`
}

// AppliesTo says what must hold a qualification.
type AppliesTo string

// What a qualification may be of.
const (
	AppliesToOffer             AppliesTo = "Offer"
	AppliesToOfferOrUnderlying AppliesTo = "OfferOrUnderlying"
)

// TrustLevelStatus says where a level is satisfied.
type TrustLevelStatus struct {
	ConditionedStatus `json:",inline"`
	// zones is how many Zones satisfy the level.
	// +optional
	Zones int32 `json:"zones"`
	// sites is how many different sites those zones have.
	// +optional
	Sites int32 `json:"sites"`
	// nodes is how many nodes are open to new pods that owe the level.
	// +optional
	Nodes int32 `json:"nodes"`
	// pods is how many unfinished pods on nodes owe the level, whoever asked for it: those whose nodeSelector asks for it.
	// +optional
	Pods int32 `json:"pods"`
	// astray is how many of them are on nodes that do not satisfy the level now. Terroir does not move them.
	// +optional
	Astray int32 `json:"astray"`
	// astrayVolumes is how many claims that those pods mount have a volume that is reached where the level is not satisfied now: it lies there, or a pod there mounts it, whatever that pod owes.
	// +optional
	AstrayVolumes int32 `json:"astrayVolumes"`
	// straying names them, the first ten, as namespace/name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=10
	Straying []string `json:"straying,omitempty"`
	// nextChange is the next moment at which the passing of time alone may change where the level is satisfied.
	// +optional
	NextChange *metav1.Time `json:"nextChange,omitempty"`
	// requiredBy names policies that require the level, the first sixteen of them, as kind/name or kind/namespace/name.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	RequiredBy []string `json:"requiredBy,omitempty"`
}

// TrustLevelList is a list of TrustLevel.
//
// +kubebuilder:object:root=true
type TrustLevelList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TrustLevel `json:"items"`
}
