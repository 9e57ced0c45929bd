package trust

// askAdministration: every offer in the zone's chain is administered only from the level's countries, and subcontractors work
// there. An offer that does not say from where is not satisfied: an empty list is not a promise.
func askAdministration(l *level, z *zone) *miss {
	if !l.administration.given() {
		return nil
	}
	if z.gap != nil {
		return z.gap
	}
	for _, link := range z.offer.links {
		if len(link.administration) == 0 {
			return missed(AdministrationUnknown, "it is not known from where %s is administered, and %s is required", link, l.administration)
		}
		if country, outside := l.administration.outside(link.administration); outside {
			return missed(AdministrationNotAllowed, "%s is also administered from %s, not only from %s", link, country, l.administration)
		}
	}
	return askSubcontractors(l.administration, z, AdministrationNotAllowed, "works from")
}
