package doors

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// storageDoors are the doors by which data, and not the pod, reaches unqualified ground.
func storageDoors() []Door {
	return []Door{
		{Number: 30, Name: "selected-node of a PVC, also of a clone", ClosedBy: "fence: only the scheduler", Variants: selectedNodes()},
		{Number: 31, Name: "a StorageClass edited or made anew", ClosedBy: "fence", Variants: append(classes(), otherClasses()...)},
		{Number: 32, Name: "PVs without affinity, with a late one, prebound", ClosedBy: "volume audit; fence: proofs by Terroir alone", Variants: append(volumes(), forgedProofs()...)},
		{Number: 33, Name: "a governed volume mounted or cloned elsewhere", ClosedBy: "lineage; volume audit; fence: records by Terroir alone", Variants: append(lineage(), forgedRecords()...)},
		{Number: 34, Name: "a VolumeAttachment to another node", ClosedBy: "fence: only the attach-detach controller", Variants: attachments()},
	}
}

const selectedNode = "volume.kubernetes.io/selected-node"

// claimOf is a claim of the stage's namespace that nothing provisions.
func claimOf(name, meta, spec string) string {
	return `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: ` + name + `, namespace: $namespace` + also(meta) + `}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}` + also(spec) + `}
`
}

// lateClass is a class of the stage's own that waits for the first consumer.
const lateClass = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: $name}
provisioner: doors.example.com/provisioner
volumeBindingMode: WaitForFirstConsumer
allowedTopologies: [{matchLabelExpressions: [{key: topology.kubernetes.io/zone, values: [gouv-west-1a]}]}]
`

func selectedNodes() []Variant {
	class := `storageClassName: $name`
	created := func(text string) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			err := s.create(ctx, s.actor(), text)
			return err == nil, err
		}
	}
	abroadSelected := `annotations: {volume.kubernetes.io/selected-node: abroad}`
	c := change{
		apiVersion: "v1", kind: "PersistentVolumeClaim", namespace: "$namespace", name: "$name",
		path: []string{"metadata", "annotations", selectedNode}, value: abroad,
	}
	set := scene(governed, given(lateClass), given(claimOf("$name", "", class)))
	all := template{by: namespaceEditor, set: set, ground: shared, resource: "persistentvolumeclaims"}.everyWay(c, "")
	all = append(all, template{by: worker, set: set, ground: shared, resource: "persistentvolumeclaims"}.everyWay(c, "status")...)
	source := claimOf("$name", "", class)
	return append(all,
		Variant{By: namespaceEditor, Through: "create of persistentvolumeclaims", Ground: shared, Set: scene(governed, given(lateClass)), Try: created(claimOf("$name", abroadSelected, class))},
		Variant{By: namespaceEditor, Through: "create of persistentvolumeclaims that clone", Ground: shared, Set: scene(governed, given(lateClass), given(source)), Try: created(claimOf("$name-clone", abroadSelected, class+`, dataSource: {kind: PersistentVolumeClaim, name: $name}`))},
	)
}

func classes() []Variant {
	abroadOnly := []any{map[string]any{"matchLabelExpressions": []any{map[string]any{"key": "topology.kubernetes.io/zone", "values": []any{"abroad-1a"}}}}}
	topologies := change{apiVersion: "storage.k8s.io/v1", kind: "StorageClass", name: "$name", path: []string{"allowedTopologies"}, value: abroadOnly}
	set := scene(governed, given(lateClass), given(claimOf("$name", "", "storageClassName: $name")), kept("storage.k8s.io/v1", "StorageClass"))
	all := template{by: storageEditor, set: set, ground: shared, resource: "storageclasses"}.everyWay(topologies, "")
	return append(all, Variant{By: storageEditor, Through: "delete and create of storageclasses", Ground: shared, Set: set, Try: func(ctx context.Context, s *stage) (effect, error) {
		if err := s.actor().Delete(ctx, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: s.name()}}); err != nil {
			return nothing, err
		}
		err := s.create(ctx, s.actor(), `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: $name}, provisioner: doors.example.com/other}`)
		return err == nil, err
	}})
}

// volumeOf is a volume for the claim data of the stage's namespace.
func volumeOf(meta, spec string) string {
	return `
apiVersion: v1
kind: PersistentVolume
metadata: {name: $name` + also(meta) + `}
spec:
  {accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, persistentVolumeReclaimPolicy: Retain, csi: {driver: bsu.csi.outscale.com, volumeHandle: $name}` + also(spec) + `}
