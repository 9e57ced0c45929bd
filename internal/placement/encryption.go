package placement

import (
	"fmt"
	"slices"
	"strings"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/storage"
)

// Law: the data of a workload that owes encryption is under a key that all who demand it accept.
//
// Reads how a volume is protected, as its class, or the volume itself, says; which EncryptionKeys mean the key that the driver names, and what
// they are at now; and where these lie. Denies a driver that nobody can read, a binding that is not accepted, a key that no EncryptionKey means,
// or two, one that the namespace may not ask for or that is not among those demanded, one that is not Verified, facts that are known less well
// than demanded, and a key that lies, or is replicated or backed up, where a level owed is not satisfied, or nobody says where. What a volume's
// data came from counts like the volume itself.
//
// A key that is not Verified will do while a proof of it lasts that is recorded on this very volume: facts that its store does not
// tell just now were told then. A key that is revoked never will. Where the binding names no key (a passphrase in a Secret, a provider's own
// key), only who asks nothing of the key is satisfied.

// EncryptedVolume is what is known of how a volume is encrypted, or is going to be.
type EncryptedVolume struct {
	// Claim is the name of the claim, for sentences.
	Claim string
	// Protection is how its class, or the volume itself, says that it is protected.
	Protection storage.Protection
	// Mismatch says, as a sentence, that the class or the volume is not what it should be, or that nobody can tell where its data came from. Empty: all agrees.
	Mismatch string
	// Keys are the keys that mean the key which the driver names.
	Keys []keys.Verdict
	// Proven is the fingerprint that is recorded on its PersistentVolume for this claim. Empty: it was never proven.
	Proven string
	// Sources are the volumes from which its data came. They have the key that they have.
	Sources []EncryptedVolume
}

// Class is a StorageClass, with what is known of how volumes are encrypted that are made by it.
type Class struct {
	Name string
	// Default: claims get it that name no class. At most one is.
	Default bool
	// Immediate: volumes are made as soon as there is a claim, before any pod waits for it.
	Immediate bool
	// Protection is what the class, and what it points to, say.
	Protection storage.Protection
	// Keys are the keys that mean the key which the driver names, with what they are now.
	Keys []keys.Verdict
}

// Volume is what a claim of the class gets.
func (c Class) Volume(claim string) EncryptedVolume {
	return EncryptedVolume{Claim: claim, Protection: c.Protection, Keys: c.Keys}
}

// The rules by which a volume is denied under encryption.
const (
	// RuleEncryption says that it is not known to be encrypted as demanded.
	RuleEncryption = "encryption"
	// RuleKeyRevoked says that its key is revoked.
	RuleKeyRevoked = "key-revoked"
)

// JudgeEncryption judges a volume by what is owed. namespace are the labels of the namespace that owes; qualified says whether a Zone satisfies a level.
func JudgeEncryption(
	owed policy.Obligation, namespace map[string]string, v EncryptedVolume, qualified func(zone, level string) bool, now time.Time,
) Verdict {
	if owed.Encryption == nil {
		return verdictOf(nil)
	}
	c := encryptionCase{owed: owed, demand: owed.Encryption, namespace: namespace, qualified: qualified, now: now}
	return verdictOf(c.volume(fmt.Sprintf("claim %q", v.Claim), v))
}

// JudgeClass judges whether volumes of a StorageClass can ever satisfy what is owed, whatever becomes of keys: it denies bindings that are not
// accepted, and keys that are not among those demanded or that the namespace may not ask for; and classes that bind at once, since then data may be
// on a volume before anybody has looked.
func JudgeClass(owed policy.Obligation, namespace map[string]string, class Class) Verdict {
	if owed.Encryption == nil {
		return verdictOf(nil)
	}
	c := encryptionCase{owed: owed, demand: owed.Encryption, namespace: namespace}
	who := fmt.Sprintf("a volume of StorageClass %q", class.Name)
	denials := c.never(who, class.Volume(""))
	if class.Immediate {
		denials = append(denials, c.deny("%s is made as soon as there is a claim, before anybody can prove under which key (volumeBindingMode: Immediate), but %s; use a class with volumeBindingMode: WaitForFirstConsumer",
			who, requiresEncryption(owed))...)
	}
	return verdictOf(denials)
}

