package placement_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/storage"
)

const (
	driver = "block-storage.csi.stackit.cloud"
	print1 = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

// noon is when the volumes of the tests are judged.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// verified is the verdict on a key that is well made and lies in Paris, for which health may ask.
func verified(name string) keys.Verdict {
	key := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: name}}
	key.Spec.Store = "paris-hsm"
	key.Spec.NamespaceSelector = &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data": "health"}}
	return keys.Verdict{
		Key: keys.Compile(key, nil), Phase: v1alpha1.PhaseVerified, Fingerprint: print1, VerifiedUntil: noon.Add(24 * time.Hour), Home: []string{"par-1", "par-2"},
		Facts: []keys.Fact{
			{Name: keys.FactCustody, Value: "Customer", Evidence: v1alpha1.EvidenceDeclared},
			{Name: keys.FactNonExtractable, Value: "true", Evidence: v1alpha1.EvidenceReported},
			{Name: keys.FactOrigin, Value: keys.OriginGenerated, Evidence: v1alpha1.EvidenceReported},
			{Name: keys.FactProtection, Value: "HSM", Evidence: v1alpha1.EvidenceDeclared},
		},
	}
}

// but changes a key's verdict.
func but(v keys.Verdict, change func(*keys.Verdict)) keys.Verdict {
	v.Facts = append([]keys.Fact{}, v.Facts...)
	change(&v)
	return v
}

// fact changes a fact, or takes it away if it has no value.
func fact(name, value string, evidence v1alpha1.KeyEvidence) func(*keys.Verdict) {
	return func(v *keys.Verdict) {
		var kept []keys.Fact
		for _, f := range v.Facts {
			if f.Name != name {
				kept = append(kept, f)
			}
		}
		if value != "" {
			kept = append(kept, keys.Fact{Name: name, Value: value, Evidence: evidence})
		}
		v.Facts = kept
	}
}

// phase has a key be in another phase, with a message; revoked since an hour, or not.
func phase(p v1alpha1.KeyPhase, message string, revoked bool) func(*keys.Verdict) {
	return func(v *keys.Verdict) {
		v.Phase, v.Message = p, message
		if revoked {
			v.RevokedSince = noon.Add(-time.Hour)
		}
	}
}

// under is a volume under the key of an id, and the keys that mean it.
func under(meaning ...keys.Verdict) placement.EncryptedVolume {
	return placement.EncryptedVolume{
		Claim: "data", Protection: storage.Protection{Binding: v1alpha1.BindingProviderEnvelope, Driver: driver, KeyID: "k-1"}, Keys: meaning,
	}
}

// bound is a volume that names no key.
func bound(binding v1alpha1.VolumeBinding, message string) placement.EncryptedVolume {
	return placement.EncryptedVolume{Claim: "data", Protection: storage.Protection{Binding: binding, Driver: driver, Message: message}}
}

func proven(fingerprint string, v placement.EncryptedVolume) placement.EncryptedVolume {
	v.Proven = fingerprint
	return v
}

// owing is what a policy of those defaults demands, with a change; and in-france, if level is.
func owing(level bool, change func(*v1alpha1.Encryption)) policy.Obligation {
	e := v1alpha1.Encryption{Keys: []v1alpha1.KeyName{"health-kek"}}
	if change != nil {
		change(&e)
	}
	p := v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "health"}}
	p.Spec.NamespaceSelector.MatchLabels = map[string]v1alpha1.LabelValue{"data": "health"}
	p.Spec.Enforcement, p.Spec.Encryption = v1alpha1.EnforcementEnforce, &e
	if level {
		p.Spec.TrustLevels = []v1alpha1.LevelName{"in-france"}
	}
	return policy.Compile(policy.Objects{ClusterPolicies: []v1alpha1.ClusterPlacementPolicy{p}, Levels: []string{"in-france"}}).
		Namespace(policy.Namespace{Name: "hr", Labels: map[string]string{"data": "health"}})
}

