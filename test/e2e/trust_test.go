package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// every node of the test's ground.
var qualified = []string{"na1", "na2", "nb1", "nb2", "nc1", "nc2"}

func TestASuspendedQualificationClosesNodesAndMovesNobody(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "suspended")
	w.create(t, deployment("suspended", "web", 6, ""))
	before := w.pods(t, "suspended", 6)

	w.warnings.take()
	w.mustPatch(t, &v1alpha1.Qualification{}, "grant", `{"spec":{"state":"Suspended"}}`)
	if said := w.warnings.take(); !strings.Contains(said, "6 nodes lose trusted, 6 pods there owe it") {
		t.Errorf("whoever suspended it was told %q", said)
	}
	for _, node := range qualified {
		w.labelled(t, node, open("trusted"), "")
		w.labelled(t, node, heldTrusted, "true")
	}
	p := w.policyIs(t, "suspended", v1alpha1.ConditionCompliant, metav1.ConditionFalse, v1alpha1.NodeNotQualified)
	if p.Status.Violations != 6 || p.Status.Pods != 6 || len(p.Status.Violating) != 6 {
		t.Errorf("the policy's status is %+v", p.Status)
	}
	if after := w.pods(t, "suspended", 6); after[0].UID != before[0].UID {
		t.Error("pods were moved")
	}

	w.warnings.take()
	w.create(t, pod("suspended", "newcomer", ""))
	if said := w.warnings.take(); !strings.Contains(said, "suspended") {
		t.Errorf("whoever created a pod was told %q, not that the qualification is suspended", said)
	}
	eventually(t, "the newcomer waits", func() error { return w.unschedulable(t, "suspended", "newcomer") })

	w.mustPatch(t, &v1alpha1.Qualification{}, "grant", `{"spec":{"state":"Granted"}}`)
	w.pods(t, "suspended", 7)
	w.policyIs(t, "suspended", v1alpha1.ConditionCompliant, metav1.ConditionTrue, "AllCompliant")
}

func (w *world) unschedulable(t *testing.T, namespace, name string) error {
	t.Helper()
	var p corev1.Pod
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &p); err != nil {
		return err
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable {
			return nil
		}
	}
	return fmt.Errorf("its status is %+v", p.Status)
}

func TestHeldGoesWhenTheLastPodThatOwesItHasLeft(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "leaving")
	w.create(t, pod("leaving", "last", "nodeSelector: {kubernetes.io/hostname: na1}"))
	w.pods(t, "leaving", 1)
	w.mustPatch(t, &v1alpha1.Qualification{}, "grant", `{"spec":{"state":"Withdrawn"}}`)
	w.labelled(t, "na2", heldTrusted, "") // where no pod is, held goes when nothing can be bound there any more
	w.labelled(t, "na1", open("trusted"), "")
	w.labelled(t, "na1", heldTrusted, "true")
	w.remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "leaving", Name: "last"}})
	w.labelled(t, "na1", heldTrusted, "")
}

func TestAQualificationEndsAtItsSecondWithoutAnybodyAsking(t *testing.T) {
	w := shared
	w.ground(t)
	end := time.Now().Add(5 * time.Second).UTC().Truncate(time.Second)
	w.mustPatch(t, &v1alpha1.Qualification{}, "grant", fmt.Sprintf(`{"spec":{"validUntil":%q}}`, end.Format(time.RFC3339)))
	w.labelled(t, "na1", open("trusted"), "site-a")
	w.labelled(t, "na1", open("trusted"), "")
	if now := time.Now(); now.Before(end) {
		t.Errorf("it ended at %s, before %s", now.UTC(), end)
	}
	eventually(t, "the qualification says why", func() error {
		var q v1alpha1.Qualification
		if err := w.Get(t.Context(), client.ObjectKey{Name: "grant"}, &q); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(q.Status.Conditions, v1alpha1.ConditionInForce); c == nil || c.Reason != "QualificationExpired" {
			return fmt.Errorf("its conditions are %+v", q.Status.Conditions)
		}
		return nil
	})
}

func TestATrustLevelInUseDoesNotVanish(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "using")
	level := &v1alpha1.TrustLevel{ObjectMeta: metav1.ObjectMeta{Name: "trusted"}}
	eventually(t, "the finalizer is on it", func() error {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(level), level); err != nil {
			return err
		}
		if len(level.Finalizers) != 1 {
			return fmt.Errorf("its finalizers are %v", level.Finalizers)
		}
		return nil
	})
	if err := w.Delete(t.Context(), level); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it names who uses it", func() error {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(level), level); err != nil {
			return err
		}
		c := meta.FindStatusCondition(level.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || c.Reason != "InUse" || !strings.Contains(c.Message, "ClusterPlacementPolicy/using") {
			return fmt.Errorf("its condition is %+v", c)
		}
		return nil
	})
	w.labelled(t, "na1", open("trusted"), "site-a") // and it goes on counting
	w.remove(t, &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "using"}})
	eventually(t, "it is gone when nobody uses it", func() error {
		err := w.Get(t.Context(), client.ObjectKeyFromObject(level), level)
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is still there with finalizers %v: %w", level.Finalizers, err)
		}
		return nil
	})
	w.labelled(t, "na1", open("trusted"), "")
}

