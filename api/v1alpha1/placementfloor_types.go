package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PlacementFloor is what every pod of a namespace owes at least. Terroir alone writes it; the admission policies in the API server read it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'floor'",message="a namespace has one floor, which Terroir writes: metadata.name must be floor",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Requires",type=string,JSONPath=`.spec.trustLevels`
// +kubebuilder:printcolumn:name="Min sites",type=integer,JSONPath=`.spec.minSites`
// +kubebuilder:printcolumn:name="Node-local storage",type=string,JSONPath=`.spec.nodeLocalStorage`
// +kubebuilder:printcolumn:name="Missing",type=string,JSONPath=`.spec.missingTrustLevels`
type PlacementFloor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is owed. A floor has no status: it is itself an observation.
	// +required
	Spec PlacementFloorSpec `json:"spec"`
}

// PlacementFloorSpec is what every pod of a namespace owes at least.
type PlacementFloorSpec struct {
	// trustLevels are the levels owed, sorted. Empty in a namespace that only annotated workloads make governed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	TrustLevels []LevelName `json:"trustLevels,omitempty"`
	// missingTrustLevels are those of the trustLevels that do not exist. While there is one, the namespace's pods are refused.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	MissingTrustLevels []LevelName `json:"missingTrustLevels,omitempty"`
	// problems say why nothing can honour what is owed, the first of them. While there is one, the namespace's pods are refused.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=2048
	Problems []string `json:"problems,omitempty"`
	// minSites is over how many sites at least pods are spread. 0: no spread is owed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=64
	MinSites int32 `json:"minSites,omitempty"`
	// maxSkew is by how many pods the fullest site may exceed the emptiest. 0 when no spread is owed.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxSkew int32 `json:"maxSkew,omitempty"`
	// nodeLocalStorage says whether data may lie on the nodes themselves. Absent: nothing is demanded of the namespace as a whole.
	// +optional
	NodeLocalStorage NodeLocalStorage `json:"nodeLocalStorage,omitempty"`
	// encryption is what is demanded of volumes. Absent: nothing is demanded.
	// +optional
	Encryption *FloorEncryption `json:"encryption,omitempty"`
	// demandedBy says who demands what.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	DemandedBy []FloorDemand `json:"demandedBy,omitempty"`
}

// FloorEncryption is what a namespace demands of volumes, merged from all who demand something.
type FloorEncryption struct {
	// keys are the names of the EncryptionKeys that are accepted. Absent: any key that meets the rest.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Keys []KeyName `json:"keys,omitempty"`
	// protection is where key material is held at least.
	// +optional
	Protection KeyProtection `json:"protection,omitempty"`
	// custody says whose the store may be. Absent: anybody's.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	Custody []Custody `json:"custody,omitempty"`
	// evidence says, fact by fact, how well it must be known. Absent: it does not matter how.
	// +optional
	Evidence FloorEvidence `json:"evidence,omitempty"`
	// acceptedBindings are the ways in which a key may protect a volume. Absent: NodeEnvelope and ProviderEnvelope.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=6
	AcceptedBindings []VolumeBinding `json:"acceptedBindings,omitempty"`
	// onRevocation says what becomes of running pods when a key is revoked.
	// +optional
	OnRevocation OnRevocation `json:"onRevocation,omitempty"`
}

// FloorEvidence says, fact by fact, how well it must be known.
type FloorEvidence struct {
	// nonExtractable is about whether the key can be taken out of its store.
	// +optional
	NonExtractable KeyEvidence `json:"nonExtractable,omitempty"`
	// origin is about whether the key was made in its store.
	// +optional
	Origin KeyEvidence `json:"origin,omitempty"`
	// protection is about whether hardware holds the key.
	// +optional
	Protection KeyEvidence `json:"protection,omitempty"`
	// custody is about whose the store is.
	// +optional
	Custody KeyEvidence `json:"custody,omitempty"`
}

// FloorDemand is what one object demands of a namespace.
type FloorDemand struct {
	// kind is the kind of the object.
	// +kubebuilder:validation:Enum=ClusterPlacementPolicy;PlacementPolicy;Namespace
	Kind string `json:"kind"`
	// name is the object's name.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// trustLevels are the levels it demands.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=63
	TrustLevels []string `json:"trustLevels,omitempty"`
	// minSites is the number of sites it demands. 0: none.
	// +optional
	MinSites int32 `json:"minSites,omitempty"`
	// nodeLocalStorage is what it says of data on nodes. Absent: it does not say, which means QualifiedNodes.
	// +optional
	NodeLocalStorage NodeLocalStorage `json:"nodeLocalStorage,omitempty"`
	// encryption says that it demands something of volumes.
	// +optional
	Encryption bool `json:"encryption,omitempty"`
}

// PlacementFloorList is a list of PlacementFloor.
//
// +kubebuilder:object:root=true
type PlacementFloorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PlacementFloor `json:"items"`
}
