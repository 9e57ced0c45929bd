package trust

// askCountries: the machines stand, and subcontractors of the whole chain work, in one of the level's countries.
//
// A zone that names no provider or no offer says nothing about subcontractors, and is asked for its country alone: the simplest use is a
// zone with a country. One that names what does not exist is refused, because its subcontractors are then unknown.
func askCountries(l *level, z *zone) *miss {
	if !l.countries.given() {
		return nil
	}
	if !l.countries.contains(z.country) {
		return missed(CountryNotAllowed, "it stands in %s, not in %s", z.country, l.countries)
	}
	if z.gap != nil && z.gap.reason != ZoneIncomplete {
		return z.gap
	}
	return askSubcontractors(l.countries, z, CountryNotAllowed, "works from")
}

// askSubcontractors asks the countries of all subcontractors of the zone's chain.
func askSubcontractors(allowed territories, z *zone, reason Reason, does string) *miss {
	if z.offer == nil {
		return nil
	}
	for _, link := range z.offer.links {
		for _, s := range link.subcontractors {
			if !allowed.contains(s.country) {
				return missed(reason, "%s, subcontractor of %s, %s %s, not %s", s.name, link, does, s.country, allowed)
			}
		}
	}
	return nil
}
