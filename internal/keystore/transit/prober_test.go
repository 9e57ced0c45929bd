package transit

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/certtest"
	"github.com/terroir-dev/terroir/test/transit"
)

const secretToken = "hvs.CAESsecret" //nolint:gosec // of a server that lives as long as a test

// world is a server, and a store that says how to reach it.
type world struct {
	testing.TB

	server    *transit.Server
	authority *certtest.Authority
	pair      certtest.Pair
	store     keystore.Store
	now       time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, authority: certtest.New(t), now: time.Unix(1_700_000_000, 0)}
	w.pair = w.authority.Server(t, "localhost")
	server, err := transit.Start(transit.Options{Certificate: w.pair.TLS(t), Token: secretToken, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	w.server = server
	t.Cleanup(func() { _ = server.Close() })
	w.store = keystore.Store{
		Name: "bao",
		Spec: v1alpha1.KeyStoreSpec{
			Type: v1alpha1.KeyStoreTransit, Transit: &v1alpha1.TransitStore{Address: server.Address(), Mount: "transit"},
			CredentialsSecretRef: &v1alpha1.SecretReference{Name: "token"}, TLS: &v1alpha1.KeyStoreTLS{CASecretRef: &v1alpha1.SecretReference{Name: "ca"}},
		},
		Credentials: keystore.Credentials{Secret: map[string][]byte{"token": []byte(secretToken + "\n")}, CA: w.authority.Secret()},
	}
	w.create("kek", transit.Key{Type: transit.AES256})
	return w
}

func (w *world) create(name string, k transit.Key) {
	w.Helper()
	if err := w.server.Create(name, k); err != nil {
		w.Fatal(err)
	}
}

func (w *world) open() keystore.Prober {
	w.Helper()
	p, err := Open(w.store)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = p.Close() })
	return p
}

// probe asks for a key, and sees to it that nothing secret is told.
func (w *world) probe(p keystore.Prober, name string, roundTrip bool) keystore.Sighting {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	s := p.Probe(ctx, keystore.Key{Name: name, Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{Key: name}}, RoundTrip: roundTrip})
	if text := fmt.Sprintf("%+v %#v", s, s); strings.Contains(text, "secret") || strings.Contains(text, "hvs.") {
		w.Errorf("the token is told: %s", text)
	}
	return s
}

func told(s keystore.Sighting) []string {
	var facts []string
	for _, f := range s.Facts {
		facts = append(facts, fmt.Sprintf("%s=%s (%s)", f.Name, f.Value, f.Evidence))
	}
	return facts
}

func TestWhatIsSeenOfAKey(t *testing.T) {
	for sentence, c := range map[string]struct {
		key  transit.Key
		want []string
	}{
		"made there, and kept there": {transit.Key{Type: transit.AES256}, []string{
			"algorithm=AES (Reported)", "bits=256 (Reported)", "nonExtractable=true (Reported)", "origin=GeneratedInStore (Reported)", "protection=Software (Reported)", "usable=true (Tested)",
		}},
		"one that can be exported": {transit.Key{Type: transit.AES256, Exportable: true}, []string{
			"algorithm=AES (Reported)", "bits=256 (Reported)", "nonExtractable=false (Reported)", "origin=GeneratedInStore (Reported)", "protection=Software (Reported)", "usable=true (Tested)",
		}},
		"one whose backup can be read, imported": {transit.Key{Type: transit.AES256, PlaintextBackup: true, Imported: true}, []string{
			"algorithm=AES (Reported)", "bits=256 (Reported)", "nonExtractable=false (Reported)", "origin=Imported (Reported)", "protection=Software (Reported)", "usable=true (Tested)",
		}},
		"a pair, which signs": {transit.Key{Type: transit.ECDSAP256}, []string{
			"algorithm=EC (Reported)", "bits=256 (Reported)", "nonExtractable=true (Reported)", "origin=GeneratedInStore (Reported)", "protection=Software (Reported)", "usable=true (Tested)",
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.create("kek", c.key)
			s := w.probe(w.open(), "kek", true)
			if s.Outcome != v1alpha1.OutcomeFound || s.Message != "" || !slices.Equal(told(s), c.want) {
				t.Errorf("got %+v", s)
			}
			if len(s.Fingerprint) != 71 || !strings.HasPrefix(s.Fingerprint, "sha256:") {
				t.Errorf("fingerprint %q", s.Fingerprint)
			}
		})
	}
}

