package keys

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/softhsm"
	"github.com/terroir-dev/terroir/test/terroir"
)

// ids give each key of the token its own id.
var ids = map[string]byte{"waiting": 1, "leaky": 2, "gone": 3, "twin": 4, "evicted": 5, "stolen": 6, "open": 7, "swapped": 8}

func (w *world) generate(t *testing.T, k softhsm.Key) {
	t.Helper()
	k.ID = ids[k.Label]
	if err := w.token.Generate(t.Context(), k); err != nil {
		t.Fatal(err)
	}
}

func (w *world) destroy(t *testing.T, label string) {
	t.Helper()
	if err := w.token.Destroy(t.Context(), label); err != nil {
		t.Fatal(err)
	}
}

func inToken(label string) string { return fmt.Sprintf("pkcs11: {label: %s}", label) }

func TestAStatefulSetWaitsForItsKeyAndStartsWhenItIsProven(t *testing.T) {
	w := shared
	w.create(t, hsm("waiting")+key("waiting", "waiting", inToken("waiting"), "")+governed("waiting", "keys: [waiting], evidence: {nonExtractable: Tested, origin: Reported}"))
	w.settled(t, "waiting")
	w.create(t, database("waiting", "waiting"))
	w.waits(t, "waiting", "waiting", "NotFound")
	w.generate(t, softhsm.Key{Label: "waiting"})
	k := w.phase(t, "waiting", v1alpha1.PhaseVerified)
	p := w.runs(t, "waiting", "")
	if got := why(p); !strings.HasPrefix(got, "True") {
		t.Errorf("the pod's condition is %q", got)
	}
	for name, want := range map[string]string{
		"nonExtractable": "true Tested", "neverExtractable": "true Reported", "origin": "GeneratedInStore Reported", "algorithm": "AES Reported", "bits": "256 Reported",
		"usable": "true Tested", "protection": "HSM Declared", "custody": "Customer Declared",
	} {
		if got := factOf(k, name); got != want {
			t.Errorf("fact %s is %q; it should be %q", name, got, want)
		}
	}
	if k.Status.VerifiedUntil == nil || !k.Status.VerifiedUntil.After(time.Now()) {
		t.Errorf("it is verified until %v", k.Status.VerifiedUntil)
	}
	w.shown(t, "waiting")
}

func factOf(k *v1alpha1.EncryptionKey, name string) string {
	for _, f := range k.Status.Facts {
		if f.Name == name {
			return f.Value + " " + string(f.Evidence)
		}
	}
	return ""
}

// shown waits until a person sees at the claim, the volume and the key what belongs together.
func (w *world) shown(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "claim, volume and key of "+namespace+" say what belongs together", func() error {
		claim, volume, k := &corev1.PersistentVolumeClaim{}, &corev1.PersistentVolume{}, &v1alpha1.EncryptionKey{}
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "data-db-0"}, claim); err != nil {
			return err
		}
		if err := w.Get(t.Context(), client.ObjectKey{Name: claim.Spec.VolumeName}, volume); err != nil {
			return err
		}
		if err := w.Get(t.Context(), client.ObjectKey{Name: namespace}, k); err != nil {
			return err
		}
		if claim.Labels[v1alpha1.KeyLabel] != namespace || claim.Labels[v1alpha1.BindingLabel] != "ProviderEnvelope" || claim.Annotations[v1alpha1.ClassAnnotation] == "" {
			return fmt.Errorf("the claim has labels %v and annotations %v", claim.Labels, claim.Annotations)
		}
		if want := fmt.Sprintf("%s:%s:%s", claim.UID, namespace, k.Status.Fingerprint); volume.Annotations[v1alpha1.ProofAnnotation] != want {
			return fmt.Errorf("the volume's proof is %q, not %q", volume.Annotations[v1alpha1.ProofAnnotation], want)
		}
		if k.Status.Volumes != 1 || k.Status.Pods != 1 || len(k.Status.Claims) != 1 || len(k.Status.StorageClasses) != 1 {
			return fmt.Errorf("the key says that these rely on it: %+v", k.Status)
		}
		return nil
	})
}

