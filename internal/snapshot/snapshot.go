// Package snapshot holds what is compiled of the cluster's catalogue, policies and settings, as of one moment.
//
// A snapshot is immutable and the same on every replica. It holds no nodes, so that node events never recompile it. The
// catalogue controller publishes it; admission and the other controllers read it.
package snapshot

import (
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
)

// Snapshot is the compiled state. It must not be changed.
type Snapshot struct {
	// Catalogue says what zones and nodes are worth.
	Catalogue *trust.Catalogue
	// Objects are what Catalogue was compiled from, for asking what a change would bring. They must not be changed.
	Objects trust.Objects
	// Policies say what workloads owe.
	Policies *policy.Set
	// Settings are those of TerroirConfig.
	Settings placement.Settings
	// Versions are the generations of all objects that were compiled. What a status says of an object is true only of that one.
	Versions map[types.UID]int64
	// Revoking are the names of nodes that are losing trust levels.
	Revoking []string
}

// Knows reports whether the snapshot was compiled from an object as it is now.
func (s *Snapshot) Knows(o metav1.Object) bool {
	generation, known := s.Versions[o.GetUID()]
	return known && generation == o.GetGeneration()
}

// Store holds the current snapshot. Its zero value holds none.
type Store struct{ current atomic.Pointer[Snapshot] }

// Load returns the current snapshot, or false if none was published yet: then nothing can be judged.
func (s *Store) Load() (*Snapshot, bool) {
	current := s.current.Load()
	return current, current != nil
}

// Publish replaces the current snapshot.
func (s *Store) Publish(next *Snapshot) { s.current.Store(next) }
