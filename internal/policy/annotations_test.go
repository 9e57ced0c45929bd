package policy_test

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

const (
	level, inherited         = v1alpha1.TrustLevelAnnotation, v1alpha1.InheritedTrustLevelAnnotation
	minSites, inheritedSites = v1alpha1.MinSitesAnnotation, v1alpha1.InheritedMinSitesAnnotation
	notALevel, notSites      = `it must name at most 8 trust levels, separated by commas, such as "secnumcloud"`, `it must be a number of sites from 1 to 64, in quotes, such as "3"`
)

var web = policy.Source{Kind: "Deployment", Namespace: "hr", Name: "web"}

func TestParseAnnotations(t *testing.T) {
	for sentence, c := range map[string]struct {
		annotations map[string]string
		levels      []string
		sites       int32
		key         string
		problems    []string // parts of them, in order
	}{
		"no annotations":                       {},
		"somebody else's annotations":          {annotations: map[string]string{"example.org/terroir.dev": "x", "xterroir.dev/trust-level": "x", "trust-level": "x"}},
		"a level":                              {annotations: map[string]string{level: "secnumcloud"}, levels: []string{"secnumcloud"}},
		"levels are sorted, each once":         {annotations: map[string]string{level: "secnumcloud,in-france,secnumcloud"}, levels: []string{"in-france", "secnumcloud"}},
		"spaces between levels":                {annotations: map[string]string{level: " in-france , secnumcloud "}, levels: []string{"in-france", "secnumcloud"}},
		"the workload's level and the pod's":   {annotations: map[string]string{inherited: "secnumcloud", level: "in-france"}, levels: []string{"in-france", "secnumcloud"}},
		"a level of 63 characters":             {annotations: map[string]string{level: strings.Repeat("a", 63)}, levels: []string{strings.Repeat("a", 63)}},
		"a level of 64 characters":             {annotations: map[string]string{level: strings.Repeat("a", 64)}, problems: []string{notALevel}},
		"eight levels":                         {annotations: map[string]string{level: "a,b,c,d,e,f,g,h"}, levels: []string{"a", "b", "c", "d", "e", "f", "g", "h"}},
		"nine levels":                          {annotations: map[string]string{level: "a,b,c,d,e,f,g,h,i"}, problems: []string{notALevel}},
		"no level":                             {annotations: map[string]string{level: ""}, problems: []string{level + ` is ""; ` + notALevel}},
		"a comma too many":                     {annotations: map[string]string{level: "secnumcloud,"}, problems: []string{notALevel}},
		"a level in capitals":                  {annotations: map[string]string{level: "SecNumCloud"}, problems: []string{`Deployment/hr/web: annotation terroir.dev/trust-level is "SecNumCloud"; ` + notALevel}},
		"a level after a line":                 {annotations: map[string]string{level: "secnumcloud\nin france"}, problems: []string{notALevel}},
		"one wrong level makes all of it void": {annotations: map[string]string{level: "secnumcloud,in france"}, problems: []string{notALevel}},
		"a long value is shortened":            {annotations: map[string]string{level: strings.Repeat("é", 1000)}, problems: []string{`is "` + strings.Repeat("é", 32) + `…"; `}},

		"one site":                           {annotations: map[string]string{minSites: "1"}, sites: 1},
		"64 sites":                           {annotations: map[string]string{minSites: "64"}, sites: 64},
		"the larger number of sites wins":    {annotations: map[string]string{minSites: "2", inheritedSites: "3"}, sites: 3},
		"the larger number, the other way":   {annotations: map[string]string{minSites: "3", inheritedSites: "2"}, sites: 3},
		"no site":                            {annotations: map[string]string{minSites: "0"}, problems: []string{notSites}},
		"65 sites":                           {annotations: map[string]string{minSites: "65"}, problems: []string{notSites}},
		"a number that begins with a nought": {annotations: map[string]string{minSites: "03"}, problems: []string{notSites}},
		"a number with a sign":               {annotations: map[string]string{minSites: "+3"}, problems: []string{notSites}},
		"a number with a space":              {annotations: map[string]string{minSites: " 3"}, problems: []string{notSites}},
		"a number followed by a line":        {annotations: map[string]string{minSites: "3\n"}, problems: []string{notSites}},
		"a number in letters":                {annotations: map[string]string{minSites: "three"}, problems: []string{`is "three"; ` + notSites}},
		"a number in other digits":           {annotations: map[string]string{minSites: "٣"}, problems: []string{notSites}},
		"a number that is none":              {annotations: map[string]string{minSites: strconv.FormatFloat(math.MaxFloat64, 'g', -1, 64)}, problems: []string{notSites}},

		"a key":              {annotations: map[string]string{v1alpha1.EncryptionKeyAnnotation: "health-kek"}, key: "health-kek"},
		"the workload's key": {annotations: map[string]string{v1alpha1.InheritedEncryptionKeyAnnotation: "health-kek"}, key: "health-kek"},
		"two keys":           {annotations: map[string]string{v1alpha1.EncryptionKeyAnnotation: "a, b"}, problems: []string{`annotation terroir.dev/encryption-key is "a, b"; it must name one encryption key, such as "health-kek"`}},
		"no key":             {annotations: map[string]string{v1alpha1.EncryptionKeyAnnotation: ""}, problems: []string{`it must name one encryption key, such as "health-kek"`}},
		"a key with a space": {annotations: map[string]string{v1alpha1.EncryptionKeyAnnotation: " a"}, problems: []string{`it must name one encryption key`}},

		"what Terroir tells people":        {annotations: map[string]string{v1alpha1.PlacementAnnotation: "anything"}},
		"a key that is nearly one of ours": {annotations: map[string]string{"terroir.dev/trust-levle": "x"}, problems: []string{`annotation terroir.dev/trust-levle is unknown; did you mean "terroir.dev/trust-level"?`}},
		"a key that is nothing like ours":  {annotations: map[string]string{"terroir.dev/exempt": "true"}, problems: []string{"is unknown; there is terroir.dev/encryption-key, terroir.dev/min-sites, terroir.dev/trust-level"}},
		"an inherited key that is none":    {annotations: map[string]string{"inherited.terroir.dev/exempt": "true"}, problems: []string{"annotation inherited.terroir.dev/exempt is unknown"}},
		"a prefix without a name":          {annotations: map[string]string{"terroir.dev/": ""}, problems: []string{"annotation terroir.dev/ is unknown"}},
		"ours in capitals":                 {annotations: map[string]string{"terroir.dev/Trust-Level": "x"}, problems: []string{`did you mean "terroir.dev/trust-level"?`}},
		"every problem is told, by key":    {annotations: map[string]string{"terroir.dev/z": "", minSites: "x", inherited: "?"}, problems: []string{inherited, minSites, "terroir.dev/z"}},
		"what parses counts beside what does not": {
			annotations: map[string]string{level: "secnumcloud", inherited: "!", minSites: "2", inheritedSites: "x"},
			levels:      []string{"secnumcloud"}, sites: 2, problems: []string{inheritedSites, inherited},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, problems := policy.ParseAnnotations(web, c.annotations)
			want := policy.Demand{Source: web, Levels: c.levels, MinSites: c.sites}
			if c.key != "" {
				want.Encryption = &policy.Encryption{Keys: []string{c.key}}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("demanded (-want +got):\n%s", diff)
			}
			if len(problems) != len(c.problems) {
				t.Fatalf("problems %+v, want %q", problems, c.problems)
			}
			for i, p := range problems {
				if !strings.Contains(p.Message, c.problems[i]) || p.Reason != policy.AnnotationInvalid || p.Source != web {
					t.Errorf("problem %+v, want %q", p, c.problems[i])
				}
			}
		})
	}
}

