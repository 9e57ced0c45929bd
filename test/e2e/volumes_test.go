package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

const selectedNode = "volume.kubernetes.io/selected-node"

// act is one way to do what a door lets through.
type act struct {
	name string
	do   func(ctx context.Context, c client.Client) error
}

// tenant administers namespaces, and storage editor writes volumes, classes and attachments, and the status of claims: the weakest who could try.
func (w *world) tenant(t *testing.T, namespaces ...string) *world {
	t.Helper()
	for _, n := range namespaces {
		w.create(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: tenant, namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: tenant}]
`, n))
	}
	return w.as(t, "tenant")
}

func (w *world) storageEditor(t *testing.T) *world {
	t.Helper()
	w.create(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: storage-editor}
rules:
- {apiGroups: [""], resources: [persistentvolumes, persistentvolumes/status, persistentvolumeclaims/status], verbs: [get, list, watch, create, update, patch, delete]}
- {apiGroups: [storage.k8s.io], resources: [storageclasses, volumeattachments, volumeattachments/status], verbs: [get, list, watch, create, update, patch, delete, deletecollection]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: storage-editor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: storage-editor}
subjects: [{kind: ServiceAccount, name: editor, namespace: storage}]
`)
	return w.as(t, "system:serviceaccount:storage:editor", "system:serviceaccounts", "system:serviceaccounts:storage")
}

func merge(o client.Object, json string, sub ...string) func(context.Context, client.Client) error {
	return raw(o, types.MergePatchType, json, sub...)
}

// raw patches an object, or one of its subresources.
func raw(o client.Object, how types.PatchType, json string, sub ...string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		target := o.DeepCopyObject().(client.Object)
		patch := client.RawPatch(how, []byte(json))
		var options []client.PatchOption
		var subOptions []client.SubResourcePatchOption
		if how == types.ApplyPatchType {
			options = []client.PatchOption{client.ForceOwnership, client.FieldOwner("test")}
			subOptions = []client.SubResourcePatchOption{client.ForceOwnership, client.FieldOwner("test")}
		}
		if len(sub) > 0 {
			return c.SubResource(sub[0]).Patch(ctx, target, patch, subOptions...)
		}
		return c.Patch(ctx, target, patch, options...)
	}
}

// change reads an object, changes it, and replaces it; again if somebody else was faster.
func change[O client.Object](o O, with func(O)) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			if err := c.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			with(o)
			return c.Update(ctx, o)
		})
	}
}

func claimNamed(namespace, name string) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{}
	c.Namespace, c.Name = namespace, name
	return c
}

func claim(namespace, name, class, annotations string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %s, namespace: %s, annotations: {%s}}
spec: {accessModes: [ReadWriteOnce], storageClassName: "%s", resources: {requests: {storage: 1Gi}}}
`, name, namespace, annotations, class)
}

const lazyClass = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: lazy}
provisioner: bsu.csi.outscale.com
volumeBindingMode: WaitForFirstConsumer
allowedTopologies: [{matchLabelExpressions: [{key: topology.kubernetes.io/zone, values: [gouv-west-1a]}]}]
`

