package realnode

import (
	"testing"

	"github.com/terroir-dev/terroir/test/cluster"
)

func TestJoin(t *testing.T) {
	c := cluster.New(t)
	n, err := Join(t.Context(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.Run(t.Context(), "sh", "-c", "ps ax; ip addr; mount | tail -20")
	t.Log(out, err)
}
