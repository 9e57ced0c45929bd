//go:build cgo

package pkcs11_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	binding "github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/pkcs11"
)

func TestAGoodKeyIsFoundWithAllThatIsGoodAboutIt(t *testing.T) {
	p := newToken(t, "good").holdsKey().opened()
	s := probe(t, p)
	wantFacts(t, s, map[string]string{
		"algorithm": "AES Reported", "bits": "256 Reported", "nonExtractable": "true Tested", "neverExtractable": "true Reported",
		"origin": "GeneratedInStore Reported", "private": "true Reported", "usable": "true Tested",
		"protection": "", "notBefore": "", "notAfter": "", // of these the token says nothing
	})
	if again := probe(t, p); again.Fingerprint != s.Fingerprint || !strings.HasPrefix(s.Fingerprint, "sha256:") || len(s.Fingerprint) != len("sha256:")+64 {
		t.Errorf("fingerprints %q and %q; want the same one twice", s.Fingerprint, again.Fingerprint)
	}
}

func TestWithoutARoundTripNothingIsSaidOfUse(t *testing.T) {
	p := newToken(t, "still").holdsKey().opened()
	looked := kek
	looked.RoundTrip = false
	s := p.Probe(t.Context(), looked)
	wantFacts(t, s, map[string]string{"usable": "", "nonExtractable": "true Tested"})
	if used := probe(t, p); used.Fingerprint != s.Fingerprint {
		t.Errorf("fingerprints %q and %q; want the same with and without a round trip", s.Fingerprint, used.Fingerprint)
	}
}

func TestKeysThatAreLessThanGood(t *testing.T) {
	secret := func(attributes map[uint][]byte) task {
		return task{Do: "generate", Label: "kek", ID: []byte{1}, Attributes: attributes}
	}
	for name, c := range map[string]struct {
		tasks []task
		want  map[string]string
	}{
		"an imported key": {
			[]task{{Do: "import", Label: "kek", ID: []byte{1}}},
			map[string]string{"origin": "Imported Reported", "nonExtractable": "true Tested", "neverExtractable": "false Reported", "bits": "256 Reported", "usable": "true Tested"},
		},
		"a key hardened later": {
			[]task{
				secret(map[uint][]byte{binding.CKA_SENSITIVE: isFalse, binding.CKA_EXTRACTABLE: isTrue}),
				{Do: "change", Class: binding.CKO_SECRET_KEY, Label: "kek", Attributes: map[uint][]byte{binding.CKA_SENSITIVE: isTrue}},
				{Do: "change", Class: binding.CKO_SECRET_KEY, Label: "kek", Attributes: map[uint][]byte{binding.CKA_EXTRACTABLE: isFalse}},
			},
			map[string]string{"nonExtractable": "true Tested", "neverExtractable": "false Reported", "origin": "GeneratedInStore Reported"},
		},
		"a key whose value can be had": {
			[]task{secret(map[uint][]byte{binding.CKA_SENSITIVE: isFalse, binding.CKA_EXTRACTABLE: isTrue})},
			map[string]string{"nonExtractable": "false Tested", "neverExtractable": "false Tested"},
		},
		"a key that may leave wrapped": {
			[]task{secret(map[uint][]byte{binding.CKA_EXTRACTABLE: isTrue})},
			map[string]string{"nonExtractable": "false Reported", "neverExtractable": "false Reported"},
		},
		"a key that everybody sees": {
			[]task{secret(map[uint][]byte{binding.CKA_PRIVATE: isFalse})},
			map[string]string{"private": "false Reported", "nonExtractable": "true Tested"},
		},
		"a key past its end, which the token still uses": {
			[]task{secret(map[uint][]byte{binding.CKA_PRIVATE: isFalse, binding.CKA_START_DATE: []byte("20200101"), binding.CKA_END_DATE: []byte("20201231")})},
			map[string]string{"notBefore": "2020-01-01T00:00:00Z Reported", "notAfter": "2021-01-01T00:00:00Z Reported", "usable": "true Tested"},
		},
		"a key that may not decrypt": {
			[]task{secret(map[uint][]byte{binding.CKA_DECRYPT: isFalse})},
			map[string]string{"usable": "false Tested"},
		},
		"a key that only wraps": {
			[]task{secret(map[uint][]byte{binding.CKA_ENCRYPT: isFalse, binding.CKA_DECRYPT: isFalse, binding.CKA_WRAP: isTrue})},
			map[string]string{"usable": "", "nonExtractable": "true Tested"},
		},
		"a key that encrypts by GCM alone": {
			[]task{secret(map[uint][]byte{binding.CKA_ALLOWED_MECHANISMS: number(binding.CKM_AES_GCM)})},
			map[string]string{"usable": "true Tested", "nonExtractable": "true Tested"},
		},
		"a key that encrypts in no way that is known here": {
			[]task{secret(map[uint][]byte{binding.CKA_ALLOWED_MECHANISMS: number(binding.CKM_AES_CTR)})},
			map[string]string{"usable": "", "nonExtractable": "true Tested"},
		},
		"a short key": {
			[]task{secret(map[uint][]byte{binding.CKA_VALUE_LEN: number(16)})},
			map[string]string{"bits": "128 Reported", "algorithm": "AES Reported"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tok := newToken(t, "less")
			for _, todo := range c.tasks {
				tok.have(todo)
			}
			wantFacts(t, probe(t, tok.opened()), c.want)
		})
	}
}

