package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Options say what kind of cluster to start. The zero value is a private one in a temporary directory.
type Options struct {
	// Dir is the state directory: data, certificates, kubeconfigs, logs. Empty means a temporary one, removed by Stop.
	Dir string
	// Detached lets the cluster outlive the process that started it; Attach and Stop end it.
	Detached bool
	// APIServerFlags are added to the API server's command line, e.g. "--runtime-config=...".
	APIServerFlags []string
	// FeatureGates are set in the API server, the controller manager and the scheduler.
	FeatureGates map[string]bool
	// Progress is told about a build of the binaries; nil means os.Stderr.
	Progress io.Writer
}

// Cluster is a running control plane with simulated nodes.
type Cluster struct {
	dir       string
	server    string // URL of the API server
	authority *Authority
	admin     *rest.Config

	mu    sync.Mutex
	state *state
	// lifeline is held by the owner of a cluster that is not detached. Never read: that it is open is the point.
	lifeline *os.File
}

const (
	startTimeout = 90 * time.Second // a machine under load; an idle one takes a few seconds
	portAttempts = 4
	stopGrace    = 10 * time.Second
)

// Start builds the control plane if need be, starts it and returns when it is ready: the API server answers, the
// controllers run, namespace default has its service account. The context bounds the start, not the cluster's life.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	if options.Progress == nil {
		options.Progress = os.Stderr
	}
	binaries, err := Build(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	c, unlock, err := claim(options, binaries)
	if err != nil {
		return nil, err
	}
	defer unlock()
	for attempt := 1; ; attempt++ {
		err = c.bringUp(ctx, options)
		if err == nil {
			return c, nil
		}
		_ = c.killAll()
		if attempt == portAttempts || !errors.Is(err, errPortTaken) {
			break
		}
	}
	c.abandon(ctx)
	return nil, fmt.Errorf("starting the local cluster in %s: %w", c.dir, err)
}

// abandon clears away after a failed start. The logs stay, since the error points to one, unless somebody interrupted
// us: then nothing failed.
func (c *Cluster) abandon(ctx context.Context) {
	c.letGo()
	if c.state.Temporary && ctx.Err() != nil {
		_ = os.RemoveAll(c.dir)
		return
	}
	_ = removeOurs(c.dir)
}

// claim makes the state directory ours, or says who has it.
func claim(options Options, binaries Binaries) (c *Cluster, unlock func(), err error) {
	c = &Cluster{state: &state{Binaries: binaries, Detached: options.Detached, Temporary: options.Dir == ""}}
	c.dir, err = stateDir(options.Dir)
	if err != nil {
		return nil, nil, err
	}
	if unlock, err = lockDir(c.dir); err != nil {
		return nil, nil, err
	}
	if err := c.furnish(); err != nil {
		unlock()
		return nil, nil, err
	}
	return c, unlock, nil
}

// lockDir keeps others from starting or stopping a cluster in the same directory at the same time.
func lockDir(dir string) (unlock func(), err error) {
	unlock, err = tryLock(filepath.Join(dir, "cluster.lock"))
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another process is starting or stopping a cluster in %s at this moment: wait for it, or choose another directory", dir)
	}
	return unlock, err
}

func stateDir(dir string) (string, error) {
	if dir == "" {
		sweep()
		return os.MkdirTemp("", temporaryPrefix)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("resolving the state directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the state directory: %w", err)
	}
	return dir, nil
}

const temporaryPrefix = "terroir-cluster-"

// sweep removes temporary directories whose cluster died with its owner, by SIGKILL for instance. One that has no
// state yet may be just about to start and is left alone.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	for _, dir := range dirs {
		s, err := readState(dir)
		if err == nil && s.Temporary && !s.Owner.alive() && s.running() == "" {
			_ = os.RemoveAll(dir)
		}
	}
}

