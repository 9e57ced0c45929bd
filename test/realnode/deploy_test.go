package realnode

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

func TestTwoReplicasAnswerBehindTheServiceWithCertificatesOfTheirOwn(t *testing.T) {
	w := shared
	w.terroir(t)
	pods := w.replicas(t, first)
	for i := range pods {
		if pods[i].Spec.NodeName != w.node.Name {
			t.Errorf("replica %s is on %s", pods[i].Name, pods[i].Spec.NodeName)
		}
	}
	var hooks admissionregistrationv1.ValidatingWebhookConfiguration
	if err := w.Get(t.Context(), client.ObjectKey{Name: "terroir"}, &hooks); err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks.Webhooks {
		if h.ClientConfig.Service == nil || !strings.Contains(string(h.ClientConfig.CABundle), "BEGIN CERTIFICATE") {
			t.Errorf("webhook %s is called at %v, with authority %q", h.Name, h.ClientConfig.Service, h.ClientConfig.CABundle)
		}
	}
	// What only the webhook can tell, in its own words.
	err := w.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "mistaken", Annotations: map[string]string{"terroir.dev/trust-level": "truste"},
	}})
	if err == nil || !strings.Contains(err.Error(), "admission webhook") || !strings.Contains(err.Error(), "trusted") {
		t.Errorf("got %v; the webhook should have refused a level that does not exist, and named the one that was meant", err)
	}
	w.governedPodLands(t, "shaped")
}

// governedPodLands creates a governed pod and checks that it is shaped and runs.
func (w *world) governedPodLands(t *testing.T, name string) {
	t.Helper()
	w.create(t, fmt.Sprintf(governed, name))
	if pod := w.runs(t, "patients", name); !shaped(pod) {
		t.Errorf("the pod was not shaped: %v, %+v", pod.Spec.NodeSelector, pod.Spec.TopologySpreadConstraints)
	}
}

func shaped(pod *corev1.Pod) bool {
	for _, c := range pod.Spec.TopologySpreadConstraints {
		if c.TopologyKey == openTrusted {
			return pod.Spec.NodeSelector[heldTrusted] == "true"
		}
	}
	return false
}

func TestTheNetworkPolicyNamesPortsOfTheReplicas(t *testing.T) {
	w := shared
	w.terroir(t)
	if err := terroir.Apply(t.Context(), w.cluster, "-k", "config/network-policy"); err != nil {
		t.Fatal(err)
	}
	var policy networkingv1.NetworkPolicy
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "terroir-manager"}, &policy); err != nil {
		t.Fatal(err)
	}
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range w.replicas(t, w.deployed) {
		if !selector.Matches(labels.Set(pod.Labels)) {
			t.Errorf("the policy does not select replica %s with labels %v", pod.Name, pod.Labels)
		}
		for _, port := range pod.Spec.Containers[0].Ports {
			if !admits(policy.Spec.Ingress, port.Name) {
				t.Errorf("the policy keeps everybody from port %s", port.Name)
			}
		}
	}
}

func admits(rules []networkingv1.NetworkPolicyIngressRule, port string) bool {
	return slices.ContainsFunc(rules, func(r networkingv1.NetworkPolicyIngressRule) bool {
		return slices.ContainsFunc(r.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.StrVal == port })
	})
}

func TestAnotherReplicaTakesOverWhenTheLeaderIsKilled(t *testing.T) {
	w := shared
	w.terroir(t)
	w.replicas(t, w.deployed)
	leader := w.leader(t)
	if err := w.Delete(t.Context(), leader, client.GracePeriodSeconds(0)); err != nil { // it is not asked to give up its lease
		t.Fatal(err)
	}
	w.governedPodLands(t, "meanwhile")
	eventually(t, "another replica leads", func() error {
		if next := w.holder(t); next == "" || strings.HasPrefix(next, leader.Name) {
			return fmt.Errorf("the lease is held by %q", next)
		}
		return nil
	})
	// A new leader writes: only it gives namespaces their floors.
	w.create(t, `
apiVersion: v1
kind: Namespace
metadata: {name: after-the-leader, labels: {data: patients}}
`)
	eventually(t, "the new leader gives a namespace its floor", func() error {
		return w.Get(t.Context(), client.ObjectKey{Namespace: "after-the-leader", Name: "floor"}, &v1alpha1.PlacementFloor{})
	})
	w.replicas(t, w.deployed)
}

func TestGovernedPodsAreAdmittedWhileTheImageIsUpgraded(t *testing.T) {
	w := shared
	w.terroir(t)
	stop, report := make(chan struct{}), make(chan error, 1)
	go func() { report <- w.admitUntil(t, stop) }()
	w.deploy(t, second)
	close(stop)
	if err := <-report; err != nil {
		t.Errorf("while the image was upgraded: %v", err)
	}
	w.replicas(t, second)
	w.governedPodLands(t, "upgraded")
}

// admitUntil has governed pods judged, one after the other, until it is told to stop or something is wrong with one.
func (w *world) admitUntil(t *testing.T, stop <-chan struct{}) error {
	for tried := 0; ; tried++ {
		select {
		case <-stop:
			if tried == 0 {
				return errors.New("no pod was tried")
			}
			return nil
		default:
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "tried", Namespace: "patients"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "sleeper", Image: Sleeper.Name}}},
		}
		if err := w.Create(t.Context(), pod, client.DryRunAll); err != nil {
			return fmt.Errorf("pod %d was refused: %w", tried, err)
		}
		if !shaped(pod) {
			return fmt.Errorf("pod %d was not shaped: %v", tried, pod.Spec.NodeSelector)
		}
	}
}

// replicas waits until the operator runs from an image, and from nothing else, in two Ready replicas.
func (w *world) replicas(t *testing.T, image string) []corev1.Pod {
	t.Helper()
	var pods corev1.PodList
	eventually(t, "two replicas of "+image+" are Ready", func() error {
		var deployment appsv1.Deployment
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "terroir-manager"}, &deployment); err != nil {
			return err
		}
		if err := w.List(t.Context(), &pods, client.InNamespace(v1alpha1.SystemNamespace)); err != nil {
			return err
		}
		ready := deployment.Status.ReadyReplicas == 2 && len(pods.Items) == 2
		for i := range pods.Items {
			ready = ready && pods.Items[i].Spec.Containers[0].Image == image
		}
		if !ready {
			return fmt.Errorf("%d are Ready, and there are %d pods", deployment.Status.ReadyReplicas, len(pods.Items))
		}
		return nil
	})
	return pods.Items
}

// leader is the pod that holds the lease. The last one may have gone without giving it up.
func (w *world) leader(t *testing.T) *corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	eventually(t, "one of the replicas leads", func() error {
		name, _, _ := strings.Cut(w.holder(t), "_")
		return w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: name}, &pod)
	})
	return &pod
}

func (w *world) holder(t *testing.T) string {
	t.Helper()
	var lease coordinationv1.Lease
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "terroir-manager"}, &lease); err != nil {
		t.Fatalf("reading the lease: %v", err)
	}
	if lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
