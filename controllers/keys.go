package controllers

import (
	"context"
	"errors"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/snapshot"
)

// +kubebuilder:rbac:groups=terroir.dev,resources=encryptionkeys;keystores;keyobservations,verbs=get;list;watch
// +kubebuilder:rbac:groups=terroir.dev,resources=encryptionkeys/status;keystores/status,verbs=patch
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;list;watch,namespace=terroir-system

// Keys judges keys by what observers saw of them, and writes the statuses of EncryptionKeys and KeyStores.
type Keys struct {
	writer
	reader client.Reader
	pods   podLister
	store  *snapshot.Store
	// surveyor looks up how volumes are encrypted.
	surveyor *surveyor
	now      Clock
	// news tells of keys that begin, or cease, to be what they must be; metrics tells what they are.
	news    keyNews
	metrics *keyMetrics
}

func (k *Keys) loop() loop {
	return loop{
		name: "keys", pass: k.pass,
		watches: []watch{
			{object: &v1alpha1.KeyStore{}, after: atOnce, news: specChanged},
			{object: &v1alpha1.EncryptionKey{}, after: atOnce, news: specChanged},
			{object: &v1alpha1.KeyObservation{}, after: atOnce, news: specChanged},
			{object: &v1alpha1.Zone{}, after: shortly, news: specChanged},
			{object: &coordinationv1.Lease{}, after: atLeisure},
			// Who relies on keys.
			{object: &storagev1.StorageClass{}, after: atLeisure, news: metadataChanged},
			{object: &corev1.PersistentVolumeClaim{}, after: atLeisure, news: claimChanged},
			{object: &corev1.Pod{}, after: atLeisure, news: podMoved, about: func(o client.Object) bool { return len(o.(*seenPod).claims) > 0 }},
		},
	}
}

// keysWorld is what keys are judged by.
type keysWorld struct {
	stores       map[string]*v1alpha1.KeyStore
	keys         []v1alpha1.EncryptionKey
	observations map[string][]*v1alpha1.KeyObservation // by key
	// renewed says, by the names of observers' Leases, when the last sweep began that found every key as it is told.
	renewed map[string]time.Time
	zones   map[string]bool
}

func (k *Keys) pass(ctx context.Context) (reconcile.Result, error) {
	world, err := gatherKeys(ctx, k.reader)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := k.now()
	verdicts := judgeKeys(world, now)
	relied, uncounted := k.count(ctx, world, now)
	decided := decideKeys(world, verdicts, relied, now)
	k.metrics.show(decided)
	if err := errors.Join(uncounted, k.carryOut(ctx, decided)); err != nil {
		return reconcile.Result{}, err
	}
	return wakeAt(now, nextVerdict(verdicts)), nil
}

// count finds who relies on keys. What keys are is told though that fails.
func (k *Keys) count(ctx context.Context, world keysWorld, now time.Time) (map[string]reliance, error) {
	current, ok := k.store.Load()
	if !ok || len(world.keys) == 0 {
		return nil, nil //nolint:nilnil // nil says that nobody counted
	}
	var namespaces corev1.NamespaceList
	if err := listAll(ctx, k.reader, &namespaces); err != nil {
		return nil, err
	}
	pods, err := k.pods()
	if err != nil {
		return nil, err
	}
	stored, err := gatherStorage(ctx, k.reader)
	if err != nil {
		return nil, err
	}
	found, err := k.surveyor.survey(ctx, stored, encrypting(current.Policies, namespaces.Items, pods), now)
	if err != nil {
		return nil, err
	}
	return relianceOn(found, pods), nil
}

// gatherKeys reads all that keys are judged by.
func gatherKeys(ctx context.Context, reader client.Reader) (keysWorld, error) {
	var (
		stores       v1alpha1.KeyStoreList
		all          v1alpha1.EncryptionKeyList
		observations v1alpha1.KeyObservationList
		zones        v1alpha1.ZoneList
		leases       coordinationv1.LeaseList
	)
	if err := listAll(ctx, reader, &stores, &all, &observations, &zones, &leases); err != nil {
		return keysWorld{}, err
	}
	w := keysWorld{
		stores: map[string]*v1alpha1.KeyStore{}, keys: all.Items, observations: map[string][]*v1alpha1.KeyObservation{},
		renewed: map[string]time.Time{}, zones: map[string]bool{},
	}
	for i := range stores.Items {
		w.stores[stores.Items[i].Name] = &stores.Items[i]
	}
	for i := range observations.Items {
		o := &observations.Items[i]
		w.observations[string(o.Spec.Key)] = append(w.observations[string(o.Spec.Key)], o)
	}
	for i := range zones.Items {
		w.zones[zones.Items[i].Name] = true
	}
	for i := range leases.Items {
		if l := &leases.Items[i]; l.Namespace == v1alpha1.SystemNamespace && l.Spec.RenewTime != nil {
			w.renewed[l.Name] = l.Spec.RenewTime.Time
		}
	}
	return w, nil
}

