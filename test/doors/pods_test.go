package doors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/test/terroir"
)

// podDoors are the doors by which a pod is created that does not go where it should.
func podDoors() []Door {
	return []Door{
		{Number: 1, Name: "spec.nodeName set at creation", ClosedBy: "fence", Variants: nodeNames()},
		{Number: 6, Name: "a scheduler of one's own", ClosedBy: "fence: allowedSchedulers", Variants: schedulerNames()},
		{Number: 7, Name: "OR-ed affinity, NotIn, DoesNotExist, preferred", ClosedBy: "fence: nodeSelector and constraint, which are ANDed with it", Variants: affinities()},
		{Number: 8, Name: "DaemonSets: replaced terms, tolerations of their own", ClosedBy: "fence: nodeSelector in the template, which the controller keeps", Variants: daemonSets()},
		{Number: 9, Name: "nodeName in a workload's template", ClosedBy: "fence: the proof is on the pod; webhook: early answer", Variants: templates()},
		{Number: 16, Name: "names and labels that look exempt", ClosedBy: "fence: exemptions by literal name", Variants: exemptions()},
		{Number: 17, Name: "impersonation of service accounts", ClosedBy: "fence: no account in the namespace is trusted", Variants: impersonations()},
		{Number: 25, Name: "virtual nodes, runtime classes that run pods elsewhere", ClosedBy: "allowedRuntimeClasses; nodes that no Zone recognises satisfy nothing", Variants: runtimeClasses()},
		{Number: 28, Name: "spread weakened", ClosedBy: "fence: required properties of the constraint, fixed label", Variants: spreads()},
		{Number: 35, Name: "data on the node itself", ClosedBy: "fence: nodeLocalStorage", Variants: localData()},
		{Number: 39, Name: "a later mutator strips what was put in", ClosedBy: "fence: the proof is in the validating phase", Variants: strippers()},
	}
}

// podOf is a pod of the stage's namespace. meta and spec are further fields in YAML's flow style.
func podOf(meta, spec string) string {
	return `
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: $namespace` + also(meta) + `}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]` + also(spec) + `}
`
}

func also(fields string) string {
	if fields == "" {
		return ""
	}
	return ", " + fields
}

// creates tries to create a pod, which happens if it comes to the unqualified node.
func creates(text string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		if err := s.create(ctx, s.actor(), text); err != nil {
			return nothing, err
		}
		return s.lands(ctx, s.name())
	}
}

// The namespaces that variants of a door share.
const (
	shared    = "governed"
	annotated = "annotated"
)

const toAbroad = `nodeName: abroad`

