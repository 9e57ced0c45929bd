package trust

import (
	"fmt"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// Validity says whether a Qualification counts at a moment, for whoever accepts its framework and levels.
type Validity struct {
	// Name is the Qualification.
	Name string
	// Counts says whether it does. Zero: it does not.
	Counts bool
	// Until is when one that counts ceases to, exclusive; zero when it does not count.
	Until time.Time
	// NextChange is the next moment at which the passing of time alone may change the answer; zero: never.
	NextChange time.Time
	// Reason is InForce or what stands against it.
	Reason Reason
	// Message is a sentence for people.
	Message string
}

// Qualification says whether a Qualification counts now.
func (v *View) Qualification(name string) Validity {
	q := v.catalogue.qualificationsBy[name]
	if q == nil {
		return Validity{Name: name, Reason: NoSuchQualification, Message: "there is no Qualification " + name}
	}
	ahead := moments{after: v.now}
	ahead.addBounds(q)
	answer := Validity{Name: name, NextChange: next(ahead.inOrder(), v.now)}
	switch m := q.against(v.now); {
	case q.flaw != "":
		answer.Reason, answer.Message = QualificationInvalid, clip("it does not count: "+q.flaw)
	case m != nil:
		answer.Reason, answer.Message = m.reason, clip("it does not count: "+m.detail())
	default:
		answer.Counts, answer.Reason, answer.Until = true, InForce, q.ends()
		answer.Message = fmt.Sprintf("it counts until %s", moment(answer.Until))
	}
	return answer
}

// against says why a sound qualification does not count at a moment: its framework must be in force, it must be granted, it
// must have begun, have an end, and not have reached it. At the second at which it ends it is worth nothing.
func (q *qualification) against(now time.Time) *miss {
	switch {
	case q.flaw != "":
		return missed(QualificationInvalid, "qualification %s is not valid: %s", q.name, q.flaw)
	case !q.framework.inForce(now):
		return missed(FrameworkNotInForce, "%s", (*lapsed)(q.framework))
	case q.state != v1alpha1.QualificationGranted:
		return missed(QualificationNotGranted, "%s", (*ungranted)(q))
	case q.until.IsZero():
		return missed(QualificationEndless, "qualification %s does not say until when it is valid", q.name)
	case !now.Before(q.until):
		return missed(QualificationExpired, "qualification %s of %s for %s ended at %s", q.name, q.offer, q.framework.name, stamp(q.until))
	case now.Before(q.from):
		return missed(QualificationNotYetValid, "qualification %s of %s for %s begins at %s", q.name, q.offer, q.framework.name, stamp(q.from))
	default:
		return nil
	}
}

// ungranted is a qualification that is not granted, as a sentence: how far it has come.
type ungranted qualification

func (q *ungranted) String() string {
	milestone := ""
	if q.milestone != "" {
		milestone = " (" + q.milestone + ")"
	}
	switch who := q.offer.String(); q.state {
	case v1alpha1.QualificationAnnounced:
		return fmt.Sprintf("%s is announced for %s%s, not granted", who, q.framework.name, milestone)
	case v1alpha1.QualificationApplied:
		return fmt.Sprintf("%s has applied for %s%s, not granted", who, q.framework.name, milestone)
	case v1alpha1.QualificationInEvaluation:
		return fmt.Sprintf("%s is in evaluation for %s%s, not granted", who, q.framework.name, milestone)
	case v1alpha1.QualificationSuspended:
		return fmt.Sprintf("qualification %s of %s for %s is suspended%s", q.name, who, q.framework.name, milestone)
	default:
		return fmt.Sprintf("qualification %s of %s for %s was withdrawn%s", q.name, who, q.framework.name, milestone)
	}
}

// ends is when a qualification that counts ceases to.
func (q *qualification) ends() time.Time {
	if q.framework.lifecycle == v1alpha1.LifecycleSuperseded {
		return earlier(q.until, q.framework.acceptUntil)
	}
	return q.until
}

// fresh says whether somebody has verified the qualification recently enough. Never, or in the future, is not recently.
func (q *qualification) fresh(maxAge time.Duration, now time.Time) bool {
	return maxAge == 0 || (!q.verified.IsZero() && !now.Before(q.verified) && now.Before(q.verified.Add(maxAge)))
}

// stale says in words that it is not fresh.
func (q *qualification) stale(maxAge time.Duration, now time.Time) string {
	switch {
	case q.verified.IsZero():
		return fmt.Sprintf("nobody has verified qualification %s: compare it with the authority's list and set spec.lastVerified", q.name)
	case now.Before(q.verified):
		return fmt.Sprintf("qualification %s cannot have been verified at %s: that has not come yet", q.name, moment(q.verified))
	default:
		return fmt.Sprintf("qualification %s was last verified at %s, longer than %s ago", q.name, moment(q.verified), span(maxAge))
	}
}

// addBounds adds the moments at which a qualification may begin or cease to count, or another reason become the first against it.
func (m *moments) addBounds(q *qualification) {
	if q.flaw != "" {
		return
	}
	m.add(q.framework.acceptUntil)
	if q.state == v1alpha1.QualificationGranted {
		m.add(q.from)
		m.add(q.until)
	}
}

// addAges adds the moments at which a qualification's period and its evidence become old enough, and too old; zero ages are not asked.
func (m *moments) addAges(q *qualification, periodAge, evidenceAge time.Duration) {
	if q.flaw != "" || q.state != v1alpha1.QualificationGranted {
		return
	}
	if periodAge > 0 && !q.periodTo.IsZero() {
		m.add(q.periodTo)
		m.add(q.periodTo.Add(periodAge))
	}
	if evidenceAge > 0 && !q.verified.IsZero() {
		m.add(q.verified)
		m.add(q.verified.Add(evidenceAge))
	}
}
