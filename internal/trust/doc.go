// Package trust answers what a node is worth, to whom, and until when.
//
// It knows no client, clock, logger or context: objects and a moment go in, answers come out, and the same objects at the same
// moment always give the same bytes, in whatever order they came.
//
// # The way through
//
// [Compile] turns the five kinds of the catalogue into a [Catalogue], once per change. It never fails. What is wrong with an
// object becomes a [Problem], and such an object satisfies nothing; a reference to something that does not exist fails those
// who ask about it. framework.go, provider.go, zone.go, qualification.go and level.go compile one kind each, and overlap.go
// compares the zones with each other.
//
// [Catalogue.At] picks a moment and gives a [View]; everything else is asked of it. All moments between two dates of the
// catalogue have the same answers, so views of one such epoch share what has been worked out (view.go).
//
// [View.Standing] is about a Zone and a TrustLevel (standing.go). The level's demands are asked one after the other, each in a
// file of its own: demand_countries.go, demand_qualifications.go, demand_seat.go, demand_administration.go, demand_support.go
// and demand_exposure.go. A demand answers with a miss, which says what stands against it, or with nothing. Demands other than those for
// qualifications are asked of the whole chain: the zone's offer, everything it is hosted on, their providers, subcontractors.
//
// [View.Assess] is about a node. First it is recognised (recognition.go): which Zone's signals does it show (signals.go), do
// others contradict them, might it be a look-alike (lookalike.go), is it the machine that it was, and do others claim to be it
// (machine.go), may somebody else act in its name (contest.go)? Then its zone's standings are looked up, and compared with the evidence that
// there is for the node (evidence.go). [Assessment.Labels] says which Node labels follow.
//
// # Which way it falls
//
// Every zero value denies: [None], [Unknown], a nil set, a missing object. [Open] is written in one place,
// judgement.worth in standing.go, after every demand has been asked.
package trust
