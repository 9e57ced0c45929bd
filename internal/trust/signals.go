package trust

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// regionLabel is where nodes say their region.
const regionLabel = "topology.kubernetes.io/region"

// label is one label that a node carries.
type label struct{ key, value string }

// signals is how a node of a zone is recognised. Every kind that is given must hold; a zone without any matches nothing.
type signals struct {
	prefixes []string // any of; sorted
	labels   []label  // all of; by key
	drivers  []string // any of; sorted
	uuids    []string // any of; sorted, in lower case
	// void says that a kind was given of which nothing usable is left, so that nothing can match.
	void bool
}

// looks is what a provider's nodes look like anywhere. Each list is any-of, sorted; an empty one says nothing.
type looks struct {
	prefixes, drivers, regions, keys []string
}

func compileSignals(f *file, r *v1alpha1.ZoneRecognition) signals {
	const field = "spec.recognition"
	var s signals
	for _, prefix := range sorted(r.ProviderIDPrefixes) {
		if checkPrefix(f, field+".providerIDPrefixes", prefix) {
			s.prefixes = append(s.prefixes, prefix)
		}
	}
	for key, value := range r.Labels {
		s.void = !checkLabel(f, field+".labels", key, string(value)) || s.void
		s.labels = append(s.labels, label{key, string(value)})
	}
	slices.SortFunc(s.labels, func(a, b label) int { return strings.Compare(a.key, b.key) })
	s.drivers = compileTerms(f, field+".csiDrivers", r.CSIDrivers)
	for _, uuid := range r.SystemUUIDs {
		if checkUUID(f, field+".systemUUIDs", string(uuid)) {
			s.uuids = append(s.uuids, strings.ToLower(string(uuid)))
		}
	}
	slices.Sort(s.uuids)
	s.uuids = slices.Compact(s.uuids)
	s.void = s.void || s.empty() || emptied(r.ProviderIDPrefixes, s.prefixes) || emptied(r.CSIDrivers, s.drivers) || emptied(r.SystemUUIDs, s.uuids)
	if len(r.ProviderIDPrefixes)+len(r.Labels)+len(r.CSIDrivers)+len(r.SystemUUIDs) == 0 {
		f.reject(field, Malformed,
			"at least one of providerIDPrefixes, labels, csiDrivers and systemUUIDs must be given: a zone without a signal would contain every node")
	}
	return s
}

// emptied says whether nothing usable is left of what was given. An empty list must not come to mean that nothing was asked.
func emptied[T any](given []T, usable []string) bool { return len(given) > 0 && len(usable) == 0 }

func (s *signals) empty() bool {
	return len(s.prefixes)+len(s.labels)+len(s.drivers)+len(s.uuids) == 0
}

func checkPrefix(f *file, field, prefix string) bool {
	if strings.Contains(prefix, "://") && strings.HasSuffix(prefix, "/") {
		return true
	}
	if strings.Contains(prefix, "://") {
		f.reject(field, Malformed, "prefix %q must end with '/', or it would also match what only begins with the same letters: write %s/", prefix, prefix)
	} else {
		f.reject(field, Malformed, "prefix %q must begin with a scheme and end with '/', such as aws:///eu-west-2a/", prefix)
	}
	return false
}

func checkLabel(f *file, field, key, value string) bool {
	if isOwnLabel(key) {
		f.reject(field, Malformed, "label %s cannot be a signal: Terroir writes it", key)
		return false
	}
	if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
		f.reject(field, Malformed, "%s: %q must be a label key and a label value", key, value)
		return false
	}
	return true
}

// checkUUID also rejects what boards report that have no UUID: it would match every one of them.
func checkUUID(f *file, field, uuid string) bool {
	digits := strings.ToLower(strings.ReplaceAll(uuid, "-", ""))
	if len(uuid) != 36 || len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		f.reject(field, Malformed, "%q must be a UUID, such as 4c4c4544-0042-3510-8054-b4c04f4d3332", uuid)
		return false
	}
	if strings.Trim(digits, "0") == "" || strings.Trim(digits, "f") == "" {
		f.reject(field, Malformed, "%s is what machines without a UUID report", uuid)
		return false
	}
	return true
}

