package kmip_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kmipgo "github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/ovh/kmip-go/kmipserver"
	"github.com/ovh/kmip-go/payloads"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/certtest"
	"github.com/terroir-dev/terroir/internal/keystore/kmip"
)

const encryptDecrypt = kmipgo.CryptographicUsageEncrypt | kmipgo.CryptographicUsageDecrypt

// outcome fails the test unless the sighting has this outcome, and its message holds this.
func outcome(t *testing.T, s keystore.Sighting, want v1alpha1.ProbeOutcome, message string) {
	t.Helper()
	if s.Outcome != want || !strings.Contains(s.Message, message) {
		t.Errorf("got %s: %s\nwant %s: …%s…", s.Outcome, s.Message, want, message)
	}
	if s.Outcome != v1alpha1.OutcomeFound && (len(s.Facts) > 0 || s.Fingerprint != "") {
		t.Errorf("%s has facts %v and fingerprint %q", s.Outcome, s.Facts, s.Fingerprint)
	}
}

func TestAKeyGoesThroughItsLife(t *testing.T) {
	for _, version := range []kmipgo.ProtocolVersion{kmipgo.V1_2, kmipgo.V1_3, kmipgo.V1_4} {
		t.Run("a server of version "+version.String(), func(t *testing.T) {
			v := newVault(t)
			v.executor.SetSupportedProtocolVersions(version)
			v.encrypts(kmipgo.BlockCipherModeCBC)
			admin, prober := adminAt(t, v.address, v.authority, kmipclient.EnforceVersion(version)), open(t, v.store(t))
			made, err := admin.Create().AES(256, encryptDecrypt).ExecContext(t.Context())
			if err != nil {
				t.Fatalf("creating: %v", err)
			}
			id := made.UniqueIdentifier
			look := func(state string) keystore.Sighting {
				t.Helper()
				s := prober.Probe(t.Context(), used(id))
				outcome(t, s, v1alpha1.OutcomeFound, "")
				if got := fact(s, keys.FactState); got != state+"/Reported" {
					t.Errorf("the state is %q, want %s", got, state)
				}
				return s
			}
			first := look(keys.StatePreActive)
			if got := fact(first, keys.FactUsable); got != "" {
				t.Errorf("a key that is not active yet was used: %s", got)
			}
			must(t, failure(admin.Activate(id).ExecContext(t.Context())))
			active := look(keys.StateActive)
			if got := fact(active, keys.FactUsable); got != "true/Tested" {
				t.Errorf("usable is %q", got)
			}
			must(t, failure(admin.Revoke(id).WithRevocationReasonCode(kmipgo.RevocationReasonCodeCessationOfOperation).ExecContext(t.Context())))
			ended := look(keys.StateDeactivated)
			if fact(ended, keys.FactNotAfter) == "" {
				t.Error("there is no end beside the deactivation")
			}
			must(t, failure(admin.Revoke(id).WithRevocationReasonCode(kmipgo.RevocationReasonCodeKeyCompromise).ExecContext(t.Context())))
			last := look(keys.StateCompromised)
			if first.Fingerprint == "" || first.Fingerprint != active.Fingerprint || first.Fingerprint != last.Fingerprint {
				t.Errorf("the fingerprint changes with the state: %q, %q, %q", first.Fingerprint, active.Fingerprint, last.Fingerprint)
			}
			must(t, failure(admin.Destroy(id).ExecContext(t.Context())))
			outcome(t, prober.Probe(t.Context(), used(id)), v1alpha1.OutcomeDestroyed, "destroyed, and was compromised")
			v.change(func() {
				for _, h := range v.headers {
					if h.ProtocolVersion != version {
						t.Fatalf("asked in version %v", h.ProtocolVersion)
					}
				}
			})
		})
	}
}

