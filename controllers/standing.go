package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/trust"
)

// revokeFor is how long a node stays on the list of nodes that are losing levels after its open label is gone. A scheduler
// that chose the node before has then either tried to bind, and was refused, or has seen the label gone.
const revokeFor = 30 * time.Second

// inParallel is how many nodes are labelled at a time.
const inParallel = 16

// Standing writes on nodes what they are worth, and tells which of them are not recognised. A node that loses a level is first put on the
// list of nodes that bindings are refused to; then its open label goes; held goes when no pod that owes the level is left there.
type Standing struct {
	writer
	reader client.Reader
	pods   podLister
	store  *snapshot.Store
	now    Clock
}

func (s *Standing) loop(news *announcements) loop {
	return loop{
		name: "standing", announcements: news, after: 0, pass: s.pass,
		watches: []watch{
			{object: &corev1.Node{}, after: atOnce, news: nodeChanged},
			{object: &storagev1.CSINode{}, after: atOnce, news: specChangedOrDrivers},
			{object: &corev1.Pod{}, after: shortly, news: podMoved, about: owesByItself},
			{object: &certificatesv1.CertificateSigningRequest{}, after: atOnce, about: byAnother},
			// A new one has to be told everything; updates are the fence loop's, or this one's own.
			{object: &v1alpha1.TerroirConfig{}, after: atOnce, news: func(client.Object, client.Object) bool { return false }},
		},
	}
}

// nodeChanged passes over heartbeats.
func nodeChanged(before, after client.Object) bool {
	was, is := before.(*corev1.Node), after.(*corev1.Node)
	return was.UID != is.UID || was.Spec.ProviderID != is.Spec.ProviderID ||
		was.Status.NodeInfo.SystemUUID != is.Status.NodeInfo.SystemUUID || was.Status.NodeInfo.MachineID != is.Status.NodeInfo.MachineID ||
		!maps.Equal(was.Labels, is.Labels)
}

func specChangedOrDrivers(before, after client.Object) bool {
	return !slices.Equal(driversOf(before.(*storagev1.CSINode)), driversOf(after.(*storagev1.CSINode)))
}

// nodeWorld is what the loop looks at.
type nodeWorld struct {
	nodes    []corev1.Node
	drivers  map[string][]string
	requests map[string][]trust.CertificateRequest // by which others may act as a node
	owing    map[string]map[string]bool            // node → level → a pod there owes it
	told     told
	// untold says that there is no TerroirConfig to tell it in yet.
	untold bool
}

// labelling is a node whose labels have to change.
type labelling struct {
	node *corev1.Node
	want map[string]string // all of our labels
	// loses are the levels whose open label goes.
	loses []string
}

