// Package catalog_test reads the catalogue, the sample zones and the samples as a user would apply them, and shows that they say
// what the design's table of providers says: one test for each of its rows (rows_test.go) and of its traps (traps_test.go).
package catalog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// now is the day on which the catalogue was last gone through. Nothing in it may be later.
var now = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

func TestEveryObjectDecodesStrictly(t *testing.T) {
	for _, d := range documents(t, "frameworks", "providers", "qualifications", "zones", "../samples") {
		apiVersion, kind, name := kindOf(t, d)
		switch kind {
		case trust.KindFramework:
			decode[v1alpha1.Framework](t, d)
		case trust.KindCloudProvider:
			decode[v1alpha1.CloudProvider](t, d)
		case trust.KindZone:
			decode[v1alpha1.Zone](t, d)
		case trust.KindQualification:
			decode[v1alpha1.Qualification](t, d)
		case trust.KindTrustLevel:
			decode[v1alpha1.TrustLevel](t, d)
		case "ClusterPlacementPolicy":
			decode[v1alpha1.ClusterPlacementPolicy](t, d)
		case "PlacementPolicy":
			decode[v1alpha1.PlacementPolicy](t, d)
		case "KeyStore":
			decode[v1alpha1.KeyStore](t, d)
		case "EncryptionKey":
			decode[v1alpha1.EncryptionKey](t, d)
		case "Deployment", "StatefulSet", "StorageClass": // of developers and storage
		default:
			t.Errorf("%s: %s %s %s is not expected here", d.file, apiVersion, kind, name)
		}
	}
}

func TestKustomizationsListEveryFile(t *testing.T) {
	directories := []string{".", "../samples", demo}
	for _, name := range zoneDirectories(t) {
		directories = append(directories, filepath.Join("zones", name))
	}
	for _, directory := range directories {
		t.Run(directory, func(t *testing.T) {
			if diff := cmp.Diff(yamlFilesOf(t, directory), resourcesOf(t, directory)); diff != "" {
				t.Errorf("files (-) and resources (+) differ:\n%s", diff)
			}
		})
	}
}

func resourcesOf(t *testing.T, directory string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(directory, "kustomization.yaml"))
	var k struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Resources  []string `json:"resources"`
	}
	if err == nil {
		err = yaml.UnmarshalStrict(data, &k)
	}
	if err != nil || k.Kind != "Kustomization" {
		t.Fatalf("reading the kustomization of %s: %v", directory, err)
	}
	slices.Sort(k.Resources)
	return k.Resources
}