func failure[A any](_ A, err error) error { return err }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// whole is a key of which the server says everything.
func whole() []kmipgo.Attribute {
	return []kmipgo.Attribute{
		attribute(kmipgo.AttributeNameObjectType, kmipgo.ObjectTypeSymmetricKey),
		attribute(kmipgo.AttributeNameCryptographicAlgorithm, kmipgo.CryptographicAlgorithmAES),
		attribute(kmipgo.AttributeNameCryptographicLength, int32(256)),
		attribute(kmipgo.AttributeNameCryptographicUsageMask, encryptDecrypt),
		attribute(kmipgo.AttributeNameState, kmipgo.StateActive),
		attribute(kmipgo.AttributeNameInitialDate, time.Unix(1_700_000_000, 0)),
		attribute(kmipgo.AttributeNameActivationDate, time.Unix(1_700_000_000, 0)),
		attribute(kmipgo.AttributeNameProcessStartDate, time.Unix(1_700_000_060, 0)),
		attribute(kmipgo.AttributeNameProtectStopDate, time.Unix(1_900_000_000, 0)),
		attribute(kmipgo.AttributeNameDeactivationDate, time.Unix(1_950_000_000, 0)),
		attribute(kmipgo.AttributeNameSensitive, true), attribute(kmipgo.AttributeNameAlwaysSensitive, true),
		attribute(kmipgo.AttributeNameExtractable, false), attribute(kmipgo.AttributeNameNeverExtractable, true),
	}
}

func reported(name, value string) keystore.Fact {
	return keystore.Fact{Name: name, Value: value, Evidence: v1alpha1.EvidenceReported}
}

func wholeFacts() []keystore.Fact {
	return []keystore.Fact{
		reported(keys.FactAlgorithm, "AES"), reported(keys.FactBits, "256"), reported(keys.FactState, "Active"),
		reported(keys.FactNonExtractable, "true"), reported(keys.FactNeverExtractable, "true"),
		reported(keys.FactNotBefore, "2023-11-14T22:14:20Z"), reported(keys.FactNotAfter, "2030-03-17T17:46:40Z"),
	}
}

func without(facts []keystore.Fact, names ...string) []keystore.Fact {
	var kept []keystore.Fact
	for _, f := range facts {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+f.Name+" ") {
			kept = append(kept, f)
		}
	}
	return kept
}

func with(facts []keystore.Fact, name, value string) []keystore.Fact {
	for i := range facts {
		if facts[i].Name == name {
			facts[i].Value = value
		}
	}
	return facts
}