// furnish clears away what a dead cluster left and makes certificates and the lifeline for the new one.
func (c *Cluster) furnish() error {
	old, err := readState(c.dir)
	if err != nil {
		return err
	}
	if name := old.running(); name != "" {
		return alreadyRunning(c.dir, name, old.Components[name].Process.PID)
	}
	if err := removeOurs(c.dir); err != nil {
		return err
	}
	for _, name := range []string{"data", "pki", "kubeconfigs", "config", "logs", "bin"} {
		if err := os.MkdirAll(filepath.Join(c.dir, name), 0o700); err != nil {
			return fmt.Errorf("making the state directory: %w", err)
		}
	}
	if err := c.certify(); err != nil {
		return err
	}
	started, _ := startOf(os.Getpid())
	c.state.Owner = identity{PID: os.Getpid(), Started: started}
	if !c.state.Detached {
		c.lifeline, err = holdLifeline(c.dir)
	}
	return err
}

// ErrRunning says that the state directory already has a running cluster.
var ErrRunning = errors.New("a cluster is already running")

func alreadyRunning(dir, component string, pid int) error {
	return fmt.Errorf("%w in %s (%s is process %d): stop it with \"go run ./test/cmd/localcluster down --dir %s\", or choose another directory",
		ErrRunning, dir, component, pid, dir)
}

// certify makes the authorities and the certificates the components use among themselves.
func (c *Cluster) certify() error {
	pki := filepath.Join(c.dir, "pki")
	var err error
	if c.authority, err = newAuthority("kubernetes-ca"); err != nil {
		return err
	}
	serving, err := c.authority.issueServing("localhost", "127.0.0.1", "10.96.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	// Logs and exec of real nodes; simulated ones do not ask who is there.
	kubelets, err := c.authority.issueClient("kube-apiserver-kubelet-client", "system:masters")
	if err != nil {
		return err
	}
	return errors.Join(
		c.authority.save(pki, "ca"),
		serving.save(pki, "serving"),
		kubelets.save(pki, "kubelet-client"),
		certifyEtcd(pki),
		certifyAggregation(pki),
		saveServiceAccountKey(filepath.Join(pki, "service-account.key")))
}

// certifyEtcd gives etcd an authority of its own: no client certificate of the cluster opens the store beneath it.
func certifyEtcd(pki string) error {
	authority, err := newAuthority("etcd-ca")
	if err != nil {
		return err
	}
	server, errServer := authority.issueServing("localhost", "127.0.0.1")
	client, errClient := authority.issueClient("kube-apiserver")
	if err := errors.Join(errServer, errClient); err != nil {
		return err
	}
	return errors.Join(authority.save(pki, "etcd-ca"), server.save(pki, "etcd"), client.save(pki, "etcd-client"))
}

// certifyAggregation takes an authority of its own too: whoever it certifies may claim to be anybody.
func certifyAggregation(pki string) error {
	authority, err := newAuthority("front-proxy-ca")
	if err != nil {
		return err
	}
	client, err := authority.issueClient("front-proxy-client")
	if err != nil {
		return err
	}
	return errors.Join(authority.save(pki, "front-proxy-ca"), client.save(pki, "front-proxy-client"))
}

// saveServiceAccountKey writes the key that signs service account tokens, RSA as everywhere in the field.
func saveServiceAccountKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("generating the service account key: %w", err)
	}
	block := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(path, pem.EncodeToMemory(&block), 0o600); err != nil {
		return fmt.Errorf("writing the service account key: %w", err)
	}
	return nil
}

// bringUp makes one attempt on one set of ports.
func (c *Cluster) bringUp(ctx context.Context, options Options) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.configure(options); err != nil {
		return err
	}
	for _, name := range []string{Etcd, APIServer} {
		if err := c.startAndWait(ctx, name); err != nil {
			return err
		}
	}
	clients := []string{ControllerManager, Scheduler, Kwok}
	for _, name := range clients {
		if err := c.launch(name); err != nil {
			return err
		}
	}
	for _, name := range clients {
		if err := c.ready(ctx, name); err != nil {
			return err
		}
	}
	return c.serviceAccountReady(ctx)
}