// yamlFilesOf lists what stands in the directory, and in those below it that have no kustomization of their own.
func yamlFilesOf(t *testing.T, directory string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(directory, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(directory, name)
		if entry.IsDir() && (relative == "zones" || relative == "demo") {
			return filepath.SkipDir
		}
		if !entry.IsDir() && filepath.Ext(name) == ".yaml" && filepath.Base(name) != "kustomization.yaml" {
			files = append(files, filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		t.Fatalf("reading %s: %v", directory, err)
	}
	slices.Sort(files)
	return files
}

func TestNothingIsWrongWithTheCatalogue(t *testing.T) {
	noProblems(t, catalogue(t))
}

func TestNothingIsWrongWithTheCatalogueAndAnyDirectoryOfZones(t *testing.T) {
	for _, directory := range zoneDirectories(t) {
		t.Run(directory, func(t *testing.T) { noProblems(t, world(t, directory)) })
	}
}

func TestNothingIsWrongWithTheCatalogueAndTheSamples(t *testing.T) {
	noProblems(t, objects(t, "frameworks", "providers", "qualifications", "../samples"))
}

func noProblems(t *testing.T, o trust.Objects) {
	t.Helper()
	for _, p := range trust.Compile(o).Problems() {
		t.Errorf("%s %s: %s: %s: %s", p.Kind, p.Name, p.Field, p.Reason, p.Message)
	}
}

func TestNamesOfZonesAreUniqueAndFitALabel(t *testing.T) {
	seen := map[string]string{}
	for _, d := range documents(t, "zones") {
		_, _, name := kindOf(t, d)
		if first, twice := seen[name]; twice {
			t.Errorf("zone %s is in %s and in %s", name, first, d.file)
		}
		if len(name) > 63 {
			t.Errorf("%s: the name %s has %d characters", d.file, name, len(name))
		}
		seen[name] = d.file
	}
}

// TestNothingIsGrantedThatNoSourceGranted: the one decision whose date was read is that of 17 December 2025 for PREMI3NS.
func TestNothingIsGrantedThatNoSourceGranted(t *testing.T) {
	var granted []string
	for _, q := range catalogue(t).Qualifications {
		if q.Spec.State == v1alpha1.QualificationGranted {
			granted = append(granted, q.Name)
		}
		if q.Spec.State != v1alpha1.QualificationGranted && (q.Spec.ValidFrom != nil || q.Spec.ValidUntil != nil) {
			t.Errorf("%s is %s and yet has dates of validity", q.Name, q.Spec.State)
		}
	}
	if diff := cmp.Diff([]string{"s3ns-premi3ns-secnumcloud-3.2"}, granted); diff != "" {
		t.Errorf("granted (-want +got):\n%s", diff)
	}
}

func TestEveryFactHasASourceAndADate(t *testing.T) {
	o := catalogue(t)
	for _, f := range o.Frameworks {
		sourced(t, "Framework "+f.Name, f.Spec.Evidence)
	}
	for _, p := range o.Providers {
		sourced(t, "CloudProvider "+p.Name, p.Spec.Evidence)
		opinions(t, "CloudProvider "+p.Name, p.Spec.Exposures)
		for _, offer := range p.Spec.Offers {
			for _, s := range offer.Subcontractors {
				opinions(t, "subcontractor "+s.Name, s.Exposures)
			}
		}
	}
	for _, q := range o.Qualifications {
		sourced(t, "Qualification "+q.Name, q.Spec.Evidence)
		if q.Spec.LastVerified != nil && q.Spec.LastVerified.After(now) {
			t.Errorf("Qualification %s was verified in the future: %s", q.Name, q.Spec.LastVerified)
		}
	}
}

func sourced(t *testing.T, what string, evidence []v1alpha1.Evidence) {
	t.Helper()
	if len(evidence) == 0 {
		t.Errorf("%s has no evidence", what)
	}
	for _, e := range evidence {
		if !strings.HasPrefix(e.URL, "https://") || e.Note == "" {
			t.Errorf("%s: evidence %q needs an https address and a note", what, e.URL)
		}
		if e.RetrievedAt.IsZero() || e.RetrievedAt.After(now) {
			t.Errorf("%s: evidence %s was read at %s", what, e.URL, e.RetrievedAt)
		}
	}
}

// opinions holds that whoever states an exposure says why, who and when, and that nobody is freed by the catalogue: that is a
// legal opinion, which is the user's to give.
func opinions(t *testing.T, what string, list []v1alpha1.Exposure) {
	t.Helper()
	for _, e := range list {
		day, err := time.Parse(time.DateOnly, string(e.AssessedAt))
		if err != nil || day.After(now) || e.AssessedBy == "" || e.Basis == "" {
			t.Errorf("%s: exposure to %s needs assessedBy, assessedAt and a basis", what, e.Law)
		}
		if e.State == v1alpha1.NotExposed {
			t.Errorf("%s: the catalogue must not free anybody from %s", what, e.Law)
		}
	}
}

func TestTheDemoIsMarkedAsFictitious(t *testing.T) {
	o := objects(t, demo)
	for _, q := range o.Qualifications {
		if !strings.HasPrefix(q.Name, "fictitious-") || q.Spec.Milestone != "FICTITIOUS" || !words(q.Spec.Evidence[0].Note, "FICTITIOUS") {
			t.Errorf("qualification %s does not say that it is fictitious", q.Name)
		}
	}
	for _, p := range o.Providers {
		for _, e := range p.Spec.Exposures {
			if e.AssessedBy != "FICTITIOUS" || !words(e.Basis, "FICTITIOUS") {
				t.Errorf("provider %s: the opinion on %s does not say that it is fictitious", p.Name, e.Law)
			}
		}
	}
}

// TestTheDemosProvidersDifferInOpinionsOnly keeps the copies from growing apart.
func TestTheDemosProvidersDifferInOpinionsOnly(t *testing.T) {
	catalogued := catalogue(t).Providers
	for _, made := range objects(t, demo).Providers {
		i := slices.IndexFunc(catalogued, func(p v1alpha1.CloudProvider) bool { return p.Name == made.Name })
		if i < 0 {
			t.Errorf("there is no provider %s in the catalogue", made.Name)
			continue
		}
		if diff := cmp.Diff(withoutOpinions(catalogued[i]), withoutOpinions(made)); diff != "" {
			t.Errorf("%s (-catalogue +demo):\n%s", made.Name, diff)
		}
	}
}

func withoutOpinions(p v1alpha1.CloudProvider) v1alpha1.CloudProviderSpec {
	spec := p.DeepCopy().Spec
	spec.Exposures = nil
	for i := range spec.Offers {
		spec.Offers[i].AdministrationFrom, spec.Offers[i].SupportFrom = nil, nil
	}
	return spec
}

// TestEveryZoneRecognisesANodeMadeFromItsFacts: such nodes are derived from documentation, not captured from clusters.
func TestEveryZoneRecognisesANodeMadeFromItsFacts(t *testing.T) {
	for _, directory := range zoneDirectories(t) {
		o := world(t, directory)
		v := trust.Compile(o).At(now)
		for _, z := range o.Zones {
			t.Run(directory+"/"+z.Name, func(t *testing.T) {
				recognised(t, v, derived(z), z.Name)
			})
		}
	}
}

// TestTheContractsExampleStandsAsItIs: three objects, and pods of data=patients run in France.
func TestTheContractsExampleStandsAsItIs(t *testing.T) {
	o := objects(t, "frameworks", "providers", "qualifications", "../samples/in-france.yaml")
	v := trust.Compile(o).At(now)
	recognised(t, v, trust.NodeFacts{Name: "n1", Labels: map[string]string{"topology.kubernetes.io/zone": "par-1"}}, "par-1")
	judged(t, v, "par-1", "in-france", trust.Satisfied)
	var policies []v1alpha1.ClusterPlacementPolicy
	for _, d := range documents(t, "../samples/in-france.yaml") {
		if _, kind, _ := kindOf(t, d); kind == "ClusterPlacementPolicy" {
			policies = append(policies, decode[v1alpha1.ClusterPlacementPolicy](t, d))
		}
	}
	want := v1alpha1.PlacementDemand{TrustLevels: []v1alpha1.LevelName{"in-france"}, Enforcement: v1alpha1.EnforcementEnforce}
	if len(policies) != 1 || !reflect.DeepEqual(policies[0].Spec.PlacementDemand, want) {
		t.Errorf("the policy is %+v", policies)
	}
}

// world is the catalogue, the sample levels and the zones of the directories.
func world(t *testing.T, directories ...string) trust.Objects {
	t.Helper()
	return worldOf(t, []string{"frameworks", "providers", "qualifications"}, directories)
}

// demoWorld is world with the fictitious certificates and opinions.
func demoWorld(t *testing.T, directories ...string) trust.Objects {
	t.Helper()
	return worldOf(t, []string{"frameworks", "providers", "qualifications", demo}, directories)
}

func worldOf(t *testing.T, paths, directories []string) trust.Objects {
	t.Helper()
	for _, directory := range directories {
		paths = append(paths, filepath.Join("zones", directory))
	}
	o := objects(t, paths...)
	o.TrustLevels = levels(t)
	return o
}

// without leaves out qualifications, to show what they change.
func without(o trust.Objects, names ...string) trust.Objects {
	o.Qualifications = slices.DeleteFunc(slices.Clone(o.Qualifications), func(q v1alpha1.Qualification) bool { return slices.Contains(names, q.Name) })
	return o
}

// onceGranted supposes that everything that is announced, applied for or in evaluation were granted as it stands, to show what else is
// in the way. What is not granted is told first, and never called qualified.
func onceGranted(o trust.Objects) trust.Objects {
	end := metav1.NewTime(now.AddDate(1, 0, 0))
	o.Qualifications = slices.Clone(o.Qualifications)
	for i := range o.Qualifications {
		o.Qualifications[i].Spec.State, o.Qualifications[i].Spec.ValidUntil = v1alpha1.QualificationGranted, &end
	}
	return o
}

// at compiles and fails on whatever is wrong, so that no test passes because an object was void.
func at(t *testing.T, o trust.Objects, moment time.Time) *trust.View {
	t.Helper()
	noProblems(t, o)
	return trust.Compile(o).At(moment)
}

// ground is a zone that asks nothing but a declared label: to judge an offer that no sample zone has.
func ground(name string, country v1alpha1.Country, provider v1alpha1.ObjectName, offer, region v1alpha1.Term) v1alpha1.Zone {
	var z v1alpha1.Zone
	z.Name = name
	z.Spec = v1alpha1.ZoneSpec{
		Country: country, Provider: provider, Offer: offer, Region: region,
		Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"sites.example.com/declared": v1alpha1.LabelValue(name)}},
	}
	return z
}