func TestWhatAttributesTell(t *testing.T) {
	v := newVault(t)
	prober := open(t, v.store(t))
	tests := map[string]struct {
		tweak func(*object)
		want  []keystore.Fact
	}{
		"everything": {func(*object) {}, wholeFacts()},
		"nothing of extraction": {func(o *object) {
			o.set("Sensitive", nil)
			o.set("Always Sensitive", nil)
			o.set("Extractable", nil)
			o.set("Never Extractable", nil)
		}, without(wholeFacts(), keys.FactNonExtractable, keys.FactNeverExtractable)},
		"sensitive, and nothing of extraction": {func(o *object) {
			o.set("Always Sensitive", nil)
			o.set("Extractable", nil)
			o.set("Never Extractable", nil)
		}, without(wholeFacts(), keys.FactNonExtractable, keys.FactNeverExtractable)},
		"extractable":        {func(o *object) { o.set("Extractable", true); o.set("Never Extractable", false) }, with(with(wholeFacts(), keys.FactNonExtractable, "false"), keys.FactNeverExtractable, "false")},
		"not sensitive":      {func(o *object) { o.set("Sensitive", false); o.set("Always Sensitive", false) }, with(with(wholeFacts(), keys.FactNonExtractable, "false"), keys.FactNeverExtractable, "false")},
		"once extractable":   {func(o *object) { o.set("Never Extractable", false) }, with(wholeFacts(), keys.FactNeverExtractable, "false")},
		"once not sensitive": {func(o *object) { o.set("Always Sensitive", false) }, with(wholeFacts(), keys.FactNeverExtractable, "false")},
		"extractable, and its history says that it never was": {func(o *object) { o.set("Extractable", true) }, with(with(wholeFacts(), keys.FactNonExtractable, "false"), keys.FactNeverExtractable, "false")},
		"half a history":                        {func(o *object) { o.set("Always Sensitive", nil) }, without(wholeFacts(), keys.FactNeverExtractable)},
		"no state":                              {func(o *object) { o.set("State", nil) }, without(wholeFacts(), keys.FactState)},
		"a state that nobody knows":             {func(o *object) { o.set("State", kmipgo.State(0x80000001)) }, without(wholeFacts(), keys.FactState)},
		"no state, and a date of compromise":    {func(o *object) { o.set("State", nil); o.set("Compromise Date", time.Unix(1_800_000_000, 0)) }, with(wholeFacts(), keys.FactState, "Compromised")},
		"active, and destroyed some other time": {func(o *object) { o.set("Destroy Date", time.Unix(1_990_000_000, 0)) }, wholeFacts()},
		"deactivated before its protect stop":   {func(o *object) { o.set("Deactivation Date", time.Unix(1_800_000_000, 0)) }, with(wholeFacts(), keys.FactNotAfter, "2027-01-15T08:00:00Z")},
		"no end":                                {func(o *object) { o.set("Deactivation Date", nil); o.set("Protect Stop Date", nil) }, without(wholeFacts(), keys.FactNotAfter)},
		"no beginning":                          {func(o *object) { o.set("Activation Date", nil); o.set("Process Start Date", nil) }, without(wholeFacts(), keys.FactNotBefore)},
		"an activation alone":                   {func(o *object) { o.set("Process Start Date", nil) }, with(wholeFacts(), keys.FactNotBefore, "2023-11-14T22:13:20Z")},
		"an end beyond all years":               {func(o *object) { o.set("Deactivation Date", nil); o.set("Protect Stop Date", time.Unix(1<<60, 0)) }, with(wholeFacts(), keys.FactNotAfter, "9999-12-31T23:59:59Z")},
		"an end before all years":               {func(o *object) { o.set("Deactivation Date", time.Unix(-1<<60, 0)) }, with(wholeFacts(), keys.FactNotAfter, "1970-01-01T00:00:00Z")},
		"RSA": {func(o *object) {
			o.set("Object Type", kmipgo.ObjectTypePrivateKey)
			o.set("Cryptographic Algorithm", kmipgo.CryptographicAlgorithmRSA)
			o.set("Cryptographic Length", int32(4096))
		}, with(with(wholeFacts(), keys.FactAlgorithm, "RSA"), keys.FactBits, "4096")},
		"ECDSA":                          {func(o *object) { o.set("Cryptographic Algorithm", kmipgo.CryptographicAlgorithmECDSA) }, with(wholeFacts(), keys.FactAlgorithm, "EC")},
		"ChaCha20-Poly1305":              {func(o *object) { o.set("Cryptographic Algorithm", kmipgo.CryptographicAlgorithmChaCha20Poly1305) }, with(wholeFacts(), keys.FactAlgorithm, "ChaCha20")},
		"another algorithm":              {func(o *object) { o.set("Cryptographic Algorithm", kmipgo.CryptographicAlgorithm3DES) }, with(wholeFacts(), keys.FactAlgorithm, "DES3")},
		"an algorithm that nobody knows": {func(o *object) { o.set("Cryptographic Algorithm", kmipgo.CryptographicAlgorithm(0x80000001)) }, with(wholeFacts(), keys.FactAlgorithm, "0x80000001")},
		"no algorithm and no length":     {func(o *object) { o.set("Cryptographic Algorithm", nil); o.set("Cryptographic Length", nil) }, without(wholeFacts(), keys.FactAlgorithm, keys.FactBits)},
		"a length below zero":            {func(o *object) { o.set("Cryptographic Length", int32(-256)) }, without(wholeFacts(), keys.FactBits)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v.keep("kek", whole()...)
			v.change(func() { test.tweak(v.objects["kek"]) })
			s := prober.Probe(t.Context(), key("kek"))
			outcome(t, s, v1alpha1.OutcomeFound, "")
			if diff := cmp.Diff(test.want, s.Facts); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if s.Message != "" {
				t.Errorf("there is something to say: %s", s.Message)
			}
		})
	}
}

