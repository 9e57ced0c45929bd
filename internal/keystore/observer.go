package keystore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// What an observer may do. Secrets it reads by name, and in this namespace alone.
//
// +kubebuilder:rbac:groups=terroir.dev,resources=keystores;encryptionkeys,verbs=get;list;watch
// +kubebuilder:rbac:groups=terroir.dev,resources=keyobservations,verbs=get;list;watch;create;update;patch;delete
// +kubebuilder:rbac:groups=terroir.dev,resources=keystores/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get,namespace=terroir-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;list;watch;create;update;patch,namespace=terroir-system

// ObserverOptions are what an observer needs.
type ObserverOptions struct {
	// Name is v1alpha1.ManagerObserver, v1alpha1.AgentObserver, or the Zone from which the observer asks.
	Name string
	// Client writes, and reads KeyStores, EncryptionKeys and KeyObservations from a cache.
	Client client.Client
	// Live reads past any cache: the Secrets that KeyStores name, KeyStores where a PIN depends on it, and the observer's own Leases. It is
	// asked for single objects, never for lists.
	Live client.Reader
	// Openers say which types of stores this process can ask.
	Openers map[v1alpha1.KeyStoreType]Opener
	Now     func() time.Time
	Log     logr.Logger
	// Metrics is where probes are counted. Nil: nowhere.
	Metrics prometheus.Registerer
}

// Observer asks the stores that are its to ask, and writes what it saw.
//
// One goroutine for each store does the asking, so that a store that hangs holds up no other. One more follows which stores there are.
type Observer struct {
	ObserverOptions

	seen *seen
	news chan struct{} // one place: what is to be done is found out by looking
	mu   sync.Mutex
	// touched are the stores of which something changed since the follower last looked.
	touched map[string]bool
}

// NewObserver makes an observer. It does nothing before it is started.
func NewObserver(o ObserverOptions) *Observer {
	return &Observer{ObserverOptions: o, seen: newSeen(), news: make(chan struct{}, 1), touched: map[string]bool{}}
}

// SetupWithManager has the manager start the observer, on its leader alone, and tells the observer of every change of stores and keys.
func (o *Observer) SetupWithManager(ctx context.Context, mgr manager.Manager) error {
	if err := o.seen.register(o.Metrics); err != nil {
		return err
	}
	for object, handler := range map[client.Object]toolscache.ResourceEventHandler{
		&v1alpha1.KeyStore{}:       o.onChange(func(s client.Object) string { return s.GetName() }),
		&v1alpha1.EncryptionKey{}:  o.onChange(storeOfKey),
		&v1alpha1.KeyObservation{}: toolscache.ResourceEventHandlerFuncs{DeleteFunc: o.onDelete(storeOfObservation)},
	} {
		informer, err := mgr.GetCache().GetInformer(ctx, object)
		if err != nil {
			return fmt.Errorf("following %T: %w", object, err)
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("following %T: %w", object, err)
		}
	}
	if err := mgr.Add(o); err != nil {
		return fmt.Errorf("adding the observer %s: %w", o.Name, err)
	}
	return nil
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: of the processes of one name one asks.
func (o *Observer) NeedLeaderElection() bool { return true }

// Touch tells the observer that something changed of a store or of its keys.
func (o *Observer) Touch(store string) {
	o.mu.Lock()
	o.touched[store] = true
	o.mu.Unlock()
	select {
	case o.news <- struct{}{}:
	default: // it will look anyway
	}
}

// take gives the stores that were touched since it was last called.
func (o *Observer) take() map[string]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	touched := o.touched
	o.touched = map[string]bool{}
	return touched
}

// asks reports whether the store is this observer's to ask. A store of type Declared is nobody's: there is no opener for it.
func (o *Observer) asks(store *v1alpha1.KeyStore) bool {
	_, can := o.Openers[store.Spec.Type]
	if store.Spec.Probe.From == v1alpha1.ProbeFromAgent {
		return can && o.Name != v1alpha1.ManagerObserver && o.Name != v1alpha1.AgentObserver
	}
	return can && o.Name == ForManager(store.Spec.Type)
}

// ForManager is who asks a store of that type whose probe is from Manager. Vendors' libraries are loaded by an agent of its own name, so that
// whoever takes one over speaks for no other store.
func ForManager(of v1alpha1.KeyStoreType) string {
	if of == v1alpha1.KeyStorePKCS11 {
		return v1alpha1.AgentObserver
	}
	return v1alpha1.ManagerObserver
}

// disowns reports whether what was told of keys in the store under this observer's name is to be taken back: it does not ask it any more. Of a store that this
// process cannot ask nothing is taken back: a newer version of it may have told that. Nil is a store that is gone.
func (o *Observer) disowns(store *v1alpha1.KeyStore) bool {
	if store == nil || store.Spec.Type == v1alpha1.KeyStoreDeclared {
		return true
	}
	_, can := o.Openers[store.Spec.Type]
	return can && !o.asks(store)
}

func storeOfKey(o client.Object) string {
	if k, ok := o.(*v1alpha1.EncryptionKey); ok {
		return string(k.Spec.Store)
	}
	return ""
}

func storeOfObservation(o client.Object) string {
	if k, ok := o.(*v1alpha1.KeyObservation); ok {
		return string(k.Spec.Store)
	}
	return ""
}

// onChange hears of what is new, gone, or has another spec. A status says nothing that is not known already.
func (o *Observer) onChange(store func(client.Object) string) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(added any) {
			if object, ok := added.(client.Object); ok {
				o.Touch(store(object))
			}
		},
		UpdateFunc: func(before, after any) {
			was, ok := before.(client.Object)
			is, also := after.(client.Object)
			if ok && also && (was.GetGeneration() != is.GetGeneration() || was.GetUID() != is.GetUID()) {
				o.Touch(store(is))
			}
		},
		DeleteFunc: o.onDelete(store),
	}
}

func (o *Observer) onDelete(store func(client.Object) string) func(any) {
	return func(deleted any) {
		if tombstone, ok := deleted.(toolscache.DeletedFinalStateUnknown); ok {
			deleted = tombstone.Obj
		}
		if object, ok := deleted.(client.Object); ok {
			o.Touch(store(object))
		}
	}
}
