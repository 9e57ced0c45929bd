package realnode

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/machine"
)

const (
	staticPods = "static-pods"
	healthPort = 10248
)

// configure writes what the kubelet reads, and gives its command line.
func (n *Node) configure(c *cluster.Cluster, options Options, m machine.Machine) (flags []string, err error) {
	configuration, err := json.MarshalIndent(kubeletConfiguration(options, m), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the kubelet's configuration: %w", err)
	}
	err = errors.Join(
		os.MkdirAll(n.StaticPods(), 0o755),
		os.WriteFile(n.config("kubelet.json"), configuration, 0o600),
		os.WriteFile(n.config("ca.crt"), c.CA().CertPEM(), 0o600),
		n.writeKubeconfig(c))
	if err != nil {
		return nil, fmt.Errorf("configuring the kubelet: %w", err)
	}
	return []string{
		"--config=" + inside("kubelet.json"),
		"--kubeconfig=" + inside("kubeconfig"),
		"--hostname-override=" + options.Name,
		"--node-ip=" + m.Address(),
		"--node-labels=" + nodeLabels(options.Labels),
	}, nil
}

func (n *Node) config(name string) string { return filepath.Join(n.dir, machine.Config, name) }

// inside is where the machine itself has what config names from outside.
func inside(name string) string { return filepath.Join(machine.Inside, name) }

// nodeLabels are set by the kubelet when it registers, the one that keeps kwok away among them.
func nodeLabels(wanted map[string]string) string {
	labels := []string{cluster.RealNodeLabel + "=true"}
	for key, value := range wanted {
		labels = append(labels, key+"="+value)
	}
	slices.Sort(labels)
	return strings.Join(labels, ",")
}

// kubeletConfiguration is for a node with one cluster's tests on it. It has to start on machines of all kinds, whether they have control
// groups of version 1 or 2, swap, or all capabilities of root: nothing is reserved or enforced for the system around the pods.
func kubeletConfiguration(options Options, m machine.Machine) map[string]any {
	return map[string]any{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"staticPodPath":            inside(staticPods),
		"providerID":               options.ProviderID,
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": inside("ca.crt")},
		},
		"authorization":      map[string]any{"mode": "Webhook"},
		"healthzBindAddress": "0.0.0.0", // the cluster asks from outside the machine
		"healthzPort":        healthPort,
		"resolvConf":         "", // pods find the API server by its address

		"failCgroupV1":                  false,
		"cgroupDriver":                  "cgroupfs",
		"cgroupRoot":                    m.Cgroup(),
		"cgroupsPerQOS":                 true,
		"enforceNodeAllocatable":        []string{},
		"localStorageCapacityIsolation": false,
		"failSwapOn":                    false,
		"oomScoreAdj":                   0,
		"makeIPTablesUtilChains":        false,

		// No image may go: none could be had again. And no pod, because of what else fills this machine.
		"imageGCHighThresholdPercent": 100,
		"imageGCLowThresholdPercent":  99,
		"evictionHard":                map[string]any{"memory.available": "1Mi"},

		// Whoever waits here is a test.
		"fileCheckFrequency":        "1s",
		"syncFrequency":             "2s",
		"nodeStatusUpdateFrequency": "2s",
	}
}

// writeKubeconfig lets the kubelet be who it is, and find the API server where the machine has it.
func (n *Node) writeKubeconfig(c *cluster.Cluster) error {
	user := "system:node:" + n.Name
	config, err := c.ConfigFor(user, "system:nodes")
	if err != nil {
		return err
	}
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"local": {Server: "https://" + machine.APIServer, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"local": {Cluster: "local", AuthInfo: user}},
		CurrentContext: "local",
	}, n.config("kubeconfig"))
}
