package demo_test

import (
	"bytes"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/demo"
)

// TestTheStoryHolds plays the demo on a cluster of its own: chapter 0 wants one that Terroir was never on.
func TestTheStoryHolds(t *testing.T) {
	log.SetLogger(logr.Discard()) // clients would complain that they have nowhere to log to
	var told bytes.Buffer
	if err := demo.Play(t.Context(), cluster.New(t), &told); err != nil {
		t.Fatalf("%v\n\nThe story so far:\n%s", err, &told)
	}
	t.Log(told.String())
}