func TestKeyPairs(t *testing.T) {
	for name, c := range map[string]struct {
		pair task
		want map[string]string
	}{
		"RSA": {
			task{Do: "pair", Label: "kek", ID: []byte{1}},
			map[string]string{"algorithm": "RSA Reported", "bits": "2048 Reported", "nonExtractable": "true Tested", "neverExtractable": "true Reported", "usable": "true Tested"},
		},
		"elliptic": {
			task{Do: "pair", Label: "kek", ID: []byte{1}, Curve: true},
			map[string]string{"algorithm": "EC Reported", "bits": "256 Reported", "nonExtractable": "true Tested", "neverExtractable": "true Reported", "usable": "true Tested"},
		},
		"RSA that can be had": {
			task{Do: "pair", Label: "kek", ID: []byte{1}, Attributes: map[uint][]byte{binding.CKA_SENSITIVE: isFalse, binding.CKA_EXTRACTABLE: isTrue}},
			map[string]string{"nonExtractable": "false Tested", "neverExtractable": "false Tested"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tok := newToken(t, "pair")
			tok.have(c.pair)
			p := tok.opened()
			s := probe(t, p)
			wantFacts(t, s, c.want)
			tok.have(task{Do: "destroy", Class: binding.CKO_PRIVATE_KEY, Label: "kek"})
			wantOutcome(t, probe(t, p), v1alpha1.OutcomeNotFound, "no secret or private key")
			tok.have(task{Do: "destroy", Class: binding.CKO_PUBLIC_KEY, Label: "kek"})
			tok.have(c.pair)
			if other := probe(t, p); other.Fingerprint == s.Fingerprint || other.Fingerprint == "" {
				t.Errorf("the fingerprint of a new pair is %q, that of the old one %q; want another", other.Fingerprint, s.Fingerprint)
			}
		})
	}
}

func TestAPairWithoutItsPublicHalfSaysWhatIsMissing(t *testing.T) {
	tok := newToken(t, "half")
	tok.have(task{Do: "pair", Label: "kek", ID: []byte{1}, Curve: true})
	tok.have(task{Do: "destroy", Class: binding.CKO_PUBLIC_KEY, Label: "kek"})
	s := probe(t, tok.opened())
	wantOutcome(t, s, v1alpha1.OutcomeFound, "nothing tells this key from one that takes its place")
	if s.Fingerprint != "" || value(s, "usable") != "" {
		t.Errorf("seen: fingerprint %q, usable %q; want neither", s.Fingerprint, value(s, "usable"))
	}
}

// SoftHSM 2.6, for one, cannot read back the dates of private objects. Nothing is concluded from that, neither of this key nor of others, and the session stays.
func TestAKeyOfWhichTheTokenCannotTellSomethingIsNotJudged(t *testing.T) {
	tok := newToken(t, "mute").holdsKey()
	t.Setenv("WITNESS_MUTE", "0x111") // CKA_END_DATE
	p := tok.opened()
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeMisconfigured, "cannot tell attribute 0x111")
	t.Setenv("WITNESS_MUTE", "")
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeFound, "")
	if n := tok.witnessed("session"); n != 1 {
		t.Errorf("%d sessions; want one", n)
	}
}

func TestAKeyThatIsMissingIsNotFound(t *testing.T) {
	wantOutcome(t, probe(t, newToken(t, "empty").opened()), v1alpha1.OutcomeNotFound, "no secret or private key")
}

