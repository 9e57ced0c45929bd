package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
)

// sweepEvery is how often everything is judged anew though nothing happened. Every fact is followed but drivers' configuration and snapshots, so
// nothing else should ever come of it.
const sweepEvery = 10 * time.Minute

// Obligation writes what namespaces owe, where the fence reads it, and tells policies whether they are honoured.
type Obligation struct {
	writer
	reader client.Reader
	pods   podLister
	store  *snapshot.Store
	now    Clock
	// surveyor looks up how volumes are encrypted.
	surveyor *surveyor
	// bound says since when the API server may be taken to mark the namespaces of a policy.
	bound *boundPolicies
	// spreads remembers which spreads are lost, and news tells of policies that cease, or begin again, to be honoured.
	spreads *lostSpreads
	news    complianceNews
}

func (o *Obligation) loop(news *announcements) loop {
	return loop{
		name: "obligation", announcements: news, after: atOnce, pass: o.pass,
		watches: append(append(storageWatches(), keyWatches(atLeisure)...), []watch{
			{object: &corev1.Namespace{}, after: atOnce, news: metadataChanged},
			{object: &v1alpha1.PlacementFloor{}, after: atOnce, news: specChanged},
			// A pod that owes by its own word makes its namespace governed; all others are only counted.
			{object: &corev1.Pod{}, after: atOnce, news: podConcerns, about: func(o client.Object) bool { return annotated(o.(*seenPod)) }},
			{object: &corev1.Pod{}, after: atLeisure, news: podConcerns},
			{object: &corev1.Node{}, after: atLeisure, news: nodeChanged},
			{object: &storagev1.CSINode{}, after: atLeisure, news: specChangedOrDrivers},
		}...),
	}
}

func metadataChanged(before, after client.Object) bool {
	return !maps.Equal(before.GetLabels(), after.GetLabels()) || !maps.Equal(before.GetAnnotations(), after.GetAnnotations()) ||
		before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero()
}

// demandWorld is what the loop looks at.
type demandWorld struct {
	namespaces      []corev1.Namespace
	floors          map[string]*v1alpha1.PlacementFloor
	pods            map[string][]*seenPod // by namespace
	nodes           []corev1.Node
	drivers         map[string][]string
	clusterPolicies []v1alpha1.ClusterPlacementPolicy
	policies        []v1alpha1.PlacementPolicy
	storage         storageWorld
	// protections say how volumes are encrypted; nil: nobody looked.
	protections *protections
}

// depot finds volumes; the survey has arranged them already.
func (w *demandWorld) depot() depot {
	if w.protections != nil {
		return w.protections.depot
	}
	return depotIn(w.storage)
}

// within reports whether every policy there is was compiled as it is now.
func (w *demandWorld) within(known func(metav1.Object) bool) bool {
	for i := range w.clusterPolicies {
		if !known(&w.clusterPolicies[i]) {
			return false
		}
	}
	for i := range w.policies {
		if !known(&w.policies[i]) {
			return false
		}
	}
	return true
}

// due is what a namespace should look like.
type due struct {
	namespace *corev1.Namespace
	governed  bool
	warned    bool
	encrypted bool                     // the floor demands something of volumes
	floor     *v1alpha1.PlacementFloor // nil: none
	owes      bool                     // the floor demands something, or says why nobody can
	allKnown  bool                     // this was decided by all policies as they are now
}

// waits says whether nothing can be said of a namespace before every policy is known.
func (d due) waits() bool {
	return !d.allKnown && (!d.governed || !d.owes && d.namespace.Labels[v1alpha1.GovernedLabel] == "true")
}

