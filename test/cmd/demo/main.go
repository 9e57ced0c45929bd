// Command demo shows Terroir on a control plane of its own: make demo, make up and make down call it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/demo"
	"github.com/terroir-dev/terroir/test/realnode"
	"github.com/terroir-dev/terroir/test/terroir"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.SetLogger(logr.Discard()) // clients would complain that they have nowhere to log to
	return root().ExecuteContext(ctx)
}

func root() *cobra.Command {
	command := &cobra.Command{
		Use: "demo", Short: "Terroir on a real control plane with simulated nodes, on this machine", SilenceUsage: true, SilenceErrors: true,
	}
	dir := command.PersistentFlags().String("dir", ".local", "state directory of the cluster")
	for _, sub := range []struct {
		name, short string
		run         func(ctx context.Context, dir string) error
	}{
		{"demo", "Play the story on a fresh cluster, check every step, and leave it running", play},
		{"up", "Start a cluster with the operator and the sample catalogue", up},
		{"down", "Stop the cluster and remove its data; its logs stay", down},
		{"real-node", "Join a real node, with a kubelet and containerd, to that cluster", realNode},
		{"stop-operator", "Stop only the operator", stopOperator},
		{"start-operator", "Start the operator again", startOperator},
	} {
		command.AddCommand(&cobra.Command{
			Use: sub.name, Short: sub.short, Args: cobra.NoArgs,
			RunE: func(command *cobra.Command, _ []string) error { return sub.run(command.Context(), *dir) },
		})
	}
	return command
}

// play starts from nothing, so that the story is the same each time.
func play(ctx context.Context, dir string) error {
	ran, err := cluster.StopIn(dir)
	if err != nil {
		return err
	}
	if ran {
		fmt.Printf("A cluster was running in %s. It is stopped now, so that the story begins with nothing.\n", dir)
	}
	c, err := start(ctx, dir)
	if err != nil {
		return err
	}
	if err := demo.Play(ctx, c, os.Stdout); err != nil {
		return fmt.Errorf("the story ends here: %w\n\nThe cluster is left running: look into it with KUBECONFIG=%s %s, into its logs in %s, and end it with make down",
			err, cluster.Relative(c.Kubeconfig()), cluster.Relative(c.Kubectl()), cluster.Relative(filepath.Dir(c.Log(""))))
	}
	fmt.Println()
	fmt.Print(demo.Next(cluster.Relative(c.Kubeconfig()), cluster.Relative(filepath.Dir(c.Kubectl()))))
	return nil
}

func start(ctx context.Context, dir string) (*cluster.Cluster, error) {
	began := time.Now()
	fmt.Println("Starting etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok, which plays the kubelets ...")
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, Detached: true, Progress: os.Stderr})
	if err == nil {
		fmt.Printf("The control plane is up after %.1f s; logs are in %s.\n", time.Since(began).Seconds(), cluster.Relative(filepath.Dir(c.Log(""))))
	}
	return c, err
}

