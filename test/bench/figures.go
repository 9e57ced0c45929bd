package bench

import "time"

// figures are everything that a run measures.
type figures struct {
	short bool
	took  time.Duration

	inProcess map[string]benchmark
	// before are creations in both clusters while they were alike, alone the same with Terroir in one of them, latency under everything
	// in turn, without with the operator stopped.
	before, alone, latency, without map[string]latencies
	// asked is what Terroir is asked about pods, by what is done to them.
	asked       map[string]asked
	reviewBytes int
	floods      []flooded
	scale       scale
	losses      []loss
	keys        keyFigures
	// lostNodes are the nodes of each loss, byHand how long it takes to write a label on all of them.
	lostNodes int
	byHand    time.Duration
}

// added is what is done to a pod costs beyond nothing, in the middle.
func added(of map[string]latencies, name string) time.Duration {
	return of[name].p50() - of[toNothing].p50()
}

// ratio is zero where it would mean nothing.
func ratio(a, b time.Duration) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// floodOf finds a flood; the zero one if there was none.
func (f *figures) floodOf(name string, connections int) flooded {
	for _, each := range f.floods {
		if each.name == name && each.connections == connections {
			return each
		}
	}
	return flooded{}
}
