package doors

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// bindingDoors are the doors by which a pod that was admitted is bound where it should not be.
func bindingDoors() []Door {
	return []Door{
		{Number: 2, Name: "a node that does not exist yet", ClosedBy: "fence: who may bind; webhook: the live node", Variants: ghosts()},
		{Number: 3, Name: "pods/binding by somebody else", ClosedBy: "fence: schedulerUsers; webhook: the live node", Variants: binders()},
		{Number: 4, Name: "the legacy bindings resource", ClosedBy: "fence", Variants: legacyBinders()},
		{Number: 5, Name: "labels and annotations of a Binding", ClosedBy: "fence: none but those that the API server sets", Variants: bindingMetadata()},
		{Number: 27, Name: "a level lost between choice and binding", ClosedBy: "fence: nodes being revoked; webhook: the live node", Variants: revocations()},
	}
}

// binds sends a Binding through pods/binding.
func (s *stage) binds(ctx context.Context, as client.Client, pod, node string) error {
	return s.bindsWith(ctx, as, pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node}})
}

func (s *stage) bindsWith(ctx context.Context, as client.Client, pod string, b *corev1.Binding, options ...client.SubResourceCreateOption) error {
	b.Namespace, b.Name = s.namespace(), pod
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: pod}}
	return as.SubResource("binding").Create(ctx, p, b, options...)
}

// bindsLegacy binds a pod through the bindings resource.
func (s *stage) bindsLegacy(ctx context.Context, as client.Client, pod, node string) error {
	return as.Create(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: pod}, Target: corev1.ObjectReference{Kind: "Node", Name: node},
	})
}

// bindsVictim tries to bind the pod that waits to a node.
func bindsVictim(node string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		err := s.binds(ctx, s.actor(), s.name(), s.fill(node))
		if err != nil {
			return nothing, err
		}
		p, err := s.pod(ctx, s.name())
		if err != nil {
			return nothing, err
		}
		return effect(p.Spec.NodeName == s.fill(node)), nil
	}
}

func ghosts() []Variant {
	created := func(ctx context.Context, s *stage) (effect, error) {
		err := s.create(ctx, s.actor(), podOf("", `nodeName: ghost-$name`))
		return err == nil, err
	}
	ghost := "ghost-$name"
	set := scene(governed, waiting)
	return []Variant{
		{By: namespaceEditor, Through: "create of pods", Ground: shared, Set: governed, Try: created},
		{By: worker, Through: "create of pods/binding", Ground: shared, Set: set, Try: bindsVictim(ghost)},
		{By: secondScheduler, Through: "create of pods/binding", Ground: shared, Set: set, Try: bindsVictim(ghost)},
		{By: scheduler, Through: "create of pods/binding, from a stale cache", Closed: Webhook, Ground: shared, Set: set, Try: bindsVictim(ghost)},
	}
}

func binders() []Variant {
	set := scene(governed, waiting)
	withoutKind := func(ctx context.Context, s *stage) (effect, error) {
		err := s.bindsWith(ctx, s.actor(), s.name(), &corev1.Binding{Target: corev1.ObjectReference{Name: abroad}})
		return err == nil, err
	}
	toPod := func(ctx context.Context, s *stage) (effect, error) {
		err := s.bindsWith(ctx, s.actor(), s.name(), &corev1.Binding{Target: corev1.ObjectReference{Kind: "Pod", Name: abroad}})
		return err == nil, err
	}
	dryRun := func(ctx context.Context, s *stage) (effect, error) {
		err := s.bindsWith(ctx, s.actor(), s.name(), &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: abroad}},
			&client.SubResourceCreateOptions{CreateOptions: client.CreateOptions{DryRun: []string{metav1.DryRunAll}}})
		return err == nil, err
	}
	annotated := scene(free, given(`
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: $namespace, annotations: {terroir.dev/trust-level: trusted}}
spec: {terminationGracePeriodSeconds: 0, nodeSelector: {fits: nowhere}, containers: [{name: c, image: x}]}
`), marked)
	return []Variant{
		{By: worker, Through: "create of pods/binding", Ground: shared, Set: set, Try: bindsVictim(abroad)},
		{By: worker, Through: "create of pods/binding of an annotated pod", Set: annotated, Try: bindsVictim(abroad)},
		{
			By: worker, Through: "create of pods/binding of an annotated pod, before its namespace is marked", Closed: Noticed, Noticed: astray, Try: bindsAnnotated,
			Set: scene(free, given(`{apiVersion: terroir.dev/v1alpha1, kind: TrustLevel, metadata: {name: $name}, spec: {countries: [FR]}}`)),
		},
		{By: secondScheduler, Through: "create of pods/binding", Ground: shared, Set: set, Try: bindsVictim(abroad)},
		{By: secondScheduler, Through: "create of pods/binding, without a kind", Ground: shared, Set: set, Try: withoutKind},
		{By: secondScheduler, Through: "create of pods/binding, as a dry run", Ground: shared, Set: set, Try: dryRun},
		{By: secondScheduler, Through: "create of pods/binding, to a pod", Closed: Kubernetes, Why: "the registry binds to nodes only", Ground: shared, Set: set, Try: toPod},
		{By: administrator, Through: "create of pods/binding", Ground: shared, Set: set, Try: bindsVictim(abroad)},
		{By: scheduler, Through: "create of pods/binding, by a scheduler that errs", Closed: Webhook, Ground: shared, Set: set, Try: bindsVictim(abroad)},
	}
}

