package doors

import (
	"context"
	"errors"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// keyDoors are the doors by which what is known of keys is not what was seen. What keys bring to other doors is below.
func keyDoors() []Door {
	return []Door{{
		Number: 41, Name: "what is known of keys forged", ClosedBy: "fence: observations and Leases by their observers; statuses by Terroir",
		Variants: append(append(forgedSightings(), forgedLeases()...), forgedVerdicts()...),
	}}
}

// encrypted makes a namespace whose policy demands encryption. Without Terroir it looks the same.
func encrypted(ctx context.Context, s *stage) error {
	return s.once(func() error {
		return errors.Join(s.makeNamespace(ctx, "keys: "+s.fill("$phase")), s.encryptedBy(ctx))
	})
}

// encryptedAlone is like encrypted, without anybody who may do anything there: for those who try to change the namespace itself.
func encryptedAlone(ctx context.Context, s *stage) error {
	return errors.Join(s.prepare(ctx, `{apiVersion: v1, kind: Namespace, metadata: {name: $namespace, labels: {made: for-doors, keys: $phase}}}`), s.encryptedBy(ctx))
}

// becomesEncrypted puts a namespace that is there already under the policy that demands encryption: what is in it was made before.
func becomesEncrypted(ctx context.Context, s *stage) error {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace()}}
	patch := client.RawPatch("application/merge-patch+json", []byte(s.fill(`{"metadata":{"labels":{"keys":"$phase"}}}`)))
	return errors.Join(s.admin.Patch(ctx, n, patch), s.encryptedBy(ctx))
}

const encryptedFloor = `
apiVersion: terroir.dev/v1alpha1
kind: PlacementFloor
metadata: {name: floor, namespace: $namespace}
spec: {trustLevels: [trusted], encryption: {protection: HSM}}
`

