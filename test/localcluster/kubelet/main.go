// Command kubelet is the kubelet as released. Package test/realnode of the main module runs it beside the simulated nodes.
//
// It is not among the programs of the binary beside it, so that only those build it who want a real node.
package main

import (
	"context"
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go's metrics in /metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // build information in /metrics
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() { os.Exit(cli.Run(kubeletapp.NewKubeletCommand(context.Background()))) }
