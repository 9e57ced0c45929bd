package bench

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

//go:embed objects
var objects embed.FS

// Namespaces of the measurements.
const (
	nothing    = "bench-nothing"    // in the bare cluster: nobody looks at pods there
	validating = "bench-validating" // a ValidatingAdmissionPolicy does
	mutating   = "bench-mutating"   // a MutatingAdmissionPolicy does
	webhooked  = "bench-webhook"    // a webhook that does nothing does
	free       = "bench-free"       // in Terroir's cluster: no policy concerns it
	governed   = "bench-governed"   // pods there owe the level bench
)

// lab is where pods are created: two control planes that differ only in what is installed.
type lab struct {
	dir           string // of the audit logs
	bare, terroir *site
	nothing       endpoint // of the webhook that does nothing
}

// site is a control plane.
type site struct {
	*cluster.Cluster
	client client.Client
	writes auditLog
}

func newLab(ctx context.Context) (l *lab, err error) {
	l = &lab{}
	if l.dir, err = os.MkdirTemp("", "terroir-bench-"); err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	defer http1ForWebhooks()()
	var group errgroup.Group
	group.Go(func() (err error) { l.bare, err = newSite(ctx, filepath.Join(l.dir, "bare")); return err })
	group.Go(func() (err error) { l.terroir, err = newSite(ctx, filepath.Join(l.dir, "terroir")); return err })
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, l.stop())
	}
	return l, nil
}

// http1ForWebhooks has API servers that are started before undo is called speak HTTP/1.1 to webhooks, as they do to
// Services. To a URL on the loopback interface they would speak HTTP/2.
func http1ForWebhooks() (undo func()) {
	const variable = "DISABLE_HTTP2"
	before, was := os.LookupEnv(variable)
	_ = os.Setenv(variable, "1") // the name is a valid one
	return func() {
		if was {
			_ = os.Setenv(variable, before)
		} else {
			_ = os.Unsetenv(variable)
		}
	}
}

// newSite starts a control plane that keeps account of what Terroir writes, whether or not it will be installed.
func newSite(ctx context.Context, audit string) (*site, error) {
	log, flags, err := newAuditLog(audit)
	if err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, cluster.Options{APIServerFlags: flags, Progress: os.Stderr})
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it was doing
	}
	made, err := terroir.Client(c)
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &site{Cluster: c, client: made, writes: log}, nil
}

func (l *lab) stop() error {
	err := os.RemoveAll(l.dir)
	for _, s := range []*site{l.bare, l.terroir} {
		if s != nil {
			err = errors.Join(err, s.Stop())
		}
	}
	return err
}

// create creates the objects of a file, and waits until pods can be created in its namespaces.
func (s *site) create(ctx context.Context, file string) error {
	raw, err := objects.ReadFile("objects/" + file)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	found, err := terroir.Objects(raw)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	for _, o := range found {
		if err := s.createOne(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (s *site) createOne(ctx context.Context, o client.Object) error {
	if err := s.client.Create(ctx, o); err != nil {
		return fmt.Errorf("creating %s %s: %w", o.GetObjectKind().GroupVersionKind().Kind, o.GetName(), err)
	}
	if o.GetObjectKind().GroupVersionKind().Kind != "Namespace" {
		return nil
	}
	return eventually(ctx, "namespace "+o.GetName()+" to have its service account", func(ctx context.Context) error {
		return s.client.Get(ctx, client.ObjectKey{Namespace: o.GetName(), Name: "default"}, &corev1.ServiceAccount{})
	})
}

func (s *site) createNamespace(ctx context.Context, name string, labels map[string]string) error {
	n := &corev1.Namespace{}
	n.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	n.Name, n.Labels = name, labels
	return s.createOne(ctx, n)
}

// eventually waits until a condition has no more to complain about.
func eventually(ctx context.Context, what string, condition func(context.Context) error) error {
	return within(ctx, 2*time.Minute, what, condition)
}

func within(ctx context.Context, limit time.Duration, what string, condition func(context.Context) error) error {
	var complaint error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, limit, true, func(ctx context.Context) (bool, error) {
		complaint = condition(ctx)
		return complaint == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w; in the end: %w", what, err, complaint)
	}
	return nil
}
