package webhook

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func catalogueRequest(t testing.TB, kind string, operation admissionv1.Operation, object any) *admissionv1.AdmissionRequest {
	t.Helper()
	resource := metav1.GroupVersionResource{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: strings.ToLower(kind) + "s"}
	r := requestOf(t, resource, kind, operation, object)
	r.Namespace = ""
	if operation == admissionv1.Delete {
		r.Object, r.OldObject = r.OldObject, r.Object
	}
	return r
}

type catalogueCase struct {
	sentence  string
	kind      string
	operation admissionv1.Operation
	is, was   string
	unready   bool
}

func (c catalogueCase) request(t testing.TB) *admissionv1.AdmissionRequest {
	t.Helper()
	r := catalogueRequest(t, c.kind, c.operation, c.is)
	if c.was != "" {
		r.OldObject = runtime.RawExtension{Raw: rawOf(t, c.was)}
	}
	return r
}

func catalogueCases() []catalogueCase {
	const (
		granted   = `{metadata: {name: outscale-oks-snc32}, spec: {framework: secnumcloud-3.2, levels: [qualified], subject: {provider: outscale, offer: oks, regions: [cloudgouv-eu-west-1]}, state: Granted, validUntil: "2027-01-01T00:00:00Z"}}`
		suspended = `{metadata: {name: outscale-oks-snc32}, spec: {framework: secnumcloud-3.2, levels: [qualified], subject: {provider: outscale, offer: oks, regions: [cloudgouv-eu-west-1]}, state: Suspended, validUntil: "2027-01-01T00:00:00Z"}}`
		par1      = `{metadata: {name: par-1}, spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: par-1}}}}`
	)
	return []catalogueCase{
		{"a qualification is suspended", "Qualification", admissionv1.Update, suspended, granted, false},
		{"a qualification is renewed", "Qualification", admissionv1.Update, strings.Replace(granted, "2027", "2029", 1), granted, false},
		{"a qualification is deleted", "Qualification", admissionv1.Delete, granted, "", false},
		{"a framework is deleted", "Framework", admissionv1.Delete, `{metadata: {name: secnumcloud-3.2}, spec: {}}`, "", false},
		{"a zone no longer says its provider", "Zone", admissionv1.Update, par1, strings.Replace(par1, "FR", "DE", 1), false},
		{"a zone is deleted", "Zone", admissionv1.Delete, par1, "", false},
		{"a second zone takes the same nodes", "Zone", admissionv1.Create, strings.Replace(par1, "name: par-1", "name: par-1-again", 1), "", false},
		{"a zone of an unknown provider", "Zone", admissionv1.Create, `{metadata: {name: par-3}, spec: {country: FR, provider: outscal, offer: oks, recognition: {labels: {topology.kubernetes.io/zone: par-3}}}}`, "", false},
		{"a qualification of an unknown framework and offer", "Qualification", admissionv1.Create, `{metadata: {name: x}, spec: {framework: secnumcloud-3.1, levels: [qualified], subject: {provider: outscale, offer: osk, everywhere: true}, state: Granted, validUntil: "2027-01-01T00:00:00Z"}}`, "", false},
		{"a level becomes stricter", "TrustLevel", admissionv1.Update, `{metadata: {name: in-france}, spec: {countries: [DE]}}`, `{metadata: {name: in-france}, spec: {countries: [FR]}}`, false},
		{"a level is deleted", "TrustLevel", admissionv1.Delete, `{metadata: {name: in-france}, spec: {countries: [FR]}}`, "", false},
		{"a provider is deleted", "CloudProvider", admissionv1.Delete, `{metadata: {name: outscale}, spec: {}}`, "", false},
		{"only metadata change", "Zone", admissionv1.Update, par1, strings.Replace(par1, "name: par-1}", "name: par-1, labels: {a: b}}", 1), false},
		{"there is no snapshot yet", "Qualification", admissionv1.Update, suspended, granted, true},
		{"an object that is none", "Zone", admissionv1.Create, `{metadata: {name: x}, spec: 5}`, "", false},
		{"a kind that is none of the catalogue", "Planet", admissionv1.Create, `{metadata: {name: x}}`, "", false},
		{"no object", "Zone", admissionv1.Create, `null`, "", false},
	}
}

func TestCatalogue(t *testing.T) {
	var n notes
	for _, c := range catalogueCases() {
		w := newWorld(t)
		w.empty = c.unready
		a := ask(t, w.mux(t), CataloguePath, c.request(t))
		if !a.Allowed {
			t.Errorf("%s: refused", c.sentence)
		}
		n.add(c.sentence, told(a))
	}
	n.compare(t, "catalogue")
}

func TestWarningsAreFewAndShort(t *testing.T) {
	w := newWorld(t)
	provider := w.Providers[0].DeepCopy()
	for i := range 40 {
		provider.Spec.Offers = append(provider.Spec.Offers, v1alpha1.Offer{
			Name: v1alpha1.Term(fmt.Sprintf("offer-%d-%s", i, strings.Repeat("é", 200))), ServiceModel: v1alpha1.IaaS,
			HostedOn: []v1alpha1.Hosting{{Provider: "nobody", Offer: "nothing"}},
		})
	}
	a := ask(t, w.mux(t), CataloguePath, catalogueRequest(t, "CloudProvider", admissionv1.Update, provider))
	if len(a.Warnings) != mostWarnings {
		t.Errorf("%d warnings", len(a.Warnings))
	}
	for _, warning := range a.Warnings {
		if len(warning) > longestAdvice || !utf8.ValidString(warning) {
			t.Errorf("%d bytes: %q", len(warning), warning)
		}
	}
}
