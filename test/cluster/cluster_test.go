package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/terroir-dev/terroir/test/cluster"
)

func TestASimulatedCluster(t *testing.T) {
	c := cluster.Shared(t)
	for sentence, test := range map[string]func(*testing.T, *cluster.Cluster){
		"a plain Node becomes Ready and keeps what it was created with": nodeKeepsItsIdentity,
		"the pods of a Deployment run, and deleting them finishes":      deploymentRuns,
		"deleting a Node finishes, and it can be created again at once": nodeComesAndGoes,
		"a kubelet may not touch another node":                          nodeRestriction,
		"a user without a role may read nothing":                        strangerReadsNothing,
		"nobody is anonymous":                                           nobodyIsAnonymous,
		"another process attaches by the state directory":               attach,
	} {
		t.Run(sentence, func(t *testing.T) { test(t, c) })
	}
}

func nodeKeepsItsIdentity(t *testing.T, c *cluster.Cluster) {
	client := clientset(t, c.Config())
	want := newNode(t, "keeps-identity")
	want.Labels = map[string]string{"topology.kubernetes.io/region": "eu-central"}
	want.Spec.ProviderID = "openstack:///4d0ee0d1-2b2c-4b45-8f9a-3a1a7a2f1c55"
	want.Status.NodeInfo.SystemUUID = "42000000000000000000000000000000" // all digits: YAML would take it for a number
	want.Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("3"), "memory": resource.MustParse("7Gi"), "pods": resource.MustParse("11")}
	got := createNode(t, client, want)
	type facts struct {
		Region, ProviderID, SystemUUID, CPU, Pods string
	}
	factsOf := func(n *corev1.Node) facts {
		return facts{
			n.Labels["topology.kubernetes.io/region"], n.Spec.ProviderID, n.Status.NodeInfo.SystemUUID,
			n.Status.Allocatable.Cpu().String(), n.Status.Allocatable.Pods().String(),
		}
	}
	if diff := cmp.Diff(factsOf(want), factsOf(got)); diff != "" {
		t.Errorf("the node changed when it became ready (-created +found):\n%s", diff)
	}
}

func deploymentRuns(t *testing.T, c *cluster.Cluster) {
	client := clientset(t, c.Config())
	node := newNode(t, "runs-pods")
	node.Labels = map[string]string{"cluster-test": node.Name}
	createNode(t, client, node)
	deployment := createDeployment(t, client, 3, node.Labels)
	pods := runningPods(t, client, deployment, 3)
	for _, pod := range pods {
		if pod.Spec.NodeName != node.Name {
			t.Errorf("pod %s runs on %s, want %s", pod.Name, pod.Spec.NodeName, node.Name)
		}
	}
	if err := client.AppsV1().Deployments("default").Delete(t.Context(), deployment.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	runningPods(t, client, deployment, 0)
}

func nodeComesAndGoes(t *testing.T, c *cluster.Cluster) {
	client := clientset(t, c.Config())
	node := newNode(t, "comes-and-goes")
	for range 2 {
		createNode(t, client, node)
		if err := client.CoreV1().Nodes().Delete(t.Context(), node.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the node is gone", func(ctx context.Context) error {
			_, err := client.CoreV1().Nodes().Get(ctx, node.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return err
			}
			return errors.New("it is still there")
		})
	}
}

func nodeRestriction(t *testing.T, c *cluster.Cluster) {
	admin := clientset(t, c.Config())
	own, other := createNode(t, admin, newNode(t, "own")), createNode(t, admin, newNode(t, "other"))
	config, err := c.ConfigFor("system:node:"+own.Name, "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	kubelet := clientset(t, config)
	patch := []byte(`{"metadata":{"annotations":{"cluster-test":"by the kubelet"}}}`)
	if _, err := kubelet.CoreV1().Nodes().Patch(t.Context(), own.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Errorf("a kubelet annotates its own node: %v", err)
	}
	if _, err := kubelet.CoreV1().Nodes().Patch(t.Context(), other.Name, types.MergePatchType, patch, metav1.PatchOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a kubelet annotates another node: got %v, want it to be forbidden", err)
	}
	isolated := []byte(`{"metadata":{"labels":{"node-restriction.kubernetes.io/zone":"x"}}}`)
	if _, err := kubelet.CoreV1().Nodes().Patch(t.Context(), own.Name, types.MergePatchType, isolated, metav1.PatchOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a kubelet gives its node a restricted label: got %v, want it to be forbidden", err)
	}
}

func strangerReadsNothing(t *testing.T, c *cluster.Cluster) {
	path, err := c.KubeconfigFor("jane/doe", "some-team")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), c.Kubectl(), "--kubeconfig", path, "get", "pods").CombinedOutput()
	if want := `User "jane/doe" cannot list resource "pods"`; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("kubectl get pods: %v: %s\nwant it to say: %s", err, out, want)
	}
}

