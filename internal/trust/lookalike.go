package trust

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// contradiction says, in words, that the node shows a signal of another provider where the zone's provider lists signals of that
// kind and the node shows none of them. Empty: nothing does.
func (c *Catalogue) contradiction(z *zone, n *NodeFacts) string {
	p := z.provider
	if p == nil {
		return ""
	}
	for _, kind := range [...]struct {
		what  string
		known owners
		own   []string
		shown func() []string
	}{
		{"providerID begins with", c.prefixOwners, p.looks.prefixes, func() []string { return foreignPrefixes(p, n) }},
		{"CSI driver is", c.driverOwners, p.looks.drivers, func() []string { return n.CSIDrivers }},
		{"region is", c.regionOwners, p.looks.regions, func() []string { return n.region() }},
		{"labels include", c.keyOwners, p.looks.keys, func() []string { return c.knownKeys(n) }},
	} {
		if len(kind.own) == 0 {
			continue
		}
		shown := kind.shown()
		if share(kind.own, shown) {
			continue
		}
		if signal, owner, found := c.foreign(kind.known, p, shown); found {
			return fmt.Sprintf("its %s %s, a sign of %s and not of %s", kind.what, signal, owner.name, p.name)
		}
	}
	return ""
}

// foreignPrefixes are the beginnings of the node's providerID, unless one of them is the provider's own.
func foreignPrefixes(p *provider, n *NodeFacts) []string {
	if slices.ContainsFunc(p.looks.prefixes, func(own string) bool { return strings.HasPrefix(n.ProviderID, own) }) {
		return nil
	}
	return slices.Collect(prefixesOf(n.ProviderID))
}

// region is the node's region label, as a list of what it shows.
func (n *NodeFacts) region() []string {
	if region := n.Labels[regionLabel]; region != "" {
		return []string{region}
	}
	return nil
}

// knownKeys are the node's label keys that some provider lists.
func (c *Catalogue) knownKeys(n *NodeFacts) []string {
	var shown []string
	for key := range c.keyOwners {
		if _, carried := n.Labels[key]; carried {
			shown = append(shown, key)
		}
	}
	return shown
}

// likeness is why a node might be somebody else's.
type likeness struct {
	message string
	// fleeting says that only a signal is missing which the node could show and may have shown before.
	fleeting bool
}

// lookalike asks whether nodes of another provider look the same as this one, which matches the zone; nil: none do. Of several
// providers, the one that lists such nodes most specifically is told. A zone that lists the machine's UUID names this very machine.
func (c *Catalogue) lookalike(z *zone, n *NodeFacts) *likeness {
	if len(z.signals.uuids) > 0 {
		return nil
	}
	alike := c.fitting(n)
	if z.provider == nil {
		return undeclared(z, n, alike)
	}
	var found *likeness
	for _, p := range bySpecificity(alike, n) {
		if p == z.provider || c.toldApart(z, p, n) || z.sharesGround(p) || c.spokenFor(z, p, n) {
			continue
		}
		fleeting := len(missingTells(z, p, n)) > 0
		if found == nil {
			found = &likeness{message: alikeMessage(z, p, n), fleeting: fleeting}
		}
		found.fleeting = found.fleeting && fleeting
	}
	return found
}

// bySpecificity puts the provider first whose prefix says most about the node; of equals, the first by name.
func bySpecificity(alike []*provider, n *NodeFacts) []*provider {
	out := slices.Clone(alike)
	slices.SortStableFunc(out, func(a, b *provider) int { return cmp.Compare(b.specificity(n), a.specificity(n)) })
	return out
}

// specificity is how long a beginning of the node's providerID the provider lists.
func (p *provider) specificity(n *NodeFacts) int {
	longest := 0
	for _, prefix := range p.looks.prefixes {
		if strings.HasPrefix(n.ProviderID, prefix) {
			longest = max(longest, len(prefix))
		}
	}
	return longest
}

// fitting returns the providers that list a beginning of the node's providerID, by name.
func (c *Catalogue) fitting(n *NodeFacts) []*provider {
	var found []*provider
	for prefix := range prefixesOf(n.ProviderID) {
		found = append(found, c.prefixOwners[prefix]...)
	}
	slices.SortFunc(found, func(a, b *provider) int { return cmp.Compare(a.name, b.name) })
	return slices.Compact(found)
}

// undeclared judges a node of a zone that does not say whose it is. As long as only one provider's nodes look like that, nothing
// is confused. Two that do not stand on the same ground may be in different countries, and no signal helps while nobody says whose the zone is.
func undeclared(z *zone, n *NodeFacts, alike []*provider) *likeness {
	alike = slices.DeleteFunc(slices.Clone(alike), func(p *provider) bool { return elsewhere(p, n) })
	for i, p := range alike {
		for _, q := range alike[i+1:] {
			if !p.standsOn(q) && !q.standsOn(p) {
				return &likeness{message: fmt.Sprintf(
					"nodes of %s and of %s look like it, and zone %s does not say whose its nodes are: set its spec.provider",
					p.name, q.name, z.name)}
			}
		}
	}
	return nil
}

