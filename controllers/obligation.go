package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
)

// Obligation writes what namespaces owe, where the fence reads it, and tells policies whether they are honoured.
type Obligation struct {
	writer
	reader client.Reader
	store  *snapshot.Store
	now    Clock
}

func (o *Obligation) loop(news *announcements) loop {
	return loop{
		name: "obligation", announcements: news, after: atOnce, pass: o.pass,
		watches: []watch{
			{object: &corev1.Namespace{}, after: atOnce, news: metadataChanged},
			{object: &v1alpha1.PlacementFloor{}, after: atOnce, news: specChanged},
			{object: &corev1.Pod{}, after: atLeisure, news: podConcerns},
			{object: &corev1.Node{}, after: atLeisure, news: nodeChanged},
		},
	}
}

func metadataChanged(before, after client.Object) bool {
	return !maps.Equal(before.GetLabels(), after.GetLabels()) || !maps.Equal(before.GetAnnotations(), after.GetAnnotations()) ||
		before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero()
}

func podConcerns(before, after client.Object) bool {
	return podMoved(before, after) || !maps.Equal(before.GetAnnotations(), after.GetAnnotations())
}

// demandWorld is what the loop looks at.
type demandWorld struct {
	namespaces      []corev1.Namespace
	floors          map[string]*v1alpha1.PlacementFloor
	pods            map[string][]*corev1.Pod // by namespace
	nodes           []corev1.Node
	drivers         map[string][]string
	clusterPolicies []v1alpha1.ClusterPlacementPolicy
	policies        []v1alpha1.PlacementPolicy
}

// due is what a namespace should look like.
type due struct {
	namespace *corev1.Namespace
	governed  bool
	warned    bool
	floor     *v1alpha1.PlacementFloor // nil: none
}

func (o *Obligation) pass(ctx context.Context) (reconcile.Result, error) {
	current, ok := o.store.Load()
	if !ok {
		return reconcile.Result{}, nil // the compiler announces the first snapshot
	}
	world, err := gatherDemands(ctx, o.reader)
	if err != nil {
		return reconcile.Result{}, err
	}
	var writing error
	for _, d := range decideNamespaces(current.Policies, world) {
		writing = errors.Join(writing, o.settle(ctx, d, world.floors[d.namespace.Name]))
	}
	now := o.now()
	view := current.Catalogue.At(now)
	census := takeCensus(current.Policies, view, world)
	err = errors.Join(writing, o.tell(ctx, current.Policies, census, world, writing == nil))
	if err != nil {
		return reconcile.Result{}, err
	}
	return wakeAt(now, view.NextChange()), nil
}