func (o *Obligation) pass(ctx context.Context) (reconcile.Result, error) {
	current, ok := o.store.Load()
	if !ok {
		return reconcile.Result{}, nil // the compiler announces the first snapshot
	}
	world, err := gatherDemands(ctx, o.reader, o.pods)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := o.now()
	if err := o.gatherVolumes(ctx, current.Policies, &world, now); err != nil {
		return reconcile.Result{}, err
	}
	settled := o.settleAll(ctx, decideNamespaces(current.Policies, world), world.floors, world.within(current.Knows))
	view := current.Catalogue.At(now)
	t := &policyTeller{
		census: takeCensus(current.Policies, current.Settings, view, world, settled.failed, o.spreads.at(now)),
		set:    current.Policies, known: current.Knows, bound: o.bound, now: now,
	}
	if err := errors.Join(settled.err, o.tell(ctx, t, world)); err != nil {
		return reconcile.Result{}, err
	}
	return wakeAt(now, view.NextChange(), settled.again(now), t.again(), o.spreads.again(), world.protections.next(), now.Add(sweepEvery)), nil
}

// gatherVolumes looks at volumes: where they lie, and how they are encrypted.
func (o *Obligation) gatherVolumes(ctx context.Context, set *policy.Set, world *demandWorld, now time.Time) error {
	var err error
	if world.storage, err = gatherStorage(ctx, o.reader); err != nil {
		return err
	}
	found, err := o.surveyor.survey(ctx, world.storage, encrypting(set, world.namespaces, slices.Concat(slices.Collect(maps.Values(world.pods))...)), now)
	world.protections = &found
	return err
}

// settlement is how far writing what namespaces owe has come.
type settlement struct {
	err error
	// failed are the namespaces of which something could not be written.
	failed map[string]bool
	// stuck: a mark that should have gone came back.
	stuck bool
}

// again is when to look at what came back; by then the API server knows the policies of now.
func (s settlement) again(now time.Time) time.Time {
	if !s.stuck {
		return time.Time{}
	}
	return now.Add(time.Second)
}

// settleAll settles every namespace. While a policy is not known yet, it may be what marked a namespace in the very request by which that
// came: until then no mark goes, and nothing is written of a marked namespace that seems to owe nothing. The snapshot that knows the
// policy will be announced.
func (o *Obligation) settleAll(ctx context.Context, all []due, floors map[string]*v1alpha1.PlacementFloor, allKnown bool) settlement {
	s := settlement{failed: map[string]bool{}}
	for _, d := range all {
		if d.allKnown = allKnown; d.waits() {
			continue
		}
		stuck, err := o.settle(ctx, d, floors[d.namespace.Name])
		s.stuck = s.stuck || stuck
		if err != nil {
			s.err = errors.Join(s.err, err)
			s.failed[d.namespace.Name] = true
		}
	}
	return s
}

func gatherDemands(ctx context.Context, reader client.Reader, lister podLister) (demandWorld, error) {
	var (
		namespaces corev1.NamespaceList
		floors     v1alpha1.PlacementFloorList
		nodes      corev1.NodeList
		drivers    storagev1.CSINodeList
		cluster    v1alpha1.ClusterPlacementPolicyList
		namespaced v1alpha1.PlacementPolicyList
	)
	if err := listAll(ctx, reader, &namespaces, &floors, &nodes, &drivers, &cluster, &namespaced); err != nil {
		return demandWorld{}, err
	}
	pods, err := lister()
	if err != nil {
		return demandWorld{}, err
	}
	w := demandWorld{
		namespaces: namespaces.Items, nodes: nodes.Items, drivers: driversByNode(drivers.Items),
		floors: map[string]*v1alpha1.PlacementFloor{}, pods: map[string][]*seenPod{},
		clusterPolicies: cluster.Items, policies: namespaced.Items,
	}
	for i := range floors.Items {
		if f := &floors.Items[i]; f.Name == v1alpha1.FloorName {
			w.floors[f.Namespace] = f
		}
	}
	for _, p := range pods {
		w.pods[p.Namespace] = append(w.pods[p.Namespace], p)
	}
	return w, nil
}

func namespaceOf(n *corev1.Namespace) policy.Namespace {
	return policy.Namespace{Name: n.Name, Labels: n.Labels, Annotations: n.Annotations}
}

