package realnode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/machine"
	"github.com/terroir-dev/terroir/test/terroir"
)

// The components of the cluster that a real node consists of.
const (
	Machine = "machine"
	Kubelet = "kubelet"
)

// Options say what node to join.
type Options struct {
	Name       string            // of the Node; "real" if empty
	Labels     map[string]string // which the kubelet claims
	ProviderID string            // which the kubelet claims
	// Progress is told about a build or an installation; nil means os.Stderr.
	Progress io.Writer
}

// Node is a real node of a cluster.
type Node struct {
	Name string

	cluster *cluster.Cluster
	dir     string // of its machine
}

// Sleeper is the image of a workload that does nothing until it is asked to end. It is there on every node.
var Sleeper = Image{Name: "localhost/sleeper:local", Source: "./test/cmd/sleeper", User: "65532:65532"}

// pause is the same program: it keeps a pod's namespaces open, and nothing else.
var pause = Image{Name: machine.PauseImage, Source: Sleeper.Source, User: Sleeper.User}

// Join joins a node to a cluster and returns when it is Ready. A real node that the cluster has already is replaced.
func Join(ctx context.Context, c *cluster.Cluster, options Options) (*Node, error) {
	if options.Progress == nil {
		options.Progress = os.Stderr
	}
	options.Name = cmp.Or(options.Name, "real")
	if err := Prepare(ctx, options.Progress); err != nil {
		return nil, err
	}
	kubelet, err := cluster.BuildKubelet(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	n := &Node{Name: options.Name, cluster: c, dir: filepath.Join(c.Dir(), cluster.MachineDir)}
	if err := n.startMachine(ctx); err != nil {
		return nil, fmt.Errorf("starting the node's machine: %w", err)
	}
	for _, image := range []Image{pause, Sleeper} {
		if err := n.Load(ctx, image); err != nil {
			return nil, err
		}
	}
	if err := n.startKubelet(ctx, kubelet, options); err != nil {
		return nil, fmt.Errorf("starting the kubelet: %w", err)
	}
	return n, n.Ready(ctx)
}

func (n *Node) program() string { return filepath.Join(n.dir, "localmachine") }

func (n *Node) startMachine(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", n.program(), "./test/cmd/localmachine")
	build.Dir = terroir.Root()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building its program: %w\n%s", err, out)
	}
	ports, err := cluster.FreePorts(1)
	if err != nil {
		return err
	}
	server, err := url.Parse(n.cluster.Config().Host)
	if err != nil {
		return fmt.Errorf("looking for the API server: %w", err)
	}
	ready := fmt.Sprintf("127.0.0.1:%d", ports[0])
	err = n.cluster.AddComponent(ctx, Machine, "http://"+ready, n.program(), "keep", "--dir", n.dir, "--api-server", server.Host, "--ready", ready)
	return errors.Join(err, n.cluster.LetFinish(Machine))
}

func (n *Node) startKubelet(ctx context.Context, binary string, options Options) error {
	m, err := machine.Read(n.dir)
	if err != nil {
		return err
	}
	flags, err := n.configure(n.cluster, options, m)
	if err != nil {
		return err
	}
	health := fmt.Sprintf("http://%s:%d/healthz", m.Address(), healthPort)
	return n.cluster.AddComponent(ctx, Kubelet, health, n.program(), append([]string{"enter", "--dir", n.dir, binary}, flags...)...)
}

// Ready waits until the control plane says that the node is Ready.
func (n *Node) Ready(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(n.cluster.Config())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	var seen []corev1.NodeCondition
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 90*time.Second, true, func(ctx context.Context) (bool, error) {
		node, err := client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		seen = node.Status.Conditions
		return isReady(seen), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for node %s: %w; its conditions are %+v; see %s", n.Name, err, seen, n.cluster.Log(Kubelet))
	}
	return nil
}

func isReady(conditions []corev1.NodeCondition) bool {
	for _, c := range conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Load builds an image and gives it to the node.
func (n *Node) Load(ctx context.Context, image Image) error {
	path, err := image.build(ctx, filepath.Dir(n.config("image")))
	if err != nil {
		return err
	}
	out, err := n.Run(ctx, "ctr", "--namespace", "k8s.io", "images", "import", inside(filepath.Base(path)))
	if err != nil {
		return fmt.Errorf("loading image %s: %w: %s", image.Name, err, out)
	}
	return nil
}

// Run runs a program on the node's machine and gives what it prints.
func (n *Node) Run(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, n.program(), append([]string{"enter", "--dir", n.dir, program}, args...)...).CombinedOutput()
	return string(out), err
}

// Enter is how to run a program on the node's machine from a shell.
func (n *Node) Enter() string {
	return fmt.Sprintf("%s enter --dir %s", cluster.Relative(n.program()), cluster.Relative(n.dir))
}

// StaticPods is the folder from which the kubelet takes pods that no API server was asked about.
func (n *Node) StaticPods() string { return n.config(staticPods) }

// StopKubelet stops the kubelet. Containers go on running.
func (n *Node) StopKubelet() error { return n.cluster.StopComponent(Kubelet) }

// StartKubelet starts it again.
func (n *Node) StartKubelet(ctx context.Context) error { return n.cluster.StartComponent(ctx, Kubelet) }

// Stop takes the power away: the kubelet, the runtime and every container are gone. What was on the disk stays, for the next Join.
func (n *Node) Stop() error {
	return errors.Join(n.cluster.StopComponent(Kubelet), n.cluster.StopComponent(Machine))
}
