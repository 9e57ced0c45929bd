package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ClusterPlacementPolicy demands trust levels and a spread of the pods in all namespaces that it selects.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="a policy's metadata.name must have at most 63 characters",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.spec.enforcement`
// +kubebuilder:printcolumn:name="Requires",type=string,JSONPath=`.status.requires`
// +kubebuilder:printcolumn:name="Namespaces",type=integer,JSONPath=`.status.namespaces`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Violations",type=integer,JSONPath=`.status.violations`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Compliant",type=string,JSONPath=`.status.conditions[?(@.type=="Compliant")].message`,priority=1
// +kubebuilder:printcolumn:name="Node-local storage",type=string,JSONPath=`.spec.nodeLocalStorage`,priority=1
type ClusterPlacementPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is demanded, and of which namespaces.
	// +required
	Spec ClusterPlacementPolicySpec `json:"spec"`
	// status says whether the demand is in effect and honoured.
	// +optional
	Status PolicyStatus `json:"status,omitempty"`
}

// ClusterPlacementPolicySpec is what is demanded, and of which namespaces.
type ClusterPlacementPolicySpec struct {
	// namespaceSelector selects the namespaces by their labels. It is never empty: a policy for every namespace says so with an expression.
	// +required
	NamespaceSelector NamespaceSelector `json:"namespaceSelector"`

	PlacementDemand `json:",inline"`
}

// PlacementDemand is what both kinds of policy demand.
type PlacementDemand struct {
	// trustLevels are the names of the TrustLevels that must hold where the pods run, all of them.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	TrustLevels []LevelName `json:"trustLevels"`
	// spread demands that the pods of a workload are distributed over sites. Not asked of DaemonSets and Jobs.
	// +optional
	Spread *Spread `json:"spread,omitempty"`
	// enforcement says what follows: Audit counts, Warn also tells whoever creates workloads, Enforce shapes pods and refuses what cannot comply.
	// +required
	Enforcement Enforcement `json:"enforcement"`
	// nodeLocalStorage says whether data may lie on the nodes themselves. Deny: pods may use only volumes whose data is not on the node; QualifiedNodes: local data lies where the pods may run; Allow: nobody judges where PersistentVolumes of type local lie. Of several policies that concern a namespace the strictest wins, and whoever demands something without saying means QualifiedNodes. What containers write outside of volumes, and their logs, stay on the node in any case.
	// +optional
	// +kubebuilder:default=QualifiedNodes
	NodeLocalStorage NodeLocalStorage `json:"nodeLocalStorage,omitempty"`
}

// NodeLocalStorage says whether data may lie on the nodes themselves.
//
// +kubebuilder:validation:Enum=Deny;QualifiedNodes;Allow
type NodeLocalStorage string

// What is said of data on nodes.
const (
	// NodeLocalStorageDeny refuses pods with emptyDir volumes that are not in memory, hostPath, inline csi, gitRepo, flexVolume and volumes of unknown types.
	NodeLocalStorageDeny NodeLocalStorage = "Deny"
	// NodeLocalStorageQualifiedNodes wants data on nodes to lie on nodes that satisfy the trust levels.
	NodeLocalStorageQualifiedNodes NodeLocalStorage = "QualifiedNodes"
	// NodeLocalStorageAllow does not judge where data on nodes lies.
	NodeLocalStorageAllow NodeLocalStorage = "Allow"
)

// Enforcement says what follows from a policy. It has no default: nobody enforces, or does not enforce, by omission.
//
// +kubebuilder:validation:Enum=Audit;Warn;Enforce
type Enforcement string

// The ways to enforce.
const (
	EnforcementAudit   Enforcement = "Audit"
	EnforcementWarn    Enforcement = "Warn"
	EnforcementEnforce Enforcement = "Enforce"
)

// Spread demands a distribution over sites.
type Spread struct {
	// minSites is over how many sites at least the pods of a workload are spread.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	MinSites int32 `json:"minSites"`
	// maxSkew is by how many pods the fullest site may exceed the emptiest.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +kubebuilder:default=1
	MaxSkew int32 `json:"maxSkew,omitempty"`
	// tooFewReplicas says what follows when a workload has fewer replicas than minSites.
	// +optional
	// +kubebuilder:default=Warn
	TooFewReplicas TooFewReplicas `json:"tooFewReplicas,omitempty"`
}

// TooFewReplicas says what follows when a workload has fewer replicas than sites are demanded.
//
// +kubebuilder:validation:Enum=Ignore;Warn;Deny
type TooFewReplicas string

// What follows from too few replicas.
const (
	TooFewReplicasIgnore TooFewReplicas = "Ignore"
	TooFewReplicasWarn   TooFewReplicas = "Warn"
	TooFewReplicasDeny   TooFewReplicas = "Deny"
)

// PolicyStatus says whether a policy is in effect and honoured.
type PolicyStatus struct {
	ConditionedStatus `json:",inline"`
	// requires names the trust levels, separated by commas, for print columns.
	// +optional
	Requires string `json:"requires,omitempty"`
	// namespaces is how many namespaces the policy concerns.
	// +optional
	Namespaces int32 `json:"namespaces"`
	// pods is how many bound, unfinished pods it concerns.
	// +optional
	Pods int32 `json:"pods"`
	// violations is how many of those pods run where the policy does not want them.
	// +optional
	Violations int32 `json:"violations"`
	// violating lists violations: the first ten, in order of namespace and name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Violating []Violation `json:"violating,omitempty"`
}

// Violation is a pod that runs where a policy does not want it.
type Violation struct {
	// namespace is the pod's namespace.
	Namespace string `json:"namespace"`
	// pod is the pod's name.
	Pod string `json:"pod"`
	// node is where it runs.
	Node string `json:"node"`
	// reason is a fixed word for machines.
	Reason string `json:"reason"`
	// message is a sentence for the person who has to act.
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// ClusterPlacementPolicyList is a list of ClusterPlacementPolicy.
//
// +kubebuilder:object:root=true
type ClusterPlacementPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterPlacementPolicy `json:"items"`
}

// PlacementPolicy demands trust levels and a spread of the pods in its own namespace, in addition to what cluster policies demand.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories=sovereignty
// +kubebuilder:printcolumn:name="Enforcement",type=string,JSONPath=`.spec.enforcement`
// +kubebuilder:printcolumn:name="Requires",type=string,JSONPath=`.status.requires`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Violations",type=integer,JSONPath=`.status.violations`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Node-local storage",type=string,JSONPath=`.spec.nodeLocalStorage`,priority=1
type PlacementPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what is demanded.
	// +required
	Spec PlacementPolicySpec `json:"spec"`
	// status says whether the demand is in effect and honoured.
	// +optional
	Status PolicyStatus `json:"status,omitempty"`
}

// PlacementPolicySpec is what is demanded of one namespace.
type PlacementPolicySpec struct {
	PlacementDemand `json:",inline"`
}

// PlacementPolicyList is a list of PlacementPolicy.
//
// +kubebuilder:object:root=true
type PlacementPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PlacementPolicy `json:"items"`
}