// derived makes the facts of a node from those of a zone: derived from documentation, not captured from a cluster. It shows the
// first of every list, and the region label where the zone's region is one that nodes show.
func derived(z v1alpha1.Zone) trust.NodeFacts {
	n := trust.NodeFacts{Name: "node-in-" + z.Name, Labels: map[string]string{}}
	r := z.Spec.Recognition
	for key, value := range r.Labels {
		n.Labels[key] = string(value)
	}
	if len(r.ProviderIDPrefixes) > 0 {
		n.ProviderID = string(r.ProviderIDPrefixes[0]) + "made-up"
		if z.Spec.Region != "" && !strings.HasPrefix(string(z.Spec.Region), "your-") {
			n.Labels["topology.kubernetes.io/region"] = string(z.Spec.Region)
		}
	}
	if len(r.CSIDrivers) > 0 {
		n.CSIDrivers = []string{string(r.CSIDrivers[0])}
	}
	if len(r.SystemUUIDs) > 0 {
		n.SystemUUID = string(r.SystemUUIDs[0])
	}
	return n
}

// zone finds a zone by name.
func zone(t *testing.T, o trust.Objects, name string) v1alpha1.Zone {
	t.Helper()
	i := slices.IndexFunc(o.Zones, func(z v1alpha1.Zone) bool { return z.Name == name })
	if i < 0 {
		t.Fatalf("there is no zone %s", name)
	}
	return o.Zones[i]
}

