package keys

import (
	"fmt"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// More keys are destroyed than the store's maxKeys: that is rather a fault than a decision, and evicts nobody until a person says that it is one.
func TestTheBrakeKeepsManyRevokedKeysFromEvictingAnybody(t *testing.T) {
	w := shared
	w.make(t, "braked")
	w.make(t, "spare")
	w.create(t, w.vault("braked")+key("braked", "braked", inTransit("braked"), now)+key("spare", "braked", inTransit("spare"), now)+
		governed("braked", "keys: [braked], protection: Software, onRevocation: Evict"))
	w.patch(t, &v1alpha1.KeyStore{}, "braked", `{"spec":{"revocation":{"confirmations":1,"delay":"0s","maxKeys":1}}}`)
	w.phase(t, "spare", v1alpha1.PhaseVerified)
	w.settled(t, "braked")
	w.create(t, database("braked", "braked"))
	running := w.runs(t, "braked", "")
	w.shown(t, "braked")
	// The one on which nobody relies goes first: with the other one there are two at once, whichever a sweep comes upon first.
	w.bao.Delete("spare")
	w.phase(t, "spare", v1alpha1.PhaseDestroyed)
	w.bao.Delete("braked")
	w.phase(t, "braked", v1alpha1.PhaseDestroyed)
	eventually(t, "the store says that its brake is on", func() error {
		s := &v1alpha1.KeyStore{}
		if err := w.Get(t.Context(), client.ObjectKey{Name: "braked"}, s); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionBraked) || s.Status.Revoked != 2 {
			return fmt.Errorf("it is %+v", s.Status)
		}
		return nil
	})
	w.revoked(t, "braked")
	w.sweeps(t, "braked", 3)
	w.untouched(t, running)
	w.patch(t, &v1alpha1.KeyStore{}, "braked", `{"spec":{"revocation":{"maxKeys":2}}}`)
	eventually(t, "the pod is evicted when it is called a decision", func() error {
		p := &corev1.Pod{}
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(running), p); err != nil {
			return client.IgnoreNotFound(err)
		}
		if p.UID == running.UID && p.DeletionTimestamp.IsZero() {
			return fmt.Errorf("it runs")
		}
		return nil
	})
}

func (w *world) patch(t *testing.T, o client.Object, name, patch string) {
	t.Helper()
	o.SetName(name)
	if err := w.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// sweeps waits until the operator has asked a store for all its keys so many times more.
func (w *world) sweeps(t *testing.T, store string, times int) {
	t.Helper()
	last := ""
	for range times + 1 {
		eventually(t, "store "+store+" is swept", func() error {
			l := &coordinationv1.Lease{}
			if err := w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "keys." + store + ".manager"}, l); err != nil {
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
