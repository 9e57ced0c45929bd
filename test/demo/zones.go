package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// worth is which levels a zone satisfies, and why not secnumcloud.
type worth struct {
	satisfies []string // by name
	reason    trust.Reason
}

// worths are the zones that have nodes.
func worths(now time.Time) map[string]worth {
	all := worth{[]string{inEU, notExposed, secnumcloud, qualified, underlying}, trust.Satisfied}
	w := map[string]worth{
		"cloudgouv-eu-west-1a": all, "cloudgouv-eu-west-1b": all, "cloudgouv-eu-west-1c": all,
		// Qualified elsewhere.
		"outscale-eu-west-2a": {[]string{inEU, notExposed}, trust.ServiceNotInScope},
		// Qualified; nobody stated an opinion on foreign law.
		"s3ns-u-france-east1-a": {[]string{inEU, qualified, underlying}, trust.ExposureUndetermined},
		// Hosted on qualified ground is not qualified.
		"cloud-temple-par7s": {[]string{inEU, underlying}, trust.OnlyUnderlyingQualified},
		// In the wrong country.
		"stackit-eu02-1":   {[]string{inEU}, trust.CountryNotAllowed},
		"kosmos-elsewhere": {nil, trust.CountryNotAllowed},
		// On the way, or not.
		"bleu-bleufrancecentral-1": {[]string{inEU}, trust.QualificationNotGranted},
	}
	for _, zone := range []string{"azure-francecentral-1", "ovhcloud-eu-west-par-a", "ovhcloud-gra11", "scaleway-fr-par-1"} {
		w[zone] = worth{[]string{inEU}, trust.NotQualified}
	}
	w["stackit-eu01-1"], w["eusc-de-east-1a"] = germany(now)
	return w
}

// germany: secnumcloud accepts a German scheme there, until a date. STACKIT is certified under it, fictitiously, and from where it is
// administered is not known; AWS is not.
func germany(now time.Time) (stackit, aws worth) {
	if now.Before(time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)) {
		return worth{[]string{inEU}, trust.AdministrationUnknown}, worth{[]string{inEU}, trust.NotQualified}
	}
	return worth{[]string{inEU}, trust.AlternativeEnded}, worth{[]string{inEU}, trust.AlternativeNotForCountry}
}

// zones checks what the status of each zone says, and shows it.
func (s *story) zones(ctx context.Context) error {
	var found map[string]*v1alpha1.Zone
	err := await(ctx, "each zone satisfies what it should", func(ctx context.Context) (err error) {
		if found, err = s.populated(ctx); err != nil {
			return err
		}
		return judged(found, worths(time.Now()))
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

func judged(found map[string]*v1alpha1.Zone, wanted map[string]worth) error {
	var failed error
	for name, want := range wanted {
		z, exists := found[name]
		if !exists {
			failed = errors.Join(failed, fmt.Errorf("zone %s has no nodes", name))
			continue
		}
		if is := worthOf(z); !slices.Equal(is.satisfies, want.satisfies) || is.reason != want.reason {
			failed = errors.Join(failed, fmt.Errorf("zone %s satisfies %q (%s), not %q (%s)", name, is.satisfies, is.reason, want.satisfies, want.reason))
		}
	}
	if len(found) != len(wanted) {
		failed = errors.Join(failed, fmt.Errorf("%s with nodes instead of %d", count(len(found), "zone"), len(wanted)))
	}
	return failed
}

// worthOf is what a zone's status says.
func worthOf(z *v1alpha1.Zone) worth {
	is := worth{reason: trust.Reason(levelOf(z, secnumcloud).Reason)}
	for _, l := range z.Status.TrustLevels {
		if l.Satisfied {
			is.satisfies = append(is.satisfies, l.Name)
		}
	}
	slices.Sort(is.satisfies)
	return is
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
	rows := [][]string{
		{"", "", "", "", "", "secnum-", "secnum-", "", ""},
		{"", "", "", "", "", "cloud-", "cloud-", "", ""},
		{"", "", "", "", "not-us-", "under-", "quali-", "secnum-", ""},
		{"ZONE", "IN", "NODES", "in-eu", "exposed", "lying", "fied", "cloud", "WHY NOT secnumcloud"},
	}
	names := slices.SortedFunc(maps.Keys(found), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(worthOf(found[b]).satisfies), len(worthOf(found[a]).satisfies)), cmp.Compare(a, b))
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
