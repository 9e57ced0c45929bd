package trust

import (
	"fmt"
	"slices"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// SuspectFor is how long a node that was recognised keeps its labels while a signal is missing: long enough for a CSI driver to
// restart or be upgraded. At its end, to the second, the node is no longer recognised.
const SuspectFor = 10 * time.Minute

// NodeFacts is what is known of a node.
type NodeFacts struct {
	// Name is the Node's name.
	Name string
	// ProviderID is spec.providerID, SystemUUID status.nodeInfo.systemUUID.
	ProviderID, SystemUUID string
	// Labels are all labels of the Node. Of ours, those that say in which Zone it was recognised and since when it is suspect are read.
	Labels map[string]string
	// CSIDrivers are the names of the drivers that its CSINode lists.
	CSIDrivers []string
}

// RecognitionState says whether it is known where a node stands.
type RecognitionState int

const (
	// Unknown says that no Zone's signals are all there. The zero value.
	Unknown RecognitionState = iota
	// Ambiguous says that it might stand in one place or another, or be somebody else's.
	Ambiguous
	// Suspect says that it was recognised, and a signal is missing for a short time now. It keeps what it has.
	Suspect
	// Recognised says that it stands in exactly one Zone.
	Recognised
)

func (s RecognitionState) String() string {
	switch s {
	case Ambiguous:
		return "Ambiguous"
	case Suspect:
		return "Suspect"
	case Recognised:
		return "Recognised"
	default:
		return "Unknown"
	}
}

// Recognition says where a node stands, as far as its signals tell.
type Recognition struct {
	// State is the answer.
	State RecognitionState
	// Zone and Site are where a Recognised or Suspect node stands; empty otherwise.
	Zone, Site string
	// Reason is a fixed word.
	Reason Reason
	// Message is a sentence for the person who has to act.
	Message string
	// SuspectSince is since when a Suspect node lacks a signal, to the second, in UTC.
	SuspectSince time.Time
	// NextChange is when a Suspect node ceases to be one; zero otherwise.
	NextChange time.Time
}

// Assessment is where a node stands and what it is worth.
type Assessment struct {
	Recognition
	// Standings has one entry per TrustLevel, by name, for a Recognised or Suspect node; empty otherwise. It is shared: do not change it.
	Standings []Standing
}

// Assess recognises a node and looks up what its zone is worth. It takes microseconds.
func (v *View) Assess(n NodeFacts) Assessment {
	r := v.recognise(&n)
	if r.State != Recognised && r.State != Suspect {
		return Assessment{Recognition: r}
	}
	return Assessment{Recognition: r, Standings: v.ground(v.catalogue.zonesBy[r.Zone]).standings}
}

// recognise finds the zones that match. Exactly one is what is hoped for.
func (v *View) recognise(n *NodeFacts) Recognition {
	var match []*zone
	near := v.catalogue.index.candidates(n)
	for _, z := range near {
		if v.catalogue.matches(z, n) {
			match = append(match, z)
		}
	}
	switch len(match) {
	case 0:
		return v.unmatched(n, near)
	case 1:
		return v.matched(match[0], n)
	default:
		names := make([]string, len(match))
		for i, z := range match {
			names[i] = z.name
		}
		return refuse(Ambiguous, SeveralZonesMatch, n, "it shows the signals of zones "+all(names))
	}
}

// matched looks for what speaks against the one zone that matches.
func (v *View) matched(z *zone, n *NodeFacts) Recognition {
	if z.unlabelled {
		return refuse(Unknown, ZoneInvalid, n, "its zone is not valid: "+z.flaw)
	}
	if words := v.catalogue.contradiction(z, n); words != "" {
		return refuse(Ambiguous, SignalContradicts, n, fmt.Sprintf("it shows the signals of zone %s, but %s", z.name, words))
	}
	if like := v.catalogue.lookalike(z, n); like != nil {
		refused := refuse(Ambiguous, LooksLikeAnother, n, like.message)
		if like.fleeting && n.Labels[v1alpha1.ZoneLabel] == z.name {
			return v.suspect(z, n, like.message, refused)
		}
		return refused
	}
	return Recognition{
		State: Recognised, Zone: z.name, Site: z.site, Reason: OneZoneMatches,
		Message: fmt.Sprintf("node %s is in zone %s", n.Name, z.name),
	}
}

// unmatched gives a node that was recognised before the benefit of the doubt, for a short time, while signals are merely missing.
func (v *View) unmatched(n *NodeFacts, near []*zone) Recognition {
	z := v.catalogue.zonesBy[n.Labels[v1alpha1.ZoneLabel]]
	if z == nil || z.unlabelled {
		return refuse(Unknown, NoZoneMatches, n, v.whyNone(n, near))
	}
	found, words := v.catalogue.relation(z, n)
	if found == differs {
		return refuse(Unknown, SignalChanged, n, fmt.Sprintf("it was in zone %s, and now %s", z.name, words))
	}
	if against := v.catalogue.contradiction(z, n); against != "" {
		return refuse(Ambiguous, SignalContradicts, n, fmt.Sprintf("it was in zone %s, and now %s", z.name, against))
	}
	tooLong := fmt.Sprintf("it was in zone %s, and for %s now %s", z.name, span(SuspectFor), words)
	return v.suspect(z, n, words, refuse(Unknown, SignalMissingTooLong, n, tooLong))
}

// suspect counts from the moment on the node's label, or from now. A label that does not parse was not written by us: no benefit
// of the doubt. One that lies in the future was written by a fast clock, and counts from now.
func (v *View) suspect(z *zone, n *NodeFacts, words string, then Recognition) Recognition {
	since := v.now.Truncate(time.Second)
	if written, suspected := n.Labels[v1alpha1.SuspectSinceLabel]; suspected {
		before, err := time.Parse(v1alpha1.SuspectSinceLayout, written)
		if err != nil {
			return then
		}
		if before.Before(since) {
			since = before
		}
	}
	end := since.Add(SuspectFor)
	if !v.now.Before(end) {
		return then
	}
	return Recognition{
		State: Suspect, Zone: z.name, Site: z.site, Reason: SignalMissing, SuspectSince: since, NextChange: end,
		Message: clip(fmt.Sprintf("node %s was recognised in zone %s and keeps its labels until %s: %s", n.Name, z.name, moment(end), words)),
	}
}

// whyNone says what the node lacks of the zone with the fewest signals missing or different, the first by name of equally near
// ones; or else what the node looks like.
func (v *View) whyNone(n *NodeFacts, near []*zone) string {
	if len(near) > 0 {
		nearest := slices.MinFunc(near, func(a, b *zone) int { return a.signals.failing(n) - b.signals.failing(n) }) // the first of equals
		_, words := v.catalogue.relation(nearest, n)
		return fmt.Sprintf("it is not recognised as in zone %s: %s", nearest.name, words)
	}
	if alike := v.catalogue.fitting(n); len(alike) > 0 {
		names := make([]string, len(alike))
		for i, p := range alike {
			names[i] = p.name
		}
		return fmt.Sprintf("it looks like a node of %s, and no zone has its signals", oneOf(names))
	}
	return "no zone has its signals"
}

func refuse(state RecognitionState, reason Reason, n *NodeFacts, words string) Recognition {
	return Recognition{State: state, Reason: reason, Message: clip(fmt.Sprintf("node %s is in no zone for certain: %s", n.Name, words))}
}
