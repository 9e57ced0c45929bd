package doors

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// nodeDoors are the doors by which a node becomes, or stays, worth what it is not.
func nodeDoors() []Door {
	return []Door{
		{Number: 18, Name: "a kubelet relabels its zone", ClosedBy: "fence: the label keeps its value", Variants: relabelledZones()},
		{Number: 19, Name: "NodeRestriction switched off", ClosedBy: "fence: our labels by nobody but Terroir", Variants: withoutRestriction()},
		{Number: 20, Name: "users and DaemonSet accounts patch nodes", ClosedBy: "fence: our labels by nobody but Terroir, place labels that are there by the cloud controller", Variants: patchedNodes()},
		{Number: 21, Name: "a node registers with standing; uncordons itself", ClosedBy: "fence, at creation", Variants: registrations()},
		{Number: 22, Name: "a node's name taken over", ClosedBy: "machine identity; certificates for existing names make Suspect", Variants: takeovers()},
		{Number: 23, Name: "signals claimed by the kubelet", ClosedBy: "who set the providerID; second signals; nodeEvidence", Variants: claims()},
		{Number: 24, Name: "node-pool templates that certify themselves", ClosedBy: "fence, at creation", Variants: selfCertified()},
	}
}

// nodeLabel is a change of a label of the stage's node.
func nodeLabel(key string, value any) change {
	return change{apiVersion: "v1", kind: "Node", name: "$node", path: []string{"metadata", "labels", key}, value: value}
}

func relabelledZones() []Variant {
	moved := template{by: kubelet, set: frenchNode, resource: "nodes", closed: Undone}
	var all []Variant
	all = append(all, moved.everyWay(nodeLabel(corev1.LabelTopologyZone, "elsewhere"), "", "status")...)
	all = append(all, moved.everyWay(nodeLabel(corev1.LabelTopologyZone, nil), "", "status")...)
	all = append(all, moved.everyWay(nodeLabel(corev1.LabelTopologyRegion, "elsewhere"), "")...)
	all = append(all, moved.everyWay(nodeLabel(corev1.LabelFailureDomainBetaZone, "elsewhere"), "", "status")...)
	into := template{by: kubelet, set: strangeNode, resource: "nodes", closed: Undone}
	for _, v := range into.everyWay(nodeLabel(corev1.LabelTopologyZone, frenchZone), "", "status") {
		v.Through += ", into a qualified zone"
		all = append(all, v)
	}
	return all
}

// openByLabel is the effect of a label by which a node is recognised: without Terroir that the label is there, with it that the node is
// open in consequence.
func openByLabel(ctx context.Context, s *stage, c change) (effect, error) {
	e, err := fieldChanged(ctx, s, c)
	if s.phase != with || e == nothing || err != nil {
		return e, err
	}
	if err := s.judgedAgain(ctx); err != nil {
		return mishap("%w", err)
	}
	var n corev1.Node
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.node()}, &n); err != nil {
		return mishap("%w", err)
	}
	return effect(n.Labels[openFrance] != ""), nil
}

// ourLabels are labels by which Terroir says what a node is worth.
func ourLabels() map[string]string {
	return map[string]string{
		openLevel: "site-a", v1alpha1.HeldLabelPrefix + level: "true", v1alpha1.ZoneLabel: "gouv-west-1a", v1alpha1.SuspectSinceLabel: "20990101T000000Z",
		"terroir.node-restriction.kubernetes.io/provider-id-from": "cloud-controller",
	}
}

func sortedKeys(m map[string]string) []string { return sortedStrings(maps.Keys(m)) }

func withoutRestriction() []Variant {
	t := template{by: unrestrictedKubelet, set: strangeNode, resource: "nodes"}
	all := t.everyWay(nodeLabel(openLevel, "site-a"), "", "status")
	for _, key := range sortedKeys(ourLabels()) {
		for _, v := range t.through(nodeLabel(key, ourLabels()[key]), mergePatch) {
			v.Through += " (" + key[:12] + "…)"
			all = append(all, v)
		}
	}
	created := Variant{By: unrestrictedKubelet, Through: "create of nodes", Try: registers(`{open.terroir.node-restriction.kubernetes.io/trusted: site-a}`)}
	return append(all, created)
}

// registers creates the stage's node with labels, which happens if the labels are there.
func registers(labels string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		refusal := s.create(ctx, s.actor(), `
apiVersion: v1
kind: Node
metadata: {name: $node, labels: `+labels+`}
spec: {`+apart+`}
`)
		var n corev1.Node
		found, err := s.exists(ctx, &n, "", s.node())
		if err != nil {
			return nothing, err
		}
		return effect(found), refusal
	}
}

// labelAlone is why some doors to the weakest evidence stay open.
const labelAlone = "a zone recognised by a label alone is what whoever labels nodes says; a TrustLevel demands nodeEvidence"