func TestAnExtractableKeyIsRefusedWithTheReason(t *testing.T) {
	w := shared
	w.generate(t, softhsm.Key{Label: "leaky", Extractable: true})
	w.create(t, hsm("leaky")+key("leaky", "leaky", inToken("leaky"), "")+governed("leaky", "keys: [leaky]"))
	w.phase(t, "leaky", v1alpha1.PhaseUnverified, "extract")
	w.settled(t, "leaky")
	w.create(t, database("leaky", "leaky"))
	w.waits(t, "leaky", "leaky", "extract")
}

func TestAKeyThatIsReadWithoutALoginIsRefusedWithTheReason(t *testing.T) {
	w := shared
	w.generate(t, softhsm.Key{Label: "open", Public: true})
	w.create(t, hsm("open")+key("open", "open", inToken("open"), ""))
	w.phase(t, "open", v1alpha1.PhaseUnverified, "private")
}

func TestTwoKeysOfOneLabelAreAmbiguous(t *testing.T) {
	w := shared
	w.generate(t, softhsm.Key{Label: "twin"})
	w.generate(t, softhsm.Key{Label: "twin"})
	w.create(t, hsm("twin")+key("twin", "twin", inToken("twin"), ""))
	w.phase(t, "twin", v1alpha1.PhaseAmbiguous)
}

func TestADestroyedKeyIsToldAndTouchesNothingThatRuns(t *testing.T) {
	w := shared
	w.generate(t, softhsm.Key{Label: "gone"})
	w.create(t, hsm("gone")+key("gone", "gone", inToken("gone"), "")+governed("gone", "keys: [gone]"))
	w.settled(t, "gone")
	w.create(t, database("gone", "gone"))
	running := w.runs(t, "gone", "")
	w.shown(t, "gone")
	w.destroy(t, "gone")
	w.phase(t, "gone", v1alpha1.PhaseDestroyed)
	w.revoked(t, "gone")
	w.untouched(t, running)
	w.kill(t, running)
	w.waits(t, "gone", "gone", "Destroyed")
}

// revoked waits until the policy of a namespace tells that the key of a running pod's volume is revoked.
func (w *world) revoked(t *testing.T, policy string) {
	t.Helper()
	eventually(t, "the policy tells that the key of a running pod's volume is revoked", func() error {
		p := &v1alpha1.ClusterPlacementPolicy{}
		if err := w.Get(t.Context(), client.ObjectKey{Name: policy}, p); err != nil {
			return err
		}
		for _, r := range p.Status.Reasons {
			if r.Reason == v1alpha1.KeyRevoked {
				return nil
			}
		}
		return fmt.Errorf("its reasons are %v", p.Status.Reasons)
	})
}

// untouched sees that a running pod is the one that it was.
func (w *world) untouched(t *testing.T, running *corev1.Pod) {
	t.Helper()
	after := &corev1.Pod{}
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(running), after); err != nil || after.UID != running.UID || !after.DeletionTimestamp.IsZero() {
		t.Fatalf("the running pod was touched: %v %v", err, after)
	}
}

