package trust

import (
	"fmt"
	"slices"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// Evidence is on what the recognition of a node rests. The order is meant: more is better.
//
// Every kind of signal that a Zone asks for must hold, so whoever lies about a node has to fake the strongest of them: that one
// counts. A CSI driver alone is the kubelet's word, since kubelets write CSINode; it counts beside the cloud controller's.
type Evidence int

const (
	// Claimed is only what the node's own kubelet says, or may have said. The zero value.
	Claimed Evidence = iota
	// Listed is that the administrator lists the machine, or wrote a label that kubelets cannot set.
	Listed
	// CloudController is that the cloud controller set the providerID that the Zone asks for.
	CloudController
	// Corroborated is that so it did, and the CSI driver that the Zone asks for agrees.
	Corroborated
)

var grades = [...]v1alpha1.NodeEvidence{
	v1alpha1.NodeEvidenceClaimed, v1alpha1.NodeEvidenceListed, v1alpha1.NodeEvidenceCloudController, v1alpha1.NodeEvidenceCorroborated,
}

// String is the evidence as the API writes it.
func (e Evidence) String() string { return string(grades[e]) }

// words is the end of a sentence about a node that is recognised.
func (e Evidence) words() string {
	switch e {
	case Listed:
		return "by a list of the administrator's"
	case CloudController:
		return "on the word of the cloud controller"
	case Corroborated:
		return "on the word of the cloud controller, with which the CSI driver agrees"
	default:
		return "on the word of its kubelet alone"
	}
}

// compileEvidence reads what a level demands. A word that nobody knows is rejected.
func compileEvidence(f *file, demanded v1alpha1.NodeEvidence) Evidence {
	if demanded == "" {
		return Claimed
	}
	i := slices.Index(grades[:], demanded)
	if i < 0 {
		f.reject("spec.nodeEvidence", Malformed, "%q must be Claimed, Listed, CloudController or Corroborated", demanded)
		return Corroborated
	}
	return Evidence(i)
}

// nodeRestricted is the end of the domain of label keys that kubelets cannot set where the API server runs NodeRestriction.
const nodeRestricted = "node-restriction.kubernetes.io"

// evidence grades a node that shows all signals of a zone. Of a Suspect one some are missing for a short time; it is graded as if
// they were there. Only who set the providerID is the node's own: everything else was asked for by the zone, and holds.
func (z *zone) evidence(n *NodeFacts) Evidence {
	s := &z.signals
	vouched := len(s.prefixes) > 0 && n.Labels[v1alpha1.ProviderIDFromLabel] == v1alpha1.ProviderIDFromCloudController
	switch {
	case vouched && len(s.drivers) > 0:
		return Corroborated
	case vouched:
		return CloudController
	case len(s.uuids) > 0 || slices.ContainsFunc(s.labels, func(l label) bool { return under(nodeRestricted, l.key) }):
		return Listed
	default:
		return Claimed
	}
}

// askEvidence takes away, of a zone's standings, those of levels that demand more evidence of a node than there is. What the zone
// itself does not satisfy keeps its reason. The standings are shared: they are copied before anything in them is changed.
func (c *Catalogue) askEvidence(z *zone, n *NodeFacts, is Evidence, standings []Standing) []Standing {
	own := false
	for i, l := range c.levels {
		if l.evidence <= is || standings[i].Worth == None {
			continue
		}
		if !own {
			standings, own = slices.Clone(standings), true
		}
		standings[i] = Standing{
			Zone: z.name, Level: l.name, Reason: EvidenceTooWeak, NextChange: standings[i].NextChange,
			Message: clip(fmt.Sprintf("zone %s satisfies %s only for nodes whose evidence is at least %s, and this one is recognised %s (%s); %s",
				z.name, l.name, l.evidence, is.words(), is, z.strengthen(n, l.evidence))),
		}
	}
	return standings
}

// strengthen says what would give a node the evidence.
func (z *zone) strengthen(n *NodeFacts, wanted Evidence) string {
	switch {
	case wanted == Listed:
		return "list the machine in the zone's systemUUIDs, or a label under " + nodeRestricted + " in its labels"
	case len(z.signals.prefixes) == 0:
		return "the zone has to ask for providerIDPrefixes, and the cloud controller to set the providerID"
	case n.Labels[v1alpha1.ProviderIDFromLabel] != v1alpha1.ProviderIDFromCloudController:
		return setBy(n) + ": it counts when the cloud controller sets it on a Node that has none"
	default:
		return "the zone has to ask for csiDrivers, too"
	}
}

// setBy says who set a node's providerID.
func setBy(n *NodeFacts) string {
	if n.Labels[v1alpha1.ProviderIDFromLabel] == v1alpha1.ProviderIDFromOther {
		return "its providerID was set by none of TerroirConfig's cloudControllerUsers"
	}
	return "its providerID was set by its kubelet, or when nobody wrote down by whom"
}