// marked waits until the namespace of an annotated workload is marked, which is when the fence looks at bindings there.
func marked(ctx context.Context, s *stage) error {
	if s.phase == without {
		return nil
	}
	return s.governedBy(ctx)
}

// bindsAnnotated creates an annotated pod in a namespace where nothing was governed and binds it before Terroir can have marked the namespace.
func bindsAnnotated(ctx context.Context, s *stage) (effect, error) {
	pod := podOf(`annotations: {terroir.dev/trust-level: $name}`, `nodeSelector: {fits: nowhere}`)
	if err := s.create(ctx, s.actor(), pod); err != nil {
		return nothing, err
	}
	if err := s.binds(ctx, s.actor(), s.name(), abroad); err != nil {
		return nothing, err
	}
	return s.lands(ctx, s.name())
}

// astray is noticed when the trust level of the stage's own counts a pod that is astray, or when there is none, since Terroir marked the namespace
// before the binding came: who is first is a race, while Terroir runs.
func astray(ctx context.Context, s *stage) error {
	p, err := s.pod(ctx, s.name())
	if err != nil || p.Spec.NodeName != abroad {
		return err
	}
	var l v1alpha1.TrustLevel
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name()}, &l); err != nil {
		return err
	}
	if l.Status.Astray == 0 {
		return fmt.Errorf("the trust level says %+v", l.Status)
	}
	return nil
}

func legacyBinders() []Variant {
	try := func(ctx context.Context, s *stage) (effect, error) {
		if err := s.bindsLegacy(ctx, s.actor(), s.name(), abroad); err != nil {
			return nothing, err
		}
		return s.lands(ctx, s.name())
	}
	set := scene(governed, waiting)
	return []Variant{
		{By: worker, Through: "create of bindings", Ground: shared, Set: set, Try: try},
		{By: secondScheduler, Through: "create of bindings", Ground: shared, Set: set, Try: try},
		{By: scheduler, Through: "create of bindings", Ground: shared, Set: set, Try: try},
	}
}

func bindingMetadata() []Variant {
	set := scene(governed, waiting)
	rewrites := func(kind, key string, through func(*stage, context.Context, *corev1.Binding) error) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			b := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "na1"}}
			forged := map[string]string{key: "forged"}
			if kind == "labels" {
				b.Labels = forged
			} else {
				b.Annotations = forged
			}
			refusal := through(s, ctx, b)
			p, err := s.pod(ctx, s.name())
			if err != nil {
				return nothing, err
			}
			return p.Labels[key] == "forged" || p.Annotations[key] == "forged", refusal
		}
	}
	proper := func(s *stage, ctx context.Context, b *corev1.Binding) error {
		return s.bindsWith(ctx, s.actor(), s.name(), b)
	}
	legacy := func(s *stage, ctx context.Context, b *corev1.Binding) error {
		b.Namespace, b.Name = s.namespace(), s.name()
		return s.actor().Create(ctx, b)
	}
	var all []Variant
	for _, by := range []who{scheduler, secondScheduler, worker} {
		all = append(all,
			Variant{By: by, Through: "create of pods/binding with our label", Ground: shared, Set: set, Try: rewrites("labels", "terroir.dev/workload", proper)},
			Variant{By: by, Through: "create of pods/binding with our annotation", Ground: shared, Set: set, Try: rewrites("annotations", "terroir.dev/placement", proper)},
			Variant{By: by, Through: "create of bindings with a label", Ground: shared, Set: set, Try: rewrites("labels", "app", legacy)},
		)
	}
	zone := Variant{By: scheduler, Through: "create of pods/binding with a forged zone", Ground: shared, Set: set, Try: rewrites("labels", corev1.LabelTopologyZone, proper)}
	zone.Closed, zone.Why = Kubernetes, "the API server overwrites zone and region with the node's"
	return append(all, zone)
}