func TestWhereAVolumeIsMadeIsTheSchedulersChoice(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "claims")
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: free-claims}}`)
	w.create(t, lazyClass)
	tenant, editor := w.tenant(t, "claims", "free-claims"), w.storageEditor(t)
	annotated := fmt.Sprintf(`{"metadata":{"annotations":{%q:"abroad"}}}`, selectedNode)
	acts := func(namespace string) (byTenant, byEditor []act) {
		plain := claimNamed(namespace, "plain")
		escaped := strings.ReplaceAll(selectedNode, "/", "~1")
		byTenant = []act{
			{"create", func(ctx context.Context, c client.Client) error {
				return c.Create(ctx, terroir.MustObjects(t, claim(namespace, "chosen", "lazy", selectedNode+": abroad"))[0])
			}},
			{"create by server-side apply", raw(claimNamed(namespace, "applied"), types.ApplyPatchType, fmt.Sprintf(
				`{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"applied","annotations":{%q:"abroad"}},"spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"lazy","resources":{"requests":{"storage":"1Gi"}}}}`, selectedNode))},
			{"merge patch", merge(plain, annotated)},
			{"strategic merge patch", raw(plain, types.StrategicMergePatchType, annotated)},
			{"JSON patch", raw(plain, types.JSONPatchType, fmt.Sprintf(`[{"op":"add","path":"/metadata/annotations","value":{%q:"abroad"}}]`, selectedNode))},
			{"JSON patch of another value", raw(plain, types.JSONPatchType, fmt.Sprintf(`[{"op":"add","path":"/metadata/annotations","value":{}},{"op":"add","path":"/metadata/annotations/%s","value":"abroad-1"}]`, escaped))},
			{"server-side apply", raw(plain, types.ApplyPatchType, `{"apiVersion":"v1","kind":"PersistentVolumeClaim",`+strings.Replace(annotated[1:], `{"annotations"`, `{"name":"plain","annotations"`, 1))},
			{"update", change(claimNamed(namespace, "plain"), func(c *corev1.PersistentVolumeClaim) { c.Annotations = map[string]string{selectedNode: "abroad-2"} })},
		}
		byEditor = []act{
			{"merge patch of the status", merge(plain, strings.ReplaceAll(annotated, "abroad", "abroad-3"), "status")},
			{"server-side apply of the status", raw(plain, types.ApplyPatchType, `{"apiVersion":"v1","kind":"PersistentVolumeClaim",`+strings.NewReplacer("abroad", "abroad-4", `{"annotations"`, `{"name":"plain","annotations"`).Replace(annotated[1:]), "status")},
		}
		return byTenant, byEditor
	}
	for _, namespace := range []string{"free-claims", "claims"} {
		w.create(t, claim(namespace, "plain", "lazy", ""))
		byTenant, byEditor := acts(namespace)
		try := func(who *world, all []act) {
			for _, a := range all {
				err := a.do(t.Context(), who.Client)
				if namespace == "claims" {
					t.Run(a.name, func(t *testing.T) {
						terroir.Denied(t, err, "selected-node", "only system:kube-scheduler may choose that")
					})
				} else if err != nil {
					t.Errorf("where nothing is governed, %s is refused: %v", a.name, err)
				}
			}
		}
		try(tenant, byTenant)
		try(editor, byEditor)
	}
	// What comes of it: the volume controller asks the provisioner for a volume, though there is no pod.
	w.claimHas(t, "free-claims", "chosen", "volume.kubernetes.io/storage-provisioner", "bsu.csi.outscale.com")
	if err := merge(claimNamed("free-claims", "chosen"), fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, selectedNode))(t.Context(), tenant.Client); err != nil {
		t.Errorf("taking the annotation off: %v", err)
	}

	t.Run("the templates of a StatefulSet and of an ephemeral volume do not get it in either", func(t *testing.T) {
		tenant.create(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: set, namespace: claims}
spec:
  replicas: 1
  selector: {matchLabels: {app: set}}
  template: {metadata: {labels: {app: set}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}}
  volumeClaimTemplates: [{metadata: {name: data, annotations: {%[1]s: abroad}}, spec: {accessModes: [ReadWriteOnce], storageClassName: lazy, resources: {requests: {storage: 1Gi}}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: fleeting, namespace: claims}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: x}]
  volumes: [{name: data, ephemeral: {volumeClaimTemplate: {metadata: {annotations: {%[1]s: abroad}}, spec: {accessModes: [ReadWriteOnce], storageClassName: lazy, resources: {requests: {storage: 1Gi}}}}}}]
`, selectedNode))
		for _, object := range []string{"set", "fleeting"} {
			eventually(t, "the controller is refused the claim of "+object, func() error {
				var events corev1.EventList
				if err := w.List(t.Context(), &events, client.InNamespace("claims")); err != nil {
					return err
				}
				for _, e := range events.Items {
					if e.InvolvedObject.Name == object && strings.Contains(e.Message, "only system:kube-scheduler may choose that") {
						return nil
					}
				}
				return fmt.Errorf("of %d events none says so", len(events.Items))
			})
		}
	})
	t.Run("the scheduler chooses, and whoever likes takes its choice off", func(t *testing.T) {
		tenant.create(t, pod("claims", "user", "volumes: [{name: v, persistentVolumeClaim: {claimName: plain}}]"))
		w.claimHas(t, "claims", "plain", "volume.kubernetes.io/storage-provisioner", "bsu.csi.outscale.com")
		chosen := claimNamed("claims", "plain")
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(chosen), chosen); err != nil || !strings.HasPrefix(chosen.Annotations[selectedNode], "na") {
			t.Errorf("the scheduler chose %q (%v)", chosen.Annotations[selectedNode], err)
		}
		if err := merge(chosen, fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, selectedNode))(t.Context(), tenant.Client); err != nil {
			t.Errorf("taking it off: %v", err)
		}
	})
}

// claimHas waits until a claim has an annotation.
func (w *world) claimHas(t *testing.T, namespace, name, key, value string) {
	t.Helper()
	eventually(t, fmt.Sprintf("claim %s/%s has %s=%s", namespace, name, key, value), func() error {
		c := claimNamed(namespace, name)
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if c.Annotations[key] != value {
			return fmt.Errorf("its annotations are %v", c.Annotations)
		}
		return nil
	})
}

// boundVolume creates a volume of a CSI driver and a claim, already bound to each other as far as they say, and waits until they are.
func (w *world) boundVolume(t *testing.T, namespace, name, metadata, spec string) {
	t.Helper()
	w.create(t, fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: %[2]s, %[3]s}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  claimRef: {namespace: %[1]s, name: %[2]s}
  %[4]s
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %[2]s, namespace: %[1]s}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", volumeName: %[2]s, resources: {requests: {storage: 1Gi}}}
`, namespace, name, metadata, spec))
	eventually(t, "claim "+name+" is bound", func() error {
		c := claimNamed(namespace, name)
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if c.Status.Phase != corev1.ClaimBound {
			return fmt.Errorf("it is %s", c.Status.Phase)
		}
		return nil
	})
}