// judgeKeys says what every key is, by name.
func judgeKeys(world keysWorld, now time.Time) map[string]keys.Verdict {
	verdicts := make(map[string]keys.Verdict, len(world.keys))
	for i := range world.keys {
		key := &world.keys[i]
		verdicts[key.Name] = keys.Compile(key, world.stores[string(key.Spec.Store)]).Judge(world.seenOf(key), now)
	}
	return verdicts
}

// seenOf is what the observers saw of a key whose word counts: of this very key, in its store, and by those who are to ask there.
func (w keysWorld) seenOf(key *v1alpha1.EncryptionKey) []keys.Observation {
	store := w.stores[string(key.Spec.Store)]
	if store == nil {
		return nil
	}
	var seen []keys.Observation
	for _, o := range w.observations[key.Name] {
		s := &o.Spec
		if s.KeyUID == string(key.UID) && s.Store == key.Spec.Store && w.asks(store, string(s.Observer)) {
			seen = append(seen, seenBy(s, w.renewed[keystore.LeaseName(store.Name, string(s.Observer))]))
		}
	}
	return seen
}

// asks says whether an observer is one of those who are to ask a store: the manager or the agent beside it, or the agent of a Zone that there is.
func (w keysWorld) asks(store *v1alpha1.KeyStore, observer string) bool {
	if store.Spec.Probe.From == v1alpha1.ProbeFromAgent {
		zone, ok := keys.ZoneOf(observer)
		return ok && w.zones[zone]
	}
	return observer == keystore.ForManager(store.Spec.Type)
}

// seenBy reads an observation. A sweep that began before it was first so confirms nothing.
func seenBy(s *v1alpha1.KeyObservationSpec, renewed time.Time) keys.Observation {
	o := keys.Observation{
		Observer: string(s.Observer), Outcome: s.Outcome, Message: s.Message, Since: s.Since.Time, Confirmed: s.Since.Time, Fingerprint: s.Fingerprint,
	}
	if renewed.After(o.Since) {
		o.Confirmed = renewed
	}
	if s.LastFound != nil {
		o.LastFound = s.LastFound.Time
	}
	for _, f := range s.Facts {
		o.Facts = append(o.Facts, keys.Fact{Name: f.Name, Value: f.Value, Evidence: f.Evidence, Source: string(s.Observer), Since: f.Since.Time})
	}
	return o
}

// nextVerdict is when time alone may change what a key is.
func nextVerdict(verdicts map[string]keys.Verdict) time.Time {
	var next time.Time
	for _, v := range verdicts {
		next = earliest(next, v.NextChange)
	}
	return next
}

// keyStatuses are objects as they are and as they should be.
type keyStatuses struct {
	keys   []keyStatus
	stores []storeStatus
}

type keyStatus struct {
	is, wanted *v1alpha1.EncryptionKey
	verdict    keys.Verdict
}

type storeStatus struct{ is, wanted *v1alpha1.KeyStore }

// reliance is who relies on a key.
type reliance struct {
	classes, claims []string // sorted; claims as namespace/name
	volumes, pods   int32
}

// decideKeys finds the statuses of keys and stores. Nil says that nobody counted who relies on them: then what is told of that stays.
func decideKeys(world keysWorld, verdicts map[string]keys.Verdict, relied map[string]reliance, now time.Time) keyStatuses {
	var s keyStatuses
	for i := range world.keys {
		is := &world.keys[i]
		wanted := is.DeepCopy()
		wanted.Status = statusOfKey(is, verdicts[is.Name])
		if relied != nil {
			relied[is.Name].tell(&wanted.Status)
		}
		s.keys = append(s.keys, keyStatus{is, wanted, verdicts[is.Name]})
	}
	counts := countStores(world, verdicts)
	for _, store := range world.stores {
		// Who asks the token writes about his login there; what he writes is his.
		is, wanted := store.DeepCopy(), store.DeepCopy()
		is.Status.Login, wanted.Status.Login = nil, nil
		wanted.Status = statusOfStore(wanted, counts[store.Name], answerOf(store, world, now))
		s.stores = append(s.stores, storeStatus{is, wanted})
	}
	return s
}

func (k *Keys) carryOut(ctx context.Context, s keyStatuses) error {
	var failed error
	k.news.remember(s.keys)
	for _, key := range s.keys {
		if err := k.status(ctx, key.is, key.wanted); err != nil {
			failed = errors.Join(failed, err)
			continue // the next pass writes it, and tells
		}
		k.news.tell(key)
	}
	for _, store := range s.stores {
		failed = errors.Join(failed, k.status(ctx, store.is, store.wanted))
	}
	return failed
}
