package terroir_test

import (
	"testing"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

func TestInstalls(t *testing.T) {
	c := cluster.New(t)
	if err := terroir.Install(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}
