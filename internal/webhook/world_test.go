package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/storage"
	"github.com/terroir-dev/terroir/internal/trust"
)

// The world of the tests: two French zones qualified until the end of 2026, one in London, and policies about them.
const worldYAML = `
frameworks:
- metadata: {name: secnumcloud-3.2}
  spec: {title: SecNumCloud, version: "3.2", authority: {name: ANSSI, kind: State, country: FR}, lifecycle: InForce, levels: [{name: qualified}]}
providers:
- metadata: {name: outscale}
  spec: {legalEntity: OUTSCALE SAS, seat: FR, offers: [{name: oks, serviceModel: CaaS, administrationFrom: [FR], supportFrom: [FR]}]}
zones:
- metadata: {name: par-1}
  spec: {country: FR, provider: outscale, offer: oks, region: cloudgouv-eu-west-1, site: paris-1, recognition: {labels: {topology.kubernetes.io/zone: par-1}}}
- metadata: {name: par-2}
  spec: {country: FR, provider: outscale, offer: oks, region: cloudgouv-eu-west-1, site: paris-2, recognition: {labels: {topology.kubernetes.io/zone: par-2}}}
- metadata: {name: lon-1}
  spec: {country: GB, recognition: {labels: {topology.kubernetes.io/zone: lon-1}}}
qualifications:
- metadata: {name: outscale-oks-snc32}
  spec:
    framework: secnumcloud-3.2
    levels: [qualified]
    subject: {provider: outscale, offer: oks, regions: [cloudgouv-eu-west-1]}
    state: Granted
    validFrom: "2026-01-01T00:00:00Z"
    validUntil: "2027-01-01T00:00:00Z"
trustLevels:
- metadata: {name: in-france}
  spec: {countries: [FR]}
- metadata: {name: in-germany}
  spec: {countries: [DE]}
- metadata: {name: secnumcloud}
  spec: {qualifications: [{anyOf: [{framework: secnumcloud-3.2, levels: [qualified]}]}], countries: [FR]}
clusterPolicies:
- metadata: {name: health-data}
  spec: {namespaceSelector: {matchLabels: {data: health}}, trustLevels: [secnumcloud], spread: {minSites: 2, maxSkew: 1}, enforcement: Enforce}
- metadata: {name: curious}
  spec: {namespaceSelector: {matchLabels: {watched: "yes"}}, trustLevels: [in-france], spread: {minSites: 3}, enforcement: Warn}
- metadata: {name: typo}
  spec: {namespaceSelector: {matchLabels: {data: typo}}, trustLevels: [secnumclod], enforcement: Enforce}
- metadata: {name: german}
  spec: {namespaceSelector: {matchLabels: {data: german}}, trustLevels: [in-germany], enforcement: Enforce}
- metadata: {name: strict}
  spec: {namespaceSelector: {matchLabels: {data: strict}}, trustLevels: [secnumcloud], spread: {minSites: 3, tooFewReplicas: Deny}, enforcement: Enforce}
- metadata: {name: counted}
  spec: {namespaceSelector: {matchLabels: {data: counted}}, trustLevels: [in-france], enforcement: Audit}
- metadata: {name: sealed}
  spec: {namespaceSelector: {matchLabels: {data: sealed}}, trustLevels: [in-france], enforcement: Enforce, nodeLocalStorage: Deny, encryption: {keys: [health-kek]}}
- metadata: {name: sealing}
  spec: {namespaceSelector: {matchLabels: {watched: sealing}}, trustLevels: [in-france], enforcement: Warn, encryption: {}}
keys:
- metadata: {name: health-kek}
  spec:
    store: paris-hsm
    ref: {declared: {}}
    namespaceSelector: {matchLabels: {data: sealed}}
    storage: [{driver: block-storage.csi.stackit.cloud, keyID: k-1}]
- metadata: {name: other-kek}
  spec:
    store: paris-hsm
    ref: {declared: {}}
    namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: Exists}]}
    storage: [{driver: block-storage.csi.stackit.cloud, keyID: k-2}]
namespaces:
- metadata: {name: sealed, labels: {kubernetes.io/metadata.name: sealed, data: sealed}}
- metadata: {name: sealing, labels: {kubernetes.io/metadata.name: sealing, watched: sealing}}
- metadata: {name: open, labels: {kubernetes.io/metadata.name: open}}
- metadata: {name: hr, labels: {data: health}}
- metadata: {name: watched, labels: {watched: "yes"}}
- metadata: {name: both, labels: {data: health, watched: "yes"}}
- metadata: {name: typo, labels: {data: typo}}
- metadata: {name: german, labels: {data: german}}
- metadata: {name: strict, labels: {data: strict}}
- metadata: {name: counted, labels: {data: counted}}
- metadata: {name: free}
- metadata: {name: asking, annotations: {terroir.dev/trust-level: in-france}}
- metadata: {name: confused, annotations: {terroir.dev/trust-levle: in-france}}
- metadata: {name: kube-system, labels: {data: health}}
nodes:
- metadata: {name: n-par-1a, labels: {topology.kubernetes.io/zone: par-1, disk: ssd}}
- metadata: {name: n-par-1b, labels: {topology.kubernetes.io/zone: par-1}}
- metadata: {name: n-par-2a, labels: {topology.kubernetes.io/zone: par-2}}
- metadata: {name: n-lon-1a, labels: {topology.kubernetes.io/zone: lon-1}}
- metadata: {name: n-nowhere}
`

