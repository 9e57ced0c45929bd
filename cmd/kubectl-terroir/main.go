// Command kubectl-terroir is Terroir's part of kubectl: kubectl terroir.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Exit codes.
const (
	exitFailed = 1 // something failed, or is left to be done
	exitUsage  = 2 // what was asked for cannot be understood
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log.SetLogger(logr.Discard()) // the client library would complain that it has nowhere to log to
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	code := run(ctx, streams, os.Args[1:])
	stop()
	os.Exit(code)
}

// run runs a command line and gives the exit code.
func run(ctx context.Context, streams genericiooptions.IOStreams, args []string) int {
	command := root(streams)
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	var wrong usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(streams.ErrOut, "kubectl terroir: %v\nSee 'kubectl terroir --help'.\n", err)
		return exitUsage
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(streams.ErrOut, "kubectl terroir: interrupted; run the same command again, and it goes on from here")
		return exitFailed
	default:
		fmt.Fprintf(streams.ErrOut, "kubectl terroir: %v\n", err)
		return exitFailed
	}
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func root(streams genericiooptions.IOStreams) *cobra.Command {
	flags := genericclioptions.NewConfigFlags(true)
	command := &cobra.Command{
		Use:           "kubectl-terroir",
		Short:         "Terroir: workloads run where the ground qualifies",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl terroir"},
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags.AddFlags(command.PersistentFlags())
	command.AddCommand(uninstallCommand(flags, streams))
	return command
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%q is not a command of it", args[0])}
	}
	return nil
}

// write writes text that a person or a program asked for.
func write(to io.Writer, text []byte) error {
	if _, err := to.Write(text); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}
