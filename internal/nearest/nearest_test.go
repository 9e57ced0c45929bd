package nearest

import (
	"slices"
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	known := []string{"secnumcloud", "in-france", "outscale", "scaleway", "FR", "hds"}
	for sentence, test := range map[string]struct {
		word, want string
	}{
		"a dropped letter":                         {"secnumclud", "secnumcloud"},
		"an added letter":                          {"outscalle", "outscale"},
		"two neighbours swapped":                   {"secnumcluod", "secnumcloud"},
		"another letter":                           {"scalewai", "scaleway"},
		"capitals do not count":                    {"SecNumCloud", "secnumcloud"},
		"a short word in the wrong case":           {"fr", "FR"},
		"nothing is near a different word":         {"azure", ""},
		"a word shares no letter with its nearest": {"x", ""},
		"nothing was written":                      {"", ""},
		"a word that goes on for ever":             {strings.Repeat("s", 1<<20), ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, found := Name(test.word, known)
			if got != test.want || found != (test.want != "") {
				t.Errorf("Name(%.20q) = %q, %v; want %q", test.word, got, found, test.want)
			}
		})
	}
}

func TestNameDoesNotDependOnTheOrder(t *testing.T) {
	known := []string{"zone-b", "zone-a", "zone-c"}
	for range known {
		known = append(known[1:], known[0])
		if got, _ := Name("zone-x", slices.Clone(known)); got != "zone-a" {
			t.Errorf("Name(zone-x, %v) = %q; want zone-a", known, got)
		}
	}
}

func FuzzName(f *testing.F) {
	f.Add("secnumclod", "secnumcloud")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, word, known string) {
		if got, found := Name(word, []string{known}); found && got != known {
			t.Errorf("Name(%q) invented %q", word, got)
		}
	})
}
