//go:build cgo

package pkcs11_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	binding "github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/pkcs11"
	"github.com/terroir-dev/terroir/test/packages"
)

const (
	softHSM    = "/usr/lib/softhsm/libsofthsm2.so"
	goodPIN    = "correct-horse-17"
	wrongPIN   = "battery-staple-4"
	officerPIN = "officer-of-the-day"

	// taskVariable has the test binary be another process, which does one task in a token.
	taskVariable = "TERROIR_TOKEN_TASK"
)

func TestMain(m *testing.M) {
	if task := os.Getenv(taskVariable); task != "" {
		if err := perform(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	err := packages.Ensure(context.Background(), os.Stderr, "the test of PKCS#11",
		packages.Needed{Package: "softhsm2", File: "softhsm2-util"}, packages.Needed{Package: "libsofthsm2", File: softHSM}, packages.Needed{Package: "gcc", File: "gcc"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// task is something that another process does in a token.
type task struct {
	Token string
	Do    string // generate, pair, import, change, destroy, fail
	Class uint   // of what is changed or destroyed
	Label string
	ID    []byte
	Curve bool // of a pair: elliptic
	// Attributes are changed from what is usual, by number.
	Attributes map[uint][]byte
}

// Attribute values.
var (
	isTrue  = []byte{1}
	isFalse = []byte{0}
)

// token is a token of a test's own, in a folder of its own.
type token struct {
	t     testing.TB
	label string
	// log is what the witness wrote down.
	log string
}

// newToken makes a token. Every library that is initialised from here on finds it, and no other.
func newToken(t testing.TB, label string) *token {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "tokens"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(folder, "softhsm2.conf")
	if err := os.WriteFile(config, []byte("directories.tokendir = "+folder+"/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", config)
	tok := &token{t: t, label: label, log: filepath.Join(folder, "log")}
	tok.initialise()
	t.Setenv("WITNESS_MODULE", softHSM)
	t.Setenv("WITNESS_LOG", tok.log)
	return tok
}

// initialise makes one more token of this label.
func (k *token) initialise() {
	k.t.Helper()
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", k.label, "--so-pin", officerPIN, "--pin", goodPIN).CombinedOutput()
	if err != nil {
		k.t.Fatalf("making a token: %v: %s", err, out)
	}
}

// have has another process do something in the token.
func (k *token) have(what task) {
	k.t.Helper()
	what.Token = k.label
	text, err := json.Marshal(what)
	if err != nil {
		k.t.Fatal(err)
	}
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), taskVariable+"="+string(text))
	if out, err := other.CombinedOutput(); err != nil {
		k.t.Fatalf("another process was to %s: %v: %s", what.Do, err, out)
	}
}

// holdsKey is a token with one good key in it.
func (k *token) holdsKey() *token {
	k.t.Helper()
	k.have(task{Do: "generate", Label: "kek", ID: []byte{1}})
	return k
}

// witnessed is how often the witness wrote that line.
func (k *token) witnessed(line string) int {
	k.t.Helper()
	text, err := os.ReadFile(k.log)
	if err != nil && !os.IsNotExist(err) {
		k.t.Fatal(err)
	}
	n := 0
	for l := range strings.Lines(string(text)) {
		if strings.HasPrefix(l, line) {
			n++
		}
	}
	return n
}

// awaits waits until the witness has written a line so often.
func (k *token) awaits(line string, often int) {
	k.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for k.witnessed(line) < often {
		select {
		case <-tick.C:
		case <-k.t.Context().Done():
			k.t.Fatalf("the library was never asked to %s", line)
		}
	}
}

var compileWitness = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "witness")
	if err != nil {
		return "", err
	}
	module := filepath.Join(folder, "witness.so")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-Wall", "-o", module, "testdata/witness.c", "-ldl").CombinedOutput(); err != nil {
		return "", fmt.Errorf("compiling the witness: %w: %s", err, out)
	}
	return module, nil
})

