package api_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// officiallyAssigned is how many codes ISO 3166-1 has.
const officiallyAssigned = 249

// The rules about countries hold long lists, one for countries and one that unions precede. A list that lost a code, or got one
// that is merely reserved, such as UK, would not be noticed in passing.
func TestTheListsOfCountries(t *testing.T) {
	lists := countryLists(t)
	if len(lists) != 2 {
		t.Fatalf("there are %d different lists, want one of countries and one of territories: %q", len(lists), lists)
	}
	countries := lists[0]
	if len(countries) != officiallyAssigned || !slices.IsSorted(countries) || len(slices.Compact(slices.Clone(countries))) != len(countries) {
		t.Errorf("the countries are not %d different ones in order: %q", officiallyAssigned, countries)
	}
	if !slices.Equal(lists[1], append([]string{"EU", "EEA"}, countries...)) {
		t.Errorf("the territories are not EU, EEA and the countries: %q", lists[1])
	}
	for _, reserved := range []string{"UK", "EL", "EU", "AC", "SU", "XK"} {
		if slices.Contains(countries, reserved) {
			t.Errorf("%s is no country of ISO 3166-1", reserved)
		}
	}
}

// countryLists are the different lists in the rules of all kinds, the shortest first.
func countryLists(t *testing.T) [][]string {
	t.Helper()
	texts := map[string]bool{}
	for _, definition := range definitions(t) {
		everyRule(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, func(rule string) {
			for _, match := range codes.FindAllStringSubmatch(rule, -1) {
				texts[match[1]] = true
			}
		})
	}
	var lists [][]string
	for text := range texts {
		lists = append(lists, strings.Fields(text))
	}
	slices.SortFunc(lists, func(a, b []string) int { return len(a) - len(b) })
	return lists
}

var codes = regexp.MustCompile(`'((?: [A-Z]{2,3}){100,} )'`)

func everyRule(s *apiextensionsv1.JSONSchemaProps, do func(rule string)) {
	for _, rule := range s.XValidations {
		do(rule.Rule)
	}
	for _, property := range s.Properties {
		everyRule(&property, do)
	}
	if s.Items != nil {
		everyRule(s.Items.Schema, do)
	}
	if s.AdditionalProperties != nil {
		everyRule(s.AdditionalProperties.Schema, do)
	}
}
