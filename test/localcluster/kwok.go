package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodeheartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwokcmd "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
)

// kwok plays the kubelets. Its command takes --config through a flag set that is read before the command exists.
func kwok() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	global := pflag.NewFlagSet("global", pflag.ContinueOnError)
	global.ParseErrorsAllowlist.UnknownFlags = true
	global.Usage = func() {}
	ctx, logger := kwoklog.InitFlags(ctx, global)
	ctx, err := kwokconfig.InitFlags(ctx, global)
	if err != nil {
		logger.Error("Reading the configuration", "err", err)
		return 1
	}
	command := kwokcmd.NewCommand(ctx)
	command.Version = "" // its --version is a bool; Kubernetes has put one of another type among the flags all commands share
	command.PersistentFlags().AddFlagSet(global)
	if err := command.ExecuteContext(ctx); err != nil {
		logger.Error("Running", "err", err)
		return 1
	}
	return 0
}

// kwokStages prints the life of nodes and pods as kwok's --config takes it.
func kwokStages() int {
	stages, err := stages()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kwok-stages:", err)
		return 1
	}
	fmt.Print(stages)
	return 0
}

// stages are kwok's own: nodes become Ready at once, keep sending heartbeats, pods run at once and go when deleted.
func stages() (string, error) {
	node, err := quoteIdentifiers(nodefast.DefaultNodeInit)
	if err != nil {
		return "", err
	}
	all := []string{node, nodeheartbeat.DefaultNodeHeartbeat, podfast.DefaultPodReady, podfast.DefaultPodComplete, podfast.DefaultPodDelete}
	return strings.Join(all, "\n---\n"), nil
}

// quoteIdentifiers makes the node stage keep a given machineID, systemUUID or bootID whatever it looks like. The stage
// writes them into YAML bare, where a UUID of digits only, or 1e3, turns into a number and the patch is refused.
func quoteIdentifiers(stage string) (string, error) {
	for _, field := range []string{"bootID", "machineID", "systemUUID"} {
		bare := "{{ or $nodeInfo." + field + " `\"\"` }}"
		if strings.Count(stage, bare) != 1 {
			return "", fmt.Errorf("kwok's node stage no longer writes %s as %s: look at it again", field, bare)
		}
		stage = strings.Replace(stage, bare, "{{ or $nodeInfo."+field+" \"\" | Quote }}", 1)
	}
	return stage, nil
}
