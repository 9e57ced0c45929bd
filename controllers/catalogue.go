package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/trust"
)

// Catalogue says of every object of the catalogue whether it is fine and, if not, why; and keeps trust levels that are in use.
type Catalogue struct {
	writer
	reader client.Reader
	pods   podLister
	store  *snapshot.Store
	now    Clock
}

func (c *Catalogue) loop(news *announcements) loop {
	return loop{
		name: "catalogue", announcements: news, after: shortly, pass: c.pass,
		watches: append(storageWatches(), []watch{
			{object: &corev1.Node{}, after: shortly, news: nodeChanged},
			{object: &storagev1.CSINode{}, after: shortly, news: specChangedOrDrivers},
			// A trust level may be in use by the annotation of a namespace alone, or by pods alone.
			{object: &v1alpha1.PlacementFloor{}, after: shortly, news: specChanged},
			{object: &corev1.Pod{}, after: atLeisure, news: podMoved, about: func(o client.Object) bool { return owesByItself(o) || len(o.(*seenPod).claims) > 0 }},
		}...),
	}
}

// usage is what of the catalogue is used, and by whom.
type usage struct {
	zoneNodes  map[string]int32
	openNodes  map[string]int32
	requiredBy map[string][]string // TrustLevel → policies and namespaces
	pods       map[string]int32    // TrustLevel → bound pods that owe it
	astray     map[string]int32    // those of them on nodes that do not satisfy it
	stray      map[string][]string // TrustLevel → claims of those pods whose data is reached where it is not satisfied
	// next is when a suspect node ceases to be one.
	next time.Time
}

// usageWorld is what usage is found from.
type usageWorld struct {
	nodes   []corev1.Node
	drivers map[string][]string
	pods    []*seenPod
	floors  []v1alpha1.PlacementFloor
	storage storageWorld
}

