package trust

import (
	"strings"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// ownDomain is the end of the domain of every Node label key that Terroir writes.
const ownDomain = "terroir.node-restriction.kubernetes.io"

// OwnLabel says whether a Node label key is one that only Terroir writes.
func OwnLabel(key string) bool { return under(ownDomain, key) }

// under says whether a label key has a domain, or a part of it.
func under(domain, key string) bool {
	of, _, hasDomain := strings.Cut(key, "/")
	return hasDomain && (of == domain || strings.HasSuffix(of, "."+domain))
}

// Labels returns those of our Node labels that the node should carry; ours that it carries and that are not in it are to be
// removed. current are the node's labels, and stays says whether a pod that owes a level still runs there: a held label that
// the node carries is then kept although the level is lost, because taking it away would kill the pod. Nothing is ever added
// for a lost level.
//
// A Suspect node keeps what it carries, and gains nothing. What its zone has lost meanwhile for another reason, such as an end
// date, goes as it would from any node.
func (a Assessment) Labels(current map[string]string, stays func(level string) bool) map[string]string {
	want := map[string]string{}
	switch a.State {
	case Recognised:
		a.grant(want)
	case Suspect:
		a.keep(want, current)
	default: // gains nothing, and keeps nothing but what a running pod needs
	}
	for key, value := range current {
		if level, held := strings.CutPrefix(key, v1alpha1.HeldLabelPrefix); held && value == "true" && stays != nil && stays(level) {
			want[key] = value
		}
	}
	return want
}

// grant writes what a recognised node is worth.
func (a Assessment) grant(want map[string]string) {
	want[v1alpha1.ZoneLabel] = a.Zone
	for i := range a.Standings {
		s := &a.Standings[i]
		if s.Worth >= Held {
			want[v1alpha1.HeldLabelPrefix+s.Level] = "true"
		}
		if s.Worth == Open {
			want[v1alpha1.OpenLabelPrefix+s.Level] = a.Site
		}
	}
}

// keep writes what a suspect node carries and its zone is still worth.
func (a Assessment) keep(want, current map[string]string) {
	granted := map[string]string{}
	a.grant(granted)
	for key := range granted {
		if carried, has := current[key]; has {
			want[key] = carried
		}
	}
	want[v1alpha1.SuspectSinceLabel] = a.SuspectSince.Format(v1alpha1.SuspectSinceLayout)
}
