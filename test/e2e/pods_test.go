package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/test/terroir"
)

// alice makes her admin of a namespace, who there may also write what kubelets and controllers write of pods.
func (w *world) alice(t *testing.T, namespace string) *world {
	t.Helper()
	w.create(t, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: admin-alice, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: pods-alice, namespace: %[1]s}
rules: [{apiGroups: [""], resources: [pods/status, pods/ephemeralcontainers, pods/resize], verbs: [get, update, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: pods-alice, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: pods-alice}
subjects: [{kind: User, name: alice, apiGroup: rbac.authorization.k8s.io}]
`, namespace))
	return w.as(t, "alice")
}

// through patches a pod, by way of a subresource if one is given.
func (w *world) through(namespace, name, subresource, json string) (*corev1.Pod, error) {
	var subresources []string
	if subresource != "" {
		subresources = append(subresources, subresource)
	}
	return w.clientset.CoreV1().Pods(namespace).Patch(context.Background(), name, types.MergePatchType, []byte(json), metav1.PatchOptions{}, subresources...)
}

// theSetOf gives the one ReplicaSet of a namespace.
func (w *world) theSetOf(t *testing.T, namespace string) *appsv1.ReplicaSet {
	t.Helper()
	var sets appsv1.ReplicaSetList
	if err := w.List(t.Context(), &sets, client.InNamespace(namespace)); err != nil || len(sets.Items) != 1 {
		t.Fatalf("%d ReplicaSets: %v", len(sets.Items), err)
	}
	return &sets.Items[0]
}

func (w *world) pod(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	var p corev1.Pod
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// Without Terroir's rule a namespace's admin moves a pod of their own into a ReplicaSet, which then deletes one that it made.
func TestAForeignPodTakesThePlaceOfAReplica(t *testing.T) {
	w := shared
	w.ground(t)
	for _, namespace := range []string{"takes-free", "takes-governed"} {
		if namespace == "takes-free" {
			w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: takes-free}}`)
		} else {
			w.governed(t, namespace)
		}
		// Its own maker says that it is dear, and so the ReplicaSet deletes another.
		w.create(t, strings.Replace(pod(namespace, "rogue", ""), "name: rogue", `name: rogue, annotations: {controller.kubernetes.io/pod-deletion-cost: "100"}`, 1))
		w.pods(t, namespace, 1)
		w.create(t, deployment(namespace, "web", 3, ""))
		w.pods(t, namespace, 4)
	}
	labels := func(namespace string) string {
		set := w.theSetOf(t, namespace)
		return fmt.Sprintf(`{"metadata":{"labels":{"app":"web","pod-template-hash":%q}}}`, set.Labels["pod-template-hash"])
	}
	t.Run("the door is open where nothing is owed", func(t *testing.T) {
		if _, err := w.alice(t, "takes-free").through("takes-free", "rogue", "", labels("takes-free")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the ReplicaSet has the rogue for one of its three", func() error {
			rogue := metav1.GetControllerOf(w.pod(t, "takes-free", "rogue"))
			if running := w.running(t, "takes-free"); rogue == nil || running != 3 {
				return fmt.Errorf("its controller is %v, and %d pods run", rogue, running)
			}
			return nil
		})
	})
	alice := w.alice(t, "takes-governed")
	for _, by := range []string{"", "status"} {
		t.Run("it is closed where pods are governed, through pods/"+by, func(t *testing.T) {
			_, err := alice.through("takes-governed", "rogue", by, labels("takes-governed"))
			terroir.Denied(t, err, "the labels of a running pod without a controller may not change in a governed namespace")
		})
	}
	t.Run("a pod that was made with the ReplicaSet's labels is not adopted", func(t *testing.T) {
		set := w.theSetOf(t, "takes-governed")
		twin := strings.Replace(pod("takes-governed", "twin", ""), "namespace: takes-governed", fmt.Sprintf("namespace: takes-governed, labels: {app: web, pod-template-hash: %q}", set.Labels["pod-template-hash"]), 1)
		w.create(t, twin)
		w.pods(t, "takes-governed", 5)
		patch := fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":%q,"uid":%q,"controller":true}]}}`, set.Name, set.UID)
		_, err := w.through("takes-governed", "twin", "", patch)
		terroir.Denied(t, err, "ReplicaSet may not adopt this pod")
	})
	t.Run("and a replica is not moved to another template", func(t *testing.T) {
		replica := w.replica(t, "takes-governed")
		_, err := alice.through("takes-governed", replica.Name, "", `{"metadata":{"labels":{"pod-template-hash":"other"}}}`)
		terroir.Denied(t, err, "label pod-template-hash of a running pod may not change")
	})
}

func (w *world) running(t *testing.T, namespace string) int {
	t.Helper()
	var list corev1.PodList
	if err := w.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	return len(list.Items)
}

// replica is one of the pods of a namespace that have a controller.
func (w *world) replica(t *testing.T, namespace string) *corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := w.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list.Items, func(p corev1.Pod) bool { return metav1.GetControllerOf(&p) != nil })
	if i < 0 {
		t.Fatalf("none of %d pods has a controller", len(list.Items))
	}
	return &list.Items[i]
}

