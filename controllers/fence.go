package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Fence keeps the admission objects and the webhook's address as they must be, creates the TerroirConfig, and says which guarantee is in
// force and whether anybody tampered with it.
type Fence struct {
	writer
	reader cache.Cache
	// serves asks whether the API server serves MutatingAdmissionPolicy. It is asked in every pass: an API server may be upgraded.
	serves func() (bool, error)
	// webhooks gives the webhook configurations that belong to the exempt namespaces, for an API server that shapes pods itself or not.
	webhooks func(exempt []string, shapes bool) []runtime.Object

	now         Clock
	bound       *boundPolicies
	restriction *restriction

	putBack putBack
	proof   proof
	alarm   alarm
	// news are events of kinds that are followed only once they are served, and what is learnt of NodeRestriction.
	news      *announcements
	following map[string]bool // by Go type
	// known is the TerroirConfig that this process saw last, and the kinds of terroir.dev that it ever saw.
	known      types.UID
	knownKinds map[string]bool
}

func newFence(w writer, live client.Reader, reader cache.Cache, o Options, bound *boundPolicies, restriction *restriction) *Fence {
	return &Fence{
		writer: w, reader: reader, serves: o.Serves, webhooks: o.Webhooks, now: o.Now, bound: bound, restriction: restriction,
		putBack: putBack{client: w.client, live: live, written: map[string]written{}},
		proof:   proof{client: w.client},
		alarm:   alarm{recorder: o.Recorder, incidents: map[string]incident{}},
		news:    &restriction.news, following: map[string]bool{}, knownKinds: map[string]bool{},
	}
}

func (f *Fence) loop() loop {
	ours := func(o client.Object) bool { return isOwnKind(o.GetName()) }
	home := func(o client.Object) bool { return o.GetName() == v1alpha1.SystemNamespace }
	l := loop{name: "fence", pass: f.pass, announcements: f.news, after: shortly, watches: []watch{
		{object: &v1alpha1.ClusterPlacementPolicy{}, after: atOnce, news: specChanged},
		{object: &v1alpha1.Zone{}, after: shortly, news: specChanged},
		{object: &v1alpha1.TerroirConfig{}, after: atOnce},
		{object: customKind(), after: shortly, news: dying, about: ours},
		{object: &corev1.Namespace{}, after: shortly, news: dying, about: home},
	}}
	for _, o := range f.kinds(false) {
		l.watches = append(l.watches, watch{object: o, after: shortly, about: f.concerns})
	}
	return l
}

// dying passes over all changes of an object but that its deletion begins.
func dying(before, after client.Object) bool {
	return before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero()
}

// concerns are the objects that Terroir manages, and those that bear their names: the mark may have been taken off.
func (f *Fence) concerns(o client.Object) bool {
	return o.GetLabels()[fence.ManagedByLabel] == fence.ManagedBy || strings.HasPrefix(o.GetName(), "terroir")
}

// kinds are those of which the fence consists.
func (f *Fence) kinds(mutating bool) []client.Object {
	kinds := []client.Object{
		&admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{},
		&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{},
		&corev1.Service{}, &corev1.Secret{},
	}
	if mutating {
		kinds = append(kinds, mutatingKinds()...)
	}
	return kinds
}

func mutatingKinds() []client.Object {
	return []client.Object{&admissionregistrationv1.MutatingAdmissionPolicy{}, &admissionregistrationv1.MutatingAdmissionPolicyBinding{}}
}

// customKind stands for CustomResourceDefinitions, of which only the metadata are read.
func customKind() *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}}
}

// fenceWorld is what the loop looks at.
type fenceWorld struct {
	mutating bool                    // MutatingAdmissionPolicy is served
	config   *v1alpha1.TerroirConfig // nil: there is none
	policies []v1alpha1.ClusterPlacementPolicy
	zones    []v1alpha1.Zone
	present  map[string]client.Object // by kind and name; those that Terroir manages
	missing  []string                 // what is gone, or about to go, and is not put back
}

