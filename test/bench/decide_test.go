package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/trust"
	"github.com/terroir-dev/terroir/internal/webhook"
)

// hr is a namespace that every policy of these benchmarks concerns.
var hr = policy.Namespace{Name: "hr", Labels: map[string]string{"data": "health"}}

func policies(count int) *policy.Set {
	o := policy.Objects{Levels: []string{"in-france"}}
	for i := range count {
		p := v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("policy-%d", i)}}
		p.Spec.NamespaceSelector = v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data": "health"}}
		p.Spec.TrustLevels = []v1alpha1.LevelName{"in-france"}
		p.Spec.Enforcement = v1alpha1.EnforcementEnforce
		o.ClusterPolicies = append(o.ClusterPolicies, p)
	}
	return policy.Compile(o)
}

// BenchmarkDecidePod shapes and judges a pod that several policies concern, from structs to structs. All of them are told in the
// pod's annotation, which therefore grows with them.
func BenchmarkDecidePod(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d policies", n), func(b *testing.B) {
			set, p := policies(n), pod()
			read, namespace := placement.PodOf(&p.ObjectMeta, &p.Spec), set.Namespace(hr)
			b.ReportAllocs()
			for b.Loop() {
				owed := read.Owed(set, namespace, policy.Source{Kind: "Pod", Namespace: hr.Name, Name: p.GenerateName})
				c := placement.Case{Pod: &read, Owed: owed, Settings: placement.DefaultSettings()}
				if v := placement.JudgeShaped(c); !v.Allowed() || len(placement.Shape(c)) == 0 {
					b.Fatalf("the pod is not shaped: %s", v.Message())
				}
			}
		})
	}
}

// BenchmarkReviewByNodes grows the cluster, which a pod's admission does not look at.
func BenchmarkReviewByNodes(b *testing.B) {
	body := reviewOf(b, pod())
	for _, n := range []int{10, 5000} {
		b.Run(fmt.Sprintf("%d nodes", n), func(b *testing.B) {
			handler := podsHandler(b, n)
			b.ReportAllocs()
			for b.Loop() {
				answer := &answer{header: http.Header{}}
				handler.ServeHTTP(answer, post(b, body))
				if !bytes.Contains(answer.body, []byte(`"patch"`)) {
					b.Fatalf("the pod is not shaped: %s", answer.body)
				}
			}
		})
	}
}

func post(b *testing.B, body []byte) *http.Request {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, webhook.PodsPath, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

// answer is a ResponseWriter that costs next to nothing.
type answer struct {
	header http.Header
	body   []byte
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(int)     {}
func (a *answer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}

func reviewOf(b *testing.B, p *corev1.Pod) []byte {
	b.Helper()
	raw, err := encoded(p)
	if err != nil {
		b.Fatal(err)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "0", Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}, Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Operation: admissionv1.Create, Namespace: hr.Name, Object: runtime.RawExtension{Raw: raw},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// podsHandler is the handler of pods in a cluster of so many nodes.
func podsHandler(b *testing.B, nodes int) http.Handler {
	b.Helper()
	w := &world{nodes: make([]*corev1.Node, nodes), facts: make([]trust.NodeFacts, nodes)}
	for i := range w.nodes {
		labels := map[string]string{"topology.kubernetes.io/zone": "par-1", v1alpha1.ZoneLabel: "par-1", v1alpha1.OpenLabelPrefix + "in-france": "par-1"}
		w.nodes[i] = &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i), Labels: labels}}
		w.facts[i] = trust.NodeFacts{Name: w.nodes[i].Name, Labels: labels}
	}
	objects := trust.Objects{
		Zones:       []v1alpha1.Zone{{ObjectMeta: metav1.ObjectMeta{Name: "par-1"}, Spec: v1alpha1.ZoneSpec{Country: "FR", Recognition: onLabel("par-1")}}},
		TrustLevels: []v1alpha1.TrustLevel{{ObjectMeta: metav1.ObjectMeta{Name: "in-france"}, Spec: v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR"}}}},
	}
	w.Publish(&snapshot.Snapshot{Catalogue: trust.Compile(objects), Objects: objects, Policies: policies(1), Settings: placement.DefaultSettings()})
	handlers, err := webhook.New(webhook.Options{Snapshots: w, Namespaces: w, Nodes: w, Facts: w, Owing: w, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux)
	return mux
}

func onLabel(zone v1alpha1.LabelValue) v1alpha1.ZoneRecognition {
	return v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"topology.kubernetes.io/zone": zone}}
}

// world is what the handlers look at.
type world struct {
	snapshot.Store
	nodes []*corev1.Node
	facts []trust.NodeFacts
}

func (w *world) Namespace(string) (policy.Namespace, bool) { return hr, true }
func (w *world) Nodes() []*corev1.Node                     { return w.nodes }
func (w *world) NodeFacts() []trust.NodeFacts              { return w.facts }
func (w *world) Owing() func(string, string) int           { return func(string, string) int { return 0 } }