// registersInZone creates the stage's node with the label by which a qualified zone is recognised.
func registersInZone(ctx context.Context, s *stage) (effect, error) {
	if e, err := registers(`{topology.kubernetes.io/zone: `+frenchZone+`}`)(ctx, s); e == nothing || err != nil {
		return e, err
	}
	return openByLabel(ctx, s, nodeLabel(corev1.LabelTopologyZone, frenchZone).fill(s))
}

func patchedNodes() []Variant {
	t := template{by: daemon, set: strangeNode, resource: "nodes"}
	all := t.everyWay(nodeLabel(openLevel, "site-a"), "", "status")
	for _, key := range sortedKeys(ourLabels()) {
		for _, v := range t.through(nodeLabel(key, ourLabels()[key]), mergePatch) {
			v.Through += " (" + key[:12] + "…)"
			all = append(all, v)
		}
	}
	off := template{by: daemon, set: heldNode, resource: "nodes"}
	all = append(all, off.everyWay(nodeLabel(openFrance, nil), "", "status")...)
	root := template{by: administrator, set: strangeNode, resource: "nodes"}
	all = append(all, root.through(nodeLabel(openLevel, "site-a"), mergePatch, put)...)
	moved := template{by: daemon, set: strangeNode, resource: "nodes", effect: openByLabel}
	for _, v := range moved.everyWay(nodeLabel(corev1.LabelTopologyZone, frenchZone), "", "status") {
		v.Through += ", into a qualified zone"
		all = append(all, v)
	}
	for _, v := range (template{by: daemon, set: strangeNode, resource: "nodes"}).everyWay(nodeLabel(corev1.LabelTopologyZone, nil), "", "status") {
		v.Through += ", out of every zone"
		all = append(all, v)
	}
	placed := template{by: daemon, set: placelessNode, resource: "nodes", effect: openByLabel}
	for _, v := range placed.everyWay(nodeLabel(corev1.LabelTopologyZone, frenchZone), "", "status") {
		v.Through += ", from nowhere into a qualified zone"
		v.Closed, v.Why = StillOpen, labelAlone
		all = append(all, v)
	}
	contradicted := template{by: daemon, set: strangeNode, resource: "nodes"}
	for _, v := range contradicted.everyWay(nodeLabel(corev1.LabelFailureDomainBetaZone, frenchZone), "", "status") {
		v.Through += ", for the cloud controller to copy"
		all = append(all, v)
	}
	restricted := template{by: kubelet, set: strangeNode, resource: "nodes", closed: Kubernetes}
	for _, v := range restricted.everyWay(nodeLabel(openLevel, "site-a"), "", "status") {
		v.Why = "NodeRestriction"
		all = append(all, v)
	}
	return all
}

// heldNode is a recognised node; without Terroir it gets its label by hand.
func heldNode(ctx context.Context, s *stage) error {
	if err := frenchNode(ctx, s); err != nil || s.phase != without {
		return err
	}
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: s.node()}}
	return s.admin.Patch(ctx, n, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+openFrance+`":"par-1"}}}`)))
}

func registrations() []Variant {
	ours := `{open.terroir.node-restriction.kubernetes.io/trusted: site-a, held.terroir.node-restriction.kubernetes.io/trusted: "true"}`
	uncordoned := func(ctx context.Context, s *stage) (effect, error) {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: s.node()}}
		if err := s.actor().Patch(ctx, n, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"unschedulable":null}}`))); err != nil {
			return nothing, err
		}
		pod := podOf("", `nodeSelector: {kubernetes.io/hostname: $node}, tolerations: [{operator: Exists, key: doors.example.com/apart}]`)
		if err := s.takesPods(ctx, pod); err != nil {
			return mishap("%w", err)
		}
		if err := s.create(ctx, s.as(namespaceEditor), pod); err != nil {
			return nothing, err
		}
		node, err := s.settled(ctx, s.name())
		return node == s.node(), err
	}
	cordon := func(ctx context.Context, s *stage) error {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: s.node()}}
		return s.admin.Patch(ctx, n, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"unschedulable":true}}`)))
	}
	applied := func(ctx context.Context, s *stage) (effect, error) {
		refusal := s.applies(ctx, `{apiVersion: v1, kind: Node, metadata: {name: $node, labels: `+ours+`}}`)
		found, err := s.exists(ctx, &corev1.Node{}, "", s.node())
		return effect(found), errors.Join(err, refusal)
	}
	return []Variant{
		{By: kubelet, Through: "create of nodes with our labels", Closed: Kubernetes, Why: "NodeRestriction", Try: registers(ours)},
		{By: unrestrictedKubelet, Through: "create of nodes with our labels", Try: registers(ours)},
		{By: unrestrictedKubelet, Through: "create of nodes by server-side apply", Try: func(ctx context.Context, s *stage) (effect, error) { return applied(ctx, s) }},
		{By: administrator, Through: "create of nodes with our labels", Try: registers(ours)},
		{By: kubelet, Through: "merge patch of nodes: uncordons itself", Closed: Undone, Set: scene(governed, strangeNode, cordon), Try: uncordoned},
	}
}

