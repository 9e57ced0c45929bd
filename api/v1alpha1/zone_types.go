package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Zone is one place where this cluster has nodes, as the platform team declares it: where it is, under which offer the nodes
// there are bought, and how they are recognised.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a zone's name becomes a label value: metadata.name must have at most 63 characters",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Country",type=string,JSONPath=`.spec.country`
// +kubebuilder:printcolumn:name="Provider",type=string,JSONPath=`.spec.provider`
// +kubebuilder:printcolumn:name="Offer",type=string,JSONPath=`.spec.offer`
// +kubebuilder:printcolumn:name="Site",type=string,JSONPath=`.status.site`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes`
// +kubebuilder:printcolumn:name="Satisfies",type=string,JSONPath=`.status.satisfies`
// +kubebuilder:printcolumn:name="Next change",type=string,JSONPath=`.status.nextChange`,priority=1
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
type Zone struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where the zone is and how its nodes are recognised.
	// +required
	Spec ZoneSpec `json:"spec"`
	// status says which trust levels the zone satisfies, until when, and why not the others.
	// +optional
	Status ZoneStatus `json:"status,omitempty"`
}

// ZoneSpec declares a zone.
//
// +kubebuilder:validation:XValidation:rule="!has(self.offer) || has(self.provider)",message="offer needs provider: an offer is one of a provider's, so name that CloudProvider too",fieldPath=".offer",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.region) || has(self.provider)",message="region needs provider: a region is named in its provider's words, so name that CloudProvider too",fieldPath=".region",reason=FieldValueInvalid
type ZoneSpec struct {
	// country is where the machines stand.
	// +required
	Country Country `json:"country"`
	// provider is the name of the CloudProvider. Only levels that ask about it need it.
	// +optional
	Provider ObjectName `json:"provider,omitempty"`
	// offer is the name of the provider's offer under which the nodes here are bought.
	// +optional
	Offer Term `json:"offer,omitempty"`
	// region is the region in the provider's words.
	// +optional
	Region Term `json:"region,omitempty"`
	// site is the building: the unit of spreading, and the value of the open label. Default: the zone's name.
	// +optional
	Site SiteName `json:"site,omitempty"`
	// recognition says how a node of this zone is recognised. All kinds of signal that are given must hold.
	// +required
	Recognition ZoneRecognition `json:"recognition"`
}

// ZoneRecognition says how a node of a zone is recognised.
//
// +kubebuilder:validation:XValidation:rule="(has(self.providerIDPrefixes) && self.providerIDPrefixes.size() > 0) || (has(self.labels) && self.labels.size() > 0) || (has(self.csiDrivers) && self.csiDrivers.size() > 0) || (has(self.systemUUIDs) && self.systemUUIDs.size() > 0)",message="at least one of providerIDPrefixes, labels, csiDrivers and systemUUIDs must be given: a zone without a signal would contain every node",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.labels) || self.labels.all(k, !k.matches('^([^/]*[.])?terroir[.](dev|node-restriction[.]kubernetes[.]io)/'))",message="Terroir's own labels cannot be a signal, since Terroir writes them where it has recognised a node: name labels that others write, such as topology.kubernetes.io/zone",fieldPath=".labels",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.labels) || self.labels.all(k, !format.qualifiedName().validate(k).hasValue())",message="each key must be the key of a label, such as topology.kubernetes.io/zone",fieldPath=".labels",reason=FieldValueInvalid
type ZoneRecognition struct {
	// providerIDPrefixes: spec.providerID of the node begins with any of them. Each ends in "/".
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	ProviderIDPrefixes []ProviderIDPrefix `json:"providerIDPrefixes,omitempty"`
	// labels: the node carries all of them.
	// +optional
	// +mapType=granular
	// +kubebuilder:validation:MaxProperties=16
	Labels map[string]LabelValue `json:"labels,omitempty"`
	// csiDrivers: any of them is registered on the node (its CSINode lists it). A second component's word beside the kubelet's.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	CSIDrivers []CSIDriverName `json:"csiDrivers,omitempty"`
	// systemUUIDs: status.nodeInfo.systemUUID is any of them. For machines without a cloud controller.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	SystemUUIDs []SystemUUID `json:"systemUUIDs,omitempty"`
}

// LabelValue is the value of a label. It may be empty.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="!format.labelValue().validate(self).hasValue()",message="must be a label's value: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, such as par-1"
type LabelValue string

// SystemUUID is a machine's SMBIOS UUID, in lower or upper case; compared without regard to case.
//
// +kubebuilder:validation:MaxLength=36
// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",message="must be a UUID, such as 4c4c4544-0042-3510-8054-b4c04f4d3332"
// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-]+|[fF-]+)$')",message="must be the UUID of one machine: this one is what machines without a UUID report"
type SystemUUID string

// ZoneStatus says what a zone is worth.
type ZoneStatus struct {
	ConditionedStatus `json:",inline"`
	// site is the site in effect: spec.site, or the zone's name.
	// +optional
	Site string `json:"site,omitempty"`
	// nodes is how many nodes are recognised as standing here.
	// +optional
	Nodes int32 `json:"nodes"`
	// satisfies lists the trust levels that hold here, separated by commas, for print columns.
	// +optional
	Satisfies string `json:"satisfies,omitempty"`
	// trustLevels says of every TrustLevel whether it holds here and, if not, why.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	TrustLevels []ZoneTrustLevel `json:"trustLevels,omitempty"`
	// nextChange is the next moment at which the passing of time alone may change what the zone is worth.
	// +optional
	NextChange *metav1.Time `json:"nextChange,omitempty"`
}

// ZoneTrustLevel says whether one TrustLevel holds in a zone.
type ZoneTrustLevel struct {
	// name is the TrustLevel.
	Name string `json:"name"`
	// satisfied says whether the level holds here.
	Satisfied bool `json:"satisfied"`
	// until is when a satisfied level ends, unless something is renewed. Exclusive; absent when it rests on nothing that ends.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`
	// reason is a fixed word for machines.
	Reason string `json:"reason"`
	// message is a sentence for the person who has to act.
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// ZoneList is a list of Zone.
//
// +kubebuilder:object:root=true
type ZoneList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Zone `json:"items"`
}
