package trust

import (
	"slices"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// qualification says who vouches for which offer, where, until when.
type qualification struct {
	name      string
	framework *framework
	offer     *offer
	levels    []string // as granted, sorted
	holds     []string // levels and all that they include
	model     string   // of the offer

	everywhere     bool
	regions, sites []string

	state     v1alpha1.QualificationState
	milestone string
	// Moments; zero: not given.
	from, until, periodTo, verified time.Time

	flaw string
	// scope names the subject's places, and alone is a list of nothing else: both are asked for often.
	scope string
	alone []*qualification
}

// qualified is under which the qualifications of an offer are kept.
type qualified struct {
	framework *framework
	offer     *offer
}

// compileQualification never lets a qualification count of which something does not exist.
func (c *Catalogue) compileQualification(f *file, o *v1alpha1.Qualification) *qualification {
	s := &o.Spec
	q := &qualification{
		name: o.Name, state: s.State, milestone: s.Milestone, levels: sorted(s.Levels),
		everywhere: s.Subject.Everywhere,
		regions:    compileTerms(f, "spec.subject.regions", s.Subject.Regions),
		sites:      compileTerms(f, "spec.subject.sites", s.Subject.Sites),
		from:       instant(s.ValidFrom), until: instant(s.ValidUntil), verified: instant(s.LastVerified),
	}
	if s.Period != nil {
		q.periodTo = instant(&s.Period.To)
		if !s.Period.From.Time.Before(q.periodTo) {
			f.reject("spec.period.to", Malformed, "to must be after from")
		}
	}
	q.scope, q.alone = q.places(), []*qualification{q}
	q.check(f)
	c.resolveFramework(f, q, string(s.Framework))
	c.resolveSubject(f, q, &s.Subject)
	q.flaw = f.flaw()
	return q
}

func (q *qualification) check(f *file) {
	if knownState := knownStates[q.state]; !knownState {
		f.reject("spec.state", Malformed, "%q must be Announced, Applied, InEvaluation, Granted, Suspended or Withdrawn", q.state)
	}
	if len(q.levels) == 0 {
		f.reject("spec.levels", Malformed, "say which levels of the framework were granted")
	}
	if named := len(q.regions)+len(q.sites) > 0; named == q.everywhere {
		f.reject("spec.subject", Malformed, "say where: either regions or sites, or everywhere: true")
	}
	if !q.from.IsZero() && !q.until.IsZero() && !q.from.Before(q.until) {
		f.reject("spec.validUntil", Malformed, "validUntil must be after validFrom")
	}
	if q.state == v1alpha1.QualificationGranted && q.until.IsZero() {
		f.note("spec.validUntil", QualificationEndless, "a Granted qualification needs validUntil: one without an end would never stop counting")
	}
}

var knownStates = map[v1alpha1.QualificationState]bool{
	v1alpha1.QualificationAnnounced: true, v1alpha1.QualificationApplied: true, v1alpha1.QualificationInEvaluation: true,
	v1alpha1.QualificationGranted: true, v1alpha1.QualificationSuspended: true, v1alpha1.QualificationWithdrawn: true,
}

func (c *Catalogue) resolveFramework(f *file, q *qualification, name string) {
	q.framework = c.frameworks[name]
	if q.framework == nil {
		f.reject("spec.framework", FrameworkUnknown, "there is no Framework %s%s", name, didYouMean(name, c.frameworkNames))
		return
	}
	if q.framework.flaw != "" {
		f.reject("spec.framework", Malformed, "framework %s is not valid: %s", name, q.framework.flaw)
	}
	for _, level := range q.levels {
		held, exists := q.framework.holds[level]
		if !exists {
			f.reject("spec.levels", FrameworkLevelUnknown, "framework %s has no level %s%s", name, level, didYouMean(level, q.framework.levelNames))
		}
		q.holds = append(q.holds, held...)
	}
}

func (c *Catalogue) resolveSubject(f *file, q *qualification, s *v1alpha1.Subject) {
	o, gap := c.findOffer(string(s.Provider), string(s.Offer))
	if gap != nil {
		field := "spec.subject.offer"
		if gap.reason == ProviderUnknown {
			field = "spec.subject.provider"
		}
		f.reject(field, gap.reason, "%s", gap.detail())
		return
	}
	q.offer, q.model = o, o.model
	if o.provider.flaw != "" {
		f.reject("spec.subject.provider", ProviderInvalid, "provider %s is not valid: %s", s.Provider, o.provider.flaw)
	}
}

// covers says whether the subject includes a place. Regions and sites must both fit where both are given.
func (q *qualification) covers(p place) bool {
	if q.everywhere {
		return true
	}
	return len(q.regions)+len(q.sites) > 0 &&
		(len(q.regions) == 0 || slices.Contains(q.regions, p.region)) &&
		(len(q.sites) == 0 || slices.Contains(q.sites, p.site))
}

// places names the subject's regions and sites.
func (q *qualification) places() string {
	switch {
	case len(q.sites) == 0:
		return all(q.regions)
	case len(q.regions) == 0:
		return all(q.sites)
	default:
		return all(q.sites) + " in " + all(q.regions)
	}
}
