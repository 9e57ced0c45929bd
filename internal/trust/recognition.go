package trust

import (
	"fmt"
	"slices"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// SuspectFor is how long a node that was recognised keeps its labels while a signal is missing, or while somebody else may act in
// its name: long enough for a CSI driver to restart or be upgraded, and for somebody to look. At its end, to the second, the node is no
// longer recognised.
const SuspectFor = 10 * time.Minute

// NodeFacts is what is known of a node.
type NodeFacts struct {
	// Name is the Node's name.
	Name string
	// ProviderID is spec.providerID; SystemUUID and MachineID are those of status.nodeInfo.
	ProviderID, SystemUUID, MachineID string
	// Labels are all labels of the Node. Of ours, those are read that say what Terroir remembers of it, and who set its providerID.
	Labels map[string]string
	// CSIDrivers are the names of the drivers that its CSINode lists.
	CSIDrivers []string
	// SameProviderID and SameSystemUUID are other nodes that show the same; see [WithRivals].
	SameProviderID, SameSystemUUID Rival
	// Request lets somebody else act as this node; nil: none is known, or not any more.
	Request *CertificateRequest
}

// RecognitionState says whether it is known where a node stands.
type RecognitionState int

const (
	// Unknown says that no Zone's signals are all there. The zero value.
	Unknown RecognitionState = iota
	// Ambiguous says that it might stand in one place or another, or be somebody else's.
	Ambiguous
	// Suspect says that it was recognised, and for a short time now a signal is missing or somebody else may act in its name. It keeps
	// what it has.
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
	// Evidence is what the recognition of a Recognised or Suspect node rests on.
	Evidence Evidence
	// SuspectSince is since when a Suspect node lacks a signal, to the second, in UTC; zero when it lacks none.
	SuspectSince time.Time
	// ContestedSince is since when somebody else may act in the node's name, to the second, in UTC; zero: nobody is known to.
	ContestedSince time.Time
	// NextChange is when the passing of time alone may change this: when a Suspect node ceases to be one. Zero: never.
	NextChange time.Time
	// Machine and Seen are what is to be remembered of a Recognised node: its machine's record, and, by the name of the label under
	// [v1alpha1.SeenLabelPrefix], what it showed. Seen is shared: do not change it.
	Machine string
	Seen    map[string]string
	// Remembered says of a node that is in no zone for certain that what Terroir remembers of it stays, because the node moved and
	// not the catalogue.
	Remembered bool
	// Foreign says of a node that is in no zone that it names its machine by a providerID, and shows nothing of what any Zone is
	// recognised by first: a signal that is still to come would not make it recognised.
	Foreign bool
}

// Assessment is where a node stands and what it is worth.
type Assessment struct {
	Recognition
	// Standings has one entry per TrustLevel, by name, for a Recognised or Suspect node; empty otherwise. It is shared: do not change it.
	Standings []Standing
}

// Assess recognises a node and looks up what its zone, with the evidence that there is for the node, is worth. It takes microseconds.
func (v *View) Assess(n NodeFacts) Assessment {
	r := v.recognise(&n)
	if r.State != Recognised && r.State != Suspect {
		return Assessment{Recognition: r}
	}
	z := v.catalogue.zonesBy[r.Zone]
	return Assessment{Recognition: r, Standings: v.catalogue.askEvidence(z, &n, r.Evidence, v.ground(z).standings)}
}

// recognise asks: is it the machine that it was, in which zone is it, and may somebody else act in its name?
func (v *View) recognise(n *NodeFacts) Recognition {
	m := recall(n)
	if words := m.anotherMachine(machineOf(n)); words != "" {
		return v.contest(n, &m, moved(MachineChanged, n, "it is not the machine that was recorded under its name: "+words))
	}
	return v.contest(n, &m, v.locate(n, &m))
}

// locate finds the zones that match. Exactly one, and the one in which the node was recognised before, is what is hoped for.
func (v *View) locate(n *NodeFacts, m *memory) Recognition {
	var match []*zone
	near := v.catalogue.index.candidates(n)
	for _, z := range near {
		if v.catalogue.matches(z, n) {
			match = append(match, z)
		}
	}
	was := v.catalogue.zonesBy[m.zone]
	switch {
	case was != nil && slices.Contains(match, was):
		r := v.among(match, n, m)
		r.Remembered = r.State != Recognised
		return r
	case m.zone != "" && m.recorded && !m.stillShown(n, was != nil):
		return v.left(was, match, n, m)
	case len(match) == 0:
		return v.unmatched(was, n, m, near)
	default: // it was never recognised, or the catalogue has moved
		return v.among(match, n, m)
	}
}

func (v *View) among(match []*zone, n *NodeFacts, m *memory) Recognition {
	if len(match) > 1 {
		return refuse(Ambiguous, SeveralZonesMatch, n, "it shows the signals of zones "+all(zoneNames(match)))
	}
	return v.matched(match[0], n, m)
}

func zoneNames(zones []*zone) []string {
	names := make([]string, len(zones))
	for i, z := range zones {
		names[i] = z.name
	}
	return names
}

// matched looks for what speaks against the one zone that matches.
func (v *View) matched(z *zone, n *NodeFacts, m *memory) Recognition {
	if z.unlabelled {
		return refuse(Unknown, ZoneInvalid, n, "its zone is not valid: "+z.flaw)
	}
	if words := m.claimedTwice(z, n); words != "" {
		return refuse(Ambiguous, MachineClaimedTwice, n, fmt.Sprintf("it shows the signals of zone %s, but %s", z.name, words))
	}
	if words := v.catalogue.contradiction(z, n); words != "" {
		return refuse(Ambiguous, SignalContradicts, n, fmt.Sprintf("it shows the signals of zone %s, but %s", z.name, words))
	}
	if like := v.catalogue.lookalike(z, n); like != nil {
		refused := refuse(Ambiguous, LooksLikeAnother, n, like.message)
		if like.fleeting && m.zone == z.name {
			return v.suspect(z, n, like.message, refused)
		}
		return refused
	}
	is := z.evidence(n)
	return Recognition{
		State: Recognised, Zone: z.name, Site: z.site, Reason: OneZoneMatches, Evidence: is, Machine: machineOf(n).String(), Seen: z.seenOn(n),
		Message: clip(fmt.Sprintf("node %s is in zone %s, %s (%s)", n.Name, z.name, is.words(), is)),
	}
}

// unmatched gives a node that was recognised before, and no longer is because the catalogue has moved, the benefit of the doubt, for a
// short time, while signals are merely missing.
func (v *View) unmatched(was *zone, n *NodeFacts, m *memory, near []*zone) Recognition {
	if was == nil || was.unlabelled {
		r := refuse(Unknown, NoZoneMatches, n, v.whyNone(n, near))
		r.Foreign = len(near) == 0 && n.ProviderID != ""
		return r
	}
	found, words := v.catalogue.relation(was, n)
	switch {
	case found == differs && m.recorded:
		return refuse(Unknown, NoZoneMatches, n, fmt.Sprintf("it is not recognised as in zone %s any more: %s", was.name, words))
	case found == differs: // an older Terroir did not write down what it showed
		return refuse(Unknown, SignalChanged, n, fmt.Sprintf("it was in zone %s, and now %s", was.name, words))
	default:
		return v.lacking(was, n, words)
	}
}

// left judges a node that no longer shows what it was recognised by. What is merely missing may come back. Anything else is a loss,
// and stays one, also where another zone matches now: of a node that names one zone today and another tomorrow nobody knows where it stands.
func (v *View) left(was *zone, match []*zone, n *NodeFacts, m *memory) Recognition {
	found, words := differs, "it does not show any more what it showed there"
	if was != nil {
		found, words = v.catalogue.relation(was, n)
	}
	switch {
	case len(match) > 0:
		return moved(ZoneChanged, n, fmt.Sprintf("it was in zone %s and now shows the signals of %s: %s", m.zone, all(zoneNames(match)), words))
	case found == missing:
		r := v.lacking(was, n, words)
		r.Remembered = true
		return r
	default:
		return moved(SignalChanged, n, fmt.Sprintf("it was in zone %s, and now %s", m.zone, words))
	}
}

// lacking is about a node that was recognised in a zone and lacks a signal of it.
func (v *View) lacking(was *zone, n *NodeFacts, words string) Recognition {
	if against := v.catalogue.contradiction(was, n); against != "" {
		return refuse(Ambiguous, SignalContradicts, n, fmt.Sprintf("it was in zone %s, and now %s", was.name, against))
	}
	tooLong := fmt.Sprintf("it was in zone %s, and for %s now %s", was.name, span(SuspectFor), words)
	return v.suspect(was, n, words, refuse(Unknown, SignalMissingTooLong, n, tooLong))
}

// moved is a loss for which the node is the reason.
func moved(reason Reason, n *NodeFacts, words string) Recognition {
	r := refuse(Unknown, reason, n, words+"; undo that, or delete the Node to confirm the machine that registers next")
	r.Remembered = true
	return r
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
		State: Suspect, Zone: z.name, Site: z.site, Reason: SignalMissing, Evidence: z.evidence(n), SuspectSince: since, NextChange: end,
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