// encryptionCase is what a volume is judged by.
type encryptionCase struct {
	owed      policy.Obligation
	demand    *policy.Encryption
	namespace map[string]string
	qualified func(zone, level string) bool
	now       time.Time
}

func (c encryptionCase) deny(format string, args ...any) []Denial {
	return []Denial{{Rule: RuleEncryption, Field: "spec.storageClassName", Message: fmt.Sprintf(format, args...)}}
}

// demanders names who demands something of volumes that fits, as part of a sentence.
func (c encryptionCase) demanders(fits func(*policy.Encryption) bool) string {
	by := c.owed.EncryptionDemandedBy(fits)
	if len(by) == 0 {
		return "its namespace"
	}
	return policy.InWords(by)
}

// volume judges a volume and what its data came from. who begins the sentences.
func (c encryptionCase) volume(who string, v EncryptedVolume) []Denial {
	var denials []Denial
	if v.Mismatch != "" {
		denials = append(denials, c.deny("%s: %s", who, v.Mismatch)...)
	}
	denials = append(denials, c.protection(who, v)...)
	for _, s := range v.Sources {
		denials = append(denials, c.volume(fmt.Sprintf("%s holds data of claim %q, and that one", who, s.Claim), s)...)
	}
	return denials
}

// protection judges how a volume is protected, and by which key.
func (c encryptionCase) protection(who string, v EncryptedVolume) []Denial {
	if denials := c.never(who, v); len(denials) > 0 {
		return denials
	}
	p := v.Protection
	switch {
	case p.KeyID == "":
		return nil
	case len(v.Keys) == 0:
		return c.deny("%s is under key %q of driver %s, and no EncryptionKey means it; add {driver: %s, keyID: %q} to spec.storage of the one that does",
			who, p.KeyID, p.Driver, p.Driver, p.KeyID)
	case len(v.Keys) > 1:
		return c.deny("%s is under key %q of driver %s, and %d EncryptionKeys say that they are it: %s; only one may name it in spec.storage",
			who, p.KeyID, p.Driver, len(v.Keys), strings.Join(namesOf(v.Keys), ", "))
	case v.Keys[0].Key == nil:
		return c.deny("%s is under key %q of driver %s, of which nothing is known yet", who, p.KeyID, p.Driver)
	}
	return c.key(who, v.Keys[0], v.Proven)
}

// never judges what no look at a key can mend.
func (c encryptionCase) never(who string, v EncryptedVolume) []Denial {
	p := v.Protection
	switch {
	case !slices.Contains(c.demand.Accepted(), p.Binding):
		return c.deny("%s %s; %s accepts %s%s", who, bound(p), c.demanders(sayingBindings), listed(c.demand.Accepted()), also(p.Message))
	case p.KeyID == "":
		return c.keyless(who, p)
	case len(v.Keys) != 1 || v.Keys[0].Key == nil:
		return nil
	}
	key := v.Keys[0].Key
	switch {
	case c.demand.Keys != nil && !slices.Contains(c.demand.Keys, key.Name):
		return c.deny("%s is under EncryptionKey/%s, but %s wants %s", who, key.Name, c.demanders(namingKeys), wantedKeys(c.demand.Keys))
	case !key.Allows(c.namespace):
		return c.deny("%s is under EncryptionKey/%s, whose namespaceSelector does not let this namespace ask for it", who, key.Name)
	default:
		return nil
	}
}

