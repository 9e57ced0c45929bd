package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

func TestTheContractsThreeObjectsWorkAsTheyStand(t *testing.T) {
	w := shared
	w.create(t, `
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: par-1}
spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: par-1}}}
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: in-france}
spec: {countries: [FR]}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: patients}
spec: {namespaceSelector: {matchLabels: {data: patients}}, trustLevels: [in-france], enforcement: Enforce}
---
apiVersion: v1
kind: Node
metadata: {name: paris, labels: {topology.kubernetes.io/zone: par-1}}
---
apiVersion: v1
kind: Node
metadata: {name: london, labels: {topology.kubernetes.io/zone: lon-1}}
---
apiVersion: v1
kind: Namespace
metadata: {name: patients, labels: {data: patients}}
`)
	w.labelled(t, "paris", open("in-france"), "par-1")
	w.labelled(t, "london", v1alpha1.ZoneLabel, "")
	w.policyIs(t, "patients", v1alpha1.ConditionReady, metav1.ConditionTrue, "Enforced")
	w.create(t, deployment("patients", "records", 4, ""))
	for _, p := range w.pods(t, "patients", 4) {
		if p.Spec.NodeName != "paris" {
			t.Errorf("pod %s runs on %s", p.Name, p.Spec.NodeName)
		}
	}
}

func TestGovernedDeploymentIsSpreadOverSites(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "spread")
	w.create(t, deployment("spread", "web", 6, ""))
	if diff := cmp.Diff(map[string]int{"na": 2, "nb": 2, "nc": 2}, perSite(w.pods(t, "spread", 6))); diff != "" {
		t.Errorf("pods per site (-want +got):\n%s", diff)
	}
}

func TestWorkloadsOfEveryKindRunOnQualifiedNodes(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "kinds")
	template := `{metadata: {labels: {app: x}}, spec: {terminationGracePeriodSeconds: 0, restartPolicy: %s, containers: [{name: c, image: x}]}}`
	always, never := fmt.Sprintf(template, "Always"), fmt.Sprintf(template, "Never")
	w.create(t, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: set, namespace: kinds}
