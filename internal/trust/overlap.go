package trust

import (
	"slices"
)

// noteOverlaps finds zones of which every node certainly also shows the signals of another zone. No node can be recognised in
// such a zone, so it satisfies nothing; the wider one keeps the nodes that are only its own.
func (c *Catalogue) noteOverlaps(files map[*zone]*file) {
	for _, a := range c.zones {
		for _, b := range c.widerCandidates(a) {
			if a == b || !within(&a.signals, &b.signals) {
				continue
			}
			if within(&b.signals, &a.signals) {
				files[a].reject("spec.recognition", OverlappingRecognition,
					"zone %s has the same signals, so that a node is recognised in neither: give each a signal that the other's nodes do not show", b.name)
				continue
			}
			files[a].reject("spec.recognition", OverlappingRecognition,
				"every node with these signals also shows those of zone %s, so that no node is recognised here: give %s a signal that these nodes do not show",
				b.name, b.name)
			files[b].note("spec.recognition", OverlappingRecognition,
				"every node of zone %s also shows these signals, so that those nodes are recognised in neither: add a signal that they do not show", a.name)
		}
	}
}

// widerCandidates asks the index for zones that a node with no more than the zone's signals may be in.
func (c *Catalogue) widerCandidates(z *zone) []*zone {
	s := &z.signals
	if s.void {
		return nil
	}
	n := NodeFacts{Labels: make(map[string]string, len(s.labels))}
	if len(s.prefixes) > 0 {
		n.ProviderID = s.prefixes[0]
	}
	for _, l := range s.labels {
		n.Labels[l.key] = l.value
	}
	if len(s.drivers) > 0 {
		n.CSIDrivers = s.drivers[:1]
	}
	if len(s.uuids) > 0 {
		n.SystemUUID = s.uuids[0]
	}
	return c.index.candidates(&n)
}

// within says whether every node that shows the signals a certainly shows the signals b.
func within(a, b *signals) bool {
	if a.void || b.void {
		return false
	}
	extends := func(p string) bool { return b.prefixFits(p) }
	return (len(b.prefixes) == 0 || (len(a.prefixes) > 0 && !slices.ContainsFunc(a.prefixes, not(extends)))) &&
		(len(b.drivers) == 0 || (len(a.drivers) > 0 && subset(a.drivers, b.drivers))) &&
		(len(b.uuids) == 0 || (len(a.uuids) > 0 && subset(a.uuids, b.uuids))) &&
		subsetOfLabels(b.labels, a.labels)
}

func not(ask func(string) bool) func(string) bool { return func(s string) bool { return !ask(s) } }

func subset(part, whole []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool {
		_, found := slices.BinarySearch(whole, s)
		return !found
	})
}

func subsetOfLabels(part, whole []label) bool {
	return !slices.ContainsFunc(part, func(l label) bool { return !slices.Contains(whole, l) })
}

// noteSites finds buildings that stand in two countries. Which zone is wrong cannot be told, so none of them satisfies anything.
func (c *Catalogue) noteSites(files map[*zone]*file) {
	here := map[string][]*zone{}
	for _, z := range c.zones {
		here[z.site] = append(here[z.site], z)
	}
	for _, z := range c.zones {
		for _, other := range here[z.site] {
			if other.country != z.country {
				files[z].reject("spec.site", SiteInTwoCountries, "site %s is in %s here and in %s in zone %s: a building stands in one country",
					z.site, z.country, other.country, other.name)
				break
			}
		}
	}
}
