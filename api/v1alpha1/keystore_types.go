package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KeyStore is one place that holds keys: a partition of an HSM, a KMIP server, a transit mount, or a service that cannot be asked.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories=sovereignty
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="a key store's name becomes part of other names: metadata.name must be a DNS label of at most 63 characters, such as paris-hsm",reason=FieldValueInvalid
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Protection",type=string,JSONPath=`.spec.declared.protection`
// +kubebuilder:printcolumn:name="Custody",type=string,JSONPath=`.spec.declared.custody`
// +kubebuilder:printcolumn:name="Keys",type=integer,JSONPath=`.status.keys`
// +kubebuilder:printcolumn:name="Verified",type=integer,JSONPath=`.status.verified`
// +kubebuilder:printcolumn:name="Login",type=string,JSONPath=`.status.login.state`,priority=1
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type KeyStore struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where the store is, how it is reached, and what is declared of it.
	// +required
	Spec KeyStoreSpec `json:"spec"`
	// status says whether the store answers, and whether its credentials were tried.
	// +optional
	Status KeyStoreStatus `json:"status,omitempty"`
}

// KeyStoreSpec says where a store is, how it is reached, and what is declared of it.
//
// +kubebuilder:validation:XValidation:rule="has(self.pkcs11) == (self.type == 'PKCS11')",message="pkcs11 must be given for stores of type PKCS11, and for no others",fieldPath=".pkcs11",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="has(self.kmip) == (self.type == 'KMIP')",message="kmip must be given for stores of type KMIP, and for no others",fieldPath=".kmip",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="has(self.transit) == (self.type == 'Transit')",message="transit must be given for stores of type Transit, and for no others",fieldPath=".transit",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="self.type != 'PKCS11' || has(self.credentialsSecretRef)",message="a PKCS11 store needs credentialsSecretRef: the Secret in terroir-system whose key pin holds the user's PIN",fieldPath=".credentialsSecretRef",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.type != 'Transit' || has(self.credentialsSecretRef)",message="a Transit store needs credentialsSecretRef: the Secret in terroir-system whose key token holds a token",fieldPath=".credentialsSecretRef",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.type != 'KMIP' || (has(self.tls) && has(self.tls.clientSecretRef))",message="a KMIP store needs tls.clientSecretRef: KMIP servers know their clients by certificate",fieldPath=".tls.clientSecretRef",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.type != 'Declared' || has(self.declared)",message="a store of type Declared needs declared: nothing else is known of it",fieldPath=".declared",reason=FieldValueRequired
// +kubebuilder:validation:XValidation:rule="self.type != 'Declared' || !has(self.tls)",message="a store of type Declared is never asked, so leave out tls",fieldPath=".tls",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="self.type != 'Declared' || !has(self.credentialsSecretRef)",message="a store of type Declared is never asked, so leave out credentialsSecretRef",fieldPath=".credentialsSecretRef",reason=FieldValueInvalid
type KeyStoreSpec struct {
	// type says how the store is asked: PKCS11, KMIP, Transit, or Declared, which is never asked. It cannot be changed: another kind of store is another KeyStore.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the type of a key store cannot be changed: create another KeyStore"
	Type KeyStoreType `json:"type"`
	// pkcs11 says which token it is. Tokens are asked by the agent, cmd/keyprobe, since vendors' libraries are C.
	// +optional
	PKCS11 *PKCS11Store `json:"pkcs11,omitempty"`
	// kmip says at which server it is.
	// +optional
	KMIP *KMIPStore `json:"kmip,omitempty"`
	// transit says at which mount it is, of Vault or OpenBao.
	// +optional
	Transit *TransitStore `json:"transit,omitempty"`
	// tls says whom to believe at the other end, and as whom to go there. KMIP needs it, Transit may have it. A PKCS#11 library knows its own way to the HSM: there nothing reads it.
	// +optional
	TLS *KeyStoreTLS `json:"tls,omitempty"`
	// credentialsSecretRef names a Secret in terroir-system: its key pin holds the PIN of a PKCS#11 user, its key token a Transit token, its keys username and password what a KMIP server may ask beside the certificate.
	// +optional
	CredentialsSecretRef *SecretReference `json:"credentialsSecretRef,omitempty"`
	// probe says from where the store is asked, and how often.
	// +optional
	// +kubebuilder:default={}
	Probe KeyProbe `json:"probe,omitempty"`
	// declared is what no store tells of itself. It is shown as Declared, never as more.
	// +optional
	Declared *KeyStoreDeclaration `json:"declared,omitempty"`
	// revocation says when a revoked key has consequences for running pods, where a policy wants any.
	// +optional
	// +kubebuilder:default={}
	Revocation KeyRevocation `json:"revocation,omitempty"`
}

