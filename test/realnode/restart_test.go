package realnode

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Why Terroir writes two labels, and takes held away last: seen with labels of nobody's, because nobody but Terroir may write its own.
func TestAKubeletThatRestartsJudgesNodeSelectorsAgainAndSpreadNever(t *testing.T) {
	w := shared
	w.label(t, `{"example.com/held":"true","example.com/open":"site"}`)
	w.create(t, `
apiVersion: v1
kind: Pod
metadata: {name: selects, namespace: default}
spec: {nodeSelector: {example.com/held: "true"}, containers: [`+sleeper+`]}
---
apiVersion: v1
kind: Pod
metadata: {name: spreads, namespace: default, labels: {app: spreads}}
spec:
  topologySpreadConstraints: [{topologyKey: example.com/open, maxSkew: 1, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: spreads}}}]
  containers: [`+sleeper+`]
`)
	selects, spreads := w.runs(t, "default", "selects"), w.runs(t, "default", "spreads")

	w.label(t, `{"example.com/held":null,"example.com/open":null}`)
	w.create(t, `
apiVersion: v1
kind: Pod
metadata: {name: later, namespace: default}
spec: {containers: [`+sleeper+`]}
`)
	w.runs(t, "default", "later") // by now the kubelet has heard of the labels
	w.stays(t, selects)
	w.stays(t, spreads)

	w.restart(t)
	w.pod(t, "default", "selects", "is ended by the kubelet", func(p *corev1.Pod) bool {
		// The kubelet fails it for its NodeAffinity, and may afterwards see that the program has ended in peace.
		return p.UID == selects.UID && (p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded)
	})
	w.stays(t, spreads)
}

// label changes labels of the node as the cluster's administrator.
func (w *world) label(t *testing.T, labels string) {
	t.Helper()
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":%s}}`, labels))
	if err := w.Patch(t.Context(), w.real(t), patch); err != nil {
		t.Fatalf("labelling the node: %v", err)
	}
}

const governed = `
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: patients}
spec: {containers: [` + sleeper + `]}
`

func TestAPodStaysOnANodeThatIsClosedAlsoWhenItsKubeletRestarts(t *testing.T) {
	w := shared
	w.terroir(t)
	w.create(t, fmt.Sprintf(governed, "before"))
	before := w.runs(t, "patients", "before")

	w.grant(t, v1alpha1.QualificationSuspended)
	w.labelled(t, openTrusted, "")
	w.restart(t)
	w.stays(t, before)
	w.labelled(t, heldTrusted, "true")

	w.create(t, fmt.Sprintf(governed, "after"))
	w.pod(t, "patients", "after", "finds no node", func(p *corev1.Pod) bool {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled {
				return c.Reason == corev1.PodReasonUnschedulable
			}
		}
		return false
	})
	w.grant(t, v1alpha1.QualificationGranted)
	w.runs(t, "patients", "after")
	w.stays(t, before)
}

// grant gives the one qualification another state, and the old one back at the test's end.
func (w *world) grant(t *testing.T, state v1alpha1.QualificationState) {
	t.Helper()
	var grant v1alpha1.Qualification
	if err := w.Get(t.Context(), client.ObjectKey{Name: "grant"}, &grant); err != nil {
		t.Fatal(err)
	}
	patch := client.MergeFrom(grant.DeepCopy())
	grant.Spec.State = state
	if err := w.Patch(t.Context(), &grant, patch); err != nil {
		t.Fatalf("changing the qualification: %v", err)
	}
}
