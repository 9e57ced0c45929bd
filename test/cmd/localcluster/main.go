// Command localcluster manages a Kubernetes control plane on this machine, as package test/cluster runs it: the one
// behind make up, and private ones for a single command.
//
//	go run ./test/cmd/localcluster up
//	go run ./test/cmd/localcluster exec -- go test ./...
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/terroir-dev/terroir/test/cluster"
)

func main() { os.Exit(codeOf(root())) }

// codeOf runs a command and gives the exit code.
func codeOf(command *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command.ExecuteContext(ctx)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exitCode(exit)
	case err != nil:
		fmt.Fprintln(os.Stderr, "localcluster:", err)
		return 2
	default:
		return 0
	}
}

// exitCode is the command's own, or what a shell makes of its death by a signal.
func exitCode(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

func root() *cobra.Command {
	command := &cobra.Command{
		Use:           "localcluster",
		Short:         "A real Kubernetes control plane with simulated nodes, on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.AddCommand(build(), up(), down(), status(), execute())
	return command
}

// withDir adds the flag that says where a detached cluster lives.
func withDir(command *cobra.Command, dir *string) *cobra.Command {
	command.Flags().StringVar(dir, "dir", ".local", "state directory")
	return command
}

func build() *cobra.Command {
	var kubelet bool
	command := &cobra.Command{
		Use:   "build",
		Short: "Build the control plane, if that has not been done yet, and print where it is",
		Args:  cobra.NoArgs,
		RunE:  func(command *cobra.Command, _ []string) error { return buildAll(command.Context(), kubelet) },
	}
	command.Flags().BoolVar(&kubelet, "kubelet", false, "build the kubelet of real nodes, too")
	return command
}

func buildAll(ctx context.Context, kubelet bool) error {
	binaries, err := cluster.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Println(binaries.Dir)
	if !kubelet {
		return nil
	}
	path, err := cluster.BuildKubelet(ctx, os.Stderr)
	if err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}

func up() *cobra.Command {
	var dir string
	var options cluster.Options
	command := &cobra.Command{
		Use:   "up",
		Short: "Start a cluster that stays until \"down\"",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options.Dir, options.Detached = dir, true
			return bringUp(command.Context(), options)
		},
	}
	command.Flags().StringArrayVar(&options.APIServerFlags, "apiserver-flag", nil, "flag added to kube-apiserver's, e.g. --apiserver-flag=--v=4; may be repeated")
	return withDir(command, &dir)
}

func bringUp(ctx context.Context, options cluster.Options) error {
	start := time.Now()
	c, err := cluster.Start(ctx, options)
	if errors.Is(err, cluster.ErrRunning) {
		return revive(ctx, options.Dir)
	}
	if err != nil {
		return err
	}
	fmt.Printf("The cluster is up after %s.\n", time.Since(start).Round(100*time.Millisecond))
	explain(c)
	return nil
}

// revive makes "up" on a running cluster true again: it starts whatever component is down.
func revive(ctx context.Context, dir string) error {
	c, err := cluster.Attach(dir)
	if err != nil {
		return err
	}
	for _, name := range c.Stopped() {
		if err := c.StartComponent(ctx, name); err != nil {
			return err
		}
		fmt.Printf("%s was down and runs again.\n", name)
	}
	fmt.Println("The cluster was up already.")
	explain(c)
	return nil
}

func explain(c *cluster.Cluster) {
	fmt.Printf("  export KUBECONFIG=%s\n  %s get nodes\nLogs are in %s.\n", cluster.Relative(c.Kubeconfig()), cluster.Relative(c.Kubectl()), cluster.Relative(filepath.Dir(c.Log(""))))
}

func down() *cobra.Command {
	var dir string
	return withDir(&cobra.Command{
		Use:   "down",
		Short: "Stop the cluster and remove its data; its logs stay",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			ran, err := cluster.StopIn(dir)
			if err != nil {
				return err
			}
			if !ran {
				fmt.Printf("There is no cluster running in %s.\n", dir)
				return nil
			}
			fmt.Println("The cluster is down.")
			return nil
		},
	}, &dir)
}

func status() *cobra.Command {
	var dir string
	return withDir(&cobra.Command{
		Use:   "status",
		Short: "Tell which components run; fails unless all do",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := cluster.Attach(dir)
			if err != nil {
				return err
			}
			stopped := c.Stopped()
			for _, name := range cluster.Components() {
				fmt.Printf("%-24s %s\n", name, map[bool]string{true: "stopped", false: "running"}[slices.Contains(stopped, name)])
			}
			if len(stopped) > 0 {
				return fmt.Errorf("%s: not running in %s; \"up\" starts it again", strings.Join(stopped, ", "), dir)
			}
			return nil
		},
	}, &dir)
}

func execute() *cobra.Command {
	return &cobra.Command{
		Use:   "exec -- command [arguments]",
		Short: "Run a command with a cluster of its own, named to tests by " + cluster.Variable,
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(command *cobra.Command, args []string) error { return run(command.Context(), args) },
	}
}

func run(ctx context.Context, args []string) (err error) {
	c, err := cluster.Start(ctx, cluster.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	// The command gets the signal and some time of its own before it is killed; then the cluster goes.
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 20 * time.Second
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), cluster.Variable+"="+c.Dir(), "KUBECONFIG="+c.Kubeconfig())
	return command.Run()
}