const inZone = `nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [%s]}]}]}}`

func csiVolume(handle string) string {
	return fmt.Sprintf("csi: {driver: bsu.csi.outscale.com, volumeHandle: %s}", handle)
}

func volumeNamed(name string) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{}
	v.Name = name
	return v
}

func TestAVolumeOfAGovernedClaimStaysWhatAndWhereItIs(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "volumes")
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: free-volumes}}`)
	editor := w.storageEditor(t)
	zoned := `labels: {topology.kubernetes.io/zone: gouv-west-1a}`
	for _, namespace := range []string{"free-volumes", "volumes"} {
		w.boundVolume(t, namespace, namespace, zoned, csiVolume(namespace))
		w.marked(t, volumeNamed(namespace), namespace == "volumes")
		v := volumeNamed(namespace)
		affinity := `{"nodeAffinity":{"required":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"topology.kubernetes.io/zone","operator":"In","values":["abroad-1a"]}]}]}}}`
		header := fmt.Sprintf(`{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":%q`, namespace)
		acts := []act{
			{"zone label by merge patch", merge(v, `{"metadata":{"labels":{"topology.kubernetes.io/zone":"abroad-1a"}}}`)},
			{"zone label through the status", merge(v, `{"metadata":{"labels":{"topology.kubernetes.io/zone":"abroad-1b"}}}`, "status")},
			{"beta zone label added", merge(v, `{"metadata":{"labels":{"failure-domain.beta.kubernetes.io/zone":"abroad-1a"}}}`)},
			{"region label by server-side apply", raw(v, types.ApplyPatchType, header+`,"labels":{"topology.kubernetes.io/region":"abroad-1"}}}`)},
			{"region label by server-side apply of the status", raw(v, types.ApplyPatchType, header+`,"labels":{"topology.kubernetes.io/region":"abroad-2"}}}`, "status")},
			{"zone label removed", merge(v, `{"metadata":{"labels":{"topology.kubernetes.io/zone":null}}}`)},
			{"all labels removed by JSON patch", raw(v, types.JSONPatchType, `[{"op":"remove","path":"/metadata/labels"}]`)},
			{"late affinity by merge patch", merge(v, `{"spec":`+affinity+`}`)},
			{"claim of another UID", merge(v, `{"spec":{"claimRef":{"uid":"00000000-0000-0000-0000-000000000000"}}}`)},
			{"claim of another namespace", merge(v, `{"spec":{"claimRef":{"namespace":"default","name":"mine","uid":null}}}`)},
			{"claim by update", change(volumeNamed(namespace), func(v *corev1.PersistentVolume) {
				v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "default", Name: "other"}
			})},
			{"claim removed", merge(v, `{"spec":{"claimRef":null}}`)},
		}
		if namespace == "volumes" {
			acts = append(acts,
				act{"mark falsified", merge(v, `{"metadata":{"labels":{"terroir.dev/governed":"false"}}}`)},
				act{"mark removed through the status", merge(v, `{"metadata":{"labels":{"terroir.dev/governed":null}}}`, "status")},
				act{"late affinity by server-side apply", raw(v, types.ApplyPatchType, header+`},"spec":`+affinity+`}`)},
			)
		}
		for _, a := range acts {
			err := a.do(t.Context(), editor.Client)
			if namespace == "volumes" {
				t.Run(a.name, func(t *testing.T) {
					terroir.Denied(t, err, "PersistentVolume volumes holds data of a governed namespace")
				})
			} else if err != nil {
				t.Errorf("where nothing is governed, %s is refused: %v", a.name, err)
			}
		}
		t.Run("the source of "+namespace+" is fixed by Kubernetes", func(t *testing.T) {
			err := merge(v, `{"spec":{"csi":{"volumeHandle":"other"}}}`)(t.Context(), editor.Client)
			terroir.Denied(t, err, "spec.persistentvolumesource is immutable")
		})
	}
	v := volumeNamed("volumes")
	for _, a := range []act{
		{"reclaim policy", merge(v, `{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`)},
		{"capacity", merge(v, `{"spec":{"capacity":{"storage":"2Gi"}}}`)},
		{"annotations, finalizers and foreign labels", merge(v, `{"metadata":{"annotations":{"a":"b"},"labels":{"a":"b"},"finalizers":["kubernetes.io/pv-protection","external-attacher/x"]}}`)},
		{"and back", merge(v, `{"spec":{"persistentVolumeReclaimPolicy":"Retain"},"metadata":{"finalizers":["kubernetes.io/pv-protection"]}}`)},
	} {
		if err := a.do(t.Context(), editor.Client); err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
	}
	t.Run("the volume controller releases it, and it stays marked: what was written is still on it", func(t *testing.T) {
		w.remove(t, claimNamed("volumes", "volumes"))
		eventually(t, "the volume is released", func() error {
			err := w.Get(t.Context(), client.ObjectKeyFromObject(v), v)
			if err == nil && v.Status.Phase != corev1.VolumeReleased {
				return fmt.Errorf("it is %s", v.Status.Phase)
			}
			return err
		})
		w.marked(t, v, true)
		terroir.Denied(t, merge(v, `{"spec":{"claimRef":null}}`)(t.Context(), editor.Client), "holds data of a governed namespace")
		if err := merge(v, `{"spec":{"claimRef":null}}`)(t.Context(), w.Client); err != nil {
			t.Errorf("whoever maintains Terroir may give it to somebody else: %v", err)
		}
	})
}