// configure chooses ports and writes every file that depends on them.
func (c *Cluster) configure(options Options) error {
	chosen, err := freePorts()
	if err != nil {
		return err
	}
	p := plan{dir: c.dir, ports: chosen, apiFlags: options.APIServerFlags, featureGates: options.FeatureGates}
	c.server = loopback("https", chosen.apiServer, "")
	c.state.Server = c.server
	c.state.Components = p.components()
	if c.admin, err = c.ConfigFor("admin", "system:masters"); err != nil {
		return err
	}
	return errors.Join(
		removeRemains(c.dir),
		c.writeKubeconfig(c.Kubeconfig(), "admin", "system:masters"),
		c.writeKubeconfig(p.config("controller-manager.kubeconfig"), "system:kube-controller-manager"),
		c.writeKubeconfig(p.config("scheduler.kubeconfig"), "system:kube-scheduler"),
		c.writeKubeconfig(p.config("kwok.kubeconfig"), "kwok", "system:masters"),
		p.writeSchedulerConfig(),
		copyFile(c.state.Binaries.Stages(), p.config("stages.yaml")),
		relink(c.state.Binaries.Path("kubectl"), filepath.Join(c.dir, "bin", "kubectl")))
}

// removeRemains removes what an earlier cluster or attempt left: logs, lest an old failure be taken for a new one, and
// etcd's data, which name the ports of then.
func removeRemains(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, "data", "etcd")); err != nil {
		return fmt.Errorf("removing old data: %w", err)
	}
	for _, name := range order {
		if err := os.Remove(logPath(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing an old log: %w", err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	return os.WriteFile(to, data, 0o600)
}

func relink(target, link string) error {
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replacing a link: %w", err)
	}
	return os.Symlink(target, link)
}

// serviceAccountReady waits for what most pods need before they are admitted.
func (c *Cluster) serviceAccountReady(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	waiting := until(ctx, func() bool {
		_, err = client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
	if waiting != nil {
		return c.failure(ControllerManager, fmt.Errorf("waiting for the default service account: %w", errors.Join(waiting, err)))
	}
	return nil
}

// Attach finds the running cluster of a state directory.
func Attach(dir string) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolving the state directory: %w", err)
	}
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	if s.running() == "" {
		return nil, fmt.Errorf("%w in %s", ErrNotRunning, dir)
	}
	c := &Cluster{dir: dir, server: s.Server, state: s}
	if c.authority, err = loadAuthority(filepath.Join(dir, "pki"), "ca"); err != nil {
		return nil, err
	}
	c.admin, err = c.ConfigFor("admin", "system:masters")
	return c, err
}

// ErrNotRunning says that the state directory has no running cluster.
var ErrNotRunning = errors.New("no cluster is running")

// Dir is the state directory; another process attaches to the cluster by it.
func (c *Cluster) Dir() string { return c.dir }

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.dir, "kubeconfig") }

// Kubectl is the path of a kubectl of the cluster's version.
func (c *Cluster) Kubectl() string { return filepath.Join(c.dir, "bin", "kubectl") }

// Log is the path of a component's log.
func (c *Cluster) Log(component string) string { return logPath(c.dir, component) }

// Config is a copy of the administrator's client configuration, without client-side rate limit.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.admin) }

// CA is the cluster's certificate authority.
func (c *Cluster) CA() *Authority { return c.authority }

// IssueServing issues a serving certificate by the cluster's authority, for a webhook for instance.
func (c *Cluster) IssueServing(hosts ...string) (certPEM, keyPEM, caPEM []byte, err error) {
	return c.authority.IssueServing(hosts...)
}

func logPath(dir, component string) string { return filepath.Join(dir, "logs", component+".log") }

// Stopped names the components whose process is not alive.
func (c *Cluster) Stopped() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(order), func(name string) bool { return c.state.Components[name].Process.alive() })
}

// Runs tells whether the cluster has a component of that name whose process is alive.
func (c *Cluster) Runs(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	component, err := c.component(name)
	return err == nil && component.Process.alive()
}

// Stop ends every process and removes the data. Logs stay, unless the directory was a temporary one. It is not
// graceful: nothing of the cluster is going to be used again. Stopping twice is fine.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	unlock, err := lockDir(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil // stopped before, and the temporary directory removed
	}
	if err != nil {
		return err
	}
	defer unlock()
	return c.stop()
}

