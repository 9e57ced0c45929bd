package trust

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// FuzzCompile hands in objects that no schema has seen. It must not panic, and must not open anything that is malformed.
func FuzzCompile(f *testing.F) {
	f.Add([]byte(`{"TrustLevels":[{"spec":{"qualifications":[{"anyOf":[{}]}],"maxEvidenceAge":"-1h"}}],"Zones":[{},{}],"Providers":[{"spec":{"offers":[{},{}]}}],"Qualifications":[{}],"Frameworks":[{}]}`), int64(1<<40))
	f.Add([]byte(`{"Zones":[{"metadata":{"name":"a"},"spec":{"country":"FR","recognition":{"providerIDPrefixes":["","/","://"],"labels":{"":""},"csiDrivers":[""],"systemUUIDs":["-"]}}}]}`), int64(0))
	f.Add([]byte(`{"Frameworks":[{"metadata":{"name":"f"},"spec":{"lifecycle":"Superseded","levels":[{"name":"l","include":["l"]}]}}],"Qualifications":[{"spec":{"framework":"f","validUntil":"9999-01-01T00:00:00Z"}}]}`), int64(0))
	f.Fuzz(func(t *testing.T, data []byte, offset int64) {
		var o Objects
		if json.Unmarshal(data, &o) == nil {
			askEverything(t, o, now.Add(time.Duration(offset)))
		}
	})
}

// FuzzSpoilt takes sound-looking random catalogues and spoils some of their words and lists.
func FuzzSpoilt(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, seed%7)
	}
	f.Fuzz(func(t *testing.T, seed, rarely uint64) {
		r := seeded(seed)
		o := r.objects()
		if seed%3 == 0 {
			o = troubled()
		}
		r.spoil(reflect.ValueOf(&o).Elem(), 2+int(rarely%200))
		askEverything(t, o, now)
	})
}

// spoil walks a value and, once in so many, replaces a word or empties a list or pointer.
func (r chance) spoil(v reflect.Value, rarely int) {
	switch v.Kind() {
	case reflect.String:
		if r.one(rarely) {
			v.SetString(pick(r, "", "XX", "fr", "EU", "/", "a://", "a:///x", "-", "o0", "p0", "f0", "low", "z0", "8760h", "-1h", "\x00\xff", strings.Repeat("x", 300), v1alpha1.ZoneLabel))
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if r.one(rarely) && v.CanSet() {
			v.SetZero()
		}
		if v.Kind() == reflect.Slice {
			for i := range v.Len() {
				r.spoil(v.Index(i), rarely)
			}
		} else if v.Kind() == reflect.Pointer && !v.IsNil() {
			r.spoil(v.Elem(), rarely)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Field(i); field.CanSet() {
				r.spoil(field, rarely)
			}
		}
	default: // numbers and the like stay as they are
	}
}

func askEverything(t *testing.T, o Objects, at time.Time) {
	c := Compile(o)
	v := c.At(at)
	for _, z := range v.Zones() {
		for _, s := range z.Standings {
			if s.Worth != None && (c.zones[slices.Index(c.zoneNames, z.Name)].flaw != "" || c.levelsBy[s.Level].flaw != "") && !doubled(o) {
				t.Errorf("something malformed is worth something: %+v", s)
			}
			if s.Message == "" || len(s.Message) > longest || (s.Worth == Open) != (s.Reason == Satisfied) {
				t.Errorf("%+v", s)
			}
		}
	}
	v.TrustLevels()
	for _, q := range c.qualifications {
		v.Qualification(q.name)
	}
	for _, n := range strangers() {
		for key, value := range v.Assess(n).Labels(n.Labels, nil) {
			if !OwnLabel(key) || len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
				t.Errorf("label %s: %q is not ours or cannot be written", key, value)
			}
		}
	}
}

// doubled says that two objects of a kind have one name, which no API server allows.
func doubled(o Objects) bool {
	names := map[string]int{}
	for i := range o.Frameworks {
		names["f/"+o.Frameworks[i].Name]++
	}
	for i := range o.Providers {
		names["p/"+o.Providers[i].Name]++
	}
	for i := range o.Zones {
		names["z/"+o.Zones[i].Name]++
	}
	for i := range o.Qualifications {
		names["q/"+o.Qualifications[i].Name]++
	}
	for i := range o.TrustLevels {
		names["t/"+o.TrustLevels[i].Name]++
	}
	return len(names) < len(o.Frameworks)+len(o.Providers)+len(o.Zones)+len(o.Qualifications)+len(o.TrustLevels)
}

// FuzzAssess shows a catalogue nodes that say anything.
func FuzzAssess(f *testing.F) {
	for i, n := range strangers() {
		facts, err := json.Marshal(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(facts, uint64(i))
	}
	f.Fuzz(func(t *testing.T, facts []byte, seed uint64) {
		var n NodeFacts
		if json.Unmarshal(facts, &n) != nil {
			return
		}
		for _, o := range []Objects{world(), seeded(seed).objects()} {
			v := Compile(o).At(now)
			a := v.Assess(n)
			if known := a.State == Recognised || a.State == Suspect; known != (a.Zone != "") || known != (a.Site != "") || (!known && a.Standings != nil) || a.Message == "" {
				t.Errorf("%+v", a)
			}
			if a.State == Suspect && !v.now.Before(a.NextChange) {
				t.Errorf("suspect for ever: %+v", a)
			}
		}
	})
}
