// Package e2e tests Terroir on a real control plane, installed as its users install it, with simulated nodes.
//
// Tests of the package share one installation and run one after the other: the catalogue belongs to the whole cluster.
package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/terroir-dev/terroir/controllers"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// patience is how long a condition may take on a busy machine. Nothing measures time here.
const patience = 60 * time.Second

// world is the installation that the tests share.
type world struct {
	cluster *cluster.Cluster
	client.Client
	clientset *kubernetes.Clientset
	warnings  *warnings
}

var shared *world

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	log.SetLogger(logr.Discard()) // clients would complain that they have nowhere to log to
	c, err := cluster.Start(context.Background(), cluster.Options{Progress: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = c.Stop() }() // its lifeline ends it anyway
	if err := terroir.Install(context.Background(), c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shared, err = newWorld(c, c.Config()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func newWorld(c *cluster.Cluster, config *rest.Config) (*world, error) {
	w := &world{cluster: c, warnings: &warnings{}}
	config.WarningHandler = w.warnings
	config.QPS = -1
	scheme, err := controllers.Scheme(clientgoscheme.AddToScheme)
	if err != nil {
		return nil, err
	}
	if w.Client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	w.clientset, err = kubernetes.NewForConfig(config)
	return w, err
}

// as is the same world, seen by somebody else.
func (w *world) as(t *testing.T, user string, groups ...string) *world {
	t.Helper()
	config := w.cluster.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	other, err := newWorld(w.cluster, config)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// warnings collects what the API server says beside its answers.
type warnings struct {
	mu   sync.Mutex
	said []string
}

// HandleWarningHeader implements [rest.WarningHandler].
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

// take gives what was said since it was last asked.
func (w *warnings) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := strings.Join(w.said, "\n")
	w.said = nil
	return said
}

// create creates everything in YAML and deletes it at the test's end.
func (w *world) create(t *testing.T, text string) {
	t.Helper()
	for _, o := range terroir.MustObjects(t, text) {
		if err := w.Create(t.Context(), o); err != nil {
			t.Fatalf("creating %s %s: %v", o.GetKind(), o.GetName(), err)
		}
		t.Cleanup(func() { w.remove(t, o) })
	}
}

// remove deletes an object and waits until it is gone.
func (w *world) remove(t *testing.T, o client.Object) {
	t.Helper()
	ctx := context.Background() // the test's own has ended
	if err := client.IgnoreNotFound(w.Delete(ctx, o, client.PropagationPolicy(metav1.DeletePropagationForeground), client.GracePeriodSeconds(0))); err != nil {
		t.Errorf("deleting %T %s: %v", o, o.GetName(), err)
	}
	if o.GetObjectKind().GroupVersionKind().Kind == "Namespace" {
		return // takes long, and no test reuses a namespace
	}
	eventually(t, "it is gone: "+o.GetObjectKind().GroupVersionKind().Kind+" "+o.GetName(), func() error {
		err := w.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			return fmt.Errorf("it is still there, with finalizers %v", o.GetFinalizers())
		}
		return client.IgnoreNotFound(err)
	})
}

// try creates the one object in YAML and returns the error.
func (w *world) try(t *testing.T, text string) error {
	t.Helper()
	o := terroir.MustObjects(t, text)[0]
	err := w.Create(t.Context(), o)
	if err == nil {
		t.Cleanup(func() { w.remove(t, o) })
	}
	return err
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	terroir.Eventually(t, patience, what, check)
}

// node creates a node of an Outscale subregion, with the CSI driver that tells it from an AWS node.
func (w *world) node(t *testing.T, name, subregion string, drivers ...string) {
	t.Helper()
	w.create(t, fmt.Sprintf(`
apiVersion: v1
kind: Node
metadata: {name: %[1]s, labels: {topology.kubernetes.io/zone: %[2]s, topology.kubernetes.io/region: %[3]s, kubernetes.io/hostname: %[1]s}}
spec: {providerID: "aws:///%[2]s/i-%[1]s"}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: %[1]s}
spec: {drivers: [%[4]s]}
`, name, subregion, subregion[:len(subregion)-1], csi(drivers)))
}

func csi(drivers []string) string {
	var entries []string
	for _, d := range drivers {
		entries = append(entries, fmt.Sprintf("{name: %s, nodeID: x}", d))
	}
	return strings.Join(entries, ",")
}

// ground creates a small catalogue of one provider in three zones with a fictitious grant, and nodes there: two in each zone.
func (w *world) ground(t *testing.T) {
	t.Helper()
	w.create(t, catalogue)
	for _, zone := range []string{"a", "b", "c"} {
		for _, n := range []string{"1", "2"} {
			w.node(t, "n"+zone+n, "gouv-west-1"+zone, "bsu.csi.outscale.com")
		}
	}
	w.node(t, "abroad", "abroad-1a", "bsu.csi.outscale.com")
	for _, name := range []string{"na1", "na2", "nb1", "nb2", "nc1", "nc2"} {
		w.labelled(t, name, open("trusted"), "site-"+name[1:2])
	}
}

const catalogue = `
apiVersion: terroir.dev/v1alpha1
kind: Framework
metadata: {name: fictitious-1.0}
spec: {title: Fictitious, version: "1.0", authority: {name: Nobody, kind: State, country: FR}, lifecycle: InForce, levels: [{name: qualified}]}
---
apiVersion: terroir.dev/v1alpha1
kind: CloudProvider
metadata: {name: cloud}
spec:
  legalEntity: Cloud SAS
  seat: FR
  recognition: {providerIDPrefixes: ["aws:///"], csiDrivers: [bsu.csi.outscale.com]}
  offers: [{name: kubernetes, serviceModel: CaaS, administrationFrom: [FR]}]
---
apiVersion: terroir.dev/v1alpha1
kind: Qualification
metadata: {name: grant}
spec:
  framework: fictitious-1.0
  levels: [qualified]
  subject: {provider: cloud, offer: kubernetes, regions: [gouv-west-1]}
  state: Granted
  validUntil: "2099-01-01T00:00:00Z"
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: trusted}
spec: {countries: [FR], qualifications: [{anyOf: [{framework: fictitious-1.0, levels: [qualified]}]}]}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: gouv-west-1a}
spec: {country: FR, provider: cloud, offer: kubernetes, region: gouv-west-1, site: site-a, recognition: {providerIDPrefixes: ["aws:///gouv-west-1a/"], csiDrivers: [bsu.csi.outscale.com]}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: gouv-west-1b}
spec: {country: FR, provider: cloud, offer: kubernetes, region: gouv-west-1, site: site-b, recognition: {providerIDPrefixes: ["aws:///gouv-west-1b/"], csiDrivers: [bsu.csi.outscale.com]}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: gouv-west-1c}
spec: {country: FR, provider: cloud, offer: kubernetes, region: gouv-west-1, site: site-c, recognition: {providerIDPrefixes: ["aws:///gouv-west-1c/"], csiDrivers: [bsu.csi.outscale.com]}}
`

// labelled waits until a node carries a label, or, for an empty value, does not.
func (w *world) labelled(t *testing.T, node, key, value string) {
	t.Helper()
	eventually(t, fmt.Sprintf("node %s has %s=%q", node, key, value), func() error {
		var n corev1.Node
		if err := w.Get(t.Context(), client.ObjectKey{Name: node}, &n); err != nil {
			return err
		}
		if n.Labels[key] != value {
			return fmt.Errorf("its labels are %v", n.Labels)
		}
		return nil
	})
}

// pods waits until a namespace has so many running pods, and gives them.
func (w *world) pods(t *testing.T, namespace string, running int) []corev1.Pod {
	t.Helper()
	var found []corev1.Pod
	eventually(t, fmt.Sprintf("%d pods run in %s", running, namespace), func() error {
		var list corev1.PodList
		if err := w.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		found = nil
		for i := range list.Items {
			if list.Items[i].Status.Phase == corev1.PodRunning {
				found = append(found, list.Items[i])
			}
		}
		if len(found) != running {
			return fmt.Errorf("%d of %d pods run", len(found), len(list.Items))
		}
		return nil
	})
	return found
}

// perSite counts pods by the site of their node, as its open or held label and name tell: nodes are named n<site><number>.
func perSite(pods []corev1.Pod) map[string]int {
	count := map[string]int{}
	for i := range pods {
		count[pods[i].Spec.NodeName[:len(pods[i].Spec.NodeName)-1]]++
	}
	return count
}
