package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestContest(t *testing.T) {
	stolen := &CertificateRequest{Name: "csr-1", Requester: "system:bootstrap:abcdef", At: now}
	par1 := NodeFacts{Name: "n1", MachineID: "m", Labels: map[string]string{"topology.kubernetes.io/zone": "par-1"}}
	known, _ := settled(Compile(world()).At(now.Add(-time.Hour)), par1)
	written := with(known, label{v1alpha1.ContestedLabel, now.Format(v1alpha1.SuspectSinceLayout)})
	contested := func(n NodeFacts) NodeFacts { n.Request = stolen; return n }
	elsewhere := func(n NodeFacts) NodeFacts { return with(n, label{"topology.kubernetes.io/zone", "par-9"}) }
	another := func(n NodeFacts) NodeFacts { n.MachineID = "x"; return n }
	for sentence, test := range map[string]struct {
		node   NodeFacts
		after  time.Duration // since the request was made
		state  RecognitionState
		reason Reason
		ends   time.Duration // after which it may change; 0: never
		says   string
	}{
		"a request that was just made":              {contested(known), 0, Suspect, CertificateRequested, SuspectFor, "keeps its labels until 2026-11-23T12:10:00Z: certificate request csr-1 lets whoever made it act in its name; it was made at 2026-11-23T12:00:00Z by system:bootstrap:abcdef"},
		"the time is nearly over":                   {contested(known), SuspectFor - time.Second, Suspect, CertificateRequested, SuspectFor, "csr-1"},
		"the time is over":                          {contested(known), SuspectFor, Unknown, CertificateRequested, 0, "certificate request csr-1 lets whoever made it act in its name"},
		"the request is gone, and was written down": {written, time.Minute, Suspect, CertificateRequested, SuspectFor, "somebody else may hold a certificate in its name since 2026-11-23T12:00:00Z"},
		"so it was, and the time is over":           {written, 1000 * time.Hour, Unknown, CertificateRequested, 0, "in its name since 2026-11-23T12:00:00Z"},
		"a second request does not start it again":  {contested(with(written, label{v1alpha1.ContestedLabel, "20261123T115000Z"})), 0, Unknown, CertificateRequested, 0, "csr-1"},
		"the operator was away when it was made":    {contested(known), time.Hour, Unknown, CertificateRequested, 0, "csr-1"},
		"its clock is behind":                       {contested(known), -time.Minute, Suspect, CertificateRequested, SuspectFor - time.Minute, "csr-1"},
		"what is written does not parse":            {with(known, label{v1alpha1.ContestedLabel, "yesterday"}), 0, Unknown, CertificateRequested, 0, "delete the Node"},
		"the node was never recognised":             {contested(par1), 0, Unknown, CertificateRequested, 0, "delete the Node"},
		"it has moved, too":                         {contested(elsewhere(known)), 0, Unknown, SignalChanged, SuspectFor, "par-9"},
		"it is another machine, too":                {contested(another(known)), 0, Unknown, MachineChanged, SuspectFor, "machine id"},
		"it has moved, and the time is over":        {elsewhere(written), SuspectFor, Unknown, CertificateRequested, 0, "delete the Node"},
		"it is nowhere to begin with":               {contested(NodeFacts{Name: "n1"}), 0, Unknown, NoZoneMatches, SuspectFor, "no zone has its signals"},
	} {
		t.Run(sentence, func(t *testing.T) {
			at := now.Add(test.after)
			n, got := settled(Compile(world()).At(at), test.node)
			if got.State != test.state || got.Reason != test.reason || !strings.Contains(got.Message, test.says) {
				t.Errorf("got %v %s: %s\nwant %v %s, saying %q", got.State, got.Reason, got.Message, test.state, test.reason, test.says)
			}
			if want := now.Add(test.ends); test.ends == 0 && !got.NextChange.IsZero() || test.ends != 0 && !got.NextChange.Equal(want) {
				t.Errorf("it may change at %s, not after %s", got.NextChange, test.ends)
			}
			if n.Labels[v1alpha1.ContestedLabel] == "" {
				t.Error("it is not written down")
			}
			if opens := len(openOn(n)) > 0; opens != (test.state == Suspect) {
				t.Errorf("open is %v", opens)
			}
		})
	}
}

// Two suspicions end each at its own time, and the earlier end counts.
func TestAContestedNodeMayLackASignalToo(t *testing.T) {
	oks := NodeFacts{
		Name: "n1", ProviderID: "aws:///cloudgouv-eu-west-1a/i-1", CSIDrivers: []string{"bsu.csi.outscale.com"},
		Labels: map[string]string{"topology.kubernetes.io/zone": "cloudgouv-eu-west-1a"},
	}
	c := Compile(world())
	n, _ := settled(c.At(now.Add(-time.Hour)), oks)
	n.CSIDrivers = nil
	n, _ = settled(c.At(now.Add(-5*time.Minute)), n)
	n.Request = &CertificateRequest{Name: "csr-1", At: now}
	n, a := settled(c.At(now), n)
	if a.State != Suspect || a.Reason != CertificateRequested || !a.NextChange.Equal(now.Add(5*time.Minute)) || n.Labels[v1alpha1.SuspectSinceLabel] == "" {
		t.Errorf("it is %v %s until %s with %v", a.State, a.Reason, a.NextChange, n.Labels)
	}
	n, a = settled(c.At(a.NextChange), n)
	if a.State != Unknown || a.Reason != SignalMissingTooLong || len(openOn(n)) > 0 {
		t.Errorf("then it is %v %s with %v", a.State, a.Reason, n.Labels)
	}
	n.CSIDrivers = oks.CSIDrivers
	if _, a = settled(c.At(now.Add(SuspectFor)), n); a.Reason != CertificateRequested || a.State != Unknown {
		t.Errorf("in the end it is %v %s", a.State, a.Reason)
	}
}
