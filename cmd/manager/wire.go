package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/controllers"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/kmip"
	"github.com/terroir-dev/terroir/internal/keystore/transit"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/webhook"
)

// Names of what the manager serves by and keeps its certificate in.
const (
	leaseName      = "terroir-manager"
	webhookDNSName = "terroir-webhook." + v1alpha1.SystemNamespace + ".svc"
)

// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch,namespace=terroir-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update,namespace=terroir-system

func newManager(config *rest.Config, s settings) (ctrl.Manager, error) {
	scheme, err := controllers.Scheme(clientgoscheme.AddToScheme)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.CacheOptions(),
		LeaderElection:                s.leaderElection,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       v1alpha1.SystemNamespace,
		LeaderElectionReleaseOnCancel: true, // the process ends when the manager does
		HealthProbeBindAddress:        s.probeAddress,
		Metrics:                       metricsserver.Options{BindAddress: s.metricsAddress},
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{
			Host: s.webhookHost, Port: s.webhookPort, CertDir: s.certDir,
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("making the manager: %w", err)
	}
	return mgr, nil
}

// wire adds controllers, webhooks and probes to a manager.
func wire(ctx context.Context, mgr ctrl.Manager, s settings) error {
	store := &snapshot.Store{}
	certified, ca, err := certificates(mgr, s)
	if err != nil {
		return err
	}
	asking, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Store: store, Now: time.Now, Recorder: mgr.GetEventRecorder("terroir"), Registerer: metrics.Registry,
		Metrics: func(ctx context.Context) (io.ReadCloser, error) {
			return asking.RESTClient().Get().AbsPath("/metrics").Stream(ctx)
		},
		Serves: func() (bool, error) { return serves(mgr.GetRESTMapper(), "MutatingAdmissionPolicy") },
		Webhooks: func(exempt []string, shapes bool) []runtime.Object {
			configurations := webhook.Configurations(webhook.ConfigurationOptions{URL: s.webhookURL, CABundle: ca, Exempt: exempt, Mutating: shapes})
			return append(configurations, webhook.Endpoint()...)
		},
	})
	if err != nil {
		return fmt.Errorf("setting up the controllers: %w", err)
	}
	if err := observe(ctx, mgr); err != nil {
		return err
	}
	handlers, err := newHandlers(mgr, store)
	if err != nil {
		return err
	}
	return errors.Join(serveWhen(mgr, certified, handlers), addProbes(mgr, store, certified))
}

// observe has the leader ask the key stores that can be asked without a vendor's library. cmd/keyprobe asks the others.
func observe(ctx context.Context, mgr ctrl.Manager) error {
	observer := keystore.NewObserver(keystore.ObserverOptions{
		Name: v1alpha1.ManagerObserver, Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Now: time.Now, Log: mgr.GetLogger().WithName("keys"), Metrics: metrics.Registry,
		Openers: map[v1alpha1.KeyStoreType]keystore.Opener{v1alpha1.KeyStoreKMIP: kmip.Open, v1alpha1.KeyStoreTransit: transit.Open},
	})
	if err := observer.SetupWithManager(ctx, mgr); err != nil {
		return fmt.Errorf("setting up the observer of keys: %w", err)
	}
	return nil
}

// serves says whether the API server knows version 1 of a kind of admissionregistration.k8s.io. Whoever cannot tell must not guess: the
// fence would be half of what it can be.
func serves(mapper meta.RESTMapper, kind string) (bool, error) {
	gvk := admissionregistrationv1.SchemeGroupVersion.WithKind(kind)
	_, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	switch {
	case err == nil:
		return true, nil
	case meta.IsNoMatchError(err):
		return false, nil
	default:
		return false, fmt.Errorf("asking whether the API server serves %s: %w", kind, err)
	}
}

// certificates sees to the webhook server's certificate. certified is closed when it is there; ca is nil where somebody else puts the
// authority into the webhook configurations.
func certificates(mgr ctrl.Manager, s settings) (certified chan struct{}, ca []byte, err error) {
	certified = make(chan struct{})
	switch s.certs {
	case "files":
		close(certified)
		ca, err = os.ReadFile(filepath.Join(s.certDir, "ca.crt"))
		if err != nil && !os.IsNotExist(err) { // without it, whoever issued the certificate injects its authority
			return nil, nil, fmt.Errorf("reading the certificate authority: %w", err)
		}
		return certified, ca, nil
	case "self":
		return certified, nil, rotate(mgr, s.certDir, certified)
	default:
		return nil, nil, fmt.Errorf("--webhook-certs is %q; it must be self or files", s.certs)
	}
}

// rotate has a certificate made and renewed, and its authority put into the webhook configurations.
func rotate(mgr ctrl.Manager, dir string, certified chan struct{}) error {
	err := rotator.AddRotator(mgr, &rotator.CertRotator{
		SecretKey:      types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: webhook.CertificateName},
		CertDir:        dir,
		CAName:         "terroir-ca",
		CAOrganization: "terroir",
		DNSName:        webhookDNSName,
		IsReady:        certified,
		FieldOwner:     v1alpha1.FieldOwner + "-certificates",
		Webhooks: []rotator.WebhookInfo{
			{Name: webhook.ConfigurationName, Type: rotator.Mutating},
			{Name: webhook.ConfigurationName, Type: rotator.Validating},
		},
	})
	if err != nil {
		return fmt.Errorf("setting up certificates: %w", err)
	}
	return nil
}

func newHandlers(mgr ctrl.Manager, store *snapshot.Store) (*webhook.Handlers, error) {
	lookups := controllers.Lookups{Cache: mgr.GetCache(), Live: mgr.GetAPIReader(), Store: store, Now: time.Now}
	handlers, err := webhook.New(webhook.Options{
		Snapshots: store, Namespaces: lookups, Nodes: lookups, Facts: lookups, Owing: lookups, Violating: lookups, Classes: lookups, LetGo: lookups,
		Live: mgr.GetAPIReader(), Now: time.Now, Log: mgr.GetLogger().WithName("webhook"), Metrics: metrics.Registry,
	})
	if err != nil {
		return nil, fmt.Errorf("making the admission handlers: %w", err)
	}
	return handlers, nil
}

// serveWhen starts the webhook server, on every replica, as soon as there is a certificate.
func serveWhen(mgr ctrl.Manager, certified <-chan struct{}, handlers *webhook.Handlers) error {
	return mgr.Add(everywhere(func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-certified:
		}
		server := mgr.GetWebhookServer() // which adds it to the manager
		handlers.Register(registrar{server})
		return nil
	}))
}

// registrar fits controller-runtime's server to what handlers register with.
type registrar struct{ server ctrlwebhook.Server }

func (r registrar) Handle(path string, h http.Handler) { r.server.Register(path, h) }

// everywhere runs on every replica, not on the leader alone.
type everywhere func(context.Context) error

func (e everywhere) Start(ctx context.Context) error { return e(ctx) }

func (everywhere) NeedLeaderElection() bool { return false }

// addProbes: alive is the process; ready is one that can judge.
func addProbes(mgr ctrl.Manager, store *snapshot.Store, certified <-chan struct{}) error {
	ready := func(r *http.Request) error {
		if _, ok := store.Load(); !ok {
			return errors.New("the catalogue and the policies are not compiled yet")
		}
		select {
		case <-certified:
			return mgr.GetWebhookServer().StartedChecker()(r)
		default:
			return errors.New("there is no certificate yet")
		}
	}
	return errors.Join(mgr.AddHealthzCheck("process", healthz.Ping), mgr.AddReadyzCheck("judges", ready))
}