func TestAReplacedKeyWaitsForAPerson(t *testing.T) {
	w := shared
	w.generate(t, softhsm.Key{Label: "swapped"})
	w.create(t, hsm("swapped")+key("swapped", "swapped", inToken("swapped"), ""))
	first := w.phase(t, "swapped", v1alpha1.PhaseVerified).Status.Fingerprint
	w.destroy(t, "swapped")
	w.generate(t, softhsm.Key{Label: "swapped"})
	k := w.phase(t, "swapped", v1alpha1.PhaseReplaced)
	if k.Status.Fingerprint != first || k.Status.ObservedFingerprint == "" || k.Status.ObservedFingerprint == first {
		t.Fatalf("the fingerprints are %q and %q; the first was %q", k.Status.Fingerprint, k.Status.ObservedFingerprint, first)
	}
	patch := fmt.Sprintf(`{"spec":{"fingerprint":%q}}`, k.Status.ObservedFingerprint)
	if err := w.Patch(t.Context(), k, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
	w.phase(t, "swapped", v1alpha1.PhaseVerified)
}

func TestPodsAreEvictedWhereThePolicySaysSo(t *testing.T) {
	w := shared
	w.generate(t, softhsm.Key{Label: "evicted"})
	w.create(t, hsm("evicted")+key("evicted", "evicted", inToken("evicted"), "")+governed("evicted", "keys: [evicted], onRevocation: Evict"))
	w.settled(t, "evicted")
	w.create(t, database("evicted", "evicted"))
	running := w.runs(t, "evicted", "")
	w.shown(t, "evicted")
	w.destroy(t, "evicted")
	eventually(t, "the pod is evicted", func() error {
		p := &corev1.Pod{}
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(running), p); err != nil {
			return client.IgnoreNotFound(err)
		}
		if p.UID == running.UID && p.DeletionTimestamp.IsZero() {
			return fmt.Errorf("it runs")
		}
		return nil
	})
	w.waits(t, "evicted", "Destroyed")
}

func TestAWrongPINIsTriedExactlyOnce(t *testing.T) {
	w := shared
	dir := t.TempDir()
	token, err := softhsm.New(t.Context(), dir, "pin", "1234")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Create(t.Context(), terroir.Secret("par-1-hsm-pin", "pin", "9999")); err != nil {
		t.Fatal(err)
	}
	store := strings.NewReplacer("sov-par1", "pin", "paris-hsm-pin", "par-1-hsm-pin", "probe: {", "probe: {from: Agent, ").Replace(hsm("pin"))
	w.create(t, store+key("pin", "pin", inToken("pin"), ""))
	agent := terroir.Agent{Observer: "par-1", Modules: []string{softhsm.Module}, Environment: []string{token.Environment()}}
	if err := terroir.StartAgent(t.Context(), w.cluster, agent); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cluster.StopComponent(agent.Component()) })
	tried := w.login(t, "pin", v1alpha1.LoginFailed)
	w.phase(t, "pin", v1alpha1.PhaseUnknown, "PIN")
	for range 3 {
		if err := w.cluster.StopComponent(agent.Component()); err != nil {
			t.Fatal(err)
		}
		if err := w.cluster.StartComponent(t.Context(), agent.Component()); err != nil {
			t.Fatal(err)
		}
	}
	w.swept(t, "pin", "par-1")
	if again := w.login(t, "pin", v1alpha1.LoginFailed); !again.At.Equal(&tried.At) || again.SecretVersion != tried.SecretVersion {
		t.Errorf("it was tried again: first %+v, then %+v", tried, again)
	}
	if flags := flagsOf(t, token); !strings.Contains(flags, "user PIN count low") || strings.Contains(flags, "final user PIN try") || strings.Contains(flags, "user PIN locked") {
		t.Errorf("the token says: %s", flags)
	}
	w.correct(t, "par-1-hsm-pin", "1234")
	w.login(t, "pin", v1alpha1.LoginSucceeded)
	w.phase(t, "pin", v1alpha1.PhaseNotFound)
}

// login waits until the latch of a store is in a state.
func (w *world) login(t *testing.T, store string, state v1alpha1.LoginState) v1alpha1.KeyStoreLogin {
	t.Helper()
	s := &v1alpha1.KeyStore{}
	eventually(t, fmt.Sprintf("the login of %s is %s", store, state), func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Name: store}, s); err != nil {
			return err
		}
		if s.Status.Login == nil || s.Status.Login.State != state {
			return fmt.Errorf("it is %+v", s.Status.Login)
		}
		return nil
	})
	return *s.Status.Login
}

