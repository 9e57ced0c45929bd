package webhook

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/trust"
)

// era is a snapshot together with what has been worked out from it, so that a pod costs the same with one policy or a hundred, three
// zones or three hundred. It goes with its snapshot.
type era struct {
	*snapshot.Snapshot
	laws   sync.Map // namespace name → *law
	misses sync.Map // level → miss
}

// law is what holds in one namespace.
type law struct {
	*era
	namespace policy.Namespace
	// owed is what every pod there owes.
	owed policy.Obligation
	// warned are the policies there that only warn.
	warned []policy.Policy
}

// era is the current one, or false while there is no snapshot. Two requests that come upon a new snapshot at once may each
// begin an era; one of them is forgotten.
func (h *Handlers) era() (*era, bool) {
	current, ok := h.Snapshots.Load()
	if !ok {
		return nil, false
	}
	if known := h.remember.Load(); known != nil && known.Snapshot == current {
		return known, true
	}
	begun := &era{Snapshot: current}
	h.remember.Store(begun)
	return begun, true
}

// law finds what holds in a namespace. Without a snapshot, or for a namespace that the cache does not have yet, nobody can
// tell: then the sentence says so, and whoever asked is to deny.
func (h *Handlers) law(namespace string) (l *law, sentence string) {
	current, ok := h.era()
	if !ok {
		return nil, "Terroir is not ready to judge what is placed in namespace " + namespace + ": it has not read its policies yet; try again"
	}
	found, ok := h.Namespaces.Namespace(namespace)
	if !ok {
		return nil, "Terroir is not ready to judge what is placed in namespace " + namespace + ": it does not know that namespace yet; try again"
	}
	return current.in(found), ""
}

// in works out what holds in a namespace, unless it is known from a time when the namespace had the same labels and annotations.
func (e *era) in(ns policy.Namespace) *law {
	if known, ok := e.laws.Load(ns.Name); ok {
		l, _ := known.(*law) // nothing else is stored
		if maps.Equal(l.namespace.Labels, ns.Labels) && maps.Equal(l.namespace.Annotations, ns.Annotations) {
			return l
		}
	}
	l := &law{era: e, namespace: ns, owed: e.Policies.Namespace(ns)}
	for _, p := range e.Policies.Concerning(ns) {
		if p.Enforcement == v1alpha1.EnforcementWarn {
			l.warned = append(l.warned, p)
		}
	}
	e.laws.Store(ns.Name, l)
	return l
}

// adds reports whether a policy that only warns would ask for something that is not owed anyway.
func adds(p policy.Policy, owed policy.Obligation) bool {
	more := func(level string) bool { return !slices.Contains(owed.Levels, level) }
	return p.MinSites > owed.MinSites || p.Encryption != nil && owed.Encryption == nil || slices.ContainsFunc(p.Levels, more)
}

// miss is what stands against a level in the zone that comes closest, from a moment until the next at which that may change.
type miss struct {
	nearest     string // says of the zone that comes closest what it is worth, and why
	open        bool   // it satisfies the level
	from, until time.Time
}

// miss finds out how far the zones are from satisfying a level.
func (e *era) miss(level string, now time.Time) miss {
	if known, ok := e.misses.Load(level); ok {
		m, _ := known.(miss) // nothing else is stored
		if !now.Before(m.from) && (m.until.IsZero() || now.Before(m.until)) {
			return m
		}
	}
	view := e.Catalogue.At(now)
	nearest, some := view.Nearest(level)
	m := miss{nearest: nearest.Message, open: nearest.Worth == trust.Open, from: now, until: view.NextChange()}
	if !some {
		m.nearest = "there is no zone"
	}
	e.misses.Store(level, m)
	return m
}

// missing are warnings about levels that no zone satisfies, with what follows.
func (e *era) missing(levels []string, now time.Time, follows string) []string {
	var warnings []string
	for _, level := range levels {
		if m := e.miss(level, now); !m.open {
			warnings = append(warnings, fmt.Sprintf("no zone satisfies %s now, %s; the closest: %s", level, follows, m.nearest))
		}
	}
	return warnings
}