func (s *Standing) pass(ctx context.Context) (reconcile.Result, error) {
	current, ok := s.store.Load()
	if !ok {
		return reconcile.Result{}, nil // the compiler announces the first snapshot
	}
	world, err := s.gather(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := s.now()
	view := current.Catalogue.At(now)
	decided := decideStanding(view, world, now)
	if err := s.carryOut(ctx, decided, world); err != nil {
		return reconcile.Result{}, err
	}
	return wakeAt(now, view.NextChange(), decided.next), nil
}

func (s *Standing) gather(ctx context.Context) (nodeWorld, error) {
	var nodes corev1.NodeList
	var drivers storagev1.CSINodeList
	var requests certificatesv1.CertificateSigningRequestList
	if err := listAll(ctx, s.reader, &nodes, &drivers, &requests); err != nil {
		return nodeWorld{}, err
	}
	pods, err := s.pods()
	if err != nil {
		return nodeWorld{}, err
	}
	var config v1alpha1.TerroirConfig
	missing := s.reader.Get(ctx, client.ObjectKey{Name: v1alpha1.ConfigName}, &config)
	if client.IgnoreNotFound(missing) != nil {
		return nodeWorld{}, fmt.Errorf("reading TerroirConfig/%s: %w", v1alpha1.ConfigName, missing)
	}
	return nodeWorld{
		nodes: nodes.Items, drivers: driversByNode(drivers.Items), requests: requestsByNode(requests.Items), owing: owing(pods),
		told: toldBy(&config.Status), untold: missing != nil,
	}, nil
}

func driversByNode(of []storagev1.CSINode) map[string][]string {
	drivers := make(map[string][]string, len(of))
	for i := range of {
		drivers[of[i].Name] = driversOf(&of[i])
	}
	return drivers
}

func driversOf(n *storagev1.CSINode) []string {
	names := make([]string, len(n.Spec.Drivers))
	for i, d := range n.Spec.Drivers {
		names[i] = d.Name
	}
	return names
}

// owing finds on which nodes pods run that owe which levels, by the nodeSelector that a kubelet asks again when it restarts.
func owing(pods []*seenPod) map[string]map[string]bool {
	found := map[string]map[string]bool{}
	for _, p := range pods {
		if !p.stands() {
			continue
		}
		for _, level := range p.levels {
			if found[p.on()] == nil {
				found[p.on()] = map[string]bool{}
			}
			found[p.on()][level] = true
		}
	}
	return found
}

// factsOf reads what the catalogue needs to know of nodes, in their order.
func factsOf(nodes []corev1.Node, drivers map[string][]string) []trust.NodeFacts {
	facts := make([]trust.NodeFacts, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		facts[i] = trust.NodeFacts{
			Name: n.Name, ProviderID: n.Spec.ProviderID, SystemUUID: n.Status.NodeInfo.SystemUUID, MachineID: n.Status.NodeInfo.MachineID,
			Labels: n.Labels, CSIDrivers: drivers[n.Name],
		}
	}
	return trust.WithRivals(facts)
}

// decision is what a pass carries out.
type decision struct {
	changes []labelling
	told    told
	// next is when a suspect node ceases to be one, or an entry of revoking lapses.
	next time.Time
}

// decideStanding finds the nodes whose labels have to change, and which nodes bindings are to be refused to meanwhile.
func decideStanding(view *trust.View, world nodeWorld, now time.Time) decision {
	var d decision
	d.told.nodes = &v1alpha1.NodeCounts{}
	listed := map[string]v1alpha1.RevokingNode{}
	for _, r := range world.told.revoking {
		listed[r.Node] = r
	}
	facts := factsOf(world.nodes, world.drivers)
	for i := range world.nodes {
		n := &world.nodes[i]
		facts[i].Request = contesting(world.requests[n.Name], n.CreationTimestamp.Time)
		a := view.Assess(facts[i])
		d.next = earliest(d.next, a.NextChange)
		d.told.count(n.Name, a.Recognition)
		want := a.Labels(n.Labels, func(level string) bool {
			// A pod bound a moment ago may not be seen yet; while the node is listed, nobody can be bound to it any more.
			return world.owing[n.Name][level] || listing(listed[n.Name], now) || losing(n.Labels, a, level)
		})
		c := labelling{node: n, want: want, loses: lost(n.Labels, want)}
		if !maps.Equal(want, ownLabels(n.Labels)) {
			d.changes = append(d.changes, c)
		}
		if entry, ok := revoke(c, listed[n.Name], now); ok {
			d.told.revoking = append(d.told.revoking, entry)
			d.next = earliest(d.next, entry.Until.Time)
		}
	}
	d.told = d.told.bounded()
	return d
}

// revoke lists a node that loses a level, and keeps a listed one until its time is over or it has its levels back.
func revoke(c labelling, listed v1alpha1.RevokingNode, now time.Time) (v1alpha1.RevokingNode, bool) {
	if len(c.loses) > 0 {
		until := metav1.NewTime(now.Add(revokeFor).UTC().Truncate(time.Second))
		levels := append(slices.Clone(c.loses), listed.TrustLevels...)
		slices.Sort(levels)
		return v1alpha1.RevokingNode{Node: c.node.Name, TrustLevels: slices.Compact(levels), Until: until}, true
	}
	return listed, listing(listed, now) && !c.back(listed.TrustLevels)
}

// back says whether a node is open again for the levels it is listed with, and for all that it is held for: the list may not have
// had room for every level.
func (c labelling) back(levels []string) bool {
	held := slices.Clone(levels)
	for key := range c.want {
		if level, isHeld := strings.CutPrefix(key, v1alpha1.HeldLabelPrefix); isHeld {
			held = append(held, level)
		}
	}
	return !slices.ContainsFunc(held, func(level string) bool { return c.want[v1alpha1.OpenLabelPrefix+level] == "" })
}

// listing says whether a node is listed as losing levels. Which ones does not matter: bindings are refused by node.
func listing(r v1alpha1.RevokingNode, now time.Time) bool {
	return r.Node != "" && now.Before(r.Until.Time)
}

// losing says whether a node is open for a level that it is not worth any more: this pass will list it.
func losing(labels map[string]string, a trust.Assessment, level string) bool {
	_, isOpen := labels[v1alpha1.OpenLabelPrefix+level]
	return isOpen && worthTo(a, level) != trust.Open
}

// worthTo is what a node is worth to those who owe a level. One that is not recognised, or a level that does not exist: nothing.
func worthTo(a trust.Assessment, level string) trust.Worth {
	i := slices.IndexFunc(a.Standings, func(s trust.Standing) bool { return s.Level == level })
	if i < 0 {
		return trust.None
	}
	return a.Standings[i].Worth
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func ownLabels(labels map[string]string) map[string]string {
	own := map[string]string{}
	for key, value := range labels {
		if trust.WrittenLabel(key) {
			own[key] = value
		}
	}
	return own
}

// lost are the levels that a node is open for and shall not be.
func lost(labels, want map[string]string) []string {
	var levels []string
	for key := range labels {
		level, open := strings.CutPrefix(key, v1alpha1.OpenLabelPrefix)
		if _, stays := want[key]; open && !stays {
			levels = append(levels, level)
		}
	}
	slices.Sort(levels)
	return levels
}

// carryOut lists the losses first, so that everything stops at once, then changes the labels, also if listing failed.
func (s *Standing) carryOut(ctx context.Context, d decision, world nodeWorld) error {
	listing := s.list(ctx, d.told, world)
	var group errgroup.Group // one node's failure does not keep the others from being labelled
	group.SetLimit(inParallel)
	for _, c := range d.changes {
		group.Go(func() error { return s.label(ctx, c) })
	}
	return errors.Join(listing, group.Wait())
}

// list writes what is told of nodes. It has a field owner of its own, beside the fence loop's. While there is no TerroirConfig only a
// loss has to be told at any price; the pass after its creation tells the rest.
func (s *Standing) list(ctx context.Context, tell told, world nodeWorld) error {
	if tell.same(world.told) || world.untold && len(tell.revoking) == 0 {
		return nil
	}
	status, err := tell.status()
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TerroirConfig"))
	u.SetName(v1alpha1.ConfigName)
	if err := s.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldOwner+"-standing"), client.ForceOwnership); err != nil {
		return fmt.Errorf("listing the nodes that lose trust levels or are not recognised: %w", err)
	}
	return nil
}

// label writes our labels of one node, and takes away keys of ours that somebody else put there.
func (s *Standing) label(ctx context.Context, c labelling) error {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Node"))
	u.SetName(c.node.Name)
	u.SetUID(c.node.UID) // a machine that comes by the same name has to earn its labels
	u.SetLabels(c.want)
	if err := s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldOwner), client.ForceOwnership); err != nil {
		return fmt.Errorf("labelling node %s: %w", c.node.Name, err)
	}
	return s.strip(ctx, c, u.GetLabels())
}

func (s *Standing) strip(ctx context.Context, c labelling, after map[string]string) error {
	strays := map[string]any{}
	for key := range ownLabels(after) {
		if _, wanted := c.want[key]; !wanted {
			strays[key] = nil
		}
	}
	if len(strays) == 0 {
		return nil
	}
	_, err := s.merge(ctx, c.node, map[string]any{"metadata": map[string]any{"uid": string(c.node.UID), "labels": strays}})
	return err
}
