package keys

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var (
	first  = "sha256:" + strings.Repeat("a", 64)
	second = "sha256:" + strings.Repeat("b", 64)
)

func at(d time.Duration) *metav1.Time { return &metav1.Time{Time: noon.Add(d)} }

// hsm is a store that the manager asks, with the schema's defaults.
func hsm() *v1alpha1.KeyStore {
	return &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: "paris-hsm"}, Spec: v1alpha1.KeyStoreSpec{
		Type:  v1alpha1.KeyStorePKCS11,
		Probe: v1alpha1.KeyProbe{From: v1alpha1.ProbeFromManager, Interval: "5m", LeaseDuration: "24h"},
		Declared: &v1alpha1.KeyStoreDeclaration{
			Custody: v1alpha1.CustodyCustomer, Protection: v1alpha1.ProtectionHSM,
			Zones: v1alpha1.KeyStoreZones{Home: []v1alpha1.ObjectName{"par-2", "par-1"}, Backups: []v1alpha1.ObjectName{"lyo-1", "par-1"}},
		},
		Revocation: v1alpha1.KeyRevocation{Confirmations: 3, Delay: "15m"},
	}}
}

// kek is a key in that store.
func kek() *v1alpha1.EncryptionKey {
	return &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: "health-kek"}, Spec: v1alpha1.EncryptionKeySpec{
		Store: "paris-hsm", Ref: v1alpha1.KeyReference{PKCS11: &v1alpha1.PKCS11Key{Label: "kek"}},
	}}
}

// wellMade are the facts of a key that was generated in its HSM and never could leave it.
func wellMade() []Fact {
	said := func(name, value string, e v1alpha1.KeyEvidence) Fact {
		return Fact{Name: name, Value: value, Evidence: e, Since: noon.Add(-24 * time.Hour)}
	}
	return []Fact{
		said(FactAlgorithm, "AES", v1alpha1.EvidenceReported), said(FactBits, "256", v1alpha1.EvidenceReported),
		said(FactNonExtractable, "true", v1alpha1.EvidenceTested), said(FactNeverExtractable, "true", v1alpha1.EvidenceReported),
		said(FactOrigin, OriginGenerated, v1alpha1.EvidenceReported), said(FactPrivate, "true", v1alpha1.EvidenceReported),
		said(FactUsable, "true", v1alpha1.EvidenceTested),
	}
}

// facts are those of a well-made key, but for some; an empty value takes one away.
func facts(changes ...string) []Fact {
	all := wellMade()
	for i := 0; i < len(changes); i += 2 {
		var kept []Fact
		for _, f := range all {
			if f.Name != changes[i] {
				kept = append(kept, f)
			}
		}
		if changes[i+1] != "" {
			kept = append(kept, Fact{Name: changes[i], Value: changes[i+1], Evidence: v1alpha1.EvidenceReported, Since: noon.Add(-time.Hour)})
		}
		all = kept
	}
	return all
}

// found is what the manager sees of the key, for a day until a minute ago.
func found(f []Fact) Observation {
	return Observation{
		Observer: v1alpha1.ManagerObserver, Outcome: v1alpha1.OutcomeFound, Since: noon.Add(-24 * time.Hour), Confirmed: noon.Add(-time.Minute),
		Fingerprint: first, Facts: f,
	}
}

// by has another observer see it.
func (o Observation) by(observer string) Observation {
	o.Observer = observer
	return o
}

// but has something else come of asking, since an hour, of a key that was found before.
func (o Observation) but(outcome v1alpha1.ProbeOutcome) Observation {
	o.Outcome, o.Since, o.LastFound = outcome, noon.Add(-time.Hour), noon.Add(-time.Hour)
	return o
}

// never has it that the key was never found.
func (o Observation) never() Observation {
	o.LastFound, o.Fingerprint, o.Facts = time.Time{}, "", nil
	return o
}