// TestNoMaterialIsEverAskedFor: of all operations that the server has, Get above all, only those are used that move none.
func TestNoMaterialIsEverAskedFor(t *testing.T) {
	v := newVault(t)
	v.encrypts(kmipgo.BlockCipherModeCBC)
	v.keep("kek", whole()...)
	operation(v, kmipgo.OperationGet, func(q *payloads.GetRequestPayload) string { return q.UniqueIdentifier }, func(_ *object, q *payloads.GetRequestPayload) (*payloads.GetResponsePayload, error) {
		return &payloads.GetResponsePayload{}, nil
	})
	outcome(t, open(t, v.store(t)).Probe(t.Context(), used("kek")), v1alpha1.OutcomeFound, "")
	want := []kmipgo.Operation{kmipgo.OperationGetAttributes, kmipgo.OperationEncrypt, kmipgo.OperationDecrypt}
	v.change(func() {
		if diff := cmp.Diff(want, v.asked); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
	})
}

func TestWhatIsNotSeen(t *testing.T) {
	v := newVault(t)
	prober := open(t, v.store(t))
	refuse := func(reason kmipgo.ResultReason) func(*object) {
		return func(o *object) { o.refuse = kmipserver.Errorf(reason, "request 4711 of 10:31:02 failed") }
	}
	tests := map[string]struct {
		tweak   func(*object)
		want    v1alpha1.ProbeOutcome
		message string
	}{
		"no such key":                     {refuse(kmipgo.ResultReasonItemNotFound), v1alpha1.OutcomeNotFound, "no key of this unique identifier"},
		"permission denied":               {refuse(kmipgo.ResultReasonPermissionDenied), v1alpha1.OutcomeForbidden, "must be allowed Get Attributes"},
		"the credentials are not taken":   {refuse(kmipgo.ResultReasonAuthenticationNotSuccessful), v1alpha1.OutcomeUnauthenticated, "the server answers GetAttributes with AuthenticationNotSuccessful"},
		"an attestation is wanted":        {refuse(kmipgo.ResultReasonAttestationRequired), v1alpha1.OutcomeUnauthenticated, "AttestationRequired"},
		"the server fails":                {refuse(kmipgo.ResultReasonGeneralFailure), v1alpha1.OutcomeUnreachable, "the server answers GetAttributes with GeneralFailure"},
		"a reason that nobody knows":      {refuse(kmipgo.ResultReason(0x80000007)), v1alpha1.OutcomeUnreachable, "the server answers GetAttributes with 0x80000007"},
		"the key is in an archive":        {refuse(kmipgo.ResultReasonObjectArchived), v1alpha1.OutcomeUnreachable, "ObjectArchived"},
		"destroyed":                       {func(o *object) { o.set("State", kmipgo.StateDestroyed) }, v1alpha1.OutcomeDestroyed, "the key is destroyed"},
		"destroyed, by its date alone":    {func(o *object) { o.set("State", nil); o.set("Destroy Date", time.Unix(1_800_000_000, 0)) }, v1alpha1.OutcomeDestroyed, "when the key was destroyed"},
		"a state twice":                   {func(o *object) { o.attributes = append(o.attributes, attribute("State", kmipgo.StateDestroyed)) }, v1alpha1.OutcomeUnreachable, "cannot be understood"},
		"a state that is no enumeration":  {func(o *object) { o.set("State", "Active") }, v1alpha1.OutcomeUnreachable, "cannot be understood"},
		"a certificate":                   {func(o *object) { o.set("Object Type", kmipgo.ObjectTypeCertificate) }, v1alpha1.OutcomeFound, "this is a Certificate"},
		"the public half of a pair":       {func(o *object) { o.set("Object Type", kmipgo.ObjectTypePublicKey) }, v1alpha1.OutcomeFound, "this is a PublicKey"},
		"an object of which nobody tells": {func(o *object) { o.set("Object Type", nil) }, v1alpha1.OutcomeFound, "this is a thing of no type"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v.keep("kek", whole()...)
			v.change(func() { test.tweak(v.objects["kek"]) })
			s := prober.Probe(t.Context(), used("kek"))
			outcome(t, s, test.want, test.message)
			if len(s.Facts) > 0 {
				t.Errorf("facts: %v", s.Facts)
			}
			if strings.Contains(s.Message, "4711") {
				t.Errorf("the server's own words are told: %s", s.Message)
			}
		})
	}
	outcome(t, prober.Probe(t.Context(), key("nobody")), v1alpha1.OutcomeNotFound, "")
	outcome(t, prober.Probe(t.Context(), keystore.Key{}), v1alpha1.OutcomeMisconfigured, "spec.ref.kmip")
}