// encryptedBy waits for both marks and the floor; without Terroir it makes them.
func (s *stage) encryptedBy(ctx context.Context) error {
	if s.phase == without {
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace()}}
		marks := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"terroir.dev/governed":"true","terroir.dev/encrypted":"true"}}}`))
		return errors.Join(s.prepare(ctx, encryptedFloor), s.admin.Patch(ctx, n, marks))
	}
	return eventually(ctx, func() error {
		var n corev1.Namespace
		var f v1alpha1.PlacementFloor
		err := errors.Join(s.admin.Get(ctx, client.ObjectKey{Name: s.namespace()}, &n), s.admin.Get(ctx, client.ObjectKey{Namespace: s.namespace(), Name: v1alpha1.FloorName}, &f))
		if err == nil && (n.Labels[v1alpha1.EncryptedLabel] != "true" || f.Spec.Encryption == nil) {
			err = fmt.Errorf("namespace %s has labels %v and owes %+v", n.Name, n.Labels, f.Spec)
		}
		return err
	})
}

// Pods with the claim data, of which nothing is proven. No token is mounted: mutators replace all volumes.
const (
	mountsData = `automountServiceAccountToken: false, volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]`
	behindGate = `schedulingGates: [{name: terroir.dev/encryption}], ` + mountsData
)

// hasData makes a namespace with the claim data and its volume, which then comes to owe encryption.
func hasData(ctx context.Context, s *stage) error {
	return scene(free, given(volumeOf("", forData+", "+onlyHome)), given(claimOf("data", "", noClass)), func(ctx context.Context, s *stage) error {
		_, err := s.dataBound(ctx)
		return err
	}, becomesEncrypted)(ctx, s)
}

// starts tells whether a pod goes to a node, though nobody has proven under which keys its volumes are.
func (s *stage) starts(ctx context.Context, name string) (effect, error) {
	return patient(ctx, func() (bool, effect, error) {
		p, err := s.pod(ctx, name)
		if err != nil {
			return false, nothing, err
		}
		return p.Spec.NodeName != "" || waitsAtGate(p), effect(p.Spec.NodeName != ""), nil
	})
}

func waitsAtGate(p *corev1.Pod) bool { return len(p.Spec.SchedulingGates) > 0 }

// startsUnproven creates a pod, which happens if it goes to a node.
func startsUnproven(meta, spec string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		if err := s.create(ctx, s.actor(), podOf(meta, spec)); err != nil {
			return nothing, err
		}
		return s.starts(ctx, s.name())
	}
}

// encryptionGates are the ways around the gate behind which pods wait for the proof of their keys.
func encryptionGates() []Variant {
	lifted := change{apiVersion: "v1", kind: "Pod", namespace: "$namespace", name: "$name", path: []string{"spec", "schedulingGates"}}
	gated := scene(encrypted, given(podOf("", behindGate)))
	var all []Variant
	add := func(words string, variants ...Variant) {
		for _, v := range variants {
			v.Through += words
			all = append(all, v)
		}
	}
	add(": the gate of encryption", template{by: namespaceAdmin, resource: "pods", ground: "encrypted", set: gated}.everyWay(lifted, "")...)
	add(": the gate of encryption", template{by: podOperator, resource: "pods", ground: "encrypted", set: gated}.everyWay(lifted, "")...)
	keeps := template{by: podOperator, resource: "pods", ground: "encrypted", set: gated, closed: Kubernetes}.everyWay(lifted, "status", "resize")
	for i := range keeps {
		keeps[i].Why = "these subresources keep what they are not about"
	}
	add(": the gate of encryption", keeps...)
	applied := func(ctx context.Context, s *stage) error { return s.applies(ctx, podOf("", behindGate)) }
	add("",
		Variant{By: namespaceAdmin, Through: "server-side apply of pods, by whom the gate was applied", Ground: "encrypted", Set: scene(encrypted, applied), Try: appliesWithoutGate},
		Variant{
			By: secondScheduler, Through: "create of pods/binding of a gated pod", Ground: "encrypted", Set: gated,
			Closed: Kubernetes, Why: "a pod is not bound while it has a scheduling gate",
			Try: func(ctx context.Context, s *stage) (effect, error) {
				err := s.binds(ctx, s.actor(), s.name(), "na1")
				return err == nil, err
			},
		},
	)
	return append(all, ungated()...)
}

func appliesWithoutGate(ctx context.Context, s *stage) (effect, error) {
	refusal := s.applies(ctx, podOf("", mountsData))
	p, err := s.pod(ctx, s.name())
	if err != nil {
		return nothing, err
	}
	return len(p.Spec.SchedulingGates) == 0, refusal
}

// ungated are pods that come without a gate.
func ungated() []Variant {
	const (
		strip = `[{"op":"add","path":"/spec/schedulingGates","value":[]}]`
		bring = `[{"op":"add","path":"/spec/volumes","value":[{"name":"v","persistentVolumeClaim":{"claimName":"data"}}]}]`
	)
	by := func(patch string) func(context.Context, *stage) error {
		return func(ctx context.Context, s *stage) error { return s.mutatedBy(ctx, patch) }
	}
	stripped, bare := startsUnproven(`labels: {strip: $name}`, mountsData), startsUnproven(`labels: {strip: $name}`, `automountServiceAccountToken: false`)
	ephemeral := `volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Gi}}}}}}]`
	ready := scene(free, given(volumeOf("", `claimRef: {namespace: $namespace, name: $name-v}, `+onlyHome)), becomesEncrypted)
	inControlled := func(ctx context.Context, s *stage) (effect, error) {
		if err := s.create(ctx, s.actor(), replicaSet(mountsData)); err != nil {
			return nothing, err
		}
		return patient(ctx, func() (bool, effect, error) {
			var pods corev1.PodList
			if err := s.admin.List(ctx, &pods, client.InNamespace(s.namespace())); err != nil || len(pods.Items) == 0 {
				return false, nothing, err
			}
			p := &pods.Items[0]
			return p.Spec.NodeName != "" || waitsAtGate(p), effect(p.Spec.NodeName != ""), nil
		})
	}
	return []Variant{
		{By: namespaceEditor, Through: "create of pods with a claim, without the gate", Closed: Undone, Set: hasData, Try: startsUnproven("", mountsData)},
		{By: worker, Through: "create of pods with a claim, without the gate", Closed: Undone, Set: hasData, Try: startsUnproven("", mountsData)},
		{By: namespaceEditor, Through: "create of pods with a claim, with another gate", Closed: Undone, Set: hasData, Try: liftsAnother},
		{By: namespaceEditor, Through: "create of replicasets with a claim", Closed: Undone, Set: hasData, Try: inControlled},
		{By: namespaceEditor, Through: "create of pods with a generic ephemeral volume", Closed: Undone, Set: ready, Try: startsUnproven("", ephemeral)},
		{By: namespaceEditor, Through: "create of pods with a network volume of their own", Ground: "encrypted", Set: encrypted, Try: startsUnproven("", `volumes: [{name: v, nfs: {server: x.example.com, path: /}}]`)},
		{By: namespaceEditor, Through: "create of pods with an inline csi volume", Ground: "encrypted", Set: encrypted, Try: startsUnproven("", `volumes: [{name: v, csi: {driver: doors.example.com}}]`)},
		{By: namespaceEditor, Through: "create of pods past a mutating admission policy that takes the gate", Closed: Undone, Set: scene(hasData, ungateByPolicy), Try: stripped},
		{By: namespaceEditor, Through: "create of pods past a mutating webhook that takes the gate", Closed: Undone, Set: scene(hasData, by(strip)), Try: stripped},
		{By: namespaceEditor, Through: "create of pods past a mutating webhook that brings the claim", Closed: Undone, Set: scene(hasData, by(bring)), Try: bare},
	}
}

// liftsAnother creates a pod behind a gate of its own, which whoever may update pods may lift.
func liftsAnother(ctx context.Context, s *stage) (effect, error) {
	if err := s.create(ctx, s.actor(), podOf("", `schedulingGates: [{name: example.com/quota}], `+mountsData)); err != nil {
		return nothing, err
	}
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: s.name()}}
	patch := client.RawPatch("application/strategic-merge-patch+json", []byte(`{"spec":{"schedulingGates":[{"$patch":"delete","name":"example.com/quota"}]}}`))
	if err := s.actor().Patch(ctx, p, patch); err != nil {
		return nothing, err
	}
	return s.starts(ctx, s.name())
}

func ungateByPolicy(ctx context.Context, s *stage) error {
	return s.prepare(ctx, `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: zz-ungate-$name}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}], objectSelector: {matchLabels: {strip: $name}}}
  mutations:
  - {patchType: JSONPatch, jsonPatch: {expression: "[JSONPatch{op: 'add', path: '/spec/schedulingGates', value: []}]"}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: zz-ungate-$name}
