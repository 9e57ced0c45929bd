package uninstall

import (
	"slices"
	"strings"
	"time"
)

// Law: the operator is stopped before anything else, since it puts back what is taken away.
//
// Reads its Deployment, its pods and its Lease. Deletes the Deployment and waits for the pods and the Lease. Refuses where somebody who is
// none of those pods goes on renewing the Lease: an operator runs that nobody here can stop. Ignores a Lease that nobody renews.
func stopOperator(w World, _ Options, t *Todo) {
	foreign := w.lease.holder != "" && !heldBy(w.lease.holder, w.managers)
	if foreign && w.lease.renewals > 0 {
		t.Refused = "an operator runs outside Deployment terroir-system/terroir-manager: Lease terroir-system/terroir-manager is held, and renewed, by " +
			w.lease.holder + "; it would put back whatever is removed; stop it, then run this again"
		return
	}
	if foreign && w.lease.still < w.lease.duration {
		t.wait("whether %s, who holds Lease terroir-system/terroir-manager, is still there", w.lease.holder)
		return // nothing is touched before that is known
	}
	for _, d := range w.deployments {
		t.remove(d)
	}
	for _, p := range w.managers {
		t.wait("%s to end", p)
	}
}

// heldBy tells whether one of these pods holds the lease. The holder is the name of its host, which is the pod's, and something unique.
func heldBy(holder string, pods []Object) bool {
	host, _, _ := strings.Cut(holder, "_")
	return slices.ContainsFunc(pods, func(p Object) bool { return p.Name == host })
}

// observe says what is known of a lease that was just read, after what was known before, since then. While one of the operator's pods holds it,
// renewals are of no concern: they end with the pod.
func observe(before, read lease, pods []Object, since time.Duration) lease {
	switch {
	case read.holder == "" || heldBy(read.holder, pods), read.holder != before.holder:
		return read
	case !read.renewed.Equal(before.renewed):
		read.renewals = before.renewals + 1
	default:
		read.renewals, read.still = before.renewals, before.still+since
	}
	return read
}