// What has always been done with pods still can be.
func TestPodsAreStillRelabelledReleasedAndAdopted(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "usual")
	w.create(t, deployment("usual", "web", 3, ""))
	w.pods(t, "usual", 3)
	t.Run("an operator changes the label of a pod that has a controller, and a pod is taken out of service", func(t *testing.T) {
		replica := w.replica(t, "usual")
		if _, err := w.through("usual", replica.Name, "", `{"metadata":{"labels":{"role":"primary"}}}`); err != nil {
			t.Fatal(err)
		}
		if _, err := w.through("usual", replica.Name, "", `{"metadata":{"labels":{"app":"quarantine"}}}`); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its ReplicaSet has released it, and made another", func() error {
			if p := w.pod(t, "usual", replica.Name); metav1.GetControllerOf(p) != nil || w.running(t, "usual") != 4 {
				return fmt.Errorf("its controller is %v, and there are %d pods", metav1.GetControllerOf(p), w.running(t, "usual"))
			}
			return nil
		})
	})
	t.Run("a finished pod is relabelled", func(t *testing.T) {
		w.create(t, pod("usual", "task", "restartPolicy: Never"))
		eventually(t, "it runs, so that nobody calls it running any more", func() error {
			if phase := w.pod(t, "usual", "task").Status.Phase; phase != corev1.PodRunning {
				return fmt.Errorf("it is %s", phase)
			}
			return nil
		})
		if _, err := w.through("usual", "task", "status", `{"status":{"phase":"Succeeded"}}`); err != nil {
			t.Fatal(err)
		}
		if _, err := w.through("usual", "task", "", `{"metadata":{"labels":{"checked":"yes"}}}`); err != nil {
			t.Error(err)
		}
	})
	t.Run("a StatefulSet adopts the pods of its predecessor", func(t *testing.T) {
		w.governed(t, "heir")
		const set = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: heir}
spec: {replicas: 3, podManagementPolicy: Parallel, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}}}
`
		o := terroir.MustObjects(t, set)[0]
		if err := w.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		was := w.pods(t, "heir", 3)
		if err := w.Delete(t.Context(), o, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the StatefulSet is gone", func() error {
			err := w.Get(t.Context(), client.ObjectKeyFromObject(o), &appsv1.StatefulSet{})
			if err == nil {
				return fmt.Errorf("it is still there")
			}
			return client.IgnoreNotFound(err)
		})
		w.create(t, set)
		eventually(t, "its successor controls the same pods", func() error {
			for _, old := range was {
				if p := w.pod(t, "heir", old.Name); p.UID != old.UID || metav1.GetControllerOf(p) == nil || metav1.GetControllerOf(p).UID == metav1.GetControllerOf(&old).UID {
					return fmt.Errorf("pod %s is controlled by %v", p.Name, metav1.GetControllerOf(p))
				}
			}
			return nil
		})
	})
}

// A pod older than its policy is not taken into a workload of which more is asked.
func TestAPodOlderThanItsPolicyIsNotAdopted(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: older, labels: {policy: older}}}`)
	w.create(t, pod("older", "p", ""))
	w.pods(t, "older", 1)
	w.create(t, `
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: older}
spec: {namespaceSelector: {matchLabels: {policy: older}}, trustLevels: [trusted], enforcement: Enforce}
`)
	w.policyIs(t, "older", v1alpha1.ConditionReady, metav1.ConditionTrue, "Enforced")
	const owner = `{"metadata":{"finalizers":["example.org/hook"],"ownerReferences":[{"apiVersion":"apps/v1","kind":"StatefulSet","name":"db","uid":"1f0c2c5e-0000-4000-8000-000000000001","controller":true}]}}`
	_, err := w.through("older", "p", "", owner)
	terroir.Denied(t, err, "StatefulSet may not adopt this pod: its namespace requires trust level trusted")
	if _, err := w.through("older", "p", "", `{"metadata":{"finalizers":["example.org/hook"]}}`); err != nil {
		t.Errorf("a finalizer: %v", err)
	}
	if _, err := w.through("older", "p", "", `{"metadata":{"finalizers":null}}`); err != nil {
		t.Errorf("it does not come off: %v", err)
	}
}

