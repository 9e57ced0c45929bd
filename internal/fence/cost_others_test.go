package fence_test

import (
	"fmt"
	"strings"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/policy"
)

// costliestUnsettled are the requests that cost most where what is owed is read from policies and annotations.
func costliestUnsettled(t *testing.T) map[string]map[string]fencetest.Request {
	t.Helper()
	policies, annotations := unsettled(largestPolicy(t)), unsettled(nil)
	return map[string]map[string]fencetest.Request{
		fence.UnsettledPods: policies.pods, fence.UnsettledDaemonSets: policies.daemonSets,
		fence.UnsettledAnnotatedPods: annotations.pods, fence.UnsettledAnnotatedDaemonSets: annotations.daemonSets,
	}
}

// costliestGuarded are the requests that cost a guard or a keeper most. What a guard looks at by its name alone costs it always the same.
func costliestGuarded(t *testing.T) map[string]map[string]fencetest.Request {
	t.Helper()
	return map[string]map[string]fencetest.Request{
		"terroir-nodes":               {"labels, all Terroir's own": largeNode(1), "labels, none Terroir's own": largeNode(0), "labels that its kubelet changes": movedNode()},
		"terroir-node-places":         {"labels that a stranger changes": by("dev", movedNode())},
		fence.Probe:                   {"the one Lease": fencetest.Change("leases", nil, named(coordinationv1.SchemeGroupVersion.WithKind("Lease"), fence.Probe))},
		"terroir-csinodes":            {"drivers": fencetest.Change("csinodes", nil, largeCSINode())},
		"terroir-namespace-marks":     {"labels": unmarked()},
		"terroir-namespace-selection": {"requirements": deselected(t)},
		"terroir-floors":              {"a full one": fencetest.Change("placementfloors", nil, floorOf(t, largestObligation()))},
		"terroir-statuses":            {"a full one": statusUpdate(t)},
		"terroir-installation":        {"a long name": fencetest.Change("clusterroles", nil, named(schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}, "terroir-"+strings.Repeat("x", 245)))},
		"terroir-home":                {"groups": inhabited()},
		"terroir-key-observations":    {"a long name": by("system:serviceaccount:terroir-system:terroir-keyprobe-x", fencetest.Change("keyobservations", observation("a"), observation("b")))},
	}
}

// unsettledRequests are about pods and DaemonSets in a namespace without a floor.
type unsettledRequests struct {
	pods, daemonSets map[string]fencetest.Request
}

func unsettled(params runtime.Object) unsettledRequests {
	requests := unsettledRequests{
		pods: map[string]fencetest.Request{
			"annotations": podRequest(annotatedPod(), params), "constraints": podRequest(constrainedPod(namesOf(8)), params), "volumes": podRequest(voluminousPod(corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}), params),
		},
		daemonSets: map[string]fencetest.Request{"annotations": workloadUpdate(params)},
	}
	for _, of := range []map[string]fencetest.Request{requests.pods, requests.daemonSets} {
		for what, r := range of {
			r.Namespace = largeNamespace()
			of[what] = r
		}
	}
	return requests
}

// largeNamespace fits the selector of the largest policy, and asks for as much as annotations can.
func largeNamespace() *corev1.Namespace {
	ns := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "hr", Annotations: asking(), Labels: map[string]string{}}}
	for _, key := range namesOf(150) {
		ns.Labels["example.org/"+key] = strings.Repeat("x", 63)
	}
	return ns
}

// largestPolicy fills a policy to the bounds of its schema: every label is compared with every value, and the last one fits.
func largestPolicy(t *testing.T) runtime.Object {
	t.Helper()
	p := v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("x", 63)}}
	p.Spec.Enforcement, p.Spec.NodeLocalStorage, p.Spec.Spread = v1alpha1.EnforcementEnforce, v1alpha1.NodeLocalStorageDeny, &v1alpha1.Spread{MinSites: 64, MaxSkew: 1000}
	for _, level := range namesOf(8) {
		p.Spec.TrustLevels = append(p.Spec.TrustLevels, v1alpha1.LevelName(level))
	}
	p.Spec.Encryption = &v1alpha1.Encryption{}
	for _, key := range namesOf(18)[2:] {
		p.Spec.Encryption.Keys = append(p.Spec.Encryption.Keys, v1alpha1.KeyName(key))
	}
	var values []v1alpha1.LabelValue
	for _, value := range namesOf(63) {
		values = append(values, v1alpha1.LabelValue(value))
	}
	values = append(values, v1alpha1.LabelValue(strings.Repeat("x", 63)))
	p.Spec.NamespaceSelector.MatchLabels = map[string]v1alpha1.LabelValue{}
	keys := namesOf(32)
	for i := range 16 {
		p.Spec.NamespaceSelector.MatchLabels["example.org/"+keys[i]] = values[63]
		p.Spec.NamespaceSelector.MatchExpressions = append(p.Spec.NamespaceSelector.MatchExpressions,
			v1alpha1.NamespaceRequirement{Key: v1alpha1.LabelKey("example.org/" + keys[16+i]), Operator: v1alpha1.NamespaceOperatorIn, Values: values})
	}
	set := policy.Compile(policy.Objects{ClusterPolicies: []v1alpha1.ClusterPlacementPolicy{p}})
	if ns := largeNamespace(); !set.Namespace(policy.Namespace{Name: ns.Name, Labels: ns.Labels}).Owes() {
		t.Fatal("the largest policy does not select the largest namespace: it costs less than it could")
	}
	return params(t, &p, "ClusterPlacementPolicy")
}

