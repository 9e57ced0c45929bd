package controllers

import (
	"slices"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

// bearersIn finds the pods that hold ground with a volume proven under a key whose revocation is confirmed. Volumes of which no proof is recorded have none:
// nobody is evicted for what was never known. While no revocation is confirmed there is nobody to look for.
func bearersIn(w gateWorld) []bearer {
	confirmed := false
	for _, v := range w.keys {
		confirmed = confirmed || v.Revoked() && v.Confirmed
	}
	if !confirmed {
		return nil
	}
	var all []bearer
	for _, p := range w.pods {
		if !p.stands() {
			continue
		}
		under := w.provenOf(p)
		if len(under) == 0 {
			continue
		}
		owed, known := w.owed(p)
		wants := known && owed.Encryption != nil && owed.Encryption.OnRevocation == v1alpha1.OnRevocationEvict
		all = append(all, bearer{pod: p, keys: under, evict: wants})
	}
	return all
}

// evictsAgain is when to look again at pods that have to go, and have not yet: one of each workload goes at a time, and a budget may have kept it. That
// they are gone nobody here hears of.
func (w gateWorld) evictsAgain(bearers []bearer) time.Time {
	for _, b := range bearers {
		if _, lost := lostKey(b, w.keys, w.braked); lost && b.evict {
			return w.at.Add(evictAgain)
		}
	}
	return time.Time{}
}

// provenOf are the keys under which the volumes of a pod are proven, those of what their data came from included, each once.
func (w gateWorld) provenOf(p *seenPod) []string {
	var names []string
	for _, name := range p.claims {
		claim := w.depot.claims[p.Namespace][name]
		if claim == nil {
			continue
		}
		v := w.volume(claim)
		names = append(names, provenName(v.Proven, v.Keys)...)
		for _, s := range v.Sources {
			names = append(names, provenName(s.Proven, s.Keys)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func provenName(fingerprint string, meant []keys.Verdict) []string {
	if fingerprint == "" || len(meant) != 1 {
		return nil
	}
	return []string{meant[0].Key.Name}
}