func TestTwoKeysThatFitAreAmbiguousUntilAnIDTellsThem(t *testing.T) {
	tok := newToken(t, "double").holdsKey()
	tok.have(task{Do: "generate", Label: "kek", ID: []byte{2}})
	p := tok.opened()
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeAmbiguous, "several keys")
	byID := kek
	byID.Ref.PKCS11 = &v1alpha1.PKCS11Key{Label: "kek", ID: "02"}
	wantOutcome(t, p.Probe(t.Context(), byID), v1alpha1.OutcomeFound, "")
	byID.Ref.PKCS11 = &v1alpha1.PKCS11Key{ID: "03"}
	wantOutcome(t, p.Probe(t.Context(), byID), v1alpha1.OutcomeNotFound, "")
}

func TestASecretKeyAndAPrivateOneOfTheSameLabelAreAmbiguous(t *testing.T) {
	tok := newToken(t, "mixed").holdsKey()
	tok.have(task{Do: "pair", Label: "kek", ID: []byte{1}, Curve: true})
	wantOutcome(t, probe(t, tok.opened()), v1alpha1.OutcomeAmbiguous, "several keys")
}

func TestWhatAnotherProcessDoesShowsAtTheNextProbe(t *testing.T) {
	tok := newToken(t, "shared")
	p := tok.opened()
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeNotFound, "")
	tok.holdsKey()
	first := probe(t, p)
	wantOutcome(t, first, v1alpha1.OutcomeFound, "")
	tok.have(task{Do: "destroy", Class: binding.CKO_SECRET_KEY, Label: "kek"})
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeNotFound, "")
	tok.holdsKey()
	second := probe(t, p)
	wantOutcome(t, second, v1alpha1.OutcomeFound, "")
	if first.Fingerprint == second.Fingerprint {
		t.Errorf("a key that was deleted and made anew has the same fingerprint %s", first.Fingerprint)
	}
}

func TestOfASecretKeyThatMayNotEncryptTheCheckValueTells(t *testing.T) {
	tok := newToken(t, "checked")
	wrapper := task{Do: "generate", Label: "kek", ID: []byte{1}, Attributes: map[uint][]byte{binding.CKA_ENCRYPT: isFalse}}
	tok.have(wrapper)
	p := tok.opened()
	first := probe(t, p)
	tok.have(task{Do: "destroy", Class: binding.CKO_SECRET_KEY, Label: "kek"})
	tok.have(wrapper)
	if second := probe(t, p); first.Fingerprint == "" || second.Fingerprint == "" || first.Fingerprint == second.Fingerprint {
		t.Errorf("fingerprints %q and %q; want two", first.Fingerprint, second.Fingerprint)
	}
}

// The laws about PINs, roles and material, as the token itself was witnessed to be asked.
func TestNothingIsAskedOfATokenThatMustNotBe(t *testing.T) {
	tok := newToken(t, "asked").holdsKey()
	tok.have(task{Do: "pair", Label: "signer", ID: []byte{2}})
	p := tok.opened()
	const probes = 3
	for range probes {
		wantOutcome(t, probe(t, p), v1alpha1.OutcomeFound, "")
		signer := keystore.Key{Ref: v1alpha1.KeyReference{PKCS11: &v1alpha1.PKCS11Key{Label: "signer"}}, RoundTrip: true}
		wantOutcome(t, p.Probe(t.Context(), signer), v1alpha1.OutcomeFound, "")
	}
	if n := tok.witnessed("session"); n != 1 || tok.witnessed("session 0x4") != 1 { // CKF_SERIAL_SESSION alone: read-only
		t.Errorf("%d sessions, %d of them read-only; want one, read-only", n, tok.witnessed("session 0x4"))
	}
	if n := tok.witnessed("login"); n != 1 || tok.witnessed("login 0x1") != 1 { // CKU_USER
		t.Errorf("%d logins, %d of them as the user; want one, as the user", n, tok.witnessed("login 0x1"))
	}
	if tok.witnessed("read 0x162") == 0 { // CKA_EXTRACTABLE
		t.Error("no attribute was seen to be read: the witness sees nothing")
	}
	for _, material := range []string{"0x11", "0x123", "0x124", "0x125", "0x126", "0x127", "0x128"} { // CKA_VALUE, and the private parts of RSA
		if n := tok.witnessed("read " + material + "\n"); n != 0 {
			t.Errorf("attribute %s, which is key material, was read %d times", material, n)
		}
	}
}

