package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Qualification says who vouches for which offer, where, and until when.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:printcolumn:name="Framework",type=string,JSONPath=`.spec.framework`
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.subject.provider`
// +kubebuilder:printcolumn:name="Offer",type=string,JSONPath=`.spec.subject.offer`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.spec.state`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.spec.validUntil`
// +kubebuilder:printcolumn:name="In force",type=string,JSONPath=`.status.conditions[?(@.type=="InForce")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="InForce")].reason`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,priority=1
type Qualification struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the statement.
	// +required
	Spec QualificationSpec `json:"spec"`
	// status says whether the statement counts now.
	// +optional
	Status QualificationStatus `json:"status,omitempty"`
}

// QualificationSpec states a qualification.
//
// +kubebuilder:validation:XValidation:rule="!has(self.validFrom) || !has(self.validUntil) || timestamp(self.validFrom) < timestamp(self.validUntil)",message="validUntil must be after validFrom",fieldPath=".validUntil",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="self.state != 'Granted' || has(self.validUntil)",message="a Granted qualification needs validUntil: one without an end would never stop counting",fieldPath=".validUntil",reason=FieldValueRequired
type QualificationSpec struct {
	// framework is the name of the Framework.
	// +required
	Framework ObjectName `json:"framework"`
	// levels are the framework's levels that were granted.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Levels []Term `json:"levels"`
	// subject is what is qualified: an offer, and where.
	// +required
	Subject Subject `json:"subject"`
	// state is how far the qualification has come. Only Granted counts.
	// +required
	State QualificationState `json:"state"`
	// milestone is the scheme's own word for the state, such as J3, shown to people.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Milestone string `json:"milestone,omitempty"`
	// validFrom is the moment from which it counts. Absent: from the beginning.
	// +optional
	// +nullable
	ValidFrom *metav1.Time `json:"validFrom,omitempty"`
	// validUntil is the moment at which it ends: at that second it is worth nothing. Without it a qualification does not count.
	// +optional
	// +nullable
	ValidUntil *metav1.Time `json:"validUntil,omitempty"`
	// period is what an attestation about the past, such as C5 Type 2, covered.
	// +optional
	// +nullable
	Period *Period `json:"period,omitempty"`
	// evidence says where the statement was read, and when.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Evidence []Evidence `json:"evidence,omitempty"`
	// lastVerified is when somebody last compared this object with the authority's list.
	// +optional
	// +nullable
	LastVerified *metav1.Time `json:"lastVerified,omitempty"`
}

// Subject is what a qualification is about. It says where, so that nothing is qualified everywhere by omission.
//
// +kubebuilder:validation:XValidation:rule="(has(self.everywhere) && self.everywhere) || (has(self.regions) && self.regions.size() > 0) || (has(self.sites) && self.sites.size() > 0)",message="say where the offer is qualified: give regions, sites, or everywhere: true",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!(has(self.everywhere) && self.everywhere) || ((!has(self.regions) || self.regions.size() == 0) && (!has(self.sites) || self.sites.size() == 0))",message="everywhere: true contradicts a list of regions or sites: give the one or the other",fieldPath=".everywhere",reason=FieldValueInvalid
type Subject struct {
	// provider is the name of the CloudProvider.
	// +required
	Provider ObjectName `json:"provider"`
	// offer is the name of the provider's offer.
	// +required
	Offer Term `json:"offer"`
	// regions are the regions, in the provider's words, in which the offer is qualified.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Regions []Term `json:"regions,omitempty"`
	// sites are the buildings in which it is qualified. With regions given as well, both must fit.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Sites []SiteName `json:"sites,omitempty"`
	// everywhere: the offer is qualified wherever it is sold.
	// +optional
	Everywhere bool `json:"everywhere,omitempty"`
}

// Period is a span of time.
//
// +kubebuilder:validation:XValidation:rule="timestamp(self.from) < timestamp(self.to)",message="to must be after from",fieldPath=".to",reason=FieldValueInvalid
type Period struct {
	// from is the beginning.
	// +required
	From metav1.Time `json:"from"`
	// to is the end, exclusive.
	// +required
	To metav1.Time `json:"to"`
}

// QualificationState is how far a qualification has come.
//
// +kubebuilder:validation:Enum=Announced;Applied;InEvaluation;Granted;Suspended;Withdrawn
type QualificationState string

// The states of a qualification.
const (
	QualificationAnnounced    QualificationState = "Announced"
	QualificationApplied      QualificationState = "Applied"
	QualificationInEvaluation QualificationState = "InEvaluation"
	QualificationGranted      QualificationState = "Granted"
	QualificationSuspended    QualificationState = "Suspended"
	QualificationWithdrawn    QualificationState = "Withdrawn"
)

// QualificationStatus says whether a qualification counts.
type QualificationStatus struct {
	ConditionedStatus `json:",inline"`
	// nextChange is the next moment at which the passing of time alone changes whether it counts.
	// +optional
	NextChange *metav1.Time `json:"nextChange,omitempty"`
}

// QualificationList is a list of Qualification.
//
// +kubebuilder:object:root=true
type QualificationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Qualification `json:"items"`
}