`
}

const (
	onlyAbroad = `nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [abroad-1a]}]}]}}`
	onlyHome   = `nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [gouv-west-1a]}]}]}}`
	forData    = `claimRef: {namespace: $namespace, name: data}`
	noClass    = `storageClassName: ""`
	ownClass   = `storageClassName: $name`
)

// vouching are two nodes in one place, of which one says that it is in a qualified zone.
const vouching = `
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node, topology.kubernetes.io/zone: $name}}
spec: {providerID: "aws:///gouv-west-1a/i-$node", ` + apart + `}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: $node}
spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}
---
apiVersion: v1
kind: Node
metadata: {name: $node-abroad, labels: {kubernetes.io/hostname: $node-abroad, topology.kubernetes.io/zone: $name}}
spec: {providerID: "aws:///abroad-1a/i-$node", ` + apart + `}
`

// bindsData creates something, and happens if the claim data gets bound.
func bindsData(text string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		if err := s.create(ctx, s.actor(), text); err != nil {
			return nothing, err
		}
		return s.dataBound(ctx)
	}
}

func (s *stage) dataBound(ctx context.Context) (effect, error) {
	return patient(ctx, func() (bool, effect, error) {
		var c corev1.PersistentVolumeClaim
		if err := s.admin.Get(ctx, client.ObjectKey{Namespace: s.namespace(), Name: "data"}, &c); err != nil {
			return false, nothing, err
		}
		return c.Status.Phase == corev1.ClaimBound, happened, nil
	})
}

func volumes() []Variant {
	waits := scene(ownPolicy, given(claimOf("data", "", noClass)))
	all := []Variant{
		{By: storageEditor, Through: "create of persistentvolumes prebound, with affinity abroad", Closed: Noticed, Noticed: saysOfVolume, Set: waits, Try: bindsData(volumeOf("", forData+", "+onlyAbroad))},
		{By: storageEditor, Through: "create of persistentvolumes prebound, without affinity", Closed: Noticed, Noticed: saysOfVolume, Set: waits, Try: bindsData(volumeOf("", forData))},
		{By: storageEditor, Through: "create of persistentvolumes prebound, with a zone label alone", Closed: Noticed, Noticed: saysOfVolume, Set: waits, Try: bindsData(volumeOf(`labels: {topology.kubernetes.io/zone: abroad-1a}`, forData))},
		{By: namespaceEditor, Through: "create of persistentvolumeclaims with a volumeName", Closed: Noticed, Noticed: saysOfVolume, Set: scene(ownPolicy, given(volumeOf("", ownClass+", "+onlyAbroad))), Try: bindsData(claimOf("data", "", ownClass+", volumeName: $name"))},
		{By: namespaceEditor, Through: "create of persistentvolumeclaims of a class without provisioner", Closed: Noticed, Noticed: saysOfVolume, Set: scene(ownPolicy, given(volumeOf("", ownClass+", "+onlyAbroad))), Try: bindsData(claimOf("data", "", ownClass))},
	}
	all = append(all, Variant{
		By: storageEditor, Through: "create of persistentvolumes prebound, where one of the kubelets claims a good zone", Closed: Noticed, Noticed: saysOfVolume,
		Set: scene(given(vouching), waits), Try: bindsData(volumeOf("", forData+", "+strings.Replace(onlyAbroad, "abroad-1a", "$name", 1))),
	})
	affinity := map[string]any{"required": map[string]any{"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{
		map[string]any{"key": "topology.kubernetes.io/zone", "operator": "In", "values": []any{"abroad-1a"}},
	}}}}}
	late := change{apiVersion: "v1", kind: "PersistentVolume", name: "$name", path: []string{"spec", "nodeAffinity"}, value: affinity}
	bound := scene(ownPolicy, given(volumeOf("", forData)), given(claimOf("data", "", noClass)), func(ctx context.Context, s *stage) error {
		_, err := s.dataBound(ctx)
		return err
	}, kept("v1", "PersistentVolume"))
	t := template{by: storageEditor, set: bound, resource: "persistentvolumes"}
	for _, v := range t.through(late, mergePatch, put, apply) {
		v.Through += ": a late affinity"
		all = append(all, v)
	}
	return all
}

// saysOfVolume is noticed when the stage's own policy says that a volume lies elsewhere, or that nobody knows where.
func saysOfVolume(ctx context.Context, s *stage) error {
	return s.incompliant(ctx, "VolumeNotQualified", "VolumePlaceUnknown")
}

// shares is noticed when the stage's own policy says that somebody elsewhere has the same data.
func shares(ctx context.Context, s *stage) error { return s.incompliant(ctx, "ClaimShared") }

// strays is noticed when the level says that a volume of the stage's namespace is reached from where it is not satisfied.
func strays(ctx context.Context, s *stage) error {
	u := change{apiVersion: "terroir.dev/v1alpha1", kind: "TrustLevel", name: level}.object()
	if err := s.admin.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
		return err
	}
	straying, _, _ := unstructured.NestedFieldNoCopy(u.Object, "status", "straying")
	if !strings.Contains(fmt.Sprint(straying), s.namespace()) {
		return fmt.Errorf("the trust level says %v", straying)
	}
	return nil
}

// kept waits until Terroir has marked what is named like the stage and holds data of a governed namespace. Without it nothing is.
func kept(apiVersion, kind string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		if s.phase == without {
			return nil
		}
		return eventually(ctx, func() error {
			u := change{apiVersion: apiVersion, kind: kind, name: s.name()}.object()
			if err := s.admin.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
				return err
			}
			if u.GetLabels()[v1alpha1.GovernedLabel] != "true" {
				return fmt.Errorf("%s %s is not marked", kind, s.name())
			}
			return nil
		})
	}
}

func lineage() []Variant {
	mounts := `volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]`
	owner := `