func (f *Fence) pass(ctx context.Context) (reconcile.Result, error) {
	world, err := f.gather(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if world.config == nil {
		return reconcile.Result{}, f.createConfig(ctx)
	}
	now := f.now()
	f.recall(world.config, now)
	if err = f.carryOut(ctx, f.decide(world), world, now); err == nil {
		f.bound.write(enforcing(world.policies), now)
	}
	shaped := f.proof.shapes()
	f.proof.ask(ctx, expected(world.mutating), now)
	result := wakeAt(now, f.proof.next, f.alarm.end())
	if shaped != f.proof.shapes() {
		result = wakeAt(now, now) // the webhook configurations depend on it
	}
	return result, errors.Join(err, f.tell(ctx, world, err, now))
}

// expected is what is in force once the API server has read what was written.
func expected(mutating bool) v1alpha1.Fence {
	if mutating {
		return v1alpha1.FenceFull
	}
	return v1alpha1.FenceValidatingOnly
}

// recall takes over what the processes before this one saw, and notices that the TerroirConfig was replaced.
func (f *Fence) recall(config *v1alpha1.TerroirConfig, now time.Time) {
	switch f.known {
	case config.UID:
		return
	case "":
		if config.Status.Fence != v1alpha1.FenceOff { // which may only mean that it could not be written
			f.proof.inForce = config.Status.Fence
		}
		f.alarm.inherit(&config.Status)
	default:
		f.alarm.raise(config, "TerroirConfig/"+config.Name, deleted, now)
	}
	f.known = config.UID
}

func enforcing(policies []v1alpha1.ClusterPlacementPolicy) []metav1.Object {
	var found []metav1.Object
	for i := range policies {
		if policies[i].Spec.Enforcement == v1alpha1.EnforcementEnforce {
			found = append(found, &policies[i])
		}
	}
	return found
}

func (f *Fence) gather(ctx context.Context) (fenceWorld, error) {
	w := fenceWorld{present: map[string]client.Object{}}
	var err error
	if w.mutating, err = f.serves(); err != nil {
		return w, err
	}
	if w.config, err = f.gatherConfig(ctx); err != nil {
		return w, err
	}
	var policies v1alpha1.ClusterPlacementPolicyList
	if err := listAll(ctx, f.reader, &policies); err != nil {
		return w, err
	}
	w.policies = policies.Items
	var zones v1alpha1.ZoneList
	if err := listAll(ctx, f.reader, &zones); err != nil {
		return w, err
	}
	w.zones = zones.Items
	if err := f.follow(ctx, w.mutating); err != nil {
		return w, err
	}
	for _, o := range f.kinds(w.mutating) {
		if err := f.gatherKind(ctx, o, w.present); err != nil {
			return w, err
		}
	}
	w.missing, err = f.gatherMissing(ctx)
	return w, err
}

func (f *Fence) gatherConfig(ctx context.Context) (*v1alpha1.TerroirConfig, error) {
	var config v1alpha1.TerroirConfig
	err := f.reader.Get(ctx, client.ObjectKey{Name: v1alpha1.ConfigName}, &config)
	switch {
	case err == nil:
		return &config, nil
	case client.IgnoreNotFound(err) == nil:
		return nil, nil
	default:
		return nil, fmt.Errorf("reading TerroirConfig/%s: %w", v1alpha1.ConfigName, err)
	}
}

// follow watches the kinds that shape, from when on they are served.
func (f *Fence) follow(ctx context.Context, mutating bool) error {
	if !mutating {
		return nil
	}
	look := func(o any) {
		if o, ok := o.(client.Object); !ok || f.concerns(o) { // what is no object is the tombstone of one
			f.news.announce()
		}
	}
	for _, o := range mutatingKinds() {
		kind := fmt.Sprintf("%T", o)
		if f.following[kind] {
			continue // another handler would announce everything twice
		}
		informer, err := f.reader.GetInformer(ctx, o)
		if err != nil {
			return fmt.Errorf("following %T: %w", o, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, o any) { look(o) }, DeleteFunc: look})
		if err != nil {
			return fmt.Errorf("following %T: %w", o, err)
		}
		f.following[kind] = true
	}
	return nil
}