func nodeNames() []Variant {
	apply := func(ctx context.Context, s *stage) (effect, error) {
		if err := s.applies(ctx, podOf("", toAbroad)); err != nil {
			return nothing, err
		}
		return s.lands(ctx, s.name())
	}
	generated := func(ctx context.Context, s *stage) (effect, error) {
		text := strings.Replace(podOf("", toAbroad), "name: $name", "generateName: tried-", 1)
		if err := s.create(ctx, s.actor(), text); err != nil {
			return nothing, err
		}
		return s.anyAbroad(ctx)
	}
	dryRun := func(ctx context.Context, s *stage) (effect, error) {
		err := s.create(ctx, s.actor(), podOf("", toAbroad), client.DryRunAll)
		return err == nil, err
	}
	update := change{
		apiVersion: "v1", kind: "Pod", namespace: "$namespace", name: "$name",
		path: []string{"spec", "nodeName"}, value: abroad,
	}
	fixed := "spec.nodeName is immutable, and status updates keep the spec"
	updates := template{by: worker, ground: shared, set: scene(governed, waiting), resource: "pods", kubernetes: map[string]string{}}
	for _, verb := range update.carriers() {
		updates.kubernetes[verb+" of pods"], updates.kubernetes[verb+" of pods/status"] = fixed, fixed
	}
	mirror := `annotations: {kubernetes.io/config.mirror: x}`
	return append([]Variant{
		{By: namespaceEditor, Through: "create of pods", Ground: shared, Set: governed, Try: creates(podOf("", toAbroad))},
		{By: namespaceEditor, Through: "create of pods, by generateName", Set: governed, Try: generated},
		{By: namespaceEditor, Through: "create of pods, as a dry run", Ground: shared, Set: governed, Try: dryRun},
		{By: namespaceAdmin, Through: "server-side apply of pods", Ground: shared, Set: governed, Try: apply},
		{By: worker, Through: "create of pods", Ground: shared, Set: governed, Try: creates(podOf("", toAbroad))},
		{By: administrator, Through: "create of pods", Ground: shared, Set: governed, Try: creates(podOf("", toAbroad))},
		{By: namespaceEditor, Through: "create of pods that tolerate everything", Ground: shared, Set: governed, Try: creates(podOf("", toAbroad+`, tolerations: [{operator: Exists}]`))},
		{By: namespaceEditor, Through: "create of pods that pose as mirrors", Ground: shared, Set: governed, Try: creates(podOf(mirror, toAbroad))},
		{
			By: person("kubelet of another node", "system:node:na1", "system:nodes"), Through: "create of pods that pose as mirrors", Ground: shared, Set: governed,
			Closed: Kubernetes, Why: "NodeRestriction: a kubelet creates mirror pods of its own node only",
			Try: creates(podOf(mirror, toAbroad)),
		},
		{By: namespaceEditor, Through: "create of pods with an annotated level", Ground: annotated, Set: free, Try: creates(podOf(`annotations: {terroir.dev/trust-level: trusted}`, toAbroad))},
		{By: namespaceEditor, Through: "create of pods with a mirrored annotation", Ground: annotated, Set: free, Try: creates(podOf(`annotations: {inherited.terroir.dev/trust-level: trusted}`, toAbroad))},
	}, updates.everyWay(update, "", "status")...)
}

// applies sends one object by server-side apply as the actor.
func (s *stage) applies(ctx context.Context, text string) error {
	all, err := terroir.Objects([]byte(s.fill(text)))
	if err != nil || len(all) != 1 {
		return broken{fmt.Errorf("one object to apply: %w", err)}
	}
	patch, err := raw("application/apply-patch+yaml", all[0].Object)
	if err != nil {
		return err
	}
	return s.actor().Patch(ctx, all[0], patch, client.ForceOwnership, client.FieldOwner("mallory"))
}

// anyAbroad waits until the scheduler or somebody else has said a word about every pod of the namespace, of which there is at least one.
func (s *stage) anyAbroad(ctx context.Context) (effect, error) {
	return patient(ctx, func() (bool, effect, error) {
		found, refusal := s.fate(ctx)
		return found.settled || refusal != nil, found.abroad, refusal
	})
}

// fate is what became of the pods of a stage's namespace.
type fate struct {
	pods    int
	settled bool
	abroad  effect
	// bySite counts bound pods by the site of their node.
	bySite map[string]int
	bound  int
	ready  int
}

// fate also gives, as a refusal, why a controller could not create a pod.
func (s *stage) fate(ctx context.Context) (fate, error) {
	var pods corev1.PodList
	f := fate{bySite: map[string]int{}}
	if err := s.admin.List(ctx, &pods, client.InNamespace(s.namespace())); err != nil {
		return f, broken{err}
	}
	f.pods, f.settled = len(pods.Items), len(pods.Items) > 0
	for i := range pods.Items {
		p := &pods.Items[i]
		f.ready += one(isPodReady(p))
		switch {
		case p.Spec.NodeName != "":
			f.bound++
			f.bySite[siteOf(p.Spec.NodeName)]++
			f.abroad = f.abroad || p.Spec.NodeName == abroad
		case !unschedulable(p):
			f.settled = false
		}
	}
	if f.pods == 0 {
		return f, s.failedCreate(ctx)
	}
	return f, nil
}

func isPodReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// siteOf gives the site of a node, which is named after it.
func siteOf(node string) string { return strings.TrimRight(node, "0123456789") }

// failedCreate is what a controller says about why it could not create a pod. Nil: it has not said anything.
func (s *stage) failedCreate(ctx context.Context) error {
	var events corev1.EventList
	if err := s.admin.List(ctx, &events, client.InNamespace(s.namespace())); err != nil {
		return broken{err}
	}
	for i := range events.Items {
		if events.Items[i].Reason == "FailedCreate" {
			return errors.New(events.Items[i].Message)
		}
	}
	return nil
}

func schedulerNames() []Variant {
	bySecond := func(ctx context.Context, s *stage) (effect, error) {
		if err := s.create(ctx, s.actor(), podOf("", `schedulerName: second`)); err != nil {
			return nothing, err
		}
		if err := s.binds(ctx, s.as(secondScheduler), s.name(), abroad); err != nil {
			return nothing, err
		}
		return s.lands(ctx, s.name())
	}
	inTemplate := func(ctx context.Context, s *stage) (effect, error) {
		if err := s.create(ctx, s.actor(), replicaSet(`schedulerName: second`)); err != nil {
			return nothing, err
		}
		return patient(ctx, func() (bool, effect, error) {
			var pods corev1.PodList
			if err := s.admin.List(ctx, &pods, client.InNamespace(s.namespace())); err != nil {
				return false, nothing, err
			}
			if len(pods.Items) == 0 {
				refusal := s.failedCreate(ctx)
				return refusal != nil, nothing, refusal
			}
			err := s.binds(ctx, s.as(secondScheduler), pods.Items[0].Name, abroad)
			return true, err == nil, err
		})
	}
	return []Variant{
		{By: namespaceEditor, Through: "create of pods", Ground: shared, Set: governed, Try: bySecond},
		{By: namespaceEditor, Through: "create of replicasets", Set: governed, Try: inTemplate},
	}
}

func affinities() []Variant {
	here := `{key: kubernetes.io/hostname, operator: In, values: [abroad]}`
	required := func(terms string) string {
		return `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [` + terms + `]}}}`
	}
	var all []Variant
	for _, c := range []struct{ words, spec string }{
		{"by nodeSelector", `nodeSelector: {kubernetes.io/hostname: abroad}`},
		{"with OR-ed terms", required(`{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [none]}]}, {matchExpressions: [` + here + `]}`)},
		{"with OR-ed terms, one of them ours", required(`{matchExpressions: [{key: held.terroir.node-restriction.kubernetes.io/trusted, operator: In, values: ["true"]}, {key: fits, operator: Exists}]}, {matchExpressions: [` + here + `]}`)},
		{"by NotIn", required(`{matchExpressions: [{key: doors.example.com/site, operator: NotIn, values: [a, b, c]}, ` + here + `]}`)},
		{"by DoesNotExist of our labels", required(`{matchExpressions: [{key: open.terroir.node-restriction.kubernetes.io/trusted, operator: DoesNotExist}, ` + here + `]}`)},
		{"by matchFields", required(`{matchFields: [{key: metadata.name, operator: In, values: [abroad]}]}`)},
		{"by a preference", `affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [` + here + `]}}]}}`},
	} {
		all = append(all, Variant{By: namespaceEditor, Through: "create of pods " + c.words, Closed: Undone, Ground: shared, Set: governed, Try: creates(podOf("", c.spec))})
	}
	return all
}

// workload is one of kind whose pods have the given spec.
func workload(apiVersion, kind, spec, podSpec string) string {
	restart := ""
	if kind == "Job" {
		restart = "restartPolicy: Never, "
	}
	return `
apiVersion: ` + apiVersion + `
kind: ` + kind + `
metadata: {name: tried, namespace: $namespace}
spec:
  ` + spec + `
  template:
    metadata: {labels: {app: tried}}
    spec: {` + restart + `terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]` + also(podSpec) + `}
`
}