apiVersion: v1
kind: Pod
metadata: {name: owner, namespace: $namespace, annotations: {terroir.dev/trust-level: trusted}}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}], ` + mounts + `}
`
	mounted := scene(free, given(volumeOf("", forData+", "+onlyHome)), given(claimOf("data", "", noClass)), given(owner), func(ctx context.Context, s *stage) error {
		_, err := s.bound(ctx, "owner")
		return err
	}, marked)
	released := scene(governed, given(volumeOf("", forData)), given(claimOf("data", "", noClass)), func(ctx context.Context, s *stage) error {
		_, err := s.dataBound(ctx)
		return err
	}, kept("v1", "PersistentVolume"), func(ctx context.Context, s *stage) error { return s.release(ctx) })
	bound := scene(ownPolicy, given(volumeOf("", forData+", "+onlyHome)), given(claimOf("data", "", noClass)), func(ctx context.Context, s *stage) error {
		_, err := s.dataBound(ctx)
		return err
	}, given(`{apiVersion: v1, kind: Namespace, metadata: {name: $name-elsewhere}}`))
	again := strings.NewReplacer("name: $name", "name: $name-again", "namespace: $namespace", "namespace: $name-elsewhere")
	return []Variant{
		{By: storageEditor, Through: "create of a second persistentvolume of the same data, and of a claim elsewhere", Closed: Noticed, Noticed: shares, Set: bound, Try: func(ctx context.Context, s *stage) (effect, error) {
			if err := s.create(ctx, s.actor(), again.Replace(volumeOf("", forData+", "+onlyHome))+"---"+again.Replace(claimOf("data", "", noClass))); err != nil {
				return nothing, err
			}
			return patient(ctx, func() (bool, effect, error) {
				var c corev1.PersistentVolumeClaim
				if err := s.admin.Get(ctx, client.ObjectKey{Namespace: s.name() + "-elsewhere", Name: "data"}, &c); err != nil {
					return false, nothing, err
				}
				return c.Status.Phase == corev1.ClaimBound, happened, nil
			})
		}},
		{By: namespaceEditor, Through: "create of an ungoverned pod that mounts it", Closed: Noticed, Noticed: strays, Set: mounted, Try: creates(podOf("", toAbroad+", "+mounts))},
		{By: namespaceEditor, Through: "create of an ungoverned claim that clones it", Closed: StillOpen, Why: "where only annotations govern, a claim owes nothing; under a policy for the namespace the audit sees it", Set: mounted, Try: func(ctx context.Context, s *stage) (effect, error) {
			err := s.create(ctx, s.actor(), claimOf("clone", "", `storageClassName: elsewhere, dataSource: {kind: PersistentVolumeClaim, name: data}`))
			return err == nil, err
		}},
		{By: storageEditor, Through: "merge patch of a released persistentvolume's claimRef", Set: released, Try: func(ctx context.Context, s *stage) (effect, error) {
			v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: s.name()}}
			err := s.actor().Patch(ctx, v, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"claimRef":{"namespace":"default","name":"`+s.name()+`","uid":null,"resourceVersion":null}}}`)))
			return err == nil, err
		}},
	}
}

// release deletes the claim data and waits until its volume is released.
func (s *stage) release(ctx context.Context) error {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace(), Name: "data"}}
	if err := s.admin.Delete(ctx, claim); err != nil {
		return err
	}
	return eventually(ctx, func() error {
		var v corev1.PersistentVolume
		if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name()}, &v); err != nil {
			return err
		}
		if v.Status.Phase != corev1.VolumeReleased {
			return fmt.Errorf("the volume is %s", v.Status.Phase)
		}
		return nil
	})
}

func attachments() []Variant {
	attachment := `
apiVersion: storage.k8s.io/v1
kind: VolumeAttachment
metadata: {name: $name}
spec: {attacher: bsu.csi.outscale.com, nodeName: abroad, source: {persistentVolumeName: $name}}
`
	set := scene(governed, given(volumeOf("", forData+", "+onlyHome)), given(claimOf("data", "", noClass)), func(ctx context.Context, s *stage) error {
		_, err := s.dataBound(ctx)
		return err
	})
	there := func(ctx context.Context, s *stage, refusal error) (effect, error) {
		found, err := s.exists(ctx, &storagev1.VolumeAttachment{}, "", s.name())
		return effect(found), errors.Join(err, refusal)
	}
	return []Variant{
		{By: storageEditor, Through: "create of volumeattachments", Set: set, Try: func(ctx context.Context, s *stage) (effect, error) {
			return there(ctx, s, s.create(ctx, s.actor(), attachment))
		}},
		{By: storageEditor, Through: "server-side apply of volumeattachments", Set: set, Try: func(ctx context.Context, s *stage) (effect, error) {
			return there(ctx, s, s.applies(ctx, attachment))
		}},
	}
}
