package webhook

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/trust"
)

// Paths of the handlers.
const (
	PodsPath       = "/pods"
	WorkloadsPath  = "/workloads"
	BindingsPath   = "/bindings"
	NamespacesPath = "/namespaces"
	CataloguePath  = "/catalogue"
	PoliciesPath   = "/policies"
	ClaimsPath     = "/claims"
)

// Snapshots gives the compiled catalogue, policies and settings, or false while there are none. A [snapshot.Store] does.
type Snapshots interface {
	Load() (*snapshot.Snapshot, bool)
}

// Namespaces gives a namespace as the cache has it, or false if it has none of that name. The maps are only read, and must not
// change afterwards. It is asked once for every pod: it should not copy.
type Namespaces interface {
	Namespace(name string) (policy.Namespace, bool)
}

// Nodes gives all nodes as the cache has them. They are only read.
type Nodes interface {
	Nodes() []*corev1.Node
}

// Facts gives what is known of all nodes, as the cache has it. The facts are only read.
type Facts interface {
	NodeFacts() []trust.NodeFacts
}

// Owing looks at all pods once, and then counts the unfinished ones on a node that owe a trust level.
type Owing interface {
	Owing() func(node, level string) int
}

// Violating counts the unfinished pods that run where the policies of a set do not want them, and their namespaces. The set holds only the
// policy that is being written; it does not know which namespaces TerroirConfig exempts.
type Violating interface {
	Violating(set *policy.Set) (pods, namespaces int)
}

// Classes gives all StorageClasses, or false where something of them could not be read. It is asked for single claims, never for pods.
type Classes interface {
	Classes() ([]placement.Class, bool)
}

// LetGo names a pod, by namespace and claim, that waits for a node and has been let go for a claim of that name; empty: there is none. It is false while the
// cache does not know the pods.
type LetGo interface {
	LetGo(namespace, claim string) (pod string, known bool)
}

// Reader reads an object from the API server itself, not from a cache. A manager's API reader does.
type Reader interface {
	Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error
}

// Options are what the handlers look at. Fields without a remark are required.
type Options struct {
	Snapshots  Snapshots
	Namespaces Namespaces
	Nodes      Nodes
	Facts      Facts
	Owing      Owing
	// Violating may be nil: then nothing is said about running pods when a policy is written.
	Violating Violating
	// Classes may be nil: then claims are not admitted where encryption is owed, and nothing is said about them before.
	Classes Classes
	// LetGo may be nil: then claims are not admitted where encryption is owed.
	LetGo LetGo
	Live  Reader
	// Now is the clock. It is asked once per review.
	Now func() time.Time
	// Log hears of errors only. Its zero value is silent.
	Log logr.Logger
	// Metrics, unless nil, counts decisions and their duration.
	Metrics prometheus.Registerer
}

// Handlers are the admission handlers. They keep no state but what they remember of the current snapshot.
type Handlers struct {
	Options
	seen     *seen
	remember atomic.Pointer[era]
}

// New makes the handlers. It fails only when its metrics are registered already.
func New(o Options) (*Handlers, error) {
	seen, err := newSeen(o.Metrics)
	if err != nil {
		return nil, err
	}
	return &Handlers{Options: o, seen: seen}, nil
}

// Register puts each handler under its path. An [http.ServeMux] does, such as the one of controller-runtime's webhook server.
func (h *Handlers) Register(mux interface {
	Handle(path string, handler http.Handler)
},
) {
	mux.Handle(PodsPath, h.podsHook())
	mux.Handle(WorkloadsPath, h.workloadsHook())
	mux.Handle(BindingsPath, h.bindingsHook())
	mux.Handle(NamespacesPath, h.namespacesHook())
	mux.Handle(CataloguePath, h.catalogueHook())
	mux.Handle(PoliciesPath, h.policiesHook())
	mux.Handle(ClaimsPath, h.claimsHook())
}

func (h *Handlers) podsHook() *hook[placement.Pod] {
	return newHook(h, "pods", h.pods).reading(podReview)
}

func (h *Handlers) workloadsHook() *hook[workload] { return newHook(h, "workloads", h.workloads) }

func (h *Handlers) bindingsHook() *hook[binding] { return newHook(h, "bindings", h.bindings) }

func (h *Handlers) namespacesHook() *hook[namespace] { return newHook(h, "namespaces", h.namespaces) }

func (h *Handlers) claimsHook() *hook[claim] { return newHook(h, "claims", h.claims) }

func (h *Handlers) catalogueHook() *hook[entry] {
	return newHook(h, "catalogue", h.catalogue).advising()
}

func (h *Handlers) policiesHook() *hook[policyObject] {
	return newHook(h, "policies", h.policies).advising()
}
