package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// seeds are what goes wrong while nobody looks, but for volumes: one pod for each thing that can be amiss with a pod, and a workload on one site.
const seeds = `
apiVersion: v1
kind: Namespace
metadata: {name: seeded, labels: {policy: seeded}}
---
apiVersion: v1
kind: Namespace
metadata: {name: bystander}
---
apiVersion: v1
kind: Pod
metadata: {name: unqualified, namespace: seeded}
spec: {nodeName: berlin, terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: unknown, namespace: seeded}
spec: {nodeName: abroad, terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: foreign, namespace: seeded}
spec: {nodeName: na1, schedulerName: mine, terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: heap, namespace: seeded}
spec:
  replicas: 3
  selector: {matchLabels: {app: heap}}
  template:
    metadata: {labels: {app: heap}}
    spec: {nodeSelector: {topology.kubernetes.io/zone: gouv-west-1a}, terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
`

const holder = `
apiVersion: v1
kind: Pod
metadata: {name: holder, namespace: seeded}
spec:
  nodeName: na1
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: x}]
  volumes:
  - {name: far, persistentVolumeClaim: {claimName: far}}
  - {name: vague, persistentVolumeClaim: {claimName: vague}}
  - {name: twin, persistentVolumeClaim: {claimName: twin}}
---
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: rogue}
spec: {attacher: bsu.csi.outscale.com, nodeName: berlin, source: {persistentVolumeName: twin}}
`

const berlinZone = `---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: berlin-1a}
spec: {country: DE, provider: cloud, offer: kubernetes, region: berlin-1, recognition: {providerIDPrefixes: ["aws:///berlin-1a/"], csiDrivers: [bsu.csi.outscale.com]}}
`

// The audit is audited: whatever is seeded before Terroir is there must be found when it comes, each thing by its reason, and nothing invented.
func TestWhatWentWrongBeforeTerroirCameIsFound(t *testing.T) {
	c := cluster.New(t)
	w, err := newWorld(c, c.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{"a", "b", "c"} {
		w.node(t, "n"+zone+"1", "gouv-west-1"+zone, "bsu.csi.outscale.com")
	}
	w.node(t, "berlin", "berlin-1a", "bsu.csi.outscale.com")
	w.node(t, "abroad", "abroad-1a", "bsu.csi.outscale.com")
	w.create(t, seeds)
	w.boundVolume(t, "seeded", "far", "", csiVolume("far")+"\n  "+fmt.Sprintf(inZone, "berlin-1a"))
	w.boundVolume(t, "seeded", "vague", "", csiVolume("vague"))
	w.boundVolume(t, "seeded", "twin", "", csiVolume("twin")+"\n  "+fmt.Sprintf(inZone, "gouv-west-1a"))
	w.boundVolume(t, "seeded", "left", "labels: {topology.kubernetes.io/zone: berlin-1a}", csiVolume("left"))
	w.boundVolume(t, "bystander", "alias", "", csiVolume("twin")+"\n  "+fmt.Sprintf(inZone, "gouv-west-1a"))
	w.create(t, holder)
	w.pods(t, "seeded", 7)

	if err := terroir.Install(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.create(t, catalogue+berlinZone)
	w.create(t, `
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: seeded}
spec: {namespaceSelector: {matchLabels: {policy: seeded}}, trustLevels: [trusted], spread: {minSites: 3}, enforcement: Enforce}
`)
	w.policyIs(t, "seeded", v1alpha1.ConditionReady, metav1.ConditionTrue, "Enforced")
	for _, node := range []string{"na1", "nb1", "nc1"} {
		w.labelled(t, node, open("trusted"), "site-"+node[1:2])
	}
	w.create(t, deployment("seeded", "good", 3, ""))
	w.boundVolume(t, "seeded", "fine", "", csiVolume("fine")+"\n  "+fmt.Sprintf(inZone, "gouv-west-1a, gouv-west-1b"))
	want := map[string]int32{
		v1alpha1.NodeNotQualified: 1, v1alpha1.NodeUnknown: 1, "SchedulerNotAllowed": 1, v1alpha1.PodNotShaped: 7, v1alpha1.SpreadLost: 1,
		v1alpha1.VolumeNotQualified: 2, v1alpha1.VolumePlaceUnknown: 1, v1alpha1.AttachmentNotQualified: 1, v1alpha1.ClaimShared: 1,
	}
	eventually(t, "every seeded violation is found, and no other", func() error {
		p := &v1alpha1.ClusterPlacementPolicy{}
		if err := w.Get(t.Context(), client.ObjectKey{Name: "seeded"}, p); err != nil {
			return err
		}
		got := map[string]int32{}
		for _, r := range p.Status.Reasons {
			got[r.Reason] = r.Count
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("reasons (-want +got):\n%s\n%+v", diff, p.Status.Violating)
		}
		if p.Status.Pods != 10 || p.Status.Violations != 7 || p.Status.Volumes != 5 {
			return fmt.Errorf("it counts %d pods, %d of them violating, and %d volumes", p.Status.Pods, p.Status.Violations, p.Status.Volumes)
		}
		return nil
	})
	w.policyIs(t, "seeded", v1alpha1.ConditionCompliant, metav1.ConditionFalse, v1alpha1.PodNotShaped)
	w.pods(t, "seeded", 10) // it was told of all of them, and moved none
	eventually(t, "it is news", func() error {
		var events eventsv1.EventList
		if err := w.List(t.Context(), &events, client.InNamespace("default")); err != nil {
			return err
		}
		for _, e := range events.Items {
			if e.Regarding.Kind == "ClusterPlacementPolicy" && e.Regarding.Name == "seeded" && e.Reason == "Violated" {
				return nil
			}
		}
		return fmt.Errorf("of %d events none tells it", len(events.Items))
	})
	t.Run("what is mended is no longer told", func(t *testing.T) {
		for _, name := range []string{"unqualified", "unknown", "foreign", "holder"} {
			w.remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "seeded", Name: name}})
		}
		for _, name := range []string{"far", "vague", "twin", "left"} {
			w.remove(t, claimNamed("seeded", name))
		}
		heap := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "seeded", Name: "heap"}}
		w.remove(t, heap)
		w.policyIs(t, "seeded", v1alpha1.ConditionCompliant, metav1.ConditionTrue, "AllCompliant")
	})
}