// today is when the tests take place.
var today = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// world is everything that the handlers look at.
type world struct {
	Frameworks      []v1alpha1.Framework              `json:"frameworks"`
	Providers       []v1alpha1.CloudProvider          `json:"providers"`
	Zones           []v1alpha1.Zone                   `json:"zones"`
	Qualifications  []v1alpha1.Qualification          `json:"qualifications"`
	TrustLevels     []v1alpha1.TrustLevel             `json:"trustLevels"`
	ClusterPolicies []v1alpha1.ClusterPlacementPolicy `json:"clusterPolicies"`
	EncryptionKeys  []v1alpha1.EncryptionKey          `json:"keys"`
	Namespaced      []corev1.Namespace                `json:"namespaces"`
	Machines        []corev1.Node                     `json:"nodes"`

	now      time.Time
	settings placement.Settings
	revoking []string
	store    snapshot.Store
	pods     []corev1.Pod
	broken   error // of live reads
	empty    bool  // there is no snapshot yet
	reads    int
	blind    bool   // StorageClasses are not known yet
	silent   bool   // the key store does not answer
	letGo    string // the pod that was let go for claim data of namespace sealed
	podless  bool   // pods are not known yet
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{now: today, settings: placement.DefaultSettings()}
	if err := yaml.UnmarshalStrict([]byte(worldYAML), w); err != nil {
		t.Fatal(err)
	}
	w.publish()
	w.label()
	return w
}

// publish compiles what the world holds, as the compiler does.
func (w *world) publish() {
	objects := trust.Objects{
		Frameworks: w.Frameworks, Providers: w.Providers, Zones: w.Zones, Qualifications: w.Qualifications, TrustLevels: w.TrustLevels,
	}
	catalogue := trust.Compile(objects)
	w.store.Publish(&snapshot.Snapshot{
		Catalogue: catalogue, Objects: objects, Settings: w.settings, Revoking: w.revoking,
		Policies: policy.Compile(policy.Objects{ClusterPolicies: w.ClusterPolicies, Levels: catalogue.Levels(), Keys: w.keys()}),
	})
}

func (w *world) keys() []policy.Key {
	var all []policy.Key
	for i := range w.EncryptionKeys {
		all = append(all, policy.Key{Name: w.EncryptionKeys[i].Name, Allows: keys.Compile(&w.EncryptionKeys[i], nil).Allows})
	}
	return all
}

