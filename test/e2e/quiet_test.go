package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/provisioner"
	"github.com/terroir-dev/terroir/test/terroir"
	"github.com/terroir-dev/terroir/test/transit"
)

// Every loop looks at the whole world in each pass. Whatever would not settle would be written again in the next one, so a pass
// that demonstrably took place and left everything else as it was shows that nothing is written for nothing.
func TestNothingIsWrittenThatDidNotChange(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "quiet")
	// The passes bring zones that read this label, and the fence keeps the labels that zones read: it shall know this one throughout.
	w.create(t, `{apiVersion: terroir.dev/v1alpha1, kind: Zone, metadata: {name: always}, spec: {country: DE, recognition: {labels: {only: always}}}}`)
	w.create(t, deployment("quiet", "web", 3, ""))
	w.pods(t, "quiet", 3)
	w.pass(t, "settle-1")
	w.pass(t, "settle-2")
	before := w.versions(t)
	for _, name := range []string{"pass-1", "pass-2", "pass-3"} {
		w.pass(t, name)
	}
	if diff := cmp.Diff(before, w.versions(t)); diff != "" {
		t.Errorf("resource versions (-before +after):\n%s", diff)
	}
}

// A key that nothing happens to costs one write for each sweep of its store, the Lease, however many keys, claims and pods rely on it. The store is asked
// every second here, and each pass comes after sweeps that demonstrably took place.
func TestOnlyLeasesAreWrittenForKeysThatDidNotChange(t *testing.T) {
	w := shared
	w.ground(t)
	bao, err := terroir.StartBao(w.cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bao.Close() })
	for _, secret := range bao.Secrets() {
		if err := w.Create(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.remove(t, secret) })
	}
	if err := bao.Create("calm", transit.Key{Type: transit.AES256}); err != nil {
		t.Fatal(err)
	}
	w.create(t, fmt.Sprintf(calmKeys, bao.Address()))
	w.policyIs(t, "calm", v1alpha1.ConditionReady, "True", "Enforced")
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: calm, labels: {calm: "yes"}}}`)
	eventually(t, "the namespace owes encryption", func() error {
		var n corev1.Namespace
		if err := w.Get(t.Context(), client.ObjectKey{Name: "calm"}, &n); err != nil {
			return err
		}
		if n.Labels[v1alpha1.EncryptedLabel] != "true" {
			return fmt.Errorf("its labels are %v", n.Labels)
		}
		return nil
	})
	go provisioner.Run(t.Context(), w.Client)
	t.Cleanup(func() { w.removeVolume(t) })
	w.create(t, calmData("calm")+calmData("declared"))
	w.calm(t)
	// The passes bring zones that read this label, and the fence keeps the labels that zones read: it shall know this one throughout.
	w.create(t, `{apiVersion: terroir.dev/v1alpha1, kind: Zone, metadata: {name: always}, spec: {country: DE, recognition: {labels: {only: always}}}}`)
	w.swept(t, "calm", 2)
	w.pass(t, "keys-settle")
	before := w.keyed(t)
	for _, name := range []string{"keys-1", "keys-2"} {
		w.swept(t, "calm", 2)
		w.pass(t, name)
	}
	if diff := cmp.Diff(before, w.keyed(t)); diff != "" {
		t.Errorf("resource versions (-before +after):\n%s", diff)
	}
}

// calmKeys are a store that answers and one that nobody asks, each with a key and a class.
const calmKeys = `
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: calm}
spec:
  type: Transit
  transit: {address: %q}
  tls: {caSecretRef: {name: bao-ca}}
  credentialsSecretRef: {name: bao-token}
  probe: {interval: 1s, roundTripInterval: 1s, timeout: 900ms}
  declared: {custody: Customer, zones: {home: [gouv-west-1a]}}
