package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/internal/keys"
)

// +kubebuilder:rbac:groups="",resources=pods/eviction,verbs=create

// evictAgain is when an eviction that was refused, because of a disruption budget, is asked for again.
const evictAgain = 10 * time.Second

// bearer is a pod that holds ground with a volume under a key, and what is decided of it by.
type bearer struct {
	pod *seenPod
	// keys are the names of the EncryptionKeys under which its volumes are proven.
	keys []string
	// evict: those to whom it owes encryption want it evicted when a key is revoked.
	evict bool
}

// workload is what made the pod; one that nothing made is its own.
func (b bearer) workload() string { return b.pod.Namespace + "/" + b.pod.workload() }

// eviction is a pod that has to go, and the key for whose sake.
type eviction struct {
	pod *seenPod
	key keys.Verdict
}

// decideEvictions finds the pods that have to go because a key of theirs is revoked, confirmed, and not one of so many that it is rather a fault.
//
// Of each workload there is one at a time, and none while another pod of it is leaving, whatever makes that one leave: what evicts slowly can be stopped.
func decideEvictions(bearers []bearer, verdicts map[string]keys.Verdict, braked map[string]bool) []eviction {
	leaving := map[string]bool{}
	for _, b := range bearers {
		if b.pod.leaving {
			leaving[b.workload()] = true
		}
	}
	first := map[string]eviction{}
	for _, b := range bearers {
		key, lost := lostKey(b, verdicts, braked)
		if !lost || !b.evict || leaving[b.workload()] {
			continue
		}
		if other, chosen := first[b.workload()]; !chosen || b.pod.Name < other.pod.Name {
			first[b.workload()] = eviction{b.pod, key}
		}
	}
	all := make([]eviction, 0, len(first))
	for _, e := range first {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b eviction) int {
		return cmp.Or(cmp.Compare(a.pod.Namespace, b.pod.Namespace), cmp.Compare(a.pod.Name, b.pod.Name))
	})
	return all
}

// lostKey is the first key of a pod whose revocation has consequences.
func lostKey(b bearer, verdicts map[string]keys.Verdict, braked map[string]bool) (keys.Verdict, bool) {
	for _, name := range slices.Sorted(slices.Values(b.keys)) {
		if v, known := verdicts[name]; known && v.Revoked() && v.Confirmed && !braked[v.Key.Store] {
			return v, true
		}
	}
	return keys.Verdict{}, false
}

// subresource creates one of a pod; that of evictions is client.Client's SubResource("eviction").
type subresource interface {
	Create(ctx context.Context, pod, subResource client.Object, options ...client.SubResourceCreateOption) error
}

// evictor carries evictions out.
type evictor struct {
	evictions subresource
	// live reads past the cache.
	live     client.Reader
	recorder events.EventRecorder
}

// carryOut evicts, and says when to look again because of pods that a disruption budget kept. Zero: there are none.
func (e evictor) carryOut(ctx context.Context, evictions []eviction, now time.Time) (again time.Time, err error) {
	var failed error
	for _, gone := range evictions {
		switch err := e.evict(ctx, gone); {
		case apierrors.IsTooManyRequests(err):
			again = now.Add(evictAgain)
		case err != nil:
			failed = errors.Join(failed, err)
		}
	}
	return again, failed
}

// evict evicts a pod as it is now, and no other that has come by its name. It is read anew, since the cache keeps too little of it.
func (e evictor) evict(ctx context.Context, gone eviction) error {
	pod := &corev1.Pod{}
	if err := e.live.Get(ctx, client.ObjectKey{Namespace: gone.pod.Namespace, Name: gone.pod.Name}, pod); err != nil {
		return e.unlessGone(gone, err)
	}
	another := gone.pod.UID != "" && pod.UID != gone.pod.UID || pod.Spec.NodeName != gone.pod.on()
	if another || !pod.DeletionTimestamp.IsZero() || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	request := &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
	}
	if err := e.evictions.Create(ctx, pod, request); err != nil {
		return e.unlessGone(gone, err)
	}
	e.recorder.Eventf(pod, nil, corev1.EventTypeWarning, "KeyRevoked", "Evict", "evicted: a volume is under EncryptionKey/%s, and %s", gone.key.Key.Name, gone.key.Message)
	return nil
}

// unlessGone passes over a pod that is gone, or has become another.
func (e evictor) unlessGone(gone eviction, err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("evicting pod %s/%s: %w", gone.pod.Namespace, gone.pod.Name, err)
}
