package trust

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// miss is what stands against a demand.
type miss struct {
	reason Reason
	detail string // the end of a sentence that begins with "zone a does not satisfy b: "
	near   int    // how close it came; of several misses the nearest is told
}

func missed(reason Reason, format string, args ...any) *miss {
	return &miss{reason: reason, detail: fmt.Sprintf(format, args...), near: nearness(reason)}
}

// also returns the miss with something said after it.
func (m *miss) also(words string) *miss {
	longer := *m
	longer.detail += "; " + words
	return &longer
}

// farToNear orders the reasons why a qualification is missing by how much has to happen until it is there.
var farToNear = []Reason{
	ZoneIncomplete, ProviderUnknown, ProviderInvalid, OfferUnknown, HostingCycle, FrameworkUnknown,
	NotQualified, QualificationInvalid, WrongLevel, WrongServiceModel, OnlyUnderlyingQualified, ServiceNotInScope, FrameworkNotInForce,
	QualificationNotGranted, QualificationEndless, QualificationExpired, QualificationNotYetValid,
	PeriodMissing, PeriodNotOver, PeriodTooOld, AlternativeNotForCountry, AlternativeEnded,
}

// beside is the nearness of an alternative that does not apply and would not be satisfied if it did.
const beside = -1

func nearness(reason Reason) int { return slices.Index(farToNear, reason) }

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
