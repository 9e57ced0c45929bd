package controllers

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// relianceOn finds for every key, by name, who relies on it: the classes that name it, the claims that get their volumes by them, and the pods, not finished,
// that mount those. What a claim's data came from counts, too. Whether anybody owes encryption does not: whoever destroys the key destroys their data.
func relianceOn(p protections, pods []*seenPod) map[string]reliance {
	byClass := map[string][]string{} // keys
	all := map[string]reliance{}
	for name := range p.keys {
		all[name] = reliance{}
	}
	for _, name := range slices.Sorted(maps.Keys(p.classes)) {
		byClass[name] = p.namesOf(p.classes[name])
		for _, key := range byClass[name] {
			r := all[key]
			r.classes = append(r.classes, name)
			all[key] = r
		}
	}
	mounting := map[string]map[string][]string{} // namespace → claim → keys
	for namespace, claims := range p.depot.claims {
		mounting[namespace] = map[string][]string{}
		for name, claim := range claims {
			under := p.under(claim, byClass)
			mounting[namespace][name] = under
			for _, key := range under {
				r := all[key]
				r.volumes++
				r.claims = append(r.claims, namespace+"/"+name)
				all[key] = r
			}
		}
	}
	countRelying(all, mounting, pods)
	for key, r := range all {
		slices.Sort(r.claims)
		all[key] = r
	}
	return all
}

// countRelying counts each pod once for every key under which any of its volumes is.
func countRelying(all map[string]reliance, mounting map[string]map[string][]string, pods []*seenPod) {
	for _, p := range pods {
		if p.finished {
			continue
		}
		relies := map[string]bool{}
		for _, name := range p.claims {
			for _, key := range mounting[p.Namespace][name] {
				relies[key] = true
			}
		}
		for key := range relies {
			r := all[key]
			r.pods++
			all[key] = r
		}
	}
}

// namesOf are the names of the keys that a class's volumes are under.
func (p protections) namesOf(c protectedClass) []string {
	var names []string
	for _, v := range p.meaning(c.Protection) {
		names = append(names, v.Key.Name)
	}
	return names
}

// under are the keys under which a claim's data is, or will be, each once.
func (p protections) under(claim *corev1.PersistentVolumeClaim, byClass map[string][]string) []string {
	names := slices.Clone(byClass[classOf(claim)])
	for _, from := range p.origins[claim.UID].claims {
		names = append(names, byClass[classOf(from)]...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
