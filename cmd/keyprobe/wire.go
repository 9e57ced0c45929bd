package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/kmip"
	"github.com/terroir-dev/terroir/internal/keystore/pkcs11"
	"github.com/terroir-dev/terroir/internal/keystore/transit"
)

// leaseName is the Lease by which the replicas of one observer agree on who looks. Its permissions are in config/keyprobe/rbac.
func leaseName(observer string) string { return "terroir-keyprobe-" + observer }

func newManager(config *rest.Config, s settings) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("registering kinds: %w", err)
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		LeaderElection:                s.leaderElection,
		LeaderElectionID:              leaseName(s.observer),
		LeaderElectionNamespace:       v1alpha1.SystemNamespace,
		LeaderElectionReleaseOnCancel: true, // the process ends when the manager does
		HealthProbeBindAddress:        s.probeAddress,
		Metrics:                       metricsserver.Options{BindAddress: s.metricsAddress},
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	return mgr, nil
}

// wire adds the observer and the probes to a manager.
func wire(ctx context.Context, mgr ctrl.Manager, s settings) error {
	observer := keystore.NewObserver(keystore.ObserverOptions{
		Name: s.observer, Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Openers: openers(s),
		Now: time.Now, Log: mgr.GetLogger().WithName("observer"), Metrics: metrics.Registry,
	})
	if err := observer.SetupWithManager(ctx, mgr); err != nil {
		return fmt.Errorf("setting up the observer: %w", err)
	}
	return addProbes(mgr)
}

// openers are the types of stores that the agent asks. From a Zone it asks all of them. Beside the operator it leaves to that
// what needs no C.
func openers(s settings) map[v1alpha1.KeyStoreType]keystore.Opener {
	all := map[v1alpha1.KeyStoreType]keystore.Opener{v1alpha1.KeyStorePKCS11: pkcs11.New(s.modules)}
	if s.observer != v1alpha1.AgentObserver {
		all[v1alpha1.KeyStoreKMIP], all[v1alpha1.KeyStoreTransit] = kmip.Open, transit.Open
	}
	return all
}

// addProbes: alive is the process; ready is one that knows which keys there are, and looks at them if it is its turn.
func addProbes(mgr ctrl.Manager) error {
	var follows atomic.Bool
	err := mgr.Add(everywhere(func(ctx context.Context) error { // runnables are started when the caches are filled
		follows.Store(true)
		<-ctx.Done()
		return nil
	}))
	ready := func(*http.Request) error {
		if !follows.Load() {
			return errors.New("it is not known yet which keys there are")
		}
		return nil
	}
	return errors.Join(err, mgr.AddHealthzCheck("process", healthz.Ping), mgr.AddReadyzCheck("follows", ready))
}

// everywhere runs on every replica, not on the one alone whose turn it is.
type everywhere func(context.Context) error

func (e everywhere) Start(ctx context.Context) error { return e(ctx) }

func (everywhere) NeedLeaderElection() bool { return false }