// decideNamespaces says of every namespace what it owes.
func decideNamespaces(set *policy.Set, world demandWorld) []due {
	var all []due
	for i := range world.namespaces {
		n := &world.namespaces[i]
		if !n.DeletionTimestamp.IsZero() {
			continue // its objects are going; what is in force stays so to the end
		}
		owed := set.Namespace(namespaceOf(n))
		d := due{namespace: n, warned: warned(set, n), owes: owed.Owes()}
		d.governed = d.owes || !set.Exempt(n.Name) && slices.ContainsFunc(world.pods[n.Name], annotated)
		d.encrypted = owed.Encryption != nil
		if d.governed {
			d.floor = fence.Floor(n.Name, owed)
		}
		all = append(all, d)
	}
	return all
}

func warned(set *policy.Set, n *corev1.Namespace) bool {
	return slices.ContainsFunc(set.Concerning(namespaceOf(n)), func(p policy.Policy) bool { return p.Enforcement == v1alpha1.EnforcementWarn })
}

// settle makes a namespace what it should be, and says whether a mark that should have gone came back.
//
// What a namespace owes is written before it is called governed, since governed without a floor refuses every pod. It ceases to be
// called so before its floor goes, and until then its floor demands nothing. For about a second after a policy is gone, the
// API server still marks whatever that policy selected, also in the very request that takes the mark off.
func (o *Obligation) settle(ctx context.Context, d due, floor *v1alpha1.PlacementFloor) (stuck bool, err error) {
	wanted := d.floor
	if wanted == nil && d.namespace.Labels[v1alpha1.GovernedLabel] == "true" {
		wanted = fence.Floor(d.namespace.Name, policy.Obligation{})
	}
	var writing error
	if wanted != nil && (floor == nil || !equality.Semantic.DeepEqual(floor.Spec, wanted.Spec)) {
		writing = o.writeFloor(ctx, floor, wanted)
	}
	marked, err := o.mark(ctx, d, writing == nil) // also if the floor could not be written: governed without one refuses, and that is the right side
	if err := errors.Join(writing, err); err != nil {
		return false, err
	}
	if d.governed || marked {
		return marked && !d.governed, nil
	}
	if floor != nil || wanted != nil {
		gone := &v1alpha1.PlacementFloor{ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace.Name, Name: v1alpha1.FloorName}}
		if err := o.client.Delete(ctx, gone); client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("deleting the floor of namespace %s: %w", d.namespace.Name, err)
		}
	}
	return false, nil
}

// writeFloor replaces the whole of a floor. Server-side apply would leave what somebody else put into its lists.
func (o *Obligation) writeFloor(ctx context.Context, is, wanted *v1alpha1.PlacementFloor) error {
	if is == nil {
		if err := o.client.Create(ctx, wanted.DeepCopy(), client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
			return fmt.Errorf("creating the floor of namespace %s: %w", wanted.Namespace, err)
		}
		return nil
	}
	next := is.DeepCopy()
	next.Spec = wanted.Spec
	if err := o.client.Update(ctx, next, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return fmt.Errorf("writing the floor of namespace %s: %w", wanted.Namespace, err)
	}
	return nil
}

// mark labels a namespace, and says whether it is called governed afterwards. While it is not settled, because its floor could not be
// written, it goes on being called so.
func (o *Obligation) mark(ctx context.Context, d due, settled bool) (governed bool, err error) {
	labels := map[string]any{}
	for key, wanted := range map[string]bool{
		v1alpha1.GovernedLabel: d.governed, v1alpha1.WarnedLabel: d.warned, v1alpha1.EncryptedLabel: d.encrypted,
		v1alpha1.UnsettledLabel: (!settled || !d.allKnown) && d.namespace.Labels[v1alpha1.UnsettledLabel] == "true",
	} {
		value, has := d.namespace.Labels[key]
		switch {
		case wanted && value != "true":
			labels[key] = "true"
		case !wanted && has && d.allKnown:
			labels[key] = nil
		}
	}
	var after client.Object = d.namespace
	if len(labels) > 0 {
		if after, err = o.merge(ctx, d.namespace, map[string]any{"metadata": map[string]any{"labels": labels}}); err != nil {
			return false, err
		}
	}
	return after.GetLabels()[v1alpha1.GovernedLabel] == "true", nil
}
