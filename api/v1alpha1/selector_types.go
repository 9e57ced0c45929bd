package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// NamespaceSelector selects namespaces that carry all of its labels and fit all of its expressions. It is written like any label
// selector of Kubernetes; unlike one, it is never empty, bounded, and refused when it cannot be understood.
//
// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="must select by at least one label, since an empty selector would govern every namespace; to mean every namespace, write matchExpressions: [{key: kubernetes.io/metadata.name, operator: Exists}]",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || self.matchLabels.all(k, !format.qualifiedName().validate(k).hasValue())",message="each key must be the key of a label, such as data-class or example.org/team",fieldPath=".matchLabels",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || self.matchLabels.all(k, !k.matches('^([^/]*[.])?terroir[.](dev|node-restriction[.]kubernetes[.]io)/'))",message="Terroir's own labels cannot select, since Terroir writes them where a policy applies: name a label that you write, such as data-class",fieldPath=".matchLabels",reason=FieldValueInvalid
type NamespaceSelector struct {
	// matchLabels: the namespace carries all of these labels.
	// +optional
	// +mapType=granular
	// +kubebuilder:validation:MaxProperties=16
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`
	// matchExpressions: the namespace fits all of these expressions.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	MatchExpressions []NamespaceRequirement `json:"matchExpressions,omitempty"`
}

// NamespaceRequirement is an expression about one label.
//
// +kubebuilder:validation:XValidation:rule="!self.key.matches('^([^/]*[.])?terroir[.](dev|node-restriction[.]kubernetes[.]io)/')",message="Terroir's own labels cannot select, since Terroir writes them where a policy applies: name a label that you write, such as data-class",fieldPath=".key",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",message="In and NotIn need at least one value to compare the label with",fieldPath=".values",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || self.values.size() == 0",message="Exists and DoesNotExist compare no values: leave them out, or write In or NotIn",fieldPath=".values",reason=FieldValueInvalid
type NamespaceRequirement struct {
	// key is the key of the label.
	// +required
	Key LabelKey `json:"key"`
	// operator says how the label is compared: In or NotIn the values, or whether it Exists or DoesNotExist. NotIn also fits namespaces without the label.
	// +required
	Operator NamespaceOperator `json:"operator"`
	// values are what In and NotIn compare the label with. Exists and DoesNotExist have none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Values []LabelValue `json:"values,omitempty"`
}

// NamespaceOperator says how a label is compared.
//
// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
type NamespaceOperator string

// The ways to compare a label.
const (
	NamespaceOperatorIn           NamespaceOperator = "In"
	NamespaceOperatorNotIn        NamespaceOperator = "NotIn"
	NamespaceOperatorExists       NamespaceOperator = "Exists"
	NamespaceOperatorDoesNotExist NamespaceOperator = "DoesNotExist"
)

// LabelSelector returns the same selector in the type that Kubernetes has for it. Nothing is checked: whether it can be understood
// says [metav1.LabelSelectorAsSelector].
func (s *NamespaceSelector) LabelSelector() *metav1.LabelSelector {
	selector := &metav1.LabelSelector{}
	if len(s.MatchLabels) > 0 {
		selector.MatchLabels = make(map[string]string, len(s.MatchLabels))
	}
	for key, value := range s.MatchLabels {
		selector.MatchLabels[key] = string(value)
	}
	for _, r := range s.MatchExpressions {
		requirement := metav1.LabelSelectorRequirement{Key: string(r.Key), Operator: metav1.LabelSelectorOperator(r.Operator)}
		for _, value := range r.Values {
			requirement.Values = append(requirement.Values, string(value))
		}
		selector.MatchExpressions = append(selector.MatchExpressions, requirement)
	}
	return selector
}