// TestAnAnswerAboutAnotherKeyIsNone: else a server that mixes up its clients would prove a key by its neighbour.
func TestAnAnswerAboutAnotherKeyIsNone(t *testing.T) {
	v := newVault(t)
	v.executor.Route(kmipgo.OperationGetAttributes, kmipserver.HandleFunc(func(context.Context, *payloads.GetAttributesRequestPayload) (*payloads.GetAttributesResponsePayload, error) {
		return &payloads.GetAttributesResponsePayload{UniqueIdentifier: "neighbour", Attribute: whole()}, nil
	}))
	outcome(t, open(t, v.store(t)).Probe(t.Context(), key("kek")), v1alpha1.OutcomeUnreachable, "cannot be understood")
}

func TestFingerprints(t *testing.T) {
	v := newVault(t)
	prober := open(t, v.store(t))
	digest := func(algorithm kmipgo.HashingAlgorithm, format kmipgo.KeyFormatType, value byte) kmipgo.Attribute {
		return attribute("Digest", kmipgo.Digest{HashingAlgorithm: algorithm, KeyFormatType: format, DigestValue: []byte{value, value}})
	}
	of := func(id string, attributes ...kmipgo.Attribute) string {
		t.Helper()
		v.keep(id, attributes...)
		s := prober.Probe(t.Context(), key(id))
		outcome(t, s, v1alpha1.OutcomeFound, "")
		return s.Fingerprint
	}
	raw := digest(kmipgo.HashingAlgorithmSHA_256, kmipgo.KeyFormatTypeRaw, 1)
	digested := of("kek", append(whole(), raw)...)
	if len(digested) != 71 || !strings.HasPrefix(digested, "sha256:") {
		t.Errorf("a fingerprint is %q", digested)
	}
	if again := of("kek", append(whole(), digest(kmipgo.HashingAlgorithmSHA_512, kmipgo.KeyFormatTypeRaw, 2), digest(kmipgo.HashingAlgorithmSHA_256, kmipgo.KeyFormatTypeOpaque, 3), raw)...); again != digested {
		t.Error("further digests change the fingerprint")
	}
	if other := open(t, v.store(t)).Probe(t.Context(), key("kek")).Fingerprint; other != digested {
		t.Error("another observer sees another fingerprint")
	}
	dated := of("kek", whole()...)
	later := whole()
	later[5] = attribute(kmipgo.AttributeNameInitialDate, time.Unix(1_700_000_001, 0))
	longer := whole()
	longer[2] = attribute(kmipgo.AttributeNameCryptographicLength, int32(128))
	all := map[string]string{}
	for name, one := range map[string]string{
		"by digest": digested, "by date": dated,
		"of another value":                    of("kek", append(whole(), digest(kmipgo.HashingAlgorithmSHA_256, kmipgo.KeyFormatTypeRaw, 9))...),
		"of another identifier":               of("other", append(whole(), raw)...),
		"of another date":                     of("kek", later...),
		"of another length":                   of("kek", longer...),
		"of another identifier and no digest": of("other", whole()...),
	} {
		if twin, ok := all[one]; ok || one == "" {
			t.Errorf("%s and %s have one fingerprint: %q", name, twin, one)
		}
		all[one] = name
	}
	v.keep("kek", append(whole()[:5], whole()[6:]...)...)
	s := prober.Probe(t.Context(), key("kek"))
	outcome(t, s, v1alpha1.OutcomeFound, "neither the key's digest nor its initial date")
	if s.Fingerprint != "" {
		t.Errorf("a fingerprint out of nothing: %s", s.Fingerprint)
	}
}

