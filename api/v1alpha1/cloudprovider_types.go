package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// CloudProvider is a company that sells ground to run workloads on: who owns it, which foreign law reaches it, what it sells,
// and what its nodes look like.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:printcolumn:name="Legal entity",type=string,JSONPath=`.spec.legalEntity`
// +kubebuilder:printcolumn:name="Seat",type=string,JSONPath=`.spec.seat`
// +kubebuilder:printcolumn:name="Parent",type=string,JSONPath=`.spec.parent.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
type CloudProvider struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec describes the company.
	// +required
	Spec CloudProviderSpec `json:"spec"`
	// status says whether what the spec refers to exists.
	// +optional
	Status CloudProviderStatus `json:"status,omitempty"`
}

// CloudProviderSpec describes a provider.
type CloudProviderSpec struct {
	// legalEntity is the company's registered name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	LegalEntity string `json:"legalEntity"`
	// seat is the country of the company's registered office.
	// +required
	Seat Country `json:"seat"`
	// parent is the company that controls this one. Absent when nobody does.
	// +optional
	Parent *Company `json:"parent,omitempty"`
	// owners are further companies that hold shares or founded the provider. They are shown to people and decide nothing.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Owners []Company `json:"owners,omitempty"`
	// exposures are legal opinions on the reach of extraterritorial laws. A law not listed here is Undetermined.
	// +optional
	// +listType=map
	// +listMapKey=law
	// +kubebuilder:validation:MaxItems=32
	Exposures []Exposure `json:"exposures,omitempty"`
	// recognition is what the provider's nodes look like anywhere. It does not place a node: Zones do. It tells look-alikes apart.
	// +optional
	Recognition *ProviderRecognition `json:"recognition,omitempty"`
	// offers are the services that can be qualified, one by one.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Offers []Offer `json:"offers,omitempty"`
	// evidence says where these facts were read, and when.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Company is a company and where it is established.
type Company struct {
	// name is the company's registered name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// country is where it is established.
	// +required
	Country Country `json:"country"`
}

// ProviderRecognition is what a provider's nodes look like. Each list is any-of; an absent list says nothing.
type ProviderRecognition struct {
	// providerIDPrefixes are beginnings of spec.providerID, each ending in "/".
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	ProviderIDPrefixes []ProviderIDPrefix `json:"providerIDPrefixes,omitempty"`
	// csiDrivers are names of CSI drivers that the provider's nodes, and not those of its look-alikes, register.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	CSIDrivers []CSIDriverName `json:"csiDrivers,omitempty"`
	// regions are the values of the label topology.kubernetes.io/region on the provider's nodes.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	Regions []Term `json:"regions,omitempty"`
	// labelKeys are keys of Node labels that only this provider's nodes carry.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.matches('^([^/]*[.])?terroir[.](dev|node-restriction[.]kubernetes[.]io)/'))",message="none may be one of Terroir's own labels, which Terroir writes on the nodes of every provider: name a label that only this provider's nodes carry",reason=FieldValueInvalid
	LabelKeys []LabelKey `json:"labelKeys,omitempty"`
}

// ProviderIDPrefix is the beginning of a Node's spec.providerID up to and including a "/", so that it cannot match half a word.
//
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z][a-zA-Z0-9+.-]*://(.*/)?$')",message="must begin with a scheme and end with '/', such as aws:///eu-west-2a/"
type ProviderIDPrefix string

// CSIDriverName is the name under which a CSI driver registers on a node.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
type CSIDriverName string

// LabelKey is the key of a label.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=316
// +kubebuilder:validation:XValidation:rule="!format.qualifiedName().validate(self).hasValue()",message="must be a label's key, such as topology.kubernetes.io/zone"
type LabelKey string

// Offer is a service that can be bought, and qualified, on its own.
type Offer struct {
	// name is the offer's name within its provider.
	// +required
	Name Term `json:"name"`
	// title is the name under which it is sold.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Title string `json:"title,omitempty"`
	// serviceModel says how much of the stack the offer includes.
	// +required
	ServiceModel ServiceModel `json:"serviceModel"`
	// administrationFrom lists the countries from which the service is administered. Empty means unknown.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	AdministrationFrom []Country `json:"administrationFrom,omitempty"`
	// supportFrom lists the countries from which support is given. Empty means unknown.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	SupportFrom []Country `json:"supportFrom,omitempty"`
	// hostedOn lists the offers this one runs on, all of them. An offer that is hosted on a qualified one is not thereby qualified.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	HostedOn []Hosting `json:"hostedOn,omitempty"`
	// subcontractors are other organisations with a part in the service. Demands about place, seat, administration and exposure are asked of them too.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Subcontractors []Subcontractor `json:"subcontractors,omitempty"`
}

// Hosting names an offer on which another one runs.
type Hosting struct {
	// provider is the CloudProvider of the underlying offer.
	// +required
	Provider ObjectName `json:"provider"`
	// offer is the underlying offer's name.
	// +required
	Offer Term `json:"offer"`
	// regions are the underlying provider's regions. Empty means unknown: then only a qualification that holds everywhere counts.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Regions []Term `json:"regions,omitempty"`
}

// Subcontractor is an organisation with a part in a service.
type Subcontractor struct {
	// name is the organisation's name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Name string `json:"name"`
	// country is where the subcontractor is established and works from.
	// +required
	Country Country `json:"country"`
	// role says what part it has, such as "model runtime".
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Role string `json:"role,omitempty"`
	// exposures are legal opinions, as for a provider. A law not listed is Undetermined.
	// +optional
	// +listType=map
	// +listMapKey=law
	// +kubebuilder:validation:MaxItems=32
	Exposures []Exposure `json:"exposures,omitempty"`
}

// CloudProviderStatus says whether what the spec refers to exists.
type CloudProviderStatus struct {
	ConditionedStatus `json:",inline"`
}

// CloudProviderList is a list of CloudProvider.
//
// +kubebuilder:object:root=true
type CloudProviderList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CloudProvider `json:"items"`
}
