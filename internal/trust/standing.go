package trust

import (
	"fmt"
	"time"
)

// Worth is what a zone is worth to workloads that require a level. The order is meant: more is better.
type Worth int

const (
	// None says that the level does not hold. The zero value.
	None Worth = iota
	// Held says that pods that run there may stay, no new ones may come.
	Held
	// Open says that new pods may come.
	Open
)

func (w Worth) String() string {
	switch w {
	case Held:
		return "Held"
	case Open:
		return "Open"
	default:
		return "None"
	}
}

// Standing says what a Zone is worth to a TrustLevel at a moment, why, and until when.
type Standing struct {
	// Zone and Level are the names asked for.
	Zone, Level string
	// Worth is the answer.
	Worth Worth
	// Until is when an Open standing ceases to be Open unless something is renewed, exclusive. Zero: it rests on nothing that
	// ends, or is not Open.
	Until time.Time
	// NextChange is the next moment at which the passing of time alone may change any part of the standing; zero: never. Nothing
	// changes before it; something need not change at it.
	NextChange time.Time
	// Reason is a fixed word: Satisfied when Worth is Open, EvidenceStale when it is Held.
	Reason Reason
	// Message is a sentence for the person who has to act.
	Message string
	// Warnings are sentences about what holds and should be looked at: stale evidence, a superseded framework.
	Warnings []string
	// By are the names of the Qualifications it rests on, sorted. Empty when no demand is about one, or one fails.
	By []string
}

// judgement is what the demands of a level said in a zone.
type judgement struct {
	first   *miss // in the order of the demands
	failing int   // how many demands fail
	rest
}

// judge asks every demand.
func (c *Catalogue) judge(z *zone, l *level, now time.Time) judgement {
	var j judgement
	if flaw := flawed(z, l); flaw != nil {
		j.first, j.failing = flaw, l.demands()+1
		return j
	}
	j.count(askCountries(l, z))
	j.askQualifications(c, z, l, now)
	j.count(askSeat(l, z))
	j.count(askAdministration(l, z))
	j.count(askSupport(l, z))
	j.count(askExposure(l, z))
	if j.failing > 0 {
		j.rest = rest{}
	}
	return j
}

// worth is what the demands that were asked come to. Open is written here and nowhere else.
func (j *judgement) worth(l *level) Worth {
	switch {
	case j.failing > 0:
		return None
	case l.hold && len(j.stale) > 0:
		return Held
	default:
		return Open
	}
}

func (j *judgement) count(m *miss) {
	if m == nil {
		return
	}
	j.failing++
	if j.first == nil {
		j.first = m
	}
}

func (j *judgement) askQualifications(c *Catalogue, z *zone, l *level, now time.Time) {
	for _, demand := range l.qualifications {
		found := c.askQualification(demand, z, l, now)
		j.count(found.miss)
		j.join(found.rest)
	}
}

// flawed says that the level or the zone is malformed. What is malformed is worth nothing, whatever is asked.
func flawed(z *zone, l *level) *miss {
	if l.flaw != "" {
		return missed(LevelInvalid, "trust level %s is not valid: %s", l.name, l.flaw)
	}
	if z.flaw != "" {
		return missed(ZoneInvalid, "the zone is not valid: %s", z.flaw)
	}
	return nil
}

// standing says it all: the worth, when it ends, and the sentence.
func (c *Catalogue) standing(z *zone, l *level, now time.Time) (Standing, int) {
	j := c.judge(z, l, now)
	ahead := c.momentsOf(z, l, now)
	s := Standing{Zone: z.name, Level: l.name, Worth: j.worth(l), By: j.names(), Warnings: j.warnings(l, now)}
	if len(ahead) > 0 {
		s.NextChange = ahead[0]
	}
	switch s.Worth {
	case Open:
		s.Reason, s.Until = Satisfied, c.end(z, l, ahead)
		s.Message = satisfied(&s)
	case Held:
		s.Reason = EvidenceStale
		s.Message = clip(fmt.Sprintf("zone %s satisfies %s for pods that run there, and admits no new ones: %s",
			z.name, l.name, j.stale[0].stale(l.maxEvidenceAge, now)))
	default:
		s.Reason = j.first.reason
		s.Message = clip(fmt.Sprintf("zone %s does not satisfy %s: %s", z.name, l.name, j.first.detail()))
	}
	return s, j.failing
}

func satisfied(s *Standing) string {
	message := fmt.Sprintf("zone %s satisfies %s", s.Zone, s.Level)
	if !s.Until.IsZero() {
		message += " until " + moment(s.Until)
	}
	if len(s.By) > 0 {
		message += " by " + all(s.By)
	}
	return clip(message)
}

// end finds the first moment ahead at which a level that is Open no longer is. Asking at each is what makes it exact where one
// qualification takes over from another. Demands that know no time need not be asked again.
func (c *Catalogue) end(z *zone, l *level, ahead []time.Time) time.Time {
	for _, t := range ahead {
		var j judgement
		j.askQualifications(c, z, l, t)
		if j.worth(l) != Open {
			return t
		}
	}
	return time.Time{}
}

// momentsOf gathers the moments after now at which the level may change in the zone: those of every qualification that its
// alternatives might accept of any offer in the zone's chain. Only demands for qualifications know time.
func (c *Catalogue) momentsOf(z *zone, l *level, now time.Time) []time.Time {
	if z.offer == nil || flawed(z, l) != nil {
		return nil
	}
	ahead := moments{after: now}
	for _, demand := range l.qualifications {
		for i := range demand {
			c.addMoments(&ahead, &demand[i], z.offer, l.maxEvidenceAge)
		}
	}
	return ahead.inOrder()
}

func (c *Catalogue) addMoments(m *moments, a *alternative, o *offer, evidenceAge time.Duration) {
	if a.framework == nil {
		return
	}
	m.add(a.until)
	m.add(a.framework.acceptUntil)
	for _, link := range o.links {
		for _, q := range c.granted[qualified{a.framework, link}] {
			m.addBounds(q)
			m.addAges(q, a.maxPeriodAge, evidenceAge)
		}
	}
}

// names is what it rests on, in words.
func (r *rest) names() []string {
	if len(r.by) == 0 {
		return nil
	}
	out := make([]string, len(r.by))
	for i, q := range r.by {
		out[i] = q.name
	}
	return out
}

// warnings says what should be looked at.
func (r *rest) warnings(l *level, now time.Time) []string {
	var out []string
	for _, q := range r.stale {
		out = append(out, q.stale(l.maxEvidenceAge, now))
	}
	for _, q := range r.by {
		if !q.framework.acceptUntil.IsZero() {
			out = append(out, fmt.Sprintf("%s, on which qualification %s rests, is superseded and accepted until %s",
				q.framework.name, q.name, moment(q.framework.acceptUntil)))
		}
	}
	return out
}