func TestAKeyThatIsOnlyLookedAtIsNotUsed(t *testing.T) {
	w := newWorld(t)
	if s := w.probe(w.open(), "kek", false); s.Outcome != v1alpha1.OutcomeFound || slices.ContainsFunc(s.Facts, func(f keystore.Fact) bool { return f.Name == keys.FactUsable }) {
		t.Errorf("got %+v", s)
	}
	if asked := w.server.Asked(); !slices.Equal(asked, []string{"GET /v1/transit/keys/kek"}) {
		t.Errorf("asked %v", asked)
	}
}

func TestWhatMakesAKeyAnotherOne(t *testing.T) {
	for sentence, c := range map[string]struct {
		change  func(*world)
		another bool
	}{
		"nothing":                          {func(*world) {}, false},
		"a rotation does not":              {func(w *world) { w.must(w.server.Rotate("kek")) }, false},
		"that it can be exported does not": {func(w *world) { w.server.Change("kek", func(k *transit.Key) { k.Exportable = true }) }, false},
		"to be deleted and made again":     {func(w *world) { w.server.Delete("kek"); w.create("kek", transit.Key{Type: transit.AES256}) }, true},
		"to be of another type":            {func(w *world) { w.create("kek", transit.Key{Type: transit.ECDSAP256}) }, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			p := w.open()
			before := w.probe(p, "kek", true)
			w.now = w.now.Add(time.Hour)
			c.change(w)
			after := w.probe(p, "kek", true)
			if after.Outcome != v1alpha1.OutcomeFound || (before.Fingerprint != after.Fingerprint) != c.another {
				t.Errorf("before %+v, after %+v", before, after)
			}
		})
	}
	w := newWorld(t)
	w.create("other", transit.Key{Type: transit.AES256})
	if p := w.open(); w.probe(p, "kek", false).Fingerprint == w.probe(p, "other", false).Fingerprint {
		t.Error("two keys have one fingerprint")
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func TestThatAKeyCanBeExportedIsSeenLaterOn(t *testing.T) {
	w := newWorld(t)
	p := w.open()
	w.probe(p, "kek", false)
	w.server.Change("kek", func(k *transit.Key) { k.Exportable = true })
	if s := w.probe(p, "kek", false); !slices.Contains(told(s), "nonExtractable=false (Reported)") {
		t.Errorf("got %+v", s)
	}
}

func TestWhenTheServerDoesNotGiveTheKey(t *testing.T) {
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for sentence, c := range map[string]struct {
		change  func(*world)
		outcome v1alpha1.ProbeOutcome
		message string
	}{
		"there is none":                      {func(w *world) { w.server.Delete("kek") }, v1alpha1.OutcomeNotFound, "the engine has no key of that name"},
		"there is no engine":                 {func(w *world) { w.store.Spec.Transit.Mount = "health/transit" }, v1alpha1.OutcomeMisconfigured, "no engine is mounted at health/transit"},
		"the token may not":                  {func(w *world) { w.server.Deny("keys/kek", true) }, v1alpha1.OutcomeForbidden, "the token may not read the key"},
		"the token may not even look":        {func(w *world) { w.server.Deny("keys/kek", true); w.server.Deny("auth/token/lookup-self", true) }, v1alpha1.OutcomeForbidden, "the token may not read the key, and may not look itself up: it may have expired"},
		"the token is none":                  {func(w *world) { w.store.Credentials.Secret["token"] = []byte("hvs.other") }, v1alpha1.OutcomeUnauthenticated, "the server does not take the token: it is wrong, has expired, or was revoked"},
		"it is sealed":                       {func(w *world) { w.server.Be(transit.Sealed) }, v1alpha1.OutcomeUnreachable, "the server is sealed"},
		"it is on standby":                   {func(w *world) { w.server.Be(transit.Standby) }, v1alpha1.OutcomeUnreachable, "the server is on standby"},
		"it is not initialised":              {func(w *world) { w.server.Be(transit.Uninitialised) }, v1alpha1.OutcomeUnreachable, "the server is not initialised"},
		"a load balancer knows no such page": {func(w *world) { w.server.Instead(says(404, "<html>Not Found</html>")) }, v1alpha1.OutcomeUnreachable, "the server answered with status 404"},
		"404 and an object of somebody's":    {func(w *world) { w.server.Instead(says(404, `{"message":"not found"}`)) }, v1alpha1.OutcomeUnreachable, "the server answered with status 404"},
		"it is overloaded":                   {func(w *world) { w.server.Instead(says(502, "")) }, v1alpha1.OutcomeUnreachable, "the server answered with status 502"},
		"it says nothing":                    {func(w *world) { w.server.Instead(says(200, "")) }, v1alpha1.OutcomeUnreachable, "the server's answer is not one of a transit engine"},
		"it says something else":             {func(w *world) { w.server.Instead(says(200, `{"data":{"value":1}}`)) }, v1alpha1.OutcomeUnreachable, "the server's answer is not one of a transit engine"},
		"it says a key without versions":     {func(w *world) { w.server.Instead(says(200, `{"data":{"type":"aes256-gcm96","keys":{}}}`)) }, v1alpha1.OutcomeUnreachable, "the server's answer is not one of a transit engine"},
		"it says too much":                   {func(w *world) { w.server.Instead(says(200, strings.Repeat(" ", mostBytes+1))) }, v1alpha1.OutcomeUnreachable, "the server's answer is longer than 1 MiB"},
		"it has gone":                        {func(w *world) { _ = w.server.Close() }, v1alpha1.OutcomeUnreachable, "nothing listens at the server's address"},
		"nobody vouches for its certificate": {func(w *world) { w.store.Credentials.CA = certtest.New(w).Secret() }, v1alpha1.OutcomeUnreachable, "the server is not believed: no authority that is trusted vouches for its certificate"},
		"its key is none of those pinned": {func(w *world) {
			w.store.Spec.TLS.SPKIPins = []v1alpha1.SPKIPin{w.authority.Server(w, "localhost").Pin(w)}
		}, v1alpha1.OutcomeUnreachable, "the server is not believed: its certificate is valid, and its public key is none of tls.spkiPins"},
		"its key is pinned":                     {func(w *world) { w.store.Spec.TLS.SPKIPins = []v1alpha1.SPKIPin{w.pair.Pin(w)} }, v1alpha1.OutcomeFound, ""},
		"the server has namespaces, in another": {func(w *world) { w.store.Spec.Transit.Namespace = "health"; w.server.Instead(onlyNamespace("other")) }, v1alpha1.OutcomeMisconfigured, "no engine is mounted at transit"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			c.change(w)
			for _, roundTrip := range []bool{false, true} {
				if s := w.probe(w.open(), "kek", roundTrip); s.Outcome != c.outcome || s.Message != c.message {
					t.Errorf("got %s: %s", s.Outcome, s.Message)
				}
			}
		})
	}
}

