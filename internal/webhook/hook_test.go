package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/terroir-dev/terroir/internal/placement"
)

var paths = []string{PodsPath, WorkloadsPath, BindingsPath, NamespacesPath, CataloguePath, PoliciesPath}

// What is no review gets an error: there is nobody to whom a denial could be said.
func TestWhatIsNoReview(t *testing.T) {
	mux := newWorld(t).mux(t)
	for _, c := range []struct {
		sentence string
		method   string
		media    string
		body     string
		want     int
	}{
		{"a browser comes by", http.MethodGet, "", "", http.StatusMethodNotAllowed},
		{"another format", http.MethodPost, "application/yaml", "{}", http.StatusUnsupportedMediaType},
		{"no format", http.MethodPost, "", "{}", http.StatusUnsupportedMediaType},
		{"a format with its character set", http.MethodPost, "application/json; charset=utf-8", "{}", http.StatusBadRequest},
		{"nothing", http.MethodPost, "application/json", "", http.StatusBadRequest},
		{"half a review", http.MethodPost, "application/json", `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "x"`, http.StatusBadRequest},
		{"a review of an older version", http.MethodPost, "application/json", `{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview", "request": {"uid": "x"}}`, http.StatusBadRequest},
		{"another kind", http.MethodPost, "application/json", `{"apiVersion": "admission.k8s.io/v1", "kind": "ConversionReview", "request": {"uid": "x"}}`, http.StatusBadRequest},
		{"no request", http.MethodPost, "application/json", `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}`, http.StatusBadRequest},
		{"a request without a UID", http.MethodPost, "application/json", `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {}}`, http.StatusBadRequest},
		{"too much", http.MethodPost, "application/json", `{"x": "` + strings.Repeat("x", longestBody) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		for _, path := range paths {
			r := httptest.NewRequest(c.method, path, strings.NewReader(c.body))
			if c.media != "" {
				r.Header.Set("Content-Type", c.media)
			}
			recorder := httptest.NewRecorder()
			mux.ServeHTTP(recorder, r)
			if recorder.Code != c.want || strings.Contains(recorder.Body.String(), `"allowed"`) {
				t.Errorf("%s at %s: %d %s", c.sentence, path, recorder.Code, recorder.Body)
			}
		}
	}
}

// A megabyte of pod is judged like any other.
func TestLargePod(t *testing.T) {
	pod := realisticPod(t)
	pod.Annotations["blob"] = strings.Repeat(`"<é`, 400_000)
	a := ask(t, newWorld(t).mux(t), PodsPath, podRequest(t, pod))
	if !a.Allowed || len(a.Patch) == 0 {
		t.Error(told(a))
	}
}

// panicking is a snapshot that cannot be loaded.
type panicking struct{ Snapshots }

func TestPanicsDenyWhereThereIsSomethingToDeny(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Snapshots = panicking{}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Register(mux)
	var n notes
	n.add("pods", told(ask(t, mux, PodsPath, podRequest(t, barePod))))
	n.add("workloads", told(ask(t, mux, WorkloadsPath, workloadRequest(t, "Deployment", deployment))))
	n.add("bindings", told(ask(t, mux, BindingsPath, bindingRequest(t, "n-par-1a"))))
	n.add("namespaces", told(ask(t, mux, NamespacesPath, namespaceRequest(t, `{metadata: {name: x, annotations: {terroir.dev/trust-level: in-france}}}`))))
	n.add("catalogue", told(ask(t, mux, CataloguePath, catalogueRequest(t, "Zone", admissionv1.Create, `{metadata: {name: x}}`))))
	n.add("policies", told(ask(t, mux, PoliciesPath, policyRequest(t, "ClusterPlacementPolicy", `{metadata: {name: x}, spec: {}}`))))
	n.compare(t, "panics")
}

func TestDecisionsAreCounted(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	registry := prometheus.NewRegistry()
	o.Metrics = registry
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(o); err == nil {
		t.Error("metrics were registered twice")
	}
	ask(t, h.podsHook(), PodsPath, podRequest(t, barePod))
	ask(t, h.podsHook(), PodsPath, podRequest(t, `{metadata: {name: web-0}, spec: {nodeName: n-lon-1a}}`))
	post(h.podsHook(), PodsPath, []byte("garbage"))
	got := map[string]float64{}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetCounter().GetValue() > 0 {
				got[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	if diff := cmp.Diff(map[string]float64{"pods shaped": 1, "pods refused": 1, "pods invalid": 1}, got); diff != "" {
		t.Error(diff)
	}
}

// Many at once, while the snapshot changes and the date at which a level ends is near.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	mux := w.mux(t)
	pods := bytesOf(t, podRequest(t, realisticPod(t)))
	want := post(mux, PodsPath, pods).Body.String()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if got := post(mux, PodsPath, pods).Body.String(); got != want {
					t.Errorf("another answer: %s", got)
				}
			}
		})
	}
	all.Go(func() {
		for range 50 {
			w.publish()
		}
	})
	all.Wait()
}

