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
	// encryption demands that the volumes of pods are encrypted, and under which keys. Pods that have claims wait until that is proven. Absent: nothing is demanded. Data on nodes is not meant: see nodeLocalStorage.
	// +optional
	Encryption *Encryption `json:"encryption,omitempty"`
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
	// volumes is how many claims it concerns that have a volume.
	// +optional
	Volumes int32 `json:"volumes"`
	// violations is how many of those pods are not where, or not as, the policy wants them, or have a volume that is not.
	// +optional
	Violations int32 `json:"violations"`
	// reasons counts what is amiss, the commonest first. A pod counts once for each thing that is amiss with it; a claim that no pod mounts counts, too.
	// +optional
	// +listType=map
	// +listMapKey=reason
	// +kubebuilder:validation:MaxItems=32
	Reasons []ViolationCount `json:"reasons,omitempty"`
	// violating lists violations: the first ten, in order of namespace, pod and claim.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Violating []Violation `json:"violating,omitempty"`
}

// ViolationCount is how often one thing is amiss.
type ViolationCount struct {
	// reason is a fixed word for machines, as in violating.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// count is how often.
	Count int32 `json:"count"`
}

// Violation is a pod, or a claim that no pod mounts, that is not where or not as a policy wants it.
type Violation struct {
	// namespace is that of the pod and the claim.
	Namespace string `json:"namespace"`
	// pod is the pod's name. Absent: no pod mounts the claim.
	// +optional
	Pod string `json:"pod,omitempty"`
	// node is where the pod runs, or where the claim's volume is attached.
	// +optional
	Node string `json:"node,omitempty"`
	// claim is the name of the claim whose volume is concerned.
	// +optional
	Claim string `json:"claim,omitempty"`
	// reason is a fixed word for machines: NodeNotQualified, NodeUnknown, PodNotShaped, SchedulerNotAllowed, SpreadLost, VolumeNotQualified, VolumePlaceUnknown, AttachmentNotQualified, ClaimShared, VolumeNotEncrypted, KeyRevoked.
	Reason string `json:"reason"`
	// message is a sentence for the person who has to act.
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// What may be amiss.
const (
	// NodeNotQualified says that the pod runs on a node that does not satisfy a trust level.
	NodeNotQualified = "NodeNotQualified"
	// NodeUnknown says that the pod runs on a node that is not recognised, or does not exist.
	NodeUnknown = "NodeUnknown"
	// PodNotShaped says that the pod lacks what Terroir gives: it is older than the policy, or was made while the fence was away.
	PodNotShaped = "PodNotShaped"
	// SpreadLost says that the pods of a workload are not distributed over sites as demanded.
	SpreadLost = "SpreadLost"
	// VolumeNotQualified says that a volume lies, or may lie, where a trust level is not satisfied.
	VolumeNotQualified = "VolumeNotQualified"
	// VolumePlaceUnknown says that nobody can tell where a volume lies.
	VolumePlaceUnknown = "VolumePlaceUnknown"
	// AttachmentNotQualified says that a volume is attached to a node that does not satisfy a trust level.
	AttachmentNotQualified = "AttachmentNotQualified"
	// ClaimShared says that what is on a volume is also reached from a namespace to which the policy does not apply.
	ClaimShared = "ClaimShared"
	// VolumeNotEncrypted says that a volume is not known to be encrypted as demanded.
	VolumeNotEncrypted = "VolumeNotEncrypted"
	// KeyRevoked says that the key of a volume is destroyed, deactivated, compromised, expired or replaced.
	KeyRevoked = "KeyRevoked"
)

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
