package keys

import (
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Fact is one thing that is known of a key.
type Fact struct {
	// Name is one of the Fact… constants.
	Name  string
	Value string
	// Evidence is how it is known, and Source by whom.
	Evidence v1alpha1.KeyEvidence
	Source   string
	// Since is since when it has been found so. Zero for what is declared.
	Since time.Time
}

// Names of facts. Those that are true or false are written so.
const (
	// FactAlgorithm is AES, RSA, EC or ChaCha20, or the store's own word for another.
	FactAlgorithm = "algorithm"
	// FactBits is the key's length in bits.
	FactBits = "bits"
	// FactNonExtractable says that the key cannot leave its store now.
	FactNonExtractable = "nonExtractable"
	// FactNeverExtractable says that it never could.
	FactNeverExtractable = "neverExtractable"
	// FactOrigin is GeneratedInStore or Imported.
	FactOrigin = "origin"
	// FactPrivate says that only a user who is logged in sees the key.
	FactPrivate = "private"
	// FactProtection is HSM or Software.
	FactProtection = "protection"
	// FactCustody is a v1alpha1.Custody.
	FactCustody = "custody"
	// FactHome are the Zones in which the key lies, sorted, separated by commas.
	FactHome = "home"
	// FactState is Active, PreActive, Deactivated or Compromised: what the store says of the key's life.
	FactState = "state"
	// FactUsable says that it encrypted and decrypted, or signed and verified, a few bytes.
	FactUsable = "usable"
	// FactNotBefore and FactNotAfter are RFC 3339 times between which the store means the key to be used. The end is exclusive.
	FactNotBefore = "notBefore"
	FactNotAfter  = "notAfter"
)

// Values of [FactOrigin] and [FactState].
const (
	OriginGenerated  = "GeneratedInStore"
	OriginImported   = "Imported"
	StateActive      = "Active"
	StatePreActive   = "PreActive"
	StateDeactivated = "Deactivated"
	StateCompromised = "Compromised"
)

// Observation is what one observer last saw of a key.
type Observation struct {
	// Observer is v1alpha1.ManagerObserver, v1alpha1.AgentObserver, or the Zone of an agent.
	Observer string
	Outcome  v1alpha1.ProbeOutcome
	Message  string
	// Since is when it was first seen so, Confirmed when it was last.
	Since, Confirmed time.Time
	// LastFound is when the key was last found, where it is not known to be now. Zero: never.
	LastFound   time.Time
	Fingerprint string
	Facts       []Fact
}

// ZoneOf is the Zone from which an observer asks; false for the manager and the agent beside it, who ask from wherever they run.
func ZoneOf(observer string) (zone string, ok bool) {
	return observer, observer != v1alpha1.ManagerObserver && observer != v1alpha1.AgentObserver
}

// Verdict is what a key is at one moment. The zero Verdict is that of a key of which nothing is known.
type Verdict struct {
	// Key is the key; nil in the zero Verdict.
	Key   *Key
	Phase v1alpha1.KeyPhase
	// Reason is a fixed word for machines, Message a sentence for the person who has to act.
	Reason, Message string
	// Fingerprint is that of the key that is meant, Observed that of the key that is there if it is another.
	Fingerprint, Observed string
	// Facts are sorted by name.
	Facts []Fact
	// Zones are the Zones from which an agent finds it usable, Home those in which it lies, both sorted.
	Zones, Home []string
	// VerifiedUntil is when the last proof ends. Zero: there is none. Exclusive.
	VerifiedUntil time.Time
	// RevokedSince is when it was first found revoked. Zero: it is not.
	RevokedSince time.Time
	// Confirmed says that enough probes in a row found it revoked, and that the store's delay is over.
	Confirmed bool
	// NextChange is when time alone may change the verdict. Zero: never.
	NextChange time.Time
}

// Verified reports whether the key is what it must be: pods that were never proven may start.
func (v Verdict) Verified() bool { return v.Phase == v1alpha1.PhaseVerified }

// Live reports whether a proof of this fingerprint still lasts: pods whose volumes were proven under it may start again.
func (v Verdict) Live(fingerprint string, now time.Time) bool {
	return fingerprint != "" && fingerprint == v.Fingerprint && !v.Revoked() && now.Before(v.VerifiedUntil)
}

// Revoked reports whether the store said something definite against the key.
func (v Verdict) Revoked() bool { return !v.RevokedSince.IsZero() }

// Fact gives a fact by its name; false if nothing is known of it.
func (v Verdict) Fact(name string) (Fact, bool) {
	for _, f := range v.Facts {
		if f.Name == name {
			return f, true
		}
	}
	return Fact{}, false
}
