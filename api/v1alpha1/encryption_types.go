package v1alpha1

// KeyName is the name of an EncryptionKey. It becomes the value of labels and part of other names, and so is a DNS label.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="!format.dns1123Label().validate(self).hasValue()",message="must be a DNS label of at most 63 characters: lower case letters, digits and '-', such as health-kek"
type KeyName string

// Encryption demands that the volumes of pods are encrypted, and under which keys. Every part of it narrows what is accepted.
type Encryption struct {
	// keys are the names of the EncryptionKeys that are accepted, where their namespaceSelector lets the namespace ask for them. Absent or empty: any key that meets the rest, and that the namespace may ask for.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Keys []KeyName `json:"keys,omitempty"`
	// protection is where key material is held at least: HSM is stricter than Software. Default: HSM.
	// +optional
	// +kubebuilder:default=HSM
	Protection KeyProtection `json:"protection,omitempty"`
	// custody says whose the store may be. Absent or empty: anybody's, also that of nobody knows whom.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=3
	Custody []Custody `json:"custody,omitempty"`
	// evidence says, fact by fact, how well it must be known at least. Default: nonExtractable Reported, all else Declared.
	// +optional
	// +kubebuilder:default={}
	Evidence EvidenceDemand `json:"evidence,omitempty"`
	// acceptedBindings are the ways in which a key may protect a volume. They are only partly ordered, so all that are accepted are listed. Default: NodeEnvelope and ProviderEnvelope.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:XValidation:rule="!self.exists(b, b == 'None')",message="None is a volume that is not encrypted: to demand nothing, leave out encryption"
	// +kubebuilder:default={NodeEnvelope,ProviderEnvelope}
	AcceptedBindings []VolumeBinding `json:"acceptedBindings,omitempty"`
	// onRevocation says what becomes of running pods when a key is found destroyed, deactivated, compromised, expired or replaced. Report tells and touches nothing: what is attached works on, and what is moved may not come up again. Evict evicts them through the Eviction API once the store's confirmations and delay are over, unless its brake is on.
	// +optional
	// +kubebuilder:default=Report
	OnRevocation OnRevocation `json:"onRevocation,omitempty"`
}

// EvidenceDemand says, fact by fact, how well it must be known at least. Where a store can at best declare a fact, more than Declared is never satisfied.
type EvidenceDemand struct {
	// nonExtractable is about whether the key can be taken out of its store. Default: Reported.
	// +optional
	// +kubebuilder:default=Reported
	NonExtractable KeyEvidence `json:"nonExtractable,omitempty"`
	// origin is about whether the key was made in its store. Default: Declared.
	// +optional
	// +kubebuilder:default=Declared
	Origin KeyEvidence `json:"origin,omitempty"`
	// protection is about what holds the key, hardware or software. Default: Declared.
	// +optional
	// +kubebuilder:default=Declared
	Protection KeyEvidence `json:"protection,omitempty"`
	// custody is about whose the store is. No store tells: only Declared is ever satisfied. Default: Declared.
	// +optional
	// +kubebuilder:default=Declared
	Custody KeyEvidence `json:"custody,omitempty"`
}

// KeyProtection says what holds key material.
//
// +kubebuilder:validation:Enum=Software;HSM
type KeyProtection string

// What holds key material.
const (
	// ProtectionSoftware is a program's memory and disk.
	ProtectionSoftware KeyProtection = "Software"
	// ProtectionHSM is a hardware security module.
	ProtectionHSM KeyProtection = "HSM"
)

// Custody says whose a key store is.
//
// +kubebuilder:validation:Enum=Customer;SovereignProvider;Provider
type Custody string

// Whose a key store is.
const (
	// CustodyCustomer is the organisation's own store.
	CustodyCustomer Custody = "Customer"
	// CustodySovereignProvider is that of a provider out of reach of foreign law, who does not run the cluster's nodes' storage.
	CustodySovereignProvider Custody = "SovereignProvider"
	// CustodyProvider is that of whoever also stores the data.
	CustodyProvider Custody = "Provider"
)

// KeyEvidence says how a fact about a key is known, the weakest first.
//
// +kubebuilder:validation:Enum=Declared;Reported;Tested;Attested
type KeyEvidence string

// How a fact is known.
const (
	// EvidenceDeclared: somebody wrote it down.
	EvidenceDeclared KeyEvidence = "Declared"
	// EvidenceReported: the store says so.
	EvidenceReported KeyEvidence = "Reported"
	// EvidenceTested: Terroir tried it.
	EvidenceTested KeyEvidence = "Tested"
	// EvidenceAttested: the hardware signed it. No store that Terroir knows of so far is asked for that.
	EvidenceAttested KeyEvidence = "Attested"
)

// VolumeBinding says how a key protects a volume.
//
// +kubebuilder:validation:Enum=ProviderEnvelope;NodeEnvelope;KeyServed;KubernetesSecret;ProviderManaged;None
type VolumeBinding string

// How a key protects a volume.
const (
	// BindingProviderEnvelope: the provider encrypts the volume under a key that the StorageClass names.
	BindingProviderEnvelope VolumeBinding = "ProviderEnvelope"
	// BindingNodeEnvelope: the node encrypts the volume, and the key encryption key never leaves its store.
	BindingNodeEnvelope VolumeBinding = "NodeEnvelope"
	// BindingKeyServed: the store hands a key to the node, which encrypts the volume with it.
	BindingKeyServed VolumeBinding = "KeyServed"
	// BindingKubernetesSecret: a passphrase in a Secret of the cluster.
	BindingKubernetesSecret VolumeBinding = "KubernetesSecret"
	// BindingProviderManaged: encrypted, under a key that nobody names.
	BindingProviderManaged VolumeBinding = "ProviderManaged"
	// BindingNone: not encrypted.
	BindingNone VolumeBinding = "None"
	// BindingUnknown: nobody can tell. It cannot be accepted.
	BindingUnknown VolumeBinding = "Unknown"
)

// OnRevocation says what becomes of running pods when their key is revoked.
//
// +kubebuilder:validation:Enum=Report;Evict
type OnRevocation string

// What becomes of running pods.
const (
	OnRevocationReport OnRevocation = "Report"
	OnRevocationEvict  OnRevocation = "Evict"
)
