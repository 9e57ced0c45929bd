package controllers

import (
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// boundAfter is how long after its binding was written a policy may be taken to mark namespaces in the request that creates them:
// API servers read admission policies anew every second.
const boundAfter = 2 * time.Second

// boundPolicies is what the fence loop tells the obligation loop: which cluster policies mark their namespaces. Both run on the leader.
type boundPolicies struct {
	mu    sync.Mutex
	since map[types.UID]boundPolicy
}

type boundPolicy struct {
	generation int64
	from       time.Time
}

// write notes that the bindings of these policies, as they are now, stand since now at the latest.
func (b *boundPolicies) write(policies []metav1.Object, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := make(map[types.UID]boundPolicy, len(policies))
	for _, p := range policies {
		was, known := b.since[p.GetUID()]
		if !known || was.generation != p.GetGeneration() {
			was = boundPolicy{generation: p.GetGeneration(), from: now.Add(boundAfter)}
		}
		next[p.GetUID()] = was
	}
	b.since = next
}

// from says from when on a policy, as it is now, marks its namespaces; false while that is not known.
func (b *boundPolicies) from(p metav1.Object) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was, known := b.since[p.GetUID()]
	return was.from, known && was.generation == p.GetGeneration()
}
