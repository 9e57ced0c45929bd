package trust

import (
	"fmt"
	"strings"
	"time"
)

// miss is what stands against a demand. The sentence is written only when somebody reads it: most misses are made on the way to
// something that holds.
type miss struct {
	reason Reason
	near   int // how close it came; of several misses the nearest is told
	format string
	args   []any
	and    *miss // what stands against it besides
}

func missed(reason Reason, format string, args ...any) *miss {
	return &miss{reason: reason, near: nearness(reason), format: format, args: args}
}

// detail is the end of a sentence that begins with "zone a does not satisfy b: ".
func (m *miss) detail() string {
	detail := fmt.Sprintf(m.format, m.args...)
	if m.and != nil {
		detail += "; nor does what it is hosted on help: " + m.and.detail()
	}
	return detail
}

// Words that are put together only when a sentence is written.
type (
	stamp  time.Time
	either []string
	both   []string
)

func (t stamp) String() string  { return moment(time.Time(t)) }
func (e either) String() string { return oneOf(e) }
func (b both) String() string   { return all(b) }

// farToNear orders the reasons why a qualification is missing by how much has to happen until it is there.
var farToNear = []Reason{
	ZoneIncomplete, ProviderUnknown, ProviderInvalid, OfferUnknown, HostingCycle, FrameworkUnknown,
	NotQualified, QualificationInvalid, WrongLevel, WrongServiceModel, OnlyUnderlyingQualified, ServiceNotInScope, FrameworkNotInForce,
	QualificationNotGranted, QualificationEndless, QualificationExpired, QualificationNotYetValid,
	PeriodMissing, PeriodNotOver, PeriodTooOld, AlternativeNotForCountry, AlternativeEnded,
}

// beside is the nearness of an alternative that does not apply and would not be satisfied if it did.
const beside = -1

var nearnesses = func() map[Reason]int {
	order := make(map[Reason]int, len(farToNear))
	for i, reason := range farToNear {
		order[reason] = 2 * i // with room between
	}
	return order
}()

func nearness(reason Reason) int { return nearnesses[reason] }

// nearer returns the nearer of two misses, the first of equally near ones; nil is no miss to compare with.
func nearer(a, b *miss) *miss {
	if a == nil || (b != nil && b.near > a.near) {
		return b
	}
	return a
}

// span writes a length of time without the zeros that Go adds.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
