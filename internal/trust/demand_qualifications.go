package trust

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// rest is what a satisfied demand rests on.
type rest struct {
	by    []*qualification // by name, each once
	stale []*qualification // those of them that nobody has verified for too long
	ends  time.Time        // when the first of them ends
}

// answer is a rest, or a miss.
type answer struct {
	rest
	miss *miss
}

// better says whether a is to be preferred to b: satisfied before not, fresh before stale, then the one that lasts longer.
// Names decide the remainder, so that what a level rests on does not depend on the order of anything.
func (a *answer) better(b *answer) bool {
	if a.miss != nil || b.miss != nil {
		return b.miss != nil && (a.miss == nil || a.miss.near > b.miss.near)
	}
	return cmp.Or(
		cmp.Compare(len(b.stale), len(a.stale)), a.ends.Compare(b.ends), slices.CompareFunc(b.by, a.by, compareNames),
	) > 0
}

func compareNames(a, b *qualification) int { return strings.Compare(a.name, b.name) }

// join adds what must hold as well.
func (r *rest) join(o rest) {
	if len(r.by) == 0 {
		*r = o
		return
	}
	r.by = merge(r.by, o.by)
	r.stale = merge(r.stale, o.stale)
	r.ends = earlier(r.ends, o.ends)
}

func merge(a, b []*qualification) []*qualification {
	if len(b) == 0 {
		return a
	}
	out := slices.Concat(a, b)
	slices.SortFunc(out, compareNames)
	return slices.Compact(out)
}

// inquiry asks one alternative in one zone at one moment.
type inquiry struct {
	catalogue *Catalogue
	zone      *zone
	level     *level
	now       time.Time
	*alternative
	// known holds answers about offers that are hosted on: a chain that branches and joins again is walked once.
	known map[spot]answer
}

// spot is an offer in a place.
type spot struct {
	offer *offer
	place place
}

// askQualification: any alternative of the demand holds. When none does, the one that came closest is told.
func (c *Catalogue) askQualification(d qualificationDemand, z *zone, l *level, now time.Time) answer {
	best := answer{miss: &miss{reason: NotQualified, format: "the level accepts no qualification", near: beside - 1}}
	for i := range d {
		in := inquiry{catalogue: c, zone: z, level: l, now: now, alternative: &d[i]}
		if found := in.ask(); found.better(&best) {
			best = found
		}
	}
	return best
}

// ask: the zone's offer is covered, here, until the alternative's own end.
func (in *inquiry) ask() answer {
	if in.framework == nil {
		return answer{miss: missed(FrameworkUnknown, "%s", in.unknown)}
	}
	if in.zone.offer == nil {
		return answer{miss: in.zone.gap}
	}
	found := in.cover(in.zone.offer, in.zone.place())
	if found.miss != nil && !in.underlying {
		found.miss = nearer(found.miss, in.onlyUnderlying())
	}
	if refused := in.applies(); refused != nil {
		if found.miss != nil {
			refused.near = beside
		}
		return answer{miss: refused}
	}
	if found.miss == nil {
		found.ends = earlier(found.ends, in.until)
	}
	return found
}

// applies says whether the alternative is accepted in the zone's country, and still.
func (in *inquiry) applies() *miss {
	if in.countries.given() && !in.countries.contains(in.zone.country) {
		return missed(AlternativeNotForCountry, "%s is accepted only in zones in %s, and it stands in %s", in.alternative, in.countries, in.zone.country)
	}
	if !in.until.IsZero() && !in.now.Before(in.until) {
		return missed(AlternativeEnded, "%s was accepted until %s", in.alternative, stamp(in.until))
	}
	return nil
}

// cover: the offer is qualified in the place, or, where the alternative says so, everything that it is hosted on is.
func (in *inquiry) cover(o *offer, p place) answer {
	if found, asked := in.known[spot{o, p}]; asked {
		return found
	}
	found := in.direct(o, p)
	if in.underlying && len(o.hostedOn) > 0 {
		switch hosted := in.hosted(o); {
		case hosted.better(&found):
			found = hosted
		case found.miss != nil:
			besides := *found.miss
			besides.and = hosted.miss
			found.miss = &besides
		}
	}
	if len(o.hostedOn) > 0 && o != in.zone.offer {
		if in.known == nil {
			in.known = map[spot]answer{}
		}
		in.known[spot{o, p}] = found
	}
	return found
}

// direct: a qualification of the offer itself counts, is accepted, and covers the place.
func (in *inquiry) direct(o *offer, p place) answer {
	best := answer{miss: in.unqualified(o)}
	for _, q := range in.catalogue.granted[qualified{in.framework, o}] {
		found := answer{miss: in.against(q, p)}
		if found.miss == nil {
			found.rest = in.restOn(q)
		}
		if found.better(&best) {
			best = found
		}
	}
	return best
}

func (in *inquiry) unqualified(o *offer) *miss {
	if in.framework.inForce(in.now) {
		return missed(NotQualified, "%s has no qualification for %s", o, in.alternative)
	}
	m := missed(FrameworkNotInForce, "%s", (*lapsed)(in.framework))
	m.near = nearness(NotQualified)
	return m
}