spec: {policyName: zz-ungate-$name}
`)
}

// unencryptedNamespaces are the ways by which a namespace owes less of encryption than its policy says.
func unencryptedNamespaces() []Variant {
	mark := func(value any) change {
		return change{apiVersion: "v1", kind: "Namespace", name: "$namespace", path: []string{"metadata", "labels", v1alpha1.EncryptedLabel}, value: value}
	}
	owed := change{apiVersion: "terroir.dev/v1alpha1", kind: "PlacementFloor", namespace: "$namespace", name: "floor", path: []string{"spec", "encryption"}}
	weaker := owed
	weaker.path, weaker.value = []string{"spec", "encryption", "protection"}, "Software"
	t := template{by: tenantsOperator, set: encryptedAlone, resource: "namespaces", closed: Undone}
	f := template{by: worker, set: encrypted, resource: "placementfloors"}
	var all []Variant
	add := func(words string, variants []Variant) {
		for _, v := range variants {
			v.Through += words
			all = append(all, v)
		}
	}
	subs := []string{"", "status", "finalize"}
	add(": without the mark of encryption", t.everyWay(mark(nil), subs...))
	add(": a false mark of encryption", t.everyWay(mark("false"), subs...))
	add(": without encryption", f.everyWay(owed, ""))
	add(": weaker encryption", f.everyWay(weaker, ""))
	return all
}

// otherClasses are the ways by which a class means another key than it did.
func otherClasses() []Variant {
	parameters := change{apiVersion: "storage.k8s.io/v1", kind: "StorageClass", name: "$name", path: []string{"parameters"}, value: map[string]any{"kmsKeyID": "other"}}
	edited := template{by: storageEditor, set: scene(free, given(lateClass)), ground: "parameters", resource: "storageclasses", closed: Kubernetes}.everyWay(parameters, "")
	for i := range edited {
		edited[i].Through, edited[i].Why = edited[i].Through+": another key", "the parameters of a StorageClass never change"
	}
	set := scene(free, given(lateClass), given(claimOf("$name", "", ownClass)), becomesEncrypted, kept("storage.k8s.io/v1", "StorageClass"))
	return append(edited, Variant{By: storageEditor, Through: "delete and create of storageclasses: another key", Set: set, Try: func(ctx context.Context, s *stage) (effect, error) {
		if err := s.actor().Delete(ctx, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: s.name()}}); err != nil {
			return nothing, err
		}
		err := s.create(ctx, s.actor(), `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: $name}, provisioner: doors.example.com/provisioner, volumeBindingMode: WaitForFirstConsumer, parameters: {kmsKeyID: other}}`)
		return err == nil, err
	}})
}

// forgedProofs are the ways by which a volume is said to be proven that was not.
func forgedProofs() []Variant {
	const proof = "u:kek:sha256:0"
	forged := `annotations: {terroir.dev/encryption-proof: "` + proof + `"}`
	there := func(ctx context.Context, s *stage, refusal error) (effect, error) {
		v := &corev1.PersistentVolume{}
		_, err := s.exists(ctx, v, "", s.name())
		return v.Annotations[v1alpha1.ProofAnnotation] == proof, errors.Join(err, refusal)
	}
	written := change{apiVersion: "v1", kind: "PersistentVolume", name: "$name", path: []string{"metadata", "annotations", v1alpha1.ProofAnnotation}, value: proof}
	taken := written
	taken.value = nil
	var all []Variant
	for _, v := range (template{by: storageEditor, set: given(volumeOf("", ownClass)), resource: "persistentvolumes"}).everyWay(written, "", "status") {
		v.Through += ": a proof"
		all = append(all, v)
	}
	for _, v := range (template{by: storageEditor, set: given(volumeOf(forged, ownClass)), resource: "persistentvolumes"}).everyWay(taken, "", "status") {
		v.Through += ": without its proof"
		all = append(all, v)
	}
	creates := func(ctx context.Context, s *stage) (effect, error) {
		return there(ctx, s, s.create(ctx, s.actor(), volumeOf(forged, ownClass)))
	}
	return append(all,
		Variant{By: storageEditor, Through: "create of persistentvolumes with a proof", Try: creates},
		Variant{By: storageEditor, Through: "server-side apply of persistentvolumes with a proof", Try: func(ctx context.Context, s *stage) (effect, error) {
			return there(ctx, s, s.applies(ctx, volumeOf(forged, ownClass)))
		}},
		Variant{By: namespaceAdmin, Through: "create of persistentvolumes with a proof", Set: free, Try: creates, Closed: Kubernetes, Why: "RBAC: volumes are in no namespace, and nobody's there"},
	)
}

// forgedRecords are the ways by which a claim is said to have its volume by another class, or under another key.
func forgedRecords() []Variant {
	const recorded = `annotations: {terroir.dev/storage-class: "u:0"}`
	on := func(kind, key string, value any) change {
		return change{apiVersion: "v1", kind: "PersistentVolumeClaim", namespace: "$namespace", name: "$name", path: []string{"metadata", kind, key}, value: value}
	}
	const classless = `storageClassName: none`
	set := scene(governed, given(claimOf("$name", "", classless)))
	var all []Variant
	add := func(words string, variants []Variant) {
		for _, v := range variants {
			v.Through += words
			all = append(all, v)
		}
	}
	admin := template{by: namespaceAdmin, set: set, ground: "records", resource: "persistentvolumeclaims"}
	account := template{by: worker, set: set, ground: "records", resource: "persistentvolumeclaims"}
	for _, c := range []change{on("annotations", v1alpha1.ClassAnnotation, "u:0"), on("labels", v1alpha1.KeyLabel, "kek"), on("labels", v1alpha1.BindingLabel, "NodeEnvelope")} {
		add(": "+c.path[2], admin.everyWay(c, ""))
		add(": "+c.path[2], account.everyWay(c, "status"))
	}
	gone := on("annotations", v1alpha1.ClassAnnotation, nil)
	admin.set, account.set = scene(governed, given(claimOf("$name", recorded, classless))), scene(governed, given(claimOf("$name", recorded, classless)))
	add(": without "+v1alpha1.ClassAnnotation, admin.everyWay(gone, ""))
	add(": without "+v1alpha1.ClassAnnotation, account.everyWay(gone, "status"))
	creates := func(meta string) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			err := s.create(ctx, s.actor(), claimOf("$name", meta, classless))
			return err == nil, err
		}
	}
	return append(all,
		Variant{By: namespaceEditor, Through: "create of persistentvolumeclaims with a class's record", Ground: "records", Set: governed, Try: creates(recorded)},
		Variant{By: namespaceEditor, Through: "create of persistentvolumeclaims with a key's label", Ground: "records", Set: governed, Try: creates(`labels: {terroir.dev/encryption-key: kek}`)},
		Variant{By: namespaceEditor, Through: "create of persistentvolumeclaims with a class's record, where encryption is owed", Ground: "encrypted", Set: encrypted, Try: creates(recorded)},
		Variant{By: namespaceEditor, Through: "create of statefulsets whose claims have a class's record", Set: governed, Try: templateRecorded},
	)
}

// templateRecorded creates a StatefulSet, and looks whether its controller makes the claim.
func templateRecorded(ctx context.Context, s *stage) (effect, error) {
	claims := `, volumeClaimTemplates: [{metadata: {name: data, annotations: {terroir.dev/storage-class: "u:0"}}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]`
	err := s.create(ctx, s.actor(), `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: tried, namespace: $namespace}
