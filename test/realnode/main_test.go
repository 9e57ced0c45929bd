package realnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/controllers"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// patience is how long a condition may take on a busy machine. Nothing measures time here.
const patience = 3 * time.Minute

// world is one cluster with one real node, on which Terroir is deployed as its users deploy it. Tests share it and run one after the other.
type world struct {
	client.WithWatch
	cluster *cluster.Cluster
	node    *Node
	// deployed is the image that Terroir runs from; empty while it is not installed.
	deployed string
}

var shared *world

// options say what the node's kubelet claims: to be in zone here.
var options = Options{Labels: map[string]string{corev1.LabelTopologyZone: "here"}}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	log.SetLogger(logr.Discard()) // clients would complain that they have nowhere to log to
	ctx := context.Background()
	c, err := cluster.Start(ctx, cluster.Options{Progress: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = c.Stop() }() // its lifeline ends it anyway
	shared = &world{cluster: c}
	if shared.node, err = Join(ctx, c, options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shared.WithWatch, err = newClient(c.Config()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func newClient(config *rest.Config) (client.WithWatch, error) {
	config.QPS = -1
	scheme, err := controllers.Scheme(clientgoscheme.AddToScheme)
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}

// as is a client that acts as somebody else.
func (w *world) as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	config := w.cluster.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	other, err := newClient(config)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// The images of two releases of Terroir. They differ in their names alone, which is what an upgrade is made of.
const (
	first  = "localhost/terroir-manager:first"
	second = "localhost/terroir-manager:second"
)

// terroir sees to it that Terroir is deployed, and that the node has a level which a governed namespace requires.
func (w *world) terroir(t *testing.T) {
	t.Helper()
	if w.deployed != "" {
		return
	}
	for _, image := range []string{first, second} {
		if err := w.node.Load(t.Context(), Image{Name: image, Source: "./cmd/manager", User: "65532:65532"}); err != nil {
			t.Fatal(err)
		}
	}
	w.deploy(t, first)
	w.apply(t, ground)
	w.labelled(t, heldTrusted, "true")
	w.labelled(t, openTrusted, "here")
	for _, name := range []string{"patients", "abroad"} {
		eventually(t, "policy "+name+" is in force", func() error {
			status, err := w.policy(t, name)
			if err == nil && !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
				return fmt.Errorf("its status is %+v", status)
			}
			return err
		})
	}
}

// deploy is what docs/operations.md tells users to do.
func (w *world) deploy(t *testing.T, image string) {
	t.Helper()
	if out, err := w.make(t, "deploy", "IMG="+image); err != nil {
		pods, _ := terroir.Kubectl(context.Background(), w.cluster, "get", "pods,events", "-n", v1alpha1.SystemNamespace, "-o", "wide")
		t.Fatalf("deploying: %v\n%s\n%s", err, out, pods)
	}
	w.deployed = image
}

// uninstall takes Terroir out, as docs/operations.md says. The error tells that something of it had to stay; what it is, is printed.
func (w *world) uninstall(t *testing.T) (printed string, err error) {
	t.Helper()
	w.deployed = ""
	return w.make(t, "uninstall")
}

// make runs a target of the Makefile on the cluster.
func (w *world) make(t *testing.T, arguments ...string) (printed string, err error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "make", append(arguments, "KUBECTL="+w.cluster.Kubectl())...)
	command.Dir = terroir.Root()
	command.Env = append(os.Environ(), "KUBECONFIG="+w.cluster.Kubeconfig())
	out, err := command.CombinedOutput()
	return string(out), err
}

const (
	heldTrusted = "held.terroir.node-restriction.kubernetes.io/trusted"
	openTrusted = "open.terroir.node-restriction.kubernetes.io/trusted"
)

// ground is one zone, a level that a grant gives it, another that it never satisfies, and a governed namespace for each.
const ground = `
apiVersion: terroir.dev/v1alpha1
kind: Framework
metadata: {name: fictitious-1.0}
spec: {title: Fictitious, version: "1.0", authority: {name: Nobody, kind: State, country: FR}, lifecycle: InForce, levels: [{name: qualified}]}
---
apiVersion: terroir.dev/v1alpha1
kind: CloudProvider
metadata: {name: cloud}
spec: {legalEntity: Cloud SAS, seat: FR, offers: [{name: kubernetes, serviceModel: CaaS}]}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: here}
spec: {country: FR, provider: cloud, offer: kubernetes, region: r, recognition: {labels: {topology.kubernetes.io/zone: here}}}
---
apiVersion: terroir.dev/v1alpha1
kind: Qualification
metadata: {name: grant}
spec:
  framework: fictitious-1.0
  levels: [qualified]
  subject: {provider: cloud, offer: kubernetes, regions: [r]}
  state: Granted
  validUntil: "2099-01-01T00:00:00Z"
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: trusted}
spec: {qualifications: [{anyOf: [{framework: fictitious-1.0, levels: [qualified]}]}]}
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: in-germany}
spec: {countries: [DE]}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: patients}
spec: {namespaceSelector: {matchLabels: {data: patients}}, trustLevels: [trusted], enforcement: Enforce}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: abroad}
spec: {namespaceSelector: {matchLabels: {data: abroad}}, trustLevels: [in-germany], enforcement: Enforce}
---
apiVersion: v1
kind: Namespace
metadata: {name: patients, labels: {data: patients}}
---
apiVersion: v1
kind: Namespace
metadata: {name: abroad, labels: {data: abroad}}
`

// sleeper is a container of the one workload that there is an image of.
const sleeper = `{name: sleeper, image: "localhost/sleeper:local", imagePullPolicy: Never}`

// apply applies everything in YAML, and again until it is accepted: webhooks may be on their way.
func (w *world) apply(t *testing.T, text string) {
	t.Helper()
	for _, o := range terroir.MustObjects(t, text) {
		eventually(t, fmt.Sprintf("%s %s is accepted", o.GetKind(), o.GetName()), func() error {
			return w.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("test"), client.ForceOwnership)
		})
	}
}

