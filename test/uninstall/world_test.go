package uninstall

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/controllers"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// world is a cluster with three nodes, two of them on qualified ground.
type world struct {
	cluster *cluster.Cluster
	client.Client
	binary string
}

func clientOf(t *testing.T, c *cluster.Cluster) client.Client {
	t.Helper()
	scheme, err := controllers.Scheme(clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme)
	if err != nil {
		t.Fatal(err)
	}
	config := c.Config()
	config.QPS = -1
	made, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// tell is a part of the story; without it the next ones would mean nothing.
func (w *world) tell(t *testing.T, what string, part func(*testing.T)) {
	t.Helper()
	if !t.Run(what, part) {
		t.FailNow()
	}
}

// install installs Terroir: the operator as a process, and beside it the Deployment as which its users run it.
func (w *world) install(t *testing.T) {
	t.Helper()
	w.ensure(t, machines)
	if err := terroir.Install(t.Context(), w.cluster); err != nil {
		t.Fatal(err)
	}
	if err := terroir.Apply(t.Context(), w.cluster, "-k", "config/manager"); err != nil {
		t.Fatal(err)
	}
}

const machines = `
apiVersion: v1
kind: Node
metadata: {name: paris, labels: {topology.kubernetes.io/zone: par-1, kubernetes.io/hostname: paris}}
---
apiVersion: v1
kind: Node
metadata: {name: lyon, labels: {topology.kubernetes.io/zone: lyo-1, kubernetes.io/hostname: lyon}}
---
apiVersion: v1
kind: Node
metadata: {name: london, labels: {topology.kubernetes.io/zone: lon-1, kubernetes.io/hostname: london}}
`

const ground = `
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: par-1}
spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: par-1}}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: lyo-1}
spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: lyo-1}}}
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: in-france}
spec: {countries: [FR]}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: patients}
spec: {namespaceSelector: {matchLabels: {data: patients}}, trustLevels: [in-france], enforcement: Enforce}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: told}
spec: {namespaceSelector: {matchLabels: {data: told}}, trustLevels: [in-france], enforcement: Warn}
`

// others is what has nothing to do with Terroir, but for the guard of somebody else.
const others = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: somebody-elses}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]}
  validations: [{expression: "true"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: somebody-elses}
spec: {policyName: somebody-elses, validationActions: [Deny]}
---
apiVersion: v1
kind: Namespace
metadata: {name: free}
---
apiVersion: v1
kind: Namespace
metadata: {name: told, labels: {data: told}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: free}
spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}, annotations: {note: mine}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: free}
spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {terminationGracePeriodSeconds: 0, nodeSelector: {kubernetes.io/hostname: london}, containers: [{name: c, image: x}]}}}
`

// keys is a store that does not answer, with a key in it. Its observations, a proof and a gate come of it.
const keys = `
apiVersion: v1
kind: Secret
metadata: {name: bao-token, namespace: terroir-system}
stringData: {token: x}
---
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: silent}
spec:
  type: Transit
  transit: {address: "https://127.0.0.1:1"}
  credentialsSecretRef: {name: bao-token}
  declared: {custody: Customer, protection: HSM, zones: {home: [par-1]}}
---
apiVersion: terroir.dev/v1alpha1
kind: EncryptionKey
metadata: {name: kek}
spec: {store: silent, ref: {transit: {key: kek}}, namespaceSelector: {matchLabels: {data: sealed}}, storage: [{driver: block-storage.csi.stackit.cloud, keyID: id-kek}]}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: sealed}
spec: {namespaceSelector: {matchLabels: {data: sealed}}, trustLevels: [in-france], enforcement: Enforce, encryption: {keys: [kek]}}
`

// sealed is a namespace that owes encryption. The proof on its volume is from better days, and not of this claim: so the pod waits.
const sealed = `
apiVersion: v1
kind: Namespace
metadata: {name: sealed, labels: {data: sealed}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: sealed}
provisioner: block-storage.csi.stackit.cloud
parameters: {type: premium, encrypted: "true", kmsKeyID: id-kek, kmsKeyringID: ring, kmsKeyVersion: "1", kmsServiceAccount: keys@example.org}
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: sealed, annotations: {terroir.dev/encryption-proof: "before:kek:sha256:0"}}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  persistentVolumeReclaimPolicy: Retain
  storageClassName: sealed
  claimRef: {namespace: sealed, name: data}
  csi: {driver: block-storage.csi.stackit.cloud, volumeHandle: sealed}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [par-1]}]}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: sealed}