spec: {`+selected+`, template: {metadata: {labels: {app: tried}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}}`+claims+`}
`)
	if err != nil {
		return nothing, err
	}
	return patient(ctx, func() (bool, effect, error) {
		found, err := s.exists(ctx, &corev1.PersistentVolumeClaim{}, s.namespace(), "data-tried-0")
		if err != nil || found {
			return found, effect(found), err
		}
		refusal := s.failedCreate(ctx)
		return refusal != nil, nothing, refusal
	})
}

// What the observer of zone par says of the stage's key. It found it destroyed.
const sighting = `
apiVersion: terroir.dev/v1alpha1
kind: KeyObservation
metadata: {name: $name.par}
spec: {key: $name, keyUID: x, store: $name, observer: par, outcome: Destroyed, since: "2026-01-01T00:00:00Z"}
`

// told creates an object, which happens if it is admitted.
func told(text string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		err := s.create(ctx, s.actor(), text)
		return err == nil, err
	}
}

func forgedSightings() []Variant {
	found := change{apiVersion: "terroir.dev/v1alpha1", kind: "KeyObservation", name: "$name.par", path: []string{"spec", "outcome"}, value: "Found"}
	const ofManager = `
apiVersion: terroir.dev/v1alpha1
kind: KeyObservation
metadata: {name: $name.manager}
spec: {key: $name, keyUID: x, store: $name, observer: manager, outcome: Found, since: "2026-01-01T00:00:00Z"}
`
	var all []Variant
	for _, by := range []who{otherAgent, managersAgent, platformEditor} {
		all = append(all, template{by: by, set: given(sighting), resource: "keyobservations"}.everyWay(found, "")...)
		all = append(all,
			Variant{By: by, Through: "create of keyobservations of another observer", Try: told(sighting)},
			Variant{By: by, Through: "delete of keyobservations of another observer", Set: given(sighting), Try: func(ctx context.Context, s *stage) (effect, error) {
				o := &v1alpha1.KeyObservation{ObjectMeta: metav1.ObjectMeta{Name: s.name() + ".par"}}
				refusal := s.actor().Delete(ctx, o)
				is, err := s.exists(ctx, o, "", o.Name)
				return effect(!is), errors.Join(err, refusal)
			}},
		)
	}
	return append(all,
		Variant{By: otherAgent, Through: "create of keyobservations of the manager", Try: told(ofManager)},
		Variant{By: agentNamedManager, Through: "create of keyobservations of the manager", Try: told(ofManager)},
		Variant{By: namespaceAdmin, Through: "create of keyobservations", Set: free, Try: told(sighting), Closed: Kubernetes, Why: "RBAC: what is known of keys is in no namespace"},
	)
}

// held is the Lease by which the observer of zone par says that what it told of the stage's store still holds.
const held = `
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: keys.$name.par, namespace: terroir-system, labels: {terroir.dev/key-store: $name, terroir.dev/observer: par}}
spec: {holderIdentity: par, renewTime: "2026-01-01T00:00:00.000000Z"}
`

func forgedLeases() []Variant {
	renewed := change{
		apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace: v1alpha1.SystemNamespace, name: "keys.$name.par",
		path: []string{"spec", "renewTime"}, value: "2099-01-01T00:00:00.000000Z",
	}
	var all []Variant
	for _, by := range []who{otherAgent, platformEditor} {
		all = append(all, template{by: by, set: given(held), resource: "leases"}.everyWay(renewed, "")...)
		all = append(all, Variant{By: by, Through: "create of leases of another observer", Try: told(held)})
	}
	return append(all, Variant{By: otherAgent, Through: "delete of leases of another observer", Set: given(held), Try: func(ctx context.Context, s *stage) (effect, error) {
		l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: s.fill("keys.$name.par")}}
		refusal := s.actor().Delete(ctx, l)
		is, err := s.exists(ctx, l, l.Namespace, l.Name)
		return effect(!is), errors.Join(err, refusal)
	}})
}

const (
	ownToken = `
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: $name}
spec: {type: PKCS11, pkcs11: {module: /lib/doors.so, tokenLabel: doors}, credentialsSecretRef: {name: doors-pin}}
`
	zonesToken = `
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: $name}
spec: {type: PKCS11, pkcs11: {module: /lib/doors.so, tokenLabel: doors}, credentialsSecretRef: {name: doors-pin}, probe: {from: Agent}}
`
	ownKey = `
