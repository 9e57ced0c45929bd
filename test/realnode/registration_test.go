package realnode

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

func TestANodeThatRegistersAnewHasToEarnItsLabels(t *testing.T) {
	w := shared
	w.terroir(t)
	before := w.real(t)
	if err := w.node.StopKubelet(); err != nil {
		t.Fatal(err)
	}
	changes, err := w.Watch(t.Context(), &corev1.NodeList{})
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Stop()
	if err := w.Delete(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if err := w.node.StartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}

	registered := w.registered(t, changes, before)
	if claimed := ours(registered); len(claimed) > 0 {
		t.Errorf("the node registered with %v", claimed)
	}
	w.labelled(t, heldTrusted, "true")
	w.labelled(t, openTrusted, "here")
	if err := w.node.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.create(t, fmt.Sprintf(governed, "again"))
	w.runs(t, "patients", "again")
}

// registered is the Node as it is when it comes anew under its old name.
func (w *world) registered(t *testing.T, changes watch.Interface, before *corev1.Node) *corev1.Node {
	t.Helper()
	for {
		select {
		case change, open := <-changes.ResultChan():
			if !open {
				t.Fatal("the watch ended before the node registered")
			}
			node, is := change.Object.(*corev1.Node)
			if is && change.Type == watch.Added && node.Name == before.Name && node.UID != before.UID {
				return node
			}
		case <-t.Context().Done():
			t.Fatal("the node did not register in time")
		}
	}
}

// ours are the labels of a node that only Terroir gives.
func ours(node *corev1.Node) []string {
	var found []string
	for key := range node.Labels {
		if strings.Contains(key, "terroir.node-restriction.kubernetes.io/") {
			found = append(found, key)
		}
	}
	return found
}