// KeyStoreType says how a store is asked.
//
// +kubebuilder:validation:Enum=PKCS11;KMIP;Transit;Declared
type KeyStoreType string

// The kinds of stores.
const (
	KeyStorePKCS11   KeyStoreType = "PKCS11"
	KeyStoreKMIP     KeyStoreType = "KMIP"
	KeyStoreTransit  KeyStoreType = "Transit"
	KeyStoreDeclared KeyStoreType = "Declared"
)

// PKCS11Store is one token.
//
// +kubebuilder:validation:XValidation:rule="has(self.tokenLabel) || has(self.tokenSerial)",message="tokenLabel, tokenSerial or both must be given: they say which token it is",reason=FieldValueRequired
type PKCS11Store struct {
	// module is the path of the vendor's library on the agent's file system. The agent loads no other than those that it was started with.
	// +required
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^/[^\\\\s]+$')",message="must be an absolute path, such as /usr/lib/softhsm/libsofthsm2.so"
	Module string `json:"module"`
	// tokenLabel is the token's label. While two tokens fit, nothing is known of any key.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	TokenLabel string `json:"tokenLabel,omitempty"`
	// tokenSerial is the token's serial number.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	TokenSerial string `json:"tokenSerial,omitempty"`
}

// KMIPStore is one server of the Key Management Interoperability Protocol, versions 1.2 to 1.4.
type KMIPStore struct {
	// endpoint is the server's host and port.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=260
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9_.-]+|[[][0-9a-fA-F:.]+[]]):[1-9][0-9]{0,4}$')",message="must be a host and a port, such as kmip.par1.example:5696"
	Endpoint string `json:"endpoint"`
	// serverName is the name, or the IP address, that the server's certificate must have. Default: the endpoint's host.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
}

// TransitStore is one mount of a transit secrets engine.
type TransitStore struct {
	// address is where the server is, over TLS.
	// +required
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('^https://[^/?#@\\\\s]+/?$')",message="must be an https address without a path, such as https://bao.par1.example:8200"
	Address string `json:"address"`
	// mount is the path at which the engine is mounted. Default: transit.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$')",message="must be the path of a mount without slashes at its ends, such as transit"
	// +kubebuilder:default=transit
	Mount string `json:"mount,omitempty"`
	// namespace is that of the server, where it has namespaces. It has nothing to do with those of Kubernetes. Absent: the root.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$')",message="must be the path of a namespace without slashes at its ends, such as health"
	Namespace string `json:"namespace,omitempty"`
}

// KeyStoreTLS says whom to believe at the other end, and as whom to go there. Certificates are always checked.
type KeyStoreTLS struct {
	// caSecretRef names a Secret in terroir-system whose key ca.crt holds the authorities, in PEM, that may vouch for the server. Absent: those that the operating system trusts.
	// +optional
	CASecretRef *SecretReference `json:"caSecretRef,omitempty"`
	// clientSecretRef names a Secret in terroir-system whose keys tls.crt and tls.key hold the client's certificate and key, in PEM.
	// +optional
	ClientSecretRef *SecretReference `json:"clientSecretRef,omitempty"`
	// spkiPins are the SHA-256 digests of public keys, in base64, one of which the server's own certificate must have, beside being valid.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	SPKIPins []SPKIPin `json:"spkiPins,omitempty"`
}

// SPKIPin is the SHA-256 digest of a SubjectPublicKeyInfo, as RFC 7469 writes it.
//
// +kubebuilder:validation:MaxLength=51
// +kubebuilder:validation:XValidation:rule="self.matches('^sha256/[A-Za-z0-9+/]{43}=$')",message="must be sha256/ and 44 characters of base64, as openssl and curl print it"
type SPKIPin string