spec: {replicas: 3, podManagementPolicy: Parallel, selector: {matchLabels: {app: x}}, template: `+always+`}
---
apiVersion: batch/v1
kind: Job
metadata: {name: job, namespace: kinds}
spec: {completions: 2, parallelism: 2, template: `+strings.Replace(never, "metadata: {labels: {app: x}}, ", "", 1)+`}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kinds}
spec: {selector: {matchLabels: {app: x}}, template: `+always+`}
---
apiVersion: v1
kind: Pod
metadata: {generateName: bare-, namespace: kinds}
spec: {containers: [{name: c, image: x}]}
`)
	eventually(t, "every pod is scheduled, and nowhere but on qualified nodes", func() error {
		var pods corev1.PodList
		if err := w.List(t.Context(), &pods, client.InNamespace("kinds")); err != nil {
			return err
		}
		kinds := map[string]int{}
		for _, p := range pods.Items {
			if len(p.Spec.NodeName) != 3 || p.Spec.NodeName[0] != 'n' {
				return fmt.Errorf("pod %s is on %q", p.Name, p.Spec.NodeName)
			}
			owner := "none"
			if len(p.OwnerReferences) > 0 {
				owner = p.OwnerReferences[0].Kind
			}
			kinds[owner]++
		}
		want := map[string]int{"StatefulSet": 3, "Job": 2, "DaemonSet": 6, "none": 1}
		if diff := cmp.Diff(want, kinds); diff != "" {
			return fmt.Errorf("pods by owner: %s", diff)
		}
		return nil
	})
	var set appsv1.DaemonSet
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "kinds", Name: "agent"}, &set); err != nil || set.Status.DesiredNumberScheduled != 6 {
		t.Errorf("the DaemonSet wants %d pods, of %d qualified nodes: %v", set.Status.DesiredNumberScheduled, 6, err)
	}
}

func TestAnnotationsOnWorkloadsReachTheirPods(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: annotated}}`)
	w.create(t, deployment("annotated", "web", 3, `terroir.dev/trust-level: trusted, terroir.dev/min-sites: "3"`))
	if diff := cmp.Diff(map[string]int{"na": 1, "nb": 1, "nc": 1}, perSite(w.pods(t, "annotated", 3))); diff != "" {
		t.Errorf("pods per site (-want +got):\n%s", diff)
	}
	eventually(t, "the namespace is governed, since an annotated workload is there", func() error {
		var n corev1.Namespace
		if err := w.Get(t.Context(), client.ObjectKey{Name: "annotated"}, &n); err != nil {
			return err
		}
		if n.Labels[v1alpha1.GovernedLabel] != "true" {
			return fmt.Errorf("its labels are %v", n.Labels)
		}
		return nil
	})

	t.Run("the mirror goes with its source", func(t *testing.T) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "annotated"}}
		w.mustPatch(t, d, "web", `{"metadata":{"annotations":{"terroir.dev/trust-level":null,"terroir.dev/min-sites":null}}}`)
		for key := range d.Spec.Template.Annotations {
			if strings.HasPrefix(key, v1alpha1.InheritedPrefix) {
				t.Errorf("the template still has %s", key)
			}
		}
	})
	t.Run("a CronJob's jobs carry its annotations", func(t *testing.T) {
		w.create(t, `
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: annotated, annotations: {terroir.dev/trust-level: trusted}}
spec: {schedule: "0 0 1 1 *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}}}
`)
		var job batchv1.CronJob
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "annotated", Name: "nightly"}, &job); err != nil {
			t.Fatal(err)
		}
		if got := job.Spec.JobTemplate.Spec.Template.Annotations[v1alpha1.InheritedTrustLevelAnnotation]; got != "trusted" {
			t.Errorf("the template's annotation is %q", got)
		}
	})
	t.Run("a Job's annotations are fixed with its template", func(t *testing.T) {
		w.create(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: annotated, annotations: {terroir.dev/trust-level: trusted}}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}
`)
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "annotated"}}
		terroir.Denied(t, w.patch(t, job, "once", `{"metadata":{"annotations":{"terroir.dev/trust-level":null}}}`), "cannot change")
	})
}

func TestWhatCannotComplyIsRefusedWithASentence(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "refused")
	const annotated = `
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: refused, annotations: {%s}}
spec: {containers: [{name: c, image: x}]}`
	for what, c := range map[string]struct {
		object string
		words  []string
	}{
		"a pod that names its node": {
			pod("refused", "p", "nodeName: abroad"),
			[]string{"pod refused/p is refused", `spec.nodeName asks for node "abroad"`, "ClusterPlacementPolicy/refused requires trust level trusted", "remove spec.nodeName"},
		},
		"a pod with a scheduler of its own": {
			pod("refused", "p", "schedulerName: mine"),
			[]string{`scheduler "mine"`, "default-scheduler", "TerroirConfig/cluster"},
		},
		"a level that does not exist":    {fmt.Sprintf(annotated, "terroir.dev/trust-level: trustde"), []string{`"trustde", which does not exist`, `did you mean "trusted"?`}},
		"a number of sites that is none": {fmt.Sprintf(annotated, `terroir.dev/min-sites: "many"`), []string{"number of sites from 1 to 64"}},
		"a list of levels that is none":  {fmt.Sprintf(annotated, `terroir.dev/trust-level: "a,,b"`), []string{"separated by commas"}},
		"a misspelt key":                 {fmt.Sprintf(annotated, `terroir.dev/trust-levle: trusted`), []string{`did you mean "terroir.dev/trust-level"?`}},
		"a workload whose template names a node": {
			strings.Replace(deployment("refused", "web", 3, ""), "containers:", "nodeName: abroad, containers:", 1),
			[]string{"deployment refused/web is refused", `spec.nodeName asks for node "abroad"`},
		},
		"a misspelt key on a namespace": {
			`{apiVersion: v1, kind: Namespace, metadata: {name: misspelt, annotations: {terroir.dev/trustlevel: trusted}}}`,
			[]string{"terroir.dev/trustlevel is unknown"},
		},
		"a policy for every namespace": {
			`{apiVersion: terroir.dev/v1alpha1, kind: ClusterPlacementPolicy, metadata: {name: all}, spec: {namespaceSelector: {}, trustLevels: [trusted], enforcement: Enforce}}`,
			[]string{"must select by at least one label"},
		},
	} {
		t.Run(what, func(t *testing.T) { terroir.Denied(t, w.try(t, c.object), c.words...) })
	}
}

func TestWhatPeopleAreToldWhenTheyApply(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "told")
	tell := func(t *testing.T, object string) string {
		t.Helper()
		w.warnings.take()
		if err := w.try(t, object); err != nil {
			t.Fatal(err)
		}
		return w.warnings.take()
	}
	with := func(spec string) string {
		return strings.Replace(deployment("told", "web", 3, ""), "containers:", spec+", containers:", 1)
	}
	for what, c := range map[string]struct{ object, word string }{
		"more sites than there are":              {deployment("told", "web", 6, `terroir.dev/min-sites: "4"`), "requires 4 sites, but only 3 satisfy trusted"},
		"fewer replicas than sites":              {deployment("told", "web", 2, ""), "2 replicas cannot be spread over 3 sites"},
		"a selector that no qualified node fits": {with("nodeSelector: {disk: ssd}"), "none fits the pods' own nodeSelector and affinity"},
		"an affinity that no qualified node fits": {
			with(`affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [abroad]}]}]}}}`),
			"none fits the pods' own nodeSelector and affinity",
		},
		"nothing where all is well": {deployment("told", "web", 3, ""), ""},
	} {
		t.Run(what, func(t *testing.T) {
			if said := tell(t, c.object); !strings.Contains(said, c.word) || c.word == "" && said != "" {
				t.Errorf("they were told %q; it should contain %q", said, c.word)
			}
		})
	}
}

// A wide affinity term opens nothing: the nodeSelector is ANDed with it.
func TestWideAffinityStaysOnQualifiedNodes(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "wide")
	w.create(t, strings.Replace(deployment("wide", "web", 6, ""), "containers:",
		`affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: nope, operator: DoesNotExist}]}, {matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [na1]}]}]}}}, containers:`, 1))
	if got := perSite(w.pods(t, "wide", 6)); got["na"] != 2 || got["nb"] != 2 || got["nc"] != 2 {
		t.Errorf("pods per site: %v", got)
	}
}

func TestBindingsAreTheSchedulersAlone(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "bound")
	// A pod that waits for ever, so that somebody else can try to bind it.
	w.create(t, pod("bound", "waiting", "nodeSelector: {no: where}"))
	w.create(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: admin, namespace: bound}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: binder, namespace: bound}
rules: [{apiGroups: [""], resources: [pods/binding, bindings], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: binder, namespace: bound}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: binder}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}, {kind: User, name: "system:kube-scheduler", apiGroup: rbac.authorization.k8s.io}]
`)
	bind := func(as *world, b *corev1.Binding) error {
		b.Namespace, b.Name = "bound", "waiting"
		return as.clientset.CoreV1().Pods("bound").Bind(context.Background(), b, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	}
	to := func(node string) *corev1.Binding {
		return &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node}}
	}
	alice, scheduler := w.as(t, "alice"), w.as(t, "system:kube-scheduler")
	eventually(t, "RBAC lets alice bind", func() error {
		if err := bind(alice, to("na1")); err == nil || strings.Contains(err.Error(), "cannot create resource") {
			return fmt.Errorf("it answers: %w", err)
		}
		return nil
	})

	t.Run("a namespace's admin may not", func(t *testing.T) {
		terroir.Denied(t, bind(alice, to("na1")), `user "alice" may not bind pods`)
	})
	t.Run("not through the legacy resource either", func(t *testing.T) {
		err := alice.clientset.CoreV1().RESTClient().Post().Namespace("bound").Resource("bindings").
			Body(&corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "waiting"}, Target: corev1.ObjectReference{Kind: "Node", Name: "abroad"}}).
			Do(context.Background()).Error()
		terroir.Denied(t, err, "legacy bindings")
	})
	t.Run("the scheduler may, to a qualified node", func(t *testing.T) {
		if err := bind(scheduler, to("na1")); err != nil {
			t.Error(err)
		}
	})
	t.Run("not to a node that is not qualified", func(t *testing.T) {
		terroir.Denied(t, bind(scheduler, to("abroad")), "ClusterPlacementPolicy/bound requires trust level trusted, which node abroad does not satisfy")
	})
	t.Run("not to a node that does not exist", func(t *testing.T) {
		terroir.Denied(t, bind(scheduler, to("nowhere")), "nowhere")
	})
	t.Run("not with labels that would replace the pod's own", func(t *testing.T) {
		forged := to("na1")
		forged.Labels = map[string]string{v1alpha1.WorkloadLabel: "forged"}
		terroir.Denied(t, bind(scheduler, forged), "carries no labels and annotations")
	})
}

