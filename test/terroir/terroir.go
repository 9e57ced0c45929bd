// Package terroir installs Terroir on a test cluster, as its users do: the CustomResourceDefinitions and the RBAC of config/, and
// the manager as a process that acts as the service account terroir-manager and may do what that account may, no more.
package terroir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/controllers"
	"github.com/terroir-dev/terroir/test/cluster"
)

// Component is the name of the operator among the cluster's components, for StopComponent and StartComponent.
const Component = "terroir"

// Root is the root of this repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Install installs Terroir and returns when it is in force. What is installed already is brought up to date. Further flags of
// the manager may be given; by default it serves its webhooks on loopback, with a certificate of the cluster's authority.
func Install(ctx context.Context, c *cluster.Cluster, flags ...string) error {
	if err := Apply(ctx, c, "-k", "config/crd"); err != nil {
		return err
	}
	if _, err := Kubectl(ctx, c, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"); err != nil {
		return err
	}
	if err := Apply(ctx, c, "-f", "config/namespace/namespace.yaml"); err != nil {
		return err
	}
	for _, part := range []string{"config/rbac", "config/webhook"} {
		if err := Apply(ctx, c, "-k", part); err != nil {
			return err
		}
	}
	if err := startManager(ctx, c, flags); err != nil {
		return err
	}
	return inForce(ctx, c)
}

// Apply applies files of the repository as kubectl apply does, server-side.
func Apply(ctx context.Context, c *cluster.Cluster, how, path string) error {
	_, err := Kubectl(ctx, c, "apply", "--server-side", "--force-conflicts", how, filepath.Join(Root(), path))
	return err
}

// Kubectl runs kubectl as the cluster's administrator. The error contains what it printed.
func Kubectl(ctx context.Context, c *cluster.Cluster, args ...string) (string, error) {
	command := exec.CommandContext(ctx, c.Kubectl(), append([]string{"--kubeconfig", c.Kubeconfig()}, args...)...)
	out, err := command.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %v: %w\n%s", args, err, out)
	}
	return string(out), nil
}

// Client is an administrator's client that knows Terroir's kinds.
func Client(c *cluster.Cluster) (client.Client, error) {
	scheme, err := controllers.Scheme(clientgoscheme.AddToScheme)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	made, err := client.New(c.Config(), client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return made, nil
}

func startManager(ctx context.Context, c *cluster.Cluster, flags []string) error {
	binary, err := build(ctx, c, "manager")
	if err != nil {
		return err
	}
	kubeconfig, err := accountKubeconfig(ctx, c, "terroir-manager")
	if err != nil {
		return err
	}
	certs, err := certificates(c)
	if err != nil {
		return err
	}
	ports, err := cluster.FreePorts(2)
	if err != nil {
		return err
	}
	webhook, probes := ports[0], fmt.Sprintf("127.0.0.1:%d", ports[1])
	flags = append([]string{
		"--kubeconfig", kubeconfig, "--metrics-bind-address", "0", "--health-probe-bind-address", probes,
		"--webhook-host", "127.0.0.1", "--webhook-port", fmt.Sprint(webhook), "--webhook-url", fmt.Sprintf("https://127.0.0.1:%d", webhook),
		"--webhook-certs", "files", "--webhook-cert-dir", certs,
	}, flags...)
	err = c.AddComponent(ctx, Component, "http://"+probes+"/readyz", binary, flags...)
	if err != nil {
		return fmt.Errorf("starting the manager: %w", err)
	}
	return nil
}

// build builds a command, and gives the path of its program.
func build(ctx context.Context, c *cluster.Cluster, command string, environment ...string) (string, error) {
	binary := filepath.Join(c.Dir(), "bin", command)
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/"+command)
	build.Dir, build.Env = Root(), append(os.Environ(), environment...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", command, err, out)
	}
	return binary, nil
}

// accountKubeconfig writes a kubeconfig that acts as a service account of Terroir's.
func accountKubeconfig(ctx context.Context, c *cluster.Cluster, account string) (string, error) {
	clientset, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		return "", fmt.Errorf("making a client: %w", err)
	}
	day := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &day}}
	token, err := clientset.CoreV1().ServiceAccounts(v1alpha1.SystemNamespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking for a token of the service account: %w", err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["local"] = &clientcmdapi.Cluster{Server: c.Config().Host, CertificateAuthorityData: c.CA().CertPEM()}
	config.AuthInfos[account] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["local"] = &clientcmdapi.Context{Cluster: "local", AuthInfo: account, Namespace: v1alpha1.SystemNamespace}
	config.CurrentContext = "local"
	path := filepath.Join(c.Dir(), "config", account+".kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", account, err)
	}
	return path, nil
}

func certificates(c *cluster.Cluster) (dir string, err error) {
	cert, key, ca, err := c.IssueServing("127.0.0.1")
	if err != nil {
		return "", fmt.Errorf("issuing the webhook's certificate: %w", err)
	}
	dir = filepath.Join(c.Dir(), "config", "webhook")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("writing the webhook's certificate: %w", err)
	}
	for name, content := range map[string][]byte{"tls.crt": cert, "tls.key": key, "ca.crt": ca} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir, err
}

// inForce waits until Terroir says that the fence is proven.
func inForce(ctx context.Context, c *cluster.Cluster) error {
	reader, err := Client(c)
	if err != nil {
		return err
	}
	var config v1alpha1.TerroirConfig
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		err := reader.Get(ctx, client.ObjectKey{Name: v1alpha1.ConfigName}, &config)
		return err == nil && meta.IsStatusConditionTrue(config.Status.Conditions, v1alpha1.ConditionReady), client.IgnoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("waiting for the fence: %w; its state is %+v; see %s", err, config.Status, c.Log(Component))
	}
	return nil
}
