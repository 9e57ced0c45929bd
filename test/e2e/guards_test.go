package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// people are those who try. Nothing that they do is carried out: dry runs pass admission.
type people struct{ editor, maintainer, operator *world }

// people gives an editor, who may do anything in the whole cluster but maintain Terroir, a maintainer, who may do that as well, and Terroir.
func (w *world) people(t *testing.T) people {
	t.Helper()
	const broad = `
- {apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch, create, update, patch, delete, deletecollection, bind, escalate, approve, sign]}`
	role := func(name, rules string) {
		w.create(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s}
rules:%[2]s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{kind: User, name: %[1]s, apiGroup: rbac.authorization.k8s.io}]
`, name, rules))
	}
	role("editor", broad)
	role("maintainer", broad+`
- {apiGroups: [terroir.dev], resources: [installations], verbs: [maintain]}`)
	p := people{w.as(t, "editor"), w.as(t, "maintainer"), w.as(t, "system:serviceaccount:terroir-system:terroir-manager", "system:serviceaccounts")}
	eventually(t, "the authorizer knows them", func() error {
		if err := p.maintainer.List(t.Context(), &corev1.SecretList{}); err != nil {
			return err
		}
		return p.editor.List(t.Context(), &corev1.SecretList{})
	})
	return p
}

// guarded is an object that Terroir consists of, or rests on.
type guarded struct {
	apiVersion, kind, namespace, name string
	// status tells that it has that subresource, single that its collection cannot be deleted.
	status, single bool
	words          string
}

func installed() []guarded {
	const part = "is part of Terroir, on which the placement of governed pods rests"
	const home = "namespace terroir-system belongs to Terroir"
	return []guarded{
		{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "placementfloors.terroir.dev", true, false, part},
		{"apiregistration.k8s.io/v1", "APIService", "", "v1alpha1.terroir.dev", true, false, part},
		{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", "terroir", false, false, part},
		{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", "terroir", false, false, part},
		{"rbac.authorization.k8s.io/v1", "ClusterRole", "", "terroir-manager", false, false, part},
		{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "", "terroir-manager", false, false, part},
		{"v1", "Namespace", "", "terroir-system", true, true, part},
		{"v1", "Service", "terroir-system", "terroir-webhook", true, false, home},
		{"v1", "Secret", "terroir-system", "terroir-webhook-cert", false, false, home},
		{"v1", "ServiceAccount", "terroir-system", "terroir-manager", false, false, home},
		{"rbac.authorization.k8s.io/v1", "Role", "terroir-system", "terroir-manager", false, false, home},
		{"rbac.authorization.k8s.io/v1", "RoleBinding", "terroir-system", "terroir-manager", false, false, home},
		{"v1", "ConfigMap", "terroir-system", "kube-root-ca.crt", false, false, home},
		{"terroir.dev/v1alpha1", "PlacementFloor", "guarded", "floor", false, false, "Terroir alone writes it"},
	}
}

func (g guarded) object() *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(g.apiVersion)
	o.SetKind(g.kind)
	o.SetNamespace(g.namespace)
	o.SetName(g.name)
	return o
}

// acts are the ways in which somebody might change or delete it.
func (g guarded) acts(by *world) map[string]func(context.Context) error {
	const mark = `{"metadata":{"annotations":{"somebody":"was-here"}}}`
	acts := map[string]func(context.Context) error{
		"update": func(ctx context.Context) error {
			o := g.object()
			if err := by.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			o.SetAnnotations(map[string]string{"somebody": "was-here"})
			return by.Update(ctx, o, client.DryRunAll)
		},
		"patch": func(ctx context.Context) error {
			return by.Patch(ctx, g.object(), client.RawPatch("application/merge-patch+json", []byte(mark)), client.DryRunAll)
		},
		"apply": func(ctx context.Context) error {
			o := g.object()
			o.SetAnnotations(map[string]string{"somebody": "was-here"})
			return by.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("somebody"), client.ForceOwnership, client.DryRunAll)
		},
		"delete": func(ctx context.Context) error { return by.Delete(ctx, g.object(), client.DryRunAll) },
	}
	if !g.single {
		acts["deletecollection"] = func(ctx context.Context) error {
			return by.DeleteAllOf(ctx, g.object(), client.InNamespace(g.namespace), client.DryRunAll)
		}
	}
	if g.status {
		acts["patch status"] = func(ctx context.Context) error {
			return by.Status().Patch(ctx, g.object(), client.RawPatch("application/merge-patch+json", []byte(mark)), client.DryRunAll)
		}
	}
	return acts
}

func TestTerroirsObjectsAreChangedByItsMaintainersAlone(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "guarded")
	p := w.people(t)
	for _, g := range installed() {
		t.Run(g.kind, func(t *testing.T) {
			for what, act := range g.acts(p.editor) {
				t.Run(what, func(t *testing.T) { terroir.Denied(t, act(t.Context()), g.words) })
			}
			for what, act := range g.acts(p.maintainer) {
				if err := act(t.Context()); err != nil {
					t.Errorf("a maintainer may not %s: %v", what, err)
				}
			}
			for what, act := range g.acts(p.operator) {
				if err := act(t.Context()); err != nil && strings.Contains(err.Error(), "denied request") {
					t.Errorf("Terroir may not %s: %v", what, err)
				}
			}
		})
	}
}

func TestWhatIsDoneInTerroirsNamespaceIsItsMaintainers(t *testing.T) {
	w := shared
	p := w.people(t)
	w.create(t, restricted(pod(v1alpha1.SystemNamespace, "running", "serviceAccountName: terroir-manager")))
	w.create(t, deployment(v1alpha1.SystemNamespace, "mine", 0, ""))
	t.Run("a node may be drained", func(t *testing.T) {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "running"}}
		if err := w.as(t, "editor").SubResource("eviction").Create(t.Context(), p, &policyv1.Eviction{ObjectMeta: p.ObjectMeta}, client.DryRunAll); err != nil {
			t.Error(err)
		}
	})
	t.Run("whoever only says that it is a kubelet", func(t *testing.T) {
		terroir.Denied(t, homeActs(t)["running a pod"](t.Context(), w.as(t, "editor", "system:nodes")), "namespace terroir-system belongs to Terroir")
	})
	for what, act := range homeActs(t) {
		t.Run(what, func(t *testing.T) {
			terroir.Denied(t, act(t.Context(), p.editor), "namespace terroir-system belongs to Terroir")
			if err := act(t.Context(), p.maintainer); err != nil && strings.Contains(err.Error(), "denied request") {
				t.Errorf("a maintainer may not: %v", err)
			}
		})
	}
}

// restricted makes a pod or a template one that may run in Terroir's namespace.
func restricted(text string) string {
	const container = "{name: c, image: x, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}"
	return strings.Replace(text, "containers: [{name: c, image: x}]",
		"securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}, containers: ["+container+"]", 1)
}

func homeActs(t *testing.T) map[string]func(context.Context, *world) error {
	const home = v1alpha1.SystemNamespace
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	create := func(text string) func(context.Context, *world) error {
		return func(ctx context.Context, by *world) error {
			return by.Create(ctx, terroir.MustObjects(t, text)[0], client.DryRunAll)
		}
	}
	return map[string]func(context.Context, *world) error{
		"running a pod":                 create(restricted(pod(home, "p", "serviceAccountName: terroir-manager"))),
		"running a Deployment":          create(deployment(home, "web", 1, "")),
		"binding a role":                create(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: r, namespace: terroir-system}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: terroir-manager}}`),
		"answering for its Service":     create(`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e, namespace: terroir-system, labels: {kubernetes.io/service-name: terroir-webhook}}, addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}]}`),
		"taking its Lease":              create(`{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l, namespace: terroir-system}}`),
		"closing it by a NetworkPolicy": create(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: terroir-system}, spec: {podSelector: {}}}`),
		"asking for its token": func(ctx context.Context, by *world) error {
			_, err := by.clientset.CoreV1().ServiceAccounts(home).CreateToken(ctx, "terroir-manager", &authenticationv1.TokenRequest{}, dry)
			return err
		},
		"entering its containers": func(ctx context.Context, by *world) error {
			return by.clientset.CoreV1().RESTClient().Post().Namespace(home).Resource("pods").Name("running").SubResource("exec").
				Param("command", "sh").Param("container", "c").Do(ctx).Error()
		},
		"listening at its ports": func(ctx context.Context, by *world) error {
			return by.clientset.CoreV1().RESTClient().Get().Namespace(home).Resource("pods").Name("running").SubResource("proxy").Do(ctx).Error()
		},
		"adding a container to it": func(ctx context.Context, by *world) error {
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "running"}}
			return by.SubResource("ephemeralcontainers").Patch(ctx, p, client.RawPatch("application/strategic-merge-patch+json",
				[]byte(`{"spec":{"ephemeralContainers":[{"name":"e","image":"x","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`)), client.DryRunAll)
		},
		"scaling it": func(ctx context.Context, by *world) error {
			_, err := by.clientset.AppsV1().Deployments(home).Patch(ctx, "mine", "application/merge-patch+json",
				[]byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}}, "scale")
			return err
		},
	}
}

