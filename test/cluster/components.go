package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The components of a cluster, as StopComponent and StartComponent know them.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
)

// order is the one to start in; stopping goes the other way round.
var order = []string{Etcd, APIServer, ControllerManager, Scheduler, Kwok}

// component is a program of the cluster: how to run it, how to see that it is ready, which process it is now.
type component struct {
	Program string   `json:"program,omitempty"` // the binary; by default the one of the component's name
	Args    []string `json:"args"`
	Ready   string   `json:"ready"` // URL that answers 200 once it is ready
	// Finishes says that it clears something away when it is asked to end, and that Stop has to wait for that.
	Finishes bool     `json:"finishes,omitempty"`
	Process  identity `json:"process"`
}

// plan is what the command lines are made from.
type plan struct {
	dir          string
	ports        ports
	apiFlags     []string
	featureGates map[string]bool
}

type ports struct{ etcd, etcdPeer, apiServer, controllerManager, scheduler, kwok int }

// freePorts lets the system choose. Somebody may take one before its component does; Start then tries again with others.
func freePorts() (ports, error) {
	chosen, err := FreePorts(6)
	if err != nil {
		return ports{}, err
	}
	return ports{chosen[0], chosen[1], chosen[2], chosen[3], chosen[4], chosen[5]}, nil
}

// FreePorts gives so many different ports of the loopback interface on which nobody listens at this moment.
func FreePorts(count int) ([]int, error) {
	var listeners []net.Listener // all open until the end, so that no port is offered twice
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	var chosen []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		listeners = append(listeners, listener)
		chosen = append(chosen, listener.Addr().(*net.TCPAddr).Port)
	}
	return chosen, nil
}

func (p plan) pki(name string) string    { return filepath.Join(p.dir, "pki", name) }
func (p plan) config(name string) string { return filepath.Join(p.dir, "config", name) }

func loopback(scheme string, port int, path string) string {
	return fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, port, path)
}

func (p plan) components() map[string]*component {
	return map[string]*component{
		Etcd:              {Args: p.etcd(), Ready: loopback("https", p.ports.etcd, "/readyz")},
		APIServer:         {Args: p.apiServer(), Ready: loopback("https", p.ports.apiServer, "/readyz")},
		ControllerManager: {Args: p.controllerManager(), Ready: loopback("https", p.ports.controllerManager, "/healthz")},
		Scheduler:         {Args: p.scheduler(), Ready: loopback("https", p.ports.scheduler, "/readyz")},
		Kwok:              {Args: p.kwok(), Ready: loopback("http", p.ports.kwok, "/readyz")},
	}
}

