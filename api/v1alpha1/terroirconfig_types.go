package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TerroirConfig holds the settings of the installation and says what protects what. There is one, named cluster; Terroir creates it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'cluster'",message="there is one TerroirConfig: metadata.name must be cluster",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Fence",type=string,JSONPath=`.status.fence`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes.total`
// +kubebuilder:printcolumn:name="Recognised",type=integer,JSONPath=`.status.nodes.recognised`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type TerroirConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec holds the settings.
	// +optional
	// +kubebuilder:default={}
	Spec TerroirConfigSpec `json:"spec,omitempty"`
	// status says which guarantee is in force, and which nodes are not recognised.
	// +optional
	Status TerroirConfigStatus `json:"status,omitempty"`
}

// TerroirConfigSpec holds the settings.
type TerroirConfigSpec struct {
	// allowedSchedulers are the values of spec.schedulerName that governed pods may have.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:default={default-scheduler}
	AllowedSchedulers []SchedulerName `json:"allowedSchedulers,omitempty"`
	// allowedRuntimeClasses are the values of spec.runtimeClassName that governed pods may have. Absent or empty: they may have none. A RuntimeClass may run a pod elsewhere than on its node, as peer pods and virtual nodes do: list only those that do not.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	AllowedRuntimeClasses []RuntimeClassName `json:"allowedRuntimeClasses,omitempty"`
	// schedulerUsers are the users as whom those schedulers bind pods. Nobody else may bind a governed pod.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:default={"system:kube-scheduler"}
	SchedulerUsers []UserName `json:"schedulerUsers,omitempty"`
	// cloudControllerUsers are the users as whom the cloud controller sets a node's providerID. What anybody else sets counts as the node's own claim.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:default={"system:serviceaccount:kube-system:cloud-controller-manager","system:cloud-controller-manager"}
	CloudControllerUsers []UserName `json:"cloudControllerUsers,omitempty"`
	// exemptNamespaces are namespaces that no policy governs, by literal name, besides kube-system, kube-node-lease, kube-public and terroir-system.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	ExemptNamespaces []NamespaceName `json:"exemptNamespaces,omitempty"`
	// storageDrivers says for CSI drivers, whose StorageClasses point to configuration in the driver's own namespace, which namespace that is. Terroir reads there the ConfigMaps csi-kms-connection-details and ceph-csi-encryption-kms-config, and nothing else. Of drivers that are not listed, whose classes point to such configuration, nobody can tell under which key a volume is.
	// +optional
	// +listType=map
	// +listMapKey=driver
	// +kubebuilder:validation:MaxItems=16
	StorageDrivers []StorageDriver `json:"storageDrivers,omitempty"`
}

// StorageDriver says where a CSI driver keeps its configuration.
type StorageDriver struct {
	// driver is the CSI driver's name, as StorageClasses give it in provisioner.
	// +required
	Driver CSIDriverName `json:"driver"`
	// namespace is that in which the driver's ConfigMaps lie.
	// +required
	Namespace NamespaceName `json:"namespace"`
}

// SchedulerName is the name of a scheduler, as in a pod's spec.schedulerName.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be a scheduler's name, such as default-scheduler"
type SchedulerName string

// RuntimeClassName is the name of a RuntimeClass, as in a pod's spec.runtimeClassName.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of a RuntimeClass, such as gvisor"
type RuntimeClassName string

// UserName is a user as the API server knows it.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule=`self.matches("^[^'\"\\\\\\s]+$")`,message="must be a user as the API server names it, without quotes, backslashes and spaces, such as system:kube-scheduler"
type UserName string

// NamespaceName is the name of a namespace.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="!format.dns1123Label().validate(self).hasValue()",message="must be the name of a namespace, such as monitoring"
type NamespaceName string

// TerroirConfigStatus says which guarantee is in force, and which nodes are not recognised.
type TerroirConfigStatus struct {
	ConditionedStatus `json:",inline"`
	// fence says what the API server was seen to enforce itself: Full shapes and judges, ValidatingOnly judges, Off leaves it to the webhook. Absent: it has not answered yet.
	// +optional
	// +kubebuilder:validation:Enum=Full;ValidatingOnly;Off
	Fence Fence `json:"fence,omitempty"`
	// revoking lists the nodes that are losing trust levels at this moment. The fence refuses every binding to them.
	// +optional
	// +listType=map
	// +listMapKey=node
	// +kubebuilder:validation:MaxItems=10000
	Revoking []RevokingNode `json:"revoking,omitempty"`
	// nodes counts the nodes of the cluster. Absent: nobody has looked yet.
	// +optional
	Nodes *NodeCounts `json:"nodes,omitempty"`
	// unrecognised lists nodes that are not recognised, Suspect ones included, and says why: the first hundred by name.
	// +optional
	// +listType=map
	// +listMapKey=node
	// +kubebuilder:validation:MaxItems=100
	Unrecognised []UnrecognisedNode `json:"unrecognised,omitempty"`
}

// NodeCounts counts the nodes of the cluster by what is known of where they stand.
type NodeCounts struct {
	// total is how many nodes there are.
	Total int32 `json:"total"`
	// recognised is how many of them stand in exactly one Zone.
	Recognised int32 `json:"recognised"`
	// suspect is how many were recognised, lack a signal now or are contested, and keep their labels for ten minutes at most.
	Suspect int32 `json:"suspect"`
	// evidence counts the recognised ones by what their recognition rests on.
	// +optional
	Evidence EvidenceCounts `json:"evidence"`
}

// EvidenceCounts counts recognised nodes by what their recognition rests on.
type EvidenceCounts struct {
	// claimed is how many are recognised by what their own kubelet says alone.
	// +optional
	Claimed int32 `json:"claimed"`
	// listed is how many are recognised by a list of the administrator's.
	// +optional
	Listed int32 `json:"listed"`
	// cloudController is how many are recognised by a providerID that the cloud controller set.
	// +optional
	CloudController int32 `json:"cloudController"`
	// corroborated is how many are recognised by such a providerID and the CSI driver that their Zone names.
	// +optional
	Corroborated int32 `json:"corroborated"`
}

// UnrecognisedNode is a node of which it is not certain where it stands.
type UnrecognisedNode struct {
	// node is the node's name.
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node"`
	// state is Unknown when no Zone's signals are all there, Ambiguous when the node might also be another Zone's or provider's, and Suspect when it was recognised and for a short time now lacks a signal or is contested. Only Suspect nodes keep what they have.
	State NodeState `json:"state"`
	// reason is a fixed word for machines, such as NoZoneMatches.
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason"`
	// message says what the node lacks, or what speaks against it.
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message"`
}

// NodeState says why a node is not recognised, in one word.
//
// +kubebuilder:validation:Enum=Unknown;Ambiguous;Suspect
type NodeState string

// RevokingNode is a node that is losing trust levels.
type RevokingNode struct {
	// node is the node's name.
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node"`
	// trustLevels are the levels it is losing.
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=63
	TrustLevels []string `json:"trustLevels"`
	// until is when the entry lapses: by then no scheduler still thinks the node open.
	Until metav1.Time `json:"until"`
}

// Fence says what the API server itself enforces.
type Fence string

// What the API server itself enforces.
const (
	FenceFull           Fence = "Full"
	FenceValidatingOnly Fence = "ValidatingOnly"
	FenceOff            Fence = "Off"
)

// TerroirConfigList is a list of TerroirConfig.
//
// +kubebuilder:object:root=true
type TerroirConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TerroirConfig `json:"items"`
}
