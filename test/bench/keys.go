package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/test/terroir"
	"github.com/terroir-dev/terroir/test/transit"
)

// keyFigures are what proving keys costs, and how long news of them takes.
type keyFigures struct {
	every  time.Duration // is how often many keys are looked at
	sweeps []sweepFigure
	// made is from a key's making to Verified, gate from there to when a pod that waited is let go, destroyed from its destruction to the status. The store is asked
	// every keyInterval.
	made, gate, destroyed []time.Duration
}

// sweepFigure is what many keys cost.
type sweepFigure struct {
	stores, keys int
	// first is from the first key's creation until all are Verified; sweep is how long looking at a store's keys takes later, at most.
	first, sweep time.Duration
	// steady is for how long nothing happened, with so much CPU, memory and requests to write.
	steady  time.Duration
	cpu     time.Duration
	holds   memory
	wrote   writes
	looks   int // of all keys, within steady
	without memory
}

// keyInterval is how often keys are looked at of which there is news.
const keyInterval = time.Second

// keys measures on a control plane of its own, with a transit server behind it.
func (b *bench) keys(ctx context.Context, l *lab, f *figures) (err error) {
	b.say("keys: starting a control plane")
	f.keys.every = b.keyEvery
	s, err := newSite(ctx, filepath.Join(l.dir, "keys"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if err := terroir.Install(ctx, s.Cluster); err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	bao, err := terroir.StartBao(s.Cluster)
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	defer func() { err = errors.Join(err, bao.Close()) }()
	k := &keyLab{bench: b, site: s, bao: bao}
	if err := k.furnish(ctx); err != nil {
		return err
	}
	for _, many := range []struct{ stores, keys int }{{1, b.keyCount}, {b.storeCount, b.keyCount}} {
		b.say("keys: %d in %d stores", many.keys, many.stores)
		found, err := k.sweep(ctx, many.stores, many.keys)
		if err != nil {
			return err
		}
		f.keys.sweeps = append(f.keys.sweeps, found)
	}
	b.say("keys: made and destroyed, %d times", b.keyNews)
	for i := range b.keyNews {
		if err := k.news(ctx, i, &f.keys); err != nil {
			return err
		}
	}
	return nil
}

// keyLab is where keys are made.
type keyLab struct {
	*bench
	*site
	bao *terroir.Bao
}

const keyObjects = "keys.yaml"

// furnish creates a namespace that owes encryption, and what is needed to ask the server.
func (k *keyLab) furnish(ctx context.Context) error {
	for _, secret := range k.bao.Secrets() {
		if err := k.createOne(ctx, secret); err != nil {
			return err
		}
	}
	return k.create(ctx, keyObjects)
}

func storeName(i int) string { return fmt.Sprintf("bench-%03d", i) }

func (k *keyLab) store(name string, interval time.Duration) *v1alpha1.KeyStore {
	probe := v1alpha1.KeyProbe{Interval: v1alpha1.ProbeDuration(interval.String()), Timeout: "900ms"}
	return &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.KeyStoreSpec{
		Type: v1alpha1.KeyStoreTransit, Transit: &v1alpha1.TransitStore{Address: k.bao.Address()},
		TLS: &v1alpha1.KeyStoreTLS{CASecretRef: &v1alpha1.SecretReference{Name: "bao-ca"}}, CredentialsSecretRef: &v1alpha1.SecretReference{Name: "bao-token"},
		Probe:    probe,
		Declared: &v1alpha1.KeyStoreDeclaration{Custody: v1alpha1.CustodyCustomer, Zones: v1alpha1.KeyStoreZones{Home: []v1alpha1.ObjectName{"bench"}}},
	}}
}

func encryptionKey(name, store string) *v1alpha1.EncryptionKey {
	return &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EncryptionKeySpec{
		Store: v1alpha1.ObjectName(store), Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{Key: name}},
		Storage:           []v1alpha1.StorageKey{{Driver: "block-storage.csi.stackit.cloud", KeyID: name}},
		NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"bench": "keys"}},
		Requirements:      v1alpha1.KeyRequirements{Extractable: v1alpha1.ExtractableForbiddenNow},
	}}
}