func (c *Catalogue) pass(ctx context.Context) (reconcile.Result, error) {
	current, ok := c.store.Load()
	if !ok {
		return reconcile.Result{}, nil // the compiler announces the first snapshot
	}
	objects, err := gatherCatalogue(ctx, c.reader)
	if err != nil {
		return reconcile.Result{}, err
	}
	world, err := c.gatherUsage(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := c.now()
	view := current.Catalogue.At(now)
	t := newTeller(current.Catalogue, view, decideUsage(current.Policies, view, world))
	if err := c.carryOut(ctx, current, objects, t); err != nil {
		return reconcile.Result{}, err
	}
	return wakeAt(now, view.NextChange(), t.used.next), nil
}

func (c *Catalogue) gatherUsage(ctx context.Context) (usageWorld, error) {
	var nodes corev1.NodeList
	var drivers storagev1.CSINodeList
	var floors v1alpha1.PlacementFloorList
	if err := listAll(ctx, c.reader, &nodes, &drivers, &floors); err != nil {
		return usageWorld{}, err
	}
	pods, err := c.pods()
	if err != nil {
		return usageWorld{}, err
	}
	volumes, err := gatherStorage(ctx, c.reader)
	if err != nil {
		return usageWorld{}, err
	}
	return usageWorld{nodes: nodes.Items, drivers: driversByNode(drivers.Items), pods: pods, floors: floors.Items, storage: volumes}, nil
}

// decideUsage finds who uses what of the catalogue.
func decideUsage(policies *policy.Set, view *trust.View, world usageWorld) usage {
	u := usage{
		zoneNodes: map[string]int32{}, openNodes: map[string]int32{}, requiredBy: map[string][]string{},
		pods: map[string]int32{}, astray: map[string]int32{}, stray: map[string][]string{},
	}
	for i := range world.nodes {
		u.countNode(world.nodes[i].Labels)
	}
	for _, p := range policies.All() {
		for _, level := range p.Levels {
			u.requiredBy[level] = append(u.requiredBy[level], p.String())
		}
	}
	for i := range world.floors {
		u.countFloor(&world.floors[i])
	}
	worth := assessAll(view, world.nodes, world.drivers)
	for _, p := range world.pods {
		u.countPod(p, worth)
	}
	u.countClaims(view, world, worth)
	for _, a := range worth {
		if a.Zone != "" {
			u.zoneNodes[a.Zone]++
		}
		u.next = earliest(u.next, a.NextChange)
	}
	return u
}

// countFloor counts what a namespace itself asks for; what policies ask of it is theirs.
func (u usage) countFloor(f *v1alpha1.PlacementFloor) {
	for _, d := range f.Spec.DemandedBy {
		if d.Kind != "Namespace" {
			continue
		}
		for _, level := range d.TrustLevels {
			u.requiredBy[level] = append(u.requiredBy[level], policy.Source{Kind: d.Kind, Name: d.Name}.String())
		}
	}
}

// countPod counts a pod for the levels it owes. On a node that is gone, or that nobody knows, it is astray: such a node has no worth.
func (u usage) countPod(p *seenPod, worth map[string]trust.Assessment) {
	if p.finished {
		return
	}
	for _, level := range p.levels {
		u.requiredBy[level] = append(u.requiredBy[level], policy.Source{Kind: "Pods", Name: p.Namespace}.String())
		if !p.stands() {
			continue
		}
		u.pods[level]++
		if worthTo(worth[p.on()], level) < trust.Held {
			u.astray[level]++
		}
	}
}

func (u usage) countNode(labels map[string]string) {
	for key := range labels {
		if level, open := strings.CutPrefix(key, v1alpha1.OpenLabelPrefix); open {
			u.openNodes[level]++
		}
	}
}

// users names who requires a level, each once, sorted.
func (u usage) users(level string) []string {
	users := slices.Clone(u.requiredBy[level])
	slices.Sort(users)
	return slices.Compact(users)
}

// carryOut writes statuses. An object that the snapshot does not know as it is now is left for the next snapshot, which will be announced.
func (c *Catalogue) carryOut(ctx context.Context, current *snapshot.Snapshot, objects trust.Objects, t teller) error {
	var failed error
	write := func(is, wanted client.Object) {
		if current.Knows(is) {
			failed = errors.Join(failed, c.status(ctx, is, wanted))
		}
	}
	for i := range objects.Frameworks {
		write(&objects.Frameworks[i], t.framework(&objects.Frameworks[i], objects.Qualifications))
	}
	for i := range objects.Providers {
		write(&objects.Providers[i], t.provider(&objects.Providers[i]))
	}
	for i := range objects.Zones {
		write(&objects.Zones[i], t.zone(&objects.Zones[i]))
	}
	for i := range objects.Qualifications {
		write(&objects.Qualifications[i], t.qualification(&objects.Qualifications[i]))
	}
	for i := range objects.TrustLevels {
		l := &objects.TrustLevels[i]
		failed = errors.Join(failed, c.keep(ctx, l, t.used.users(l.Name)))
		write(l, t.level(l))
	}
	return failed
}

// keep puts the finalizer on a trust level that is in use, and takes it off one that is not. While it is there, a level that somebody
// deleted goes on counting.
func (c *Catalogue) keep(ctx context.Context, l *v1alpha1.TrustLevel, users []string) error {
	has, wanted := controllerutil.ContainsFinalizer(l, v1alpha1.InUseFinalizer), len(users) > 0
	if has == wanted || wanted && !l.DeletionTimestamp.IsZero() { // a finalizer cannot be added to what is being deleted
		return nil
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TrustLevel"))
	u.SetName(l.Name)
	u.SetUID(l.UID)
	if wanted {
		u.SetFinalizers([]string{v1alpha1.InUseFinalizer})
	}
	err := c.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldOwner+"-in-use"), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the finalizer of TrustLevel/%s: %w", l.Name, err)
	}
	return nil
}
