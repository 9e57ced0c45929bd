package keystore

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	coordinationv1ac "k8s.io/client-go/applyconfigurations/coordination/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Labels of the Leases by which observers confirm what they told.
const (
	// StoreLabel is the key of the label that names the KeyStore, and ObserverLabel of the one that names the observer.
	StoreLabel    = "terroir.dev/key-store"
	ObserverLabel = "terroir.dev/observer"
)

// LeaseName is the name of the Lease, in terroir-system, whose renewTime is when an observer's last sweep began that found every key of the store as it is told.
func LeaseName(store, observer string) string { return "keys." + store + "." + observer }

// tell writes what was seen of a key, if that is not what is written already. existing is the observation as the cache has it; nil: there is none.
func (w *worker) tell(ctx context.Context, key *v1alpha1.EncryptionKey, m *memory, existing *v1alpha1.KeyObservation) error {
	stale := m.wrote == nil || !equality.Semantic.DeepEqual(*m.wrote, m.told)
	if !stale && existing != nil && equality.Semantic.DeepEqual(existing.Spec, m.told) {
		return nil
	}
	if existing != nil && (existing.Spec.KeyUID != m.told.KeyUID || existing.Spec.Store != m.told.Store) { // of which key an observation is cannot be changed
		if err := w.delete(ctx, existing); err != nil {
			return err
		}
	}
	observation := &v1alpha1.KeyObservation{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KeyObservation"},
		ObjectMeta: metav1.ObjectMeta{
			Name: key.Name + "." + w.Name,
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: v1alpha1.GroupVersion.String(), Kind: "EncryptionKey", Name: key.Name, UID: key.UID}, // it goes with its key, even if its observer is gone
			},
		},
		Spec: m.told,
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(observation)
	if err != nil {
		return fmt.Errorf("encoding key observation %s: %w", observation.Name, err)
	}
	apply := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: content})
	if err := w.Client.Apply(ctx, apply, fieldOwner(w.Name), client.ForceOwnership); err != nil {
		return fmt.Errorf("writing key observation %s: %w", observation.Name, err)
	}
	m.wrote = m.told.DeepCopy()
	return nil
}

// confirm says that the sweep that began then found every key of the store as it is told.
func (w *worker) confirm(ctx context.Context, store *v1alpha1.KeyStore, began time.Time) error {
	name := LeaseName(w.store, w.Name)
	owner := metav1ac.OwnerReference().WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("KeyStore").WithName(store.Name).WithUID(store.UID)
	lease := coordinationv1ac.Lease(name, v1alpha1.SystemNamespace).
		WithLabels(map[string]string{StoreLabel: w.store, ObserverLabel: w.Name}).
		WithOwnerReferences(owner).
		WithSpec(coordinationv1ac.LeaseSpec().WithHolderIdentity(w.Name).WithRenewTime(metav1.NewMicroTime(began)))
	if err := w.Client.Apply(ctx, lease, fieldOwner(w.Name), client.ForceOwnership); err != nil {
		return fmt.Errorf("writing Lease %s: %w", name, err)
	}
	w.confirmed = began
	return nil
}

// lastSweep is what the Lease says, from before this process began. Zero: nobody can tell, so keys count as last found when they were first.
func (w *worker) lastSweep(ctx context.Context) time.Time {
	lease := &coordinationv1.Lease{}
	err := w.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: LeaseName(w.store, w.Name)}, lease)
	if client.IgnoreNotFound(err) != nil {
		w.Log.Error(err, "reading when keys were last confirmed failed", "store", w.store)
	}
	if err != nil || lease.Spec.RenewTime == nil {
		return time.Time{}
	}
	return lease.Spec.RenewTime.Time
}

// ignoreGone: what is to be deleted is gone, or by its name there is another one.
func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
