package doors

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// updateDoors are the doors by which a pod is changed after it was admitted.
func updateDoors() []Door {
	return []Door{
		{Number: 11, Name: "gates removed, affinity edited while gated", ClosedBy: "fence: gates of ours only by Terroir; nodeSelector and constraint stay", Variants: append(gates(), encryptionGates()...)},
		{Number: 13, Name: "labels and annotations of a running pod changed", ClosedBy: "fence: what a pod was judged by stays", Variants: stamps()},
		{Number: 14, Name: "a foreign pod brought into a governed set", ClosedBy: "fence: labels of running pods in governed namespaces", Variants: adoptions()},
	}
}

func gates() []Variant {
	gated := func(gate string) func(context.Context, *stage) error {
		return given(`
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: $namespace, labels: {app: tried}}
spec: {terminationGracePeriodSeconds: 0, schedulingGates: [{name: ` + gate + `}], containers: [{name: c, image: x}]}
`)
	}
	lifted := change{apiVersion: "v1", kind: "Pod", namespace: "$namespace", name: "$name", path: []string{"spec", "schedulingGates"}}
	ours := template{by: namespaceAdmin, resource: "pods", ground: shared, set: scene(governed, gated("terroir.dev/keys"))}
	all := ours.everyWay(lifted, "")
	edited := func(spec string) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: s.name()}}
			for _, patch := range []string{spec, `{"spec":{"schedulingGates":null}}`} {
				if err := s.actor().Patch(ctx, p, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
					return nothing, err
				}
			}
			return s.lands(ctx, s.name())
		}
	}
	set := scene(governed, gated("example.com/quota"))
	terms := `{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["abroad"]}]}]}}}}}`
	unspread := Variant{By: namespaceAdmin, Through: "merge patch of a gated pod's constraints", Closed: Kubernetes, Why: "while gated, only nodeSelector and affinity can be changed, and only tightened", Ground: shared, Set: set}
	unspread.Try = func(ctx context.Context, s *stage) (effect, error) {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: s.name()}}
		err := s.actor().Patch(ctx, p, client.RawPatch("application/merge-patch+json", []byte(
			`{"spec":{"topologySpreadConstraints":[{"maxSkew":5,"topologyKey":"x","whenUnsatisfiable":"ScheduleAnyway"}]}}`)))
		return err == nil, err
	}
	return append(all,
		Variant{By: namespaceAdmin, Through: "merge patch of a gated pod's nodeSelector", Closed: Undone, Ground: shared, Set: set, Try: edited(`{"spec":{"nodeSelector":{"kubernetes.io/hostname":"abroad"}}}`)},
		Variant{By: namespaceAdmin, Through: "merge patch of a gated pod's affinity", Closed: Undone, Ground: shared, Set: set, Try: edited(terms)},
		unspread,
	)
}

func stamps() []Variant {
	set := scene(governed, running)
	of := func(key, kind string, value any) change {
		return change{apiVersion: "v1", kind: "Pod", namespace: "$namespace", name: "$name", path: []string{"metadata", kind, key}, value: value}
	}
	workload, unlabelled := of("terroir.dev/workload", "labels", "forged"), of("terroir.dev/workload", "labels", nil)
	placement, untold := of("terroir.dev/placement", "annotations", "forged"), of("terroir.dev/placement", "annotations", nil)
	editor := template{by: namespaceEditor, set: set, ground: shared, resource: "pods"}
	operator := template{by: podOperator, set: set, ground: shared, resource: "pods"}
	var all []Variant
	all = append(all, editor.everyWay(workload, "")...)
	all = append(all, editor.everyWay(unlabelled, "")...)
	all = append(all, editor.everyWay(placement, "")...)
	all = append(all, operator.everyWay(workload, "status")...)
	all = append(all, operator.everyWay(unlabelled, "status")...)
	all = append(all, operator.everyWay(placement, "status")...)
	all = append(all, operator.everyWay(untold, "status")...)
	for _, sub := range []string{"ephemeralcontainers", "resize"} {
		keeps := template{by: podOperator, set: set, ground: shared, resource: "pods", closed: Kubernetes}
		for _, v := range keeps.everyWay(workload, sub) {
			v.Why = "this subresource takes nothing else from the request"
			all = append(all, v)
		}
	}
	asked := scene(free, given(`
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: $namespace, annotations: {terroir.dev/trust-level: trusted}}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
`))
	level := of("terroir.dev/trust-level", "annotations", nil)
	all = append(all, template{by: namespaceEditor, set: asked, ground: annotated, resource: "pods"}.everyWay(level, "")...)
	all = append(all, template{by: podOperator, set: asked, ground: annotated, resource: "pods"}.everyWay(level, "status")...)
	return append(all, Variant{
		By: kubelet, Through: "merge patch of pods/status", Set: scene(free, strangeNode, onItsNode, becomesGoverned), Closed: Kubernetes, Why: "NodeRestriction: a kubelet does not change labels through pods/status",
		Try: func(ctx context.Context, s *stage) (effect, error) {
			return template{resource: "pods"}.variant(workload, mergePatch, "status").Try(ctx, s)
		},
	})
}

