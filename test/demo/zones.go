package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// worth is which levels a zone satisfies, and why not secnumcloud.
type worth struct {
	satisfies string // separated by commas
	reason    trust.Reason
}

// worths are the zones that have nodes.
func worths() map[string]worth {
	all := strings.Join([]string{inEU, notExposed, qualified, underlying, secnumcloud}, ", ")
	w := map[string]worth{
		"cloudgouv-eu-west-1a": {all, trust.Satisfied}, "cloudgouv-eu-west-1b": {all, trust.Satisfied}, "cloudgouv-eu-west-1c": {all, trust.Satisfied},
		// Qualified elsewhere.
		"outscale-eu-west-2a": {inEU + ", " + notExposed, trust.ServiceNotInScope},
		// Really qualified, as the sources say; nobody stated an opinion on foreign law.
		"s3ns-u-france-east1-a": {inEU + ", " + qualified + ", " + underlying, trust.ExposureUndetermined},
		// Hosted on qualified ground is not qualified.
		"cloud-temple-par7s": {inEU + ", " + underlying, trust.OnlyUnderlyingQualified},
		// Certified under the German scheme, which the level accepts; from where it is administered is not known.
		"stackit-eu01-1": {inEU, trust.AdministrationUnknown},
		// In the wrong country.
		"stackit-eu02-1":   {inEU, trust.CountryNotAllowed},
		"kosmos-elsewhere": {"", trust.CountryNotAllowed},
		// On the way, or not.
		"bleu-bleufrancecentral-1": {inEU, trust.QualificationNotGranted},
	}
	for _, zone := range []string{"azure-francecentral-1", "ovhcloud-eu-west-par-a", "ovhcloud-gra11", "scaleway-fr-par-1", "eusc-de-east-1a"} {
		w[zone] = worth{inEU, trust.NotQualified}
	}
	return w
}

// zones checks what the status of each zone says, and shows it.
func (s *story) zones(ctx context.Context) error {
	var found map[string]*v1alpha1.Zone
	err := await(ctx, "each zone satisfies what it should", func(ctx context.Context) (err error) {
		if found, err = s.populated(ctx); err != nil {
			return err
		}
		return judged(found)
	})
	if err != nil {
		return err
	}
	s.showZones(found)
	for _, name := range []string{"s3ns-u-france-east1-a", "cloud-temple-par7s", "eusc-de-east-1a"} {
		s.quote(levelOf(found[name], secnumcloud).Message)
	}
	if said := levelOf(found["eusc-de-east-1a"], notExposed); said.Reason != string(trust.Exposed) {
		return expected("the sovereign cloud of AWS is refused by exposure, not by place", fmt.Errorf("%s: %s", said.Reason, said.Message))
	}
	s.quote(levelOf(found["eusc-de-east-1a"], notExposed).Message)
	s.ok(fmt.Sprintf("the status of each zone says so; %s is satisfied on three sites, all of Outscale", secnumcloud))
	return nil
}

// populated are the zones that have nodes.
func (s *story) populated(ctx context.Context) (map[string]*v1alpha1.Zone, error) {
	var list v1alpha1.ZoneList
	if err := s.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing zones: %w", err)
	}
	found := map[string]*v1alpha1.Zone{}
	for i := range list.Items {
		if z := &list.Items[i]; z.Status.Nodes > 0 {
			found[z.Name] = z
		}
	}
	return found, nil
}

func judged(found map[string]*v1alpha1.Zone) error {
	var failed error
	for name, want := range worths() {
		z, exists := found[name]
		if !exists {
			failed = errors.Join(failed, fmt.Errorf("zone %s has no nodes", name))
			continue
		}
		is := worth{z.Status.Satisfies, trust.Reason(levelOf(z, secnumcloud).Reason)}
		if sorted(is.satisfies) != sorted(want.satisfies) || is.reason != want.reason {
			failed = errors.Join(failed, fmt.Errorf("zone %s satisfies %q (%s), not %q (%s)", name, is.satisfies, is.reason, want.satisfies, want.reason))
		}
	}
	if len(found) != len(worths()) {
		failed = errors.Join(failed, fmt.Errorf("%s with nodes instead of %d", count(len(found), "zone"), len(worths())))
	}
	return failed
}

func sorted(names string) string {
	parts := strings.Split(names, ", ")
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// levelOf is what a zone's status says of a level.
func levelOf(z *v1alpha1.Zone, level string) v1alpha1.ZoneTrustLevel {
	for _, l := range z.Status.TrustLevels {
		if l.Name == level {
			return l
		}
	}
	return v1alpha1.ZoneTrustLevel{Name: level, Reason: "Missing", Message: "the zone's status does not mention it"}
}

func (s *story) showZones(found map[string]*v1alpha1.Zone) {
	rows := [][]string{{"ZONE", "IN", "NODES", "in-eu", "not-us-", "snc-under", "snc-quali", "secnum", "WHY NOT secnumcloud"}, {"", "", "", "", "exposed", "-lying", "-fied", "-cloud", ""}}
	names := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(found[b].Status.Satisfies, ","), strings.Count(found[a].Status.Satisfies, ",")), cmp.Compare(a, b))
	})
	for _, name := range names {
		z := found[name]
		row := []string{name, string(z.Spec.Country), fmt.Sprint(z.Status.Nodes)}
		for _, level := range levels {
			row = append(row, map[bool]string{true: "yes", false: "-"}[levelOf(z, level).Satisfied])
		}
		why := levelOf(z, secnumcloud)
		rows = append(rows, append(row, map[bool]string{true: "", false: why.Reason}[why.Satisfied]))
	}
	s.table(rows)
}
