package realnode

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// The whole cluster has lost power and comes up again: the fence stands in the API server, and of Terroir nothing runs.
func TestAClusterWithAFenceComesUpFromNothing(t *testing.T) {
	w := shared
	w.terroir(t)
	if err := w.node.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(v1alpha1.SystemNamespace), client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	w.create(t, `
apiVersion: v1
kind: Pod
metadata: {name: system, namespace: kube-system}
spec: {containers: [`+sleeper+`]}
---
apiVersion: v1
kind: Pod
metadata: {name: free, namespace: default}
spec: {containers: [`+sleeper+`]}
`)
	w.create(t, fmt.Sprintf(governed, "governed")) // the fence alone shapes it

	var err error
	if w.node, err = Join(t.Context(), w.cluster, options); err != nil {
		t.Fatal(err)
	}
	w.runs(t, "kube-system", "system")
	w.runs(t, "default", "free")
	if pod := w.runs(t, "patients", "governed"); !shaped(pod) {
		t.Errorf("with Terroir away the pod was not shaped: %v", pod.Spec.NodeSelector)
	}
	w.replicas(t, w.deployed)
}
