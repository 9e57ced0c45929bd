package trust

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// level is a conjunction of demands.
type level struct {
	index          int // in Catalogue.levels
	name           string
	countries      territories
	qualifications []qualificationDemand
	seat           territories
	administration territories
	support        territories
	laws           []string // sorted
	evidence       Evidence // of each node
	maxEvidenceAge time.Duration
	hold           bool // stale evidence admits no new pods
	flaw           string
}

// qualificationDemand holds when any of its alternatives does.
type qualificationDemand []alternative

// alternative describes the qualifications that are accepted.
type alternative struct {
	frameworkName string
	framework     *framework // nil: it does not exist
	unknown       string     // says so
	levels        []string   // any of; sorted
	models        []string   // any of; sorted; empty: any
	underlying    bool       // what the offer is hosted on may be qualified in its place
	countries     territories
	maxPeriodAge  time.Duration // zero: not asked
	until         time.Time     // zero: for ever
}

// String names what the alternative accepts, such as "secnumcloud-3.2 qualified".
func (a *alternative) String() string { return a.frameworkName + " " + oneOf(a.levels) }

// compileLevel rejects a level without demands: it would hold everywhere.
func (c *Catalogue) compileLevel(f *file, o *v1alpha1.TrustLevel) *level {
	s := &o.Spec
	l := &level{name: o.Name}
	l.laws = compileTerms(f, "spec.notExposedTo", s.NotExposedTo)
	l.maxEvidenceAge = length(f, "spec.maxEvidenceAge", s.MaxEvidenceAge)
	if len(validation.IsDNS1123Label(l.name)) > 0 {
		f.reject("metadata.name", nameReason(l.name),
			"a trust level's name becomes part of label keys: it must be a DNS label of at most %d characters, such as secnumcloud",
			validation.DNS1123LabelMaxLength)
	}
	l.countries = compileTerritories(f, "spec.countries", s.Countries)
	l.seat = compileTerritories(f, "spec.seatIn", s.SeatIn)
	l.administration = compileTerritories(f, "spec.administrationFrom", s.AdministrationFrom)
	l.support = compileTerritories(f, "spec.supportFrom", s.SupportFrom)
	for i := range s.Qualifications {
		l.qualifications = append(l.qualifications, c.compileDemand(f, fmt.Sprintf("spec.qualifications[%d]", i), &s.Qualifications[i]))
	}
	l.evidence = compileEvidence(f, s.NodeEvidence)
	l.compileStaleEvidence(f, s)
	if l.demands() == 0 {
		f.reject("spec", Malformed, "at least one demand must be given: qualifications, countries, seatIn, administrationFrom, supportFrom or notExposedTo")
	}
	l.flaw = f.flaw()
	return l
}

func (l *level) compileStaleEvidence(f *file, s *v1alpha1.TrustLevelSpec) {
	switch s.StaleEvidence {
	case "", v1alpha1.StaleEvidenceWarn:
	case v1alpha1.StaleEvidenceHold:
		l.hold = true
		if s.MaxEvidenceAge == nil {
			f.reject("spec.maxEvidenceAge", Malformed, "staleEvidence: Hold needs maxEvidenceAge: without it no evidence is ever stale")
		}
	default:
		f.reject("spec.staleEvidence", Malformed, "%q must be Warn or Hold", s.StaleEvidence)
	}
	if s.MaxEvidenceAge != nil && len(s.Qualifications) == 0 {
		f.reject("spec.maxEvidenceAge", Malformed, "maxEvidenceAge is about qualifications, and none is demanded")
	}
}

func (c *Catalogue) compileDemand(f *file, field string, d *v1alpha1.QualificationDemand) qualificationDemand {
	if len(d.AnyOf) == 0 {
		f.reject(field+".anyOf", Malformed, "at least one alternative must be given: nothing can satisfy none")
	}
	demand := make(qualificationDemand, 0, len(d.AnyOf))
	for i := range d.AnyOf {
		demand = append(demand, c.compileAlternative(f, fmt.Sprintf("%s.anyOf[%d]", field, i), &d.AnyOf[i]))
	}
	return demand
}

func (c *Catalogue) compileAlternative(f *file, field string, o *v1alpha1.Alternative) alternative {
	a := alternative{
		frameworkName: string(o.Framework), levels: sorted(o.Levels), models: sorted(o.ServiceModels),
		underlying: o.AppliesTo == v1alpha1.AppliesToOfferOrUnderlying,
		countries:  compileTerritories(f, field+".countries", o.Countries),
		until:      instant(o.Until),
	}
	a.maxPeriodAge = length(f, field+".maxPeriodAge", o.MaxPeriodAge)
	for _, m := range o.ServiceModels {
		if !knownServiceModel(m) {
			f.reject(field+".serviceModels", Malformed, "%q must be IaaS, CaaS, PaaS or SaaS", m)
		}
	}
	if !a.underlying && o.AppliesTo != "" && o.AppliesTo != v1alpha1.AppliesToOffer {
		f.reject(field+".appliesTo", Malformed, "%q must be Offer or OfferOrUnderlying", o.AppliesTo)
	}
	if !a.until.IsZero() && o.Basis == "" {
		f.reject(field+".basis", Malformed, "an alternative with an end needs a basis: why it is accepted meanwhile")
	}
	c.resolveAlternative(f, field, &a)
	return a
}

// resolveAlternative only notes what does not exist: the alternative is then never satisfied, and the others may be.
func (c *Catalogue) resolveAlternative(f *file, field string, a *alternative) {
	if len(a.levels) == 0 {
		f.reject(field+".levels", Malformed, "say which levels of %s are accepted", a.frameworkName)
	}
	a.framework = c.frameworks[a.frameworkName]
	if a.framework == nil {
		a.unknown = fmt.Sprintf("there is no Framework %s%s", a.frameworkName, didYouMean(a.frameworkName, c.frameworkNames))
		f.note(field+".framework", FrameworkUnknown, "%s", a.unknown)
		return
	}
	for _, name := range a.levels {
		if _, exists := a.framework.holds[name]; !exists {
			f.note(field+".levels", FrameworkLevelUnknown, "framework %s has no level %s%s", a.frameworkName, name, didYouMean(name, a.framework.levelNames))
		}
	}
}

// demands is how many demands the level makes.
func (l *level) demands() int {
	n := len(l.qualifications)
	for _, t := range []territories{l.countries, l.seat, l.administration, l.support} {
		if t.given() {
			n++
		}
	}
	if len(l.laws) > 0 {
		n++
	}
	return n
}
