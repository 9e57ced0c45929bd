package fence_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// TestCosts: whatever the schema admits in a floor, and whatever is in a request of 20 KB, no policy spends more than a tenth of what the
// API server lets it, checks by the authorizer apart: of those an expression makes one at most. A policy that exceeds the limit refuses.
func TestCosts(t *testing.T) {
	requests := costliest(t)
	for _, o := range fence.Objects(fence.Options{Settings: settings, Mutating: true}) {
		name, half := policyName(o)
		if name == "" {
			continue
		}
		t.Run(half+" "+name, func(t *testing.T) {
			t.Parallel()
			if len(requests[name]) == 0 {
				t.Fatal("nobody knows which requests cost it most")
			}
			affordable(t, o, requests[name])
		})
	}
}

// policyName is empty for bindings.
func policyName(o runtime.Object) (name, half string) {
	switch p := o.(type) {
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		return p.Name, "validating"
	case *admissionregistrationv1.MutatingAdmissionPolicy:
		return p.Name, "mutating"
	default:
		return "", ""
	}
}

// affordable checks each request, and says what it costs.
func affordable(t *testing.T, o runtime.Object, requests map[string]fencetest.Request) {
	t.Helper()
	for _, what := range slices.Sorted(maps.Keys(requests)) {
		cost, err := fencetest.CostOf(o, requests[what])
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		call := slices.MaxFunc(slices.Sorted(maps.Keys(cost.Calls)), func(a, b string) int { return int(cost.Calls[a] - cost.Calls[b]) })
		t.Logf("%s: conditions %s, the rest %s; the costliest expression is %s with %s", what,
			share(cost.Conditions, celconfig.RuntimeCELCostBudgetMatchConditions), share(cost.Total, celconfig.RuntimeCELCostBudget), call, share(cost.Calls[call], celconfig.PerCallLimit))
		if cost.Calls[call] > celconfig.PerCallLimit/10 || cost.Total > celconfig.RuntimeCELCostBudget/10 || cost.Conditions > celconfig.RuntimeCELCostBudgetMatchConditions/10 {
			t.Errorf("%s: that is more than a tenth of a limit", what)
		}
		for call, checks := range cost.Checks {
			if checks > 1 {
				t.Errorf("%s: %s asks the authorizer %d times", what, call, checks)
			}
		}
	}
}

func share(cost, limit int64) string {
	return fmt.Sprintf("%d (%.2f %%)", cost, 100*float64(cost)/float64(limit))
}

// costliest are the requests that cost a policy most, by its name.
func costliest(t *testing.T) map[string]map[string]fencetest.Request {
	t.Helper()
	owed := largestObligation()
	floor := floorOf(t, owed)
	floorSchema(t)(t, fence.Floor("hr", owed))
	pods := map[string]fencetest.Request{
		"annotations": podRequest(annotatedPod(), floor), "constraints": podRequest(constrainedPod(owed.Levels), floor), "volumes": podRequest(voluminousPod(corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}), floor),
		"volumes of the network": podRequest(voluminousPod(corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}), floor),
	}
	workloads := map[string]fencetest.Request{"annotations": workloadUpdate(floor)}
	namespaces := map[string]fencetest.Request{"annotations": namespaceUpdate()}
	all := map[string]map[string]fencetest.Request{
		fence.Pods: pods, fence.AnnotatedPods: pods,
		fence.PodUpdates:   {"annotations": podUpdate(nil)},
		fence.PodAdoptions: {"levels": podUpdate(floor)},
		fence.Bindings:     {"nodes that are losing levels": bindingRequest(placement.Binding{User: "system:kube-scheduler", Node: "n1"}, namesOf(10000))},
		fence.Workloads:    workloads, fence.DaemonSets: workloads, fence.AnnotatedDaemonSets: workloads,
		fence.Namespaces: namespaces, fence.AnnotatedNamespaces: namespaces,
	}
	maps.Copy(all, costliestUnsettled(t))
	maps.Copy(all, costliestGuarded(t))
	maps.Copy(all, costliestStorage())
	return all
}

// namesOf are long names.
func namesOf(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("%s-%05d", strings.Repeat("x", 57), i))
	}
	return names
}

// largestObligation fills a floor to the bounds of its schema.
func largestObligation() policy.Obligation {
	owed := policy.Obligation{Levels: namesOf(64), MinSites: 64, MaxSkew: 1000, NodeLocalStorage: v1alpha1.NodeLocalStorageDeny, Encryption: largestEncryption()}
	for i := range 256 {
		source := policy.Source{Kind: "ClusterPlacementPolicy", Name: strings.Repeat("p.", 123) + fmt.Sprintf("p-%03d", i)}
		owed.Demands = append(owed.Demands, policy.Demand{Source: source, Levels: owed.Levels, MinSites: 64, NodeLocalStorage: v1alpha1.NodeLocalStorageDeny, Encryption: owed.Encryption})
	}
	return owed
}

