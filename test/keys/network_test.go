package keys

import (
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
	"github.com/terroir-dev/terroir/test/transit"
)

const now = "requirements: {extractable: ForbiddenNow}"

// make makes a key in the transit server.
func (w *world) make(t *testing.T, name string) {
	t.Helper()
	if err := w.bao.Create(name, transit.Key{Type: transit.AES256}); err != nil {
		t.Fatal(err)
	}
}

func inTransit(name string) string { return fmt.Sprintf("transit: {key: %s}", name) }

func TestASoftwareKeyIsRefusedWithTheReasonWhateverIsDeclared(t *testing.T) {
	w := shared
	w.make(t, "soft")
	w.create(t, w.vault("soft")+key("soft", "soft", inTransit("soft"), now)+governed("soft", "keys: [soft], protection: HSM"))
	w.phase(t, "soft", v1alpha1.PhaseVerified)
	w.settled(t, "soft")
	w.create(t, database("soft", "soft"))
	w.waits(t, "soft", "soft", "Software", "HSM")
}

func TestAnOutageOfTheStoreAndOfANodeTogetherDoNotStopADatabase(t *testing.T) {
	w := shared
	w.make(t, "outage")
	w.create(t, w.vault("outage")+key("outage", "outage", inTransit("outage"), now)+governed("outage", "keys: [outage], protection: Software"))
	w.settled(t, "outage")
	w.create(t, database("outage", "outage"))
	first := w.runs(t, "outage", "")
	w.shown(t, "outage")
	w.bao.Be(transit.Sealed)
	t.Cleanup(func() { w.bao.Be(transit.Active) })
	w.phase(t, "outage", v1alpha1.PhaseUnknown, "sealed")
	w.kill(t, first)
	w.runs(t, "outage", first.UID)
	// What was never proven waits.
	w.create(t, strings.ReplaceAll(database("outage", "outage"), "db", "db2"))
	eventually(t, "a new database waits", func() error {
		p := &corev1.Pod{}
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "outage", Name: "db2-0"}, p); err != nil {
			return err
		}
		if !gated(p) || !strings.Contains(why(p), "sealed") {
			return fmt.Errorf("it has the gates %v, and its condition says %s", p.Spec.SchedulingGates, why(p))
		}
		return nil
	})
	w.bao.Be(transit.Active)
	w.phase(t, "outage", v1alpha1.PhaseVerified)
	eventually(t, "the new database starts", func() error {
		p := &corev1.Pod{}
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "outage", Name: "db2-0"}, p); err != nil {
			return err
		}
		if p.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("it is %s; %s", p.Status.Phase, why(p))
		}
		return nil
	})
}

func TestAKeyThatBecomesExportableLaterIsFoundOut(t *testing.T) {
	w := shared
	w.make(t, "later-exportable")
	w.create(t, w.vault("later-exportable")+key("later-exportable", "later-exportable", inTransit("later-exportable"), now))
	w.phase(t, "later-exportable", v1alpha1.PhaseVerified)
	w.bao.Change("later-exportable", func(k *transit.Key) { k.Exportable = true })
	w.phase(t, "later-exportable", v1alpha1.PhaseUnverified, "extract")
}

func TestAKeyThatItsNamespaceMayNotAskForIsRefused(t *testing.T) {
	w := shared
	w.make(t, "private")
	w.create(t, w.vault("private")+key("private", "private", inTransit("private"), now)+`{apiVersion: v1, kind: Namespace, metadata: {name: curious}}`)
	eventually(t, "a pod that asks for another namespace's key is refused", func() error {
		err := w.try(t, `
apiVersion: v1
kind: Pod
metadata: {name: asks, namespace: curious, annotations: {terroir.dev/encryption-key: private, terroir.dev/trust-level: in-france}}
spec: {automountServiceAccountToken: false, containers: [{name: main, image: x}]}
`)
		if err == nil || !strings.Contains(err.Error(), "may not ask") {
			return fmt.Errorf("the answer is %w", err)
		}
		return nil
	})
}

func TestClaimsThatCanNeverSatisfyAreRefusedWithWhatWould(t *testing.T) {
	w := shared
	w.make(t, "claims")
	w.create(t, w.vault("claims")+key("claims", "claims", inTransit("claims"), now)+governed("claims", "keys: [claims], protection: Software"))
	w.phase(t, "claims", v1alpha1.PhaseVerified)
	w.settled(t, "claims")
	w.create(t, key("others", "claims", inTransit("others"), now)+strings.Replace(class("hasty", "id-claims"), "WaitForFirstConsumer", "Immediate", 1)+`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: plain}
provisioner: unheard-of.csi.example.org
volumeBindingMode: WaitForFirstConsumer
`)
	for class, words := range map[string][]string{
		"plain": {"unheard-of.csi.example.org", "claims"}, "others": {"others", "claims"}, "hasty": {"Immediate", "WaitForFirstConsumer"},
	} {
		eventually(t, "a claim of class "+class+" is refused", func() error {
			// A class that the operator has not heard of yet is let pass with a warning: nothing may stay of that.
			err := w.Create(t.Context(), terroir.MustObjects(t, claim("claims", "of-"+class, class))[0], client.DryRunAll)
			if err == nil || !contains(err.Error(), words) {
				return fmt.Errorf("it should say %q; the answer is %w", words, err)
			}
			return nil
		})
	}
	w.create(t, claim("claims", "right", "claims"))
}