// elsewhere says that the node's region is none of the provider's.
func elsewhere(p *provider, n *NodeFacts) bool {
	region := n.Labels[regionLabel]
	return region != "" && len(p.looks.regions) > 0 && !slices.Contains(p.looks.regions, region)
}

// toldApart says whether something that the node shows speaks for the zone's provider and against p. A node that also shows what only
// p's nodes show, because a driver was rolled out everywhere, tells nothing.
func (c *Catalogue) toldApart(z *zone, p *provider, n *NodeFacts) bool {
	own := z.provider.looks
	if share(without(p.looks.drivers, own.drivers), n.CSIDrivers) || n.carries(without(p.looks.keys, own.keys)) {
		return false
	}
	return share(tellingDrivers(z, p), n.CSIDrivers) || elsewhere(p, n) || n.carries(without(own.keys, p.looks.keys))
}

// tellingDrivers are the CSI drivers that only the nodes of the zone's provider register: those that the provider lists, and those that the zone
// itself wants where it is known what p's nodes register instead.
func tellingDrivers(z *zone, p *provider) []string {
	drivers := z.provider.looks.drivers
	if len(p.looks.drivers) > 0 {
		drivers = sorted(slices.Concat(drivers, z.signals.drivers))
	}
	return without(drivers, p.looks.drivers)
}

func (n *NodeFacts) carries(keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { _, carried := n.Labels[key]; return carried })
}

// without returns the words that are not among the others.
func without(words, others []string) []string {
	if len(words) == 0 || len(others) == 0 {
		return words
	}
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(others, w) })
}

// sharesGround says that the zone's offer stands on p, or p on the zone's provider: then the machine is the same, and the zone says under which
// offer it was bought.
func (z *zone) sharesGround(p *provider) bool {
	return (z.offer != nil && slices.Contains(z.offer.providers, p)) || p.standsOn(z.provider)
}

// standsOn says that an offer of p is hosted on q.
func (p *provider) standsOn(q *provider) bool {
	for _, o := range p.offers {
		if p != q && slices.Contains(o.providers, q) {
			return true
		}
	}
	return false
}

// spokenFor says that the Zones here divide the ground on which both stand: a Zone of p has the same providerID, and a label that zones of
// both want tells them apart. A Zone of p elsewhere does not speak of this node. One that would hold it but for a signal that is
// not there yet speaks against the zone: the node may be one of p's that is starting.
func (c *Catalogue) spokenFor(z *zone, p *provider, n *NodeFacts) bool {
	spoken := false
	for _, w := range c.zonesOf[p] {
		if found, _ := c.relation(w, n); found == missing {
			return false
		}
		here := w.flaw == "" && len(w.signals.prefixes) > 0 && w.signals.prefixFits(n.ProviderID)
		spoken = spoken || (here && divided(&z.signals, &w.signals))
	}
	return spoken
}

// divided says that two zones want different values of the same label.
func divided(a, b *signals) bool {
	return slices.ContainsFunc(a.labels, func(l label) bool {
		return slices.ContainsFunc(b.labels, func(m label) bool { return l.key == m.key && l.value != m.value })
	})
}

// missingTells lists what would tell the zone's provider from p and is not there.
func missingTells(z *zone, p *provider, n *NodeFacts) []string {
	var tells []string
	drivers := tellingDrivers(z, p)
	if len(drivers) > 0 && !share(drivers, n.CSIDrivers) {
		tells = append(tells, "a CSI driver such as "+drivers[0])
	}
	keys := without(z.provider.looks.keys, p.looks.keys)
	if len(keys) > 0 && !n.carries(keys) {
		tells = append(tells, "a label such as "+keys[0])
	}
	if n.Labels[regionLabel] == "" && len(p.looks.regions) > 0 {
		tells = append(tells, "the label "+regionLabel)
	}
	return tells
}

func alikeMessage(z *zone, p *provider, n *NodeFacts) string {
	message := fmt.Sprintf("it looks like a node of zone %s (%s), and nodes of %s look the same", z.name, z.provider.name, p.name)
	if tells := missingTells(z, p, n); len(tells) > 0 {
		return message + "; it would be told by " + strings.Join(tells, " or ")
	}
	return message + fmt.Sprintf("; nothing in the catalogue tells them apart: list in CloudProvider %s a CSI driver or a label key that only its nodes show, "+
		"or the machine in the zone's systemUUIDs", z.provider.name)
}