// largestEncryption accepts as many keys as there may be, and none of those that annotations ask for.
func largestEncryption() *policy.Encryption {
	return &policy.Encryption{
		Keys: namesOf(18)[2:], Protection: v1alpha1.ProtectionHSM, Custody: []v1alpha1.Custody{v1alpha1.CustodyCustomer, v1alpha1.CustodyProvider, v1alpha1.CustodySovereignProvider},
	}
}

// asking demands as much as annotations can, beside hundreds of other annotations.
func asking() map[string]string {
	annotations := map[string]string{
		v1alpha1.TrustLevelAnnotation: strings.Join(namesOf(8), ", "), v1alpha1.InheritedTrustLevelAnnotation: strings.Join(namesOf(16)[8:], ", "),
		v1alpha1.EncryptionKeyAnnotation: namesOf(1)[0], v1alpha1.InheritedEncryptionKeyAnnotation: namesOf(2)[1],
		v1alpha1.MinSitesAnnotation: "64", v1alpha1.InheritedMinSitesAnnotation: "64", v1alpha1.PlacementAnnotation: strings.Repeat("x", 4000),
	}
	for _, name := range namesOf(190) {
		annotations[name] = strings.Repeat("x", 20)
	}
	return annotations
}

func largePod() *corev1.Pod {
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	pod.Namespace, pod.Name, pod.Spec.SchedulerName = "hr", strings.Repeat("x", 253), corev1.DefaultSchedulerName
	return pod
}

func annotatedPod() *corev1.Pod {
	pod := largePod()
	pod.Annotations = asking()
	return pod
}

// constrainedPod brings a constraint for every level, and none is right.
func constrainedPod(levels []string) *corev1.Pod {
	pod := largePod()
	honor := corev1.NodeInclusionPolicyHonor
	for _, level := range levels {
		pod.Spec.TopologySpreadConstraints = append(pod.Spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew: 1, MinDomains: ptr[int32](2), TopologyKey: v1alpha1.OpenLabelPrefix + level, WhenUnsatisfiable: corev1.DoNotSchedule,
			NodeAffinityPolicy: &honor, NodeTaintsPolicy: &honor, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.WorkloadLabel: pod.Name[:63]}},
		})
	}
	return pod
}

// voluminousPod has hundreds of volumes, all alike.
func voluminousPod(source corev1.VolumeSource) *corev1.Pod {
	pod := largePod()
	for _, name := range namesOf(250) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	}
	return pod
}

// podUpdate changes everything that can be changed, and has the pod adopted.
func podUpdate(floor runtime.Object) fencetest.Request {
	before, after := annotatedPod(), annotatedPod()
	before.Spec.NodeName, before.Labels = "n1", before.Annotations
	after.Annotations, after.Labels = map[string]string{}, map[string]string{}
	for key := range before.Annotations {
		after.Annotations[key], after.Labels[key] = "x", "x"
	}
	for i := range 50 {
		before.Spec.SchedulingGates = append(before.Spec.SchedulingGates, corev1.PodSchedulingGate{Name: fmt.Sprintf("terroir.dev/gate-%d", i)})
	}
	after.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "1f0c2c5e-0000-4000-8000-000000000001", Controller: ptr(true)}}
	request := podRequest(after, floor)
	request.Operation, request.Old = admission.Update, before
	request.Namespace = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "hr", Labels: map[string]string{v1alpha1.GovernedLabel: "true"}}}
	return request
}

func workloadUpdate(floor runtime.Object) fencetest.Request {
	set := &appsv1.DaemonSet{TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"}}
	set.Name, set.Namespace, set.Annotations, set.Spec.Template.Annotations = "agent", "hr", asking(), asking()
	before := set.DeepCopy()
	before.Annotations[v1alpha1.TrustLevelAnnotation] = strings.Join(namesOf(24)[16:], ",")
	request := workloadRequest("DaemonSet", set)
	request.Operation, request.Old, request.Params = admission.Update, before, floor
	return request
}

func namespaceUpdate() fencetest.Request {
	ns := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "hr", Annotations: asking()}}
	before := ns.DeepCopy()
	before.Annotations[v1alpha1.TrustLevelAnnotation] = "other"
	return fencetest.Request{
		Kind: corev1.SchemeGroupVersion.WithKind("Namespace"), Resource: corev1.SchemeGroupVersion.WithResource("namespaces"),
		Operation: admission.Update, User: "dev", Object: ns, Old: before,
	}
}
