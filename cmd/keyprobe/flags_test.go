package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestFlagsThatCannotBeMeantAreRefused(t *testing.T) {
	for sentence, c := range map[string]struct {
		settings settings
		want     string // empty: it is accepted
	}{
		"no observer":                       {settings{}, "--observer is missing"},
		"an observer that names no Zone":    {settings{observer: "Par 1"}, "the name of no Zone"},
		"an observer that is too long":      {settings{observer: strings.Repeat("a", 64)}, "the name of no Zone"},
		"a module without its folder":       {settings{observer: "par-1", modules: []string{"libpkcs11.so"}}, "absolute path"},
		"a module written in a detour":      {settings{observer: "par-1", modules: []string{"/opt/../opt/libpkcs11.so"}}, "absolute path"},
		"the agent beside the operator":     {settings{observer: "agent", modules: []string{"/opt/hsm/libpkcs11.so"}}, ""},
		"the operator itself":               {settings{observer: "manager"}, "which is Terroir itself"},
		"a Zone, and two modules":           {settings{observer: "cloudgouv-eu-west-1a", modules: []string{"/opt/a.so", "/opt/b.so"}}, ""},
		"a Zone from which no HSM is asked": {settings{observer: "par-1"}, ""},
	} {
		err := c.settings.check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", sentence, err, c.want)
		}
	}
}

func TestTheAgentBesideTheOperatorLeavesToItWhatNeedsNoC(t *testing.T) {
	for observer, want := range map[string][]v1alpha1.KeyStoreType{
		v1alpha1.AgentObserver: {v1alpha1.KeyStorePKCS11},
		"par-1":                {v1alpha1.KeyStoreKMIP, v1alpha1.KeyStorePKCS11, v1alpha1.KeyStoreTransit},
	} {
		if got := slices.Sorted(maps.Keys(openers(settings{observer: observer}))); !slices.Equal(got, want) {
			t.Errorf("observer %s asks stores of the types %v; want %v", observer, got, want)
		}
	}
}