// marked waits until Terroir has marked an object, or has not.
func (w *world) marked(t *testing.T, o client.Object, want bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s is marked: %v", o.GetName(), want), func() error {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		if is := o.GetLabels()[v1alpha1.GovernedLabel] == "true"; is != want {
			return fmt.Errorf("its labels are %v", o.GetLabels())
		}
		return nil
	})
}

func TestAClassOfGovernedClaimsGoesOnMakingVolumesWhereItDid(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "classes")
	editor := w.storageEditor(t)
	w.create(t, lazyClass)
	lazy := &storagev1.StorageClass{}
	lazy.Name = "lazy"
	moved := `{"allowedTopologies":[{"matchLabelExpressions":[{"key":"topology.kubernetes.io/zone","values":["abroad-1a"]}]}]}`
	back := `{"allowedTopologies":[{"matchLabelExpressions":[{"key":"topology.kubernetes.io/zone","values":["gouv-west-1a"]}]}]}`
	for _, patch := range []string{moved, back} {
		if err := merge(lazy, patch)(t.Context(), editor.Client); err != nil {
			t.Fatalf("where nothing is governed: %v", err)
		}
	}
	t.Run("kept while a governed claim names it", func(t *testing.T) {
		w.create(t, claim("classes", "data", "lazy", ""))
		w.marked(t, lazy, true)
		for _, a := range []act{
			{"merge patch", merge(lazy, moved)},
			{"topologies removed", merge(lazy, `{"allowedTopologies":null}`)},
			{"server-side apply", raw(lazy, types.ApplyPatchType, `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"lazy"},"provisioner":"bsu.csi.outscale.com",`+moved[1:])},
			{"update", change(&storagev1.StorageClass{ObjectMeta: lazy.ObjectMeta}, func(c *storagev1.StorageClass) { c.AllowedTopologies = nil })},
			{"mark removed", merge(lazy, `{"metadata":{"labels":null}}`)},
			{"delete", func(ctx context.Context, c client.Client) error { return c.Delete(ctx, lazy.DeepCopy()) }},
			{"delete the collection", func(ctx context.Context, c client.Client) error {
				return c.DeleteAllOf(ctx, &storagev1.StorageClass{}, client.MatchingLabels{v1alpha1.GovernedLabel: "true"})
			}},
		} {
			t.Run(a.name, func(t *testing.T) {
				terroir.Denied(t, a.do(t.Context(), editor.Client), "claims of governed namespaces get their volumes by StorageClass lazy")
			})
		}
		if err := merge(lazy, `{"metadata":{"annotations":{"storageclass.kubernetes.io/is-default-class":"false"}},"allowVolumeExpansion":true}`)(t.Context(), editor.Client); err != nil {
			t.Errorf("what is not about place: %v", err)
		}
	})
	w.marked(t, lazy, false) // the claim is gone
	if err := editor.Delete(t.Context(), lazy); err != nil {
		t.Errorf("nobody needs it any more: %v", err)
	}
}