func TestAWrongPINIsTriedOnceHoweverOftenTheStoreIsOpened(t *testing.T) {
	tok := newToken(t, "wrong").holdsKey()
	l := &latch{}
	wantOutcome(t, probe(t, tok.openedWith(l, wrongPIN)), v1alpha1.OutcomeUnauthenticated, "does not take the PIN")
	const openings = 20
	for range openings {
		p := tok.openedWith(l, wrongPIN)
		wantOutcome(t, probe(t, p), v1alpha1.OutcomeUnauthenticated, "this version of the Secret was refused")
		wantOutcome(t, probe(t, p), v1alpha1.OutcomeUnauthenticated, "this version of the Secret was refused")
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := tok.witnessed("login"); n != 1 || l.entered != 1 || !l.refused {
		t.Errorf("tries: %d, entries into the latch: %d, refused: %t; want 1, 1 and true", n, l.entered, l.refused)
	}
}

func TestAfterAWrongPINANewVersionOfTheSecretIsTriedAndTheLatchToldOfTheCount(t *testing.T) {
	tok := newToken(t, "mended").holdsKey()
	tok.have(task{Do: "fail"})
	l := &latch{}
	wantOutcome(t, probe(t, tok.openedWith(l, goodPIN)), v1alpha1.OutcomeFound, "")
	if l.lows != 1 || !l.accepted {
		t.Errorf("the latch was told %d times of a failure that the token counts, accepted: %t; want once, and true", l.lows, l.accepted)
	}
}

func TestAPINIsNotTriedWhereItCouldLockTheToken(t *testing.T) {
	for name, c := range map[string]struct{ flag, words string }{
		"the next wrong one locks": {"0x20000", "one more wrong PIN locks the token"}, // CKF_USER_PIN_FINAL_TRY
		"it is locked":             {"0x40000", "has locked its user's PIN"},          // CKF_USER_PIN_LOCKED
	} {
		t.Run(name, func(t *testing.T) {
			tok := newToken(t, "final").holdsKey()
			t.Setenv("WITNESS_TOKEN_FLAGS", c.flag)
			l := &latch{}
			wantOutcome(t, probe(t, tok.openedWith(l, goodPIN)), v1alpha1.OutcomeUnauthenticated, c.words)
			if tok.witnessed("login") != 0 || l.entered != 0 {
				t.Errorf("the PIN was tried %d times, the latch entered %d times; want neither", tok.witnessed("login"), l.entered)
			}
		})
	}
}

func TestAnErrorThatIsNoJudgementOfThePINLeavesTheLatchAsItIs(t *testing.T) {
	tok := newToken(t, "faulty").holdsKey()
	t.Setenv("WITNESS_LOGIN", "0x30") // CKR_DEVICE_ERROR
	l := &latch{}
	wantOutcome(t, probe(t, tok.openedWith(l, goodPIN)), v1alpha1.OutcomeUnauthenticated, "did not judge the PIN")
	if l.entered != 1 || l.accepted || l.refused {
		t.Errorf("the latch was entered %d times, accepted: %t, refused: %t; want once and neither", l.entered, l.accepted, l.refused)
	}
}

func TestALoginThatCouldNotBeToldIsToldAtTheNextProbe(t *testing.T) {
	l := &latch{leaveFails: 1, refusesToBeLeft: errors.New("the API server is away")}
	p := newToken(t, "later").holdsKey().openedWith(l, goodPIN)
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeFound, "")
	if l.accepted {
		t.Fatal("the latch was told at once; the test is to have it fail")
	}
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeFound, "")
	if !l.accepted {
		t.Error("the latch was never told that the PIN was accepted")
	}
}

func TestASecondStoreOfTheSameTokenIsNotBelievedForTheFirstOnesPIN(t *testing.T) {
	tok := newToken(t, "twice").holdsKey()
	opener := pkcs11.New([]string{witness(t)})
	l := &latch{}
	first, err := opener(store(witness(t), "twice", &latch{}, goodPIN))
	if err != nil {
		t.Fatal(err)
	}
	second, err := opener(store(witness(t), "twice", l, wrongPIN))
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, probe(t, first), v1alpha1.OutcomeFound, "")
	wantOutcome(t, probe(t, second), v1alpha1.OutcomeMisconfigured, "with another PIN")
	if l.entered != 0 {
		t.Error("the second store's PIN was tried")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, probe(t, second), v1alpha1.OutcomeUnauthenticated, "does not take the PIN")
	wantOutcome(t, probe(t, first), v1alpha1.OutcomeUnreachable, "closed")
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if n := tok.witnessed("login"); n != 2 {
		t.Errorf("%d logins; want one by each", n)
	}
}