const selected = "selector: {matchLabels: {app: tried}}"

func replicaSet(podSpec string) string { return workload("apps/v1", "ReplicaSet", selected, podSpec) }

// deploys tries to create a workload, which happens if a pod of it comes to the unqualified node.
func deploys(text string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		if err := s.create(ctx, s.actor(), text); err != nil {
			return nothing, err
		}
		return s.anyAbroad(ctx)
	}
}

func templates() []Variant {
	var all []Variant
	for _, w := range []struct{ resource, apiVersion, kind, spec string }{
		{"deployments", "apps/v1", "Deployment", selected},
		{"replicasets", "apps/v1", "ReplicaSet", selected},
		{"statefulsets", "apps/v1", "StatefulSet", selected},
		{"jobs", "batch/v1", "Job", "backoffLimit: 0"},
		{"replicationcontrollers", "v1", "ReplicationController", "selector: {app: tried}"},
	} {
		all = append(all, Variant{
			By: namespaceEditor, Through: "create of " + w.resource, Set: governed, Try: deploys(workload(w.apiVersion, w.kind, w.spec, toAbroad)),
		})
	}
	older := change{apiVersion: "apps/v1", kind: "ReplicaSet", namespace: "$namespace", name: "tried", path: []string{"spec", "replicas"}, value: int64(1)}
	scaled := template{
		by: namespaceEditor, resource: "replicasets", set: scene(free, given(workload("apps/v1", "ReplicaSet", "replicas: 0\n  "+selected, toAbroad)), becomesGoverned),
		effect: func(ctx context.Context, s *stage, _ change) (effect, error) { return s.anyAbroad(ctx) },
	}
	all = append(all, scaled.everyWay(older, "", "scale")...)
	for i := range all {
		if strings.HasSuffix(all[i].Through, "of replicasets") && i >= 5 {
			all[i].Through += " older than the policy, scaled up"
		}
	}
	return all
}

// becomesGoverned puts a namespace that is there already under the policy of the phase.
func becomesGoverned(ctx context.Context, s *stage) error {
	var n corev1.Namespace
	n.Name = s.namespace()
	patch := client.RawPatch("application/merge-patch+json", []byte(s.fill(`{"metadata":{"labels":{"doors":"$phase"}}}`)))
	return errors.Join(s.admin.Patch(ctx, &n, patch), s.governedBy(ctx))
}

// daemonSet runs on two nodes at most, of which one is the unqualified one.
func daemonSet(meta, podSpec string) string {
	text := workload("apps/v1", "DaemonSet", selected, `nodeSelector: {doors.example.com/daemons: "yes"}`+also(podSpec))
	return strings.Replace(text, "namespace: $namespace}", "namespace: $namespace"+also(meta)+"}", 1)
}

// daemonsAbroad tells whether a DaemonSet's controller put a pod on the unqualified node, once every node has what it shall have, or the
// API server refused a pod.
func (s *stage) daemonsAbroad(ctx context.Context) (effect, error) {
	return patient(ctx, func() (bool, effect, error) {
		f, refusal := s.fate(ctx)
		var set appsv1.DaemonSet
		if err := s.admin.Get(ctx, client.ObjectKey{Namespace: s.namespace(), Name: "tried"}, &set); err != nil {
			return false, nothing, err
		}
		status := set.Status
		if status.ObservedGeneration == set.Generation && status.DesiredNumberScheduled == 0 {
			return true, f.abroad, nil
		}
		done := status.ObservedGeneration == set.Generation && f.settled && f.bound >= int(status.DesiredNumberScheduled) && status.UpdatedNumberScheduled >= status.DesiredNumberScheduled
		return done || refusal != nil, f.abroad, refusal
	})
}

