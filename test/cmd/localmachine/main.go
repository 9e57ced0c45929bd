// Command localmachine keeps a machine within this one, and runs programs on it, as package test/machine describes. Package
// test/realnode starts it; nobody has to call it by hand, except to look around:
//
//	localmachine enter --dir .local/machine ctr -n k8s.io containers ls
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/terroir-dev/terroir/test/machine"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "localmachine:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return root().ExecuteContext(ctx)
}

func root() *cobra.Command {
	command := &cobra.Command{Use: "localmachine", Short: "A machine within this one", SilenceUsage: true, SilenceErrors: true}
	command.AddCommand(keep(), first(), enter(), become())
	return command
}

func keep() *cobra.Command {
	var options machine.Options
	command := &cobra.Command{
		Use: "keep", Short: "Make a machine and keep it until SIGTERM", Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return machine.Keep(command.Context(), options) },
	}
	command.Flags().StringVar(&options.Dir, "dir", "", "directory of the machine")
	command.Flags().StringVar(&options.APIServer, "api-server", "", "host and port of the API server")
	command.Flags().StringVar(&options.Ready, "ready", "", "address at which to answer once the machine is ready")
	return command
}

func first() *cobra.Command {
	var dir string
	var number int
	command := &cobra.Command{
		Use: "init", Short: "Be the first process of a machine", Args: cobra.NoArgs, Hidden: true,
		RunE: func(*cobra.Command, []string) error { return machine.Init(dir, number) },
	}
	command.Flags().StringVar(&dir, "dir", "", "directory of the machine")
	command.Flags().IntVar(&number, "number", 0, "number of the machine")
	return command
}

func enter() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use: "enter program [arguments]", Short: "Run a program on a machine", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			code, err := machine.Enter(dir, args[0], args[1:]...)
			if err == nil && code != 0 {
				os.Exit(code)
			}
			return err
		},
	}
	command.Flags().StringVar(&dir, "dir", "", "directory of the machine")
	command.Flags().SetInterspersed(false)
	return command
}

func become() *cobra.Command {
	command := &cobra.Command{
		Use: "become program [arguments]", Short: "Be a program on a machine", Args: cobra.MinimumNArgs(1), Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error { return machine.Become(args[0], args[1:]...) },
	}
	command.Flags().SetInterspersed(false)
	return command
}