func (c *Cluster) stop() error {
	if err := c.reload(); err != nil {
		return err
	}
	if err := c.killAll(); err != nil {
		return fmt.Errorf("stopping the local cluster in %s: %w", c.dir, err)
	}
	c.letGo()
	if c.state.Temporary {
		return os.RemoveAll(c.dir)
	}
	return removeOurs(c.dir)
}

// StopIn stops whatever cluster a state directory has, and clears away what a dead one left. It tells whether one ran.
func StopIn(dir string) (ran bool, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return false, fmt.Errorf("resolving the state directory: %w", err)
	}
	s, err := readState(dir)
	if err != nil || s.Components == nil {
		return false, err
	}
	c := &Cluster{dir: dir, state: s}
	ran = s.running() != ""
	return ran, c.Stop()
}

// killAll signals all before it waits for any.
func (c *Cluster) killAll() error {
	for _, component := range c.state.Components {
		component.Process.signal(component.lastSignal())
	}
	var errs []error
	for _, component := range c.state.Components {
		if component.Finishes {
			errs = append(errs, component.Process.stop())
			continue
		}
		errs = append(errs, component.Process.kill())
	}
	return errors.Join(errs...)
}

func (c *component) lastSignal() syscall.Signal {
	if c.Finishes {
		return syscall.SIGTERM
	}
	return syscall.SIGKILL
}

// LetFinish has Stop ask a component to end, and wait for it, where it would kill it: it has something to clear away.
func (c *Cluster) LetFinish(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	component, err := c.component(name)
	if err != nil {
		return err
	}
	component.Finishes = true
	return c.state.write(c.dir)
}

// letGo closes the lifeline.
func (c *Cluster) letGo() {
	if c.lifeline != nil {
		_ = c.lifeline.Close()
		c.lifeline = nil
	}
}

// reload reads the state anew: another attached process may have stopped or started components since.
func (c *Cluster) reload() error {
	current, err := readState(c.dir)
	if err != nil {
		return err
	}
	if current.Components != nil {
		c.state = current
	}
	return nil
}

// StopComponent stops one component, gently, and leaves the others running. Its data stay.
func (c *Cluster) StopComponent(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	component, err := c.component(name)
	if err != nil {
		return err
	}
	if err := component.Process.stop(); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	return nil
}

// StartComponent starts a stopped component again and returns when it is ready. One that runs is left alone.
func (c *Cluster) StartComponent(ctx context.Context, name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	component, err := c.component(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if component.Process.alive() {
		return c.ready(ctx, name)
	}
	return c.startAndWait(ctx, name)
}

// RestartWith starts a component anew with other arguments, as an upgrade does, and returns when it is ready.
func (c *Cluster) RestartWith(ctx context.Context, name string, change func(args []string) []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	component, err := c.component(name)
	if err != nil {
		return err
	}
	if err := component.Process.stop(); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	component.Args = change(component.Args)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return c.startAndWait(ctx, name)
}

// AddComponent starts a further program as part of the cluster and returns when readyURL answers 200: it ends with the cluster,
// and StopComponent and StartComponent know it by name. A component of that name that is there already is replaced.
func (c *Cluster) AddComponent(ctx context.Context, name, readyURL, program string, args ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.reload(); err != nil {
		return err
	}
	if old := c.state.Components[name]; old != nil {
		if err := old.Process.stop(); err != nil {
			return fmt.Errorf("stopping the %s that is there: %w", name, err)
		}
	}
	c.state.Components[name] = &component{Program: tether, Args: append([]string{program}, args...), Ready: readyURL}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return c.startAndWait(ctx, name)
}

// tether is the program of test/localcluster that lets any other one end with the cluster.
const tether = "tether"

func (c *Cluster) component(name string) (*component, error) {
	if err := c.reload(); err != nil {
		return nil, err
	}
	found := c.state.Components[name]
	if found == nil {
		return nil, fmt.Errorf("the cluster has no component %q; it has %s", name, strings.Join(order, ", "))
	}
	return found, nil
}
