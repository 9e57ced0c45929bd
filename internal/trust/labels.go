package trust

import (
	"strings"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// ownDomain is the end of the domain of every Node label key that Terroir writes.
const ownDomain = "terroir.node-restriction.kubernetes.io"

// OwnLabel says whether a Node label key is one that only Terroir writes.
func OwnLabel(key string) bool { return under(ownDomain, key) }

// WrittenLabel says whether a Node label key is one that Terroir's labels are compared with. Who set the providerID is written by an
// admission policy in that very request, and left as it is.
func WrittenLabel(key string) bool { return OwnLabel(key) && key != v1alpha1.ProviderIDFromLabel }

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
//
// What Terroir remembers of the machine, and that somebody else may act in its name, stays as long as the Node.
func (a Assessment) Labels(current map[string]string, stays func(level string) bool) map[string]string {
	want := map[string]string{}
	switch a.State {
	case Recognised:
		a.grant(want)
	case Suspect:
		a.keep(want, current)
	default: // gains nothing, and keeps nothing but its memory and what a running pod needs
		if a.Remembered {
			carry(want, current, v1alpha1.ZoneLabel, v1alpha1.SuspectSinceLabel)
			carrySeen(want, current)
		}
	}
	a.remember(want, current)
	for key, value := range current {
		if level, held := strings.CutPrefix(key, v1alpha1.HeldLabelPrefix); held && value == "true" && stays != nil && stays(level) {
			want[key] = value
		}
	}
	return want
}

// remember writes what stays as long as the Node.
func (a Assessment) remember(want, current map[string]string) {
	carry(want, current, v1alpha1.ContestedLabel)
	if _, written := want[v1alpha1.ContestedLabel]; !written && !a.ContestedSince.IsZero() {
		want[v1alpha1.ContestedLabel] = a.ContestedSince.Format(v1alpha1.SuspectSinceLayout)
	}
	if _, written := want[v1alpha1.MachineLabel]; !written {
		carry(want, current, v1alpha1.MachineLabel)
	}
}

// carry keeps labels as they are.
func carry(want, current map[string]string, keys ...string) {
	for _, key := range keys {
		if value, carried := current[key]; carried {
			want[key] = value
		}
	}
}

func carrySeen(want, current map[string]string) {
	for key, value := range current {
		if strings.HasPrefix(key, v1alpha1.SeenLabelPrefix) {
			want[key] = value
		}
	}
}

// grant writes what a recognised node is worth, and by what it is known again.
func (a Assessment) grant(want map[string]string) {
	want[v1alpha1.ZoneLabel] = a.Zone
	want[v1alpha1.EvidenceLabel] = a.Evidence.String()
	if a.Machine != "" {
		want[v1alpha1.MachineLabel] = a.Machine
	}
	for name, value := range a.Seen {
		want[v1alpha1.SeenLabelPrefix+name] = value
	}
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
		carry(want, current, key)
	}
	carrySeen(want, current)
	if !a.SuspectSince.IsZero() {
		want[v1alpha1.SuspectSinceLabel] = a.SuspectSince.Format(v1alpha1.SuspectSinceLayout)
	}
}
