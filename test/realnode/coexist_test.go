package realnode

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// simulated is a node that kwok plays. Its taint keeps away whoever does not ask for it.
const simulated = `
apiVersion: v1
kind: Node
metadata: {name: simulated}
spec: {taints: [{key: simulated, effect: NoSchedule}]}
`

func TestSimulatedNodesStandBesideTheRealOne(t *testing.T) {
	w := shared
	w.create(t, simulated+`
---
apiVersion: v1
kind: Pod
metadata: {name: pretended, namespace: default}
spec: {nodeName: simulated, containers: [{name: none, image: nowhere/to-be-found}]}
---
apiVersion: v1
kind: Pod
metadata: {name: real, namespace: default}
spec: {containers: [`+sleeper+`]}
`)
	w.pod(t, "default", "pretended", "runs in kwok's opinion", func(p *corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
	running := w.runs(t, "default", "real")
	id := strings.TrimPrefix(running.Status.ContainerStatuses[0].ContainerID, "containerd://")
	if out, err := w.node.Run(t.Context(), "ctr", "--namespace", "k8s.io", "tasks", "ls"); err != nil || !strings.Contains(out, id) {
		t.Errorf("containerd knows of no container %s (%v):\n%s", id, err, out)
	}
	var node corev1.Node
	if err := w.Get(t.Context(), client.ObjectKey{Name: "simulated"}, &node); err != nil {
		t.Fatal(err)
	}
	if was, is := node.Status.NodeInfo.KubeletVersion, w.real(t).Status.NodeInfo.KubeletVersion; !strings.HasPrefix(was, "kwok") || strings.HasPrefix(is, "kwok") {
		t.Errorf("the simulated node has kubelet %s, and the real one %s", was, is)
	}
}
