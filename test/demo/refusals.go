package demo

import (
	"context"
	"errors"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// refusals tries the ways around.
func (s *story) refusals(ctx context.Context) error {
	for _, try := range []func(context.Context) error{s.nodeName, s.wideTerm, s.contradiction, s.byHand, s.misspelt} {
		if err := try(ctx); err != nil {
			return err
		}
	}
	return nil
}

// unqualifiedNode is recognised, in France, and not qualified.
const unqualifiedNode = "azure-1"

func (s *story) nodeName(ctx context.Context) error {
	p := governedPod("straight-there")
	p.Spec.NodeName = unqualifiedNode
	return s.refused("a pod in "+health+" with spec.nodeName: "+unqualifiedNode, s.Create(ctx, p), "spec.nodeName", unqualifiedNode, policy, secnumcloud)
}

// wideTerm: terms of an affinity are alternatives, so one that every node fits would undo what another demands. What Terroir puts in
// is a nodeSelector and a constraint, which no affinity loosens.
func (s *story) wideTerm(ctx context.Context) error {
	p := governedPod("wide")
	p.Spec.Affinity = anyOf(
		corev1.NodeSelectorRequirement{Key: corev1.LabelTopologyRegion, Operator: corev1.NodeSelectorOpIn, Values: []string{"cloudgouv-eu-west-1"}},
		corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpExists})
	p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "demo.example.com/wait"}} // until we have tried to bind it
	s.say("A pod whose affinity says: region cloudgouv-eu-west-1, or else any node that has a hostname.")
	if err := s.create(ctx, p); err != nil {
		return err
	}
	err := s.bindingRefused(ctx, "a binding of it to "+unqualifiedNode+", even by the scheduler,", "system:kube-scheduler", p, policy, secnumcloud, unqualifiedNode, "does not satisfy")
	if err != nil {
		return err
	}
	if err := s.Patch(ctx, p, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"schedulingGates":null}}`))); err != nil {
		return fmt.Errorf("lifting the gate of pod %s: %w", p.Name, err)
	}
	return s.staysOnQualified(ctx, p)
}

func (s *story) staysOnQualified(ctx context.Context, p *corev1.Pod) error {
	var places []place
	err := await(ctx, "the pod with a wide affinity runs on a qualified node", func(ctx context.Context) (err error) {
		places, err = s.running(ctx, health, p.Name, 1, secnumcloud)
		return err
	})
	if err != nil {
		return err
	}
	selector := v1alpha1.HeldLabelPrefix + secnumcloud
	if places[0].pod.Spec.NodeSelector[selector] != "true" {
		return expected("the pod's nodeSelector has "+selector, fmt.Errorf("%v", places[0].pod.Spec.NodeSelector))
	}
	s.ok(fmt.Sprintf("left to the scheduler it runs on %s, in %s: beside its affinity it has the nodeSelector", places[0].node.Name, places[0].zone()))
	s.quote(selector + ": \"true\"")
	return nil
}

// bindingRefused has a user bind a pod to the unqualified node.
func (s *story) bindingRefused(ctx context.Context, what, user string, p *corev1.Pod, words ...string) error {
	c, err := s.as(user)
	if err != nil {
		return err
	}
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: unqualifiedNode}}
	return s.refused(what, c.SubResource("binding").Create(ctx, p, binding), words...)
}

// contradiction is told at apply time; nothing forbids to wait.
func (s *story) contradiction(ctx context.Context) error {
	d := deployment(health, "elsewhere", 3, nil)
	d.Spec.Template.Spec.Affinity = anyOf(
		corev1.NodeSelectorRequirement{Key: corev1.LabelTopologyRegion, Operator: corev1.NodeSelectorOpIn, Values: []string{"francecentral"}})
	err := s.warned("a Deployment in "+health+" whose affinity wants Azure's region", s.Create(ctx, d), secnumcloud, "none", "nodeSelector and affinity")
	if err != nil {
		return err
	}
	err = s.holds(ctx, "its pods wait rather than run there", func(ctx context.Context) error {
		places, err := s.places(ctx, health, d.Name)
		if err == nil && len(places) != 3 {
			err = errors.New(count(len(places), "pod") + " instead of 3")
		}
		for i := range places {
			err = errors.Join(err, unschedulable(&places[i].pod))
		}
		return err
	})
	return errors.Join(err, s.remove(ctx, d))
}

const admin = "alice"

// byHand: alice may do everything with pods in the namespace, and RBAC lets her bind them and write what the namespace owes.
func (s *story) byHand(ctx context.Context) error {
	if err := s.empower(ctx); err != nil {
		return err
	}
	waiting := governedPod("waiting")
	waiting.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "nowhere"} // so that the scheduler leaves it alone
	if err := s.create(ctx, waiting); err != nil {
		return err
	}
	what := fmt.Sprintf("a binding to %s by hand, by %s, who administers the namespace,", unqualifiedNode, admin)
	if err := s.bindingRefused(ctx, what, admin, waiting, admin, "may not bind"); err != nil {
		return err
	}
	err := s.holds(ctx, "the pod is on no node", func(ctx context.Context) error {
		if err := s.get(ctx, waiting); err != nil {
			return err
		}
		return unschedulable(waiting)
	})
	return errors.Join(err, s.remove(ctx, waiting))
}

// empower gives alice the verbs, and waits until the API server knows.
func (s *story) empower(ctx context.Context) error {
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: health, Name: "namespace-admin"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods", "pods/binding", "bindings"}, Verbs: []string{"*"}},
			{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"placementfloors"}, Verbs: []string{"*"}},
		},
	}
	given := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: health, Name: "namespace-admin"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: admin}},
	}
	if err := s.create(ctx, role, given); err != nil {
		return err
	}
	c, err := s.as(admin)
	if err != nil {
		return err
	}
	return await(ctx, "RBAC lets "+admin+" bind pods in "+health, func(ctx context.Context) error {
		asked := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: health, Verb: "create", Resource: "pods", Subresource: "binding"},
		}}
		err := c.Create(ctx, asked)
		if err == nil && !asked.Status.Allowed {
			err = errors.New("it does not")
		}
		return err
	})
}

func (s *story) misspelt(ctx context.Context) error {
	d := deployment(lab, "typo", 1, map[string]string{v1alpha1.AnnotationPrefix + "trust-levle": secnumcloud})
	return s.refused("a Deployment in "+lab+" with the annotation terroir.dev/trust-levle", s.Create(ctx, d), "trust-levle", "did you mean", v1alpha1.TrustLevelAnnotation)
}