func daemonSets() []Variant {
	create := func(text string) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			if err := s.create(ctx, s.actor(), text); err != nil {
				return nothing, err
			}
			return s.daemonsAbroad(ctx)
		}
	}
	byName := `affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [abroad]}]}, {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [na1]}]}]}}}`
	all := []Variant{
		{By: namespaceEditor, Through: "create of daemonsets", Closed: Undone, Set: governed, Try: create(daemonSet("", ""))},
		{By: namespaceEditor, Through: "create of daemonsets with OR-ed terms", Closed: Undone, Set: governed, Try: create(daemonSet("", byName))},
		{By: namespaceEditor, Through: "create of annotated daemonsets", Closed: Undone, Set: free, Try: create(daemonSet("annotations: {terroir.dev/trust-level: trusted}", ""))},
		{By: namespaceEditor, Through: "create of daemonsets with nodeName", Closed: Undone, Set: governed, Try: create(daemonSet("", toAbroad))},
	}
	unselected := change{apiVersion: "apps/v1", kind: "DaemonSet", namespace: "$namespace", name: "tried", path: []string{"spec", "template", "spec", "nodeSelector"}, value: map[string]any{"doors.example.com/daemons": "yes"}}
	update := template{
		by: namespaceEditor, resource: "daemonsets", closed: Undone,
		set:    scene(governed, given(daemonSet("", "")), func(ctx context.Context, s *stage) error { return s.whenDaemonsRun(ctx) }),
		effect: func(ctx context.Context, s *stage, _ change) (effect, error) { return s.daemonsAbroad(ctx) },
	}
	return append(all, update.through(unselected, put, apply)...)
}

func (s *stage) whenDaemonsRun(ctx context.Context) error {
	return eventually(ctx, func() error {
		f, err := s.fate(ctx)
		if err == nil && f.bound == 0 {
			err = errors.New("no daemon runs")
		}
		return err
	})
}