---
apiVersion: terroir.dev/v1alpha1
kind: EncryptionKey
metadata: {name: calm}
spec: {store: calm, ref: {transit: {key: calm}}, namespaceSelector: {matchLabels: {calm: "yes"}}, requirements: {extractable: ForbiddenNow}, storage: [{driver: block-storage.csi.stackit.cloud, keyID: id-calm}]}
---
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: declared}
spec: {type: Declared, declared: {custody: Customer, protection: HSM, zones: {home: [gouv-west-1a]}}}
---
apiVersion: terroir.dev/v1alpha1
kind: EncryptionKey
metadata: {name: declared}
spec: {store: declared, ref: {declared: {}}, namespaceSelector: {matchLabels: {calm: "yes"}}, requirements: {algorithms: [AES, RSA, EC, ChaCha20], minBits: 1, extractable: Allowed, origin: Any}, storage: [{driver: block-storage.csi.stackit.cloud, keyID: id-declared}]}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: calm}
spec: {namespaceSelector: {matchLabels: {calm: "yes"}}, trustLevels: [trusted], enforcement: Enforce, encryption: {protection: Software}}
`

// calmData is a class of a key, a claim of that class, and a Deployment of one pod that mounts it.
func calmData(key string) string {
	return fmt.Sprintf(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: %[1]s}
provisioner: block-storage.csi.stackit.cloud
parameters: {type: premium, encrypted: "true", kmsKeyID: id-%[1]s, kmsKeyringID: ring, kmsKeyVersion: "1", kmsServiceAccount: keys@example.org}
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %[1]s, namespace: calm}
spec: {accessModes: [ReadWriteOnce], storageClassName: %[1]s, resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: calm}
spec:
  replicas: 1
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}], volumes: [{name: data, persistentVolumeClaim: {claimName: %[1]s}}]}
---
`, key)
}

// calm waits until all is written that is to be: the proof of the volume, how many rely on each key, and why the pod waits whose key is only declared.
func (w *world) calm(t *testing.T) {
	t.Helper()
	eventually(t, "all is told that is to be told of the keys", func() error {
		var claim corev1.PersistentVolumeClaim
		var v corev1.PersistentVolume
		var proven, declared v1alpha1.EncryptionKey
		var store v1alpha1.KeyStore
		var pods corev1.PodList
		err := errors.Join(
			w.List(t.Context(), &pods, client.InNamespace("calm")),
			w.Get(t.Context(), client.ObjectKey{Namespace: "calm", Name: "calm"}, &claim), w.Get(t.Context(), client.ObjectKey{Name: "calm"}, &proven),
			w.Get(t.Context(), client.ObjectKey{Name: "declared"}, &declared), w.Get(t.Context(), client.ObjectKey{Name: "calm"}, &store),
		)
		if err != nil {
			return err
		}
		if err := w.Get(t.Context(), client.ObjectKey{Name: claim.Spec.VolumeName}, &v); err != nil {
			return fmt.Errorf("the volume of the claim: %w; the pods are %+v", err, pods.Items)
		}
		if v.Annotations[v1alpha1.ProofAnnotation] == "" || proven.Status.Pods != 1 || declared.Status.Pods != 1 || store.Status.Verified != 1 || !meta.IsStatusConditionTrue(store.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("the volume has %v, the keys are %+v and %+v, and the store %+v", v.Annotations, proven.Status, declared.Status, store.Status)
		}
		for i := range pods.Items {
			p := &pods.Items[i]
			runs := p.Status.Phase == corev1.PodRunning
			if waits := len(p.Spec.SchedulingGates) > 0; runs == waits || waits != (p.Labels["app"] == "declared") {
				return fmt.Errorf("pod %s is %s behind %v: %+v", p.Name, p.Status.Phase, p.Spec.SchedulingGates, p.Status.Conditions)
			}
		}
		return nil
	})
}

// removeVolume deletes the volume that was made for the claim: no driver does.
func (w *world) removeVolume(t *testing.T) {
	t.Helper()
	var volumes corev1.PersistentVolumeList
	if err := w.List(context.Background(), &volumes); err != nil { // the test's own context has ended
		t.Fatal(err)
	}
	for i := range volumes.Items {
		if volumes.Items[i].Spec.StorageClassName == "calm" {
			w.remove(t, &volumes.Items[i])
		}
	}
}

