package trust

import (
	"slices"
	"time"
)

// moments collects the points in time at which something may change.
type moments struct {
	after time.Time // earlier ones, and this one, are past and not collected; zero: none is
	found []time.Time
}

// add takes a moment; the zero one is never.
func (m *moments) add(t time.Time) {
	if t.After(m.after) {
		m.found = append(m.found, t)
	}
}

// inOrder returns what was collected, the earliest first, each once.
func (m *moments) inOrder() []time.Time {
	slices.SortFunc(m.found, time.Time.Compare)
	return slices.CompactFunc(m.found, time.Time.Equal)
}

// next returns the first of the ordered moments that is later than now; zero: none.
func next(ordered []time.Time, now time.Time) time.Time {
	first, past := slices.BinarySearchFunc(ordered, now, time.Time.Compare)
	if past {
		first++
	}
	if first == len(ordered) {
		return time.Time{}
	}
	return ordered[first]
}

// earlier returns the earlier of two moments, of which the zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
