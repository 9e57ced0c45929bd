package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// Catalogue loads the sample catalogue: frameworks, providers and qualifications, as public sources said. Zones and trust levels are
// for the cluster's owner to add.
func Catalogue(ctx context.Context, c *cluster.Cluster) error {
	return terroir.Apply(ctx, c, "-k", "config/catalog")
}

// zoneDirectories are the sample Zones of this cluster. NumSpot's are left out: they are Outscale's machines, and a cluster has to say whose offer it bought.
var zoneDirectories = []string{
	"outscale-cloudgouv-eu-west-1", "outscale-eu-west-2", "s3ns-u-france-east1", "bleu-bleufrancecentral", "ovhcloud-eu-west-par", "ovhcloud-gra11",
	"scaleway-fr-par", "scaleway-kosmos", "stackit-eu01", "stackit-eu02", "cloud-temple-fr1", "aws-esc-eusc-de-east-1", "azure-francecentral",
}

// The trust levels of the story, as in config/samples.
const (
	inEU        = "in-eu"
	notExposed  = "not-us-exposed"
	underlying  = "secnumcloud-underlying"
	qualified   = "secnumcloud-qualified"
	secnumcloud = "secnumcloud"
)

var levels = []string{inEU, notExposed, underlying, qualified, secnumcloud}

// install puts Terroir and its catalogue on the cluster.
func (s *story) install(ctx context.Context) error {
	s.say("Kinds, RBAC and the operator are installed; the operator is built first if need be ...")
	began := time.Now()
	if err := terroir.Install(ctx, s.cluster); err != nil {
		return fmt.Errorf("installing Terroir: %w", err)
	}
	s.ok(fmt.Sprintf("the operator runs, and the fence stands in the API server (TerroirConfig says Full), after %s", seconds(time.Since(began))))
	if err := Catalogue(ctx, s.cluster); err != nil {
		return fmt.Errorf("loading the catalogue: %w", err)
	}
	if err := s.apply(ctx, append(fictions(began), ground()...)...); err != nil {
		return fmt.Errorf("loading fictitious certificates, zones and trust levels: %w", err)
	}
	return s.catalogueLoaded(ctx)
}

// source is a file of the repository, and what to do with each of its objects: drop it, by returning false, or change it.
type source struct {
	path string
	edit func(*unstructured.Unstructured) bool
}

// fictions are what the story needs and no source says. Only one provider gets an opinion about foreign law: that of the others is as
// undetermined as the sources leave it.
func fictions(now time.Time) []source {
	return []source{
		{"config/samples/demo/fictitious-qualifications.yaml", func(u *unstructured.Unstructured) bool { return around(now, u) }},
		{"config/samples/demo/fictitious-providers.yaml", func(u *unstructured.Unstructured) bool { return u.GetName() == "outscale" }},
	}
}

// around moves the dates of a fictitious certificate, so that the story is the same in any year.
func around(now time.Time, u *unstructured.Unstructured) bool {
	months := func(n int) string { return now.UTC().AddDate(0, n, 0).Format(time.RFC3339) }
	spec := u.Object["spec"].(map[string]any)
	spec["validFrom"], spec["validUntil"], spec["lastVerified"] = months(-12), months(24), months(-1)
	if _, attests := spec["period"]; attests {
		spec["period"] = map[string]any{"from": months(-17), "to": months(-5)}
	}
	return true
}

// ground are the zones and the trust levels.
func ground() []source {
	var all []source
	for _, directory := range zoneDirectories {
		all = append(all, source{filepath.Join("config/catalog/zones", directory, "zones.yaml"), asUsersWrite})
	}
	for _, level := range levels {
		all = append(all, source{path: "config/samples/trustlevel-" + level + ".yaml"})
	}
	return all
}

// asUsersWrite takes the CSI driver out of Outscale's zones in Paris: many would write them so, and the catalogue has to notice the twin in London.
func asUsersWrite(u *unstructured.Unstructured) bool {
	if region, _, _ := unstructured.NestedString(u.Object, "spec", "region"); region == "eu-west-2" {
		unstructured.RemoveNestedField(u.Object, "spec", "recognition", "csiDrivers")
	}
	return true
}

// read gives the objects of a source.
func (f source) read() ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(filepath.Join(terroir.Root(), f.path))
	if err != nil {
		return nil, fmt.Errorf("reading the repository: %w", err)
	}
	found, err := terroir.Objects(content)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.path, err)
	}
	return slices.DeleteFunc(found, func(u *unstructured.Unstructured) bool { return f.edit != nil && !f.edit(u) }), nil
}

// apply applies the objects of sources, server-side, and drops what the API server says beside.
func (s *story) apply(ctx context.Context, sources ...source) error {
	defer s.warnings.take()
	for _, f := range sources {
		objects, err := f.read()
		if err != nil {
			return err
		}
		for _, u := range objects {
			err := s.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("demo"), client.ForceOwnership)
			if err != nil {
				return fmt.Errorf("applying %s %s: %w", u.GetKind(), u.GetName(), err)
			}
		}
	}
	return nil
}

// catalogueLoaded waits until everything is read and nothing is wrong with it.
func (s *story) catalogueLoaded(ctx context.Context) error {
	var o trust.Objects
	err := await(ctx, "every object of the catalogue is Ready", func(ctx context.Context) (err error) {
		if o, err = s.objects(ctx); err != nil {
			return err
		}
		return allReady(o)
	})
	if err != nil {
		return err
	}
	s.ok(fmt.Sprintf("the catalogue is read, and every object of it is Ready: %s, %s, %s, %s, %s", count(len(o.Frameworks), "framework"),
		count(len(o.Providers), "provider"), count(len(o.Qualifications), "qualification"), count(len(o.Zones), "zone"), count(len(o.TrustLevels), "trust level")))
	s.say("FICTITIOUS among them, since the story needs granted certificates and sources give few: %s whose names begin with fictitious-, with "+
		"dates around today, and the legal opinion on Outscale. Nobody granted or wrote these. Never use them elsewhere.", count(fictitious(o), "qualification"))
	return nil
}

// objects reads the catalogue from the API server.
func (s *story) objects(ctx context.Context) (trust.Objects, error) {
	var (
		frameworks     v1alpha1.FrameworkList
		providers      v1alpha1.CloudProviderList
		zones          v1alpha1.ZoneList
		qualifications v1alpha1.QualificationList
		levels         v1alpha1.TrustLevelList
	)
	for _, list := range []client.ObjectList{&frameworks, &providers, &zones, &qualifications, &levels} {
		if err := s.List(ctx, list); err != nil {
			return trust.Objects{}, fmt.Errorf("reading the catalogue: %w", err)
		}
	}
	return trust.Objects{
		Frameworks: frameworks.Items, Providers: providers.Items, Zones: zones.Items, Qualifications: qualifications.Items, TrustLevels: levels.Items,
	}, nil
}
