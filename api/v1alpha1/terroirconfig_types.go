package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// TerroirConfig holds the settings of the installation and says what protects what. There is one, named cluster; Terroir creates it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'cluster'",message="there is one TerroirConfig: metadata.name must be cluster",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Fence",type=string,JSONPath=`.status.fence`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type TerroirConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec holds the settings.
	// +optional
	// +kubebuilder:default={}
	Spec TerroirConfigSpec `json:"spec,omitempty"`
	// status says which guarantee is in force.
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
	// schedulerUsers are the users as whom those schedulers bind pods. Nobody else may bind a governed pod.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:default={"system:kube-scheduler"}
	SchedulerUsers []UserName `json:"schedulerUsers,omitempty"`
	// exemptNamespaces are namespaces that no policy governs, by literal name, besides kube-system, kube-node-lease, kube-public and terroir-system.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	ExemptNamespaces []NamespaceName `json:"exemptNamespaces,omitempty"`
}

// SchedulerName is the name of a scheduler, as in a pod's spec.schedulerName.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be a scheduler's name, such as default-scheduler"
type SchedulerName string

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

// TerroirConfigStatus says which guarantee is in force.
type TerroirConfigStatus struct {
	ConditionedStatus `json:",inline"`
	// fence says what the API server itself enforces: Full shapes and judges, ValidatingOnly judges, Off leaves it to the webhook.
	// +optional
	// +kubebuilder:validation:Enum=Full;ValidatingOnly;Off
	Fence Fence `json:"fence,omitempty"`
	// revoking lists the nodes that are losing trust levels at this moment. The fence refuses every binding to them.
	// +optional
	// +listType=map
	// +listMapKey=node
	// +kubebuilder:validation:MaxItems=10000
	Revoking []RevokingNode `json:"revoking,omitempty"`
}

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