// compileLooks widens a prefix without a final slash to the last one it has: it then fits more nodes, so that more of them count as look-alikes.
func compileLooks(f *file, r *v1alpha1.ProviderRecognition) looks {
	if r == nil {
		return looks{}
	}
	const field = "spec.recognition"
	var l looks
	for _, prefix := range sorted(r.ProviderIDPrefixes) {
		if !checkPrefix(f, field+".providerIDPrefixes", prefix) {
			prefix = prefix[:strings.LastIndex(prefix, "/")+1]
		}
		if prefix != "" {
			l.prefixes = append(l.prefixes, prefix)
		}
	}
	l.drivers = compileTerms(f, field+".csiDrivers", r.CSIDrivers)
	l.regions = compileTerms(f, field+".regions", r.Regions)
	l.keys = compileTerms(f, field+".labelKeys", r.LabelKeys)
	return l
}

// fit says how a node's signals relate to those that a zone wants. The order matters: the worst of all kinds counts.
type fit int

const (
	fits    fit = iota // shown as wanted
	missing            // not shown, and nothing shown against it
	differs            // something else is shown
)

// relation compares a node with a zone and says in words what is wrong with the first kind that has the worst fit.
func (c *Catalogue) relation(z *zone, n *NodeFacts) (fit, string) {
	if z.signals.void {
		return differs, "its signals are not valid"
	}
	worst, words := fits, ""
	for _, compare := range [...]func(*Catalogue, *zone, *NodeFacts) (fit, func() string){compareProviderID, compareLabels, compareDrivers, compareUUID} {
		if found, say := compare(c, z, n); found > worst {
			worst, words = found, say()
		}
	}
	return worst, words
}

// matches is relation for those who do not ask why.
func (c *Catalogue) matches(z *zone, n *NodeFacts) bool {
	s := &z.signals
	return !s.void && s.prefixFits(n.ProviderID) && s.labelsFit(n.Labels) && s.driversFit(n.CSIDrivers) && s.uuidFits(n.SystemUUID)
}

// failing counts the signals that the node does not show as wanted.
func (s *signals) failing(n *NodeFacts) int {
	failing := 0
	for _, fits := range [...]bool{s.prefixFits(n.ProviderID), s.driversFit(n.CSIDrivers), s.uuidFits(n.SystemUUID)} {
		if !fits {
			failing++
		}
	}
	for _, want := range s.labels {
		if value, shown := n.Labels[want.key]; !shown || value != want.value {
			failing++
		}
	}
	return failing
}

func (s *signals) prefixFits(providerID string) bool {
	return len(s.prefixes) == 0 || slices.ContainsFunc(s.prefixes, func(p string) bool { return strings.HasPrefix(providerID, p) })
}

func (s *signals) labelsFit(labels map[string]string) bool {
	for _, want := range s.labels {
		if value, shown := labels[want.key]; !shown || value != want.value {
			return false
		}
	}
	return true
}

func (s *signals) driversFit(drivers []string) bool {
	return len(s.drivers) == 0 || share(s.drivers, drivers)
}

func (s *signals) uuidFits(uuid string) bool {
	if len(s.uuids) == 0 {
		return true
	}
	_, found := slices.BinarySearch(s.uuids, strings.ToLower(uuid))
	return found
}

func compareProviderID(_ *Catalogue, z *zone, n *NodeFacts) (fit, func() string) {
	wanted := func() string { return oneOf(z.signals.prefixes) }
	switch {
	case z.signals.prefixFits(n.ProviderID):
		return fits, nil
	case n.ProviderID == "":
		return missing, func() string { return "it has no providerID, which should begin with " + wanted() }
	default:
		return differs, func() string { return "its providerID " + n.ProviderID + " does not begin with " + wanted() }
	}
}

func compareLabels(_ *Catalogue, z *zone, n *NodeFacts) (fit, func() string) {
	worst, words := fits, (func() string)(nil)
	for _, want := range z.signals.labels {
		value, shown := n.Labels[want.key]
		switch {
		case !shown && worst < missing:
			worst, words = missing, func() string { return fmt.Sprintf("it has no label %s, which should be %s", want.key, want.value) }
		case shown && value != want.value && worst < differs:
			worst, words = differs, func() string { return fmt.Sprintf("its label %s is %s, not %s", want.key, value, want.value) }
		}
	}
	return worst, words
}

