package doors

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// laterDoors are those that no admission closes: what happens after it, or before Terroir came. They are noticed.
func laterDoors() []Door {
	return []Door{
		{Number: 10, Name: "static pods", ClosedBy: "counted by their mirrors; also shown on a real node", Variants: mirrors()},
		{Number: 12, Name: "tolerations that keep a pod on lost ground", ClosedBy: "moot", Elsewhere: "Terroir never evicts by taint, so there is nothing for a toleration to cancel"},
		{Number: 26, Name: "affinity ignored during execution", ClosedBy: "fence: nodes are moved by the cloud controller alone; audit: pods on lost ground are counted", Variants: drift()},
		{Number: 29, Name: "spread lost at scale-down", ClosedBy: "audit: SpreadLost", Variants: scaleDowns()},
		{Number: 36, Name: "budgets and grace periods that hinder a move", ClosedBy: "belongs to loss of ground", Elsewhere: "nothing is moved yet, so nothing can be hindered"},
		{Number: 38, Name: "the operator down or slow", ClosedBy: "fence", Variants: whileDown()},
		{Number: 40, Name: "pods older than the policy, or than Terroir", ClosedBy: "counted in the policy's status", Variants: olderPods()},
	}
}

func mirrors() []Variant {
	return []Variant{{
		By: kubelet, Through: "create of mirror pods of its static pods", Closed: Noticed, Noticed: counted, Set: scene(ownPolicy, strangeNode),
		Try: func(ctx context.Context, s *stage) (effect, error) {
			var n corev1.Node
			if err := s.admin.Get(ctx, client.ObjectKey{Name: s.node()}, &n); err != nil {
				return mishap("%w", err)
			}
			is := true
			err := s.actor().Create(ctx, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: s.namespace(), Name: "static-" + s.node(), Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x", "kubernetes.io/config.source": "file"},
					OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: n.Name, UID: n.UID, Controller: &is}},
				},
				Spec: corev1.PodSpec{NodeName: s.node(), Containers: []corev1.Container{{Name: "c", Image: "x"}}, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}},
			})
			return err == nil, err
		},
	}}
}

// onOwnGround lets a pod of the stage's namespace run on the stage's node.
func onOwnGround(ctx context.Context, s *stage) error {
	err := s.prepare(ctx, podOf("", `nodeSelector: {kubernetes.io/hostname: $node}, tolerations: [{operator: Exists, key: doors.example.com/apart}]`))
	if err != nil {
		return err
	}
	node, err := s.bound(ctx, s.name())
	if err == nil && node != s.node() {
		err = fmt.Errorf("the pod is on node %q", node)
	}
	return err
}

func drift() []Variant {
	set := scene(ownZone, ownPolicy, onOwnGround)
	stays := func(ctx context.Context, s *stage) (effect, error) {
		p, err := s.pod(ctx, s.name())
		return effect(err == nil && p.Spec.NodeName == s.node()), err
	}
	moves := func(ctx context.Context, s *stage) (effect, error) {
		if err := nodeLabel(corev1.LabelTopologyZone, "elsewhere").fill(s).carry(ctx, s, mergePatch, ""); err != nil {
			return nothing, err
		}
		return stays(ctx, s)
	}
	return []Variant{
		{By: administrator, Through: "merge patch of zones: ground lost under running pods", Closed: Noticed, Noticed: counted, Set: set, Try: func(ctx context.Context, s *stage) (effect, error) {
			if err := s.lose(ctx); err != nil {
				return mishap("%w", err)
			}
			return stays(ctx, s)
		}},
		{By: nodeMaker, Through: "merge patch of nodes: moved under running pods", Set: set, Try: moves},
		{By: cloudController, Through: "merge patch of nodes: moved under running pods", Closed: Noticed, Noticed: counted, Set: set, Try: moves},
	}
}

// spreadOver makes a Deployment of three on three sites, under a policy of its own that asks for as many.
func spreadOver(ctx context.Context, s *stage) error {
	return scene(given(`
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: $name}
spec: {namespaceSelector: {matchLabels: {own: $name}}, trustLevels: [trusted], spread: {minSites: 3}, enforcement: Enforce}
`), func(ctx context.Context, s *stage) error {
		return errors.Join(s.policyReady(ctx, s.name()), s.makeNamespace(ctx, "own: "+s.name()), s.governedBy(ctx))
	}, given(workload("apps/v1", "ReplicaSet", "replicas: 6\n  "+selected, "")), allReady)(ctx, s)
}

// allReady waits until all six pods are ready: of those that are not the controller takes the first, whatever they cost.
func allReady(ctx context.Context, s *stage) error {
	return eventually(ctx, func() error {
		f, err := s.fate(ctx)
		if err == nil && f.ready != 6 {
			err = fmt.Errorf("%d of 6 pods are ready", f.ready)
		}
		return err
	})
}

// twoOnOneSite pins two pods, which owe a spread over two sites, to the one site of the stage's own: the first is on its first node, and the
// other waits. Without Terroir it is on the second.
func twoOnOneSite(ctx context.Context, s *stage) error {
	return scene(ownZone, given(`
apiVersion: v1
kind: Node
metadata: {name: $node-b, labels: {kubernetes.io/hostname: $node-b, topology.kubernetes.io/zone: $name}}
spec: {`+apart+`}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: $name}
spec: {namespaceSelector: {matchLabels: {own: $name}}, trustLevels: [in-france], spread: {minSites: 2}, enforcement: Enforce}
`), func(ctx context.Context, s *stage) error {
		return errors.Join(s.policyReady(ctx, s.name()), s.makeNamespace(ctx, "own: "+s.name()), s.governedBy(ctx))
	}, given(workload("apps/v1", "ReplicaSet", "replicas: 2\n  "+selected, `tolerations: [{key: doors.example.com/apart, operator: Exists}], affinity: {nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [$name]}]}]},
      preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [$node]}]}}]}}`)),
		func(ctx context.Context, s *stage) error {
			return eventually(ctx, func() error {
				f, err := s.fate(ctx)
				if err == nil && f.bound == 0 {
					err = errors.New("none of the two pods is bound")
				}
				return err
			})
		})(ctx, s)
}