func (f *Fence) gatherKind(ctx context.Context, kind client.Object, present map[string]client.Object) error {
	gvk, err := apiutil.GVKForObject(kind, f.client.Scheme())
	if err != nil {
		return fmt.Errorf("finding the kind of %T: %w", kind, err)
	}
	list, err := f.client.Scheme().New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err != nil {
		return fmt.Errorf("making a list of %s: %w", gvk.Kind, err)
	}
	objects := list.(client.ObjectList)
	if err := f.reader.List(ctx, objects); err != nil {
		return fmt.Errorf("reading %T: %w", list, err)
	}
	return eachItem(objects, func(o client.Object) {
		if f.concerns(o) {
			o.GetObjectKind().SetGroupVersionKind(gvk)
			present[keyOf(o)] = o
		}
	})
}

// gatherMissing names the kinds of terroir.dev that were there and are gone or about to go, and the namespace if it is about to go.
func (f *Fence) gatherMissing(ctx context.Context) ([]string, error) {
	var missing []string
	var home corev1.Namespace
	if err := f.reader.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, &home); err != nil || !home.DeletionTimestamp.IsZero() {
		missing = append(missing, "Namespace/"+v1alpha1.SystemNamespace)
	}
	kinds := &metav1.PartialObjectMetadataList{}
	kinds.SetGroupVersionKind(customKind().GroupVersionKind())
	if err := f.reader.List(ctx, kinds); err != nil {
		return nil, fmt.Errorf("reading CustomResourceDefinitions: %w", err)
	}
	standing := map[string]bool{}
	for i := range kinds.Items {
		if kind := &kinds.Items[i]; isOwnKind(kind.Name) {
			f.knownKinds[kind.Name], standing[kind.Name] = true, kind.DeletionTimestamp.IsZero()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.knownKinds)) {
		if !standing[name] {
			missing = append(missing, "CustomResourceDefinition/"+name)
		}
	}
	return missing, nil
}

// isOwnKind says whether a CustomResourceDefinition of this name is of the group terroir.dev itself.
func isOwnKind(name string) bool {
	_, group, _ := strings.Cut(name, ".")
	return group == v1alpha1.GroupVersion.Group
}

// placeLabels are the label keys by which zones recognise nodes, sorted: what is written shall not change without a reason.
func placeLabels(zones []v1alpha1.Zone) []string {
	keys := map[string]bool{}
	for i := range zones {
		for key := range zones[i].Spec.Recognition.Labels {
			keys[key] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// decide gives every object that there must be.
func (f *Fence) decide(w fenceWorld) []client.Object {
	exempt := wordsOf(w.config.Spec.ExemptNamespaces)
	options := fence.Options{Settings: settingsOf(w.config), Exempt: exempt, Mutating: w.mutating}
	options.Settings.PlaceLabels = placeLabels(w.zones)
	for i := range w.policies {
		p := &w.policies[i]
		// A policy whose selector does not compile governs nothing, see package policy; a binding with it would not be accepted.
		if _, err := policy.Selector(&p.Spec.NamespaceSelector); err == nil && p.Spec.Enforcement == v1alpha1.EnforcementEnforce {
			options.Governing = append(options.Governing, fence.Governing{Name: p.Name, Selector: *p.Spec.NamespaceSelector.LabelSelector()})
		}
	}
	return asObjects(append(fence.Objects(options), f.webhooks(exempt, f.proof.shapes())...))
}

func (f *Fence) carryOut(ctx context.Context, wanted []client.Object, w fenceWorld, now time.Time) error {
	var failed error
	keep := map[string]bool{}
	for _, o := range wanted {
		key := keyOf(o)
		keep[key] = true
		wrote, done, err := f.putBack.ensure(ctx, o, w.present[key])
		failed = errors.Join(failed, err)
		if wrote {
			f.proof.changed(now)
		}
		if done != nothing {
			f.alarm.raise(w.config, key, done, now)
		}
	}
	for key, o := range w.present {
		if !keep[key] && o.GetLabels()[fence.ManagedByLabel] == fence.ManagedBy {
			f.putBack.forget(key)
			if err := f.client.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
				failed = errors.Join(failed, fmt.Errorf("deleting %s: %w", key, err))
			}
		}
	}
	return failed
}

// createConfig creates the settings with the schema's defaults.
func (f *Fence) createConfig(ctx context.Context) error {
	err := f.client.Create(ctx, &v1alpha1.TerroirConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ConfigName}})
	if client.IgnoreAlreadyExists(err) != nil {
		return fmt.Errorf("creating TerroirConfig/%s: %w", v1alpha1.ConfigName, err)
	}
	return nil
}