func TestVolumesAreAttachedByTheirControllerAlone(t *testing.T) {
	w := shared
	w.ground(t)
	editor := w.storageEditor(t)
	attachment := func(name, source string) string {
		return fmt.Sprintf(`{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: %s}, spec: {attacher: bsu.csi.outscale.com, nodeName: abroad, source: %s}}`, name, source)
	}
	const inline = `{inlineVolumeSpec: {accessModes: [ReadWriteOnce], csi: {driver: bsu.csi.outscale.com, volumeHandle: x}}}`
	applied := &storagev1.VolumeAttachment{}
	applied.Name = "applied"
	for _, a := range []act{
		{"create", func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, terroir.MustObjects(t, attachment("by-name", "{persistentVolumeName: x}"))[0])
		}},
		{"create with the volume inline", func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, terroir.MustObjects(t, attachment("inline", inline))[0])
		}},
		{"server-side apply", raw(applied, types.ApplyPatchType,
			`{"apiVersion":"storage.k8s.io/v1","kind":"VolumeAttachment","metadata":{"name":"applied"},"spec":{"attacher":"bsu.csi.outscale.com","nodeName":"abroad","source":{"persistentVolumeName":"x"}}}`)},
	} {
		t.Run(a.name, func(t *testing.T) {
			terroir.Denied(t, a.do(t.Context(), editor.Client), `would attach a volume to node "abroad"`, "attach-detach controller alone")
		})
	}
	controller := w.as(t, "system:serviceaccount:kube-system:attachdetach-controller", "system:serviceaccounts", "system:serviceaccounts:kube-system")
	controller.create(t, attachment("made", "{persistentVolumeName: x}"))
	made := &storagev1.VolumeAttachment{}
	made.Name = "made"
	t.Run("its spec is fixed by Kubernetes, through the status too", func(t *testing.T) {
		err := merge(made, `{"spec":{"nodeName":"na1"}}`)(t.Context(), editor.Client)
		if !apierrors.IsInvalid(err) {
			t.Errorf("changing the node: %v", err)
		}
		if err := merge(made, `{"spec":{"nodeName":"na1"}}`, "status")(t.Context(), editor.Client); err != nil {
			t.Errorf("the status: %v", err)
		}
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(made), made); err != nil || made.Spec.NodeName != "abroad" {
			t.Errorf("it is attached to %s (%v)", made.Spec.NodeName, err)
		}
	})
	for _, a := range []act{
		{"status", merge(made, `{"status":{"attached":true}}`, "status")},
		{"annotations and finalizers", merge(made, `{"metadata":{"annotations":{"csi.alpha.kubernetes.io/node-id":"x"},"finalizers":["external-attacher/x"]}}`)},
		{"and back", merge(made, `{"metadata":{"finalizers":null}}`)},
	} {
		if err := a.do(t.Context(), editor.Client); err != nil {
			t.Errorf("what CSI attachers write: %s: %v", a.name, err)
		}
	}
}