func TestAPolicyThatNamesAMissingLevelFailsClosed(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `
apiVersion: v1
kind: Namespace
metadata: {name: missing, labels: {policy: missing}}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: missing}
spec: {namespaceSelector: {matchLabels: {policy: missing}}, trustLevels: [trustedd], enforcement: Enforce}
`)
	p := w.policyIs(t, "missing", v1alpha1.ConditionReady, metav1.ConditionFalse, "TrustLevelNotFound")
	if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, `did you mean "trusted"?`) {
		t.Errorf("the policy says %q", c.Message)
	}
	terroir.Denied(t, w.try(t, pod("missing", "p", "")), `requires trust level "trustedd", which does not exist`)
	w.create(t, `{apiVersion: terroir.dev/v1alpha1, kind: TrustLevel, metadata: {name: trustedd}, spec: {countries: [FR]}}`)
	w.policyIs(t, "missing", v1alpha1.ConditionReady, metav1.ConditionTrue, "Enforced")
	eventually(t, "pods are admitted once it exists", func() error {
		err := w.Create(context.Background(), terroir.MustObjects(t, pod("missing", "p", ""))[0])
		return client.IgnoreAlreadyExists(err)
	})
	// The level goes when nobody uses it any more.
	w.remove(t, &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "missing"}})
	w.remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "missing", Name: "p"}})
}

func TestAMissingSignalIsSuspectAndAContradictionALoss(t *testing.T) {
	w := shared
	w.ground(t)
	t.Run("a CSI driver that restarts takes nothing away", func(t *testing.T) {
		drivers := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: "na1"}}
		if err := w.patch(t, drivers, "na1", `{"spec":{"drivers":[]}}`); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the node is suspect", func() error {
			var n corev1.Node
			if err := w.Get(t.Context(), client.ObjectKey{Name: "na1"}, &n); err != nil {
				return err
			}
			if n.Labels[v1alpha1.SuspectSinceLabel] == "" {
				return fmt.Errorf("its labels are %v", n.Labels)
			}
			if n.Labels[open("trusted")] != "site-a" {
				t.Errorf("it lost its standing: %v", n.Labels)
			}
			return nil
		})
		if err := w.patch(t, drivers, "na1", `{"spec":{"drivers":[{"name":"bsu.csi.outscale.com","nodeID":"x"}]}}`); err != nil {
			t.Fatal(err)
		}
		w.labelled(t, "na1", v1alpha1.SuspectSinceLabel, "")
		w.labelled(t, "na1", open("trusted"), "site-a")
	})
	t.Run("a node that was never known earns nothing by half its signals", func(t *testing.T) {
		w.node(t, "half", "gouv-west-1a")
		w.node(t, "whole", "gouv-west-1a", "bsu.csi.outscale.com")
		w.labelled(t, "whole", open("trusted"), "site-a") // by now the other has been looked at, too
		w.labelled(t, "half", open("trusted"), "")
		w.labelled(t, "half", v1alpha1.ZoneLabel, "")
	})
	t.Run("labels of ours are written by nobody else, not even by the cluster's administrator", func(t *testing.T) {
		forged := fmt.Sprintf(`{"metadata":{"labels":{%q:"site-a",%q:"true"}}}`, open("trusted"), heldTrusted)
		terroir.Denied(t, w.patch(t, &corev1.Node{}, "abroad", forged), "Terroir alone writes it")
	})
	t.Run("a node that comes again by the same name starts from nothing", func(t *testing.T) {
		w.remove(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "nc2"}})
		w.create(t, `{apiVersion: v1, kind: Node, metadata: {name: nc2}, spec: {providerID: "aws:///elsewhere-1a/i-nc2"}}`)
		w.labelled(t, "nc2", v1alpha1.ZoneLabel, "")
	})
}

func TestTheCatalogueIsDeletedUnderRunningPods(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "bare")
	w.create(t, deployment("bare", "web", 3, ""))
	w.pods(t, "bare", 3)
	for _, o := range []client.Object{
		&v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: "gouv-west-1a"}},
		&v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: "gouv-west-1b"}},
		&v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: "gouv-west-1c"}},
		&v1alpha1.CloudProvider{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}},
		&v1alpha1.Framework{ObjectMeta: metav1.ObjectMeta{Name: "fictitious-1.0"}},
	} {
		w.remove(t, o)
	}
	w.labelled(t, "na1", open("trusted"), "")
	w.labelled(t, "na1", v1alpha1.ZoneLabel, "")
	p := w.policyIs(t, "bare", v1alpha1.ConditionCompliant, metav1.ConditionFalse, v1alpha1.NodeUnknown)
	if p.Status.Violations != 3 {
		t.Errorf("the policy's status is %+v", p.Status)
	}
	w.pods(t, "bare", 3)
	eventually(t, "what refers to nothing says so", func() error {
		var q v1alpha1.Qualification
		if err := w.Get(t.Context(), client.ObjectKey{Name: "grant"}, &q); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(q.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Status != metav1.ConditionFalse {
			return fmt.Errorf("its conditions are %+v", q.Status.Conditions)
		}
		return nil
	})
}

