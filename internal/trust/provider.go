package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// provider is a company that sells ground.
type provider struct {
	name, seat string
	parent     *v1alpha1.Company
	exposures  exposures
	offers     map[string]*offer
	offerNames []string // sorted
	looks      looks
	flaw       string
}

// offer is a service of a provider, with everything it stands on.
type offer struct {
	provider       *provider
	name           string
	model          string
	administration []string // countries, sorted
	support        []string // countries, sorted
	hostedOn       []hosting
	subcontractors []subcontractor // by name

	// links are the offers it stands on, itself first, then in the order in which hostedOn names them.
	links []*offer
	// providers are those of the links, each once, in the same order.
	providers []*provider
	// gap is the first thing about the chain that nobody knows; nil when it is complete.
	gap *miss
	// circular says that the chain leads in a circle.
	circular bool
}

func (o *offer) String() string { return o.provider.name + "/" + o.name }

// hosting is an offer on which another one runs.
type hosting struct {
	provider, name string
	regions        []string
	offer          *offer // nil: it does not exist
	gap            *miss  // says so
}

// subcontractor is an organisation with a part in an offer.
type subcontractor struct {
	name, country string
	exposures     exposures
}

// exposures holds, by law, what is known. A law that is not there is undetermined.
type exposures map[string]exposure

// exposure is one legal opinion; only freed says that the law does not reach.
type exposure struct {
	reached bool // stated as Exposed
	freed   bool // stated as NotExposed, with a basis
}

func compileProvider(f *file, o *v1alpha1.CloudProvider) *provider {
	p := &provider{name: o.Name, seat: string(o.Spec.Seat), offers: map[string]*offer{}}
	checkCountry(f, "spec.seat", p.seat)
	if o.Spec.Parent != nil {
		p.parent = o.Spec.Parent.DeepCopy()
		checkCountry(f, "spec.parent.country", string(p.parent.Country))
	}
	p.exposures = compileExposures(f, "spec.exposures", o.Spec.Exposures)
	p.looks = compileLooks(f, o.Spec.Recognition)
	for i := range o.Spec.Offers {
		p.compileOffer(f, &o.Spec.Offers[i])
	}
	slices.Sort(p.offerNames)
	p.flaw = f.flaw()
	return p
}

func (p *provider) compileOffer(f *file, o *v1alpha1.Offer) {
	field := fmt.Sprintf("spec.offers[%s]", o.Name)
	if _, twice := p.offers[string(o.Name)]; twice || o.Name == "" {
		f.reject(field, Malformed, "offer %q must have a name of its own", o.Name)
		return
	}
	if !knownServiceModel(o.ServiceModel) {
		f.reject(field+".serviceModel", Malformed, "%q must be IaaS, CaaS, PaaS or SaaS", o.ServiceModel)
	}
	compiled := &offer{
		provider: p, name: string(o.Name), model: string(o.ServiceModel),
		administration: compileCountries(f, field+".administrationFrom", o.AdministrationFrom),
		support:        compileCountries(f, field+".supportFrom", o.SupportFrom),
	}
	for _, h := range o.HostedOn {
		regions := compileTerms(f, field+".hostedOn.regions", h.Regions)
		compiled.hostedOn = append(compiled.hostedOn, hosting{provider: string(h.Provider), name: string(h.Offer), regions: regions})
	}
	for i := range o.Subcontractors {
		compiled.subcontractors = append(compiled.subcontractors, compileSubcontractor(f, field+".subcontractors", &o.Subcontractors[i]))
	}
	slices.SortStableFunc(compiled.subcontractors, func(a, b subcontractor) int { return strings.Compare(a.name, b.name) })
	p.offers[compiled.name] = compiled
	p.offerNames = append(p.offerNames, compiled.name)
}

func compileSubcontractor(f *file, field string, s *v1alpha1.Subcontractor) subcontractor {
	checkCountry(f, field+".country", string(s.Country))
	return subcontractor{name: s.Name, country: string(s.Country), exposures: compileExposures(f, field+".exposures", s.Exposures)}
}

func compileCountries(f *file, field string, list []v1alpha1.Country) []string {
	for _, country := range list {
		checkCountry(f, field, string(country))
	}
	return sorted(list)
}

