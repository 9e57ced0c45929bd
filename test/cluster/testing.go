package cluster

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Variable names the state directory of a running cluster that tests shall use instead of starting one.
const Variable = "TERROIR_TEST_CLUSTER"

// New starts a cluster for one test and stops it at the test's end. A test that fails leaves the directory with its
// logs and says where. At most one Options.
func New(t testing.TB, options ...Options) *Cluster {
	t.Helper()
	skipIfShort(t)
	var chosen Options
	if len(options) > 0 {
		chosen = options[0]
	}
	c, err := Start(t.Context(), chosen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stopAfter(t) })
	return c
}

func (c *Cluster) stopAfter(t testing.TB) {
	if t.Failed() && c.keepLogs() {
		t.Logf("the logs of the cluster are in %s", logPath(c.dir, "*"))
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

// keepLogs makes a temporary directory one whose logs Stop leaves, and tells whether it was temporary.
func (c *Cluster) keepLogs() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.state.Temporary
	c.state.Temporary = false
	return was && c.state.write(c.dir) == nil
}

// Shared is the cluster that all tests of a process share, and all test processes if Variable names one. Use names
// of your own for whatever you create in it, and expect others' objects.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	skipIfShort(t)
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shared stays until the process ends; its lifeline does the rest.
var shared = sync.OnceValues(func() (*Cluster, error) {
	c, _, err := Acquire(context.Background(), Options{})
	return c, err
})

// Acquire is Shared for a TestMain: it attaches to the cluster that Variable names, else starts one with these
// options. Call release at the end; it stops what was started and leaves alone what was there.
func Acquire(ctx context.Context, options Options) (c *Cluster, release func() error, err error) {
	if dir := os.Getenv(Variable); dir != "" {
		c, err = Attach(dir)
		if err != nil {
			return nil, nil, fmt.Errorf("using the cluster of %s: %w", Variable, err)
		}
		return c, func() error { return nil }, nil
	}
	c, err = Start(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	return c, c.Stop, nil
}

func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a control plane; run without -short")
	}
}