// What a pod was judged by stays, through whatever subresource somebody tries to change it.
func TestTheStampsOfPodsStay(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "stamps")
	w.create(t, pod("stamps", "p", ""))
	w.pods(t, "stamps", 1)
	alice := w.alice(t, "stamps")
	const (
		workload   = `{"metadata":{"labels":{"terroir.dev/workload":"other"}}}`
		provenance = `{"metadata":{"annotations":{"terroir.dev/placement":null}}}`
		demand     = `{"metadata":{"annotations":{"inherited.terroir.dev/trust-level":"trusted"}}}`
	)
	for _, by := range []string{"", "status"} {
		for patch, says := range map[string]string{workload: "label terroir.dev/workload may not change", provenance: "annotation terroir.dev/placement of a pod may not change", demand: "annotation inherited.terroir.dev/trust-level"} {
			t.Run("through pods/"+by+" "+patch, func(t *testing.T) {
				_, err := alice.through("stamps", "p", by, patch)
				terroir.Denied(t, err, says)
			})
		}
	}
	was := w.pod(t, "stamps", "p")
	for _, by := range []string{"ephemeralcontainers", "resize"} {
		t.Run("the API server itself changes nothing through pods/"+by, func(t *testing.T) {
			for _, patch := range []string{workload, provenance, demand} {
				if _, err := alice.through("stamps", "p", by, patch); err != nil {
					t.Logf("%s: %v", patch, err)
				}
			}
			is := w.pod(t, "stamps", "p")
			if is.Labels[v1alpha1.WorkloadLabel] != was.Labels[v1alpha1.WorkloadLabel] || fmt.Sprint(is.Annotations) != fmt.Sprint(was.Annotations) {
				t.Errorf("labels %v, annotations %v", is.Labels, is.Annotations)
			}
		})
	}
	t.Run("a kubelet's status passes", func(t *testing.T) {
		if _, err := alice.through("stamps", "p", "status", `{"status":{"message":"all is well"}}`); err != nil {
			t.Error(err)
		}
	})
}

func TestOnlyTerroirLiftsItsGates(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "gates")
	w.create(t, pod("gates", "p", `schedulingGates: [{name: terroir.dev/keys}, {name: example.org/quota}]`))
	w.create(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: operator, namespace: gates}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: terroir-manager, namespace: terroir-system}]
`)
	const none, ours, others = `{"spec":{"schedulingGates":null}}`, `{"spec":{"schedulingGates":[{"name":"example.org/quota"}]}}`, `{"spec":{"schedulingGates":[{"name":"terroir.dev/keys"}]}}`
	alice := w.alice(t, "gates")
	for _, patch := range []string{none, ours} {
		_, err := alice.through("gates", "p", "", patch)
		terroir.Denied(t, err, "scheduling gate terroir.dev/keys is set and lifted by Terroir alone")
	}
	if _, err := alice.through("gates", "p", "", others); err != nil {
		t.Errorf("somebody else's gate: %v", err)
	}
	if _, err := w.as(t, placement.OperatorUser, "system:serviceaccounts").through("gates", "p", "", none); err != nil {
		t.Errorf("by Terroir: %v", err)
	}
	w.pods(t, "gates", 1)
}

func TestVolumesOnNodesAndRuntimeClassesAreRefused(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "disks")
	w.create(t, `{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: remote}, handler: remote}`)
	const scratch = "volumes: [{name: scratch, emptyDir: {}}]"
	if err := w.try(t, pod("disks", "p", scratch)); err != nil {
		t.Fatalf("the door is open by default, since the node is qualified: %v", err)
	}
	w.mustPatch(t, &v1alpha1.ClusterPlacementPolicy{}, "disks", `{"spec":{"nodeLocalStorage":"Deny"}}`)
	eventually(t, "the floor says so", func() error {
		var floor v1alpha1.PlacementFloor
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "disks", Name: v1alpha1.FloorName}, &floor); err != nil {
			return err
		}
		if floor.Spec.NodeLocalStorage != v1alpha1.NodeLocalStorageDeny {
			return fmt.Errorf("it says %q", floor.Spec.NodeLocalStorage)
		}
		return nil
	})
	refused := map[string]string{
		pod("disks", "q", "runtimeClassName: remote"):                                                                 `asks for runtime class`,
		pod("disks", "q", scratch):                                                                                    `volume "scratch"`,
		pod("disks", "q", "volumes: [{name: root, hostPath: {path: /}}]"):                                             `volume "root"`,
		pod("disks", "q", "volumes: [{name: inline, csi: {driver: d}}]"):                                              `volume "inline"`,
		strings.Replace(deployment("disks", "web", 3, ""), "containers:", scratch+", containers:", 1):                 `volume "scratch"`,
		strings.Replace(deployment("disks", "web", 3, ""), "containers:", "runtimeClassName: remote, containers:", 1): `asks for runtime class`,
	}
	passing := "volumes: [{name: fast, emptyDir: {medium: Memory}}, {name: data, persistentVolumeClaim: {claimName: data}}, {name: config, configMap: {name: c}}, {name: share, nfs: {server: s, path: /}}]"
	judge := func(t *testing.T, isRefused func(object string) bool) {
		t.Helper()
		for object, says := range refused {
			if isRefused(object) {
				terroir.Denied(t, w.try(t, object), says)
			}
		}
		if err := w.try(t, pod("disks", "q", passing)); err != nil {
			t.Error(err)
		}
	}
	t.Run("with the operator", func(t *testing.T) { judge(t, func(string) bool { return true }) })
	t.Run("without it, pods", func(t *testing.T) {
		w.withoutOperator(t)
		judge(t, func(object string) bool { return strings.Contains(object, "kind: Pod\n") })
	})
}

// withoutOperator stops the operator until the test ends.
func (w *world) withoutOperator(t *testing.T) {
	t.Helper()
	if err := w.cluster.StopComponent("terroir"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.cluster.StartComponent(context.Background(), "terroir"); err != nil {
			t.Error(err)
		}
	})
}
