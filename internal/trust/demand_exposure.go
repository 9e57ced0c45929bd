package trust

import "fmt"

// askExposure: nobody in the zone's chain, provider or subcontractor, can be compelled under any of the level's laws, by a stated
// opinion with its basis. A law on which nobody gave one is not satisfied. That somebody is exposed is told before that
// something is undetermined: the one is a fact to accept, the other homework.
func askExposure(l *level, z *zone) *miss {
	if len(l.laws) == 0 {
		return nil
	}
	if z.gap != nil {
		return z.gap
	}
	var open *miss
	for _, law := range l.laws {
		for who, known := range z.organisations() {
			opinion := known[law]
			if opinion.reached {
				return missed(Exposed, "%s can be compelled under %s", who, law)
			}
			if !opinion.freed && open == nil {
				open = missed(ExposureUndetermined,
					"whether %s can be compelled under %s is undetermined: an opinion NotExposed with its basis is required",
					who, law)
			}
		}
	}
	return open
}

// organisations yields everybody in the zone's chain with what is known of their exposure.
func (z *zone) organisations() func(yield func(fmt.Stringer, exposures) bool) {
	return func(yield func(fmt.Stringer, exposures) bool) {
		for _, p := range z.offer.providers {
			if !yield(p, p.exposures) {
				return
			}
		}
		for _, link := range z.offer.links {
			for _, s := range link.subcontractors {
				if !yield(part{s.name, link}, s.exposures) {
					return
				}
			}
		}
	}
}

func (p *provider) String() string { return p.name }

// part is a subcontractor's part in an offer.
type part struct {
	name  string
	offer *offer
}

func (p part) String() string { return p.name + ", subcontractor of " + p.offer.String() + "," }
