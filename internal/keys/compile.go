package keys

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// What the schema gives a KeyStore that says nothing.
const (
	defaultInterval      = 5 * time.Minute
	defaultLease         = 24 * time.Hour
	defaultDelay         = 15 * time.Minute
	defaultConfirmations = 3
	// never is a span that is not over in anybody's lifetime, and can still be added to a time.
	never = 100 * 365 * 24 * time.Hour
)

// Key is an EncryptionKey with its KeyStore, compiled. It is immutable.
type Key struct {
	Name  string
	Store string

	spec     v1alpha1.EncryptionKeySpec
	selector labels.Selector // nil: no namespace may ask

	kind     v1alpha1.KeyStoreType // empty: there is no such store
	from     v1alpha1.ProbeFrom
	declared []Fact
	pace     pace
	recorded recorded
}

// pace is how fast things are asked, lapse, and have consequences.
type pace struct {
	interval, lease, delay time.Duration
	confirmations          int
}

// recorded is what earlier judgements wrote into the key's status, which nobody else can write.
type recorded struct {
	phase                 v1alpha1.KeyPhase
	fingerprint, observed string
	until, revokedSince   time.Time
}

// Compile reads a key, with what its status says of earlier judgements: the pinned fingerprint, the lease, since when it is revoked. store is nil
// where there is none of that name: then the key is Unknown until there is.
func Compile(key *v1alpha1.EncryptionKey, store *v1alpha1.KeyStore) *Key {
	k := &Key{Name: key.Name, Store: string(key.Spec.Store), selector: selectorOf(key.Spec.NamespaceSelector), recorded: recordedIn(key.Status)}
	key.Spec.DeepCopyInto(&k.spec)
	if store == nil {
		return k
	}
	k.kind, k.from, k.declared, k.pace = store.Spec.Type, store.Spec.Probe.From, declaredBy(store), paceOf(store.Spec)
	return k
}

// selectorOf is nil, which selects nobody, where there is no selector, or one that cannot be understood.
func selectorOf(s *v1alpha1.NamespaceSelector) labels.Selector {
	if s == nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s.LabelSelector())
	if err != nil || selector.Empty() {
		return nil
	}
	return selector
}

func recordedIn(s v1alpha1.EncryptionKeyStatus) recorded {
	r := recorded{phase: s.Phase, fingerprint: s.Fingerprint, observed: s.ObservedFingerprint}
	if s.VerifiedUntil != nil {
		r.until = s.VerifiedUntil.Time
	}
	if s.RevokedSince != nil {
		r.revokedSince = s.RevokedSince.Time
	}
	return r
}

// paceOf reads durations. One that cannot be read falls to the side that grants nothing: no lease, and no eviction.
func paceOf(s v1alpha1.KeyStoreSpec) pace {
	p := pace{
		interval:      span(s.Probe.Interval, defaultInterval, never),
		lease:         span(s.Probe.LeaseDuration, defaultLease, 0),
		delay:         span(s.Revocation.Delay, defaultDelay, never),
		confirmations: int(s.Revocation.Confirmations),
	}
	if p.confirmations < 1 {
		p.confirmations = defaultConfirmations
	}
	return p
}

// unbroken is how long probes must have found a key revoked without a break: so many probes begin within it, both ends included.
func (p pace) unbroken() time.Duration {
	breaks := p.confirmations - 1
	if breaks > 0 && p.interval > never/time.Duration(breaks) {
		return never
	}
	return p.interval * time.Duration(breaks)
}

func span(text v1alpha1.ProbeDuration, absent, malformed time.Duration) time.Duration {
	if text == "" {
		return absent
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 || d > never {
		return malformed
	}
	return d
}

// declaredBy gives as facts what is declared of a store.
func declaredBy(store *v1alpha1.KeyStore) []Fact {
	d := store.Spec.Declared
	if d == nil {
		return nil
	}
	var facts []Fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{Name: name, Value: value, Evidence: v1alpha1.EvidenceDeclared, Source: "KeyStore/" + store.Name})
		}
	}
	add(FactCustody, string(d.Custody))
	add(FactHome, strings.Join(homeOf(d.Zones), ","))
	add(FactProtection, string(d.Protection))
	return facts
}

// homeOf are all places of a store's keys: where it is, where it replicates to, and where its backups lie. Where nobody said where it is, the others are
// not all of them, so that nothing is known.
func homeOf(z v1alpha1.KeyStoreZones) []string {
	if len(z.Home) == 0 {
		return nil
	}
	var zones []string
	for _, z := range slices.Concat(z.Home, z.Replicas, z.Backups) {
		zones = append(zones, string(z))
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

// Allows reports whether a namespace with these labels may ask for the key.
func (k *Key) Allows(namespace map[string]string) bool {
	return k.selector != nil && k.selector.Matches(labels.Set(namespace))
}

// Storage says how CSI drivers name the key, each name once.
func (k *Key) Storage() []v1alpha1.StorageKey {
	return slices.Compact(slices.SortedFunc(slices.Values(k.spec.Storage), byDriver))
}

func byDriver(a, b v1alpha1.StorageKey) int {
	return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.KeyID, b.KeyID))
}

// Interval is how often the key is looked at.
func (k *Key) Interval() time.Duration { return k.pace.interval }

// Lease is how long a proof of the key lasts.
func (k *Key) Lease() time.Duration { return k.pace.lease }

// LeaseOf is how long proofs of a store's keys last.
func LeaseOf(store *v1alpha1.KeyStore) time.Duration { return paceOf(store.Spec).lease }

// flaw says why the key cannot be asked for at all; an empty reason: it can.
func (k *Key) flaw() (reason, message string) {
	if k.kind == "" {
		return ReasonStoreNotFound, fmt.Sprintf("KeyStore/%s does not exist: create it, or create an EncryptionKey that names a store that does", k.Store)
	}
	if given, wanted := givenIn(k.spec.Ref), referenceFor(k.kind); given != wanted {
		return ReasonReferenceMismatch, fmt.Sprintf("spec.ref gives %s, and KeyStore/%s is of type %s: create an EncryptionKey whose ref gives %s", given, k.Store, k.kind, wanted)
	}
	return "", ""
}

func referenceFor(kind v1alpha1.KeyStoreType) string {
	switch kind {
	case v1alpha1.KeyStorePKCS11:
		return "pkcs11"
	case v1alpha1.KeyStoreKMIP:
		return "kmip"
	case v1alpha1.KeyStoreTransit:
		return "transit"
	case v1alpha1.KeyStoreDeclared:
		return "declared"
	default: // a kind of store that this version does not know: no reference fits
		return "what stores of that type need"
	}
}

func givenIn(r v1alpha1.KeyReference) string {
	switch {
	case r.PKCS11 != nil:
		return "pkcs11"
	case r.KMIP != nil:
		return "kmip"
	case r.Transit != nil:
		return "transit"
	case r.Declared != nil:
		return "declared"
	default:
		return "nothing"
	}
}