// compileTerms sorts names and rejects the empty one: it would match the region of a zone that does not say its region.
func compileTerms[T ~string](f *file, field string, list []T) []string {
	if slices.Contains(list, "") {
		f.reject(field, Malformed, "an empty name is no name")
	}
	return slices.DeleteFunc(sorted(list), func(s string) bool { return s == "" })
}

// compileExposures keeps the worse of two opinions on the same law. Without a basis, NotExposed is an opinion that nobody can check.
func compileExposures(f *file, field string, list []v1alpha1.Exposure) exposures {
	known := exposures{}
	for _, e := range list {
		law := string(e.Law)
		opinion := exposure{
			reached: e.State == v1alpha1.Exposed,
			freed:   e.State == v1alpha1.NotExposed && strings.TrimSpace(e.Basis) != "",
		}
		if e.State != v1alpha1.NotExposed && e.State != v1alpha1.Exposed && e.State != v1alpha1.Undetermined {
			f.reject(field+"["+law+"].state", Malformed, "%q must be NotExposed, Exposed or Undetermined", e.State)
		}
		if other, twice := known[law]; twice {
			opinion = exposure{reached: opinion.reached || other.reached, freed: opinion.freed && other.freed}
		}
		known[law] = opinion
	}
	return known
}

// findOffer looks an offer up and says what is missing.
func (c *Catalogue) findOffer(providerName, offerName string) (*offer, *miss) {
	p, exists := c.providers[providerName]
	if !exists {
		return nil, missed(ProviderUnknown, "there is no CloudProvider %s%s", providerName, didYouMean(providerName, c.providerNames))
	}
	o, exists := p.offers[offerName]
	if !exists {
		return nil, missed(OfferUnknown, "provider %s has no offer %s%s", providerName, offerName, didYouMean(offerName, p.offerNames))
	}
	return o, nil
}

// resolveHostings finds what a provider's offers are hosted on, and notes what does not exist.
func (c *Catalogue) resolveHostings(f *file, p *provider) {
	for _, name := range p.offerNames {
		o := p.offers[name]
		for i := range o.hostedOn {
			h := &o.hostedOn[i]
			h.offer, h.gap = c.findOffer(h.provider, h.name)
			if h.gap != nil {
				f.note(fmt.Sprintf("spec.offers[%s].hostedOn", name), h.gap.reason, "%s", h.gap.detail())
			}
		}
	}
}

// follow walks everything that an offer stands on and remembers the first thing that nobody knows.
func (o *offer) follow() {
	o.walk(o, map[*offer]bool{})
	for _, link := range o.links {
		if !slices.Contains(o.providers, link.provider) {
			o.providers = append(o.providers, link.provider)
		}
	}
	o.circular = o.leadsInACircle(map[*offer]int{})
	if o.circular {
		o.gap = missed(HostingCycle, "what %s is hosted on leads in a circle, so that nobody knows what it runs on", o)
	}
}

func (o *offer) walk(at *offer, seen map[*offer]bool) {
	seen[at] = true
	o.links = append(o.links, at)
	if o.gap == nil && at.provider.flaw != "" {
		o.gap = missed(ProviderInvalid, "provider %s is not valid: %s", at.provider.name, at.provider.flaw)
	}
	for _, h := range at.hostedOn {
		if h.offer == nil && o.gap == nil {
			o.gap = missed(h.gap.reason, "%s is hosted on %s/%s, and %s", at, h.provider, h.name, h.gap.detail())
		}
		if h.offer != nil && !seen[h.offer] {
			o.walk(h.offer, seen)
		}
	}
}

// leadsInACircle searches in depth; an offer met again while it is still being searched closes a circle.
func (o *offer) leadsInACircle(state map[*offer]int) bool {
	const searching, done = 1, 2
	state[o] = searching
	for _, h := range o.hostedOn {
		if h.offer != nil && (state[h.offer] == searching || (state[h.offer] == 0 && h.offer.leadsInACircle(state))) {
			return true
		}
	}
	state[o] = done
	return false
}

// standsOnItself says whether the offer is one of those that close a circle.
func (o *offer) standsOnItself() bool {
	return slices.ContainsFunc(o.links, func(link *offer) bool {
		return slices.ContainsFunc(link.hostedOn, func(h hosting) bool { return h.offer == o })
	})
}
