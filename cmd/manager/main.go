// Command manager runs Terroir: its controllers, and its admission webhooks.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"

	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// settings are the manager's flags.
type settings struct {
	leaderElection bool
	metricsAddress string
	probeAddress   string
	webhookHost    string
	webhookPort    int
	webhookURL     string
	certs          string
	certDir        string
}

func main() {
	var s settings
	flag.BoolVar(&s.leaderElection, "leader-elect", true, "let only one replica at a time write; every replica answers admission")
	flag.StringVar(&s.metricsAddress, "metrics-bind-address", ":8080", "address of the metrics endpoint; 0 for none")
	flag.StringVar(&s.probeAddress, "health-probe-bind-address", ":8081", "address of the health and readiness endpoints")
	flag.StringVar(&s.webhookHost, "webhook-host", "", "address to which the webhook server binds; all if empty")
	flag.IntVar(&s.webhookPort, "webhook-port", 9443, "port of the webhook server")
	flag.StringVar(&s.webhookURL, "webhook-url", "", "base URL under which the API server reaches the webhooks; empty for the Service terroir-system/terroir-webhook")
	flag.StringVar(&s.certs, "webhook-certs", "self", "where certificates come from: self (Terroir makes and renews them) or files (tls.crt, tls.key, ca.crt in --webhook-cert-dir)")
	flag.StringVar(&s.certDir, "webhook-cert-dir", "/certs", "directory of the webhook server's certificate")
	logging := zap.Options{TimeEncoder: zapcore.RFC3339TimeEncoder}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	if err := run(s); err != nil && !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "terroir:", err)
		os.Exit(1)
	}
}

// run runs the manager until it is told to stop.
func run(s settings) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	config.QPS = -1 // the API server's own flow control decides; a limit here would delay a loss on hundreds of nodes by many seconds
	ctx := ctrl.SetupSignalHandler()
	mgr, err := newManager(config, s)
	if err != nil {
		return err
	}
	if err := wire(ctx, mgr, s); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("running: %w", err)
	}
	return nil
}
