package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Framework is a certification scheme in one version, such as SecNumCloud 3.2. Versions never stand in for each other: each is
// a Framework of its own.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:printcolumn:name="Title",type=string,JSONPath=`.spec.title`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`
// +kubebuilder:printcolumn:name="Authority",type=string,JSONPath=`.spec.authority.name`
// +kubebuilder:printcolumn:name="Lifecycle",type=string,JSONPath=`.spec.lifecycle`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
type Framework struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the scheme.
	// +required
	Spec FrameworkSpec `json:"spec"`
	// status says whether the description is complete.
	// +optional
	Status FrameworkStatus `json:"status,omitempty"`
}

// FrameworkSpec describes a certification scheme.
//
// +kubebuilder:validation:XValidation:rule="!has(self.acceptUntil) || self.lifecycle == 'Superseded'",message="acceptUntil has a meaning only when lifecycle is Superseded: leave it out, or set lifecycle: Superseded",fieldPath=".acceptUntil",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="self.levels.all(l, !has(l.include) || l.include.all(i, i != l.name && self.levels.exists(o, o.name == i)))",message="a level may include only other levels of this framework: list each included level here by its own name",fieldPath=".levels",reason=FieldValueInvalid
type FrameworkSpec struct {
	// title is the scheme's name as people write it, such as SecNumCloud.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Title string `json:"title"`
	// version is the version of the scheme, in its own notation, such as "3.2".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Version string `json:"version"`
	// authority is who owns the scheme.
	// +required
	Authority Authority `json:"authority"`
	// lifecycle says whether qualifications under the scheme count. Draft and Proposed satisfy nothing; Superseded counts until acceptUntil.
	// +required
	Lifecycle Lifecycle `json:"lifecycle"`
	// acceptUntil is the moment, exclusive, until which qualifications under a Superseded scheme count. Without it they do not count.
	// +optional
	// +nullable
	AcceptUntil *metav1.Time `json:"acceptUntil,omitempty"`
	// levels are the scheme's levels or types of attestation.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Levels []FrameworkLevel `json:"levels"`
	// evidence says where these facts were read, and when.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Authority is who owns a scheme.
type Authority struct {
	// name is the authority's name, such as ANSSI.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Name string `json:"name"`
	// kind says what sort of authority it is. A Vendor's scheme is never a substitute for a State's.
	// +required
	// +kubebuilder:validation:Enum=State;EUInstitution;Association;Vendor;Auditor
	Kind string `json:"kind"`
	// country is where the authority is established. Absent for institutions of the Union.
	// +optional
	Country Country `json:"country,omitempty"`
}

// Lifecycle is the state of a scheme.
//
// +kubebuilder:validation:Enum=Draft;Proposed;InForce;Superseded
type Lifecycle string

// The lifecycle of a scheme.
const (
	LifecycleDraft      Lifecycle = "Draft"
	LifecycleProposed   Lifecycle = "Proposed"
	LifecycleInForce    Lifecycle = "InForce"
	LifecycleSuperseded Lifecycle = "Superseded"
)

// FrameworkLevel is one level of a scheme.
type FrameworkLevel struct {
	// name is the level's name, such as qualified or type-2.
	// +required
	Name Term `json:"name"`
	// include lists the levels of this framework that whoever holds this level also holds, directly or through them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Include []Term `json:"include,omitempty"`
}

// Evidence is a document or page on which a fact rests.
type Evidence struct {
	// url is where the document was read.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="isURL(self) && (self.startsWith('https://') || self.startsWith('http://'))",message="must be an https:// or http:// address"
	URL string `json:"url"`
	// sha256 is the hexadecimal SHA-256 of the document as it was read.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-f]{64}$')",message="must be a SHA-256 as sha256sum prints it: 64 hexadecimal digits in lower case"
	SHA256 string `json:"sha256,omitempty"`
	// retrievedAt is when it was read.
	// +required
	RetrievedAt metav1.Time `json:"retrievedAt"`
	// note says in a sentence what the document states.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Note string `json:"note,omitempty"`
}

// FrameworkStatus says whether the description is complete.
type FrameworkStatus struct {
	ConditionedStatus `json:",inline"`
	// qualifications is how many Qualifications name this framework.
	// +optional
	Qualifications int32 `json:"qualifications"`
}

// FrameworkList is a list of Framework.
//
// +kubebuilder:object:root=true
type FrameworkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Framework `json:"items"`
}