func TestWhatANodeIsWorthIsWrittenByTerroirAlone(t *testing.T) {
	w := shared
	w.ground(t)
	p := w.people(t)
	kubelet := w.as(t, "system:node:na1", "system:nodes")
	key := open("trusted")
	change := fmt.Sprintf(`{"metadata":{"labels":{%q:"elsewhere"}}}`, key)
	take := fmt.Sprintf(`{"metadata":{"labels":{%q:null}}}`, key)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "na1"}}
	for who, by := range map[string]*world{"an editor": p.editor, "a maintainer": p.maintainer, "its kubelet": kubelet} {
		for what, text := range map[string]string{"changing it": change, "taking it off": take} {
			patch := client.RawPatch("application/merge-patch+json", []byte(text))
			t.Run(who+" "+what, func(t *testing.T) {
				terroir.Denied(t, by.Patch(t.Context(), node.DeepCopy(), patch, client.DryRunAll), "node-restriction.kubernetes.io")
			})
			t.Run(who+" "+what+" through the status", func(t *testing.T) {
				terroir.Denied(t, by.Status().Patch(t.Context(), node.DeepCopy(), patch, client.DryRunAll), "node-restriction.kubernetes.io")
			})
		}
		t.Run(who+" applying it", func(t *testing.T) {
			o := terroir.MustObjects(t, fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: na1, labels: {%s: elsewhere}}}`, key))[0]
			terroir.Denied(t, by.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("x"), client.ForceOwnership, client.DryRunAll), "node-restriction.kubernetes.io")
		})
	}
	born := terroir.MustObjects(t, fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: born, labels: {%s: site-a}}}`, key))[0]
	for who, by := range map[string]*world{"an editor": p.editor, "its kubelet": w.as(t, "system:node:born", "system:nodes")} {
		t.Run(who+" creating it so", func(t *testing.T) {
			terroir.Denied(t, by.Create(t.Context(), born.DeepCopy(), client.DryRunAll), "node-restriction.kubernetes.io")
		})
	}
	t.Run("anything else about a node is not Terroir's", func(t *testing.T) {
		for _, by := range []*world{p.editor, kubelet} {
			if err := by.Status().Patch(t.Context(), node.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"mine":"yes"}}}`)), client.DryRunAll); err != nil {
				t.Error(err)
			}
		}
		if err := p.editor.Delete(t.Context(), node.DeepCopy(), client.DryRunAll); err != nil {
			t.Error(err)
		}
	})
}

func TestTheDriversOfANodeAreToldByItsKubelet(t *testing.T) {
	w := shared
	w.ground(t)
	p := w.people(t)
	text := `{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: %s}, spec: {drivers: [{name: mine.example.org, nodeID: x}]}}`
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"drivers":[]}}`))
	existing := terroir.MustObjects(t, fmt.Sprintf(text, "na1"))[0]
	const words = "only the kubelet of that node writes it"
	terroir.Denied(t, p.editor.Create(t.Context(), terroir.MustObjects(t, fmt.Sprintf(text, "other"))[0], client.DryRunAll), words)
	terroir.Denied(t, p.editor.Patch(t.Context(), existing.DeepCopy(), patch, client.DryRunAll), words)
	if err := p.maintainer.Patch(t.Context(), existing.DeepCopy(), patch, client.DryRunAll); err != nil {
		t.Errorf("a maintainer: %v", err)
	}
	if err := w.as(t, "system:node:na1", "system:nodes").Patch(t.Context(), existing.DeepCopy(), patch, client.DryRunAll); err != nil {
		t.Errorf("its kubelet: %v", err)
	}
	if err := p.editor.Delete(t.Context(), existing.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("without drivers a node loses what it has, so that anybody may delete it: %v", err)
	}
}