// create creates everything in YAML and deletes it at the test's end.
func (w *world) create(t *testing.T, text string) {
	t.Helper()
	for _, o := range terroir.MustObjects(t, text) {
		if err := w.Create(t.Context(), o); err != nil {
			t.Fatalf("creating %s %s: %v", o.GetKind(), o.GetName(), err)
		}
		t.Cleanup(func() { w.remove(t, o) })
	}
}

// remove deletes an object and waits until it is gone, and whatever it owns.
func (w *world) remove(t *testing.T, o client.Object) {
	t.Helper()
	ctx := context.Background() // the test's own has ended
	if err := client.IgnoreNotFound(w.Delete(ctx, o, client.PropagationPolicy(metav1.DeletePropagationForeground))); err != nil {
		t.Errorf("deleting %T %s: %v", o, o.GetName(), err)
	}
	eventually(t, fmt.Sprintf("%T %s is gone", o, o.GetName()), func() error {
		err := w.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			return errors.New("it is still there")
		}
		return client.IgnoreNotFound(err)
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	terroir.Eventually(t, patience, what, check)
}

// labelled waits until the node carries a label, or, for an empty value, does not.
func (w *world) labelled(t *testing.T, key, value string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the node has %s=%q", key, value), func() error {
		node := w.real(t)
		if node.Labels[key] != value {
			return fmt.Errorf("its labels are %v", node.Labels)
		}
		return nil
	})
}

// real is the Node as it is now.
func (w *world) real(t *testing.T) *corev1.Node {
	t.Helper()
	var node corev1.Node
	if err := w.Get(t.Context(), client.ObjectKey{Name: w.node.Name}, &node); err != nil {
		t.Fatalf("reading the node: %v", err)
	}
	return &node
}

// pod waits until a pod is as wanted, and gives it.
func (w *world) pod(t *testing.T, namespace, name, what string, wanted func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	eventually(t, fmt.Sprintf("pod %s/%s %s", namespace, name, what), func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &pod); err != nil {
			return err
		}
		if !wanted(&pod) {
			return fmt.Errorf("it is on %q, and its status is %+v", pod.Spec.NodeName, pod.Status)
		}
		return nil
	})
	return &pod
}

// runs waits until the containers of a pod really run on the node.
func (w *world) runs(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	return w.pod(t, namespace, name, "runs on the real node", func(p *corev1.Pod) bool {
		return p.Spec.NodeName == w.node.Name && p.Status.Phase == corev1.PodRunning &&
			len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready
	})
}

// stays checks that a pod is the one it was, and that its container never ended.
func (w *world) stays(t *testing.T, before *corev1.Pod) {
	t.Helper()
	var after corev1.Pod
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(before), &after); err != nil {
		t.Fatalf("reading pod %s: %v", before.Name, err)
	}
	was, is := before.Status.ContainerStatuses[0], after.Status.ContainerStatuses[0]
	if after.UID != before.UID || after.DeletionTimestamp != nil || after.Status.Phase != corev1.PodRunning || is.ContainerID != was.ContainerID || is.RestartCount != was.RestartCount {
		t.Errorf("pod %s did not stay: it was %s with container %s, and is %s, %s, with %s after %d restarts",
			before.Name, before.UID, was.ContainerID, after.UID, after.Status.Phase, is.ContainerID, is.RestartCount)
	}
}

// restart restarts the kubelet and returns when it has judged again every pod that it found: it takes new ones only after these.
func (w *world) restart(t *testing.T) {
	t.Helper()
	if err := w.node.StopKubelet(); err != nil {
		t.Fatal(err)
	}
	if err := w.node.StartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.create(t, `
apiVersion: v1
kind: Pod
metadata: {generateName: after-the-restart-, name: after-the-restart, namespace: default}
spec: {containers: [`+sleeper+`]}
`)
	w.runs(t, metav1.NamespaceDefault, "after-the-restart")
}