func claim(namespace, name, class string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: %s, namespace: %s}, spec: {accessModes: [ReadWriteOnce], storageClassName: %s, resources: {requests: {storage: 1Gi}}}}`, name, namespace, class)
}

// A pod that was let go may be kept from a node for as long as whoever made it likes. Meanwhile its claim stays the one that was looked at.
func TestAClaimIsNotExchangedUnderAPodThatWasLetGo(t *testing.T) {
	w := shared
	w.make(t, "exchange")
	w.create(t, w.vault("exchange")+key("exchange", "exchange", inTransit("exchange"), now)+governed("exchange", "keys: [exchange], protection: Software"))
	w.phase(t, "exchange", v1alpha1.PhaseVerified)
	w.settled(t, "exchange")
	data := terroir.MustObjects(t, claim("exchange", "data", "exchange"))[0]
	if err := w.Create(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	w.create(t, `
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: exchange}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {is: nowhere}}}]}}
  containers: [{name: main, image: x}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`)
	p := &corev1.Pod{}
	eventually(t, "the pod is let go", func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "exchange", Name: "db-0"}, p); err != nil {
			return err
		}
		if gated(p) {
			return fmt.Errorf("its condition says %s", why(p))
		}
		return nil
	})
	w.create(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: editor, namespace: exchange}
rules: [{apiGroups: [""], resources: [persistentvolumeclaims], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: editor, namespace: exchange}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: editor}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}]
`)
	mallory, asIs := w.as(t, "mallory"), &corev1.PersistentVolumeClaim{}
	asIs.Namespace, asIs.Name = "exchange", "data"
	eventually(t, "the authorizer knows mallory", func() error { return mallory.Get(t.Context(), client.ObjectKeyFromObject(asIs), asIs) })
	named := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"volumeName":"by-hand"}}`))
	terroir.Denied(t, mallory.Patch(t.Context(), asIs.DeepCopy(), named), "spec.volumeName of PersistentVolumeClaim data stays as it is")
	if err := mallory.Delete(t.Context(), asIs); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the claim is gone", func() error {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(asIs), asIs.DeepCopy()); client.IgnoreNotFound(err) != nil || err == nil {
			return fmt.Errorf("reading it answers %w", err)
		}
		return nil
	})
	for _, again := range []string{claim("exchange", "data", "exchange"), claim("exchange", "data", `""`)} {
		terroir.Denied(t, w.try(t, again), "pod db-0 waits for a node, and was let go for another claim of this name")
	}
	w.kill(t, p)
	eventually(t, "once the pod is gone the name may be taken again", func() error {
		return w.Create(t.Context(), terroir.MustObjects(t, claim("exchange", "data", "exchange"))[0])
	})
}

func TestWithoutTheOperatorGatedPodsWaitAndOthersDoNot(t *testing.T) {
	w := shared
	w.make(t, "alone")
	w.create(t, w.vault("alone")+key("alone", "alone", inTransit("alone"), now)+governed("alone", "keys: [alone], protection: Software"))
	w.settled(t, "alone")
	w.phase(t, "alone", v1alpha1.PhaseVerified)
	w.create(t, claim("alone", "data-db-0", "alone"))
	if err := w.cluster.StopComponent(terroir.Component); err != nil {
		t.Fatal(err)
	}
	back := func() {
		if err := w.cluster.StartComponent(t.Context(), terroir.Component); err != nil {
			t.Fatal(err)
		}
	}
	gate := terroir.MustObjects(t, `
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: alone}
spec: {automountServiceAccountToken: false, containers: [{name: main, image: x}], volumes: [{name: data, persistentVolumeClaim: {claimName: data-db-0}}]}
`)[0]
	free := terroir.MustObjects(t, `
apiVersion: v1
kind: Pod
metadata: {name: stateless, namespace: alone}
spec: {automountServiceAccountToken: false, containers: [{name: main, image: x}]}
`)[0]
	for _, o := range []client.Object{gate, free} {
		if err := w.Create(t.Context(), o); err != nil {
			back()
			t.Fatal(err)
		}
	}
	eventually(t, "the pod without volumes runs", func() error {
		p := &corev1.Pod{}
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(free), p); err != nil {
			return err
		}
		if p.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("it is %s", p.Status.Phase)
		}
		return nil
	})
	p := &corev1.Pod{}
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(gate), p); err != nil || !gated(p) {
		t.Errorf("the pod with a volume has the gates %v: %v", p.Spec.SchedulingGates, err)
	}
	p.Spec.SchedulingGates = nil
	terroir.Denied(t, w.Update(t.Context(), p), "terroir.dev/encryption", "Terroir alone")
	back()
	w.runs(t, "alone", "")
}

// Last, so that it sees what all others left behind.
func TestZNothingSecretIsToldAnywhere(t *testing.T) {
	w := shared
	secrets := []string{w.bao.Token, "9999"}
	for _, file := range logs(w) {
		if strings.Contains(file, "apiserver") || strings.Contains(file, "etcd") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(text), `"`+secret+`"`) || len(secret) > 8 && strings.Contains(string(text), secret) {
				t.Errorf("%s tells a secret", file)
			}
		}
	}
}
