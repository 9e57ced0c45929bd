package terroir

import (
	"context"
	"fmt"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/cluster"
)

// Agent is one keyprobe to run.
type Agent struct {
	// Observer is agent, or the Zone from which it looks.
	Observer string
	// Modules are the PKCS#11 libraries that it may load.
	Modules []string
	// Environment is what the libraries want, such as SOFTHSM2_CONF=….
	Environment []string
}

// Component is the name of the agent among the cluster's components.
func (a Agent) Component() string { return "keyprobe-" + a.Observer }

// account is the service account as which it acts.
func (a Agent) account() string {
	if a.Observer == v1alpha1.AgentObserver {
		return "terroir-keyprobe"
	}
	return "terroir-keyprobe-" + a.Observer
}

// StartAgent runs an agent as its service account, which must exist. It needs a C compiler.
func StartAgent(ctx context.Context, c *cluster.Cluster, a Agent) error {
	binary, err := build(ctx, c, "keyprobe", "CGO_ENABLED=1")
	if err != nil {
		return err
	}
	kubeconfig, err := accountKubeconfig(ctx, c, a.account())
	if err != nil {
		return err
	}
	ports, err := cluster.FreePorts(1)
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	probes := fmt.Sprintf("127.0.0.1:%d", ports[0])
	args := append([]string{}, a.Environment...)
	args = append(args, binary, "--kubeconfig", kubeconfig, "--observer", a.Observer, "--metrics-bind-address", "0", "--health-probe-bind-address", probes)
	for _, m := range a.Modules {
		args = append(args, "--pkcs11-module", m)
	}
	if err := c.AddComponent(ctx, a.Component(), "http://"+probes+"/readyz", "env", args...); err != nil {
		return fmt.Errorf("starting the agent: %w", err)
	}
	return nil
}