func revocations() []Variant {
	bindsToLost := func(ctx context.Context, s *stage) (effect, error) {
		if err := s.revoke(ctx); err != nil {
			return mishap("%w", err)
		}
		return bindsVictim("$node")(ctx, s)
	}
	lost := scene(ownZone, ownPolicy, waiting)
	return []Variant{
		{By: scheduler, Through: "create of pods/binding after the loss", Set: lost, Try: bindsToLost},
		{By: secondScheduler, Through: "create of pods/binding after the loss", Set: lost, Try: bindsToLost},
		{By: scheduler, Through: "create of bindings after the loss", Set: lost, Try: func(ctx context.Context, s *stage) (effect, error) {
			if err := s.revoke(ctx); err != nil {
				return mishap("%w", err)
			}
			if err := s.bindsLegacy(ctx, s.actor(), s.name(), s.node()); err != nil {
				return nothing, err
			}
			return happened, nil
		}},
	}
}

// ownZone makes a zone of the stage's own with one node in it, and waits until it is open.
func ownZone(ctx context.Context, s *stage) error {
	err := s.prepare(ctx, `
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: $name}
spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: $name}}}
---
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node, topology.kubernetes.io/zone: $name}, annotations: {made: for-doors}}
spec: {`+apart+`}
`)
	if err != nil || s.phase == without {
		return err
	}
	return eventually(ctx, func() error { return s.labelled(ctx, s.node(), openFrance, s.name()) })
}

// lose makes the stage's zone one that satisfies nothing.
func (s *stage) lose(ctx context.Context) error {
	all, err := terroir.Objects([]byte(s.fill(`{apiVersion: terroir.dev/v1alpha1, kind: Zone, metadata: {name: $name}}`)))
	if err != nil {
		return err
	}
	return s.admin.Patch(ctx, all[0], client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"country":"US"}}`)))
}

// revoke takes the level from the stage's node. While the operator is down, only its list of nodes being revoked can have said so before.
func (s *stage) revoke(ctx context.Context) error {
	if s.phase != down {
		if err := s.lose(ctx); err != nil || s.phase == without {
			return err
		}
		return eventually(ctx, func() error { return closes(ctx, s) })
	}
	all, err := terroir.Objects([]byte(`{apiVersion: terroir.dev/v1alpha1, kind: TerroirConfig, metadata: {name: cluster}}`))
	if err != nil {
		return err
	}
	for {
		if err := s.admin.Get(ctx, client.ObjectKeyFromObject(all[0]), all[0]); err != nil {
			return err
		}
		status, _ := all[0].Object["status"].(map[string]any)
		listed, _ := status["revoking"].([]any)
		status["revoking"] = append(listed, map[string]any{"node": s.node(), "trustLevels": []any{franceLevel}, "until": "2099-01-01T00:00:00Z"})
		err := s.admin.SubResource("status").Update(ctx, all[0])
		if err == nil {
			return s.heard(ctx)
		}
		if !isConflict(err) {
			return err
		}
	}
}

// heard waits until the API server has heard of the list of nodes being revoked.
func (s *stage) heard(ctx context.Context) error {
	return eventually(ctx, func() error {
		err := s.bindsWith(ctx, s.as(scheduler), s.name(), &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: s.node()}},
			&client.SubResourceCreateOptions{CreateOptions: client.CreateOptions{DryRun: []string{metav1.DryRunAll}}})
		if err == nil {
			return fmt.Errorf("node %s is not known as being revoked", s.node())
		}
		return nil
	})
}

// impersonating is somebody who impersonates a service account with rights of their own.
func (s *stage) impersonating(user, impersonated string) (client.Client, error) {
	config, err := s.cluster.ConfigFor(user)
	if err != nil {
		return nil, err
	}
	config.Impersonate = rest.ImpersonationConfig{UserName: impersonated}
	config.WarningHandler = rest.NoWarnings{}
	return client.New(config, client.Options{Scheme: s.admin.Scheme(), Mapper: s.admin.RESTMapper()})
}

// byToken is a service account of the namespace, by a token for which the actor asks.
func (s *stage) byToken(ctx context.Context, name string) (client.Client, error) {
	token, err := s.token(ctx, s.namespace(), name)
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(s.cluster.Config())
	config.BearerToken = token
	config.WarningHandler = rest.NoWarnings{}
	made, err := client.New(config, client.Options{Scheme: s.admin.Scheme(), Mapper: s.admin.RESTMapper()})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return made, nil
}