func scaleDowns() []Variant {
	lost := func(ctx context.Context, s *stage) error { return s.incompliant(ctx, "SpreadLost") }
	return []Variant{{
		By: daemon, Through: "merge patch of nodes: a taint, so that its pods are not counted", Closed: Noticed, Noticed: lost, Set: twoOnOneSite,
		Try: func(ctx context.Context, s *stage) (effect, error) {
			n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: s.node()}}
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"taints":[{"key":"doors.example.com/apart","effect":"NoSchedule"},{"key":"doors.example.com/out","effect":"NoSchedule"}]}}`))
			if err := s.actor().Patch(ctx, n, patch); err != nil {
				return nothing, err
			}
			return patient(ctx, func() (bool, effect, error) {
				f, refusal := s.fate(ctx)
				return f.bound == 2 || refusal != nil, f.bound == 2, refusal
			})
		},
	}, {
		By: namespaceEditor, Through: "update of replicasets/scale, the pods to stay chosen by their deletion cost", Closed: Noticed, Noticed: lost, Set: spreadOver,
		Try: keepsFullestSite,
	}}
}

// keepsFullestSite lets those of six pods go that are not on the fullest site, and tries again when the controller had not yet heard what each of
// them costs.
func keepsFullestSite(ctx context.Context, s *stage) (effect, error) {
	for {
		if err := s.price(ctx); err != nil {
			return nothing, err
		}
		if err := s.scale(ctx, 3); err != nil {
			return nothing, err
		}
		var left fate
		_, err := patient(ctx, func() (done bool, _ effect, refusal error) {
			left, refusal = s.fate(ctx)
			return left.pods == 3 || refusal != nil, nothing, refusal
		})
		if err != nil || len(left.bySite) < 3 {
			return effect(err == nil), err
		}
		if err := errors.Join(s.scale(ctx, 6), allReady(ctx, s)); err != nil {
			return mishap("%w", err)
		}
	}
}

// scale gives the ReplicaSet so many pods, as the actor.
func (s *stage) scale(ctx context.Context, replicas int64) error {
	c := change{apiVersion: "apps/v1", kind: "ReplicaSet", namespace: "$namespace", name: "tried", path: []string{"spec", "replicas"}, value: replicas}
	return c.fill(s).carry(ctx, s, mergePatch, "scale")
}

// price makes the pods on the fullest site those that cost the most to delete, as the actor.
func (s *stage) price(ctx context.Context) error {
	var pods corev1.PodList
	if err := s.admin.List(ctx, &pods, client.InNamespace(s.namespace())); err != nil {
		return broken{err}
	}
	f, err := s.fate(ctx)
	if err != nil {
		return broken{err}
	}
	site := fullest(f.bySite)
	for i := range pods.Items {
		cost := "0"
		if siteOf(pods.Items[i].Spec.NodeName) == site {
			cost = "100"
		}
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"`+cost+`"}}}`))
		if err := s.actor().Patch(ctx, &pods.Items[i], patch); err != nil {
			return err
		}
	}
	return nil
}

func whileDown() []Variant {
	return []Variant{
		{By: namespaceEditor, Through: "create of pods for the unqualified node", Closed: Undone, Ground: shared, Set: governed, Try: creates(podOf("", `nodeSelector: {kubernetes.io/hostname: abroad}`))},
		{By: namespaceEditor, Through: "create of annotated pods for the unqualified node", Closed: Undone, Ground: annotated, Set: free, Try: creates(podOf("annotations: {terroir.dev/trust-level: trusted}", `nodeSelector: {kubernetes.io/hostname: abroad}`))},
		{By: namespaceEditor, Through: "create of annotated deployments for the unqualified node", Closed: Undone, Set: free, Try: func(ctx context.Context, s *stage) (effect, error) {
			text := workload("apps/v1", "Deployment", selected, `nodeSelector: {kubernetes.io/hostname: abroad}`)
			all, err := terroir.Objects([]byte(s.fill(text)))
			if err != nil {
				return mishap("%w", err)
			}
			all[0].SetAnnotations(map[string]string{v1alpha1.TrustLevelAnnotation: level})
			if err := s.actor().Create(ctx, all[0]); err != nil {
				return nothing, err
			}
			return s.anyAbroad(ctx)
		}},
	}
}

// fullest is the site with the most pods.
func fullest(bySite map[string]int) string {
	best := ""
	for site, pods := range bySite {
		if pods > bySite[best] {
			best = site
		}
	}
	return best
}

func olderPods() []Variant {
	return []Variant{{
		By: namespaceEditor, Through: "create of pods before the policy", Closed: Noticed, Noticed: counted, Set: free,
		Try: func(ctx context.Context, s *stage) (effect, error) {
			if err := s.create(ctx, s.actor(), podOf("", toAbroad)); err != nil {
				return nothing, err
			}
			if err := s.prepare(ctx, `
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: $name}
spec: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: $namespace}}, trustLevels: [in-france], enforcement: Enforce}
`); err != nil {
				return mishap("%w", err)
			}
			return s.lands(ctx, s.name())
		},
	}}
}
