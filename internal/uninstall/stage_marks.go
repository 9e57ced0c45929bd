package uninstall

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Law: what Terroir derived goes: the marks of namespaces, volumes, classes and claims, what was recorded of claims and volumes, the floors, and the finalizers that
// nobody would lift any more.
//
// Reads labels and annotations of namespaces, PersistentVolumes, PersistentVolumeClaims and StorageClasses, PlacementFloors, and the finalizers of every object of
// terroir.dev. Where the kinds stay, their objects stop claiming to be in force. Ignores finalizers of others, and the condition of pods, which goes with them.
func removeMarks(w World, o Options, t *Todo) {
	for _, n := range w.marked {
		changes := map[string]any{}
		if len(n.marks) > 0 {
			changes["labels"] = nulls(n.marks)
		}
		if len(n.records) > 0 {
			changes["annotations"] = nulls(n.records)
		}
		t.change(n.Object, map[string]any{"metadata": changes}, "remove Terroir's marks from "+n.String())
	}
	for _, f := range w.floors {
		t.remove(f)
	}
	for _, k := range w.kept {
		t.change(k.Object, map[string]any{"metadata": map[string]any{
			"resourceVersion": k.version, "finalizers": except(k.finalizers, isOurs),
		}}, "remove Terroir's finalizer from "+k.String())
	}
	if o.KeepKinds {
		for _, c := range w.claims {
			t.disclaim(c, w.now)
		}
	}
}

// disclaim has an object say that nothing is in force: Terroir, which would say so, is gone.
func (t *Todo) disclaim(c claim, now time.Time) {
	if is := meta.FindStatusCondition(c.conditions, v1alpha1.ConditionReady); is != nil && is.Reason == uninstalled {
		return
	}
	conditions := slices.Clone(c.conditions)
	for kind, status := range map[string]metav1.ConditionStatus{v1alpha1.ConditionReady: metav1.ConditionFalse, v1alpha1.ConditionCompliant: metav1.ConditionUnknown} {
		if kind != v1alpha1.ConditionReady && meta.FindStatusCondition(conditions, kind) == nil {
			continue
		}
		meta.SetStatusCondition(&conditions, metav1.Condition{
			Type: kind, Status: status, Reason: uninstalled, Message: "Terroir was uninstalled: nothing is in force, and nobody looks",
			LastTransitionTime: metav1.NewTime(now), ObservedGeneration: c.generation,
		})
	}
	status := map[string]any{"conditions": conditions}
	switch c.Kind {
	case "TerroirConfig":
		status["fence"] = v1alpha1.FenceOff
	case "EncryptionKey":
		status["phase"], status["verifiedUntil"] = v1alpha1.PhaseUnknown, nil
	}
	t.change(c.Object, map[string]any{"status": status}, "say in the status of "+c.String()+" that nothing is in force")
	t.Steps[len(t.Steps)-1].Subresource = "status"
}

// uninstalled is the reason of conditions that nobody keeps any more.
const uninstalled = "Uninstalled"