// recognised holds that a node is recognised in a zone, and returns its assessment.
func recognised(t *testing.T, v *trust.View, n trust.NodeFacts, inZone string) trust.Assessment {
	t.Helper()
	a := v.Assess(n)
	if a.State != trust.Recognised || a.Zone != inZone || a.Reason != trust.OneZoneMatches {
		t.Errorf("node %s: want recognised in %s, got %v in %q: %s: %s", n.Name, inZone, a.State, a.Zone, a.Reason, a.Message)
	}
	return a
}

// refused holds that a node is not recognised, for a reason, and that it gets no standing.
func refused(t *testing.T, v *trust.View, n trust.NodeFacts, state trust.RecognitionState, reason trust.Reason, say ...string) {
	t.Helper()
	a := v.Assess(n)
	if a.State != state || a.Reason != reason || !words(a.Message, say...) {
		t.Errorf("node %s: want %v, %s, with %q; got %v in %q: %s: %s", n.Name, state, reason, say, a.State, a.Zone, a.Reason, a.Message)
	}
	if len(a.Standings) > 0 {
		t.Errorf("node %s is not recognised and yet has standings", n.Name)
	}
}

// judged holds that a zone stands to a level as the reason says: Open when Satisfied, Held when the evidence is stale, None otherwise.
func judged(t *testing.T, v *trust.View, inZone, level string, reason trust.Reason, say ...string) trust.Standing {
	t.Helper()
	s := v.Standing(inZone, level)
	want := map[trust.Reason]trust.Worth{trust.Satisfied: trust.Open, trust.EvidenceStale: trust.Held}[reason]
	if s.Reason != reason || s.Worth != want || !words(s.Message, say...) {
		t.Errorf("zone %s, level %s: want %s with %q, got %v: %s: %s", inZone, level, reason, say, s.Worth, s.Reason, s.Message)
	}
	return s
}

// offered holds that a provider has an offer of a service model, hosted on exactly these, as provider/offer.
func offered(t *testing.T, o trust.Objects, provider, offer string, model v1alpha1.ServiceModel, on ...string) v1alpha1.Offer {
	t.Helper()
	for _, p := range o.Providers {
		for _, f := range p.Spec.Offers {
			if p.Name != provider || string(f.Name) != offer {
				continue
			}
			var hosts []string
			for _, h := range f.HostedOn {
				hosts = append(hosts, fmt.Sprintf("%s/%s", h.Provider, h.Offer))
			}
			if f.ServiceModel != model || !slices.Equal(hosts, on) {
				t.Errorf("%s/%s is %s on %v, want %s on %v", provider, offer, f.ServiceModel, hosts, model, on)
			}
			return f
		}
	}
	t.Errorf("provider %s has no offer %s", provider, offer)
	return v1alpha1.Offer{}
}

// noted holds that a file of the catalogue records facts that nothing enforces yet.
func noted(t *testing.T, file string, say ...string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	if !words(string(data), say...) {
		t.Errorf("%s does not say %q", file, say)
	}
}

// counted holds that a qualification counts or not, for a reason.
func counted(t *testing.T, v *trust.View, name string, reason trust.Reason, say ...string) {
	t.Helper()
	q := v.Qualification(name)
	if q.Reason != reason || !words(q.Message, say...) {
		t.Errorf("qualification %s: want %s with %q, got %s: %s", name, reason, say, q.Reason, q.Message)
	}
}
