package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/noderestriction"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// rooms are two zones that are told apart by a label. Once the fence knows that zones are, kubelets cannot change it any more; who maintains Terroir can.
const rooms = `
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: in-rooms}
spec: {countries: [FR]}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: room-1}
spec: {country: FR, recognition: {labels: {example.org/room: "1"}}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: room-2}
spec: {country: FR, recognition: {labels: {example.org/room: "2"}}}
`

// kubelet is the world as a node's kubelet sees it.
func (w *world) kubelet(t *testing.T, node string) *world {
	t.Helper()
	return w.as(t, "system:node:"+node, "system:nodes")
}

// inRoom creates a node in the first of the rooms.
func (w *world) inRoom(t *testing.T, name string) {
	t.Helper()
	w.create(t, fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: %s, labels: {example.org/room: "1"}}}`, name))
}

func TestANodeThatMovesLosesItsStandingUntilItIsUndone(t *testing.T) {
	w := shared
	w.create(t, rooms)
	w.inRoom(t, "mover")
	w.labelled(t, "mover", open("in-rooms"), "room-1")

	w.mustPatch(t, &corev1.Node{}, "mover", `{"metadata":{"labels":{"example.org/room":"2"}}}`)
	w.labelled(t, "mover", open("in-rooms"), "")
	w.unrecognised(t, "mover", "Unknown", "ZoneChanged", "it was in zone room-1 and now shows the signals of room-2")
	w.labelled(t, "mover", v1alpha1.ZoneLabel, "room-1") // what Terroir remembers
	w.mustPatch(t, &corev1.Node{}, "mover", `{"metadata":{"labels":{"example.org/room":"1"}}}`)
	w.labelled(t, "mover", open("in-rooms"), "room-1")

	t.Run("not even by way of showing both", func(t *testing.T) {
		w.mustPatch(t, &v1alpha1.Zone{}, "room-2", `{"spec":{"recognition":{"labels":{"example.org/room":null,"example.org/cage":"2"}}}}`)
		w.mustPatch(t, &corev1.Node{}, "mover", `{"metadata":{"labels":{"example.org/cage":"2"}}}`)
		w.unrecognised(t, "mover", "Ambiguous", "SeveralZonesMatch", "zones room-1 and room-2")
		w.mustPatch(t, &corev1.Node{}, "mover", `{"metadata":{"labels":{"example.org/room":null}}}`)
		w.unrecognised(t, "mover", "Unknown", "ZoneChanged", "now shows the signals of room-2")
	})
	t.Run("its Node is deleted and registers anew: it earns what it shows now", func(t *testing.T) {
		w.remove(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "mover"}})
		w.create(t, `{apiVersion: v1, kind: Node, metadata: {name: mover, labels: {example.org/cage: "2"}}}`)
		w.labelled(t, "mover", open("in-rooms"), "room-2")
	})
}

func TestTheCatalogueIsFollowedWithoutDeletingNodes(t *testing.T) {
	w := shared
	w.create(t, rooms)
	w.inRoom(t, "follower")
	w.labelled(t, "follower", open("in-rooms"), "room-1")
	w.remove(t, &v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: "room-1"}})
	w.labelled(t, "follower", v1alpha1.ZoneLabel, "")
	w.create(t, `
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: room-one}
spec: {country: FR, recognition: {labels: {example.org/room: "1"}}}
`)
	w.labelled(t, "follower", open("in-rooms"), "room-one")
	w.mustPatch(t, &v1alpha1.Zone{}, "room-one", `{"spec":{"recognition":{"labels":{"example.org/room":"one"}}}}`)
	w.labelled(t, "follower", v1alpha1.ZoneLabel, "")
	w.mustPatch(t, &v1alpha1.Zone{}, "room-2", `{"spec":{"recognition":{"labels":{"example.org/room":"1"}}}}`)
	w.labelled(t, "follower", open("in-rooms"), "room-2")
}

func TestAMachineThatChangesLosesItsStanding(t *testing.T) {
	w := shared
	w.create(t, rooms)
	w.inRoom(t, "swapped")
	w.labelled(t, "swapped", open("in-rooms"), "room-1")
	kubelet := w.kubelet(t, "swapped")
	machine := func(id string) {
		t.Helper()
		var n corev1.Node
		n.Name = "swapped"
		patch := client.RawPatch("application/merge-patch+json", []byte(fmt.Sprintf(`{"status":{"nodeInfo":{"machineID":%q}}}`, id)))
		if err := kubelet.Status().Patch(t.Context(), &n, patch); err != nil {
			t.Fatal(err)
		}
	}

	machine("one")
	eventually(t, "the machine is recorded", func() error {
		var n corev1.Node
		if err := w.Get(t.Context(), client.ObjectKey{Name: "swapped"}, &n); err != nil {
			return err
		}
		if record := n.Labels[v1alpha1.MachineLabel]; record == "" || strings.HasPrefix(record, "none.") {
			return fmt.Errorf("its record is %q", record)
		}
		return nil
	})
	w.labelled(t, "swapped", open("in-rooms"), "room-1")
	machine("two")
	w.labelled(t, "swapped", open("in-rooms"), "")
	w.unrecognised(t, "swapped", "Unknown", "MachineChanged", "its machine id is another")
	machine("one")
	w.labelled(t, "swapped", open("in-rooms"), "room-1")
	machine("two")
	w.labelled(t, "swapped", open("in-rooms"), "")
	w.remove(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "swapped"}})
	w.create(t, `{apiVersion: v1, kind: Node, metadata: {name: swapped, labels: {example.org/room: "1"}}, status: {nodeInfo: {machineID: two}}}`)
	w.labelled(t, "swapped", open("in-rooms"), "room-1")
}

func TestTwoNodesThatShowOneMachine(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `{apiVersion: v1, kind: Node, metadata: {name: twin}, spec: {providerID: "aws:///gouv-west-1a/i-na1"}}`)
	w.create(t, `{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: twin}, spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}}`)
	w.unrecognised(t, "twin", "Ambiguous", "MachineClaimedTwice", "node na1 shows the same providerID")
	w.labelled(t, "na1", open("trusted"), "site-a")
	w.remove(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "na1"}})
	w.labelled(t, "twin", open("trusted"), "site-a")
}

func TestEvidenceIsShownAndDemanded(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: vouched}
spec: {countries: [FR], nodeEvidence: Corroborated}
---
apiVersion: v1
kind: Namespace
metadata: {name: wary, annotations: {terroir.dev/trust-level: vouched}}
`)
	w.labelled(t, "na1", v1alpha1.EvidenceLabel, "Claimed")
	w.labelled(t, "na1", open("vouched"), "")
	w.named(t, "boastful", w.kubelet(t, "boastful"))
	w.labelled(t, "boastful", v1alpha1.EvidenceLabel, "Claimed")
	w.labelled(t, "boastful", open("vouched"), "")
	w.named(t, "vouched-for", w.as(t, "system:serviceaccount:kube-system:cloud-controller-manager", "system:masters"))
	w.labelled(t, "vouched-for", v1alpha1.EvidenceLabel, "Corroborated")
	w.labelled(t, "vouched-for", open("vouched"), "site-a")
	eventually(t, "nodes are counted by their evidence", func() error {
		s, err := w.config(t)
		if err != nil {
			return err
		}
		if s.Nodes == nil || s.Nodes.Evidence != (v1alpha1.EvidenceCounts{Claimed: 7, Corroborated: 1}) {
			return fmt.Errorf("it says %+v", s.Nodes)
		}
		return nil
	})
	eventually(t, "a pod lands where the evidence is, once the namespace is governed", func() error {
		return client.IgnoreAlreadyExists(w.Create(t.Context(), terroir.MustObjects(t, pod("wary", "p", ""))[0]))
	})
	if p := w.pods(t, "wary", 1)[0]; p.Spec.NodeName != "vouched-for" {
		t.Errorf("the pod landed on %s", p.Spec.NodeName)
	}
	w.mustPatch(t, &v1alpha1.Zone{}, "gouv-west-1a", `{"spec":{"recognition":{"csiDrivers":null}}}`)
	w.labelled(t, "vouched-for", v1alpha1.EvidenceLabel, "CloudController")
	w.labelled(t, "vouched-for", open("vouched"), "")
	w.labelled(t, "vouched-for", v1alpha1.HeldLabelPrefix+"vouched", "true") // while the pod is there
	w.labelled(t, "vouched-for", open("trusted"), "site-a")
}