// up starts what does not run, and brings up to date what does.
func up(ctx context.Context, dir string) error {
	c, err := attachOrStart(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Println("Installing Terroir ...")
	if err := terroir.Install(ctx, c); err != nil {
		return err
	}
	if err := catalogue(ctx, c); err != nil {
		return err
	}
	explain(c)
	return nil
}

// realNode brings the cluster up and joins a real node to it. Its zone is that of config/samples/in-france.yaml.
func realNode(ctx context.Context, dir string) error {
	if err := realnode.Prepare(ctx, os.Stderr); err != nil {
		return err
	}
	if err := up(ctx, dir); err != nil {
		return err
	}
	c, err := running(dir)
	if err != nil {
		return err
	}
	if c.Runs(realnode.Machine) && c.Runs(realnode.Kubelet) {
		fmt.Println("\nA real node is there already.")
		return nil
	}
	fmt.Println("\nJoining a real node ...")
	node, err := realnode.Join(ctx, c, realnode.Options{Labels: map[string]string{corev1.LabelTopologyZone: "par-1"}})
	if err != nil {
		return err
	}
	fmt.Printf(`Node %s is Ready: a kubelet with containerd, in namespaces of its own. There is no registry; the image that is there is %s,
which sleeps. Nodes that you create are simulated, as before.

  kubectl get nodes -o wide
  kubectl run sleeper --image=%[2]s --image-pull-policy=Never
  %[3]s ctr -n k8s.io containers ls     # any program, on the node's machine

Static pods go into %[4]s. make down removes the node, too.
`, node.Name, realnode.Sleeper.Name, node.Enter(), cluster.Relative(node.StaticPods()))
	return nil
}

func attachOrStart(ctx context.Context, dir string) (*cluster.Cluster, error) {
	c, err := cluster.Attach(dir)
	if errors.Is(err, cluster.ErrNotRunning) {
		return start(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range c.Stopped() {
		if err := c.StartComponent(ctx, name); err != nil {
			return nil, err
		}
		fmt.Printf("%s was down and runs again.\n", name)
	}
	fmt.Printf("A cluster runs in %s already.\n", dir)
	return c, nil
}

// catalogue loads the sample catalogue, unless somebody has one: a second up does not undo what was changed since the first.
func catalogue(ctx context.Context, c *cluster.Cluster) error {
	reader, err := terroir.Client(c)
	if err != nil {
		return err
	}
	var qualifications v1alpha1.QualificationList
	if err := reader.List(ctx, &qualifications, client.Limit(1)); err != nil {
		return fmt.Errorf("looking for a catalogue: %w", err)
	}
	if len(qualifications.Items) > 0 {
		fmt.Println("There is a catalogue; it is left as it is.")
		return nil
	}
	fmt.Println("Loading the sample catalogue ...")
	return demo.Catalogue(ctx, c)
}

func explain(c *cluster.Cluster) {
	fmt.Printf(`
Terroir is in force. To use the cluster:

  export KUBECONFIG=%s PATH=%s:$PATH
  kubectl get sovereignty                                     # everything of Terroir

The catalogue says who is what. Zones, trust levels and policies are yours to add, for instance:

  kubectl apply -k config/catalog/zones/outscale-cloudgouv-eu-west-1
  kubectl apply -f config/samples/in-france.yaml              # a zone, a level, a policy
  kubectl apply -k config/samples/demo                        # FICTITIOUS certificates, to try things out

Nodes that you create become Ready, and pods on them run. Logs are in %s.
make stop-operator stops only the operator, make start-operator starts it again, make down stops all of it.
`, cluster.Relative(c.Kubeconfig()), cluster.Relative(filepath.Dir(c.Kubectl())), cluster.Relative(filepath.Dir(c.Log(""))))
}

func down(_ context.Context, dir string) error {
	ran, err := cluster.StopIn(dir)
	switch {
	case err != nil:
		return err
	case ran:
		fmt.Println("The cluster is down.")
	default:
		fmt.Printf("There is no cluster running in %s.\n", dir)
	}
	return nil
}

func stopOperator(_ context.Context, dir string) error {
	c, err := running(dir)
	if err != nil {
		return err
	}
	if err := c.StopComponent(terroir.Component); err != nil {
		return fmt.Errorf("stopping the operator: %w", err)
	}
	fmt.Println("The operator is stopped. What stands in the API server goes on: try it. make start-operator starts it again.")
	return nil
}

func startOperator(ctx context.Context, dir string) error {
	c, err := running(dir)
	if err != nil {
		return err
	}
	if err := c.StartComponent(ctx, terroir.Component); err != nil {
		return fmt.Errorf("starting the operator: %w", err)
	}
	fmt.Println("The operator runs.")
	return nil
}

func running(dir string) (*cluster.Cluster, error) {
	c, err := cluster.Attach(dir)
	if errors.Is(err, cluster.ErrNotRunning) {
		return nil, fmt.Errorf("%w: make up or make demo starts one", err)
	}
	return c, err
}
