// Command keyprobe is the agent beside an HSM: it looks at keys from where it runs, and writes what it saw. It judges nothing.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// settings are the agent's flags.
type settings struct {
	observer       string
	modules        []string
	leaderElection bool
	metricsAddress string
	probeAddress   string
}

func main() {
	var s settings
	flag.StringVar(&s.observer, "observer", "", "as whom the agent tells what it sees: the Zone that it runs in, or "+v1alpha1.AgentObserver+" for KeyStores with probe.from Manager")
	flag.Func("pkcs11-module", "path of a PKCS#11 library that the agent may load; may be given more than once", func(path string) error {
		s.modules = append(s.modules, path)
		return nil
	})
	flag.BoolVar(&s.leaderElection, "leader-elect", true, "let only one replica at a time look and write")
	flag.StringVar(&s.metricsAddress, "metrics-bind-address", ":8080", "address of the metrics endpoint; 0 for none")
	flag.StringVar(&s.probeAddress, "health-probe-bind-address", ":8081", "address of the health and readiness endpoints")
	logging := zap.Options{TimeEncoder: zapcore.RFC3339TimeEncoder}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "keyprobe:", err)
		os.Exit(1)
	}
}

// check says what is wrong with the flags.
func (s settings) check() error {
	if s.observer == "" {
		return errors.New("--observer is missing: it is the Zone that the agent runs in, or " + v1alpha1.AgentObserver)
	}
	if wrong := validation.IsDNS1123Subdomain(s.observer); len(wrong) > 0 || len(s.observer) > validation.LabelValueMaxLength {
		return fmt.Errorf("--observer is %q, which is the name of no Zone", s.observer)
	}
	if s.observer == v1alpha1.ManagerObserver {
		return errors.New("--observer is " + v1alpha1.ManagerObserver + ", which is Terroir itself; beside it the agent is " + v1alpha1.AgentObserver)
	}
	for _, path := range s.modules {
		if !filepath.IsAbs(path) || path != filepath.Clean(path) {
			return fmt.Errorf("--pkcs11-module is %q; it must be an absolute path, as KeyStores write it in spec.pkcs11.module", path)
		}
	}
	return nil
}

// run looks at keys until it is told to stop.
func run(s settings) error {
	if err := s.check(); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
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