func TestTheWorkloadLabelDoesNotChange(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "label")
	w.create(t, pod("label", "p", "nodeSelector: {no: where}"))
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "label"}}
	terroir.Denied(t, w.patch(t, p, "p", `{"metadata":{"labels":{"terroir.dev/workload":"other"}}}`), "terroir.dev/workload may not change")
	if err := w.patch(t, p, "p", `{"metadata":{"labels":{"mine":"yes"}}}`); err != nil {
		t.Errorf("a label of one's own: %v", err)
	}
}

func TestUngovernedWorkloadsAreLeftAlone(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: free}}`)
	sent := terroir.MustObjects(t, deployment("free", "web", 2, ""))[0]
	w.create(t, deployment("free", "web", 2, ""))
	var d appsv1.Deployment
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(sent), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Spec.Template.Annotations) > 0 || len(d.Spec.Template.Spec.NodeSelector) > 0 {
		t.Errorf("the template was changed: %+v", d.Spec.Template)
	}
	for _, p := range w.pods(t, "free", 2) {
		if len(p.Spec.NodeSelector)+len(p.Spec.TopologySpreadConstraints)+len(p.Annotations) > 0 || p.Labels[v1alpha1.WorkloadLabel] != "" {
			t.Errorf("pod %s was changed: %+v", p.Name, p)
		}
	}
	var n corev1.Namespace
	if err := w.Get(t.Context(), client.ObjectKey{Name: "free"}, &n); err != nil || n.Labels[v1alpha1.GovernedLabel] != "" {
		t.Errorf("the namespace's labels are %v (%v)", n.Labels, err)
	}
}

func TestNamespacesAreGovernedFromTheirFirstRequest(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "first")
	// The operator is away, so that nobody but the API server can do it.
	if err := w.cluster.StopComponent("terroir"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.cluster.StartComponent(context.Background(), "terroir"); err != nil {
			t.Error(err)
		}
	})
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: first-again, labels: {policy: first}}}`)
	var n corev1.Namespace
	if err := w.Get(t.Context(), client.ObjectKey{Name: "first-again"}, &n); err != nil || n.Labels[v1alpha1.GovernedLabel] != "true" {
		t.Fatalf("the namespace's labels are %v (%v)", n.Labels, err)
	}
	t.Run("pods there owe what the policy says, without a floor", func(t *testing.T) {
		terroir.Denied(t, w.try(t, pod("first-again", "straight", "nodeName: abroad")), "spec.nodeName", "ClusterPlacementPolicy/first", "trusted")
		w.create(t, deployment("first-again", "web", 3, ""))
		if got := perSite(w.pods(t, "first-again", 3)); len(got) != 3 {
			t.Errorf("pods per site: %v", got)
		}
	})
	t.Run("and the first namespace's pods still start, complete", func(t *testing.T) {
		w.create(t, deployment("first", "web", 3, ""))
		if got := perSite(w.pods(t, "first", 3)); len(got) != 3 {
			t.Errorf("pods per site: %v", got)
		}
	})
}
