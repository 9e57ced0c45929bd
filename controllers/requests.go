package controllers

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/internal/trust"
)

// nodeUser precedes a node's name in the user as whom its kubelet acts.
const nodeUser = "system:node:"

// slimRequest keeps of a certificate request in whose name it is, who made it, and what was decided. The name of the node takes the
// place of the encoded request, so that it is decoded once; it is empty where the certificate would not let anybody act as a node.
func slimRequest(o any) (any, error) {
	r, ok := o.(*certificatesv1.CertificateSigningRequest)
	if !ok {
		return o, nil // a tombstone
	}
	slim := &certificatesv1.CertificateSigningRequest{}
	slim.Name, slim.UID, slim.ResourceVersion, slim.CreationTimestamp = r.Name, r.UID, r.ResourceVersion, r.CreationTimestamp
	slim.Spec.Username = r.Spec.Username
	slim.Spec.Request = []byte(requestedNode(&r.Spec))
	for _, c := range r.Status.Conditions {
		slim.Status.Conditions = append(slim.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: c.Type, Status: c.Status})
	}
	return slim, nil
}

// requestedNode is the node as which a certificate would let its holder act. Both of the signers count whose certificates the API server
// takes for clients'. What does not parse is never issued.
func requestedNode(s *certificatesv1.CertificateSigningRequestSpec) string {
	if s.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName && s.SignerName != certificatesv1.KubeAPIServerClientSignerName {
		return ""
	}
	block, _ := pem.Decode(s.Request)
	if block == nil {
		return ""
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return ""
	}
	node, isNode := strings.CutPrefix(request.Subject.CommonName, nodeUser)
	if !isNode {
		return ""
	}
	return node
}

// issued says that whoever made the request has the certificate, or is about to.
func issued(r *certificatesv1.CertificateSigningRequest) bool {
	approved := false
	for _, c := range r.Status.Conditions {
		if c.Type == certificatesv1.CertificateFailed || c.Type == certificatesv1.CertificateDenied {
			return false
		}
		approved = approved || c.Type == certificatesv1.CertificateApproved
	}
	return approved
}

// byAnother passes over what does not let anybody act as a node, and over kubelets that renew their own certificate.
func byAnother(o client.Object) bool {
	r := o.(*certificatesv1.CertificateSigningRequest)
	node := string(r.Spec.Request)
	return node != "" && r.Spec.Username != nodeUser+node && issued(r)
}

// requestsByNode lists, the earliest first, the slim requests by which somebody else may act as a node.
func requestsByNode(all []certificatesv1.CertificateSigningRequest) map[string][]trust.CertificateRequest {
	found := map[string][]trust.CertificateRequest{}
	for i := range all {
		if r := &all[i]; byAnother(r) {
			node := string(r.Spec.Request)
			found[node] = append(found[node], trust.CertificateRequest{Name: r.Name, Requester: r.Spec.Username, At: r.CreationTimestamp.Time})
		}
	}
	for _, requests := range found {
		slices.SortFunc(requests, func(a, b trust.CertificateRequest) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name))
		})
	}
	return found
}

// contesting is the first request that was made after the Node was created; nil: none. A node that joins makes its request first, often
// in the same second, which is as exact as the API server writes times. So a request of that very second is taken for the
// node's own, as are all before: whoever had a certificate in this name before the Node existed is not found out.
func contesting(requests []trust.CertificateRequest, created time.Time) *trust.CertificateRequest {
	i := slices.IndexFunc(requests, func(r trust.CertificateRequest) bool { return r.At.After(created) })
	if i < 0 {
		return nil
	}
	return &requests[i]
}