spec: {accessModes: [ReadWriteOnce], storageClassName: sealed, resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: sealed}
spec:
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: x}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`

const patients = `
apiVersion: v1
kind: Namespace
metadata: {name: patients, labels: {data: patients}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: plain, namespace: patients}
spec: {replicas: 2, selector: {matchLabels: {app: plain}}, template: {metadata: {labels: {app: plain}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: patients, annotations: {terroir.dev/trust-level: in-france}}
spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: patients}
spec: {replicas: 2, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: patients}
spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: patients, annotations: {terroir.dev/trust-level: in-france}}
spec: {schedule: "0 0 1 1 *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: patients}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: waiting, namespace: patients, labels: {app: waiting}}
spec: {terminationGracePeriodSeconds: 0, schedulingGates: [{name: terroir.dev/look-up}], containers: [{name: c, image: x}]}
`

// govern creates a world in which everything is that has to be taken back.
func (w *world) govern(t *testing.T) {
	t.Helper()
	w.ensure(t, ground+"---"+others+"---"+keys)
	w.policyReady(t, "patients", "sealed")
	w.ensure(t, patients+"---"+sealed)
	w.running(t, "patients", map[string]int{"plain": 2, "web": 2, "db": 2, "agent": 2, "": 1})
	w.running(t, "free", map[string]int{"web": 2, "agent": 1})
	eventually(t, "the operator's Deployment runs", func() error {
		var pods corev1.PodList
		if err := w.List(t.Context(), &pods, client.InNamespace(v1alpha1.SystemNamespace)); err != nil {
			return err
		}
		if len(pods.Items) != 2 {
			return fmt.Errorf("%d pods", len(pods.Items))
		}
		return nil
	})
	eventually(t, "the trust level is in use, and every namespace marked", func() error {
		var level v1alpha1.TrustLevel
		var told corev1.Namespace
		err := errors.Join(w.Get(t.Context(), client.ObjectKey{Name: "in-france"}, &level), w.Get(t.Context(), client.ObjectKey{Name: "told"}, &told))
		if err == nil && (len(level.Finalizers) == 0 || told.Labels[v1alpha1.WarnedLabel] == "") {
			return fmt.Errorf("finalizers %v, labels %v", level.Finalizers, told.Labels)
		}
		return err
	})
	w.waitsForItsKey(t)
}

// waitsForItsKey waits until all has come of the demand for encryption that has to be taken back: the mark, the record on the claim, the observation of the
// key, and a pod behind the gate that was told why.
func (w *world) waitsForItsKey(t *testing.T) {
	t.Helper()
	eventually(t, "a pod waits for its key", func() error {
		var n corev1.Namespace
		var v corev1.PersistentVolume
		var c corev1.PersistentVolumeClaim
		var o v1alpha1.KeyObservation
		var pods corev1.PodList
		err := errors.Join(
			w.Get(t.Context(), client.ObjectKey{Name: "sealed"}, &n), w.Get(t.Context(), client.ObjectKey{Name: "sealed"}, &v),
			w.Get(t.Context(), client.ObjectKey{Namespace: "sealed", Name: "data"}, &c),
			w.Get(t.Context(), client.ObjectKey{Name: "kek.manager"}, &o), w.List(t.Context(), &pods, client.InNamespace("sealed")),
		)
		if err != nil {
			return err
		}
		if n.Labels[v1alpha1.EncryptedLabel] != "true" || c.Annotations[v1alpha1.ClassAnnotation] == "" || c.Labels[v1alpha1.KeyLabel] != "kek" || c.Status.Phase != corev1.ClaimBound {
			return fmt.Errorf("the namespace has labels %v, and the claim %v and %v and is %s", n.Labels, c.Labels, c.Annotations, c.Status.Phase)
		}
		if v.Annotations[v1alpha1.ProofAnnotation] == "" || o.Spec.Outcome != v1alpha1.OutcomeUnreachable {
			return fmt.Errorf("the volume has %v, and the key was %+v", v.Annotations, o.Spec)
		}
		if len(pods.Items) != 1 || !gated(&pods.Items[0]) || !told(&pods.Items[0]) {
			return fmt.Errorf("the pods are %+v", pods.Items)
		}
		return nil
	})
}

func gated(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.EncryptionGate })
}

// told tells whether a pod says why it waits.
func told(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == v1alpha1.EncryptionProvenCondition })
}

func (w *world) policyReady(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		eventually(t, "policy "+name+" is enforced", func() error {
			var p v1alpha1.ClusterPlacementPolicy
			if err := w.Get(t.Context(), client.ObjectKey{Name: name}, &p); err != nil {
				return err
			}
			if !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) {
				return fmt.Errorf("its conditions are %v", p.Status.Conditions)
			}
			return nil
		})
	}
}

// reset removes the workloads of the story, so that it can begin again.
func (w *world) reset(t *testing.T) {
	t.Helper()
	for _, name := range []string{"patients", "told", "sealed"} {
		w.remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	w.remove(t, &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "sealed"}})
}

// kept checks what is left where the kinds were to stay.
func (w *world) kept(t *testing.T) {
	t.Helper()
	var p v1alpha1.ClusterPlacementPolicy
	var c v1alpha1.TerroirConfig
	var l v1alpha1.TrustLevel
	key := client.ObjectKey{Name: "patients"}
	err := errors.Join(w.Get(t.Context(), key, &p), w.Get(t.Context(), client.ObjectKey{Name: "cluster"}, &c), w.Get(t.Context(), client.ObjectKey{Name: "in-france"}, &l))
	if err != nil {
		t.Fatal(err)
	}
	if c.Status.Fence != v1alpha1.FenceOff || meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("the settings claim %q, and the policy %v", c.Status.Fence, p.Status.Conditions)
	}
	if len(l.Finalizers) > 0 {
		t.Errorf("the trust level keeps the finalizers %v", l.Finalizers)
	}
	if labels := w.nodeLabels(t); len(labels) > 0 {
		t.Errorf("nodes still carry %v", labels)
	}
	w.scan(t, "APIService", "CustomResourceDefinition")
}

func (w *world) ensure(t *testing.T, text string) {
	t.Helper()
	for _, o := range terroir.MustObjects(t, text) {
		if err := client.IgnoreAlreadyExists(w.Create(t.Context(), o)); err != nil {
			t.Fatalf("creating %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

// removePods deletes the pods that nobody would make again.
func (w *world) removePods(t *testing.T) {
	t.Helper()
	for _, name := range []string{"bare", "waiting"} {
		w.remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "patients", Name: name}})
	}
}

func (w *world) create(t *testing.T, text string) {
	t.Helper()
	for _, o := range terroir.MustObjects(t, text) {
		if err := w.Create(t.Context(), o); err != nil {
			t.Fatalf("creating %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

func (w *world) remove(t *testing.T, o client.Object) {
	t.Helper()
	if err := client.IgnoreNotFound(w.Delete(t.Context(), o)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is gone: "+o.GetName(), func() error {
		err := w.Get(t.Context(), client.ObjectKeyFromObject(o), o)
		if err == nil {
			return fmt.Errorf("it is still there, with finalizers %v", o.GetFinalizers())
		}
		return client.IgnoreNotFound(err)
	})
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	terroir.Eventually(t, patience, what, check)
}

func (w *world) pod(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	var p corev1.Pod
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// running waits until these pods run in a namespace, counted by their label app, and no others are there that are not ending.
func (w *world) running(t *testing.T, namespace string, want map[string]int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v run in %s", want, namespace), func() error {
		var pods corev1.PodList
		if err := w.List(t.Context(), &pods, client.InNamespace(namespace)); err != nil {
			return err
		}
		got := map[string]int{}
		for i := range pods.Items {
			if p := &pods.Items[i]; p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp.IsZero() {
				got[p.Labels["app"]]++
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("(-want +got): %s", diff)
		}
		return nil
	})
}

// nodeLabels are the labels of Terroir by node, for nodes that have any.
func (w *world) nodeLabels(t *testing.T) map[string]string {
	t.Helper()
	var nodes corev1.NodeList
	if err := w.List(t.Context(), &nodes); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for i := range nodes.Items {
		var keys []string
		for key := range nodes.Items[i].Labels {
			if strings.Contains(key, "terroir") {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		if len(keys) > 0 {
			found[nodes.Items[i].Name] = strings.Join(keys, ",")
		}
	}
	return found
}

// content is every object of some kinds in a namespace, whole.
func (w *world) content(t *testing.T, namespace string) []unstructured.Unstructured {
	t.Helper()
	var found []unstructured.Unstructured
	for _, gvk := range []schema.GroupVersionKind{
		{Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "apps", Version: "v1", Kind: "ReplicaSet"},
		{Group: "apps", Version: "v1", Kind: "DaemonSet"},
		{Version: "v1", Kind: "Pod"},
	} {
		l := &unstructured.UnstructuredList{}
		l.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := w.List(t.Context(), l, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		found = append(found, l.Items...)
	}
	return found
}

func (w *world) foreign(t *testing.T) []client.Object {
	t.Helper()
	key := client.ObjectKey{Name: "somebody-elses"}
	policy, binding := &admissionregistrationv1.ValidatingAdmissionPolicy{}, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	if err := errors.Join(w.Get(t.Context(), key, policy), w.Get(t.Context(), key, binding)); err != nil {
		t.Fatal(err)
	}
	return []client.Object{policy, binding}
}

// everything names every object that the API server has, with the changes that count: to its generation, labels, annotations, finalizers and end.
func (w *world) everything(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	w.each(t, func(kind string, o *metav1.PartialObjectMetadata) {
		found[kind+" "+o.Namespace+"/"+o.Name] = fmt.Sprint(o.UID, o.Generation, o.Labels, o.Annotations, o.Finalizers, o.DeletionTimestamp)
	})
	return found
}

func (w *world) unchanged(t *testing.T, before map[string]string) {
	t.Helper()
	if diff := cmp.Diff(before, w.everything(t)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// each visits the metadata of every object that the API server has, but for events, which are about what was.
func (w *world) each(t *testing.T, visit func(kind string, o *metav1.PartialObjectMetadata)) {
	t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(w.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	lists, err := d.ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, lists) {
		gv, err := schema.ParseGroupVersion(r.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, resource := range r.APIResources {
			if resource.Kind == "Event" {
				continue
			}
			l := &metav1.PartialObjectMetadataList{}
			l.SetGroupVersionKind(gv.WithKind(resource.Kind + "List"))
			if err := client.IgnoreNotFound(w.List(t.Context(), l)); err != nil {
				t.Fatalf("listing %s: %v", resource.Name, err)
			}
			err := meta.EachListItem(l, func(o runtime.Object) error {
				visit(resource.Kind, o.(*metav1.PartialObjectMetadata))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// scan waits until no object but those of the given kinds has a name, a label, an annotation or a finalizer of Terroir. What developers wrote
// is theirs, and controllers copy it.
func (w *world) scan(t *testing.T, but ...string) {
	t.Helper()
	eventually(t, "nothing is left", func() error {
		var left []string
		w.each(t, func(kind string, o *metav1.PartialObjectMetadata) {
			names := append([]string{o.Name, o.Namespace}, o.Finalizers...)
			for key := range o.Labels {
				names = append(names, key)
			}
			for key := range o.Annotations {
				if key != v1alpha1.TrustLevelAnnotation {
					names = append(names, key)
				}
			}
			i := slices.IndexFunc(names, func(s string) bool { return strings.Contains(s, "terroir") })
			if i >= 0 && !slices.Contains(but, kind) {
				left = append(left, fmt.Sprintf("%s %s/%s: %s", kind, o.Namespace, o.Name, names[i]))
			}
		})
		if len(left) > 0 {
			return errors.New(strings.Join(left, "\n"))
		}
		return nil
	})
}