// largeNode changes every one of hundreds of labels; Terroir's own, or others.
func largeNode(own int) fencetest.Request {
	before := node()
	after := before.DeepCopy()
	before.Labels, after.Labels = map[string]string{}, map[string]string{}
	for i := range 400 {
		prefix := []string{"node-restriction.kubernetes.io/", v1alpha1.ZoneLabel}[own]
		before.Labels[fmt.Sprintf("%s%04d", prefix, i)], after.Labels[fmt.Sprintf("%s%04d", prefix, 400+i)] = "x", "x"
	}
	after.Spec.ProviderID = strings.Repeat("x", 4000)
	return by("dev", fencetest.Change("nodes", before, after))
}

// movedNode is one that its kubelet moves, with all that it can be moved by.
func movedNode() fencetest.Request {
	before := node()
	before.Labels = map[string]string{}
	for _, name := range namesOf(300) {
		before.Labels[name] = "x"
	}
	after := before.DeepCopy()
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaZone, corev1.LabelFailureDomainBetaRegion} {
		before.Labels[key], after.Labels[key] = strings.Repeat("x", 63), strings.Repeat("y", 63)
	}
	after.Spec.ProviderID = strings.Repeat("x", 4000)
	return by("system:node:n1", fencetest.Change("nodes", before, after))
}

func node() *corev1.Node {
	return &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
}

// largeCSINode has hundreds of drivers.
func largeCSINode() runtime.Object {
	n := &storagev1.CSINode{TypeMeta: metav1.TypeMeta{APIVersion: "storage.k8s.io/v1", Kind: "CSINode"}, ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("x", 253)}}
	for _, name := range namesOf(100) {
		n.Spec.Drivers = append(n.Spec.Drivers, storagev1.CSINodeDriver{Name: name, NodeID: strings.Repeat("x", 190)})
	}
	return n
}

// unmarked takes off every mark of a namespace.
func unmarked() fencetest.Request {
	after := largeNamespace()
	before := after.DeepCopy()
	before.Labels[v1alpha1.GovernedLabel], before.Labels[v1alpha1.UnsettledLabel], before.Labels[v1alpha1.WarnedLabel] = "true", "true", "true"
	return by("dev", fencetest.Change("namespaces", before, after))
}

// deselected takes a namespace out of the largest policy by the last value of the last requirement.
func deselected(t *testing.T) fencetest.Request {
	t.Helper()
	before := largeNamespace()
	after := before.DeepCopy()
	after.Labels["example.org/"+namesOf(32)[31]] = "other"
	r := by("dev", fencetest.Change("namespaces", before, after))
	r.Params = largestPolicy(t)
	return r
}

// observation is by an observer of a long name, which ends in the given letter.
func observation(end string) runtime.Object {
	o := &v1alpha1.KeyObservation{Spec: v1alpha1.KeyObservationSpec{Observer: v1alpha1.ObjectName(strings.Repeat("x", 62) + end), Message: strings.Repeat("x", 512)}}
	o.APIVersion, o.Kind, o.Name = v1alpha1.GroupVersion.String(), "KeyObservation", strings.Repeat("x", 253)
	return o
}

func statusUpdate(t *testing.T) fencetest.Request {
	t.Helper()
	r := by("dev", fencetest.Change("clusterplacementpolicies", largestPolicy(t), largestPolicy(t)))
	r.SubResource = "status"
	return r
}

// inhabited is a request in Terroir's own namespace by somebody in many groups.
func inhabited() fencetest.Request {
	pod := annotatedPod()
	pod.Namespace = v1alpha1.SystemNamespace
	r := by("dev", fencetest.Change("pods", nil, pod))
	r.Groups = namesOf(1000)
	return r
}

func named(kind schema.GroupVersionKind, name string) runtime.Object {
	o := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}
	o.SetGroupVersionKind(kind)
	return o
}

func by(user string, r fencetest.Request) fencetest.Request {
	r.User = user
	return r
}
