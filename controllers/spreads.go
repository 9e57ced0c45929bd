package controllers

import (
	"maps"
	"time"
)

// spreadSettles is for how long the pods of a workload must have stayed as they are before their spread is called lost. In a rollout,
// or when a workload is scaled down, pods go in no particular order, and what is lost at one moment is mended at the next.
const spreadSettles = 30 * time.Second

// lostSpreads remembers since when which spreads are lost. It belongs to one loop.
type lostSpreads struct {
	now     time.Time
	next    time.Time
	before  map[string]lostSpread
	current map[string]lostSpread
}

type lostSpread struct {
	bySite map[string]int
	since  time.Time
}

// at begins a pass, and gives what tells whether a spread that is lost has been so for long enough, with the same pods on the same sites.
func (l *lostSpreads) at(now time.Time) func(workload string, bySite map[string]int) bool {
	l.before, l.current = l.current, map[string]lostSpread{}
	l.now, l.next = now, time.Time{}
	return l.lasts
}

func (l *lostSpreads) lasts(workload string, bySite map[string]int) bool {
	lost := lostSpread{bySite, l.now}
	if was, known := l.before[workload]; known && maps.Equal(was.bySite, bySite) {
		lost.since = was.since
	}
	l.current[workload] = lost
	if told := lost.since.Add(spreadSettles); l.now.Before(told) {
		l.next = earliest(l.next, told)
		return false
	}
	return true
}

// again is when the next of them has been lost for long enough.
func (l *lostSpreads) again() time.Time { return l.next }