// A key of ours is never passed over: it demands something, or is a problem, or is the one that is not read.
func FuzzParseAnnotations(f *testing.F) {
	for _, key := range append(policy.Annotations(), "terroir.dev/", "terroir.dev/trust-levle", "inherited.terroir.dev/x", "example.org/x", "") {
		for _, value := range []string{"", "secnumcloud", "a,b", "3", "64", "65", "a, b,", "\x00\xff", "é", "-a", strings.Repeat("a,", 9)} {
			f.Add(key, value)
		}
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		d, problems := policy.ParseAnnotations(web, map[string]string{key: value})
		ours := strings.HasPrefix(key, v1alpha1.AnnotationPrefix) || strings.HasPrefix(key, v1alpha1.InheritedPrefix)
		answered := d.Demands() || len(problems) > 0
		if answered != (ours && key != v1alpha1.PlacementAnnotation) {
			t.Errorf("annotation %q: %q is answered by %+v and %+v", key, value, d, problems)
		}
		if d.Demands() && len(problems) > 0 {
			t.Errorf("annotation %q: %q is both demanded and refused: %+v, %+v", key, value, d, problems)
		}
		if d.MinSites < 0 || d.MinSites > 64 || len(d.Levels) > policy.MaxLevels || !slices.IsSorted(d.Levels) || slices.Contains(d.Levels, "") {
			t.Errorf("annotation %q: %q demands %+v", key, value, d)
		}
		for _, p := range problems {
			if len(p.Message) > len(key)+1000 {
				t.Errorf("a message of %d characters for a value of %d", len(p.Message), len(value))
			}
		}
	})
}