// verdict is what a key of the world is at: well made, and in Paris.
func (w *world) verdict(i int) keys.Verdict {
	v := keys.Verdict{Key: keys.Compile(&w.EncryptionKeys[i], nil), Phase: v1alpha1.PhaseVerified, Home: []string{"par-1"}, Facts: []keys.Fact{
		{Name: keys.FactNonExtractable, Value: "true", Evidence: v1alpha1.EvidenceTested},
		{Name: keys.FactProtection, Value: "HSM", Evidence: v1alpha1.EvidenceDeclared},
	}}
	if w.silent {
		v.Phase, v.Message = v1alpha1.PhaseUnknown, "the store does not answer"
	}
	return v
}

// Classes are five: one whose volumes are not encrypted, one for each key, one that makes volumes at once, and one whose key nobody means.
func (w *world) Classes() ([]placement.Class, bool) {
	under := func(id string) storage.Protection {
		return storage.Protection{Binding: v1alpha1.BindingProviderEnvelope, Driver: "block-storage.csi.stackit.cloud", KeyID: id}
	}
	return []placement.Class{
		{Name: "fast", Immediate: true, Protection: under("k-1"), Keys: []keys.Verdict{w.verdict(0)}},
		{Name: "other", Protection: under("k-2"), Keys: []keys.Verdict{w.verdict(1)}},
		{Name: "plain", Default: true, Protection: storage.Protection{Binding: v1alpha1.BindingNone, Message: "parameter encrypted is missing"}},
		{Name: "sealed", Protection: under("k-1"), Keys: []keys.Verdict{w.verdict(0)}},
		{Name: "unmeant", Protection: under("k-3")},
	}, !w.blind
}

func (w *world) LetGo(namespace, claim string) (pod string, known bool) {
	if namespace != "sealed" || claim != "data" {
		return "", !w.podless
	}
	return w.letGo, !w.podless
}

// label writes what nodes are worth on them, as the leader does.
func (w *world) label() {
	current, _ := w.store.Load()
	view := current.Catalogue.At(w.now)
	for i := range w.Machines {
		n := &w.Machines[i]
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		for key, value := range view.Assess(trust.NodeFacts{Name: n.Name, Labels: n.Labels}).Labels(n.Labels, nil) {
			n.Labels[key] = value
		}
	}
}

func (w *world) Load() (*snapshot.Snapshot, bool) {
	if w.empty {
		return nil, false
	}
	return w.store.Load()
}

func (w *world) Namespace(name string) (policy.Namespace, bool) {
	for i := range w.Namespaced {
		if ns := &w.Namespaced[i]; ns.Name == name {
			return policy.Namespace{Name: name, Labels: ns.Labels, Annotations: ns.Annotations}, true
		}
	}
	return policy.Namespace{}, false
}

func (w *world) Nodes() []*corev1.Node {
	var nodes []*corev1.Node
	for i := range w.Machines {
		nodes = append(nodes, &w.Machines[i])
	}
	return nodes
}

func (w *world) NodeFacts() []trust.NodeFacts {
	var facts []trust.NodeFacts
	for i := range w.Machines {
		facts = append(facts, trust.NodeFacts{Name: w.Machines[i].Name, Labels: w.Machines[i].Labels})
	}
	return facts
}

// Owing: sixteen pods on each node owe every level.
func (w *world) Owing() func(string, string) int { return func(string, string) int { return 16 } }

// Violating: as many pods as the policy asks for levels.
func (w *world) Violating(set *policy.Set) (pods, namespaces int) {
	for _, p := range set.All() {
		pods += len(p.Levels)
	}
	return pods, pods
}

func (w *world) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	w.reads++
	if _, bounded := ctx.Deadline(); !bounded {
		panic("a live read without a deadline")
	}
	if w.broken != nil {
		return w.broken
	}
	switch into := into.(type) {
	case *corev1.Pod:
		for _, p := range w.pods {
			if p.Namespace == key.Namespace && p.Name == key.Name {
				p.DeepCopyInto(into)
				return nil
			}
		}
	case *corev1.Node:
		for _, n := range w.Machines {
			if n.Name == key.Name {
				n.DeepCopyInto(into)
				return nil
			}
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, key.Name)
}

