package trust

import (
	"fmt"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// CertificateRequest is a request for a client certificate in a node's name, approved after the Node was created and made by somebody
// else than the node. Whoever made it can act as the node.
type CertificateRequest struct {
	// Name is the CertificateSigningRequest's.
	Name string
	// Requester is the user who made it.
	Requester string
	// At is when it was made.
	At time.Time
}

// contest weighs that somebody else may act in the node's name. Nothing that the node shows speaks against that, so it beats
// everything else: for a short time, in which somebody can look, the node keeps what it has; after that it is in no zone until its Node is deleted.
// The request itself is gone within hours. The label on the Node remembers it.
func (v *View) contest(n *NodeFacts, m *memory, r Recognition) Recognition {
	since, contested := v.contestedSince(n)
	if !contested {
		return r
	}
	words := fmt.Sprintf("somebody else may hold a certificate in its name since %s", moment(since))
	if c := n.Request; c != nil {
		words = fmt.Sprintf("certificate request %s lets whoever made it act in its name; it was made at %s by %s", c.Name, moment(c.At), c.Requester)
	}
	words += "; when you know which machine will register next, delete the Node"
	end := since.Add(SuspectFor)
	known := r.State == Recognised || r.State == Suspect
	switch {
	case v.now.Before(end) && known && m.zone == r.Zone:
		r.State, r.Reason, r.NextChange = Suspect, CertificateRequested, earlier(end, r.NextChange)
		r.Message = clip(fmt.Sprintf("node %s was recognised in zone %s and keeps its labels until %s: %s", n.Name, r.Zone, moment(r.NextChange), words))
	case known || !v.now.Before(end):
		r = refuse(Unknown, CertificateRequested, n, words)
		r.Remembered = true
	default: // it is in no zone anyway
		r.NextChange = earlier(end, r.NextChange)
	}
	r.ContestedSince = since
	return r
}

// contestedSince counts from the moment on the node's label, or from when the request was made: the operator may have been away. A label that
// does not parse is as old as can be. A moment in the future was written by a fast clock, and counts from now.
func (v *View) contestedSince(n *NodeFacts) (since time.Time, contested bool) {
	written, contested := n.Labels[v1alpha1.ContestedLabel]
	switch {
	case contested:
		since, _ = time.Parse(v1alpha1.SuspectSinceLayout, written)
	case n.Request != nil:
		since = n.Request.At.UTC()
	default:
		return since, false
	}
	if since.After(v.now) {
		since = v.now
	}
	return since.Truncate(time.Second), true
}