func TestStoresOfOneTokenShareALoginIfTheirPINIsTheSame(t *testing.T) {
	tok := newToken(t, "common").holdsKey()
	opener := pkcs11.New([]string{witness(t)})
	var all []keystore.Prober
	for range 3 {
		l := &latch{}
		p, err := opener(store(witness(t), "common", l, goodPIN))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		wantFacts(t, probe(t, p), map[string]string{"usable": "true Tested"})
		if l.entered != 1 || !l.accepted {
			t.Errorf("the latch was entered %d times, accepted: %t; want once, and true", l.entered, l.accepted)
		}
	}
	if n := tok.witnessed("login"); n != 1 {
		t.Errorf("%d logins; want one for all", n)
	}
	for i, p := range all {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		for _, other := range all[i+1:] { // who logged in has gone, and the login is still the others'
			wantOutcome(t, probe(t, other), v1alpha1.OutcomeFound, "")
		}
	}
}

func TestAWrongPINCostsOneTryHoweverManyStoresHaveIt(t *testing.T) {
	tok := newToken(t, "many").holdsKey()
	opener := pkcs11.New([]string{witness(t)})
	const stores = 12
	for range stores {
		s := store(witness(t), "many", &latch{}, wrongPIN) // whose latch knows nothing of the others, as for a new version of the Secret
		p, err := opener(s)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, probe(t, p), v1alpha1.OutcomeUnauthenticated, "it is not tried again until")
		if l, _ := s.Latch.(*latch); !l.refused {
			t.Error("a latch was not told that the PIN is refused")
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := tok.witnessed("login"); n != 1 {
		t.Errorf("%d stores tried the PIN %d times; want once", stores, n)
	}
}

func TestWhatIsMissingOrMalformedIsSaid(t *testing.T) {
	tok := newToken(t, "odd").holdsKey()
	good := store(softHSM, "odd", &latch{}, goodPIN)

	other := good
	other.Spec.PKCS11 = &v1alpha1.PKCS11Store{Module: "/tmp/evil.so", TokenLabel: "odd"}
	if _, err := pkcs11.New([]string{softHSM})(other); err == nil || !strings.Contains(err.Error(), "--pkcs11-module") || !strings.Contains(err.Error(), softHSM) {
		t.Errorf("a module that is not allowed: %v; want a word of the flag, and what it allows", err)
	}
	unlatched := good
	unlatched.Latch = nil
	if _, err := pkcs11.New([]string{softHSM})(unlatched); err == nil {
		t.Error("a store without a latch was opened")
	}

	noPIN := good
	noPIN.Credentials.Secret = map[string][]byte{"PIN": []byte(goodPIN)}
	wantOutcome(t, probe(t, open(t, noPIN)), v1alpha1.OutcomeMisconfigured, `no key "pin"`)

	absent := good
	absent.Spec.PKCS11 = &v1alpha1.PKCS11Store{Module: softHSM, TokenLabel: "elsewhere"}
	wantOutcome(t, probe(t, open(t, absent)), v1alpha1.OutcomeUnreachable, `no token with label "elsewhere"`)

	broken := good
	broken.Spec.PKCS11 = &v1alpha1.PKCS11Store{Module: "/usr/lib/none/libnone.so", TokenLabel: "odd"}
	wantOutcome(t, probe(t, open(t, broken)), v1alpha1.OutcomeMisconfigured, "loading the module")

	p := open(t, good)
	wantOutcome(t, p.Probe(t.Context(), keystore.Key{Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{}}}), v1alpha1.OutcomeMisconfigured, "no pkcs11")
	wantOutcome(t, p.Probe(t.Context(), keystore.Key{Ref: v1alpha1.KeyReference{PKCS11: &v1alpha1.PKCS11Key{ID: "xy"}}}), v1alpha1.OutcomeMisconfigured, "hexadecimal")

	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	tok.initialise()
	wantOutcome(t, probe(t, open(t, good)), v1alpha1.OutcomeMisconfigured, "two tokens fit")
}

