package keys

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// A clone's own class names a key that is accepted; its source's does not. Both were made before anybody demanded anything: later, claims are asked when they come.
func TestACloneOfAVolumeUnderAnotherKeyWaits(t *testing.T) {
	w := shared
	w.make(t, "cloned")
	w.make(t, "origin")
	selector := func(text string) string {
		return strings.Replace(text, "kubernetes.io/metadata.name: origin", "kubernetes.io/metadata.name: cloned", 1)
	}
	free := strings.Replace(governed("cloned", "keys: [cloned], protection: Software"), "labels: {owes: cloned}", "labels: {}", 1)
	w.create(t, w.vault("cloned")+key("cloned", "cloned", inTransit("cloned"), now)+selector(key("origin", "cloned", inTransit("origin"), now))+free)
	w.phase(t, "cloned", v1alpha1.PhaseVerified)
	w.phase(t, "origin", v1alpha1.PhaseVerified)
	w.create(t, claim("cloned", "source", "origin"))
	w.olderThanNow(t, "cloned", "source")
	w.create(t, strings.Replace(claim("cloned", "data-db-0", "cloned"), "spec: {", "spec: {dataSource: {kind: PersistentVolumeClaim, name: source}, ", 1))
	n := &corev1.Namespace{}
	n.Name = "cloned"
	if err := w.Patch(t.Context(), n, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"owes":"cloned"}}}`))); err != nil {
		t.Fatal(err)
	}
	w.settled(t, "cloned")
	w.create(t, database("cloned", "cloned"))
	w.waits(t, "cloned", `holds data of claim "source"`, "origin")
}

// olderThanNow waits until a claim is older, to the second, than what is made now: a source is older than what is made from it.
func (w *world) olderThanNow(t *testing.T, namespace, name string) {
	t.Helper()
	c := &corev1.PersistentVolumeClaim{}
	eventually(t, "claim "+name+" is older than what is made now", func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, c); err != nil {
			return err
		}
		if time.Since(c.CreationTimestamp.Time) < 2*time.Second {
			return fmt.Errorf("it was made at %s", c.CreationTimestamp)
		}
		return nil
	})
}

// The claim of a generic ephemeral volume is made when its pod is there, so nobody could have asked before.
func TestAGenericEphemeralVolumeWaitsForItsKey(t *testing.T) {
	w := shared
	w.create(t, w.vault("fleeting")+key("fleeting", "fleeting", inTransit("fleeting"), now)+governed("fleeting", "keys: [fleeting], protection: Software"))
	w.phase(t, "fleeting", v1alpha1.PhaseNotFound)
	w.settled(t, "fleeting")
	w.create(t, `
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: fleeting}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: x, volumeMounts: [{name: scratch, mountPath: /scratch}]}]
  volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], storageClassName: fleeting, resources: {requests: {storage: 1Gi}}}}}}]
`)
	// Only its condition is up to date: the API server's clients count an event that comes again with other words, and keep its first ones.
	eventually(t, "the pod waits and says why", func() error {
		p := &corev1.Pod{}
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "fleeting", Name: "db-0"}, p); err != nil {
			return err
		}
		if !gated(p) || !contains(why(p), []string{"EncryptionKey/fleeting", "NotFound"}) {
			return fmt.Errorf("it has the gates %v, and its condition says %s", p.Spec.SchedulingGates, why(p))
		}
		return nil
	})
	w.make(t, "fleeting")
	w.runs(t, "fleeting", "")
}
