package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/internal/uninstall"
)

// uninstallation is what the command line of uninstall says.
type uninstallation struct {
	flags   *genericclioptions.ConfigFlags
	streams genericiooptions.IOStreams

	options uninstall.Options
	dryRun  bool
	output  string
	timeout time.Duration
}

const uninstallHelp = `Take Terroir out of the cluster, in an order in which nothing hangs and no pod is lost.

The operator is stopped; the admission policies and webhook configurations go; scheduling gates are
lifted; mirrored annotations, and the nodeSelector entries of DaemonSets, are removed from templates;
then marks, kinds, permissions and the namespace; and at last the labels of nodes, each once no pod
asks for it. Workloads whose templates change replace their pods by their own strategy.

Pods that were shaped when they were created still ask for labels. They run on, with the labels they
need, and are listed. Once they are replaced, by --restart-workloads or by you, run the command again.
It can be interrupted and run again at any time.

Annotations that developers wrote stay: without Terroir they mean nothing.

Exit codes: 0 nothing of Terroir is left; 1 something failed or is left to do; 2 usage.`

func uninstallCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	u := uninstallation{flags: flags, streams: streams}
	command := &cobra.Command{
		Use:   "uninstall",
		Short: "Take Terroir out of the cluster",
		Long:  uninstallHelp,
		Example: `  kubectl terroir uninstall --dry-run
  kubectl terroir uninstall --restart-workloads`,
		Args: noArgs,
		RunE: func(command *cobra.Command, _ []string) error { return u.run(command.Context()) },
	}
	command.Flags().BoolVar(&u.dryRun, "dry-run", false, "say what would be done, on standard output, and change nothing")
	command.Flags().StringVarP(&u.output, "output", "o", "", "format of what --dry-run says: json; sentences if empty")
	command.Flags().BoolVar(&u.options.KeepKinds, "keep-kinds", false, "leave the kinds of terroir.dev and their objects, for an installation later")
	command.Flags().BoolVar(&u.options.RestartWorkloads, "restart-workloads", false, "have workloads replace pods that still ask for labels of Terroir, by their own strategy")
	command.Flags().DurationVar(&u.timeout, "timeout", 5*time.Minute, "how long each stage waits for what ends by itself, such as rollouts")
	return command
}

func (u uninstallation) run(ctx context.Context) error {
	if u.output != "" && (u.output != "json" || !u.dryRun) {
		return usageError{errors.New("-o takes json, and goes with --dry-run")}
	}
	work, err := u.uninstaller()
	if err != nil {
		return err
	}
	if u.dryRun {
		return u.plan(ctx, work)
	}
	left, err := work.Run(ctx)
	if err != nil {
		return fmt.Errorf("uninstalling: %w", err)
	}
	return u.report(left)
}

func (u uninstallation) uninstaller() (*uninstall.Uninstaller, error) {
	config, err := u.flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the cluster: %w", err)
	}
	config.QPS = -1 // the API server's own flow control decides
	scheme, err := uninstall.Scheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	tell := func(what string) { fmt.Fprintln(u.streams.ErrOut, what) }
	return uninstall.New(c, u.options, u.timeout, tell), nil
}

func (u uninstallation) plan(ctx context.Context, work *uninstall.Uninstaller) error {
	plan, err := work.Plan(ctx)
	if err != nil {
		return fmt.Errorf("planning: %w", err)
	}
	if u.output == "json" {
		text, err := json.MarshalIndent(plan, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding the plan: %w", err)
		}
		return write(u.streams.Out, append(text, '\n'))
	}
	return write(u.streams.Out, sentences(plan))
}

// sentences says a plan line by line.
func sentences(plan []uninstall.Todo) []byte {
	var text bytes.Buffer
	for _, t := range plan {
		if t.Refused != "" {
			fmt.Fprintf(&text, "%s: refused: %s\n", t.Stage, t.Refused)
		}
		for _, s := range t.Steps {
			fmt.Fprintf(&text, "%s: %s\n", t.Stage, s.Says)
		}
		for _, w := range t.Waits {
			fmt.Fprintf(&text, "%s: wait for %s\n", t.Stage, w)
		}
		for _, l := range t.Left {
			fmt.Fprintf(&text, "%s: left to you: %s\n", t.Stage, l.Says)
		}
	}
	if text.Len() == 0 {
		text.WriteString("nothing of Terroir is left\n")
	}
	return text.Bytes()
}

// report says what is left to somebody else; that is an error, for scripts to see.
func (u uninstallation) report(left []uninstall.Left) error {
	if len(left) == 0 {
		fmt.Fprintln(u.streams.ErrOut, "nothing of Terroir is left")
		return nil
	}
	for _, l := range left {
		fmt.Fprintf(u.streams.ErrOut, "left: %s\n", l.Says)
	}
	return fmt.Errorf("%d things are left to do, listed above; everything else is done; when they are done, run the same command again to finish", len(left))
}