// keyless judges a volume whose binding is accepted and names no key. Falls towards refusal wherever something is asked of the key.
func (c encryptionCase) keyless(who string, p storage.Protection) []Denial {
	d := c.demand
	var asked []string
	if d.Keys != nil {
		asked = append(asked, "key "+strings.Join(d.Keys, " or "))
	}
	if !policy.Holds(v1alpha1.ProtectionSoftware, d.Protection) {
		asked = append(asked, "protection "+string(d.Protection))
	}
	if d.Custody != nil {
		asked = append(asked, "custody "+listed(d.Custody))
	}
	for _, f := range gradedFacts(d.Evidence) {
		if !policy.AtLeast(v1alpha1.EvidenceDeclared, f.demanded) {
			asked = append(asked, fmt.Sprintf("evidence %s for %s", f.demanded, f.name))
		}
	}
	if len(asked) == 0 {
		return nil
	}
	return c.deny("%s %s, which names no key, and %s wants %s of it; use a StorageClass that names a key%s",
		who, bound(p), c.demanders(nil), strings.Join(asked, ", "), also(p.Message))
}

// key judges the one key of a volume, which is among those demanded.
func (c encryptionCase) key(who string, v keys.Verdict, proven string) []Denial {
	name := v.Key.Name
	switch {
	case v.Revoked():
		return []Denial{{Rule: RuleKeyRevoked, Field: "spec.storageClassName", Message: fmt.Sprintf("%s is under EncryptionKey/%s, which is %s%s", who, name, v.Phase, because(v))}}
	case v.Verified():
		return append(c.facts(who, v, false), c.places(who, v)...)
	case v.Live(proven, c.now):
		return append(c.facts(who, v, true), c.places(who, v)...)
	default:
		return c.deny("%s is under EncryptionKey/%s, which is %s and not Verified%s", who, name, v.Phase, because(v))
	}
}

// gradedFact is a fact of which it is demanded how well it is known.
type gradedFact struct {
	name     string
	demanded v1alpha1.KeyEvidence
	// wanted is what it must be, once more than a declaration is demanded. Empty: that is asked elsewhere.
	wanted string
}

func gradedFacts(e policy.Evidence) []gradedFact {
	return []gradedFact{
		{keys.FactNonExtractable, e.NonExtractable, "true"},
		{keys.FactOrigin, e.Origin, keys.OriginGenerated},
		{keys.FactProtection, e.Protection, ""},
		{keys.FactCustody, e.Custody, ""},
	}
}

// facts judges what is known of a key, and how. proven tells that a proof is recorded: then a fact that nobody tells just now was told.
//
// What the key must be at all is for its EncryptionKey to say, whose word is a declaration: so Declared asks nothing of the store.
func (c encryptionCase) facts(who string, v keys.Verdict, proven bool) []Denial {
	var denials []Denial
	for _, f := range gradedFacts(c.demand.Evidence) {
		known, has := v.Fact(f.name)
		about := fmt.Sprintf("%s is under EncryptionKey/%s, of which %s", who, v.Key.Name, f.name)
		switch {
		case policy.AtLeast(v1alpha1.EvidenceDeclared, f.demanded), !has && proven:
		case !has:
			denials = append(denials, c.deny("%s is not known; %s wants it %s", about, c.demanders(grading(f.name)), f.demanded)...)
		case !policy.AtLeast(known.Evidence, f.demanded):
			denials = append(denials, c.deny("%s is %s; %s wants it %s", about, known.Evidence, c.demanders(grading(f.name)), f.demanded)...)
		case f.wanted != "" && known.Value != f.wanted:
			denials = append(denials, c.deny("%s is %s; %s wants it %s to be %s", about, known.Value, c.demanders(grading(f.name)), f.demanded, f.wanted)...)
		}
	}
	denials = append(denials, c.held(who, v, proven)...)
	return append(denials, c.custody(who, v, proven)...)
}