// against says what about one qualification is not as required. That it does not count comes first: what is not granted, or has
// ended, is not called qualified, whatever else is not as required. It is then a little farther than one that counts.
func (in *inquiry) against(q *qualification, p place) *miss {
	void := q.against(in.now)
	if q.flaw != "" {
		return void
	}
	unsuited := in.unsuited(q, p)
	if void == nil {
		return unsuited
	}
	if unsuited != nil {
		void.near = min(void.near, unsuited.near-1)
	}
	return void
}

// unsuited says what about a sound qualification is not as required, in the order of nearness, if it counts.
func (in *inquiry) unsuited(q *qualification, p place) *miss {
	if !share(q.holds, in.levels) {
		return missed(WrongLevel, "%s has %s %s, not %s", q.offer, q.framework.name, both(q.levels), either(in.levels))
	}
	if len(in.models) > 0 && !slices.Contains(in.models, q.model) {
		return missed(WrongServiceModel, "%s is qualified for %s as %s, not as %s", q.offer, q.framework.name, q.model, either(in.models))
	}
	if !q.covers(p) {
		return missed(ServiceNotInScope, "%s is qualified for %s in %s, %s", q.offer, q.framework.name, q.scope, in.elsewhere(q, p))
	}
	return in.tooOld(q)
}

// elsewhere says where the place is instead.
func (in *inquiry) elsewhere(q *qualification, p place) string {
	switch {
	case len(q.regions) > 0 && p.region == "" && q.offer == in.zone.offer:
		return "and the zone does not say its region: set spec.region"
	case len(q.regions) > 0 && p.region == "":
		return "and in which regions it is used here is not known"
	case len(q.regions) > 0 && !slices.Contains(q.regions, p.region):
		return "not in " + p.region
	case p.site == "":
		return "and in which building it is used here is not known"
	default:
		return "not at site " + p.site
	}
}

// tooOld: where the alternative limits the age of what an attestation covered, it must have ended, and not too long ago.
func (in *inquiry) tooOld(q *qualification) *miss {
	switch {
	case in.maxPeriodAge == 0:
		return nil
	case q.periodTo.IsZero():
		return missed(PeriodMissing, "qualification %s gives no period, and one that ended less than %s ago is required", q.name, span(in.maxPeriodAge))
	case in.now.Before(q.periodTo):
		return missed(PeriodNotOver, "the period of qualification %s ends at %s, and an attestation is about the past", q.name, stamp(q.periodTo))
	case !in.now.Before(q.periodTo.Add(in.maxPeriodAge)):
		return missed(PeriodTooOld, "the period of qualification %s ended at %s, longer than %s ago", q.name, stamp(q.periodTo), span(in.maxPeriodAge))
	default:
		return nil
	}
}

func (in *inquiry) restOn(q *qualification) rest {
	r := rest{by: q.alone, ends: q.until}
	if q.framework.lifecycle == v1alpha1.LifecycleSuperseded {
		r.ends = earlier(r.ends, q.framework.acceptUntil)
	}
	if in.maxPeriodAge > 0 {
		r.ends = earlier(r.ends, q.periodTo.Add(in.maxPeriodAge))
	}
	if !q.fresh(in.level.maxEvidenceAge, in.now) {
		r.stale = r.by
	}
	return r
}

// hosted: every offer that this one is hosted on is covered, wherever it is used. Nothing is hosted on nothing.
func (in *inquiry) hosted(o *offer) answer {
	var found answer
	if o.circular {
		return answer{miss: o.gap}
	}
	for _, h := range o.hostedOn {
		if h.offer == nil {
			return answer{miss: h.gap}
		}
		for _, p := range in.places(h) {
			part := in.cover(h.offer, p)
			if part.miss != nil {
				return part
			}
			found.join(part.rest)
		}
	}
	return found
}

// places are where a hosting offer is used: in all its regions, or, where it is the zone's own provider's and the zone's region is among
// them, in the zone. Without regions nobody knows, and only what is qualified everywhere covers that.
func (in *inquiry) places(h hosting) []place {
	if h.offer.provider == in.zone.provider && slices.Contains(h.regions, in.zone.region) {
		return []place{in.zone.place()}
	}
	if len(h.regions) == 0 {
		return []place{{}}
	}
	out := make([]place, len(h.regions))
	for i, region := range h.regions {
		out[i] = place{region: region}
	}
	return out
}

// onlyUnderlying says whether the level would hold if what the offer is hosted on were enough: people sell that as the same thing.
func (in *inquiry) onlyUnderlying() *miss {
	o := in.zone.offer
	if len(o.hostedOn) == 0 {
		return nil
	}
	wider := *in.alternative
	wider.underlying, wider.models = true, nil
	hypothesis := inquiry{catalogue: in.catalogue, zone: in.zone, level: in.level, now: in.now, alternative: &wider}
	found := hypothesis.hosted(o)
	if found.miss != nil {
		return nil
	}
	return missed(OnlyUnderlyingQualified, "%s is hosted on %s, which is qualified for %s, and %s itself is required to be",
		o, all(offersOf(found.by)), in.frameworkName, o)
}

func offersOf(list []*qualification) []string {
	names := make([]string, len(list))
	for i, q := range list {
		names[i] = q.offer.String()
	}
	return sorted(names)
}
