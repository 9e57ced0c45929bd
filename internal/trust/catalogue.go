package trust

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// Objects is everything that the catalogue is compiled from, in any order, each name at most once per kind. The objects are
// only read, and not kept.
type Objects struct {
	Frameworks     []v1alpha1.Framework
	Providers      []v1alpha1.CloudProvider
	Zones          []v1alpha1.Zone
	Qualifications []v1alpha1.Qualification
	TrustLevels    []v1alpha1.TrustLevel
}

// Catalogue is what the platform team states, resolved and checked. It does not change and may be used by many at once. The
// zero value knows nothing and so recognises and satisfies nothing.
type Catalogue struct {
	frameworks       map[string]*framework
	frameworkNames   []string
	providers        map[string]*provider
	providerNames    []string
	qualifications   []*qualification // by name
	qualificationsBy map[string]*qualification
	granted          map[qualified][]*qualification // of one offer under one framework, by name
	zones            []*zone                        // by name
	zonesBy          map[string]*zone
	zoneNames        []string
	zonesOf          map[*provider][]*zone // that name it
	levels           []*level              // by name
	levelsBy         map[string]*level
	levelNames       []string

	index        index
	prefixOwners owners
	driverOwners owners
	regionOwners owners
	keyOwners    owners

	instants []time.Time // at which anything may change, each once, in order
	problems []Problem   // sorted
	current  atomic.Pointer[epoch]
}

// Compile never fails: what is wrong with an object is a [Problem], and such an object satisfies nothing. Fifty providers, 300
// zones and 500 qualifications take a few milliseconds.
func Compile(o Objects) *Catalogue {
	c := &Catalogue{
		frameworks: map[string]*framework{}, providers: map[string]*provider{}, qualificationsBy: map[string]*qualification{},
		granted: map[qualified][]*qualification{}, zonesBy: map[string]*zone{}, zonesOf: map[*provider][]*zone{}, levelsBy: map[string]*level{},
		prefixOwners: owners{}, driverOwners: owners{}, regionOwners: owners{}, keyOwners: owners{},
	}
	c.compileFrameworks(o.Frameworks)
	c.compileProviders(o.Providers)
	c.compileQualifications(o.Qualifications)
	c.compileLevels(o.TrustLevels)
	c.compileZones(o.Zones)
	c.instants = c.collectInstants()
	slices.SortFunc(c.problems, compareProblems)
	c.problems = slices.Compact(c.problems)
	return c
}

func (c *Catalogue) compileFrameworks(list []v1alpha1.Framework) {
	for _, o := range byName(list, func(o *v1alpha1.Framework) string { return o.Name }) {
		f := &file{kind: KindFramework, name: o.Name}
		c.frameworks[o.Name] = compileFramework(f, o)
		c.problems = append(c.problems, f.problems...)
	}
	c.frameworkNames = slices.Sorted(maps.Keys(c.frameworks))
}

// compileProviders takes two passes: offers are hosted on offers of other providers.
func (c *Catalogue) compileProviders(list []v1alpha1.CloudProvider) {
	files := map[string]*file{}
	for _, o := range byName(list, func(o *v1alpha1.CloudProvider) string { return o.Name }) {
		files[o.Name] = &file{kind: KindCloudProvider, name: o.Name}
		c.providers[o.Name] = compileProvider(files[o.Name], o)
	}
	c.providerNames = slices.Sorted(maps.Keys(c.providers))
	for _, name := range c.providerNames {
		c.resolveHostings(files[name], c.providers[name])
		c.listLooks(c.providers[name])
	}
	for _, name := range c.providerNames {
		c.followOffers(files[name], c.providers[name])
		c.problems = append(c.problems, files[name].problems...)
	}
}

func (c *Catalogue) followOffers(f *file, p *provider) {
	for _, name := range p.offerNames {
		o := p.offers[name]
		o.follow()
		if o.circular && o.standsOnItself() {
			f.note("spec.offers["+name+"].hostedOn", HostingCycle, "offer %s is in the end hosted on itself: hostedOn must lead to somebody's own machines", o)
		}
	}
}

func (c *Catalogue) listLooks(p *provider) {
	for _, kind := range []struct {
		table owners
		words []string
	}{{c.prefixOwners, p.looks.prefixes}, {c.driverOwners, p.looks.drivers}, {c.regionOwners, p.looks.regions}, {c.keyOwners, p.looks.keys}} {
		for _, word := range kind.words {
			kind.table[word] = append(kind.table[word], p)
		}
	}
}