// witness is the path of the module that writes down what it is asked.
func witness(t testing.TB) string {
	t.Helper()
	module, err := compileWitness()
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// latch is a latch for one version of a Secret.
type latch struct {
	mu              sync.Mutex
	entered         int
	lows            int
	accepted        bool
	refused         bool
	leaveFails      int
	refusesToBeLeft error
}

func (l *latch) Enter(_ context.Context, countLow bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused {
		return fmt.Errorf("this version of the Secret was refused")
	}
	l.entered++
	if countLow {
		l.lows++
	}
	return nil
}

func (l *latch) Leave(ctx context.Context, accepted bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaveFails > 0 {
		l.leaveFails--
		return l.refusesToBeLeft
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	l.accepted, l.refused = accepted, !accepted
	return nil
}

// store is a KeyStore for a token.
func store(module, label string, l keystore.Latch, pin string) keystore.Store {
	return keystore.Store{
		Name:        "hsm",
		Spec:        v1alpha1.KeyStoreSpec{Type: v1alpha1.KeyStorePKCS11, PKCS11: &v1alpha1.PKCS11Store{Module: module, TokenLabel: label}},
		Credentials: keystore.Credentials{Secret: map[string][]byte{"pin": []byte(pin + "\n")}},
		Latch:       l,
	}
}

// opened is a prober of the token, through the witness, with the right PIN.
func (k *token) opened() keystore.Prober {
	k.t.Helper()
	return k.openedWith(&latch{}, goodPIN)
}

func (k *token) openedWith(l keystore.Latch, pin string) keystore.Prober {
	k.t.Helper()
	return open(k.t, store(witness(k.t), k.label, l, pin))
}

func open(t testing.TB, s keystore.Store) keystore.Prober {
	t.Helper()
	prober, err := pkcs11.New([]string{softHSM, s.Spec.PKCS11.Module})(s)
	if err != nil {
		t.Fatalf("opening the store: %v", err)
	}
	t.Cleanup(func() { _ = prober.Close() })
	return prober
}

// kek is the key with label kek.
var kek = keystore.Key{Name: "health-kek", Ref: v1alpha1.KeyReference{PKCS11: &v1alpha1.PKCS11Key{Label: "kek"}}, RoundTrip: true}

// probe looks at the key labelled kek, and sees to it that nothing secret is told.
func probe(t *testing.T, p keystore.Prober) keystore.Sighting {
	t.Helper()
	s := p.Probe(t.Context(), kek)
	for _, secret := range []string{goodPIN, wrongPIN, officerPIN} {
		if strings.Contains(fmt.Sprintf("%+v", s), secret) {
			t.Errorf("a PIN stands in what is told: %+v", s)
		}
	}
	return s
}

func wantOutcome(t *testing.T, s keystore.Sighting, want v1alpha1.ProbeOutcome, words string) {
	t.Helper()
	if s.Outcome != want || !strings.Contains(s.Message, words) {
		t.Fatalf("seen: %s (%s); want %s and a message with %q", s.Outcome, s.Message, want, words)
	}
}

// value is a fact with how it is known; empty if there is none.
func value(s keystore.Sighting, name string) string {
	for _, f := range s.Facts {
		if f.Name == name {
			return f.Value + " " + string(f.Evidence)
		}
	}
	return ""
}

func wantFacts(t *testing.T, s keystore.Sighting, want map[string]string) {
	t.Helper()
	wantOutcome(t, s, v1alpha1.OutcomeFound, "")
	for name, v := range want {
		if got := value(s, name); got != v {
			t.Errorf("fact %s is %q; want %q", name, got, v)
		}
	}
}

// perform does a task in a token, in a process of its own.
func perform(text string) error {
	var what task
	if err := json.Unmarshal([]byte(text), &what); err != nil {
		return err
	}
	c := binding.New(softHSM)
	if err := c.Initialize(); err != nil {
		return err
	}
	slots, err := c.GetSlotList(true)
	if err != nil {
		return err
	}
	for _, slot := range slots {
		info, err := c.GetTokenInfo(slot)
		if err != nil || info.Label != what.Token {
			continue
		}
		session, err := c.OpenSession(slot, binding.CKF_SERIAL_SESSION|binding.CKF_RW_SESSION)
		if err != nil {
			return err
		}
		if what.Do == "fail" {
			_ = c.Login(session, binding.CKU_USER, "another-wrong-pin")
			return c.Finalize()
		}
		if err := c.Login(session, binding.CKU_USER, goodPIN); err != nil {
			return err
		}
		if err := what.in(c, session); err != nil {
			return err
		}
		return c.Finalize()
	}
	return fmt.Errorf("no token %q", what.Token)
}

func (k task) in(c *binding.Ctx, session binding.SessionHandle) error {
	switch k.Do {
	case "generate":
		_, err := c.GenerateKey(session, mechanism(binding.CKM_AES_KEY_GEN), k.template(binding.CKO_SECRET_KEY, map[uint][]byte{binding.CKA_VALUE_LEN: number(32)}))
		return err
	case "import":
		_, err := c.CreateObject(session, k.template(binding.CKO_SECRET_KEY, map[uint][]byte{
			binding.CKA_KEY_TYPE: number(binding.CKK_AES), binding.CKA_VALUE: []byte("0123456789abcdef0123456789abcdef"),
		}))
		return err
	case "pair":
		return k.pair(c, session)
	}
	if err := c.FindObjectsInit(session, []*binding.Attribute{binding.NewAttribute(binding.CKA_CLASS, k.Class), binding.NewAttribute(binding.CKA_LABEL, k.Label)}); err != nil {
		return err
	}
	objects, _, err := c.FindObjects(session, 1)
	if err != nil {
		return err
	}
	if err := c.FindObjectsFinal(session); err != nil {
		return err
	}
	if k.Do == "destroy" {
		return c.DestroyObject(session, objects[0])
	}
	var changes []*binding.Attribute
	for typ, v := range k.Attributes {
		changes = append(changes, binding.NewAttribute(typ, v))
	}
	return c.SetAttributeValue(session, objects[0], changes)
}

func (k task) pair(c *binding.Ctx, session binding.SessionHandle) error {
	public := map[uint][]byte{binding.CKA_VERIFY: isTrue, binding.CKA_PRIVATE: isFalse, binding.CKA_SENSITIVE: nil, binding.CKA_EXTRACTABLE: nil, binding.CKA_ENCRYPT: nil, binding.CKA_DECRYPT: nil}
	private := map[uint][]byte{binding.CKA_SIGN: isTrue, binding.CKA_ENCRYPT: nil}
	how := mechanism(binding.CKM_RSA_PKCS_KEY_PAIR_GEN)
	if k.Curve {
		how = mechanism(binding.CKM_EC_KEY_PAIR_GEN)
		public[binding.CKA_EC_PARAMS] = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07} // P-256
	} else {
		public[binding.CKA_MODULUS_BITS], public[binding.CKA_PUBLIC_EXPONENT] = number(2048), []byte{1, 0, 1}
	}
	_, _, err := c.GenerateKeyPair(session, how, task{Label: k.Label, ID: k.ID}.template(binding.CKO_PUBLIC_KEY, public), k.template(binding.CKO_PRIVATE_KEY, private))
	return err
}

func mechanism(m uint) []*binding.Mechanism {
	return []*binding.Mechanism{binding.NewMechanism(m, nil)}
}

func number(n uint) []byte { return binding.NewAttribute(0, n).Value }

// template is that of a good key of this class, with changes. A change to nil leaves the attribute out.
func (k task) template(class uint, changes map[uint][]byte) []*binding.Attribute {
	all := map[uint][]byte{
		binding.CKA_CLASS: number(class), binding.CKA_TOKEN: isTrue, binding.CKA_LABEL: []byte(k.Label), binding.CKA_ID: k.ID,
		binding.CKA_PRIVATE: isTrue, binding.CKA_SENSITIVE: isTrue, binding.CKA_EXTRACTABLE: isFalse, binding.CKA_ENCRYPT: isTrue, binding.CKA_DECRYPT: isTrue,
	}
	for _, change := range []map[uint][]byte{changes, k.Attributes} {
		for typ, v := range change {
			all[typ] = v
		}
	}
	var template []*binding.Attribute
	for typ, v := range all {
		if v != nil {
			template = append(template, binding.NewAttribute(typ, v))
		}
	}
	return template
}