// sweep brings keys, waits until all are proven, and looks on while nothing happens.
func (k *keyLab) sweep(ctx context.Context, stores, count int) (f sweepFigure, err error) {
	f = sweepFigure{stores: stores, keys: count}
	manager, err := k.processOf(terroir.Component)
	if err != nil {
		return f, err
	}
	if f.without, err = manager.memory(); err != nil {
		return f, err
	}
	begun := time.Now()
	if err := k.bring(ctx, stores, count); err != nil {
		return f, err
	}
	if err := within(ctx, 5*time.Minute, "all keys to be Verified", func(ctx context.Context) error { return k.verified(ctx, count) }); err != nil {
		return f, err
	}
	f.first = time.Since(begun)
	if err := k.settle(ctx); err != nil {
		return f, err
	}
	if err := k.steady(ctx, manager, &f); err != nil {
		return f, err
	}
	return f, k.clear(ctx)
}

func (k *keyLab) bring(ctx context.Context, stores, count int) error {
	for i := range stores {
		if err := k.createOne(ctx, k.store(storeName(i), k.keyEvery)); err != nil {
			return err
		}
	}
	return inParallelly(count, func(i int) error {
		name := fmt.Sprintf("bench-%04d", i)
		if err := k.bao.Create(name, transit.Key{Type: transit.AES256}); err != nil {
			return err //nolint:wrapcheck // says what it was doing
		}
		return k.createOne(ctx, encryptionKey(name, storeName(i%stores)))
	})
}

func (k *keyLab) verified(ctx context.Context, want int) error {
	var keys v1alpha1.EncryptionKeyList
	if err := k.client.List(ctx, &keys); err != nil {
		return fmt.Errorf("listing keys: %w", err)
	}
	verified := 0
	for i := range keys.Items {
		if keys.Items[i].Status.Phase == v1alpha1.PhaseVerified {
			verified++
		}
	}
	if verified != want {
		return fmt.Errorf("%d of %d keys are Verified", verified, want)
	}
	return nil
}

// steady looks on for a few intervals.
func (k *keyLab) steady(ctx context.Context, manager process, f *sweepFigure) error {
	f.steady = k.keyRest
	before, err := manager.cpu()
	if err != nil {
		return err
	}
	k.bao.Asked() // forgets what was asked so far
	err = k.whileWriting(&f.wrote, func() (err error) {
		f.sweep, err = k.longestSweep(ctx, f.steady)
		return err
	})
	if err != nil {
		return err
	}
	after, err := manager.cpu()
	if err != nil {
		return err
	}
	f.cpu, f.looks = after-before, k.looks(f.keys)
	f.holds, err = manager.memory()
	return err
}

// looks is how often each of so many keys was read since it was last asked.
func (k *keyLab) looks(keys int) int {
	reads := 0
	for _, call := range k.bao.Asked() {
		if strings.HasPrefix(call, http.MethodGet) && strings.Contains(call, "/keys/") {
			reads++
		}
	}
	return reads / keys
}

// longestSweep watches Leases for a while: each says when a sweep began, and is written when it ended.
func (k *keyLab) longestSweep(ctx context.Context, d time.Duration) (longest time.Duration, err error) {
	clientset, err := kubernetes.NewForConfig(k.Config())
	if err != nil {
		return 0, fmt.Errorf("making a client: %w", err)
	}
	leases, err := clientset.CoordinationV1().Leases(v1alpha1.SystemNamespace).Watch(ctx, metav1.ListOptions{LabelSelector: keystore.StoreLabel})
	if err != nil {
		return 0, fmt.Errorf("watching leases: %w", err)
	}
	defer leases.Stop()
	end := time.After(d)
	for {
		select {
		case <-end:
			return longest, nil
		case e, open := <-leases.ResultChan():
			if !open {
				return 0, errors.New("watching leases: the watch has ended")
			}
			if l, is := e.Object.(*coordinationv1.Lease); is && e.Type == watch.Modified && l.Spec.RenewTime != nil {
				longest = max(longest, time.Since(l.Spec.RenewTime.Time))
			}
		}
	}
}