// named creates a node of the first zone, whose providerID somebody sets later.
func (w *world) named(t *testing.T, name string, by *world) {
	t.Helper()
	w.create(t, fmt.Sprintf(`
apiVersion: v1
kind: Node
metadata: {name: %[1]s}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: %[1]s}
spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}
`, name))
	by.mustPatch(t, &corev1.Node{}, name, fmt.Sprintf(`{"spec":{"providerID":"aws:///gouv-west-1a/i-%s"}}`, name))
}

func TestACertificateInTheNameOfANodeMakesItSuspect(t *testing.T) {
	w := shared
	w.create(t, rooms)
	w.inRoom(t, "robbed")
	w.inRoom(t, "honest")
	w.labelled(t, "robbed", open("in-rooms"), "room-1")
	w.labelled(t, "honest", open("in-rooms"), "room-1")
	w.certify(t, "system:node:honest", "honest") // renews its own

	name := w.certify(t, "mallory", "robbed")
	w.unrecognised(t, "robbed", "Suspect", "CertificateRequested", name)
	w.unrecognised(t, "robbed", "Suspect", "CertificateRequested", "by mallory")
	w.labelled(t, "robbed", open("in-rooms"), "room-1")
	eventually(t, "it is written down", func() error {
		var n corev1.Node
		if err := w.Get(t.Context(), client.ObjectKey{Name: "robbed"}, &n); err != nil {
			return err
		}
		if n.Labels[v1alpha1.ContestedLabel] == "" || n.Labels[open("in-rooms")] == "" {
			return fmt.Errorf("its labels are %v", n.Labels)
		}
		return nil
	})
	w.remove(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "robbed"}})
	w.inRoom(t, "robbed")
	w.labelled(t, "robbed", open("in-rooms"), "room-1")
	w.labelled(t, "robbed", v1alpha1.ContestedLabel, "")
	w.labelled(t, "honest", v1alpha1.ContestedLabel, "")
}