func (c *Catalogue) compileQualifications(list []v1alpha1.Qualification) {
	for _, o := range byName(list, func(o *v1alpha1.Qualification) string { return o.Name }) {
		f := &file{kind: KindQualification, name: o.Name}
		q := c.compileQualification(f, o)
		c.qualifications = append(c.qualifications, q)
		c.qualificationsBy[q.name] = q
		if q.framework != nil && q.offer != nil {
			key := qualified{q.framework, q.offer}
			c.granted[key] = append(c.granted[key], q)
		}
		c.problems = append(c.problems, f.problems...)
	}
}

func (c *Catalogue) compileLevels(list []v1alpha1.TrustLevel) {
	for i, o := range byName(list, func(o *v1alpha1.TrustLevel) string { return o.Name }) {
		f := &file{kind: KindTrustLevel, name: o.Name}
		l := c.compileLevel(f, o)
		l.index = i
		c.levels, c.levelNames, c.levelsBy[l.name] = append(c.levels, l), append(c.levelNames, l.name), l
		c.problems = append(c.problems, f.problems...)
	}
}

// compileZones closes the files last: whether zones contradict each other can be told only when all are known.
func (c *Catalogue) compileZones(list []v1alpha1.Zone) {
	files := map[*zone]*file{}
	for i, o := range byName(list, func(o *v1alpha1.Zone) string { return o.Name }) {
		f := &file{kind: KindZone, name: o.Name}
		z := compileZone(f, o)
		z.index = i
		c.resolveZone(f, z)
		c.zones, c.zoneNames, c.zonesBy[z.name], files[z] = append(c.zones, z), append(c.zoneNames, z.name), z, f
		c.zonesOf[z.provider] = append(c.zonesOf[z.provider], z)
	}
	c.index = indexZones(c.zones)
	c.noteOverlaps(files)
	c.noteSites(files)
	for _, z := range c.zones {
		z.flaw = files[z].flaw()
		c.problems = append(c.problems, files[z].problems...)
	}
}

// Problems returns everything that is wrong with the catalogue, by kind, name, field, reason and message.
func (c *Catalogue) Problems() []Problem { return slices.Clone(c.problems) }

// ProblemsOf returns what is wrong with one object, in the same order; kind is one of the Kind constants.
func (c *Catalogue) ProblemsOf(kind, name string) []Problem {
	from, _ := slices.BinarySearchFunc(c.problems, Problem{Kind: kind, Name: name}, compareProblems)
	to := from
	for to < len(c.problems) && c.problems[to].Kind == kind && c.problems[to].Name == name {
		to++
	}
	return slices.Clone(c.problems[from:to])
}

// Levels returns the names of all TrustLevels, sorted, those with Problems included.
func (c *Catalogue) Levels() []string { return slices.Clone(c.levelNames) }

// HasLevel says whether there is a TrustLevel of that name. One with Problems exists and is satisfied nowhere.
func (c *Catalogue) HasLevel(name string) bool { return c.levelsBy[name] != nil }

// collectInstants gathers every moment at which a Standing or a Validity may change, so that all moments between two of them
// share their answers. It must miss none: standing.go and validity.go take theirs from the same functions.
func (c *Catalogue) collectInstants() []time.Time {
	var found moments
	ages := c.collectAges(&found)
	for _, q := range c.qualifications {
		found.addBounds(q)
		for age := range ages[q.framework] {
			found.addAges(q, age, age)
		}
	}
	return found.inOrder()
}

// collectAges gathers every age that is asked of qualifications under a framework, and on the way the moments of the levels and frameworks themselves.
func (c *Catalogue) collectAges(found *moments) map[*framework]map[time.Duration]bool {
	ages := map[*framework]map[time.Duration]bool{}
	for _, w := range c.frameworks {
		found.add(w.acceptUntil)
		ages[w] = map[time.Duration]bool{}
	}
	for _, l := range c.levels {
		for _, d := range l.qualifications {
			for _, a := range d {
				found.add(a.until)
				if a.framework != nil {
					ages[a.framework][a.maxPeriodAge] = true
					ages[a.framework][l.maxEvidenceAge] = true
				}
			}
		}
	}
	return ages
}

// byName returns the objects in the order of their names, where they are. Should a name come twice, its namesakes keep their order.
func byName[T any](list []T, name func(*T) string) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	slices.SortStableFunc(out, func(a, b *T) int { return cmp.Compare(name(a), name(b)) })
	return out
}
