package trust

import (
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// zone is one place where this cluster has nodes.
type zone struct {
	index                   int // in Catalogue.zones
	name, country, site     string
	providerName, offerName string
	region                  string
	signals                 signals
	seen                    map[string]map[string]string // see compileSeen
	provider                *provider                    // nil: not named, or it does not exist
	offer                   *offer                       // nil: not named, or it does not exist
	// gap is the first thing about the zone's chain that is not said or that nobody knows; nil when it is complete.
	gap *miss
	// flaw says why the zone satisfies nothing, and unlabelled that its name cannot be written on a node.
	flaw       string
	unlabelled bool
}

func compileZone(f *file, o *v1alpha1.Zone) *zone {
	z := &zone{
		name: o.Name, country: string(o.Spec.Country), site: string(o.Spec.Site),
		providerName: string(o.Spec.Provider), offerName: string(o.Spec.Offer), region: string(o.Spec.Region),
	}
	z.checkNames(f)
	checkCountry(f, "spec.country", z.country)
	if z.providerName == "" && z.offerName != "" {
		f.reject("spec.offer", Malformed, "offer needs provider: an offer is one of a provider's")
	}
	if z.providerName == "" && z.region != "" {
		f.reject("spec.region", Malformed, "region needs provider: a region is named in its provider's words")
	}
	z.signals = compileSignals(f, &o.Spec.Recognition)
	z.seen = z.signals.compileSeen()
	return z
}

func (z *zone) checkNames(f *file) {
	if len(validation.IsValidLabelValue(z.name)) > 0 || z.name == "" {
		z.unlabelled = true
		f.reject("metadata.name", nameReason(z.name), "a zone's name becomes a label value and has at most %d characters", validation.LabelValueMaxLength)
	}
	if z.site == "" {
		z.site = z.name
		return
	}
	if len(validation.IsValidLabelValue(z.site)) > 0 {
		f.reject("spec.site", nameReason(z.site), "site %q must be usable as a label value: at most %d letters, digits, '-', '_' and '.'",
			z.site, validation.LabelValueMaxLength)
	}
}

func nameReason(name string) Reason {
	if len(name) > validation.LabelValueMaxLength {
		return NameTooLong
	}
	return Malformed
}

// resolveZone finds the zone's provider and offer, notes what does not exist, and remembers what is missing for those who ask.
func (c *Catalogue) resolveZone(f *file, z *zone) {
	z.provider = c.providers[z.providerName]
	switch {
	case z.providerName == "":
		z.gap = missed(ZoneIncomplete, "it does not say its provider: set spec.provider and spec.offer")
	case z.offerName == "" && z.provider == nil:
		_, z.gap = c.findOffer(z.providerName, "")
		f.note("spec.provider", z.gap.reason, "%s", z.gap.detail())
	case z.offerName == "":
		z.gap = missed(ZoneIncomplete, "it does not say under which offer of %s its nodes are bought: set spec.offer", z.providerName)
	default:
		z.offer, z.gap = c.findOffer(z.providerName, z.offerName)
		if z.gap != nil {
			field := "spec.offer"
			if z.provider == nil {
				field = "spec.provider"
			}
			f.note(field, z.gap.reason, "%s", z.gap.detail())
			return
		}
		z.gap = z.offer.gap
	}
}

// place is where something stands, as far as qualifications ask. Empty: nobody knows, and no list contains it.
type place struct{ region, site string }

func (z *zone) place() place { return place{z.region, z.site} }

// isOwnLabel says whether a label key is under one of Terroir's domains: what Terroir writes proves nothing. Others may have domains
// that only contain the same letters.
func isOwnLabel(key string) bool {
	return OwnLabel(key) || under("terroir.dev", key)
}