// onItsNode makes a pod that runs on the stage's own node, whose kubelet then may write its status.
func onItsNode(ctx context.Context, s *stage) error {
	return s.prepare(ctx, podOf("", `nodeName: $node`))
}

// webSet is a Deployment that asks for a level by annotation.
const webSet = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: $namespace, annotations: {terroir.dev/trust-level: trusted}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
`

// foreign is a pod on the unqualified node.
const foreign = `
apiVersion: v1
kind: Pod
metadata: {name: foreign, namespace: $namespace, labels: {app: other}, annotations: {made: for-doors}}
spec: {terminationGracePeriodSeconds: 0, nodeName: abroad, containers: [{name: c, image: x}]}
`

// setOf gives the ReplicaSet of the Deployment web.
func (s *stage) setOf(ctx context.Context) (*appsv1.ReplicaSet, error) {
	var sets appsv1.ReplicaSetList
	err := s.admin.List(ctx, &sets, client.InNamespace(s.namespace()))
	if err == nil && len(sets.Items) != 1 {
		err = fmt.Errorf("there are %d replicasets", len(sets.Items))
	}
	if err != nil {
		return nil, err
	}
	return &sets.Items[0], nil
}

// complete waits until the ReplicaSet has all its pods.
func (s *stage) complete(ctx context.Context) error {
	return eventually(ctx, func() error {
		set, err := s.setOf(ctx)
		if err == nil && set.Status.Replicas != *set.Spec.Replicas {
			err = fmt.Errorf("it has %d pods", set.Status.Replicas)
		}
		return err
	})
}

func complete(ctx context.Context, s *stage) error { return s.complete(ctx) }

// joins relabels the foreign pod into the ReplicaSet's selector.
func joins(verb, sub string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		set, err := s.setOf(ctx)
		if err != nil {
			return mishap("%w", err)
		}
		labels := map[string]any{}
		for key, value := range set.Spec.Selector.MatchLabels {
			labels[key] = value
		}
		c := change{apiVersion: "v1", kind: "Pod", namespace: "$namespace", name: "foreign", path: []string{"metadata", "labels"}, value: labels}
		if err := c.fill(s).carry(ctx, s, verb, sub); err != nil {
			return nothing, err
		}
		return s.taken(ctx, "foreign")
	}
}

func adoptions() []Variant {
	annotated := scene(free, given(foreign), given(webSet), complete)
	older := scene(free, given(foreign), given(replicaSet("")), becomesGoverned, complete)
	var all []Variant
	for _, verb := range []string{mergePatch, jsonPatch, strategicPatch, put, apply} {
		all = append(all, Variant{By: namespaceEditor, Through: verb + " of pods, into an annotated set", Set: annotated, Try: joins(verb, "")})
	}
	for _, verb := range []string{mergePatch, put} {
		all = append(all,
			Variant{By: podOperator, Through: verb + " of pods/status, into an annotated set", Set: annotated, Try: joins(verb, "status")},
			Variant{By: namespaceEditor, Through: verb + " of pods, into a set under a policy", Set: older, Try: joins(verb, "")},
			Variant{By: podOperator, Through: verb + " of pods/status, into a set under a policy", Set: older, Try: joins(verb, "status")},
		)
	}
	// What only the annotation of a controller asks for shows neither in a pod that it may adopt nor in the request that adopts it.
	const unseen = "an adopted pod does not show what its controller's own annotation asks for; a policy for the namespace closes it"
	own := scene(free, given(webSet), complete)
	return append(all,
		Variant{By: namespaceEditor, Through: "create of a replicaset under a policy that selects older pods", Set: scene(free, given(foreign), becomesGoverned), Try: adoptsForeign("ReplicaSet", "foreign", "")},
		Variant{By: namespaceEditor, Through: "create of pods with the labels of an annotated set", Closed: StillOpen, Why: unseen, Set: own, Try: born("")},
		Variant{By: namespaceEditor, Through: "create of pods owned by an annotated set", Closed: StillOpen, Why: unseen, Set: own, Try: born("owned")},
		Variant{By: namespaceEditor, Through: "create of an annotated replicaset that selects older pods", Closed: StillOpen, Why: unseen, Set: scene(free, given(foreign)), Try: adoptsForeign("ReplicaSet", "foreign", asksTrusted)},
		Variant{
			By: namespaceEditor, Through: "create of an annotated statefulset that selects an older pod", Closed: StillOpen, Why: unseen,
			Set: scene(free, given(strings.NewReplacer("name: foreign", "name: tried-0", "app: other", "app: tried").Replace(foreign))), Try: adoptsForeign("StatefulSet", "tried-0", asksTrusted),
		},
	)
}

// asksTrusted is what a template says that asks for the level.
const asksTrusted = ", annotations: {terroir.dev/trust-level: trusted}"

// born creates a pod abroad, without any annotation, that the ReplicaSet of an annotated Deployment takes for its own.
func born(owned string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		set, err := s.setOf(ctx)
		if err != nil {
			return mishap("%w", err)
		}
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: "foreign", Labels: set.Spec.Selector.MatchLabels}}
		p.Spec.NodeName, p.Spec.Containers, p.Spec.TerminationGracePeriodSeconds = abroad, []corev1.Container{{Name: "c", Image: "x"}}, new(int64)
		// Older than its sister pods it is not; that it is ready and they are doubled on a node makes it stay, or not. That it is taken counts.
		if owned != "" {
			p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
		}
		if err := s.actor().Create(ctx, p); err != nil {
			return nothing, err
		}
		return s.taken(ctx, "foreign")
	}
}

// taken tells whether the ReplicaSet has taken a pod for its own, which it may have deleted again at once since it had one too many.
func (s *stage) taken(ctx context.Context, name string) (effect, error) {
	return patient(ctx, func() (bool, effect, error) {
		var p corev1.Pod
		found, err := s.exists(ctx, &p, s.namespace(), name)
		if err != nil {
			return false, nothing, err
		}
		owned := metav1.GetControllerOf(&p) != nil
		return !found || owned, effect(!found || owned), nil
	})
}

// adoptsForeign creates a set that selects a pod that is there and runs abroad.
func adoptsForeign(kind, pod, asks string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		app := "other"
		if kind == "StatefulSet" {
			app = "tried"
		}
		text := workload("apps/v1", kind, selected, "")
		text = strings.ReplaceAll(text, "labels: {app: tried}", "labels: {app: "+app+"}"+asks)
		text = strings.ReplaceAll(text, "matchLabels: {app: tried}", "matchLabels: {app: "+app+"}")
		if err := s.create(ctx, s.actor(), text); err != nil {
			return nothing, err
		}
		return patient(ctx, func() (bool, effect, error) {
			p, err := s.pod(ctx, pod)
			if err != nil {
				return false, nothing, err
			}
			if metav1.GetControllerOf(p) != nil {
				return true, happened, nil
			}
			if kind == "ReplicaSet" {
				err = s.adoptionOf(ctx, p)
			}
			return refused(err), nothing, err
		})
	}
}

// token asks for a token of a service account, as the actor.
func (s *stage) token(ctx context.Context, namespace, name string) (string, error) {
	request := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	err := s.actor().SubResource("token").Create(ctx, account, request)
	return request.Status.Token, err
}