// held judges what holds the key.
func (c encryptionCase) held(who string, v keys.Verdict, proven bool) []Denial {
	known, has := v.Fact(keys.FactProtection)
	if !has && proven || policy.Holds(v1alpha1.KeyProtection(known.Value), c.demand.Protection) {
		return nil
	}
	wanted := c.demanders(func(e *policy.Encryption) bool { return e.Protection == c.demand.Protection })
	if !has {
		return c.deny("%s is under EncryptionKey/%s, of which nobody says what holds it; %s wants protection %s", who, v.Key.Name, wanted, c.demand.Protection)
	}
	return c.deny("%s is under EncryptionKey/%s, whose protection is %s (%s); %s wants %s", who, v.Key.Name, known.Value, known.Evidence, wanted, c.demand.Protection)
}

// custody judges whose the key's store is.
func (c encryptionCase) custody(who string, v keys.Verdict, proven bool) []Denial {
	if c.demand.Custody == nil {
		return nil
	}
	known, has := v.Fact(keys.FactCustody)
	if !has && proven || has && slices.Contains(c.demand.Custody, v1alpha1.Custody(known.Value)) {
		return nil
	}
	wanted := c.demanders(func(e *policy.Encryption) bool { return e.Custody != nil })
	if !has {
		return c.deny("%s is under EncryptionKey/%s, and nobody says whose KeyStore/%s is; %s wants custody %s", who, v.Key.Name, v.Key.Store, wanted, listed(c.demand.Custody))
	}
	return c.deny("%s is under EncryptionKey/%s in the custody of %s; %s wants %s", who, v.Key.Name, known.Value, wanted, listed(c.demand.Custody))
}

// places judges where the key lies: in all of its places at once.
func (c encryptionCase) places(who string, v keys.Verdict) []Denial {
	var denials []Denial
	for _, level := range c.owed.Levels {
		required := requiresLevel(c.owed, level)
		if len(v.Home) == 0 {
			denials = append(denials, c.deny("%s, and %s is under EncryptionKey/%s, of which nobody says where it lies; declare it in spec.declared.zones of KeyStore/%s",
				required, who, v.Key.Name, v.Key.Store)...)
			continue
		}
		for _, zone := range v.Home {
			if !c.qualified(zone, level) {
				denials = append(denials, c.deny("%s, and %s is under EncryptionKey/%s, which lies, or is replicated or backed up, in Zone/%s, which does not satisfy it",
					required, who, v.Key.Name, zone)...)
			}
		}
	}
	return denials
}

func sayingBindings(e *policy.Encryption) bool { return e.Bindings != nil }

func namingKeys(e *policy.Encryption) bool { return e.Keys != nil }

// grading tells who demands more than a declaration of a fact.
func grading(name string) func(*policy.Encryption) bool {
	return func(e *policy.Encryption) bool {
		return slices.ContainsFunc(gradedFacts(e.Evidence), func(f gradedFact) bool {
			return f.name == name && !policy.AtLeast(v1alpha1.EvidenceDeclared, f.demanded)
		})
	}
}

func wantedKeys(names []string) string {
	if len(names) == 0 {
		return "keys that have none in common"
	}
	return strings.Join(names, " or ")
}

// bound says in words how a volume is protected.
func bound(p storage.Protection) string {
	switch p.Binding {
	case "", v1alpha1.BindingUnknown:
		return "is protected in a way that nobody can tell"
	case v1alpha1.BindingNone:
		return "is not encrypted"
	default:
		return "is protected by " + string(p.Binding)
	}
}

func listed[T ~string](words []T) string {
	if len(words) == 0 {
		return "none"
	}
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, " or ")
}

func namesOf(verdicts []keys.Verdict) []string {
	var names []string
	for _, v := range verdicts {
		if v.Key != nil {
			names = append(names, v.Key.Name)
		}
	}
	slices.Sort(names)
	return names
}

// also ends a sentence by another one, if there is one.
func also(message string) string {
	if message == "" {
		return ""
	}
	return "; " + message
}

// because ends a sentence by what a key's verdict says.
func because(v keys.Verdict) string {
	if v.Message == "" {
		return ""
	}
	return ": " + v.Message
}
