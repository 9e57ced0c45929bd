package bench

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// aim is what was aimed at, and what was reached.
type aim struct {
	what, reached string
	met           bool
}

// Anchors: milliseconds of added p50, measured once against this control plane, of a MutatingAdmissionPolicy and of Kyverno's and
// Gatekeeper's fastest way of doing the same. They are not run here.
const (
	anchorMutating   = 1.1
	anchorKyverno    = 6.3
	anchorGatekeeper = 6.4
)

// aims are those of the first release, judged by a run.
func (f *figures) aims() []aim {
	return slices.Concat(f.inProcessAims(), f.latencyAims(), f.floodAims(), f.scaleAims(), f.lossAims())
}

func (f *figures) inProcessAims() []aim {
	shaped, tutorial := f.inProcess[shapedReview], f.inProcess[tutorialReview]
	policies := ratio(f.inProcess[policies100].time, f.inProcess[policies1].time)
	nodes := ratio(f.inProcess[nodes5000].time, f.inProcess[nodes10].time)
	better := ratio(tutorial.time, shaped.time)
	return []aim{
		{"13 KB review → decision and patch: ≤ 100 µs", short(shaped.time), shaped.time <= 100*time.Microsecond},
		{"… ≤ 60 allocations", fmt.Sprint(shaped.allocs), shaped.allocs <= 60},
		{"… ≥ 10× less than decode, mutate, marshal, diff", times(better), better >= 10},
		{"… 1 → 100 policies: ≤ 1.2×", times(policies), policies > 0 && policies <= 1.2},
		{"… 10 → 5,000 nodes: ≤ 1.05×", times(nodes), nodes > 0 && nodes <= 1.05},
	}
}

func (f *figures) latencyAims() []aim {
	nothing := f.alone[toNothing].p50()
	shaped, mutated := added(f.latency, toShaped), added(f.latency, toMutated)
	complying, noop := added(f.latency, toComplying), added(f.latency, toNothingful)
	ungoverned, calls := added(f.alone, toFree), f.asked[toFree]
	toPolicy, toNoop := ratio(shaped, mutated), ratio(complying, noop)
	toOthers := toPolicy * anchorMutating / min(anchorKyverno, anchorGatekeeper)
	return []aim{
		{"added p50, must be shaped: ≤ 1.8× a MutatingAdmissionPolicy", times(toPolicy), toPolicy > 0 && toPolicy <= 1.8},
		{"… ≤ ⅓ of Kyverno's and Gatekeeper's (anchors, not run here)", times(toOthers), toOthers > 0 && toOthers <= 1.0/3},
		{"added p50, complies already: ≤ 1.2× a no-op webhook", times(toNoop), toNoop > 0 && toNoop <= 1.2},
		{"added, ungoverned: no webhook call", fmt.Sprintf("%d for 100 pods", calls.webhook), calls.webhook == 0},
		{"… nothing, within 5 % of a creation", fmt.Sprintf("%s of %s", short(ungoverned), short(nothing)), ungoverned <= nothing/20},
	}
}

func (f *figures) floodAims() []aim {
	flood := f.floodOf(floodShaped, 8)
	return []aim{
		{"webhook CPU per admission: ≤ 0.5 ms", short(flood.cpuEach()), flood.reviews > 0 && flood.cpuEach() <= 500*time.Microsecond},
		{"one replica over loopback HTTPS, 2 shared cores: ≥ 8,000 reviews/s", fmt.Sprintf("%.0f", flood.rate()), flood.rate() >= 8000},
	}
}

func (f *figures) scaleAims() []aim {
	s := f.scale
	perNode, perPod := s.perNode(), s.perPod()
	whole := s.withPods.resident + int64(1000-s.nodes)*perNode + int64(10000-s.governed-s.pods)*perPod
	return []aim{
		{"API writes with nothing happening: leases only", fmt.Sprintf("%d others in %s", s.idling.sum(), s.idle), s.idling.sum() == 0},
		{"manager RSS at 1,000 nodes / 10,000 pods: ≤ 70 MB", size(whole) + s.extrapolated(), whole <= 70_000_000},
		{"… ≤ 2 KiB per node beyond the base", size(perNode), perNode <= 2<<10},
		{"… ≤ 1 KiB per pod", size(perPod), perPod <= 1<<10},
	}
}

// extrapolated says so when there were fewer nodes or pods than asked about.
func (s scale) extrapolated() string {
	if s.nodes < 1000 || s.governed+s.pods < 10000 {
		return ", extrapolated"
	}
	return ""
}

// perNode and perPod are what each took of the machine's memory.
func (s scale) perNode() int64 {
	return (s.withNodes.resident - s.empty.resident) / int64(max(s.nodes, 1))
}

func (s scale) perPod() int64 {
	return (s.withPods.resident - s.withNodes.resident) / int64(max(s.governed+s.pods, 1))
}

func (f *figures) lossAims() []aim {
	last := f.worst(func(l loss) time.Duration { return l.last })
	refused := f.worst(func(l loss) time.Duration { return l.refused })
	return []aim{
		{"loss → open gone everywhere: within a second or two", fmt.Sprintf("%s; by hand %s", short(last), short(f.byHand)), last <= 2*time.Second},
		{"loss → binding refused: ≤ 10 ms (p99; here the worst of few)", short(refused), refused <= 10*time.Millisecond},
	}
}

// worst is the longest of the losses' times.
func (f *figures) worst(of func(loss) time.Duration) time.Duration {
	if len(f.losses) == 0 {
		return 0
	}
	return of(slices.MaxFunc(f.losses, func(a, b loss) int { return cmp.Compare(of(a), of(b)) }))
}