func exemptions() []Variant {
	in := func(namespace string) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			pod := s.fill(`
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: ` + namespace + `, annotations: {terroir.dev/trust-level: trusted}}
spec: {terminationGracePeriodSeconds: 0, nodeName: abroad, containers: [{name: c, image: x}]}
`)
			err := s.create(ctx, s.actor(), pod)
			return err == nil, err
		}
	}
	marked := func(ctx context.Context, s *stage) (effect, error) {
		n := &corev1.Namespace{}
		n.Name = "kube-public"
		err := s.actor().Patch(ctx, n, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"terroir.dev/governed":"true"}}}`)))
		if err != nil {
			return nothing, err
		}
		return in("kube-public")(ctx, s)
	}
	labels := func(l string) string { return podOf("labels: {"+l+"}", toAbroad) }
	named := change{
		apiVersion: "v1", kind: "Namespace", name: "$namespace",
		path: []string{"metadata", "labels", "kubernetes.io/metadata.name"}, value: "kube-system",
	}
	spoof := template{by: tenantsOperator, resource: "namespaces", closed: Kubernetes, set: governedAlone, kubernetes: map[string]string{}}
	all := []Variant{
		{By: namespaceEditor, Through: "create of pods with labels that other engines exempt", Ground: shared, Set: governed, Try: creates(labels(`admission.gatekeeper.sh/ignore: "true", control-plane: controller-manager, terroir.dev/exempt: "true"`))},
		{By: namespaceEditor, Through: "create of pods in a namespace named like an exempt one", Set: scene(governed), Try: creates(podOf("", toAbroad))},
		{By: tenantsOperator, Through: "create of annotated pods in kube-node-lease", Try: in("kube-node-lease")},
		{By: tenantsOperator, Through: "create of annotated pods in an exempt namespace that poses as governed", Try: marked},
	}
	for _, v := range spoof.everyWay(named, "", "status") {
		v.Why = "the API server sets kubernetes.io/metadata.name to the namespace's name in every request"
		all = append(all, v)
	}
	return all
}

func impersonations() []Variant {
	as := func(user string) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			acting, err := s.impersonating("eve", s.fill(user))
			if err != nil {
				return mishap("%w", err)
			}
			if err := s.create(ctx, acting, podOf("", toAbroad)); err != nil {
				return nothing, err
			}
			return s.lands(ctx, s.name())
		}
	}
	byToken := func(ctx context.Context, s *stage) (effect, error) {
		acting, err := s.byToken(ctx, "worker")
		if err != nil {
			return mishap("%w", err)
		}
		if err := s.create(ctx, acting, podOf("", toAbroad)); err != nil {
			return nothing, err
		}
		return s.lands(ctx, s.name())
	}
	bound := func(ctx context.Context, s *stage) (effect, error) {
		acting, err := s.impersonating("eve", s.fill("system:serviceaccount:$namespace:worker"))
		if err != nil {
			return mishap("%w", err)
		}
		if err := s.binds(ctx, acting, s.name(), abroad); err != nil {
			return nothing, err
		}
		return s.lands(ctx, s.name())
	}
	return []Variant{
		{By: namespaceEditor, Through: "create of pods as an impersonated service account", Set: scene(governed, given(workerAccount)), Try: as("system:serviceaccount:$namespace:worker")},
		{By: namespaceEditor, Through: "create of serviceaccounts/token, and of pods by that token", Set: scene(governed, given(workerAccount)), Try: byToken},
		{By: namespaceEditor, Through: "create of pods/binding as an impersonated service account", Set: scene(governed, waiting, given(workerAccount)), Try: bound},
	}
}

const workerAccount = `{apiVersion: v1, kind: ServiceAccount, metadata: {name: worker, namespace: $namespace}}`

func runtimeClasses() []Variant {
	created := func(ctx context.Context, s *stage) (effect, error) {
		err := s.create(ctx, s.actor(), podOf("", `runtimeClassName: peer-pods`))
		return err == nil, err
	}
	inTemplate := func(ctx context.Context, s *stage) (effect, error) {
		if err := s.create(ctx, s.actor(), replicaSet(`runtimeClassName: peer-pods`)); err != nil {
			return nothing, err
		}
		return patient(ctx, func() (bool, effect, error) {
			f, refusal := s.fate(ctx)
			return f.pods > 0 || refusal != nil, f.pods > 0, refusal
		})
	}
	virtual := func(ctx context.Context, s *stage) (effect, error) {
		pod := podOf("", `nodeSelector: {kubernetes.io/hostname: $node}, tolerations: [{operator: Exists}]`)
		if err := s.create(ctx, s.actor(), pod); err != nil {
			return nothing, err
		}
		node, err := s.settled(ctx, s.name())
		return node == s.node(), err
	}
	return []Variant{
		{By: namespaceEditor, Through: "create of pods with a runtime class", Ground: shared, Set: governed, Try: created},
		{By: namespaceEditor, Through: "create of replicasets with a runtime class", Set: governed, Try: inTemplate},
		{By: namespaceEditor, Through: "create of pods that tolerate a virtual node", Closed: Undone, Set: scene(governed, given(`
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node, type: virtual-kubelet, kubernetes.io/role: agent}}
spec: {providerID: "aws:///gouv-west-1a/virtual", taints: [{key: virtual-kubelet.io/provider, value: anywhere, effect: NoSchedule}]}
`)), Try: virtual},
	}
}

// crowded is the effect of a weakened spread: of pods that had to be on three sites, two share one while another site has none.
func (s *stage) crowded(ctx context.Context, pods int) (effect, error) {
	return patient(ctx, func() (bool, effect, error) {
		f, refusal := s.fate(ctx)
		if refusal != nil {
			return true, nothing, refusal
		}
		fullest := 0
		for _, n := range f.bySite {
			fullest = max(fullest, n)
		}
		return f.settled && f.pods >= pods, effect(fullest > 1 && len(f.bySite) < 3), nil
	})
}

const tolerant = `tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists}, {key: node.kubernetes.io/unreachable, operator: Exists}]`

func spreads() []Variant {
	// A node that is tainted is not counted unless the pod tolerates the taint, and a busy machine lets nodes miss their heartbeats.
	onSite := `nodeSelector: {doors.example.com/site: a}, ` + tolerant
	constraint := func(fields string) string {
		return onSite + `, topologySpreadConstraints: [` + fields + `]`
	}
	key := `topologyKey: open.terroir.node-restriction.kubernetes.io/trusted`
	ours := `labelSelector: {matchLabels: {app: tried}}`
	var all []Variant
	for _, c := range []struct{ words, spec string }{
		{"pinned to a zone", onSite},
		{"with a second hard constraint", constraint(`{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, ` + ours + `}`)},
		{"with our constraint without a selector", constraint(`{maxSkew: 1, ` + key + `, whenUnsatisfiable: ScheduleAnyway}`)},
		{"with our constraint made soft", constraint(`{maxSkew: 1, ` + key + `, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: none}}}`)},
		{"pinned by a required affinity", tolerant + `, affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: doors.example.com/site, operator: In, values: [a]}]}]}}}`},
		{"pinned by an affinity to pods", `affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {topologyKey: doors.example.com/site, labelSelector: {matchLabels: {app: tried}}}}]}}, ` + onSite},
	} {
		all = append(all, Variant{
			By: namespaceEditor, Through: "create of deployments " + c.words, Closed: Undone, Set: governed,
			Try: func(ctx context.Context, s *stage) (effect, error) {
				if err := s.create(ctx, s.actor(), workload("apps/v1", "Deployment", "replicas: 3\n  "+selected, c.spec)); err != nil {
					return nothing, err
				}
				return s.crowded(ctx, 3)
			},
		})
	}
	return append(all,
		Variant{By: namespaceEditor, Through: "create of statefulsets pinned to a zone", Closed: Undone, Set: governed, Try: func(ctx context.Context, s *stage) (effect, error) {
			if err := s.create(ctx, s.actor(), workload("apps/v1", "StatefulSet", "replicas: 3\n  podManagementPolicy: Parallel\n  "+selected, onSite)); err != nil {
				return nothing, err
			}
			return s.crowded(ctx, 3)
		}},
		Variant{By: namespaceEditor, Through: "create of replicasets whose template counts by a label of its own", Set: governed, Try: func(ctx context.Context, s *stage) (effect, error) {
			text := strings.ReplaceAll(workload("apps/v1", "ReplicaSet", "replicas: 3\n  "+selected, onSite), "labels: {app: tried}", "labels: {app: tried, terroir.dev/workload: other}")
			if err := s.create(ctx, s.actor(), text); err != nil {
				return nothing, err
			}
			return s.crowded(ctx, 3)
		}},
		Variant{By: namespaceEditor, Through: "create of pods on one site, and of a replicaset that adopts them", Set: governed, Try: adoptsUnspread},
	)
}

// adoptsUnspread makes three pods on one site, each counted by itself, and then the ReplicaSet to which they are to belong.
func adoptsUnspread(ctx context.Context, s *stage) (effect, error) {
	for i := range 3 {
		pod := strings.Replace(podOf("labels: {app: tried}", `nodeSelector: {doors.example.com/site: a}`), "name: $name", fmt.Sprintf("name: $name-%d", i), 1)
		if err := s.create(ctx, s.actor(), pod); err != nil {
			return nothing, err
		}
	}
	if err := s.create(ctx, s.actor(), workload("apps/v1", "ReplicaSet", "replicas: 3\n  "+selected, "")); err != nil {
		return nothing, err
	}
	return patient(ctx, func() (bool, effect, error) {
		var pods corev1.PodList
		if err := s.admin.List(ctx, &pods, client.InNamespace(s.namespace()), client.MatchingLabels{"app": "tried"}); err != nil {
			return false, nothing, err
		}
		onSite, settled := 0, len(pods.Items) >= 3
		for i := range pods.Items {
			p := &pods.Items[i]
			if err := s.adoptionOf(ctx, p); refused(err) {
				return true, nothing, err
			}
			settled = settled && len(p.OwnerReferences) > 0 && (p.Spec.NodeName != "" || unschedulable(p))
			if strings.HasPrefix(p.Spec.NodeName, "na") {
				onSite++
			}
		}
		return settled || len(pods.Items) > 3, onSite > 1 && len(pods.Items) == 3, nil
	})
}

// adoptionOf tries, without doing it, what the controller of the ReplicaSet does with a pod that its selector fits. It tells nobody but its log
// when that is refused.
func (s *stage) adoptionOf(ctx context.Context, p *corev1.Pod) error {
	var set appsv1.ReplicaSet
	if err := s.admin.Get(ctx, client.ObjectKey{Namespace: s.namespace(), Name: "tried"}, &set); err != nil {
		return broken{err}
	}
	owner := metav1.NewControllerRef(&set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	patch, err := raw("application/merge-patch+json", nested([]string{"metadata", "ownerReferences"}, []any{owner}))
	if err != nil || metav1.GetControllerOf(p) != nil {
		return err
	}
	return s.as(replicaSetController).Patch(ctx, p.DeepCopy(), patch, client.DryRunAll)
}

func localData() []Variant {
	volume := func(source string) string { return `volumes: [{name: v, ` + source + `}]` }
	var all []Variant
	for _, c := range []struct{ words, spec string }{
		{"a hostPath", volume(`hostPath: {path: /var/data}`)},
		{"an emptyDir on disk", volume(`emptyDir: {}`)},
		{"an emptyDir of huge pages and one on disk", `volumes: [{name: v, emptyDir: {medium: Memory}}, {name: w, emptyDir: {}}]`},
		{"an inline CSI volume", volume(`csi: {driver: inline.example.com}`)},
		{"a flexVolume", volume(`flexVolume: {driver: example.com/flex}`)},
	} {
		all = append(all, Variant{
			By: namespaceEditor, Through: "create of pods with " + c.words, Ground: shared, Set: localDenied,
			Try: func(ctx context.Context, s *stage) (effect, error) {
				err := s.create(ctx, s.actor(), podOf("", c.spec))
				return err == nil, err
			},
		})
	}
	all = append(all, Variant{
		By: namespaceAdmin, Through: "create of a placementpolicy that allows it, and of pods with a hostPath", Ground: "allowed", Set: localDenied,
		Try: func(ctx context.Context, s *stage) (effect, error) {
			if err := s.create(ctx, s.actor(), `
apiVersion: terroir.dev/v1alpha1
kind: PlacementPolicy
metadata: {name: lax, namespace: $namespace}
spec: {trustLevels: [trusted], enforcement: Enforce, nodeLocalStorage: Allow}
`); err != nil {
				return nothing, err
			}
			err := s.create(ctx, s.actor(), podOf("", volume(`hostPath: {path: /var/data}`)))
			return err == nil, err
		},
	})
	return append(all, Variant{
		By: namespaceEditor, Through: "create of replicasets with a hostPath", Set: localDenied,
		Try: func(ctx context.Context, s *stage) (effect, error) {
			if err := s.create(ctx, s.actor(), replicaSet(volume(`hostPath: {path: /var/data}`))); err != nil {
				return nothing, err
			}
			return patient(ctx, func() (bool, effect, error) {
				f, refusal := s.fate(ctx)
				return f.pods > 0 || refusal != nil, f.pods > 0, refusal
			})
		},
	})
}
