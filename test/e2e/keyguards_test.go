package e2e

import (
	"fmt"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// An agent that asks key stores writes what it saw itself, and nothing else by which Terroir judges, however much RBAC lets it.
func TestAnAgentWritesWhatItSawItselfAndNothingElse(t *testing.T) {
	const agent = "system:serviceaccount:terroir-system:terroir-keyprobe-paris"
	w := shared
	w.ground(t)
	w.create(t, `{apiVersion: terroir.dev/v1alpha1, kind: KeyStore, metadata: {name: guarded}, spec: {type: Declared, declared: {custody: Customer}, probe: {from: Agent}}}`)
	w.create(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: agent}, rules: [{apiGroups: ["terroir.dev"], resources: ["keyobservations", "keystores/status"], verbs: ["*"]}, {apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["*"]}]}`)
	w.create(t, fmt.Sprintf(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: agent}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: agent}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %q}]}`, agent))
	by := w.as(t, agent, "system:serviceaccounts")
	observation := func(observer string) client.Object {
		return &v1alpha1.KeyObservation{ObjectMeta: metav1.ObjectMeta{Name: "kek." + observer}, Spec: v1alpha1.KeyObservationSpec{
			Key: "kek", KeyUID: "u", Store: "guarded", Observer: v1alpha1.ObjectName(observer), Outcome: v1alpha1.OutcomeFound, Since: metav1.Now(),
		}}
	}
	lease := func(observer string) client.Object {
		return &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "keys.guarded." + observer, Labels: map[string]string{"terroir.dev/key-store": "guarded", "terroir.dev/observer": observer}},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &observer},
		}
	}
	eventually(t, "the authorizer knows the agent", func() error { return by.Create(t.Context(), observation("paris"), client.DryRunAll) })
	for _, o := range []client.Object{observation("paris"), lease("paris")} {
		if err := by.Create(t.Context(), o, client.DryRunAll); err != nil {
			t.Errorf("what it saw itself: %v", err)
		}
	}
	terroir.Denied(t, by.Create(t.Context(), observation("milan"), client.DryRunAll), "a KeyObservation of observer milan says what that observer saw of a key")
	terroir.Denied(t, by.Create(t.Context(), observation("manager"), client.DryRunAll), "a KeyObservation of observer manager says what that observer saw of a key")
	terroir.Denied(t, by.Create(t.Context(), lease("milan"), client.DryRunAll), "namespace terroir-system belongs to Terroir")
	status := func(patch string) error {
		return by.Status().Patch(t.Context(), named("guarded", &v1alpha1.KeyStore{}), client.RawPatch("application/merge-patch+json", []byte(patch)), client.DryRunAll)
	}
	if err := status(`{"status":{"login":{"secretUID":"u","secretVersion":"1","state":"Trying","observer":"paris","at":"2026-11-27T12:00:00Z"}}}`); err != nil {
		t.Errorf("the latch: %v", err)
	}
	terroir.Denied(t, status(`{"status":{"verified":99}}`), "the status of a KeyStore says what Terroir found, and Terroir alone writes it")
}

func TestHowVolumesAreEncryptedIsRecordedByTerroirAlone(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "recorded")
	p := w.people(t)
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "recorded", Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "recorded"}, Spec: corev1.PersistentVolumeSpec{
		AccessModes: claim.Spec.AccessModes, Capacity: claim.Spec.Resources.Requests,
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "d", VolumeHandle: "h"}},
	}}
	for _, o := range []client.Object{claim.DeepCopy(), volume.DeepCopy()} {
		if err := p.editor.Create(t.Context(), o, client.DryRunAll); err != nil {
			t.Errorf("without a record: %v", err)
		}
	}
	recorded, proven := claim.DeepCopy(), volume.DeepCopy()
	recorded.Annotations = map[string]string{v1alpha1.ClassAnnotation: "u:0"}
	terroir.Denied(t, p.editor.Create(t.Context(), recorded, client.DryRunAll), "annotation terroir.dev/storage-class of PersistentVolumeClaim data says how its volume is encrypted")
	proven.Annotations = map[string]string{v1alpha1.ProofAnnotation: "u:kek:sha256:0"}
	terroir.Denied(t, p.editor.Create(t.Context(), proven, client.DryRunAll), "annotation terroir.dev/encryption-proof of PersistentVolume recorded says under which key the volume was proven")
}