// SecretReference names a Secret in terroir-system. There is no field for another namespace, so that nobody can have Terroir read a Secret for him.
type SecretReference struct {
	// name is the Secret's name.
	// +required
	Name ObjectName `json:"name"`
}

// KeyProbe says from where a store is asked, and how often.
//
// +kubebuilder:validation:XValidation:rule="!has(self.interval) || !has(self.timeout) || !self.interval.matches('^([0-9]{1,6}(ms|s|m|h))+$') || !self.timeout.matches('^([0-9]{1,6}(ms|s|m|h))+$') || duration(self.timeout) < duration(self.interval)",message="timeout must be shorter than interval",fieldPath=".timeout",reason=FieldValueInvalid
// +kubebuilder:validation:XValidation:rule="!has(self.interval) || !has(self.leaseDuration) || !self.interval.matches('^([0-9]{1,6}(ms|s|m|h))+$') || !self.leaseDuration.matches('^([0-9]{1,6}(ms|s|m|h))+$') || duration(self.leaseDuration) - duration(self.interval) >= duration(self.interval)",message="leaseDuration must be at least twice the interval: else one probe that fails ends the lease",fieldPath=".leaseDuration",reason=FieldValueInvalid
type KeyProbe struct {
	// from says who asks. Manager, the default: one observer for the cluster, the operator itself, or for PKCS11 the agent (cmd/keyprobe) that runs beside it. Agent: one agent in each zone, which tells what it sees from there.
	// +optional
	// +kubebuilder:default=Manager
	From ProbeFrom `json:"from,omitempty"`
	// interval is how often every key is looked at, from 1s to 24h. Default: 5m.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('24h')",message="must be a duration from 1s to 24h, such as 5m"
	Interval ProbeDuration `json:"interval,omitempty"`
	// roundTripInterval is how often every key is used, to encrypt and decrypt or to sign and verify a few bytes, from 1s to 168h. Default: 1h.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('168h')",message="must be a duration from 1s to 168h, such as 1h"
	RoundTripInterval ProbeDuration `json:"roundTripInterval,omitempty"`
	// timeout is how long one answer of the store may take, from 100ms to 60s. Default: 5s.
	// +optional
	// +kubebuilder:default="5s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(ms|s|m|h))+$') && duration(self) >= duration('100ms') && duration(self) <= duration('60s')",message="must be a duration from 100ms to 60s, such as 5s"
	Timeout ProbeDuration `json:"timeout,omitempty"`
	// leaseDuration is how long a proof lasts: while the store does not answer, pods whose volumes were proven may start again until then. From 2s to 168h, and at least twice the interval. Default: 24h.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(ms|s|m|h))+$') && duration(self) >= duration('2s') && duration(self) <= duration('168h')",message="must be a duration from 2s to 168h, such as 24h"
	LeaseDuration ProbeDuration `json:"leaseDuration,omitempty"`
}

// ProbeDuration is a span of time in hours, minutes, seconds and milliseconds, such as 5m. Every field of this type has a rule that says how
// it is written and from where to where; six digits at most keep what is computed with it from overflowing.
//
// +kubebuilder:validation:MaxLength=16
type ProbeDuration string

// ProbeFrom says who asks a store.
//
// +kubebuilder:validation:Enum=Manager;Agent
type ProbeFrom string

// Who asks a store.
const (
	ProbeFromManager ProbeFrom = "Manager"
	ProbeFromAgent   ProbeFrom = "Agent"
)

// KeyStoreDeclaration is what no store tells of itself.
type KeyStoreDeclaration struct {
	// custody says whose the store is. Absent: nobody said, which satisfies no demand.
	// +optional
	Custody Custody `json:"custody,omitempty"`
	// zones say where keys lie. Absent: nobody said, so that no trust level holds there.
	// +optional
	Zones KeyStoreZones `json:"zones,omitempty"`
	// protection says what holds key material. What the store itself reports goes before it. Absent: nobody said, which satisfies no demand.
	// +optional
	Protection KeyProtection `json:"protection,omitempty"`
	// certifications are those of the store or its hardware, for people.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Certifications []KeyStoreCertification `json:"certifications,omitempty"`
}