// certify obtains a client certificate in a node's name, in a later second than the one in which the Node was created: that is how exact
// the API server writes times. It gives the request's name.
func (w *world) certify(t *testing.T, requester, node string) string {
	t.Helper()
	var n corev1.Node
	if err := w.Get(t.Context(), client.ObjectKey{Name: node}, &n); err != nil {
		t.Fatal(err)
	}
	by := w.as(t, requester, "system:masters")
	var r *certificatesv1.CertificateSigningRequest
	eventually(t, "a second has passed", func() error {
		r = certificateRequest(t, node)
		if err := by.Create(t.Context(), r); err != nil {
			return err
		}
		t.Cleanup(func() { w.remove(t, r.DeepCopy()) })
		if !r.CreationTimestamp.After(n.CreationTimestamp.Time) {
			return fmt.Errorf("it is still %s", n.CreationTimestamp)
		}
		return nil
	})
	eventually(t, "it is approved, by the controller manager or here", func() error {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil || len(r.Status.Conditions) > 0 {
			return err
		}
		r.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: "True", Reason: "Test"}}
		_, err := w.clientset.CertificatesV1().CertificateSigningRequests().UpdateApproval(t.Context(), r.Name, r, metav1.UpdateOptions{})
		return err
	})
	return r.Name
}

func certificateRequest(t *testing.T, node string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "csr-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName,
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}
}

func TestNodeRestrictionIsReported(t *testing.T) {
	eventually(t, "it is told to be on", func() error {
		s, err := shared.config(t)
		if err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionNodeRestriction) {
			return fmt.Errorf("it says %+v", s.Conditions)
		}
		return nil
	})
	t.Run("and is seen to be off", func(t *testing.T) {
		c := cluster.New(t, cluster.Options{APIServerFlags: []string{cluster.WithoutNodeRestriction}})
		clientset, err := kubernetes.NewForConfig(c.Config())
		if err != nil {
			t.Fatal(err)
		}
		metrics, err := clientset.RESTClient().Get().AbsPath("/metrics").Stream(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = metrics.Close() }()
		if state, err := noderestriction.Read(metrics); err != nil || state != noderestriction.Off {
			t.Errorf("read %v, %v", state, err)
		}
	})
}
