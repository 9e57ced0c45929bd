package controllers

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/storage"
)

// ConfigMaps are read one by one, by these names alone, in the namespaces that TerroirConfig names; snapshots where a claim was made from one.
//
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=csi-kms-connection-details;ceph-csi-encryption-kms-config,verbs=get
// +kubebuilder:rbac:groups=snapshot.storage.k8s.io,resources=volumesnapshots,verbs=get

// surveyor looks up how volumes are encrypted. It may be used by many at once.
type surveyor struct {
	reader  client.Reader // the cache
	classes client.Reader // where StorageClasses are read: mostly the cache, too
	live    client.Reader // the API server itself: what is asked too seldom, or lies too far from Terroir's business, to be followed

	mu sync.Mutex
	// snapshots are those from which volumes were made that are there. That was decided when the volume was made: whoever deletes the snapshot,
	// and creates another by its name, changes nothing about it.
	snapshots map[restored]*storage.Snapshot
}

// restored is a snapshot as a claim names it.
type restored struct {
	claim           types.UID
	namespace, name string
}

// survey looks at classes, keys, and the origins of claims in namespaces where that matters.
func (s *surveyor) survey(ctx context.Context, stored storageWorld, matters map[string]bool, now time.Time) (protections, error) {
	var classes storagev1.StorageClassList
	if err := listAll(ctx, s.classes, &classes); err != nil {
		return protections{}, err
	}
	world, err := gatherKeys(ctx, s.reader)
	if err != nil {
		return protections{}, err
	}
	verdicts := judgeKeys(world, now)
	p := protections{
		classes: map[string]protectedClass{}, origins: map[types.UID]origin{}, keys: verdicts, meant: meantBy(verdicts), braked: brakedStores(world, verdicts),
		depot: depotIn(stored), at: now,
	}
	asked, err := s.inquire(ctx)
	if err != nil {
		return protections{}, err
	}
	for i := range classes.Items {
		c := &classes.Items[i]
		p.classes[c.Name] = protectedBy(c, asked.lookup(ctx))
	}
	s.trace(ctx, &p, stored.claims, matters, asked)
	p.lookup = asked.known()
	p.unfollowed = len(asked.configMaps)+len(asked.snapshots) > 0
	return p, asked.failed
}

// trace finds the origins of claims, and forgets the snapshots of claims that are gone.
func (s *surveyor) trace(ctx context.Context, p *protections, claims []corev1.PersistentVolumeClaim, matters map[string]bool, asked *inquiry) {
	there := map[types.UID]bool{}
	for i := range claims {
		c := &claims[i]
		if !matters[c.Namespace] {
			continue
		}
		if _, _, _, made := storage.Source(c); !made {
			continue
		}
		there[c.UID] = true
		var from origin
		from.claims, from.unknown = storage.Lineage(c, storage.Sources{
			Claim:    func(namespace, name string) *corev1.PersistentVolumeClaim { return p.depot.claims[namespace][name] },
			Snapshot: func(namespace, name string) *storage.Snapshot { return s.snapshot(ctx, c, namespace, name, asked) },
		})
		p.origins[c.UID] = from
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.snapshots, func(r restored, _ *storage.Snapshot) bool { return !there[r.claim] })
}

// snapshot finds the snapshot that a claim names, or one further up its line.
func (s *surveyor) snapshot(ctx context.Context, of *corev1.PersistentVolumeClaim, namespace, name string, asked *inquiry) *storage.Snapshot {
	key := restored{of.UID, namespace, name}
	s.mu.Lock()
	known := s.snapshots[key]
	s.mu.Unlock()
	if known != nil {
		return known
	}
	found := asked.snapshot(ctx, namespace, name)
	if found != nil && of.Spec.VolumeName != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.snapshots == nil {
			s.snapshots = map[restored]*storage.Snapshot{}
		}
		s.snapshots[key] = found
	}
	return found
}

// inquiry asks the API server, once for each thing.
type inquiry struct {
	live client.Reader
	// homes are the namespaces of drivers' configuration.
	homes      map[string]string
	configMaps map[types.NamespacedName]map[string]string
	snapshots  map[types.NamespacedName]*storage.Snapshot
	// failed is why something could not be read. That it is not there, or that Terroir may not read it, is an answer: then nobody can tell.
	failed error
}

// inquire prepares to ask.
func (s *surveyor) inquire(ctx context.Context) (*inquiry, error) {
	var config v1alpha1.TerroirConfig
	if err := s.reader.Get(ctx, client.ObjectKey{Name: v1alpha1.ConfigName}, &config); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("reading TerroirConfig/%s: %w", v1alpha1.ConfigName, err)
	}
	q := &inquiry{live: s.live, homes: map[string]string{}, configMaps: map[types.NamespacedName]map[string]string{}, snapshots: map[types.NamespacedName]*storage.Snapshot{}}
	for _, d := range config.Spec.StorageDrivers {
		q.homes[string(d.Driver)] = string(d.Namespace)
	}
	return q, nil
}

// lookup is what classes may point to.
func (q *inquiry) lookup(ctx context.Context) storage.Lookup {
	return func(driver, name string) map[string]string { return q.configMap(ctx, driver, name) }
}

// known is what was asked for already.
func (q *inquiry) known() storage.Lookup {
	return func(driver, name string) map[string]string {
		return q.configMaps[types.NamespacedName{Namespace: q.homes[driver], Name: name}]
	}
}

// configMap gives the data of a driver's ConfigMap.
func (q *inquiry) configMap(ctx context.Context, driver, name string) map[string]string {
	home, known := q.homes[driver]
	if !known {
		return nil
	}
	key := types.NamespacedName{Namespace: home, Name: name}
	if data, asked := q.configMaps[key]; asked {
		return data
	}
	var found corev1.ConfigMap
	var data map[string]string
	if q.get(ctx, key, &found) {
		data = found.Data
	}
	q.configMaps[key] = data
	return data
}

// snapshot gives a VolumeSnapshot, of which the cluster may not even have the kind.
func (q *inquiry) snapshot(ctx context.Context, namespace, name string) *storage.Snapshot {
	key := types.NamespacedName{Namespace: namespace, Name: name}
	if known, asked := q.snapshots[key]; asked {
		return known
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "snapshot.storage.k8s.io", Version: "v1", Kind: storage.SourceSnapshot})
	var found *storage.Snapshot
	if q.get(ctx, key, u) {
		claim, _, _ := unstructured.NestedString(u.Object, "spec", "source", "persistentVolumeClaimName") // what is no text names no claim
		found = &storage.Snapshot{Claim: claim, Created: metav1.Time{Time: u.GetCreationTimestamp().Time}}
	}
	q.snapshots[key] = found
	return found
}

// get reads an object, and reports whether it is there.
func (q *inquiry) get(ctx context.Context, key types.NamespacedName, o client.Object) bool {
	err := q.live.Get(ctx, key, o)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) && !meta.IsNoMatchError(err) {
		q.failed = fmt.Errorf("reading %T %s: %w", o, key, err)
	}
	return err == nil
}
