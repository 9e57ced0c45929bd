package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KeyObservation is what one observer last saw of one EncryptionKey. It is written when that changes, by that observer alone; that it still holds
// is told for all keys of a store together, by the observer's Lease. Terroir judges, the observer does not.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name == self.spec.key + '.' + self.spec.observer",message="metadata.name must be the key's name, a dot, and the observer's",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Observer",type=string,JSONPath=`.spec.observer`
// +kubebuilder:printcolumn:name="Outcome",type=string,JSONPath=`.spec.outcome`
// +kubebuilder:printcolumn:name="Since",type=string,JSONPath=`.spec.since`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.spec.message`
type KeyObservation struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what was seen. An observation has no status: it is itself one.
	// +required
	Spec KeyObservationSpec `json:"spec"`
}

// KeyObservationSpec is what an observer saw of a key. Which key, and who saw it, is in the name, and so cannot be changed.
//
// +kubebuilder:validation:XValidation:rule="self.store == oldSelf.store || self.keyUID != oldSelf.keyUID",message="the store cannot be changed: it is that of the key, and the key is the same",fieldPath=".store",reason=FieldValueInvalid
type KeyObservationSpec struct {
	// key is the name of the EncryptionKey.
	// +required
	Key KeyName `json:"key"`
	// keyUID is the EncryptionKey's metadata.uid: an observation of one that is gone says nothing of its successor.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	KeyUID string `json:"keyUID"`
	// store is the name of the KeyStore that was asked.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.size() <= 63",message="must be the name of a KeyStore, which has at most 63 characters"
	Store ObjectName `json:"store"`
	// observer is manager, agent (the one beside the manager, for stores of type PKCS11), or the name of the Zone from which an agent asked.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.size() <= 63",message="must be manager, agent, or the name of a Zone, which has at most 63 characters"
	Observer ObjectName `json:"observer"`
	// outcome is what came of asking.
	// +required
	Outcome ProbeOutcome `json:"outcome"`
	// message says more, for the person who has to act. It holds nothing secret, and does not change while nothing changes.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// since is when this was first seen so.
	// +required
	Since metav1.Time `json:"since"`
	// lastFound is when the key was last found, where outcome says that nobody can tell now. Absent: it is found now, or never was.
	// +optional
	LastFound *metav1.Time `json:"lastFound,omitempty"`
	// fingerprint is that of the key: sha256: and 64 hexadecimal digits. It stays while nobody can tell.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:XValidation:rule="self.matches('^sha256:[0-9a-f]{64}$')",message="must be a fingerprint: sha256: and 64 hexadecimal digits"
	Fingerprint string `json:"fingerprint,omitempty"`
	// facts are what was seen. What was not seen is not among them.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Facts []ObservedFact `json:"facts,omitempty"`
}

// ObservedFact is one thing that was seen.
type ObservedFact struct {
	// name is as in the facts of an EncryptionKey's status.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Name string `json:"name"`
	// value is what was seen.
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value"`
	// evidence is Reported or Tested.
	// +kubebuilder:validation:XValidation:rule="self in ['Reported', 'Tested']",message="must be Reported or Tested: what is declared stands in the KeyStore, and no store is asked for attestations"
	Evidence KeyEvidence `json:"evidence"`
	// since is when it was first seen so.
	Since metav1.Time `json:"since"`
}

// ProbeOutcome is what came of asking a store for a key.
//
// +kubebuilder:validation:Enum=Found;NotFound;Ambiguous;Destroyed;Forbidden;Unreachable;Unauthenticated;Misconfigured
type ProbeOutcome string

// What came of asking. Only the first four say something of the key.
const (
	// OutcomeFound: the key is there, and facts say what it is.
	OutcomeFound ProbeOutcome = "Found"
	// OutcomeNotFound: the store says that it has no such key.
	OutcomeNotFound ProbeOutcome = "NotFound"
	// OutcomeAmbiguous: several keys fit.
	OutcomeAmbiguous ProbeOutcome = "Ambiguous"
	// OutcomeDestroyed: the store says that the key was destroyed.
	OutcomeDestroyed ProbeOutcome = "Destroyed"
	// OutcomeForbidden: the store says that whoever asks may not see the key.
	OutcomeForbidden ProbeOutcome = "Forbidden"
	// OutcomeUnreachable: the store did not answer, or not in a way that can be understood.
	OutcomeUnreachable ProbeOutcome = "Unreachable"
	// OutcomeUnauthenticated: the store does not take the credentials, or nobody dares to try them.
	OutcomeUnauthenticated ProbeOutcome = "Unauthenticated"
	// OutcomeMisconfigured: what is needed to ask is missing or malformed.
	OutcomeMisconfigured ProbeOutcome = "Misconfigured"
)

// KeyObservationList is a list of KeyObservation.
//
// +kubebuilder:object:root=true
type KeyObservationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KeyObservation `json:"items"`
}
