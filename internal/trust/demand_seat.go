package trust

// askSeat: every provider in the zone's chain, the company that controls it, and every subcontractor are established in one of
// the level's countries. Other owners are not asked.
func askSeat(l *level, z *zone) *miss {
	if !l.seat.given() {
		return nil
	}
	if z.gap != nil {
		return z.gap
	}
	for _, p := range z.offer.providers {
		if !l.seat.contains(p.seat) {
			return missed(SeatNotAllowed, "%s has its seat in %s, not in %s", p.name, p.seat, l.seat)
		}
		if p.parent != nil && !l.seat.contains(string(p.parent.Country)) {
			return missed(SeatNotAllowed, "%s, which controls %s, is established in %s, not in %s", p.parent.Name, p.name, p.parent.Country, l.seat)
		}
	}
	return askSubcontractors(l.seat, z, SeatNotAllowed, "is established in")
}