func TestAGovernedNamespaceStaysSo(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "stays")
	p := w.people(t)
	// She may write namespaces, and not the policy.
	w.create(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: nina}
rules: [{apiGroups: [""], resources: [namespaces, namespaces/status, namespaces/finalize], verbs: [get, update, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: nina}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: nina}
subjects: [{kind: User, name: nina, apiGroup: rbac.authorization.k8s.io}]
`)
	nina := w.as(t, "nina")
	eventually(t, "the authorizer knows her", func() error { return nina.Get(t.Context(), client.ObjectKey{Name: "stays"}, &corev1.Namespace{}) })
	t.Run("the mark that an update leaves out is put on again in the same request", func(t *testing.T) {
		n := &corev1.Namespace{}
		if err := p.editor.Get(t.Context(), client.ObjectKey{Name: "stays"}, n); err != nil {
			t.Fatal(err)
		}
		delete(n.Labels, v1alpha1.GovernedLabel)
		if err := p.editor.Update(t.Context(), n, client.DryRunAll); err != nil || n.Labels[v1alpha1.GovernedLabel] != "true" {
			t.Errorf("its labels are %v (%v)", n.Labels, err)
		}
	})
	for what, c := range map[string]struct {
		by     *world
		labels map[string]string
		words  string
	}{
		"taking the mark off":       {p.editor, map[string]string{"policy": "stays"}, "put on and taken off by Terroir alone"},
		"falsifying the mark":       {p.editor, map[string]string{"policy": "stays", v1alpha1.GovernedLabel: "no"}, "put on and taken off by Terroir alone"},
		"taking it out of a policy": {nina, map[string]string{v1alpha1.GovernedLabel: "true"}, "would take namespace stays out of ClusterPlacementPolicy stays"},
	} {
		for how, act := range relabelling(c.by, c.labels) {
			if how == "update" && c.by == p.editor {
				continue // see above
			}
			t.Run(what+" by "+how, func(t *testing.T) { terroir.Denied(t, act(t.Context()), c.words) })
		}
	}
	for how, act := range relabelling(p.editor, map[string]string{v1alpha1.GovernedLabel: "true"}) {
		t.Run("whoever may change the policy may take a namespace out by "+how, func(t *testing.T) {
			if err := act(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// relabelling are the ways to give namespace stays other labels.
func relabelling(by *world, labels map[string]string) map[string]func(context.Context) error {
	read := func(ctx context.Context) (*corev1.Namespace, error) {
		n := &corev1.Namespace{}
		err := by.Get(ctx, client.ObjectKey{Name: "stays"}, n)
		n.Labels = labels
		return n, err
	}
	return map[string]func(context.Context) error{
		"update": func(ctx context.Context) error {
			n, err := read(ctx)
			if err != nil {
				return err
			}
			return by.Update(ctx, n, client.DryRunAll)
		},
		"status": func(ctx context.Context) error {
			n, err := read(ctx)
			if err != nil {
				return err
			}
			return by.Status().Update(ctx, n, client.DryRunAll)
		},
		"finalize": func(ctx context.Context) error {
			n, err := read(ctx)
			if err != nil {
				return err
			}
			return by.SubResource("finalize").Update(ctx, n, client.DryRunAll)
		},
	}
}

func TestWhatTerroirFoundIsToldByItAlone(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "found")
	p := w.people(t)
	w.create(t, `{apiVersion: terroir.dev/v1alpha1, kind: PlacementPolicy, metadata: {name: found, namespace: found}, spec: {trustLevels: [trusted], enforcement: Enforce}}`)
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"observedGeneration":99}}`))
	for _, o := range []client.Object{
		named("fictitious-1.0", &v1alpha1.Framework{}), named("cloud", &v1alpha1.CloudProvider{}), named("gouv-west-1a", &v1alpha1.Zone{}),
		named("grant", &v1alpha1.Qualification{}), named("trusted", &v1alpha1.TrustLevel{}), named("found", &v1alpha1.ClusterPlacementPolicy{}),
		named("found", &v1alpha1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "found"}}), named("cluster", &v1alpha1.TerroirConfig{}),
	} {
		t.Run(w.kind(t, o), func(t *testing.T) {
			terroir.Denied(t, p.editor.Status().Patch(t.Context(), o, patch, client.DryRunAll), "says what Terroir found, and Terroir alone writes it")
			if err := p.maintainer.Status().Patch(t.Context(), o, patch, client.DryRunAll); err != nil {
				t.Errorf("a maintainer may not: %v", err)
			}
		})
	}
	config := named("cluster", &v1alpha1.TerroirConfig{})
	terroir.Denied(t, p.editor.Delete(t.Context(), config, client.DryRunAll), "change it instead of deleting it")
	terroir.Denied(t, p.editor.DeleteAllOf(t.Context(), config, client.DryRunAll), "change it instead of deleting it")
	if err := p.editor.Patch(t.Context(), config, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"exemptNamespaces":["x"]}}`)), client.DryRunAll); err != nil {
		t.Errorf("whoever may edit the settings: %v", err)
	}
}

// What the control plane does by itself must go on.
func TestTheControlPlaneIsNotHindered(t *testing.T) {
	w := shared
	t.Run("kinds of Terroir's come and go, with the API that serves them", func(t *testing.T) {
		kind := terroir.MustObjects(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.probe.terroir.dev}
spec:
  group: probe.terroir.dev
  names: {kind: Thing, listKind: ThingList, plural: things, singular: thing}
  scope: Cluster
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`)[0]
		if err := w.Create(t.Context(), kind); err != nil {
			t.Fatal(err)
		}
		service := guarded{apiVersion: "apiregistration.k8s.io/v1", kind: "APIService", name: "v1.probe.terroir.dev"}.object()
		eventually(t, "it is served", func() error { return w.Get(t.Context(), client.ObjectKeyFromObject(service), service) })
		w.remove(t, kind)
		eventually(t, "it is served no more", func() error {
			err := w.Get(t.Context(), client.ObjectKeyFromObject(service), service)
			if err == nil {
				return fmt.Errorf("it still is")
			}
			return client.IgnoreNotFound(err)
		})
	})
	t.Run("a namespace is cleared away", func(t *testing.T) {
		w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: cleared}}`)
		w.create(t, pod("cleared", "p", ""))
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "cleared"}}
		if err := w.Delete(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is gone", func() error {
			err := w.Get(t.Context(), client.ObjectKeyFromObject(n), n)
			if err == nil {
				return fmt.Errorf("it is %s", n.Status.Phase)
			}
			return client.IgnoreNotFound(err)
		})
	})
	t.Run("a Deployment in terroir-system rolls, and is cleared away", w.rolls)
	t.Run("a kubelet gets the tokens of its pods there", w.tokens)
}

func (w *world) rolls(t *testing.T) {
	w.node(t, "roller", "abroad-1a")
	w.create(t, restricted(deployment(v1alpha1.SystemNamespace, "roll", 1, "")))
	w.create(t, `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: roll, namespace: terroir-system}, spec: {minAvailable: 1, selector: {matchLabels: {app: roll}}}}`)
	rolled := func() {
		t.Helper()
		if out, err := terroir.Kubectl(t.Context(), w.cluster, "rollout", "status", "--timeout=60s", "-n", "terroir-system", "deployment/roll"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	rolled()
	d := terroir.MustObjects(t, restricted(deployment(v1alpha1.SystemNamespace, "roll", 1, "")))[0]
	w.mustPatch(t, d, "roll", `{"spec":{"template":{"metadata":{"annotations":{"again":"yes"}}}}}`)
	rolled()
}

func (w *world) tokens(t *testing.T) {
	w.node(t, "tokens", "abroad-1a")
	w.create(t, restricted(pod(v1alpha1.SystemNamespace, "tokens", "serviceAccountName: terroir-manager, nodeName: tokens")))
	var p corev1.Pod
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "tokens"}, &p); err != nil {
		t.Fatal(err)
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: p.Name, UID: p.UID},
	}}
	for node, words := range map[string]string{"tokens": "", "another": "forbidden"} {
		kubelet := w.as(t, "system:node:"+node, "system:nodes")
		eventually(t, "the node authorizer has seen the pod", func() error {
			_, err := kubelet.clientset.CoreV1().ServiceAccounts(v1alpha1.SystemNamespace).CreateToken(t.Context(), "terroir-manager", request, metav1.CreateOptions{})
			if (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
				return fmt.Errorf("kubelet %s was told: %w", node, err)
			}
			return nil
		})
	}
}