// compareDrivers takes a CSI driver that is not registered for missing: a plugin that restarts leaves CSINode. Only one that the
// catalogue knows to be somebody else's speaks against the zone.
func compareDrivers(c *Catalogue, z *zone, n *NodeFacts) (fit, func() string) {
	wanted := func() string { return oneOf(z.signals.drivers) }
	if z.signals.driversFit(n.CSIDrivers) {
		return fits, nil
	}
	if driver, owner, found := c.foreign(c.driverOwners, z.provider, n.CSIDrivers); found {
		return differs, func() string {
			return fmt.Sprintf("its CSI driver %s is one of %s, and %s is not registered", driver, owner.name, wanted())
		}
	}
	return missing, func() string { return "the CSI driver " + wanted() + " is not registered on it" }
}

func compareUUID(_ *Catalogue, z *zone, n *NodeFacts) (fit, func() string) {
	switch {
	case z.signals.uuidFits(n.SystemUUID):
		return fits, nil
	case n.SystemUUID == "":
		return missing, func() string { return "it reports no system UUID" }
	default:
		return differs, func() string { return "its system UUID " + n.SystemUUID + " is not one of those listed" }
	}
}

// owners says, for signals of one kind, which providers list them. Each list is in the order of the providers' names.
type owners map[string][]*provider

// foreign returns, of the signals shown, the first in the alphabet that other providers list and p does not, and who lists it.
func (c *Catalogue) foreign(known owners, p *provider, shown []string) (string, *provider, bool) {
	signal, owner := "", (*provider)(nil)
	for _, s := range shown {
		listed := known[s]
		if len(listed) == 0 || slices.Contains(listed, p) || (owner != nil && signal <= s) {
			continue
		}
		signal, owner = s, listed[0]
	}
	return signal, owner, owner != nil
}

// index finds the few zones that a node may be in, without asking all of them. Each zone is listed under one kind of signal, the most telling one.
type index struct {
	uuids    map[string][]*zone
	prefixes map[string][]*zone
	labels   map[string]map[string][]*zone // by key, then by value
	drivers  map[string][]*zone
}

func indexZones(zones []*zone) index {
	x := index{uuids: map[string][]*zone{}, prefixes: map[string][]*zone{}, labels: map[string]map[string][]*zone{}, drivers: map[string][]*zone{}}
	shares := map[label]int{}
	for _, z := range zones {
		for _, l := range z.signals.labels {
			shares[l]++
		}
	}
	for _, z := range zones {
		switch s := &z.signals; {
		case s.void:
		case len(s.uuids) > 0:
			enter(x.uuids, s.uuids, z)
		case len(s.prefixes) > 0:
			enter(x.prefixes, s.prefixes, z)
		case len(s.labels) > 0:
			rarest := slices.MinFunc(s.labels, func(a, b label) int { return shares[a] - shares[b] })
			if x.labels[rarest.key] == nil {
				x.labels[rarest.key] = map[string][]*zone{}
			}
			enter(x.labels[rarest.key], []string{rarest.value}, z)
		default:
			enter(x.drivers, s.drivers, z)
		}
	}
	return x
}

func enter(table map[string][]*zone, words []string, z *zone) {
	for _, word := range words {
		table[word] = append(table[word], z)
	}
}

// candidates returns the zones of which the node shows the most telling kind, each once, by name. Every zone that matches is among them.
func (x *index) candidates(n *NodeFacts) []*zone {
	var found []*zone
	if n.SystemUUID != "" && len(x.uuids) > 0 {
		found = append(found, x.uuids[strings.ToLower(n.SystemUUID)]...)
	}
	for prefix := range prefixesOf(n.ProviderID) {
		found = append(found, x.prefixes[prefix]...)
	}
	for key, values := range x.labels {
		if value, shown := n.Labels[key]; shown {
			found = append(found, values[value]...)
		}
	}
	for _, driver := range n.CSIDrivers {
		found = append(found, x.drivers[driver]...)
	}
	if len(found) < 2 {
		return found
	}
	slices.SortFunc(found, func(a, b *zone) int { return a.index - b.index })
	return slices.Compact(found)
}

// prefixesOf yields the beginnings of a providerID that end with a slash: all that a prefix can be.
func prefixesOf(providerID string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range len(providerID) {
			if providerID[i] == '/' && !yield(providerID[:i+1]) {
				return
			}
		}
	}
}
