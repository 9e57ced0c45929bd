package realnode

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

func TestAStaticPodRunsUnaskedAndIsCounted(t *testing.T) {
	w := shared
	w.terroir(t)
	name := "static-" + w.node.Name // as the kubelet calls its mirror
	w.static(t, "static", "abroad")
	mirror := w.runs(t, "abroad", name)
	if _, is := mirror.Annotations[corev1.MirrorPodAnnotationKey]; !is {
		t.Errorf("the pod is no mirror: %v", mirror.Annotations)
	}
	eventually(t, "the policy counts the static pod", func() error {
		status, err := w.policy(t, "abroad")
		if err != nil {
			return err
		}
		listed := slices.ContainsFunc(status.Violating, func(v v1alpha1.Violation) bool {
			return v.Pod == name && v.Namespace == "abroad" && v.Node == w.node.Name
		})
		if status.Violations != 1 || !listed {
			return fmt.Errorf("it counts %d, and lists %+v", status.Violations, status.Violating)
		}
		return nil
	})

	// Deleting the mirror is no way to stop it: the kubelet makes another one.
	if err := w.Delete(t.Context(), mirror, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	w.pod(t, "abroad", name, "is mirrored again", func(p *corev1.Pod) bool { return p.UID != mirror.UID && p.Status.Phase == corev1.PodRunning })

	w.unstatic(t, "static")
	eventually(t, "the policy counts nothing", func() error {
		status, err := w.policy(t, "abroad")
		if err == nil && status.Violations != 0 {
			return fmt.Errorf("it lists %+v", status.Violating)
		}
		return err
	})
}

func TestAStaticPodWhereItMayBeIsNoViolation(t *testing.T) {
	w := shared
	w.terroir(t)
	w.static(t, "allowed", "patients")
	w.runs(t, "patients", "allowed-"+w.node.Name)
	eventually(t, "the policy counts the pod, and no violation", func() error {
		status, err := w.policy(t, "patients")
		if err == nil && (status.Pods == 0 || status.Violations != 0) {
			return fmt.Errorf("it counts %d pods, and lists %+v", status.Pods, status.Violating)
		}
		return err
	})
}

func TestNobodyMirrorsAPodButItsKubelet(t *testing.T) {
	w := shared
	w.terroir(t)
	w.create(t, simulated+`
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: alice, namespace: abroad}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{kind: User, name: alice}]
`)
	for _, c := range []struct {
		title   string
		forger  client.Client
		refusal string
	}{
		{"an administrator of the namespace", w.as(t, "alice"), "bypasses the scheduler"},
		{"an administrator of the cluster", w.as(t, "root", "system:masters"), "bypasses the scheduler"},
		{"whoever calls himself like the kubelet, and is not of its group", w.as(t, "kubelet-"+w.node.Name, "system:masters"), "bypasses the scheduler"},
		{"another node's kubelet", w.as(t, "system:node:simulated", "system:nodes"), `node "simulated" can only create pods with spec.nodeName set to itself`},
	} {
		t.Run(c.title, func(t *testing.T) {
			forged := terroir.MustObjects(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: forged, namespace: abroad, annotations: {kubernetes.io/config.mirror: x, kubernetes.io/config.source: file, kubernetes.io/config.hash: x}}
spec: {nodeName: %s, automountServiceAccountToken: false, enableServiceLinks: false, containers: [%s]}
`, w.node.Name, sleeper))[0]
			switch err := c.forger.Create(t.Context(), forged); {
			case err == nil:
				w.remove(t, forged)
				t.Error("the mirror was accepted")
			case !strings.Contains(err.Error(), c.refusal):
				t.Errorf("the refusal is %q; it should contain %q", err, c.refusal)
			}
		})
	}
}

// static puts a pod before the kubelet that no API server was asked about, until the test's end.
func (w *world) static(t *testing.T, name, namespace string) {
	t.Helper()
	pod := fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s}\nspec: {containers: [%s]}\n", name, namespace, sleeper)
	if err := os.WriteFile(w.manifest(name), []byte(pod), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.unstatic(t, name) })
}

func (w *world) unstatic(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(w.manifest(name)); err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}

func (w *world) manifest(name string) string { return filepath.Join(w.node.StaticPods(), name+".yaml") }

func (w *world) policy(t *testing.T, name string) (v1alpha1.PolicyStatus, error) {
	t.Helper()
	var p v1alpha1.ClusterPlacementPolicy
	err := w.Get(t.Context(), client.ObjectKey{Name: name}, &p)
	return p.Status, err
}
