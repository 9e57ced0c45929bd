package trust

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// View is the catalogue at a moment. It may be used by many at once.
type View struct {
	catalogue *Catalogue
	now       time.Time
	epoch     *epoch
}

// epoch holds what has been worked out for the moments from one change of the catalogue to the next: between two, the passing
// of time changes no Standing. Zones are worked out when somebody asks.
type epoch struct {
	from, to time.Time // to is exclusive; zero: for ever
	grounds  []ground  // by zone.index
}

// ground is what one zone is worth to every level.
type ground struct {
	once      sync.Once
	standings []Standing // by level.index
	failing   []int      // demands that fail, by level.index
}

// At picks the moment of which everything else is asked. Asking again within one epoch costs nothing.
func (c *Catalogue) At(now time.Time) *View {
	now = now.UTC().Round(0)
	e := c.current.Load()
	if e == nil || now.Before(e.from) || (!e.to.IsZero() && !now.Before(e.to)) {
		e = &epoch{from: now, to: next(c.instants, now), grounds: make([]ground, len(c.zones))}
		c.current.Store(e)
	}
	return &View{catalogue: c, now: now, epoch: e}
}

func (v *View) ground(z *zone) *ground {
	g := &v.epoch.grounds[z.index]
	g.once.Do(func() {
		g.standings = make([]Standing, len(v.catalogue.levels))
		g.failing = make([]int, len(v.catalogue.levels))
		for i, l := range v.catalogue.levels {
			g.standings[i], g.failing[i] = v.catalogue.standing(z, l, v.now)
		}
	})
	return g
}

// Standing says what a zone is worth to a level. Names that do not exist are worth nothing and say so. The slices in it are
// shared: do not change them.
func (v *View) Standing(zone, level string) Standing {
	c := v.catalogue
	z, l := c.zonesBy[zone], c.levelsBy[level]
	switch {
	case l == nil:
		return Standing{Zone: zone, Level: level, Reason: NoSuchLevel, Message: clip("there is no TrustLevel " + level + didYouMean(level, c.levelNames))}
	case z == nil:
		return Standing{Zone: zone, Level: level, Reason: NoSuchZone, Message: clip("there is no Zone " + zone + didYouMean(zone, c.zoneNames))}
	default:
		return v.ground(z).standings[l.index]
	}
}

// Nearest returns the standing of the zone that satisfies a level or, if none does, that comes closest: the one in which the fewest demands fail, the
// first by name of equally close ones. It returns false when there are no zones.
func (v *View) Nearest(level string) (Standing, bool) {
	c := v.catalogue
	if len(c.zones) == 0 {
		return Standing{}, false
	}
	l := c.levelsBy[level]
	if l == nil {
		return v.Standing(c.zones[0].name, level), true
	}
	best := slices.MinFunc(c.zones, func(a, b *zone) int {
		x, y := v.ground(a), v.ground(b)
		return cmp.Or(
			cmp.Compare(y.standings[l.index].Worth, x.standings[l.index].Worth),
			cmp.Compare(x.failing[l.index], y.failing[l.index]),
			cmp.Compare(a.index, b.index),
		)
	})
	return v.ground(best).standings[l.index], true
}

// NextChange is the earliest moment at which any Standing or Validity may change; zero: never. What a Suspect node waits for is
// in its Recognition.
func (v *View) NextChange() time.Time { return v.epoch.to }

// ZoneSummary is what a Zone's status says.
type ZoneSummary struct {
	// Name is the Zone, Site the building in effect.
	Name, Site string
	// Standings has one entry per TrustLevel, by name. It is shared: do not change it.
	Standings []Standing
	// NextChange is the earliest NextChange of the Standings; zero: never.
	NextChange time.Time
}

// Zones summarises every Zone, by name.
func (v *View) Zones() []ZoneSummary {
	out := make([]ZoneSummary, len(v.catalogue.zones))
	for i, z := range v.catalogue.zones {
		standings := v.ground(z).standings
		out[i] = ZoneSummary{Name: z.name, Site: z.site, Standings: slices.Clip(standings), NextChange: firstChange(standings)}
	}
	return out
}

func firstChange(standings []Standing) time.Time {
	var first time.Time
	for i := range standings {
		first = earlier(first, standings[i].NextChange)
	}
	return first
}

// LevelSummary is what a TrustLevel's status says.
type LevelSummary struct {
	// Name is the TrustLevel.
	Name string
	// Zones are the names of the Zones that are Open to it, Sites the different buildings they are in; both sorted.
	Zones, Sites []string
	// Nearest is the Standing that View.Nearest returns; the zero value when there are no zones.
	Nearest Standing
	// NextChange is the next moment at which the passing of time alone may change where the level is satisfied; zero: never.
	NextChange time.Time
}

// TrustLevels summarises every TrustLevel, by name.
func (v *View) TrustLevels() []LevelSummary {
	out := make([]LevelSummary, len(v.catalogue.levels))
	for i, l := range v.catalogue.levels {
		out[i] = v.summary(l)
	}
	return out
}

func (v *View) summary(l *level) LevelSummary {
	s := LevelSummary{Name: l.name}
	for _, z := range v.catalogue.zones {
		standing := &v.ground(z).standings[l.index]
		s.NextChange = earlier(s.NextChange, standing.NextChange)
		if standing.Worth == Open {
			s.Zones = append(s.Zones, z.name)
			s.Sites = append(s.Sites, z.site)
		}
	}
	s.Sites = sorted(s.Sites)
	s.Nearest, _ = v.Nearest(l.name)
	return s
}