func TestAuditAndWarnRefuseNothing(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `
apiVersion: v1
kind: Namespace
metadata: {name: watched, labels: {watched: "yes"}}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: audit}
spec: {namespaceSelector: {matchLabels: {watched: "yes"}}, trustLevels: [trusted], enforcement: Audit}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: warn}
spec: {namespaceSelector: {matchLabels: {watched: "yes"}}, trustLevels: [trusted], enforcement: Warn}
`)
	eventually(t, "the namespace is marked as warned", func() error {
		var n corev1.Namespace
		if err := w.Get(t.Context(), client.ObjectKey{Name: "watched"}, &n); err != nil {
			return err
		}
		if n.Labels[v1alpha1.WarnedLabel] != "true" || n.Labels[v1alpha1.GovernedLabel] != "" {
			return fmt.Errorf("its labels are %v", n.Labels)
		}
		return nil
	})
	eventually(t, "whoever creates a pod is warned", func() error {
		w.warnings.take()
		p := terroir.MustObjects(t, pod("watched", "astray", "nodeName: abroad"))[0]
		if err := w.Create(t.Context(), p); err != nil {
			return err
		}
		said := w.warnings.take()
		if strings.Contains(said, "warn") && strings.Contains(said, "trusted") {
			return nil
		}
		w.remove(t, p)
		return fmt.Errorf("they were told %q", said)
	})
	found := w.pods(t, "watched", 1)[0]
	if len(found.Spec.NodeSelector)+len(found.Spec.TopologySpreadConstraints) > 0 || found.Labels[v1alpha1.WorkloadLabel] != "" {
		t.Errorf("the pod was changed: %+v", found)
	}
	for _, policy := range []string{"audit", "warn"} {
		p := w.policyIs(t, policy, v1alpha1.ConditionCompliant, metav1.ConditionFalse, v1alpha1.NodeUnknown)
		if p.Status.Violations != 1 || p.Status.Pods != 1 {
			t.Errorf("policy %s: %+v", policy, p.Status)
		}
	}
}

func TestANamespacedPolicyTightens(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `
apiVersion: v1
kind: Namespace
metadata: {name: payroll}
---
apiVersion: terroir.dev/v1alpha1
kind: PlacementPolicy
metadata: {name: payroll, namespace: payroll}
spec: {trustLevels: [trusted], enforcement: Enforce}
`)
	var floor v1alpha1.PlacementFloor
	eventually(t, "the floor says who demands what", func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "payroll", Name: "floor"}, &floor); err != nil {
			return err
		}
		if len(floor.Spec.DemandedBy) != 1 || floor.Spec.DemandedBy[0].Kind != "PlacementPolicy" {
			return fmt.Errorf("it is %+v", floor.Spec)
		}
		return nil
	})
	t.Run("the floor is Terroir's to write, and comes back", func(t *testing.T) {
		if err := w.Delete(t.Context(), &floor); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is back", func() error {
			var again v1alpha1.PlacementFloor
			if err := w.Get(t.Context(), client.ObjectKey{Namespace: "payroll", Name: "floor"}, &again); err != nil {
				return err
			}
			if again.UID == floor.UID {
				return fmt.Errorf("it is still the old one")
			}
			return nil
		})
	})
	t.Run("when the policy goes, the namespace is free again", func(t *testing.T) {
		w.remove(t, &v1alpha1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "payroll", Name: "payroll"}})
		eventually(t, "neither label nor floor is left", func() error { return w.free(t, "payroll") })
	})
}

func TestTheFenceIsRestored(t *testing.T) {
	w := shared
	ctx := context.Background()
	policies := w.clientset.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	before, err := policies.Get(ctx, "terroir-pods", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := policies.Delete(ctx, "terroir-pods", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the policy is back", func() error {
		after, err := policies.Get(ctx, "terroir-pods", metav1.GetOptions{})
		if err == nil && after.UID == before.UID {
			err = fmt.Errorf("it is still the old one")
		}
		return err
	})
	w.mustPatch(t, &v1alpha1.TerroirConfig{}, "cluster", `{"spec":{"allowedSchedulers":["default-scheduler","batch"]}}`)
	t.Cleanup(func() {
		_ = w.patch(t, &v1alpha1.TerroirConfig{}, "cluster", `{"spec":{"allowedSchedulers":["default-scheduler"]}}`)
	})
	eventually(t, "a setting reaches it", func() error {
		after, err := policies.Get(ctx, "terroir-pods", metav1.GetOptions{})
		if err == nil && !strings.Contains(fmt.Sprint(after.Spec.Validations), "'batch'") {
			err = fmt.Errorf("it does not know the scheduler")
		}
		return err
	})
}