func TestAServerIsBelievedOnlyIfItIsTheOne(t *testing.T) {
	v := newVault(t)
	v.keep("kek", whole()...)
	other := certtest.New(t)
	pins := func(pair certtest.Pair) func(*keystore.Store) {
		return func(s *keystore.Store) { s.Spec.TLS.SPKIPins = []v1alpha1.SPKIPin{pair.Pin(t)} }
	}
	tests := map[string]struct {
		change  func(*keystore.Store)
		want    v1alpha1.ProbeOutcome
		message string
	}{
		"it is":                 {func(*keystore.Store) {}, v1alpha1.OutcomeFound, ""},
		"it has the pinned key": {pins(v.identity), v1alpha1.OutcomeFound, ""},
		"it has another key":    {pins(v.authority.Server(t, "kmip.example")), v1alpha1.OutcomeUnreachable, "none of tls.spkiPins"},
		"another authority":     {func(s *keystore.Store) { s.Credentials.CA = other.Secret() }, v1alpha1.OutcomeUnreachable, "no authority that is trusted"},
		"the name that is told": {func(s *keystore.Store) { s.Spec.KMIP.ServerName = "kmip.example" }, v1alpha1.OutcomeFound, ""},
		"another name":          {func(s *keystore.Store) { s.Spec.KMIP.ServerName = "kmip.other.example" }, v1alpha1.OutcomeUnreachable, "for another name"},
		"it does not know us":   {func(s *keystore.Store) { s.Credentials.Client = other.Client(t, "terroir").Secret() }, v1alpha1.OutcomeUnauthenticated, "does not take the client's certificate"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			outcome(t, open(t, v.store(t, test.change)).Probe(t.Context(), key("kek")), test.want, test.message)
		})
	}
}

func TestAUserIsToldBesideTheCertificate(t *testing.T) {
	v := newVault(t)
	v.keep("kek", whole()...)
	named := func(s *keystore.Store) {
		s.Spec.CredentialsSecretRef = &v1alpha1.SecretReference{Name: "kmip-user"}
		s.Credentials.Secret = map[string][]byte{"username": []byte("terroir"), "password": []byte("geheim")}
	}
	outcome(t, open(t, v.store(t, named)).Probe(t.Context(), key("kek")), v1alpha1.OutcomeFound, "")
	v.change(func() {
		got := v.headers[0].Authentication
		if got == nil || got.Credential.CredentialValue.UserPassword == nil || *got.Credential.CredentialValue.UserPassword != (kmipgo.CredentialValueUserPassword{Username: "terroir", Password: "geheim"}) {
			t.Errorf("told %+v", got)
		}
		v.headers = nil
	})
	outcome(t, open(t, v.store(t)).Probe(t.Context(), key("kek")), v1alpha1.OutcomeFound, "")
	v.change(func() {
		if v.headers[0].Authentication != nil {
			t.Error("a user is told where there is none")
		}
	})
}

