package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// EncryptionKey is one key in a KeyStore: what it must be, who may ask for it, and how storage drivers name it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="a key's name becomes a label value and part of other names: metadata.name must be a DNS label of at most 63 characters, such as health-kek",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Store",type=string,JSONPath=`.spec.store`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Verified until",type=string,JSONPath=`.status.verifiedUntil`
// +kubebuilder:printcolumn:name="Volumes",type=integer,JSONPath=`.status.volumes`
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`
// +kubebuilder:printcolumn:name="Zones",type=string,JSONPath=`.status.zones`,priority=1
// +kubebuilder:printcolumn:name="Fingerprint",type=string,JSONPath=`.status.fingerprint`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type EncryptionKey struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says which key it is, what it must be, and who may ask for it.
	// +required
	Spec EncryptionKeySpec `json:"spec"`
	// status says what the key was found to be.
	// +optional
	Status EncryptionKeyStatus `json:"status,omitempty"`
}

// EncryptionKeySpec says which key it is, what it must be, and who may ask for it.
type EncryptionKeySpec struct {
	// store is the name of the KeyStore. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.size() <= 63",message="must be the name of a KeyStore, which has at most 63 characters"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the store of a key cannot be changed: a key elsewhere is another key, so create another EncryptionKey"
	Store ObjectName `json:"store"`
	// ref says which key of the store it is, in the words of the store's type. It cannot be changed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="which key it is cannot be changed: create another EncryptionKey"
	Ref KeyReference `json:"ref"`
	// storage says how CSI drivers name this key. A volume is taken to be under this key if its driver names it so, and no other EncryptionKey has that name. Absent: no volume is.
	// +optional
	// +listType=map
	// +listMapKey=driver
	// +listMapKey=keyID
	// +kubebuilder:validation:MaxItems=16
	Storage []StorageKey `json:"storage,omitempty"`
	// namespaceSelector selects the namespaces that may ask for the key. Absent: nobody may.
	// +optional
	NamespaceSelector *NamespaceSelector `json:"namespaceSelector,omitempty"`
	// requirements are what the key must be to be Verified. Default: AES, 256 bits, never extractable, made in its store.
	// +optional
	// +kubebuilder:default={}
	Requirements KeyRequirements `json:"requirements,omitempty"`
	// fingerprint is that of the key that is meant, as status.fingerprint and status.observedFingerprint tell it. Absent: the first that is seen is pinned in the status. To acknowledge that a key was replaced, write the new one here.
	// +optional
	Fingerprint Fingerprint `json:"fingerprint,omitempty"`
	// notAfter is when the key expires for its use here, whatever its store says. Exclusive. Absent: never.
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
}

// Fingerprint tells keys apart without saying anything of their material.
//
// +kubebuilder:validation:MaxLength=71
// +kubebuilder:validation:XValidation:rule="self.matches('^sha256:[0-9a-f]{64}$')",message="must be a fingerprint as the status of the key tells it: sha256: and 64 hexadecimal digits"
type Fingerprint string

// KeyReference says which key of a store it is. Exactly one kind is given, that of the store.
//
// +kubebuilder:validation:XValidation:rule="[has(self.pkcs11), has(self.kmip), has(self.transit), has(self.declared)].filter(given, given).size() == 1",message="exactly one of pkcs11, kmip, transit and declared must be given: the one of the store's type",reason=FieldValueInvalid
type KeyReference struct {
	// pkcs11 finds the key in a token.
	// +optional
	PKCS11 *PKCS11Key `json:"pkcs11,omitempty"`
	// kmip finds the key at a KMIP server.
	// +optional
	KMIP *KMIPKey `json:"kmip,omitempty"`
	// transit finds the key in a transit mount.
	// +optional
	Transit *TransitKey `json:"transit,omitempty"`
	// declared is a key that cannot be looked at.
	// +optional
	Declared *DeclaredKey `json:"declared,omitempty"`
}

// PKCS11Key finds a key by its label, its id, or both. Two keys that fit are Ambiguous; the two halves of a pair are one key.
//
// +kubebuilder:validation:XValidation:rule="has(self.label) || has(self.id)",message="label, id or both must be given: they say which key it is",reason=FieldValueRequired
type PKCS11Key struct {
	// label is the key's CKA_LABEL.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Label string `json:"label,omitempty"`
	// id is the key's CKA_ID, in hexadecimal.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9a-fA-F]{2})+$')",message="must be hexadecimal, two digits for each byte, such as 01"
	ID string `json:"id,omitempty"`
}

// KMIPKey finds a key by its unique identifier.
type KMIPKey struct {
	// uniqueID is the Unique Identifier that the server gave the key.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	UniqueID string `json:"uniqueID"`
}

// TransitKey finds a key by its name.
type TransitKey struct {
	// key is the name of the key within the mount.
	// +required
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]*$')",message="must be the name of a key, such as health-kek"
	Key string `json:"key"`
}

// DeclaredKey is a key that cannot be looked at: what is said of it is Declared and never more.
type DeclaredKey struct{}

// StorageKey says how a CSI driver names the key.
type StorageKey struct {
	// driver is the CSI driver's name.
	// +required
	Driver CSIDriverName `json:"driver"`
	// keyID is what a StorageClass of that driver, or what it points to, says to mean this key. docs/volumes.md tells for each driver what that is.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	KeyID string `json:"keyID"`
}

// KeyRequirements are what a key must be to be Verified. What nobody can tell does not meet them.
//
// +kubebuilder:validation:XValidation:rule="!has(self.algorithms) || !has(self.minBits) || !self.algorithms.exists(a, a == 'RSA') || self.minBits == 1 || self.minBits >= 2048",message="minBits must be at least 2048 where RSA is accepted, or 1 where any length will do",fieldPath=".minBits",reason=FieldValueInvalid
type KeyRequirements struct {
	// algorithms are those that are accepted. Default: AES.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:default={AES}
	Algorithms []KeyAlgorithm `json:"algorithms,omitempty"`
	// minBits is how long the key is at least, in bits, from 1 to 16384. It is one bound for all algorithms: where RSA is accepted it is at least 2048, or 1, which asks for no length. Default: 256.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16384
	// +kubebuilder:default=256
	MinBits int32 `json:"minBits,omitempty"`
	// extractable says whether the key may leave its store. Forbidden, the default: it cannot, and never could. ForbiddenNow: it cannot now, though it may once have. Allowed: it may.
	// +optional
	// +kubebuilder:default=Forbidden
	Extractable Extractable `json:"extractable,omitempty"`
	// origin says where the key must have been made. GeneratedInStore, the default: there, and not imported. Any: anywhere.
	// +optional
	// +kubebuilder:default=GeneratedInStore
	Origin KeyOriginDemand `json:"origin,omitempty"`
}

// KeyAlgorithm is a key's algorithm.
//
// +kubebuilder:validation:Enum=AES;RSA;EC;ChaCha20
type KeyAlgorithm string

// The algorithms.
const (
	AlgorithmAES      KeyAlgorithm = "AES"
	AlgorithmRSA      KeyAlgorithm = "RSA"
	AlgorithmEC       KeyAlgorithm = "EC"
	AlgorithmChaCha20 KeyAlgorithm = "ChaCha20"
)

// Extractable says whether a key may leave its store.
//
// +kubebuilder:validation:Enum=Forbidden;ForbiddenNow;Allowed
type Extractable string

// Whether a key may leave its store.
const (
	ExtractableForbidden    Extractable = "Forbidden"
	ExtractableForbiddenNow Extractable = "ForbiddenNow"
	ExtractableAllowed      Extractable = "Allowed"
)

// KeyOriginDemand says where a key must have been made.
//
// +kubebuilder:validation:Enum=GeneratedInStore;Any
type KeyOriginDemand string

// Where a key must have been made.
const (
	OriginGeneratedInStore KeyOriginDemand = "GeneratedInStore"
	OriginAny              KeyOriginDemand = "Any"
)

// EncryptionKeyStatus says what a key was found to be.
type EncryptionKeyStatus struct {
	ConditionedStatus `json:",inline"`
	// phase is what the key is, in one word. Only Verified lets pods start that were not proven before.
	// +optional
	Phase KeyPhase `json:"phase,omitempty"`
	// fingerprint is that of the key that is meant: spec.fingerprint, or else the first that was seen.
	// +optional
	Fingerprint string `json:"fingerprint,omitempty"`
	// observedFingerprint is that of the key that is there, where it is another one.
	// +optional
	ObservedFingerprint string `json:"observedFingerprint,omitempty"`
	// facts are what is known of the key, each with how it is known.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Facts []KeyFact `json:"facts,omitempty"`
	// zones are the Zones from which an agent finds the key usable, separated by commas. Empty where the manager asks.
	// +optional
	Zones string `json:"zones,omitempty"`
	// verifiedUntil is until when pods whose volumes were proven may start again without the store. It is moved on in steps, so the lease may be longer than it says, never shorter.
	// +optional
	VerifiedUntil *metav1.Time `json:"verifiedUntil,omitempty"`
	// revokedSince is since when the key is found revoked.
	// +optional
	RevokedSince *metav1.Time `json:"revokedSince,omitempty"`
	// storageClasses are those whose volumes are under this key: the first sixteen by name.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	StorageClasses []string `json:"storageClasses,omitempty"`
	// volumes is how many claims rely on the key.
	// +optional
	Volumes int32 `json:"volumes"`
	// pods is how many unfinished pods rely on it, waiting ones included.
	// +optional
	Pods int32 `json:"pods"`
	// claims lists claims that rely on it, as namespace/name: the first ten.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Claims []string `json:"claims,omitempty"`
}

// KeyPhase is what a key is, in one word.
//
// +kubebuilder:validation:Enum=Verified;Unverified;Unknown;NotFound;Ambiguous;Forbidden;Expired;Deactivated;Compromised;Destroyed;Replaced
type KeyPhase string

// What a key is.
const (
	// PhaseVerified: it is there, and is what it must be.
	PhaseVerified KeyPhase = "Verified"
	// PhaseUnverified: it is there, and is not known to be what it must be.
	PhaseUnverified KeyPhase = "Unverified"
	// PhaseUnknown: nobody can tell at this moment.
	PhaseUnknown KeyPhase = "Unknown"
	// PhaseNotFound: its store has no such key.
	PhaseNotFound KeyPhase = "NotFound"
	// PhaseAmbiguous: several keys fit the reference.
	PhaseAmbiguous KeyPhase = "Ambiguous"
	// PhaseForbidden: the store does not let Terroir see it.
	PhaseForbidden KeyPhase = "Forbidden"
	// PhaseExpired: its time is over, by its store or by spec.notAfter.
	PhaseExpired KeyPhase = "Expired"
	// PhaseDeactivated: its store does not use it any more, or not yet.
	PhaseDeactivated KeyPhase = "Deactivated"
	// PhaseCompromised: its store says that others may know it.
	PhaseCompromised KeyPhase = "Compromised"
	// PhaseDestroyed: its store says that it is destroyed, or it was there and is not any more.
	PhaseDestroyed KeyPhase = "Destroyed"
	// PhaseReplaced: another key answers to the reference. It waits for a person to acknowledge it in spec.fingerprint.
	PhaseReplaced KeyPhase = "Replaced"
)

// KeyFact is one thing that is known of a key.
type KeyFact struct {
	// name says what of: algorithm, bits, nonExtractable, neverExtractable, origin, private, protection, custody, home, state, usable, notBefore, notAfter.
	// +kubebuilder:validation:MaxLength=32
	Name string `json:"name"`
	// value is what is known. True and false are written so.
	// +kubebuilder:validation:MaxLength=256
	Value string `json:"value"`
	// evidence says how it is known.
	Evidence KeyEvidence `json:"evidence"`
	// source says by whom: the KeyStore's declaration, or an observer.
	// +kubebuilder:validation:MaxLength=128
	Source string `json:"source"`
	// time is since when it has been found so.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// EncryptionKeyList is a list of EncryptionKey.
//
// +kubebuilder:object:root=true
type EncryptionKeyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EncryptionKey `json:"items"`
}