// clear takes all keys and stores away.
func (k *keyLab) clear(ctx context.Context) error {
	for _, o := range []client.Object{&v1alpha1.EncryptionKey{}, &v1alpha1.KeyStore{}} {
		if err := k.client.DeleteAllOf(ctx, o); err != nil {
			return fmt.Errorf("taking away %T: %w", o, err)
		}
	}
	return eventually(ctx, "what was seen of keys to be gone", func(ctx context.Context) error {
		var seen v1alpha1.KeyObservationList
		if err := k.client.List(ctx, &seen); err != nil {
			return fmt.Errorf("listing observations: %w", err)
		}
		if len(seen.Items) > 0 {
			return fmt.Errorf("%d are there", len(seen.Items))
		}
		return nil
	})
}

// news makes a key for which a pod waits, and destroys it.
func (k *keyLab) news(ctx context.Context, i int, f *keyFigures) error {
	name := fmt.Sprintf("bench-news-%d", i)
	for _, o := range []client.Object{k.store(name, keyInterval), encryptionKey(name, name), benchClass(name), benchClaim(name), benchPod(name)} {
		if err := k.createOne(ctx, o); err != nil {
			return err
		}
	}
	if err := k.awaitPhase(ctx, name, v1alpha1.PhaseNotFound); err != nil {
		return err
	}
	if err := k.bao.Create(name, transit.Key{Type: transit.AES256}); err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	made := time.Now()
	if err := k.awaitPhase(ctx, name, v1alpha1.PhaseVerified); err != nil {
		return err
	}
	verified := time.Now()
	if err := k.awaitLetGo(ctx, name); err != nil {
		return err
	}
	f.made, f.gate = append(f.made, verified.Sub(made)), append(f.gate, time.Since(verified))
	k.bao.Delete(name)
	gone := time.Now()
	if err := k.awaitPhase(ctx, name, v1alpha1.PhaseDestroyed); err != nil {
		return err
	}
	f.destroyed = append(f.destroyed, time.Since(gone))
	return nil
}

// closely waits as eventually does, and looks every few milliseconds: the time is what is measured.
func closely(ctx context.Context, what string, condition func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		done, err := condition(ctx)
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if done {
			return nil
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

func (k *keyLab) awaitPhase(ctx context.Context, name string, phase v1alpha1.KeyPhase) error {
	return closely(ctx, fmt.Sprintf("key %s to be %s", name, phase), func(ctx context.Context) (bool, error) {
		key := &v1alpha1.EncryptionKey{}
		err := k.client.Get(ctx, client.ObjectKey{Name: name}, key)
		return key.Status.Phase == phase, err
	})
}

func (k *keyLab) awaitLetGo(ctx context.Context, name string) error {
	return closely(ctx, "pod "+name+" to be let go", func(ctx context.Context) (bool, error) {
		pod := &corev1.Pod{}
		err := k.client.Get(ctx, client.ObjectKey{Namespace: benchKeys, Name: name}, pod)
		return len(pod.Spec.SchedulingGates) == 0, err
	})
}

// benchKeys is the namespace that owes encryption, of objects/keys.yaml.
const benchKeys = "bench-keys"

func benchClass(name string) *storagev1.StorageClass {
	return &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: "block-storage.csi.stackit.cloud", VolumeBindingMode: new(storagev1.VolumeBindingWaitForFirstConsumer),
		Parameters: map[string]string{"type": "premium", "encrypted": "true", "kmsKeyID": name, "kmsKeyringID": "ring", "kmsKeyVersion": "1", "kmsServiceAccount": "bench@example.org"},
	}
}

func benchClaim(name string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: benchKeys, Name: name}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &name,
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
}

func benchPod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: benchKeys, Name: name}, Spec: corev1.PodSpec{
		AutomountServiceAccountToken: new(false), Containers: []corev1.Container{{Name: "main", Image: "x"}},
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}}},
	}}
}
