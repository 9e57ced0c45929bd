package controllers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Fence keeps the admission objects as they must be, creates the TerroirConfig, and says which guarantee is in force.
type Fence struct {
	writer
	reader client.Reader
	// mutating tells that the API server serves MutatingAdmissionPolicy.
	mutating bool
	// webhooks gives the webhook configurations that belong to the exempt namespaces.
	webhooks func(exempt []string) []runtime.Object

	now         Clock
	bound       *boundPolicies
	restriction *restriction

	// written remembers, by kind and name, what was written and which version of the object that made, so that only what somebody
	// changed, or what is to be otherwise, is written again.
	written map[string]written
}

// written is one version of an object, and a digest of what Terroir wants of it.
type written struct {
	uid        types.UID
	generation int64
	content    [sha256.Size]byte
}

func (f *Fence) loop() loop {
	l := loop{name: "fence", pass: f.pass, announcements: &f.restriction.news, after: shortly, watches: []watch{
		{object: &v1alpha1.ClusterPlacementPolicy{}, after: atOnce, news: specChanged},
		{object: &v1alpha1.TerroirConfig{}, after: atOnce},
	}}
	for _, o := range f.kinds() {
		l.watches = append(l.watches, watch{object: o, after: shortly, news: generationChanged})
	}
	return l
}

func generationChanged(before, after client.Object) bool {
	return before.GetGeneration() != after.GetGeneration()
}

// kinds are those of which the fence consists.
func (f *Fence) kinds() []client.Object {
	kinds := []client.Object{
		&admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{},
		&admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{},
	}
	if f.mutating {
		kinds = append(kinds, &admissionregistrationv1.MutatingAdmissionPolicy{}, &admissionregistrationv1.MutatingAdmissionPolicyBinding{})
	}
	return kinds
}

// fenceWorld is what the loop looks at.
type fenceWorld struct {
	config   *v1alpha1.TerroirConfig // nil: there is none
	policies []v1alpha1.ClusterPlacementPolicy
	present  map[string]client.Object // by kind and name; those that Terroir manages
}

func (f *Fence) pass(ctx context.Context) (reconcile.Result, error) {
	world, err := f.gather(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if world.config == nil {
		return reconcile.Result{}, f.createConfig(ctx)
	}
	if err = f.carryOut(ctx, f.decide(world), world); err == nil {
		f.bound.write(enforcing(world.policies), f.now())
	}
	return reconcile.Result{}, errors.Join(err, f.tell(ctx, world.config, err))
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
	var config v1alpha1.TerroirConfig
	switch err := f.reader.Get(ctx, client.ObjectKey{Name: v1alpha1.ConfigName}, &config); {
	case err == nil:
		w.config = &config
	case client.IgnoreNotFound(err) != nil:
		return w, fmt.Errorf("reading TerroirConfig/%s: %w", v1alpha1.ConfigName, err)
	}
	var policies v1alpha1.ClusterPlacementPolicyList
	if err := listAll(ctx, f.reader, &policies); err != nil {
		return w, err
	}
	w.policies = policies.Items
	for _, o := range f.kinds() {
		if err := f.gatherKind(ctx, o, w.present); err != nil {
			return w, err
		}
	}
	return w, nil
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
	if err := f.reader.List(ctx, objects, client.MatchingLabels{fence.ManagedByLabel: fence.ManagedBy}); err != nil {
		return fmt.Errorf("reading %T: %w", list, err)
	}
	return eachItem(objects, func(o client.Object) { present[gvk.Kind+"/"+o.GetName()] = o })
}

// decide gives every object that there must be.
func (f *Fence) decide(w fenceWorld) []client.Object {
	exempt := wordsOf(w.config.Spec.ExemptNamespaces)
	options := fence.Options{Settings: settingsOf(w.config), Exempt: exempt, Mutating: f.mutating}
	for i := range w.policies {
		p := &w.policies[i]
		// A policy whose selector does not compile governs nothing, see package policy; a binding with it would not be accepted.
		if _, err := policy.Selector(&p.Spec.NamespaceSelector); err == nil && p.Spec.Enforcement == v1alpha1.EnforcementEnforce {
			options.Governing = append(options.Governing, fence.Governing{Name: p.Name, Selector: *p.Spec.NamespaceSelector.LabelSelector()})
		}
	}
	var objects []client.Object
	for _, o := range append(fence.Objects(options), f.webhooks(exempt)...) {
		objects = append(objects, o.(client.Object))
	}
	return objects
}

func (f *Fence) carryOut(ctx context.Context, wanted []client.Object, w fenceWorld) error {
	var failed error
	keep := map[string]bool{}
	for _, o := range wanted {
		key := o.GetObjectKind().GroupVersionKind().Kind + "/" + o.GetName()
		keep[key] = true
		failed = errors.Join(failed, f.ensure(ctx, o, w.present[key]))
	}
	for key, o := range w.present {
		if !keep[key] {
			if err := f.client.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
				failed = errors.Join(failed, fmt.Errorf("deleting %s: %w", key, err))
			}
		}
	}
	return failed
}

// ensure writes an object unless it is known to be there, as Terroir last wrote it, and to be wanted as it was then.
func (f *Fence) ensure(ctx context.Context, wanted, present client.Object) error {
	u, err := f.unstructured(wanted)
	if err != nil {
		return err
	}
	text, err := u.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encoding %s %s: %w", u.GetKind(), u.GetName(), err)
	}
	key, version := u.GetKind()+"/"+u.GetName(), written{content: sha256.Sum256(text)}
	if present != nil {
		version.uid, version.generation = present.GetUID(), present.GetGeneration()
		if f.written[key] == version {
			return nil
		}
	}
	if err := f.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldOwner), client.ForceOwnership); err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	version.uid, version.generation = u.GetUID(), u.GetGeneration()
	f.written[key] = version
	return nil
}

// createConfig creates the settings with the schema's defaults.
func (f *Fence) createConfig(ctx context.Context) error {
	err := f.client.Create(ctx, &v1alpha1.TerroirConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ConfigName}})
	if client.IgnoreAlreadyExists(err) != nil {
		return fmt.Errorf("creating TerroirConfig/%s: %w", v1alpha1.ConfigName, err)
	}
	return nil
}

// tell says which guarantee is in force. What it says of nodes is the standing loop's and is left out.
func (f *Fence) tell(ctx context.Context, config *v1alpha1.TerroirConfig, failed error) error {
	current := config.DeepCopy()
	current.Status.Revoking, current.Status.Nodes, current.Status.Unrecognised = nil, nil, nil
	wanted := current.DeepCopy()
	s := &wanted.Status
	switch {
	case failed != nil:
		s.Fence = v1alpha1.FenceOff
		condition(&s.ConditionedStatus, config.Generation, v1alpha1.ConditionReady, metav1.ConditionFalse, "NotInstalled",
			"not every admission policy could be written: "+failed.Error())
	case f.mutating:
		s.Fence = v1alpha1.FenceFull
		condition(&s.ConditionedStatus, config.Generation, v1alpha1.ConditionReady, metav1.ConditionTrue, "Installed",
			"the API server itself shapes and judges governed pods, also while Terroir is away")
	default:
		s.Fence = v1alpha1.FenceValidatingOnly
		condition(&s.ConditionedStatus, config.Generation, v1alpha1.ConditionReady, metav1.ConditionTrue, "Installed",
			"the API server itself judges governed pods; it does not serve MutatingAdmissionPolicy (Kubernetes 1.36), so that Terroir's webhook must be there to shape them")
	}
	f.restriction.tell(&s.ConditionedStatus, config.Generation)
	return f.status(ctx, current, wanted)
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