// swept waits until an observer that was started again has looked at a store: a key that comes is observed.
func (w *world) swept(t *testing.T, store, observer string) {
	t.Helper()
	w.create(t, key("later", store, inToken("later"), ""))
	eventually(t, "the key that came later was looked at", func() error {
		return w.Get(t.Context(), client.ObjectKey{Name: "later." + observer}, &v1alpha1.KeyObservation{})
	})
}

// correct writes another value into a Secret.
func (w *world) correct(t *testing.T, secret, pin string) {
	t.Helper()
	s := &corev1.Secret{}
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: secret}, s); err != nil {
		t.Fatal(err)
	}
	s.Data["pin"] = []byte(pin)
	if err := w.Update(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

// flagsOf are what the token says of itself.
func flagsOf(t *testing.T, token *softhsm.Token) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "pkcs11-tool", "--module", softhsm.Module, "--list-token-slots")
	command.Env = append(command.Environ(), token.Environment())
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("listing tokens: %v: %s", err, out)
	}
	return string(out)
}

func TestWhatAnAgentSeesIsItsOwn(t *testing.T) {
	w := shared
	const agent = "system:serviceaccount:terroir-system:terroir-keyprobe-par-1"
	par := w.as(t, agent, "system:serviceaccounts", "system:serviceaccounts:terroir-system", "system:authenticated")
	forged := `{apiVersion: terroir.dev/v1alpha1, kind: KeyObservation, metadata: {name: a.%[1]s}, spec: {key: a, keyUID: x, store: s, observer: %[1]s, outcome: Found, since: "2026-01-01T00:00:00Z"}}`
	for _, observer := range []string{"par-2", v1alpha1.ManagerObserver, v1alpha1.AgentObserver} {
		terroir.Denied(t, par.Create(t.Context(), terroir.MustObjects(t, fmt.Sprintf(forged, observer))[0]), "observ")
	}
	own := terroir.MustObjects(t, fmt.Sprintf(forged, "par-1"))[0]
	if err := par.Create(t.Context(), own); err != nil {
		t.Fatalf("an agent cannot write what it sees: %v", err)
	}
	other := w.as(t, "system:serviceaccount:terroir-system:terroir-keyprobe", "system:serviceaccounts", "system:serviceaccounts:terroir-system")
	terroir.Denied(t, other.Update(t.Context(), own), "observ")
	terroir.Denied(t, other.Delete(t.Context(), own), "observ")
	if err := par.Delete(t.Context(), own); err != nil {
		t.Errorf("an agent cannot take back what it saw: %v", err)
	}
}

func TestAClassThatComesAgainWithOtherParametersIsFoundOut(t *testing.T) {
	w := shared
	w.generate(t, softhsm.Key{Label: "stolen"})
	w.create(t, hsm("stolen")+key("stolen", "stolen", inToken("stolen"), "")+governed("stolen", "keys: [stolen]"))
	w.settled(t, "stolen")
	w.create(t, database("stolen", "stolen"))
	running := w.runs(t, "stolen", "")
	w.shown(t, "stolen")
	// Whoever maintains Terroir may delete a marked class. What comes again under its name is another.
	again := &storagev1.StorageClass{}
	if err := w.Get(t.Context(), client.ObjectKey{Name: "stolen"}, again); err != nil {
		t.Fatal(err)
	}
	if err := w.Delete(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if err := w.Create(t.Context(), terroir.MustObjects(t, class("stolen", "id-other"))[0]); err != nil {
		t.Fatal(err)
	}
	w.kill(t, running)
	w.waits(t, "stolen", "stolen", "class")
}

// logs are what Terroir's programs wrote.
func logs(w *world) []string {
	found, _ := filepath.Glob(w.cluster.Log("*"))
	return found
}