func gatherDemands(ctx context.Context, reader client.Reader) (demandWorld, error) {
	var (
		namespaces corev1.NamespaceList
		floors     v1alpha1.PlacementFloorList
		pods       corev1.PodList
		nodes      corev1.NodeList
		drivers    storagev1.CSINodeList
		cluster    v1alpha1.ClusterPlacementPolicyList
		namespaced v1alpha1.PlacementPolicyList
	)
	if err := listAll(ctx, reader, &namespaces, &floors, &pods, &nodes, &drivers, &cluster, &namespaced); err != nil {
		return demandWorld{}, err
	}
	w := demandWorld{
		namespaces: namespaces.Items, nodes: nodes.Items, drivers: driversByNode(drivers.Items),
		floors: map[string]*v1alpha1.PlacementFloor{}, pods: map[string][]*corev1.Pod{},
		clusterPolicies: cluster.Items, policies: namespaced.Items,
	}
	for i := range floors.Items {
		if f := &floors.Items[i]; f.Name == v1alpha1.FloorName {
			w.floors[f.Namespace] = f
		}
	}
	for i := range pods.Items {
		p := &pods.Items[i]
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
		d := due{namespace: n, warned: warned(set, n)}
		d.governed = owed.Owes() || !set.Exempt(n.Name) && slices.ContainsFunc(world.pods[n.Name], annotated)
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

// annotated pods owe something by their own, or their workload's, word.
func annotated(p *corev1.Pod) bool {
	demand, problems := policy.ParseAnnotations(policy.Source{}, p.Annotations)
	return !finished(p) && (demand.Demands() || len(problems) > 0)
}

// settle makes a namespace what it should be. What it owes is written before it is called governed, since governed without a floor
// refuses every pod; and it ceases to be called so before the floor goes.
func (o *Obligation) settle(ctx context.Context, d due, floor *v1alpha1.PlacementFloor) error {
	if d.floor != nil && (floor == nil || !equality.Semantic.DeepEqual(floor.Spec, d.floor.Spec)) {
		if err := o.apply(ctx, d.floor); err != nil {
			return err
		}
	}
	if err := o.mark(ctx, d); err != nil {
		return err
	}
	if d.floor == nil && floor != nil {
		if err := o.client.Delete(ctx, floor.DeepCopy()); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting the floor of namespace %s: %w", d.namespace.Name, err)
		}
	}
	return nil
}

func (o *Obligation) mark(ctx context.Context, d due) error {
	labels := map[string]any{}
	for key, wanted := range map[string]bool{v1alpha1.GovernedLabel: d.governed, v1alpha1.WarnedLabel: d.warned} {
		value, has := d.namespace.Labels[key]
		switch {
		case wanted && value != "true":
			labels[key] = "true"
		case !wanted && has:
			labels[key] = nil
		}
	}
	if len(labels) == 0 {
		return nil
	}
	return o.merge(ctx, d.namespace, map[string]any{"metadata": map[string]any{"labels": labels}})
}

// tell writes the statuses of policies. settled says that every floor is written.
func (o *Obligation) tell(ctx context.Context, set *policy.Set, counted census, world demandWorld, settled bool) error {
	var failed error
	for i := range world.clusterPolicies {
		p := &world.clusterPolicies[i]
		source := policy.Source{Kind: "ClusterPlacementPolicy", Name: p.Name}
		wanted := p.DeepCopy()
		wanted.Status = policyStatus(p.Status, p.Generation, &p.Spec.PlacementDemand, counted[source], set.ProblemsOf(source), settled)
		failed = errors.Join(failed, o.status(ctx, p, wanted))
	}
	for i := range world.policies {
		p := &world.policies[i]
		source := policy.Source{Kind: "PlacementPolicy", Namespace: p.Namespace, Name: p.Name}
		wanted := p.DeepCopy()
		wanted.Status = policyStatus(p.Status, p.Generation, &p.Spec.PlacementDemand, counted[source], set.ProblemsOf(source), settled)
		failed = errors.Join(failed, o.status(ctx, p, wanted))
	}
	return failed
}

// policyStatus says whether a policy is in effect and honoured.
func policyStatus(
	was v1alpha1.PolicyStatus, generation int64, demand *v1alpha1.PlacementDemand, t tally, problems []policy.Problem, settled bool,
) v1alpha1.PolicyStatus {
	status := *was.DeepCopy()
	status.Requires = strings.Join(wordsOf(demand.TrustLevels), ", ")
	status.Namespaces, status.Pods, status.Violations = t.namespaces, t.pods, t.violations
	status.Violating = t.first
	ready, reason, message := readiness(demand.Enforcement, t, problems, settled)
	condition(&status.ConditionedStatus, generation, v1alpha1.ConditionReady, truth(ready), reason, message)
	if t.violations == 0 {
		condition(&status.ConditionedStatus, generation, v1alpha1.ConditionCompliant, truth(true), "AllCompliant",
			fmt.Sprintf("all %d pods run where the policy wants them", t.pods))
	} else {
		condition(&status.ConditionedStatus, generation, v1alpha1.ConditionCompliant, truth(false), "PodsOnUnqualifiedNodes",
			fmt.Sprintf("%d of %d pods run where the policy does not want them; such as %s/%s on %s: %s",
				t.violations, t.pods, t.first[0].Namespace, t.first[0].Pod, t.first[0].Node, t.first[0].Message))
	}
	return status
}

func readiness(enforcement v1alpha1.Enforcement, t tally, problems []policy.Problem, settled bool) (ready bool, reason, message string) {
	switch {
	case len(problems) > 0:
		return false, string(problems[0].Reason), problems[0].Message + follows(problems[0].Reason, enforcement)
	case enforcement != v1alpha1.EnforcementEnforce:
		return true, "Observing", fmt.Sprintf("observes %d namespaces; nothing is refused", t.namespaces)
	case !settled:
		return false, "Writing", "what the namespaces owe is not written everywhere yet"
	default:
		return true, "Enforced", fmt.Sprintf("enforced in %d namespaces", t.namespaces)
	}
}

// follows says what follows from a problem of a policy.
func follows(reason policy.Reason, enforcement v1alpha1.Enforcement) string {
	switch {
	case reason == policy.SelectorInvalid:
		return "; the policy governs no namespace"
	case enforcement == v1alpha1.EnforcementEnforce:
		return "; pods in the namespaces concerned are refused until it does"
	default:
		return ""
	}
}

// census is what each policy finds.
type census map[policy.Source]tally

// tally is what one policy finds.
type tally struct {
	namespaces, pods, violations, violatedNamespaces int32
	first                                            []v1alpha1.Violation // in order of namespace and name
}

const listedViolations = 10

func (t *tally) add(v v1alpha1.Violation) {
	t.violations++
	at, _ := slices.BinarySearchFunc(t.first, v, func(a, b v1alpha1.Violation) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod))
	})
	if t.first = slices.Insert(t.first, at, v); len(t.first) > listedViolations {
		t.first = t.first[:listedViolations]
	}
}