// swept waits until a store was asked for all its keys so many times more.
func (w *world) swept(t *testing.T, store string, times int) {
	t.Helper()
	var last string
	for range times + 1 {
		eventually(t, "store "+store+" is swept", func() error {
			var l coordinationv1.Lease
			if err := w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "keys." + store + ".manager"}, &l); err != nil {
				return err
			}
			if l.Spec.RenewTime == nil || l.Spec.RenewTime.String() == last {
				return fmt.Errorf("it was renewed at %v", l.Spec.RenewTime)
			}
			last = l.Spec.RenewTime.String()
			return nil
		})
	}
}

// keyed gives the resource version of everything on which Terroir writes for keys.
func (w *world) keyed(t *testing.T) map[string]string {
	t.Helper()
	found := w.versionsOf(t, []client.ObjectList{
		&v1alpha1.KeyStoreList{}, &v1alpha1.EncryptionKeyList{}, &v1alpha1.KeyObservationList{},
		&corev1.PersistentVolumeClaimList{}, &corev1.PersistentVolumeList{}, &storagev1.StorageClassList{}, &corev1.PodList{},
	}, client.InNamespace("calm"))
	maps.Copy(found, w.versions(t))
	return found
}

// pass makes every loop look at the world, and waits until it did: each has something new to write then.
func (w *world) pass(t *testing.T, name string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		w.create(t, fmt.Sprintf(`
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: %[1]s}
spec: {country: DE, recognition: {labels: {only: %[1]s}}}
---
apiVersion: v1
kind: Node
metadata: {name: %[1]s, labels: {only: %[1]s}}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: %[1]s}
spec: {namespaceSelector: {matchLabels: {nobody: %[1]s}}, trustLevels: [trusted], enforcement: Enforce}
`, name))
		w.labelled(t, name, v1alpha1.ZoneLabel, name)
		w.policyIs(t, name, v1alpha1.ConditionReady, "True", "Enforced")
		eventually(t, "the zone's status is written", func() error {
			var z v1alpha1.Zone
			if err := w.Get(t.Context(), client.ObjectKey{Name: name}, &z); err != nil {
				return err
			}
			if z.Status.Nodes != 1 {
				return fmt.Errorf("it is %+v", z.Status)
			}
			return nil
		})
		eventually(t, "the fence marks its namespaces", func() error {
			return w.Get(t.Context(), client.ObjectKey{Name: "terroir-namespaces-" + name}, &admissionregistrationv1.MutatingAdmissionPolicyBinding{})
		})
	})
}

// versions gives the resource version of everything that Terroir writes, and that did not change for its own reasons: trust levels
// count the policies that require them.
func (w *world) versions(t *testing.T) map[string]string {
	t.Helper()
	return w.versionsOf(t, []client.ObjectList{
		&v1alpha1.FrameworkList{}, &v1alpha1.CloudProviderList{}, &v1alpha1.ZoneList{}, &v1alpha1.QualificationList{},
		&v1alpha1.ClusterPlacementPolicyList{}, &v1alpha1.PlacementPolicyList{}, &v1alpha1.PlacementFloorList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyList{}, &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
		&admissionregistrationv1.MutatingAdmissionPolicyList{}, &admissionregistrationv1.MutatingAdmissionPolicyBindingList{},
		&admissionregistrationv1.ValidatingWebhookConfigurationList{}, &admissionregistrationv1.MutatingWebhookConfigurationList{},
	})
}

// versionsOf gives the resource version of everything of these kinds, in one namespace if the options say so.
func (w *world) versionsOf(t *testing.T, lists []client.ObjectList, options ...client.ListOption) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, list := range lists {
		if err := w.List(t.Context(), list, options...); err != nil {
			t.Fatal(err)
		}
		err := meta.EachListItem(list, func(o runtime.Object) error {
			item := o.(client.Object)
			found[fmt.Sprintf("%T %s", item, client.ObjectKeyFromObject(item))] = fmt.Sprint(item.GetResourceVersion(), " generation ", item.GetGeneration())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