// KeyStoreZones say where keys lie: a key is in all of them at once, so all must be qualified for whoever demands a trust level.
type KeyStoreZones struct {
	// home are the Zones in which the store itself is. Empty: nobody said, so that no trust level holds there.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Home []ObjectName `json:"home,omitempty"`
	// replicas are the Zones into which the store replicates keys. Empty: there are none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Replicas []ObjectName `json:"replicas,omitempty"`
	// backups are the Zones in which backups of keys lie. Empty: there are none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Backups []ObjectName `json:"backups,omitempty"`
}

// KeyStoreCertification is a certificate of a store or of its hardware.
type KeyStoreCertification struct {
	// scheme is the scheme, such as FIPS-140-3.
	// +required
	Scheme Term `json:"scheme"`
	// level is the level within the scheme, such as 3.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Level string `json:"level,omitempty"`
	// id is the certificate's number.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ID string `json:"id,omitempty"`
	// validUntil is when it ends, exclusive. Absent: nobody said. Nothing follows from it by itself.
	// +optional
	ValidUntil *metav1.Time `json:"validUntil,omitempty"`
}

// KeyRevocation says when a revoked key has consequences for running pods. It matters only to policies that say onRevocation: Evict.
type KeyRevocation struct {
	// confirmations is how many probes in a row must have found the key revoked, from 1 to 100. Default: 3.
	// +optional
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Confirmations int32 `json:"confirmations,omitempty"`
	// delay is how long after it was first found nothing is evicted yet, at most 168h. Default: 15m.
	// +optional
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}(ms|s|m|h))+$') && duration(self) <= duration('168h')",message="must be a duration of at most 168h, such as 15m"
	Delay ProbeDuration `json:"delay,omitempty"`
	// maxKeys is the brake: while more keys of the store than this are found revoked, nothing is evicted. That is more likely a fault of the store, or of what is known of it, than a decision. 0: nothing is ever evicted. Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	MaxKeys *int32 `json:"maxKeys,omitempty"`
}

// KeyStoreStatus says whether a store answers, and whether its credentials were tried.
type KeyStoreStatus struct {
	ConditionedStatus `json:",inline"`
	// keys is how many EncryptionKeys are in the store.
	// +optional
	Keys int32 `json:"keys"`
	// verified is how many of them are Verified.
	// +optional
	Verified int32 `json:"verified"`
	// revoked is how many of them are Destroyed, Deactivated, Compromised, Expired or Replaced: what the brake counts.
	// +optional
	Revoked int32 `json:"revoked"`
	// login is the latch of PKCS11 stores: whoever asks the token writes here before he tries a PIN, so that a PIN that is wrong is tried once and not until the HSM locks. A new version of the Secret opens it.
	// +optional
	Login *KeyStoreLogin `json:"login,omitempty"`
}

// KeyStoreLogin says what came of the last login.
type KeyStoreLogin struct {
	// secretUID is the Secret's metadata.uid. Of its contents nothing is told.
	// +kubebuilder:validation:MaxLength=64
	SecretUID string `json:"secretUID"`
	// secretVersion is the Secret's metadata.resourceVersion.
	// +kubebuilder:validation:MaxLength=64
	SecretVersion string `json:"secretVersion"`
	// state is Trying from before a login until its answer is written; then Succeeded or Failed.
	State LoginState `json:"state"`
	// succeeded says that this version of the Secret was accepted before: a login that was interrupted may then be tried again, unless the token counts a failure.
	// +optional
	Succeeded bool `json:"succeeded,omitempty"`
	// observer is who tries, or tried.
	// +kubebuilder:validation:MaxLength=63
	Observer string `json:"observer"`
	// at is when state became what it is.
	At metav1.Time `json:"at"`
}

// LoginState is what came of a login.
//
// +kubebuilder:validation:Enum=Trying;Succeeded;Failed
type LoginState string

// What came of a login.
const (
	LoginTrying    LoginState = "Trying"
	LoginSucceeded LoginState = "Succeeded"
	LoginFailed    LoginState = "Failed"
)

// KeyStoreList is a list of KeyStore.
//
// +kubebuilder:object:root=true
type KeyStoreList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KeyStore `json:"items"`
}
