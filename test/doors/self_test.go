package doors

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// selfDoors is the door that leads to Terroir itself.
func selfDoors() []Door {
	return []Door{{
		Number: 37, Name: "Terroir's own objects deleted or edited", ClosedBy: "fence: verb maintain; admission policies put back; static manifests",
		Variants: append(append(installed(), atHome()...), removedGuards()...),
	}}
}

// Things that are named like Terroir's own, one of each for every variant, so that nothing is broken where there is no guard.
const (
	ownCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $names.terroir.dev, labels: {made: $name}, annotations: {api-approved.kubernetes.io: "unapproved, a test"}}
spec:
  group: terroir.dev
  scope: Cluster
  names: {plural: $names, singular: $name, kind: K$name}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`
	ownHook = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: terroir-$name, labels: {made: $name}}
webhooks: []
`
	ownRole = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: terroir-$name, labels: {made: $name}}
rules: []
`
	ownRoleBinding = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: terroir-$name, labels: {made: $name}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: []
`
)

func installed() []Variant {
	label := []string{"metadata", "labels", "edited"}
	var all []Variant
	for _, o := range []struct {
		resource, text string
		change         change
		subresources   []string
	}{
		{"validatingwebhookconfigurations", ownHook, change{apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration", name: "terroir-$name"}, []string{""}},
		{"clusterroles", ownRole, change{apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", name: "terroir-$name"}, []string{""}},
		{"clusterrolebindings", ownRoleBinding, change{apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", name: "terroir-$name"}, []string{""}},
		{"customresourcedefinitions", ownCRD, change{apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", name: "$names.terroir.dev"}, []string{"", "status"}},
	} {
		o.change.path, o.change.value = label, "yes"
		t := template{by: platformEditor, set: given(o.text), resource: o.resource}
		all = append(all, t.everyWay(o.change, o.subresources...)...)
		all = append(all, removals(o.resource, o.change, o.text)...)
	}
	zone := change{apiVersion: "terroir.dev/v1alpha1", kind: "Zone", name: "$name", path: []string{"status", "conditions"}, value: []any{map[string]any{
		"type": "Forged", "status": "True", "reason": "Forged", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
	}}}
	all = append(all, template{by: platformEditor, resource: "zones", set: given(`{apiVersion: terroir.dev/v1alpha1, kind: Zone, metadata: {name: $name}, spec: {country: FR, recognition: {labels: {zone: $name}}}}`)}.everyWay(zone, "status")...)
	return append(all, wholes()...)
}

// removals deletes an object, alone and as a collection.
func removals(resource string, c change, text string) []Variant {
	gone := func(do func(context.Context, *stage, *unstructured.Unstructured) error) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			filled := c.fill(s)
			refusal := do(ctx, s, filled.object())
			u := filled.object()
			found, err := s.exists(ctx, u, "", filled.name)
			return effect(!found || u.GetDeletionTimestamp() != nil), errors.Join(err, refusal)
		}
	}
	return []Variant{
		{By: platformEditor, Through: "delete of " + resource, Set: given(text), Try: gone(func(ctx context.Context, s *stage, u *unstructured.Unstructured) error {
			return s.actor().Delete(ctx, u)
		})},
		{By: platformEditor, Through: "deletecollection of " + resource, Set: given(text), Try: gone(func(ctx context.Context, s *stage, u *unstructured.Unstructured) error {
			u.SetName("")
			return s.actor().DeleteAllOf(ctx, u, client.MatchingLabels{"made": s.name()})
		})},
	}
}

// dryRuns tries on what there is only one of, without doing it.
func dryRuns(through string, do func(context.Context, client.Client, *stage) error) Variant {
	return Variant{By: platformEditor, Through: through + ", as a dry run", Try: func(ctx context.Context, s *stage) (effect, error) {
		err := do(ctx, s.actor(), s)
		return err == nil, err
	}}
}

// wholes are the things of which there is one.
func wholes() []Variant {
	thing := func(apiVersion, kind, name string) *unstructured.Unstructured {
		return change{apiVersion: apiVersion, kind: kind, name: name}.object()
	}
	deletes := func(apiVersion, kind, name, resource string) Variant {
		return dryRuns("delete of "+resource+"/"+name, func(ctx context.Context, c client.Client, _ *stage) error {
			return c.Delete(ctx, thing(apiVersion, kind, name), client.DryRunAll)
		})
	}
	patches := func(apiVersion, kind, name, resource, body string) Variant {
		return dryRuns("merge patch of "+resource+"/"+name, func(ctx context.Context, c client.Client, _ *stage) error {
			return c.Patch(ctx, thing(apiVersion, kind, name), client.RawPatch("application/merge-patch+json", []byte(body)), client.DryRunAll)
		})
	}
	edited := `{"metadata":{"labels":{"edited":"yes"}}}`
	return []Variant{
		deletes("v1", "Namespace", v1alpha1.SystemNamespace, "namespaces"),
		patches("v1", "Namespace", v1alpha1.SystemNamespace, "namespaces", edited),
		dryRuns("update of namespaces/terroir-system/finalize", func(ctx context.Context, c client.Client, s *stage) error {
			var n corev1.Namespace
			if err := s.admin.Get(ctx, client.ObjectKey{Name: v1alpha1.SystemNamespace}, &n); err != nil {
				return broken{err}
			}
			return c.SubResource("finalize").Update(ctx, &n, client.DryRunAll)
		}),
		deletes("apiextensions.k8s.io/v1", "CustomResourceDefinition", "placementfloors.terroir.dev", "customresourcedefinitions"),
		deletes("apiregistration.k8s.io/v1", "APIService", "v1alpha1.terroir.dev", "apiservices"),
		patches("apiregistration.k8s.io/v1", "APIService", "v1alpha1.terroir.dev", "apiservices", `{"spec":{"service":{"namespace":"default","name":"elsewhere"},"insecureSkipTLSVerify":true}}`),
		dryRuns("create of apiservices for terroir.dev", func(ctx context.Context, c client.Client, s *stage) error {
			return s.create(ctx, c, `
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v2.terroir.dev}
spec: {group: terroir.dev, version: v2, groupPriorityMinimum: 2000, versionPriority: 100, insecureSkipTLSVerify: true, service: {namespace: default, name: elsewhere}}
`, client.DryRunAll)
		}),
		deletes("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "terroir-manager", "clusterrolebindings"),
		deletes("terroir.dev/v1alpha1", "TerroirConfig", "cluster", "terroirconfigs"),
		dryRuns("merge patch of terroirconfigs/cluster/status", func(ctx context.Context, c client.Client, _ *stage) error {
			return c.SubResource("status").Patch(ctx, thing("terroir.dev/v1alpha1", "TerroirConfig", "cluster"),
				client.RawPatch("application/merge-patch+json", []byte(`{"status":{"revoking":[]}}`)), client.DryRunAll)
		}),
		dryRuns("create of validatingwebhookconfigurations named terroir", func(ctx context.Context, c client.Client, s *stage) error {
			return s.create(ctx, c, ownHook, client.DryRunAll)
		}),
		{
			By: collector, Through: "delete of terroirconfigs/cluster, as a dry run: its owner is gone",
			Try: func(ctx context.Context, s *stage) (effect, error) {
				err := s.actor().Delete(ctx, thing("terroir.dev/v1alpha1", "TerroirConfig", "cluster"), client.DryRunAll)
				return err == nil, err
			},
		},
		{
			By: platformEditor, Through: "create of clusterroles that grant maintain", Closed: Kubernetes, Why: "RBAC: nobody grants what they do not hold",
			Try: func(ctx context.Context, s *stage) (effect, error) {
				err := s.actor().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "maintainer-" + s.name()}, Rules: []rbacv1.PolicyRule{
					{APIGroups: []string{"terroir.dev"}, Resources: []string{"installations"}, Verbs: []string{"maintain"}},
				}})
				return err == nil, err
			},
		},
	}
}

// atHome are acts in Terroir's own namespace, each on an object of its own.
func atHome() []Variant {
	creates := func(resource, text string) Variant {
		return Variant{By: platformEditor, Through: "create of " + resource + " in terroir-system", Try: func(ctx context.Context, s *stage) (effect, error) {
			err := s.create(ctx, s.actor(), text)
			return err == nil, err
		}}
	}
	deletes := func(resource, text string) Variant {
		return Variant{By: platformEditor, Through: "delete of " + resource + " in terroir-system", Set: given(text), Try: func(ctx context.Context, s *stage) (effect, error) {
			all, err := terroir.Objects([]byte(s.fill(text)))
			if err != nil {
				return mishap("%w", err)
			}
			err = s.actor().Delete(ctx, all[0])
			return err == nil, err
		}}
	}
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: $name, namespace: terroir-system, labels: {made: $name}}, spec: {serviceAccountName: terroir-manager, terminationGracePeriodSeconds: 0, securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: [{name: c, image: x, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]}}`
	secret := `{apiVersion: v1, kind: Secret, metadata: {name: $name, namespace: terroir-system}}`
	service := `{apiVersion: v1, kind: Service, metadata: {name: $name, namespace: terroir-system}, spec: {ports: [{port: 443}]}}`
	role := `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: $name, namespace: terroir-system}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: []}`
	deployment := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: $name, namespace: terroir-system}, spec: {replicas: 0, selector: {matchLabels: {app: $name}}, template: {metadata: {labels: {app: $name}}, spec: {containers: [{name: c, image: x}]}}}}`
	slice := `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: $name, namespace: terroir-system}, addressType: IPv4, endpoints: []}`
	network := `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: $name, namespace: terroir-system}, spec: {podSelector: {}}}`
	budget := `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: $name, namespace: terroir-system}, spec: {selector: {matchLabels: {app: $name}}}}`
	quota := `{apiVersion: v1, kind: ResourceQuota, metadata: {name: $name, namespace: terroir-system}, spec: {hard: {pods: "100"}}}`
	account := `{apiVersion: v1, kind: ServiceAccount, metadata: {name: $name, namespace: terroir-system}}`
	var all []Variant
	all = append(all,
		creates("pods as its account", pod), creates("secrets", secret), creates("services", service), creates("rolebindings", role), creates("deployments", deployment),
		creates("endpointslices", slice), creates("networkpolicies", network), creates("poddisruptionbudgets", budget), creates("resourcequotas", quota), creates("serviceaccounts", account),
		deletes("secrets", secret), deletes("services", service), deletes("deployments", deployment), deletes("pods", pod), deletes("rolebindings", role),
	)
	lease := given(`{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: $name, namespace: terroir-system}, spec: {holderIdentity: x}}`)
	holder := change{apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace: "terroir-system", name: "$name", path: []string{"spec", "holderIdentity"}, value: "mallory"}
	all = append(all, template{by: platformEditor, set: lease, resource: "leases"}.everyWay(holder, "")...)
	certificate := change{apiVersion: "v1", kind: "Secret", namespace: "terroir-system", name: "$name", path: []string{"data", "tls.crt"}, value: "eA=="}
	all = append(all, template{by: platformEditor, set: given(secret), resource: "secrets"}.everyWay(certificate, "")...)
	scale := change{apiVersion: "apps/v1", kind: "Deployment", namespace: "terroir-system", name: "$name", path: []string{"spec", "replicas"}, value: int64(2)}
	all = append(all, template{by: platformEditor, set: given(deployment), resource: "deployments", effect: scaled}.everyWay(scale, "scale")...)
	ports := change{apiVersion: "v1", kind: "Service", namespace: "terroir-system", name: "$name", path: []string{"spec", "selector"}, value: map[string]any{"app": "elsewhere"}}
	all = append(all, template{by: platformEditor, set: given(service), resource: "services"}.everyWay(ports, "")...)
	return append(all, actsAtHome(pod)...)
}

func scaled(ctx context.Context, s *stage, c change) (effect, error) { return fieldChanged(ctx, s, c) }

func actsAtHome(pod string) []Variant {
	self := func(s *stage) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: s.name()}}
	}
	done := func(do func(context.Context, *stage) error) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			err := do(ctx, s)
			return err == nil, err
		}
	}
	return []Variant{
		{By: platformEditor, Through: "create of serviceaccounts/token of terroir-manager", Try: done(func(ctx context.Context, s *stage) error {
			_, err := s.token(ctx, v1alpha1.SystemNamespace, "terroir-manager")
			return err
		})},
		{By: platformEditor, Through: "create of pods/eviction in terroir-system", Closed: StillOpen, Why: "an eviction leaves a replica in place, and whoever drains a node must not be held up", Set: given(pod), Try: done(func(ctx context.Context, s *stage) error {
			return s.actor().SubResource("eviction").Create(ctx, self(s), &policyv1.Eviction{ObjectMeta: self(s).ObjectMeta})
		})},
		{By: platformEditor, Through: "deletecollection of pods in terroir-system", Set: given(pod), Try: done(func(ctx context.Context, s *stage) error {
			return s.actor().DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(v1alpha1.SystemNamespace), client.MatchingLabels{"made": s.name()})
		})},
		{By: platformEditor, Through: "merge patch of pods/ephemeralcontainers in terroir-system", Set: given(pod), Try: done(func(ctx context.Context, s *stage) error {
			return s.actor().SubResource("ephemeralcontainers").Patch(ctx, self(s), client.RawPatch("application/strategic-merge-patch+json", []byte(`{"spec":{"ephemeralContainers":[{"name":"e","image":"x","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`)))
		})},
		{By: platformEditor, Through: "merge patch of pods/status in terroir-system", Set: given(pod), Try: done(func(ctx context.Context, s *stage) error {
			return s.actor().SubResource("status").Patch(ctx, self(s), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"app":"other"}}}`)))
		})},
		{By: platformEditor, Through: "deletecollection of leases in terroir-system", Set: given(`{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: $name, namespace: terroir-system, labels: {made: $name}}}`), Try: done(func(ctx context.Context, s *stage) error {
			return s.actor().DeleteAllOf(ctx, &coordinationv1.Lease{}, client.InNamespace(v1alpha1.SystemNamespace), client.MatchingLabels{"made": s.name()})
		})},
	}
}

// removedGuards are what no admission policy can guard: admission policies. Terroir puts them back.
func removedGuards() []Variant {
	ofPods := func(o client.Object) client.Object {
		o.SetName("terroir-pods")
		return o
	}
	policy, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	shaping, shapes := &admissionregistrationv1.MutatingAdmissionPolicy{}, &admissionregistrationv1.MutatingAdmissionPolicyBinding{}
	return []Variant{
		removed("validatingadmissionpolicies", ofPods(policy)),
		removed("validatingadmissionpolicybindings", ofPods(binding)),
		removed("mutatingadmissionpolicies", ofPods(shaping)),
		removed("mutatingadmissionpolicybindings", ofPods(shapes)),
		edited("validatingadmissionpolicies", ofPods(policy.DeepCopy()), `{"spec":{"failurePolicy":"Ignore"}}`, func(o client.Object) bool {
			p := o.(*admissionregistrationv1.ValidatingAdmissionPolicy).Spec.FailurePolicy
			return p != nil && *p == admissionregistrationv1.Ignore
		}),
		edited("validatingadmissionpolicybindings", ofPods(binding.DeepCopy()), `{"spec":{"validationActions":["Audit"]}}`, func(o client.Object) bool {
			actions := o.(*admissionregistrationv1.ValidatingAdmissionPolicyBinding).Spec.ValidationActions
			return len(actions) == 1 && actions[0] == admissionregistrationv1.Audit
		}),
	}
}

// stand makes, without Terroir, an object of that name that does nothing, so that there is something to delete.
func stand(o client.Object) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		if s.phase != without {
			return nil
		}
		made := o.DeepCopyObject().(client.Object)
		made.SetName("terroir-" + s.name())
		never := []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{"doors.example.com"}, APIVersions: []string{"v1"}, Resources: []string{"nothing"}},
		}}}
		match := &admissionregistrationv1.MatchResources{ResourceRules: never}
		switch p := made.(type) {
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			p.Spec.MatchConstraints, p.Spec.Validations = match, []admissionregistrationv1.Validation{{Expression: "true"}}
		case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
			p.Spec.PolicyName, p.Spec.ValidationActions = "none", []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
		case *admissionregistrationv1.MutatingAdmissionPolicy:
			p.Spec.MatchConstraints, p.Spec.ReinvocationPolicy = match, admissionregistrationv1.NeverReinvocationPolicy
			p.Spec.Mutations = []admissionregistrationv1.Mutation{{PatchType: admissionregistrationv1.PatchTypeJSONPatch, JSONPatch: &admissionregistrationv1.JSONPatch{Expression: `[JSONPatch{op: "add", path: "/metadata/labels", value: {}}]`}}}
		case *admissionregistrationv1.MutatingAdmissionPolicyBinding:
			p.Spec.PolicyName = "none"
		}
		return s.admin.Create(ctx, made)
	}
}

// onStage is the object itself, or without Terroir what stands for it.
func onStage(s *stage, o client.Object) client.Object {
	on := o.DeepCopyObject().(client.Object)
	if s.phase == without {
		on.SetName("terroir-" + s.name())
	}
	return on
}

func removed(resource string, o client.Object) Variant {
	var uid string
	return Variant{
		By: platformEditor, Through: "delete of " + resource, Closed: PutBack, Alone: true, Set: stand(o),
		Try: func(ctx context.Context, s *stage) (effect, error) {
			on := onStage(s, o)
			if err := s.admin.Get(ctx, client.ObjectKeyFromObject(on), on); err != nil {
				return mishap("%w", err)
			}
			uid = string(on.GetUID())
			err := s.actor().Delete(ctx, on)
			return err == nil, err
		},
		Noticed: func(ctx context.Context, s *stage) error {
			on := onStage(s, o)
			if err := s.admin.Get(ctx, client.ObjectKeyFromObject(on), on); err != nil {
				return err
			}
			if string(on.GetUID()) == uid {
				return fmt.Errorf("%s is still the old one", on.GetName())
			}
			return nil
		},
	}
}

func edited(resource string, o client.Object, patch string, is func(client.Object) bool) Variant {
	return Variant{
		By: platformEditor, Through: "merge patch of " + resource, Closed: PutBack, Alone: true, Set: stand(o),
		Try: func(ctx context.Context, s *stage) (effect, error) {
			on := onStage(s, o)
			err := s.actor().Patch(ctx, on, client.RawPatch("application/merge-patch+json", []byte(patch)))
			return effect(err == nil && is(on)), err
		},
		Noticed: func(ctx context.Context, s *stage) error {
			on := onStage(s, o)
			if err := s.admin.Get(ctx, client.ObjectKeyFromObject(on), on); err != nil {
				return err
			}
			if is(on) {
				return fmt.Errorf("%s is still as it was edited", on.GetName())
			}
			return nil
		},
	}
}