// The projection of a pod's review names exactly what is decoded.
func TestProjectionNamesWhatIsDecoded(t *testing.T) {
	request := namesIn(reflect.TypeFor[request[placement.Pod]](), podReview["request"])
	delete(request, "oldObject") // there is none at creation
	if diff := cmp.Diff(request, podReview["request"]); diff != "" {
		t.Errorf("-decoded +projected:\n%s", diff)
	}
}

// namesIn are the JSON names of a struct's fields, as deep as the part goes.
func namesIn(of reflect.Type, as part) part {
	names := part{}
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		inner := of.Field(i).Type
		for inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		names[name] = nil
		if as[name] != nil {
			names[name] = namesIn(inner, as[name])
		}
	}
	return names
}

// FuzzProject holds that decoding a projection reads the same as decoding the whole, of any text that the decoder accepts.
func FuzzProject(f *testing.F) {
	f.Add(bytesOf(f, podRequest(f, realisticPod(f))))
	for _, c := range podCases() {
		f.Add(bytesOf(f, podRequest(f, c.pod)))
	}
	f.Add([]byte(`{"request": {"uid": "x", "object": {"sp\u0065c": {"nodeName": "n"}}}}`))
	f.Add([]byte(`{"request": {"a\\": "\\\"", "object": {"spec": {"x": [{"}": 1}], "nodeName": "\"n"}}}}` + "\n"))
	f.Add([]byte(`{"a":[1,{"b":-1.5e3}],"request":null,"kind":"x" , "apiVersion" : "y"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		whole, unreadable, _ := decode[placement.Pod](text, nil)
		if !json.Valid(text) {
			return // what else it accepts is of no consequence: the parts that are read are checked
		}
		slim, unreadableSlim, _ := decode[placement.Pod](text, podReview)
		if whole.Request != nil {
			whole.Request.OldObject = nil
		}
		if unreadable == nil && unreadableSlim == nil && !cmp.Equal(whole, slim) {
			t.Fatalf("%s\n%s", text, cmp.Diff(whole, slim))
		}
		if unreadable != nil && unreadableSlim == nil && !strings.Contains(unreadable.Error(), "oldObject") {
			t.Fatalf("passed over what cannot be read: %v in %s", unreadable, text)
		}
	})
}

// fuzz sends anything to a handler. It must neither panic nor answer what the API server could not read, nor admit what has no sound request in it.
func fuzz(f *testing.F, path string, seeds ...*admissionv1.AdmissionRequest) {
	f.Helper()
	for _, r := range seeds {
		f.Add(bytesOf(f, r))
	}
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"x","operation":"CREATE","object":{}}}`))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"x","object":null,"oldObject":{"spec":{}}}}`))
	w := newWorld(f)
	mux := w.mux(f)
	advises := path == CataloguePath || path == PoliciesPath
	f.Fuzz(func(t *testing.T, body []byte) {
		recorder := post(mux, path, body)
		if recorder.Code != http.StatusOK {
			if bytes.Contains(recorder.Body.Bytes(), []byte(`"allowed":true`)) {
				t.Fatalf("admitted with an error: %s", recorder.Body)
			}
			return
		}
		var out admissionv1.AdmissionReview
		if err := json.Unmarshal(recorder.Body.Bytes(), &out); err != nil || out.Response == nil {
			t.Fatalf("unreadable: %v %s", err, recorder.Body)
		}
		switch {
		case out.Response.Allowed:
			var in review[map[string]any]
			if json.Unmarshal(body, &in) != nil && path != PodsPath && !advises {
				t.Fatalf("admitted garbage: %s", body)
			}
		case advises:
			t.Fatalf("a hook that only warns refused: %s", recorder.Body)
		case out.Response.Result == nil || out.Response.Result.Message == "":
			t.Fatalf("refused without a sentence: %s", recorder.Body)
		}
	})
}

func FuzzPods(f *testing.F) {
	var seeds []*admissionv1.AdmissionRequest
	for _, c := range podCases() {
		r := podRequest(f, c.pod)
		r.Namespace = c.namespace
		seeds = append(seeds, r)
	}
	fuzz(f, PodsPath, seeds...)
}

func FuzzWorkloads(f *testing.F) {
	var seeds []*admissionv1.AdmissionRequest
	for _, c := range workloadCases() {
		seeds = append(seeds, c.request(f))
	}
	fuzz(f, WorkloadsPath, seeds...)
}

func FuzzBindings(f *testing.F) { fuzz(f, BindingsPath, bindingRequest(f, "n-par-1a")) }

func FuzzNamespaces(f *testing.F) {
	fuzz(f, NamespacesPath, namespaceRequest(f, `{metadata: {name: x, annotations: {terroir.dev/trust-level: in-france}}}`))
}

func FuzzCatalogue(f *testing.F) {
	var seeds []*admissionv1.AdmissionRequest
	for _, c := range catalogueCases() {
		seeds = append(seeds, c.request(f))
	}
	fuzz(f, CataloguePath, seeds...)
}

func FuzzPolicies(f *testing.F) {
	var seeds []*admissionv1.AdmissionRequest
	for _, c := range policyCases() {
		seeds = append(seeds, policyRequest(f, c.kind, c.policy))
	}
	fuzz(f, PoliciesPath, seeds...)
}
