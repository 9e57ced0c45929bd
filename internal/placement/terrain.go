package placement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/storage"
	"github.com/terroir-dev/terroir/internal/trust"
)

// Law: what a governed workload writes lies where every trust level that it owes is satisfied.
//
// Reads where a volume may lie, and what the nodes there are worth. Every place counts: a volume that two zones have in common
// must be at home in both. In a place of which the volume says the labels, the nodes that are recognised speak for it, one that just
// joined and is not recognised yet says nothing, and a foreign one stands against it, since one kubelet that lies must not vouch for all
// its neighbours; without any, the labels themselves may be those by which a Zone is recognised. Elsewhere every node counts. What is
// not known stands against the volume. A volume on a node's own disk lies where its node is: it is judged like all others, unless
// nodeLocalStorage is Allow, and denied wherever it is with Deny.

// Terrain is the nodes of a cluster, with what they are worth, as volumes see it. It remembers what it was asked, and is
// not for use by several at once.
type Terrain struct {
	view    *trust.View
	nodes   []*corev1.Node
	worth   map[string]trust.Assessment
	byLabel map[string]map[string][]*corev1.Node
	asked   map[string]ground
}

// NewTerrain gives the terrain of these nodes. worth is what each is worth, by name.
func NewTerrain(view *trust.View, nodes []*corev1.Node, worth map[string]trust.Assessment) *Terrain {
	return &Terrain{view: view, nodes: nodes, worth: worth, byLabel: map[string]map[string][]*corev1.Node{}, asked: map[string]ground{}}
}

// spot is something that is worth something.
type spot struct {
	what  string
	worth trust.Assessment
}

// ground is what is known of a place: one spot for each of its zones, or why it is not known.
type ground struct {
	spots   []spot
	unknown string
}

// The rules by which a volume is denied.
const (
	// RuleVolume says that it lies where a level is not satisfied.
	RuleVolume = "volume"
	// RuleVolumePlace says that it is not known where it lies.
	RuleVolumePlace = "volume-place"
)

// JudgeVolume judges whether a volume lies where everything owed is satisfied.
func (t *Terrain) JudgeVolume(owed policy.Obligation, v storage.Volume) Verdict {
	if v.Local && owed.NodeLocalStorage == v1alpha1.NodeLocalStorageAllow {
		return verdictOf(nil)
	}
	var denials []Denial
	if v.Local && owed.NodeLocalStorage == v1alpha1.NodeLocalStorageDeny {
		denials = append(denials, Denial{Rule: ruleNodeLocal().Name, Field: "spec", Message: fmt.Sprintf(
			"volume %s keeps data on a node, but %s says nodeLocalStorage: Deny", v.Name, policy.InWords(owed.DeniesNodeLocalStorage()))})
	}
	for _, level := range owed.Levels {
		if d, denied := t.judgeLevel(requiresLevel(owed, level), level, v); denied {
			denials = append(denials, d)
		}
	}
	return verdictOf(denials)
}

func (t *Terrain) judgeLevel(required, level string, v storage.Volume) (Denial, bool) {
	unknown := ""
	if len(v.Places) == 0 {
		unknown = "it does not say where: give it a node affinity, or zone and region labels"
	}
	for _, p := range v.Places {
		g := t.groundOf(p, v)
		for _, s := range g.spots {
			if why, holds := holds(s.worth, level); !holds {
				return Denial{Rule: RuleVolume, Field: "spec.nodeAffinity", Message: fmt.Sprintf(
					"%s, which volume %s does not satisfy: it %s %s: %s", required, v.Name, lies(v), s.what, why)}, true
			}
		}
		unknown = cmp.Or(unknown, g.unknown)
	}
	if unknown == "" {
		return Denial{}, false
	}
	return Denial{Rule: RuleVolumePlace, Field: "spec.nodeAffinity", Message: fmt.Sprintf(
		"%s, and nobody can tell whether volume %s satisfies it: %s", required, v.Name, unknown)}, true
}

// lies says how a volume and a place belong together.
func lies(v storage.Volume) string {
	if v.Local {
		return "lies on the disk of"
	}
	return "is reached from"
}

func (t *Terrain) groundOf(p storage.Place, v storage.Volume) ground {
	key := p.Key + " " + v.Driver
	g, asked := t.asked[key]
	if !asked {
		g = t.survey(p, v)
		t.asked[key] = g
	}
	return g
}

// survey finds what a place is worth.
func (t *Terrain) survey(p storage.Place, v storage.Volume) ground {
	var stranger, foreign string
	zones := map[string]spot{}
	for _, n := range t.at(p) {
		worth := t.worth[n.Name]
		if !recognised(worth) {
			stranger = cmp.Or(stranger, worth.Message)
			if worth.Foreign {
				foreign = cmp.Or(foreign, worth.Message)
			}
			continue
		}
		if _, seen := zones[worth.Zone]; !seen {
			zones[worth.Zone] = spot{"node " + n.Name, worth}
		}
	}
	var g ground
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		g.spots = append(g.spots, zones[zone])
	}
	switch {
	case len(p.Labels) == 0 && stranger != "":
		g.unknown = "it is reached from nodes that are not recognised: " + stranger
	case foreign != "":
		g.unknown = "it is reached from nodes that are not recognised: " + foreign
	case len(g.spots) > 0:
	case len(p.Labels) == 0:
		g.unknown = "it is reached from no node"
	default:
		return t.byName(p, v, stranger)
	}
	return g
}

// byName asks whether a place is one that a Zone is recognised by, when no node there can tell. Whoever writes volumes writes the labels
// of a place, too: what Terroir itself says on nodes counts for nothing there, nor does what only a node with a memory can be worth.
func (t *Terrain) byName(p storage.Place, v storage.Volume, stranger string) ground {
	labels := maps.Clone(p.Labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return trust.OwnLabel(key) })
	facts := trust.NodeFacts{Name: v.Name, Labels: labels}
	if v.Driver != "" {
		facts.CSIDrivers = []string{v.Driver}
	}
	if worth := t.view.Assess(facts); worth.State == trust.Recognised {
		return ground{spots: []spot{{words(p.Labels), worth}}}
	}
	if stranger != "" {
		return ground{unknown: "it is reached from nodes that are not recognised: " + stranger}
	}
	return ground{unknown: fmt.Sprintf("it is reached from nodes with %s, and there is none", words(p.Labels))}
}

func recognised(worth trust.Assessment) bool {
	return worth.State == trust.Recognised || worth.State == trust.Suspect
}

// words are labels as people write them.
func words(labels map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, key+"="+labels[key])
	}
	return strings.Join(all, ", ")
}

// at are the nodes of a place. Of its labels the one that fewest nodes have is looked up.
func (t *Terrain) at(p storage.Place) []*corev1.Node {
	near := t.nodes
	for key, value := range p.Labels {
		if with := t.labelled(key)[value]; len(with) < len(near) {
			near = with
		}
	}
	var there []*corev1.Node
	for _, n := range near {
		if p.Has(n) {
			there = append(there, n)
		}
	}
	return there
}

func (t *Terrain) labelled(key string) map[string][]*corev1.Node {
	byValue, asked := t.byLabel[key]
	if !asked {
		byValue = map[string][]*corev1.Node{}
		for _, n := range t.nodes {
			if value, has := n.Labels[key]; has {
				byValue[value] = append(byValue[value], n)
			}
		}
		t.byLabel[key] = byValue
	}
	return byValue
}