func (w *world) options() Options {
	return Options{
		Snapshots: w, Namespaces: w, Nodes: w, Facts: w, Owing: w, Violating: w, Classes: w, LetGo: w, Live: w, Now: func() time.Time { return w.now },
	}
}

func (w *world) handlers(t testing.TB) *Handlers {
	t.Helper()
	h, err := New(w.options())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// mux serves all handlers, as the manager does.
func (w *world) mux(t testing.TB) *http.ServeMux {
	t.Helper()
	mux := http.NewServeMux()
	w.handlers(t).Register(mux)
	return mux
}

// requestOf begins an admission request about an object, given as YAML or as an API object.
func requestOf(t testing.TB, resource metav1.GroupVersionResource, kind string, operation admissionv1.Operation, object any) *admissionv1.AdmissionRequest {
	t.Helper()
	r := &admissionv1.AdmissionRequest{
		UID:      "0d6d8e5c-6f6d-4f0f-9a3c-1d1a3c1f8a55",
		Kind:     metav1.GroupVersionKind{Group: resource.Group, Version: resource.Version, Kind: kind},
		Resource: resource, Operation: operation, Namespace: "hr",
	}
	r.UserInfo.Username = "system:serviceaccount:kube-system:replicaset-controller"
	r.UserInfo.Groups = []string{"system:serviceaccounts", "system:authenticated"}
	r.Object.Raw = rawOf(t, object)
	return r
}

func rawOf(t testing.TB, object any) []byte {
	t.Helper()
	if text, isText := object.(string); isText {
		raw, err := yaml.YAMLToJSONStrict([]byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return raw
	}
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func bytesOf(t testing.TB, r *admissionv1.AdmissionRequest) []byte {
	t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: r,
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// ask sends a request over HTTP, as the API server would, and holds the answer to what the API server demands of it.
func ask(t testing.TB, server http.Handler, path string, r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	t.Helper()
	recorder := post(server, path, bytesOf(t, r))
	if recorder.Code != http.StatusOK {
		t.Fatalf("%s answers %d %s", path, recorder.Code, recorder.Body)
	}
	var out admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	switch a := out.Response; {
	case out.APIVersion != "admission.k8s.io/v1" || out.Kind != "AdmissionReview" || a == nil:
		t.Fatalf("not a review: %s", recorder.Body)
	case a.UID != r.UID:
		t.Fatalf("the answer is to %q, not to %q", a.UID, r.UID)
	case (len(a.Patch) > 0) != (a.PatchType != nil):
		t.Fatalf("patch and patch type do not go together: %s", recorder.Body)
	case !a.Allowed && (a.Result == nil || a.Result.Message == "" || len(a.Patch) > 0):
		t.Fatalf("a denial needs a sentence, and no patch: %s", recorder.Body)
	}
	return out.Response
}

func post(server http.Handler, path string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path+"?timeout=2s", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, r)
	return recorder
}

// told is an answer as a person would note it down.
func told(a *admissionv1.AdmissionResponse) string {
	var b strings.Builder
	if a.Allowed {
		b.WriteString("allowed\n")
	} else {
		b.WriteString("refused: " + string(a.Result.Reason) + "\n  " + a.Result.Message + "\n")
	}
	for _, w := range a.Warnings {
		b.WriteString("warning: " + w + "\n")
	}
	var patches []json.RawMessage
	if len(a.Patch) > 0 && json.Unmarshal(a.Patch, &patches) != nil {
		b.WriteString("garbled patch " + string(a.Patch) + "\n")
	}
	for _, p := range patches {
		b.WriteString("patch: " + string(p) + "\n")
	}
	return b.String()
}