func onlyNamespace(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Namespace") == name {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"errors":["no handler for route \"transit/keys/kek\". route entry not found."]}`))
	}
}

func TestAServerThatHangsIsLeftWhenTheTimeIsOver(t *testing.T) {
	w := newWorld(t)
	left := make(chan struct{})
	t.Cleanup(func() { close(left) })
	ctx, cancel := context.WithCancel(t.Context())
	w.server.Instead(func(http.ResponseWriter, *http.Request) { cancel(); <-left })
	s := w.open().Probe(ctx, keystore.Key{Name: "kek", Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{Key: "kek"}}})
	if s.Outcome != v1alpha1.OutcomeUnreachable {
		t.Errorf("got %+v", s)
	}
}

func TestRedirects(t *testing.T) {
	var carried []string
	w := newWorld(t)
	elsewhere, err := transit.Start(transit.Options{Certificate: w.pair.TLS(t), Token: secretToken})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = elsewhere.Close() })
	elsewhere.Instead(func(_ http.ResponseWriter, r *http.Request) { carried = append(carried, r.Header.Get("X-Vault-Token")) })
	p := w.open()

	w.server.Instead(func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, elsewhere.Address()+r.URL.Path, http.StatusTemporaryRedirect)
	})
	if s := w.probe(p, "kek", true); s.Outcome != v1alpha1.OutcomeUnreachable || !strings.HasPrefix(s.Message, "the server points to another host, which is not followed") {
		t.Errorf("got %+v", s)
	}
	if len(carried) > 0 {
		t.Errorf("another host was asked, with the token %v", carried)
	}

	w.server.Instead(func(out http.ResponseWriter, r *http.Request) {
		http.Redirect(out, r, w.server.Address()+r.URL.Path, http.StatusTemporaryRedirect)
	})
	if s := w.probe(p, "kek", true); s.Outcome != v1alpha1.OutcomeUnreachable {
		t.Errorf("a server that points to itself for ever: got %+v", s)
	}

	times := 0
	w.server.Instead(func(out http.ResponseWriter, r *http.Request) { // another node behind the same name
		times++
		if times > 1 {
			w.server.Instead(nil)
		}
		http.Redirect(out, r, w.server.Address()+r.URL.Path, http.StatusTemporaryRedirect)
	})
	if s := w.probe(p, "kek", true); s.Outcome != v1alpha1.OutcomeFound {
		t.Errorf("a server that points to itself twice: got %+v", s)
	}
}

func TestWhetherAKeyCanBeUsed(t *testing.T) {
	for sentence, c := range map[string]struct {
		deny    string
		usable  string // empty: not known
		message string
	}{
		"it can":                       {"", "true", ""},
		"the token may not encrypt":    {"encrypt/kek", "", "the token may not use the key, so whether it can be used is not known"},
		"the token may not decrypt":    {"decrypt/kek", "", "the token may not use the key, so whether it can be used is not known"},
		"what is not asked is allowed": {"sign/kek", "true", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.server.Deny(c.deny, true)
			p := w.open()
			used := w.probe(p, "kek", true)
			usable := ""
			for _, f := range used.Facts {
				if f.Name == keys.FactUsable {
					usable = f.Value
				}
			}
			if used.Outcome != v1alpha1.OutcomeFound || usable != c.usable || used.Message != c.message {
				t.Errorf("got %+v", used)
			}
			if looked := w.probe(p, "kek", false); looked.Message != used.Message {
				t.Errorf("the message changed to %q, and nothing else did", looked.Message)
			}
		})
	}
}

// A server that tells of a good key, and does not have it.
func TestAnEngineThatGivesBackSomethingElse(t *testing.T) {
	const description = `{"data":{"type":"aes256-gcm96","keys":{"1":1},"supports_encryption":true,"supports_decryption":true}}`
	for sentence, c := range map[string]struct {
		status        int
		back, message string
	}{
		"other bytes":           {200, `{"data":{"ciphertext":"vault:v1:AAAA","plaintext":"AAAA"}}`, "the engine gave back something else than what was encrypted or signed"},
		"what it does not want": {400, `{"errors":["no"]}`, "the engine refuses to use the key"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.server.Instead(func(out http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/v1/transit/keys/") {
					_, _ = out.Write([]byte(description))
					return
				}
				out.WriteHeader(c.status)
				_, _ = out.Write([]byte(c.back))
			})
			s := w.probe(w.open(), "kek", true)
			if want := []string{"algorithm=AES (Reported)", "bits=256 (Reported)", "protection=Software (Reported)", "usable=false (Tested)"}; !slices.Equal(told(s), want) || s.Message != c.message {
				t.Errorf("got %+v", s) // and what the description does not mention is not known
			}
		})
	}
}

func TestStoresThatCannotBeOpened(t *testing.T) {
	for sentence, c := range map[string]struct {
		tweak func(*keystore.Store)
		says  string
	}{
		"no token":                     {func(s *keystore.Store) { s.Credentials.Secret = nil }, "the Secret token of credentialsSecretRef has no key token"},
		"an empty token":               {func(s *keystore.Store) { s.Credentials.Secret["token"] = []byte(" \n") }, "the Secret token of credentialsSecretRef has no key token"},
		"a token that is none":         {func(s *keystore.Store) { s.Credentials.Secret["token"] = []byte("hvs.\x00secret") }, "key token of the Secret token holds characters that no token has"},
		"no Secret":                    {func(s *keystore.Store) { s.Spec.CredentialsSecretRef = nil }, "spec.credentialsSecretRef is missing"},
		"no mount":                     {func(s *keystore.Store) { s.Spec.Transit = nil }, "spec.transit is missing"},
		"an address without TLS":       {func(s *keystore.Store) { s.Spec.Transit.Address = "http://bao:8200" }, "spec.transit.address is not an https address"},
		"authorities that are no such": {func(s *keystore.Store) { s.Credentials.CA = map[string][]byte{"ca.crt": []byte("none")} }, "holds no certificate in PEM"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			c.tweak(&w.store)
			_, err := Open(w.store)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") && strings.Contains(err.Error(), "hvs.") {
				t.Errorf("got %v", err)
			}
		})
	}
	w := newWorld(t)
	if s := w.open().Probe(t.Context(), keystore.Key{Name: "kek"}); s.Outcome != v1alpha1.OutcomeMisconfigured {
		t.Errorf("a reference to something else: got %+v", s)
	}
}

func TestAlgorithms(t *testing.T) {
	for kind, want := range map[string]string{
		"aes128-gcm96": "AES 128", "aes256-gcm96": "AES 256", "chacha20-poly1305": "ChaCha20 256", "xchacha20-poly1305": "ChaCha20 256",
		"rsa-2048": "RSA 2048", "rsa-3072": "RSA 3072", "rsa-4096": "RSA 4096", "ecdsa-p256": "EC 256", "ecdsa-p384": "EC 384", "ecdsa-p521": "EC 521", "ed25519": "EC 256",
		"hmac": "hmac 0", "managed_key": "managed_key 0",
	} {
		if algorithm, bits := algorithmOf(kind); fmt.Sprint(algorithm, " ", bits) != want {
			t.Errorf("%s: got %s %d", kind, algorithm, bits)
		}
	}
}