func nobodyIsAnonymous(t *testing.T, c *cluster.Cluster) {
	config := rest.AnonymousClientConfig(c.Config())
	if _, err := clientset(t, config).Discovery().ServerVersion(); !apierrors.IsUnauthorized(err) {
		t.Errorf("asking for the version without credentials: got %v, want Unauthorized", err)
	}
}

func attach(t *testing.T, c *cluster.Cluster) {
	attached, err := cluster.Attach(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	version, err := clientset(t, attached.Config()).Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.Major != "1" || !strings.HasPrefix(version.GitVersion, "v1.") {
		t.Errorf("the API server calls itself %s (major %q), want a released v1", version.GitVersion, version.Major)
	}
}

func TestAClusterOfOnesOwn(t *testing.T) {
	c := cluster.New(t, cluster.Options{
		FeatureGates:   map[string]bool{"MutatingAdmissionPolicy": false},
		APIServerFlags: []string{"--runtime-config=admissionregistration.k8s.io/v1/mutatingadmissionpolicies=false"},
	})
	client := clientset(t, c.Config())
	t.Run("has the feature gates and flags asked for", func(t *testing.T) {
		resources, err := client.Discovery().ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range resources.APIResources {
			if r.Kind == "MutatingAdmissionPolicy" {
				t.Errorf("the API server serves %s although that is switched off", r.Name)
			}
		}
	})
	t.Run("refuses a second one in its directory and says how to stop the first", func(t *testing.T) {
		_, err := cluster.Start(t.Context(), cluster.Options{Dir: c.Dir()})
		want := `stop it with "go run ./test/cmd/localcluster down --dir ` + c.Dir() + `"`
		if !errors.Is(err, cluster.ErrRunning) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v\nwant ErrRunning, saying: %s", err, want)
		}
	})
	t.Run("schedules nothing without its scheduler, and everything once it is back", func(t *testing.T) {
		withoutScheduler(t, c, client)
	})
	t.Run("keeps its objects and its nodes when everything is restarted", func(t *testing.T) {
		restart(t, c, client)
	})
}

func withoutScheduler(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	createNode(t, client, newNode(t, "scheduled"))
	if err := c.StopComponent(cluster.Scheduler); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{cluster.Scheduler}, c.Stopped()); diff != "" {
		t.Errorf("stopped components (-want +got):\n%s", diff)
	}
	deployment := createDeployment(t, client, 1, nil)
	eventually(t, "the pod exists", func(ctx context.Context) error {
		return count(ctx, client, deployment, 1, func(p *corev1.Pod) bool { return p.Spec.NodeName == "" })
	})
	if err := c.StartComponent(t.Context(), cluster.Scheduler); err != nil {
		t.Fatal(err)
	}
	runningPods(t, client, deployment, 1)
}

