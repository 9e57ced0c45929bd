package trust

import (
	"slices"
	"strings"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// The member states of the European Union, 27 since 1 February 2020, and the three EFTA states that are parties to the Agreement
// on the European Economic Area besides them. Source: https://european-union.europa.eu/principles-countries-history/eu-countries_en and
// https://www.efta.int/eea, as known in November 2026. Parts of member states with a code of their own (GP, RE, AX …) are
// not in the union by this list: name them. So is Switzerland (CH), which is in neither.
const (
	union     = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
	efta      = "IS LI NO"
	countries = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
		"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
		"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
		"KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT " +
		"MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW " +
		"SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ " +
		"UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)

var (
	countryCodes = strings.Fields(countries) // ISO 3166-1 alpha-2
	unions       = map[string][]string{"EU": strings.Fields(union), "EEA": strings.Fields(union + " " + efta)}
)

// territories is a set of countries as somebody wrote it. The zero value is what nobody wrote; it contains no country.
type territories struct {
	words   []string // as written, sorted
	members map[string]bool
}

// compileTerritories resolves unions into their members. A word that is neither a union nor a country is rejected: dropping it would be
// safe, but would leave somebody wondering.
func compileTerritories(f *file, field string, list []v1alpha1.Territory) territories {
	if len(list) == 0 {
		return territories{}
	}
	t := territories{members: map[string]bool{}}
	for _, word := range list {
		t.words = append(t.words, string(word))
		if members, isUnion := unions[string(word)]; isUnion {
			for _, member := range members {
				t.members[member] = true
			}
			continue
		}
		checkCountry(f, field, string(word))
		t.members[string(word)] = true
	}
	slices.Sort(t.words)
	t.words = slices.Compact(t.words)
	return t
}

// given says whether there is anything to ask.
func (t territories) given() bool { return len(t.words) > 0 }

func (t territories) contains(country string) bool { return t.members[country] }

// outside returns the first of the countries that is not in the set.
func (t territories) outside(countries []string) (string, bool) {
	for _, country := range countries {
		if !t.contains(country) {
			return country, true
		}
	}
	return "", false
}

func (t territories) String() string { return oneOf(t.words) }

// checkCountry rejects what is not a country code.
func checkCountry(f *file, field, country string) {
	if _, known := slices.BinarySearch(countryCodes, country); !known {
		f.reject(field, Malformed, "%q is not an ISO 3166-1 alpha-2 country code in capitals, such as FR%s",
			country, countryHint(country))
	}
}

// countryHint knows the two codes that people get wrong most, and the wrong case.
func countryHint(country string) string {
	switch strings.ToUpper(country) {
	case "UK":
		return " (the United Kingdom is GB)"
	case "EL":
		return " (Greece is GR)"
	}
	if upper := strings.ToUpper(country); slices.Contains(countryCodes, upper) {
		return " (did you mean " + upper + "?)"
	}
	return ""
}