func TestStoresThatAreMalformed(t *testing.T) {
	authority := certtest.New(t)
	tests := map[string]struct {
		change func(*keystore.Store)
		want   string
	}{
		"no server":      {func(s *keystore.Store) { s.Spec.KMIP = nil }, "spec.kmip is missing: it says at which server the keys are"},
		"no certificate": {func(s *keystore.Store) { s.Spec.TLS.ClientSecretRef = nil }, "spec.tls.clientSecretRef is missing: KMIP servers know their clients by certificate"},
		"no tls":         {func(s *keystore.Store) { s.Spec.TLS = nil }, "spec.tls.clientSecretRef is missing: KMIP servers know their clients by certificate"},
		"no port":        {func(s *keystore.Store) { s.Spec.KMIP.Endpoint = "kmip.example" }, "spec.kmip.endpoint is not a host and a port"},
		"no authority":   {func(s *keystore.Store) { s.Credentials.CA = nil }, "the Secret ca of tls.caSecretRef has no key ca.crt"},
		"credentials without user": {func(s *keystore.Store) {
			s.Spec.CredentialsSecretRef = &v1alpha1.SecretReference{Name: "u"}
			s.Credentials.Secret = map[string][]byte{"password": []byte("geheim")}
		}, "the Secret u of credentialsSecretRef has no key username"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := kmip.Open(storeAt("127.0.0.1:5696", authority, authority.Client(t, "terroir"), test.change))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestOneConnectionIsKept, and a new one is made when it is gone.
func TestOneConnectionIsKept(t *testing.T) {
	v := newVault(t)
	v.keep("kek", whole()...)
	prober := open(t, v.store(t))
	connections := func() (n int) {
		v.change(func() { n = len(v.conns) })
		return n
	}
	for range 3 {
		outcome(t, prober.Probe(t.Context(), key("kek")), v1alpha1.OutcomeFound, "")
	}
	outcome(t, prober.Probe(t.Context(), key("nobody")), v1alpha1.OutcomeNotFound, "")
	if n := connections(); n != 1 {
		t.Errorf("%d connections for four answers", n)
	}
	v.change(func() { v.conns[0].Close() })
	outcome(t, prober.Probe(t.Context(), key("kek")), v1alpha1.OutcomeFound, "")
	if n := connections(); n != 2 {
		t.Errorf("%d connections after the first was ended", n)
	}
	must(t, prober.Close())
	outcome(t, prober.Probe(t.Context(), key("kek")), v1alpha1.OutcomeFound, "")
}

func TestVersionsAreAgreedUpon(t *testing.T) {
	asks := func(v *vault) kmipgo.ProtocolVersion {
		var got kmipgo.ProtocolVersion
		v.change(func() {
			if len(v.headers) > 0 {
				got = v.headers[0].ProtocolVersion
			}
		})
		return got
	}
	tests := map[string]struct {
		speaks   []kmipgo.ProtocolVersion
		discover error // what the server says to Discover Versions; nil: it answers
		want     kmipgo.ProtocolVersion
	}{
		"the best that both speak":                   {[]kmipgo.ProtocolVersion{kmipgo.V1_0, kmipgo.V1_2, kmipgo.V1_3, kmipgo.V1_4}, nil, kmipgo.V1_4},
		"a server of 1.2 and 1.3":                    {[]kmipgo.ProtocolVersion{kmipgo.V1_2, kmipgo.V1_3}, nil, kmipgo.V1_3},
		"a server of 1.2 without discovery":          {[]kmipgo.ProtocolVersion{kmipgo.V1_2}, kmipserver.ErrOperationNotSupported, kmipgo.V1_2},
		"a server of all versions without discovery": {[]kmipgo.ProtocolVersion{kmipgo.V1_2, kmipgo.V1_3, kmipgo.V1_4}, kmipserver.ErrOperationNotSupported, kmipgo.V1_4},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			v.keep("kek", whole()...)
			v.executor.SetSupportedProtocolVersions(test.speaks...)
			if test.discover != nil {
				v.executor.Route(kmipgo.OperationDiscoverVersions, kmipserver.HandleFunc(func(context.Context, *payloads.DiscoverVersionsRequestPayload) (*payloads.DiscoverVersionsResponsePayload, error) {
					return nil, test.discover
				}))
			}
			s := open(t, v.store(t)).Probe(t.Context(), key("kek"))
			outcome(t, s, v1alpha1.OutcomeFound, "")
			if got := asks(v); got != test.want {
				t.Errorf("asked in %v, want %v", got, test.want)
			}
			if known := fact(s, keys.FactNonExtractable) != ""; known != (test.want == kmipgo.V1_4) {
				t.Errorf("extraction is known: %v", known)
			}
		})
	}
	t.Run("a server of 1.0 and 1.1", func(t *testing.T) {
		v := newVault(t)
		v.executor.SetSupportedProtocolVersions(kmipgo.V1_0, kmipgo.V1_1)
		outcome(t, open(t, v.store(t)).Probe(t.Context(), key("kek")), v1alpha1.OutcomeUnreachable, "none of the versions 1.2, 1.3 and 1.4")
	})
}

// TestServersThatDoNotAnswer: each says something else than KMIP, or nothing, and keeps the connection.
func TestServersThatDoNotAnswer(t *testing.T) {
	head := func(tag uint32, kind byte, length uint32) []byte {
		return binary.BigEndian.AppendUint32([]byte{byte(tag >> 16), byte(tag >> 8), byte(tag), kind}, length)
	}
	tests := map[string]struct {
		says    []byte
		hangsUp bool
		message string
	}{
		"silence":                       {nil, false, "did not answer in time"},
		"it hangs up":                   {nil, true, "ended the connection without an answer"},
		"half an answer":                {head(kmipgo.TagResponseMessage, 1, 64), true, "ended the connection without an answer"},
		"half an answer, and silence":   {head(kmipgo.TagResponseMessage, 1, 64), false, "did not answer in time"},
		"HTTP":                          {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false, "cannot be understood"},
		"a request":                     {head(kmipgo.TagRequestMessage, 1, 0), false, "cannot be understood"},
		"an answer of four gigabytes":   {head(kmipgo.TagResponseMessage, 1, 0xfffffff8), false, "too long"},
		"an answer of a megabyte":       {head(kmipgo.TagResponseMessage, 1, 1<<20), false, "too long"},
		"an empty answer":               {head(kmipgo.TagResponseMessage, 1, 0), false, "cannot be understood"},
		"an integer of no bytes":        {append(head(kmipgo.TagResponseMessage, 1, 16), append(head(kmipgo.TagResponseHeader, 1, 8), head(kmipgo.TagBatchCount, 2, 0)...)...), false, "cannot be understood"},
		"a value longer than the whole": {append(head(kmipgo.TagResponseMessage, 1, 8), head(kmipgo.TagResponseHeader, 1, 800)...), false, "cannot be understood"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			authority := certtest.New(t)
			config := &tls.Config{Certificates: []tls.Certificate{authority.Server(t).TLS(t)}, MinVersion: tls.VersionTLS12}
			address := listen(t, config, func(conn net.Conn) { answerWith(t.Context(), conn, test.says, test.hangsUp) })
			asking := t.Context()
			if strings.Contains(test.message, "in time") {
				soon, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer stop()
				asking = soon
			}
			outcome(t, open(t, storeAt(address, authority, authority.Client(t, "terroir"))).Probe(asking, key("kek")), v1alpha1.OutcomeUnreachable, test.message)
		})
	}
}

// answerWith reads a request, says something, and hangs up then or when ctx ends.
func answerWith(ctx context.Context, conn net.Conn, says []byte, hangsUp bool) {
	if _, err := conn.Read(make([]byte, 4096)); err != nil {
		return
	}
	_, _ = conn.Write(says)
	if !hangsUp {
		<-ctx.Done()
	}
}

// TestACallEndsWithItsContext, whether by its deadline or because nobody waits any more.
func TestACallEndsWithItsContext(t *testing.T) {
	v := newVault(t)
	v.keep("kek", whole()...)
	entered, release := make(chan struct{}), make(chan struct{})
	v.executor.Route(kmipgo.OperationGetAttributes, kmipserver.HandleFunc(func(context.Context, *payloads.GetAttributesRequestPayload) (*payloads.GetAttributesResponsePayload, error) {
		entered <- struct{}{}
		<-release
		return nil, kmipserver.ErrItemNotFound
	}))
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	prober, got := open(t, v.store(t)), make(chan keystore.Sighting)
	go func() { got <- prober.Probe(ctx, key("kek")) }()
	<-entered
	cancel()
	outcome(t, <-got, v1alpha1.OutcomeUnreachable, "")
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Error("the context did not end")
	}
}