func restart(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	before := createNode(t, client, newNode(t, "before"))
	for _, name := range slices.Backward(cluster.Components()) {
		if err := c.StopComponent(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range cluster.Components() {
		if err := c.StartComponent(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	after, err := client.CoreV1().Nodes().Get(t.Context(), before.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.UID, after.UID); diff != "" {
		t.Errorf("UID of the node (-before +after):\n%s", diff)
	}
	createNode(t, client, newNode(t, "after"))
}

// ownerVariable makes the test binary start a cluster and wait, instead of testing.
const ownerVariable = "TERROIR_CLUSTER_TEST_OWNER"

func TestMain(m *testing.M) {
	if kind := os.Getenv(ownerVariable); kind != "" {
		own(kind)
		return
	}
	os.Exit(m.Run())
}

// own starts a cluster, tells its directory on stdout and waits until it is killed; a detached one it just leaves.
func own(kind string) {
	c, err := cluster.Start(context.Background(), cluster.Options{Dir: os.Getenv("TERROIR_CLUSTER_TEST_DIR"), Detached: kind == "detached"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.Dir())
	if kind == "detached" {
		return
	}
	select {}
}

func TestNothingOutlivesAKilledOwner(t *testing.T) {
	owner, dir := startOwner(t, "attached")
	c, err := cluster.Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	// Also one that an attached process started belongs to the owner.
	if err := errors.Join(c.StopComponent(cluster.Kwok), c.StartComponent(t.Context(), cluster.Kwok)); err != nil {
		t.Fatal(err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no component runs", func(context.Context) error {
		if stopped := c.Stopped(); len(stopped) < len(cluster.Components()) {
			return fmt.Errorf("only these ended: %s", stopped)
		}
		return nil
	})
	if _, err := cluster.Attach(dir); !errors.Is(err, cluster.ErrNotRunning) {
		t.Errorf("attaching to what is left: got %v, want ErrNotRunning", err)
	}
	again, err := cluster.Start(t.Context(), cluster.Options{Dir: dir})
	if err != nil {
		t.Fatalf("starting anew where the owner was killed: %v", err)
	}
	if err := again.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestADetachedClusterOutlivesItsStarter(t *testing.T) {
	starter, dir := startOwner(t, "detached")
	if err := starter.Wait(); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clientset(t, c.Config()).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("using the cluster: %v", err)
	}
	for _, want := range []bool{true, false} {
		if ran, err := cluster.StopIn(dir); err != nil || ran != want {
			t.Errorf("stopping it: ran %t, error %v, want %t and none", ran, err, want)
		}
	}
	if _, err := os.Stat(c.Log(cluster.APIServer)); err != nil {
		t.Errorf("the logs are to stay: %v", err)
	}
	if _, err := os.Stat(c.Kubeconfig()); !os.IsNotExist(err) {
		t.Errorf("the kubeconfig is to go: %v", err)
	}
}

// startOwner returns once the owner's cluster is ready.
func startOwner(t *testing.T, kind string) (owner *exec.Cmd, dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a control plane; run without -short")
	}
	state := t.TempDir()
	owner = exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerVariable+"="+kind, "TERROIR_CLUSTER_TEST_DIR="+state)
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = owner.Process.Kill()
		_ = owner.Wait()
		_, _ = cluster.StopIn(state)
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("waiting for the cluster of another process: %v", err)
	}
	return owner, strings.TrimSpace(line)
}

func TestAFailedStartShowsTheLog(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a control plane; run without -short")
	}
	dir := t.TempDir()
	_, err := cluster.Start(t.Context(), cluster.Options{Dir: dir, APIServerFlags: []string{"--no-such-flag"}})
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range []string{"kube-apiserver: it ended before it was ready", "unknown flag: --no-such-flag", dir + "/logs/kube-apiserver.log"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if _, err := cluster.Attach(dir); !errors.Is(err, cluster.ErrNotRunning) {
		t.Errorf("attaching to it: got %v, want ErrNotRunning", err)
	}
}

func clientset(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// newNode has a name of its own also where test processes share a cluster.
func newNode(t *testing.T, name string) *corev1.Node {
	t.Helper()
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("cluster-test-%s-%d", name, os.Getpid())}}
}

// createNode returns the node as it is once it is ready.
func createNode(t *testing.T, client kubernetes.Interface, node *corev1.Node) (ready *corev1.Node) {
	t.Helper()
	if _, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.CoreV1().Nodes().Delete(context.WithoutCancel(t.Context()), node.Name, metav1.DeleteOptions{})
	})
	eventually(t, "node "+node.Name+" is ready", func(ctx context.Context) (err error) {
		ready, err = client.CoreV1().Nodes().Get(ctx, node.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range ready.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("conditions are %v", ready.Status.Conditions)
	})
	return ready
}

func createDeployment(t *testing.T, client kubernetes.Interface, replicas int32, selector map[string]string) *appsv1.Deployment {
	t.Helper()
	labels := map[string]string{"app": fmt.Sprintf("cluster-test-%d-%d", os.Getpid(), time.Now().UnixNano())}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: labels["app"]},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{NodeSelector: selector, Containers: []corev1.Container{{Name: "main", Image: "example.com/main"}}},
			},
		},
	}
	created, err := client.AppsV1().Deployments("default").Create(t.Context(), deployment, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.AppsV1().Deployments("default").Delete(context.WithoutCancel(t.Context()), created.Name, metav1.DeleteOptions{})
	})
	return created
}

// runningPods waits until the deployment has this many running pods and no others.
func runningPods(t *testing.T, client kubernetes.Interface, deployment *appsv1.Deployment, want int) (pods []corev1.Pod) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d pods run", want), func(ctx context.Context) error {
		pods = nil
		return count(ctx, client, deployment, want, func(p *corev1.Pod) bool {
			pods = append(pods, *p)
			return p.Status.Phase == corev1.PodRunning
		})
	})
	return pods
}

func count(ctx context.Context, client kubernetes.Interface, deployment *appsv1.Deployment, want int, as func(*corev1.Pod) bool) error {
	selector := metav1.FormatLabelSelector(deployment.Spec.Selector)
	list, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return err
	}
	var found int
	for i := range list.Items {
		if as(&list.Items[i]) {
			found++
		}
	}
	if found != want || len(list.Items) != want {
		return fmt.Errorf("%d of %d pods are as wanted, want %d", found, len(list.Items), want)
	}
	return nil
}

// eventually fails the test unless the condition comes to hold.
func eventually(t *testing.T, what string, holds func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := holds(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting until %s: %v", what, err)
		case <-ticker.C:
		}
	}
}