apiVersion: terroir.dev/v1alpha1
kind: EncryptionKey
metadata: {name: $name}
spec: {store: doors-none, ref: {pkcs11: {label: doors}}}
`
)

// forgedVerdicts are what only Terroir says of stores and keys, and the latch that keeps a wrong PIN from being tried again.
func forgedVerdicts() []Variant {
	status := func(kind string, path []string, value any) change {
		return change{apiVersion: "terroir.dev/v1alpha1", kind: kind, name: "$name", path: append([]string{"status"}, path...), value: value}
	}
	latch := status("KeyStore", []string{"login"}, map[string]any{"secretUID": "x", "secretVersion": "1", "state": "Succeeded", "succeeded": true, "observer": "par", "at": "2026-01-01T00:00:00Z"})
	verified := status("KeyStore", []string{"verified"}, int64(9))
	phase := status("EncryptionKey", []string{"phase"}, "Verified")
	var all []Variant
	add := func(words string, variants []Variant) {
		for _, v := range variants {
			v.Through += words
			all = append(all, v)
		}
	}
	add(": the latch", template{by: platformEditor, set: given(ownToken), resource: "keystores"}.everyWay(latch, "status"))
	add(": how many keys are verified", template{by: platformEditor, set: given(ownToken), resource: "keystores"}.everyWay(verified, "status"))
	add(": how many keys are verified", template{by: otherAgent, set: given(ownToken), resource: "keystores"}.everyWay(verified, "status"))
	add(": the phase", template{by: platformEditor, set: given(ownKey), resource: "encryptionkeys"}.everyWay(phase, "status"))
	add(": the phase", template{by: otherAgent, set: given(ownKey), resource: "encryptionkeys"}.everyWay(phase, "status"))
	add(": the latch of a store that the manager asks", template{by: otherAgent, set: given(ownToken), resource: "keystores"}.everyWay(latch, "status"))
	add(": the latch of a store that zones ask", template{by: managersAgent, set: given(zonesToken), resource: "keystores"}.everyWay(latch, "status"))
	open := template{by: otherAgent, set: given(zonesToken), resource: "keystores", closed: StillOpen}.everyWay(latch, "status")
	for i := range open {
		open[i].Why = "a store that zones ask is every zone's to ask, and its latch theirs to write; a PIN that is right is not spent by it"
	}
	add(": the latch of a store that zones ask", open)
	return all
}