// takesPods waits until the scheduler has heard that the stage's node takes pods: it binds one of a namespace that nobody governs.
func (s *stage) takesPods(ctx context.Context, pod string) error {
	if err := s.prepare(ctx, strings.Replace(pod, "namespace: $namespace", "namespace: "+platform, 1)); err != nil {
		return err
	}
	return eventually(ctx, func() error {
		var p corev1.Pod
		if err := s.admin.Get(ctx, client.ObjectKey{Namespace: platform, Name: s.name()}, &p); err != nil {
			return err
		}
		if p.Spec.NodeName != s.node() {
			return fmt.Errorf("no pod comes to node %s: %+v", s.node(), p.Status.Conditions)
		}
		return nil
	})
}

func takeovers() []Variant {
	again := func(as who) func(context.Context, *stage) (effect, error) {
		return func(ctx context.Context, s *stage) (effect, error) {
			if err := s.admin.Delete(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: s.node()}}); err != nil {
				return mishap("%w", err)
			}
			if err := s.create(ctx, s.as(as), `
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node, topology.kubernetes.io/zone: elsewhere}}
spec: {`+apart+`}
`); err != nil {
				return nothing, err
			}
			if s.phase == without {
				return happened, nil
			}
			if err := s.judgedAgain(ctx); err != nil {
				return mishap("%w", err)
			}
			return s.openAnyway(ctx)
		}
	}
	var all []Variant
	for _, field := range []string{"machineID", "systemUUID"} {
		c := change{apiVersion: "v1", kind: "Node", name: "$node", path: []string{"status", "nodeInfo", field}, value: "another"}
		all = append(all, template{by: kubelet, set: frenchNode, resource: "nodes", closed: Noticed, noticed: closes}.everyWay(c, "status")...)
	}
	return append(all,
		Variant{By: kubelet, Through: "create of nodes after deletion, elsewhere", Closed: Undone, Set: frenchNode, Try: again(kubelet)},
		Variant{By: kubelet, Through: "update of nodes/status with another kubelet's identity", Closed: Kubernetes, Why: "NodeRestriction: a kubelet writes its own Node only", Set: frenchNode, Try: func(ctx context.Context, s *stage) (effect, error) {
			n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "na1"}}
			err := s.actor().SubResource("status").Patch(ctx, n, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"taken":"over"}}}`)))
			return err == nil, err
		}},
		Variant{By: bootstrapper, Through: "create of certificatesigningrequests in its name", Closed: Noticed, Set: frenchNode, Try: requests(false), Noticed: doubted},
		Variant{By: approver, Through: "update of certificatesigningrequests/approval in its name", Closed: Noticed, Set: frenchNode, Try: requests(true), Noticed: doubted},
	)
}

// openAnyway tells whether the stage's node is open.
func (s *stage) openAnyway(ctx context.Context) (effect, error) {
	var n corev1.Node
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.node()}, &n); err != nil {
		return mishap("%w", err)
	}
	return effect(n.Labels[openFrance] != ""), nil
}

// doubted is noticed when Terroir says of the node that its identity is in doubt.
func doubted(ctx context.Context, s *stage) error {
	var n corev1.Node
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.node()}, &n); err != nil {
		return err
	}
	var config v1alpha1.TerroirConfig
	if err := s.admin.Get(ctx, client.ObjectKey{Name: v1alpha1.ConfigName}, &config); err != nil {
		return err
	}
	for _, u := range config.Status.Unrecognised {
		if u.Node == s.node() && u.State == "Suspect" {
			return nil
		}
	}
	if n.Labels["terroir.node-restriction.kubernetes.io/contested"] == "" {
		return fmt.Errorf("nothing is said of node %s; its labels are %v", n.Name, n.Labels)
	}
	return nil
}

// requests asks for a client certificate in the name of the stage's node, which happens once it is approved and issued.
func requests(approves bool) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		request, err := certificateRequest("system:node:"+s.node(), "system:nodes")
		if err != nil {
			return mishap("%w", err)
		}
		csr := &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: s.name()}, Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: request, SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName,
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		}}
		if err := s.actor().Create(ctx, csr); err != nil {
			return nothing, err
		}
		if approves {
			csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Tried"}}
			if err := s.actor().SubResource("approval").Update(ctx, csr); err != nil {
				return nothing, err
			}
		}
		return patient(ctx, func() (bool, effect, error) {
			if err := s.admin.Get(ctx, client.ObjectKeyFromObject(csr), csr); err != nil {
				return false, nothing, err
			}
			return len(csr.Status.Certificate) > 0, happened, nil
		})
	}
}

func certificateRequest(user, group string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating a key: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user, Organization: []string{group}}}, key)
	if err != nil {
		return nil, fmt.Errorf("requesting a certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

func claims() []Variant {
	providerID := change{apiVersion: "v1", kind: "Node", name: "$node", path: []string{"spec", "providerID"}, value: "aws:///gouv-west-1a/i-$node"}
	vouched := func(ctx context.Context, s *stage, c change) (effect, error) {
		if s.phase == without {
			return fieldChanged(ctx, s, c)
		}
		if err := s.judgedAgain(ctx); err != nil {
			return mishap("%w", err)
		}
		var n corev1.Node
		if err := s.admin.Get(ctx, client.ObjectKey{Name: s.node()}, &n); err != nil {
			return mishap("%w", err)
		}
		return effect(n.Labels[v1alpha1.OpenLabelPrefix+"vouched"] != ""), nil
	}
	driver := `
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: $node}
spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}
`
	drivers := func(ctx context.Context, s *stage) (effect, error) {
		err := s.create(ctx, s.actor(), driver)
		return err == nil, err
	}
	withDriver := scene(strangeNode, given(driver))
	empty := scene(strangeNode, given(`{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: $node}, spec: {drivers: []}}`))
	later := change{apiVersion: "storage.k8s.io/v1", kind: "CSINode", name: "$node", path: []string{"spec", "drivers"}, value: []any{map[string]any{"name": "bsu.csi.outscale.com", "nodeID": "x"}}}
	var all []Variant
	for _, by := range []who{kubelet, daemon} {
		t := template{by: by, set: withDriver, resource: "nodes", closed: Undone, effect: vouched}
		all = append(all, t.through(providerID, mergePatch, put, apply)...)
	}
	again := template{by: kubelet, resource: "nodes", closed: Kubernetes, set: scene(withDriver, func(ctx context.Context, s *stage) error {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: s.node()}}
		return s.admin.Patch(ctx, n, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"providerID":"aws:///abroad-1a/i-1"}}`)))
	})}
	for _, v := range again.through(providerID, mergePatch, put) {
		v.Through += ", a second time"
		v.Why = "a providerID, once set, is immutable"
		all = append(all, v)
	}
	registered := func(ctx context.Context, s *stage) (effect, error) {
		err := s.create(ctx, s.actor(), `
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node}}
spec: {providerID: "aws:///gouv-west-1a/i-$node", `+apart+`}
`)
		if err != nil {
			return nothing, err
		}
		return vouched(ctx, s, providerID.fill(s))
	}
	for _, by := range []who{kubelet, nodeMaker} {
		all = append(all, Variant{By: by, Through: "create of nodes with a providerID", Closed: Undone, Set: given(driver), Try: registered})
	}
	for _, by := range []who{kubelet, nodeMaker} {
		all = append(all, Variant{By: by, Through: "create of nodes with the label of a qualified zone", Closed: StillOpen, Why: labelAlone, Try: registersInZone})
	}
	ours := "terroir.node-restriction.kubernetes.io/provider-id-from"
	all = append(all, template{by: unrestrictedKubelet, set: withDriver, resource: "nodes"}.through(nodeLabel(ours, "cloud-controller"), mergePatch, put)...)
	all = append(all,
		Variant{By: daemon, Through: "create of csinodes", Set: strangeNode, Try: drivers},
		Variant{By: storageEditor, Through: "create of csinodes", Set: strangeNode, Try: drivers},
		Variant{By: otherKubelet, Through: "create of csinodes", Closed: Kubernetes, Why: "the node authorizer and NodeRestriction: its own CSINode only", Set: strangeNode, Try: drivers},
	)
	all = append(all, template{by: daemon, set: empty, resource: "csinodes", effect: hasDriver}.through(later, mergePatch, jsonPatch, put, strategicPatch)...)
	return all
}

// hasDriver tells whether the stage's node has a CSI driver, as its CSINode says.
func hasDriver(ctx context.Context, s *stage, c change) (effect, error) {
	u, err := c.read(ctx, s)
	if err != nil {
		return nothing, err
	}
	drivers, _, _ := unstructured.NestedSlice(u.Object, "spec", "drivers")
	return effect(len(drivers) > 0), nil
}

func selfCertified() []Variant {
	var all []Variant
	for _, key := range sortedKeys(ourLabels()) {
		all = append(all, Variant{By: nodeMaker, Through: "create of nodes (" + key[:12] + "…)", Try: registers(`{"` + key + `": "` + ourLabels()[key] + `"}`)})
	}
	t := template{by: nodeMaker, set: strangeNode, resource: "nodes"}
	return append(all, t.everyWay(nodeLabel(openLevel, "site-a"), "", "status")...)
}