func TestATokenIsFoundByItsSerialNumber(t *testing.T) {
	tok := newToken(t, "serial").holdsKey()
	byLabel := tok.opened()
	wantOutcome(t, probe(t, byLabel), v1alpha1.OutcomeFound, "")
	if err := byLabel.Close(); err != nil {
		t.Fatal(err)
	}
	c := binding.New(softHSM)
	if err := c.Initialize(); err != nil {
		t.Fatal(err)
	}
	slots, err := c.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.GetTokenInfo(slots[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Finalize(); err != nil {
		t.Fatal(err)
	}
	tok.initialise() // one of the same label
	s := store(softHSM, "serial", &latch{}, goodPIN)
	s.Spec.PKCS11.TokenSerial = info.SerialNumber + " "
	wantOutcome(t, probe(t, open(t, s)), v1alpha1.OutcomeFound, "")
}

func TestASlotThatCallsItselfHardwareIsReported(t *testing.T) {
	tok := newToken(t, "metal").holdsKey()
	t.Setenv("WITNESS_SLOT_FLAGS", "0x4") // CKF_HW_SLOT
	wantFacts(t, probe(t, tok.opened()), map[string]string{"protection": "HSM Reported"})
}

func TestATokenThatSaysOneThingAndDoesAnotherIsNotBelieved(t *testing.T) {
	tok := newToken(t, "liar").holdsKey()
	t.Setenv("WITNESS_GIVES", "1")
	wantFacts(t, probe(t, tok.opened()), map[string]string{"nonExtractable": "false Tested", "neverExtractable": "false Tested"})
}

func TestALostSessionIsUnreachableAndOpenedAnewAtTheNextProbe(t *testing.T) {
	for name, code := range map[string]string{
		"the device is removed": "0x32", "the session is gone": "0xb3", "the device failed": "0x30", "somebody logged out": "0x101",
	} {
		t.Run(name, func(t *testing.T) {
			tok := newToken(t, "lost").holdsKey()
			l := &latch{}
			p := tok.openedWith(l, goodPIN)
			wantOutcome(t, probe(t, p), v1alpha1.OutcomeFound, "")
			t.Setenv("WITNESS_FIND", code)
			wantOutcome(t, probe(t, p), v1alpha1.OutcomeUnreachable, "C_FindObjectsInit failed")
			t.Setenv("WITNESS_FIND", "")
			wantOutcome(t, probe(t, p), v1alpha1.OutcomeFound, "")
			if n := tok.witnessed("session"); n != 2 || l.entered != 2 {
				t.Errorf("%d sessions, %d logins; want two of each", n, l.entered)
			}
		})
	}
}

func TestALibraryThatHangsIsAskedNothingElseUntilItComesBack(t *testing.T) {
	tok := newToken(t, "stuck").holdsKey()
	p := tok.opened()
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeFound, "")
	finds := tok.witnessed("find")

	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WITNESS_HANGS", pipe)
	short, cancel := context.WithCancel(t.Context())
	hung := make(chan keystore.Sighting, 1)
	go func() { hung <- p.Probe(short, kek) }()
	tok.awaits("find", finds+1) // it is in
	cancel()
	wantOutcome(t, <-hung, v1alpha1.OutcomeUnreachable, "did not answer in time")

	impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	wantOutcome(t, p.Probe(impatient, kek), v1alpha1.OutcomeUnreachable, "")
	if n := tok.witnessed("find"); n != finds+1 {
		t.Errorf("%d calls since it hangs; want the one that hangs", n-finds)
	}

	t.Setenv("WITNESS_HANGS", "")
	release, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release.Close()
	wantOutcome(t, probe(t, p), v1alpha1.OutcomeFound, "") // waits for the gate
}

func TestAStoreThatIsClosedWhileItHangsEndsWhenTheLibraryComesBack(t *testing.T) {
	tok := newToken(t, "closing").holdsKey()
	opener := pkcs11.New([]string{witness(t)})
	first, err := opener(store(witness(t), "closing", &latch{}, goodPIN))
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, probe(t, first), v1alpha1.OutcomeFound, "")
	finds := tok.witnessed("find")
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WITNESS_HANGS", pipe)
	short, cancel := context.WithCancel(t.Context())
	hung := make(chan keystore.Sighting, 1)
	go func() { hung <- first.Probe(short, kek) }()
	tok.awaits("find", finds+1)
	cancel()
	<-hung
	if err := first.Close(); err != nil { // and does not wait
		t.Fatal(err)
	}
	t.Setenv("WITNESS_HANGS", "")
	release, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release.Close()
	second, err := opener(store(witness(t), "closing", &latch{}, goodPIN))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	wantOutcome(t, probe(t, second), v1alpha1.OutcomeFound, "") // and not that somebody else is logged in
}