// tell says which guarantee is in force, and whether anybody tampered with it. What it says of nodes is the standing loop's and is left out.
func (f *Fence) tell(ctx context.Context, w fenceWorld, failed error, now time.Time) error {
	current := w.config.DeepCopy()
	current.Status.Revoking, current.Status.Nodes, current.Status.Unrecognised = nil, nil, nil
	wanted := current.DeepCopy()
	s := &wanted.Status
	r := f.guarantee(w.mutating, failed)
	s.Fence = r.fence
	condition(&s.ConditionedStatus, w.config.Generation, v1alpha1.ConditionReady, r.status, r.reason, r.message)
	f.alarm.tell(&s.ConditionedStatus, w.config.Generation, w.missing, now)
	f.restriction.tell(&s.ConditionedStatus, w.config.Generation)
	return f.status(ctx, current, wanted)
}

// guarantee is what is said of the guarantee that is in force.
type guarantee struct {
	fence           v1alpha1.Fence
	status          metav1.ConditionStatus
	reason, message string
}

func (f *Fence) guarantee(mutating bool, failed error) guarantee {
	switch {
	case failed != nil:
		return guarantee{v1alpha1.FenceOff, metav1.ConditionFalse, "NotInstalled", "not every admission policy could be written: " + failed.Error()}
	case f.proof.inForce == "" || f.proof.failed:
		return guarantee{
			f.proof.inForce, metav1.ConditionUnknown, "NotProven",
			"the admission policies are written, but the API server has not answered yet whether it applies them",
		}
	case f.proof.inForce == v1alpha1.FenceOff:
		return guarantee{
			v1alpha1.FenceOff, metav1.ConditionFalse, "NotInForce",
			"the admission policies are written, but the API server does not apply them: its admission plugin ValidatingAdmissionPolicy is off",
		}
	case f.proof.shapes():
		return guarantee{v1alpha1.FenceFull, metav1.ConditionTrue, "Installed", "the API server itself shapes and judges governed pods, also while Terroir is away"}
	case mutating:
		return guarantee{
			v1alpha1.FenceValidatingOnly, metav1.ConditionTrue, "Installed",
			"the API server itself judges governed pods; it serves MutatingAdmissionPolicy but does not apply it, so that Terroir's webhook must be there to shape them",
		}
	default:
		return guarantee{
			v1alpha1.FenceValidatingOnly, metav1.ConditionTrue, "Installed",
			"the API server itself judges governed pods; it does not serve MutatingAdmissionPolicy (Kubernetes 1.36), so that Terroir's webhook must be there to shape them",
		}
	}
}

func eachItem(list client.ObjectList, visit func(client.Object)) error {
	err := meta.EachListItem(list, func(o runtime.Object) error {
		visit(o.(client.Object)) // lists of the API's kinds hold objects
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the items of %T: %w", list, err)
	}
	return nil
}