func TestHowAVolumeIsEncrypted(t *testing.T) {
	const is = `claim "data" is under EncryptionKey/health-kek`
	kek := verified("health-kek")
	plain := owing(false, nil)
	wanting := func(change func(*v1alpha1.Encryption)) policy.Obligation { return owing(false, change) }
	keyless := wanting(func(e *v1alpha1.Encryption) {
		e.Keys, e.Protection, e.Evidence.NonExtractable = nil, v1alpha1.ProtectionSoftware, v1alpha1.EvidenceDeclared
		e.AcceptedBindings = []v1alpha1.VolumeBinding{v1alpha1.BindingKubernetesSecret}
	})
	unknown := but(kek, phase(v1alpha1.PhaseUnknown, "the store does not answer", false))
	destroyed := but(kek, phase(v1alpha1.PhaseDestroyed, "the store says that it was destroyed", true))
	foreign := placement.EncryptedVolume{Claim: "golden", Protection: storage.Protection{Binding: v1alpha1.BindingNone}}
	for sentence, c := range map[string]struct {
		owed   policy.Obligation
		volume placement.EncryptedVolume
		denial string // the whole message
		rule   string // if it is not that of encryption
	}{
		"nothing is owed":                             {volume: bound(v1alpha1.BindingNone, "")},
		"the key is Verified":                         {owed: plain, volume: under(kek)},
		"nobody can read the driver":                  {owed: plain, volume: bound("", "Terroir does not know driver x"), denial: `claim "data" is protected in a way that nobody can tell; ClusterPlacementPolicy/health accepts NodeEnvelope or ProviderEnvelope; Terroir does not know driver x`},
		"it is not encrypted":                         {owed: plain, volume: bound(v1alpha1.BindingNone, ""), denial: `claim "data" is not encrypted; ClusterPlacementPolicy/health accepts NodeEnvelope or ProviderEnvelope`},
		"the binding is not accepted":                 {owed: plain, volume: bound(v1alpha1.BindingKubernetesSecret, ""), denial: `claim "data" is protected by KubernetesSecret; ClusterPlacementPolicy/health accepts NodeEnvelope or ProviderEnvelope`},
		"no EncryptionKey means it":                   {owed: plain, volume: under(), denial: `claim "data" is under key "k-1" of driver ` + driver + `, and no EncryptionKey means it; add {driver: ` + driver + `, keyID: "k-1"} to spec.storage of the one that does`},
		"two do":                                      {owed: plain, volume: under(kek, verified("a-kek")), denial: `claim "data" is under key "k-1" of driver ` + driver + `, and 2 EncryptionKeys say that they are it: a-kek, health-kek; only one may name it in spec.storage`},
		"nothing is known of it":                      {owed: plain, volume: under(keys.Verdict{}), denial: `claim "data" is under key "k-1" of driver ` + driver + `, of which nothing is known yet`},
		"it is another key":                           {owed: plain, volume: under(verified("other-kek")), denial: `claim "data" is under EncryptionKey/other-kek, but ClusterPlacementPolicy/health wants health-kek`},
		"any key will do":                             {owed: wanting(func(e *v1alpha1.Encryption) { e.Keys = nil }), volume: under(verified("other-kek"))},
		"nobody knows what it is at":                  {owed: plain, volume: under(unknown), denial: is + `, which is Unknown and not Verified: the store does not answer`},
		"nobody knows, and it was proven":             {owed: plain, volume: proven(print1, under(unknown))},
		"nobody knows, and another key was proven":    {owed: plain, volume: proven("sha256:2", under(unknown)), denial: is + `, which is Unknown and not Verified: the store does not answer`},
		"nobody knows, and the proof has ended":       {owed: plain, volume: proven(print1, under(but(unknown, func(v *keys.Verdict) { v.VerifiedUntil = noon }))), denial: is + `, which is Unknown and not Verified: the store does not answer`},
		"it was proven, and its facts are not told":   {owed: plain, volume: proven(print1, under(but(unknown, func(v *keys.Verdict) { v.Facts = nil })))},
		"it was proven, and a fact has become weaker": {owed: plain, volume: proven(print1, under(but(unknown, fact(keys.FactProtection, "Software", v1alpha1.EvidenceReported)))), denial: is + `, whose protection is Software (Reported); ClusterPlacementPolicy/health wants HSM`},
		"it is revoked, although it was proven":       {owed: plain, volume: proven(print1, under(destroyed)), denial: is + `, which is Destroyed: the store says that it was destroyed`, rule: placement.RuleKeyRevoked},
		"a fact is known less well than demanded":     {owed: wanting(func(e *v1alpha1.Encryption) { e.Evidence.NonExtractable = v1alpha1.EvidenceTested }), volume: under(kek), denial: is + `, of which nonExtractable is Reported; ClusterPlacementPolicy/health wants it Tested`},
		"a fact is not known":                         {owed: plain, volume: under(but(kek, fact(keys.FactNonExtractable, "", ""))), denial: is + `, of which nonExtractable is not known; ClusterPlacementPolicy/health wants it Reported`},
		"the key can leave its store":                 {owed: plain, volume: under(but(kek, fact(keys.FactNonExtractable, "false", v1alpha1.EvidenceTested))), denial: is + `, of which nonExtractable is false; ClusterPlacementPolicy/health wants it Reported to be true`},
		"it may leave, where nobody asks its store":   {owed: wanting(func(e *v1alpha1.Encryption) { e.Evidence.NonExtractable = v1alpha1.EvidenceDeclared }), volume: under(but(kek, fact(keys.FactNonExtractable, "false", v1alpha1.EvidenceTested)))},
		"it was imported":                             {owed: wanting(func(e *v1alpha1.Encryption) { e.Evidence.Origin = v1alpha1.EvidenceReported }), volume: under(but(kek, fact(keys.FactOrigin, keys.OriginImported, v1alpha1.EvidenceReported))), denial: is + `, of which origin is Imported; ClusterPlacementPolicy/health wants it Reported to be GeneratedInStore`},
		"software holds it":                           {owed: plain, volume: under(but(kek, fact(keys.FactProtection, "Software", v1alpha1.EvidenceReported))), denial: is + `, whose protection is Software (Reported); ClusterPlacementPolicy/health wants HSM`},
		"nobody says what holds it":                   {owed: plain, volume: under(but(kek, fact(keys.FactProtection, "", ""))), denial: is + `, of which nobody says what holds it; ClusterPlacementPolicy/health wants protection HSM`},
		"the store is the provider's": {owed: wanting(func(e *v1alpha1.Encryption) {
			e.Custody = []v1alpha1.Custody{v1alpha1.CustodyCustomer, v1alpha1.CustodySovereignProvider}
		}), volume: under(but(kek, fact(keys.FactCustody, "Provider", v1alpha1.EvidenceDeclared))), denial: is + ` in the custody of Provider; ClusterPlacementPolicy/health wants Customer or SovereignProvider`},
		"nobody says whose the store is":             {owed: wanting(func(e *v1alpha1.Encryption) { e.Custody = []v1alpha1.Custody{v1alpha1.CustodyCustomer} }), volume: under(but(kek, fact(keys.FactCustody, "", ""))), denial: is + `, and nobody says whose KeyStore/paris-hsm is; ClusterPlacementPolicy/health wants custody Customer`},
		"it lies where the level is satisfied":       {owed: owing(true, nil), volume: under(kek)},
		"a backup of it lies elsewhere":              {owed: owing(true, nil), volume: under(but(kek, func(v *keys.Verdict) { v.Home = []string{"lon-1", "par-1"} })), denial: `ClusterPlacementPolicy/health requires trust level in-france, and ` + is + `, which lies, or is replicated or backed up, in Zone/lon-1, which does not satisfy it`},
		"nobody says where it lies":                  {owed: owing(true, nil), volume: under(but(kek, func(v *keys.Verdict) { v.Home = nil })), denial: `ClusterPlacementPolicy/health requires trust level in-france, and ` + is + `, of which nobody says where it lies; declare it in spec.declared.zones of KeyStore/paris-hsm`},
		"nobody says where it lies, and nobody asks": {owed: plain, volume: under(but(kek, func(v *keys.Verdict) { v.Home = nil }))},
		"a passphrase, where that is accepted":       {owed: keyless, volume: bound(v1alpha1.BindingKubernetesSecret, "")},
		"a passphrase, where a key is wanted": {owed: wanting(func(e *v1alpha1.Encryption) {
			e.AcceptedBindings = []v1alpha1.VolumeBinding{v1alpha1.BindingKubernetesSecret}
		}), volume: bound(v1alpha1.BindingKubernetesSecret, ""), denial: `claim "data" is protected by KubernetesSecret, which names no key, and ClusterPlacementPolicy/health wants key health-kek, protection HSM, evidence Reported for nonExtractable of it; use a StorageClass that names a key`},
		"the volume is not what its class says":        {owed: plain, volume: placement.EncryptedVolume{Claim: "data", Mismatch: "it was made by another class", Protection: under().Protection, Keys: under(kek).Keys}, denial: `claim "data": it was made by another class`},
		"its data came from one that is not encrypted": {owed: plain, volume: placement.EncryptedVolume{Claim: "data", Protection: under().Protection, Keys: under(kek).Keys, Sources: []placement.EncryptedVolume{foreign}}, denial: `claim "data" holds data of claim "golden", and that one is not encrypted; ClusterPlacementPolicy/health accepts NodeEnvelope or ProviderEnvelope`},
	} {
		t.Run(sentence, func(t *testing.T) {
			inFrance := func(zone, level string) bool { return strings.HasPrefix(zone, "par-") && level == "in-france" }
			v := placement.JudgeEncryption(c.owed, map[string]string{"data": "health"}, c.volume, inFrance, noon)
			if v.Message() != c.denial || v.Allowed() != (c.denial == "") {
				t.Errorf("it says\n%s\nwant\n%s", v.Message(), c.denial)
			}
			for _, d := range v.Denials {
				if want := c.rule; d.Rule != want && (want != "" || d.Rule != placement.RuleEncryption) {
					t.Errorf("the rule is %s", d.Rule)
				}
			}
		})
	}
}