func (p plan) etcd() []string {
	client, peer := loopback("https", p.ports.etcd, ""), loopback("https", p.ports.etcdPeer, "")
	return []string{
		"--data-dir=" + filepath.Join(p.dir, "data", "etcd"),
		"--unsafe-no-fsync", // a crash of the machine may lose the data; a crash of etcd does not
		"--name=terroir",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=terroir=" + peer,
		"--client-cert-auth", "--trusted-ca-file=" + p.pki("etcd-ca.crt"),
		"--cert-file=" + p.pki("etcd.crt"), "--key-file=" + p.pki("etcd.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + p.pki("etcd-ca.crt"),
		"--peer-cert-file=" + p.pki("etcd.crt"), "--peer-key-file=" + p.pki("etcd.key"),
		"--log-level=warn",
	}
}

// WithoutNodeRestriction is a flag for Options.APIServerFlags that starts an API server that lets kubelets write any label of their nodes.
const WithoutNodeRestriction = "--disable-admission-plugins=NodeRestriction"

func (p plan) apiServer() []string {
	flags := []string{
		"--etcd-servers=" + loopback("https", p.ports.etcd, ""),
		"--etcd-cafile=" + p.pki("etcd-ca.crt"), "--etcd-certfile=" + p.pki("etcd-client.crt"), "--etcd-keyfile=" + p.pki("etcd-client.key"),
		"--client-ca-file=" + p.pki("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--anonymous-auth=false",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + p.pki("service-account.key"), "--service-account-signing-key-file=" + p.pki("service-account.key"),
		"--service-cluster-ip-range=10.96.0.0/16",
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", // Endpoints may not point to loopback, and nobody in the cluster dials them
		"--allow-privileged=true",
		"--enable-aggregator-routing=true", // webhooks behind a Service are called by their endpoints: nobody here plays kube-proxy
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + p.pki("kubelet-client.crt"), "--kubelet-client-key=" + p.pki("kubelet-client.key"),
		"--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000",
	}
	if !slices.Contains(p.apiFlags, WithoutNodeRestriction) { // an API server that hears both does not start
		flags = append(flags, "--enable-admission-plugins=NodeRestriction")
	}
	flags = append(flags, p.aggregation()...)
	flags = append(flags, p.serving(p.ports.apiServer)...)
	flags = append(flags, p.gates()...)
	return append(flags, p.apiFlags...)
}

// aggregation lets the API server vouch for users towards extension API servers. Scheduler and controller manager look
// for it as well and fill their logs with complaints where it is missing.
func (p plan) aggregation() []string {
	return []string{
		"--requestheader-client-ca-file=" + p.pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + p.pki("front-proxy-client.crt"), "--proxy-client-key-file=" + p.pki("front-proxy-client.key"),
	}
}

// controllerManager is patient with nodes. kwok begins its wait for the next heartbeat anew with every change of a Node, so that a node which
// is relabelled often may be silent for longer than the default of 50 s. Its pods would then be called not ready, and a simulated node
// never takes that back as a kubelet does: a StatefulSet would wait for them for ever.
func (p plan) controllerManager() []string {
	flags := []string{
		"--kubeconfig=" + p.config("controller-manager.kubeconfig"),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + p.pki("service-account.key"),
		"--root-ca-file=" + p.pki("ca.crt"),
		"--cluster-signing-cert-file=" + p.pki("ca.crt"), "--cluster-signing-key-file=" + p.pki("ca.key"),
		"--leader-elect=false",
		"--kube-api-qps=200", "--kube-api-burst=400",
		"--node-monitor-grace-period=10m",
	}
	flags = append(flags, p.delegated("controller-manager.kubeconfig")...)
	flags = append(flags, p.serving(p.ports.controllerManager)...)
	return append(flags, p.gates()...)
}

func (p plan) scheduler() []string {
	flags := append([]string{"--config=" + p.config("scheduler.json")}, p.delegated("scheduler.kubeconfig")...)
	flags = append(flags, p.serving(p.ports.scheduler)...)
	return append(flags, p.gates()...)
}

// RealNodeLabel marks nodes that kwok leaves alone, because a kubelet speaks for them.
const RealNodeLabel = "localcluster.test/kubelet"

// kwok keeps nodes ready by heartbeats in their status, not by leases: it would hold back a node whose lease still
// belongs to its predecessor, so a restarted kwok and a node deleted and made anew would stand still for 40 s.
func (p plan) kwok() []string {
	return []string{
		"--kubeconfig=" + p.config("kwok.kubeconfig"),
		"--config=" + p.config("stages.yaml"),
		"--manage-all-nodes=true",
		"--disregard-status-with-label-selector=" + RealNodeLabel, // kwok's positive selectors pass over nodes without any label
		"--node-lease-duration-seconds=0",
		"--cidr=10.244.0.0/16",
		fmt.Sprintf("--server-address=127.0.0.1:%d", p.ports.kwok),
	}
}

func (p plan) serving(port int) []string {
	return []string{
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + p.pki("serving.crt"), "--tls-private-key-file=" + p.pki("serving.key"),
		"--profiling=false",
	}
}

func (p plan) delegated(kubeconfig string) []string {
	return []string{"--authentication-kubeconfig=" + p.config(kubeconfig), "--authorization-kubeconfig=" + p.config(kubeconfig)}
}

func (p plan) gates() []string {
	if len(p.featureGates) == 0 {
		return nil
	}
	var gates []string
	for _, name := range slices.Sorted(maps.Keys(p.featureGates)) {
		gates = append(gates, fmt.Sprintf("%s=%t", name, p.featureGates[name]))
	}
	return []string{"--feature-gates=" + strings.Join(gates, ",")}
}

// writeSchedulerConfig says in a file what has no flags, or only deprecated ones.
func (p plan) writeSchedulerConfig() error {
	data, err := json.MarshalIndent(map[string]any{
		"apiVersion":       "kubescheduler.config.k8s.io/v1",
		"kind":             "KubeSchedulerConfiguration",
		"clientConnection": map[string]any{"kubeconfig": p.config("scheduler.kubeconfig"), "qps": 200, "burst": 400},
		"leaderElection":   map[string]any{"leaderElect": false},
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the scheduler's configuration: %w", err)
	}
	if err := os.WriteFile(p.config("scheduler.json"), data, 0o600); err != nil {
		return fmt.Errorf("writing the scheduler's configuration: %w", err)
	}
	return nil
}

// Components names all components, in the order in which they start.
func Components() []string { return slices.Clone(order) }
