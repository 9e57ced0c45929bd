package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestANodeThatIsNotRecognisedIsListedWithItsReason(t *testing.T) {
	w := shared
	w.ground(t)
	// London shows what a node in Paris shows, and another provider's CSI driver.
	w.create(t, `
apiVersion: terroir.dev/v1alpha1
kind: CloudProvider
metadata: {name: another}
spec: {legalEntity: Another Inc., seat: US, recognition: {csiDrivers: [ebs.csi.aws.com]}, offers: [{name: vm, serviceModel: IaaS}]}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: paris}
spec: {country: FR, provider: cloud, offer: kubernetes, recognition: {labels: {topology.kubernetes.io/zone: eu-west-2a}}}
`)
	w.node(t, "london", "eu-west-2a", "ebs.csi.aws.com")
	w.node(t, "paris", "eu-west-2a", "bsu.csi.outscale.com")
	w.labelled(t, "paris", v1alpha1.ZoneLabel, "paris")
	w.unrecognised(t, "london", "Ambiguous", "SignalContradicts", "its CSI driver is ebs.csi.aws.com, a sign of another and not of cloud")
	w.unrecognised(t, "abroad", "Unknown", "NoZoneMatches", "it looks like a node of cloud, and no zone has its signals")

	w.mustPatch(t, &v1alpha1.Zone{}, "paris", `{"spec":{"recognition":{"labels":{"topology.kubernetes.io/zone":"elsewhere"}}}}`)
	w.unrecognised(t, "paris", "Unknown", "NoZoneMatches", "topology.kubernetes.io/zone")
	w.mustPatch(t, &v1alpha1.Zone{}, "paris", `{"spec":{"recognition":{"labels":{"topology.kubernetes.io/zone":"eu-west-2a"}}}}`)
	eventually(t, "a node that is recognised again is no longer listed, and all are counted", func() error {
		s, err := w.config(t)
		if err != nil {
			return err
		}
		listed := slices.ContainsFunc(s.Unrecognised, func(n v1alpha1.UnrecognisedNode) bool { return n.Node == "paris" })
		if listed || s.Nodes == nil || s.Nodes.Recognised != 7 || int(s.Nodes.Total) != 7+len(s.Unrecognised) {
			return fmt.Errorf("it says %+v of %+v", s.Unrecognised, s.Nodes)
		}
		if s.Fence != v1alpha1.FenceFull || len(s.Conditions) != 3 {
			t.Errorf("what the fence loop says is gone: %+v", s)
		}
		return nil
	})
}

func (w *world) config(t *testing.T) (v1alpha1.TerroirConfigStatus, error) {
	t.Helper()
	var c v1alpha1.TerroirConfig
	err := w.Get(t.Context(), client.ObjectKey{Name: v1alpha1.ConfigName}, &c)
	return c.Status, err
}

// unrecognised waits until a node is listed, and why.
func (w *world) unrecognised(t *testing.T, node string, state v1alpha1.NodeState, reason, says string) {
	t.Helper()
	eventually(t, fmt.Sprintf("node %s is listed as %s", node, state), func() error {
		s, err := w.config(t)
		if err != nil {
			return err
		}
		for _, n := range s.Unrecognised {
			if n.Node == node && n.State == state && n.Reason == reason && strings.Contains(n.Message, says) {
				return nil
			}
		}
		return fmt.Errorf("it says %+v", s.Unrecognised)
	})
}

func TestPodsThatOweALevelByAnnotationAloneAreCounted(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: free}}`)
	w.create(t, deployment("free", "web", 3, "terroir.dev/trust-level: trusted"))
	w.pods(t, "free", 3)
	w.counted(t, "trusted", 3, 0)
	w.mustPatch(t, &v1alpha1.Qualification{}, "grant", `{"spec":{"state":"Suspended"}}`)
	w.counted(t, "trusted", 3, 3)
	w.pods(t, "free", 3) // and nobody moves them
	w.mustPatch(t, &v1alpha1.Qualification{}, "grant", `{"spec":{"state":"Granted"}}`)
	w.counted(t, "trusted", 3, 0)
}

// counted waits until so many pods owe a level, and so many of them are astray.
func (w *world) counted(t *testing.T, level string, pods, astray int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d pods owe %s, %d of them are astray", pods, level, astray), func() error {
		var l v1alpha1.TrustLevel
		if err := w.Get(t.Context(), client.ObjectKey{Name: level}, &l); err != nil {
			return err
		}
		if l.Status.Pods != pods || l.Status.Astray != astray {
			return fmt.Errorf("it says %+v", l.Status)
		}
		return nil
	})
}
