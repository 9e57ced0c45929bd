package trust

// askSupport: support for every offer in the zone's chain is given only from the level's countries. Subcontractors are not
// asked: what part they have in support, the offer's own list says.
func askSupport(l *level, z *zone) *miss {
	if !l.support.given() {
		return nil
	}
	if z.gap != nil {
		return z.gap
	}
	for _, link := range z.offer.links {
		if len(link.support) == 0 {
			return missed(SupportUnknown, "it is not known from where support for %s is given, and %s is required", link, l.support)
		}
		if country, outside := l.support.outside(link.support); outside {
			return missed(SupportNotAllowed, "support for %s is also given from %s, not only from %s", link, country, l.support)
		}
	}
	return nil
}