func TestWhoMayAskForAKey(t *testing.T) {
	owed := owing(false, nil)
	v := placement.JudgeEncryption(owed, map[string]string{"data": "wealth"}, under(verified("health-kek")), nil, noon)
	if want := `claim "data" is under EncryptionKey/health-kek, whose namespaceSelector does not let this namespace ask for it`; v.Message() != want {
		t.Errorf("it says %q", v.Message())
	}
}

func TestDemandsThatContradictEachOtherAcceptNothing(t *testing.T) {
	owed := policy.Obligation{}.
		With(policy.Demand{Source: policy.Source{Kind: "Pod", Name: "a"}, Encryption: &policy.Encryption{Keys: []string{"a"}}}).
		With(policy.Demand{Source: policy.Source{Kind: "Pod", Name: "b"}, Encryption: &policy.Encryption{Keys: []string{"health-kek"}}})
	v := placement.JudgeEncryption(owed, map[string]string{"data": "health"}, under(verified("health-kek")), nil, noon)
	if want := `claim "data" is under EncryptionKey/health-kek, but Pod/a, Pod/b wants keys that have none in common`; v.Message() != want {
		t.Errorf("it says %q", v.Message())
	}
}

// What can never be is what no look at a key mends; and what can never be is not as things are now, either.
func TestWhatAClassCanNeverBe(t *testing.T) {
	kek, labels := verified("health-kek"), map[string]string{"data": "health"}
	for sentence, c := range map[string]struct {
		volume    placement.EncryptedVolume
		immediate bool
		denial    string
	}{
		"it is under the key":                         {volume: under(kek)},
		"it is under the key, which is not known now": {volume: under(but(kek, phase(v1alpha1.PhaseUnknown, "", false)))},
		"its key is revoked":                          {volume: under(but(kek, phase(v1alpha1.PhaseDestroyed, "", true)))},
		"nobody has said yet which key that is":       {volume: under()},
		"it is under another key":                     {volume: under(verified("other-kek")), denial: `a volume of StorageClass "fast" is under EncryptionKey/other-kek, but ClusterPlacementPolicy/health wants health-kek`},
		"it is not encrypted":                         {volume: bound(v1alpha1.BindingNone, ""), denial: `a volume of StorageClass "fast" is not encrypted; ClusterPlacementPolicy/health accepts NodeEnvelope or ProviderEnvelope`},
		"its volumes are made at once":                {volume: under(kek), immediate: true, denial: `a volume of StorageClass "fast" is made as soon as there is a claim, before anybody can prove under which key (volumeBindingMode: Immediate), but ClusterPlacementPolicy/health requires that volumes are encrypted; use a class with volumeBindingMode: WaitForFirstConsumer`},
	} {
		t.Run(sentence, func(t *testing.T) {
			v := placement.JudgeClass(owing(false, nil), labels, placement.Class{
				Name: "fast", Immediate: c.immediate, Protection: c.volume.Protection, Keys: c.volume.Keys,
			})
			if v.Message() != c.denial {
				t.Errorf("it says\n%s\nwant\n%s", v.Message(), c.denial)
			}
			if now := placement.JudgeEncryption(owing(false, nil), labels, c.volume, nil, noon); !v.Allowed() && !c.immediate && now.Allowed() {
				t.Error("it can never be, and it is")
			}
		})
	}
	if v := placement.JudgeClass(policy.Obligation{}, nil, placement.Class{Name: "fast", Immediate: true}); !v.Allowed() {
		t.Errorf("nothing is owed, and it says %s", v.Message())
	}
}
