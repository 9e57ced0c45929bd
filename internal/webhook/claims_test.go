package webhook

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
)

func claimRequest(t testing.TB, namespace, object string) *admissionv1.AdmissionRequest {
	t.Helper()
	r := requestOf(t, metav1.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}, "PersistentVolumeClaim", admissionv1.Create, object)
	r.Namespace = namespace
	return r
}

func TestClaims(t *testing.T) {
	of := func(class string) string {
		return `{metadata: {name: data}, spec: {storageClassName: ` + class + `, resources: {requests: {storage: 1Gi}}}}`
	}
	var n notes
	for _, c := range []struct {
		sentence, namespace, claim string
		tweak                      func(*world)
	}{
		{"its class is under the key that is owed", "sealed", of("sealed"), nil},
		{"its class is under the key, and the key's store is silent", "sealed", of("sealed"), func(w *world) { w.silent = true }},
		{"its class is under another key", "sealed", of("other"), nil},
		{"its class is under a key that nobody has named", "sealed", of("unmeant"), nil},
		{"its class makes volumes at once", "sealed", of("fast"), nil},
		{"its class does not encrypt, and nothing else will do", "sealed", of("plain"), func(w *world) { w.silent = true }},
		{"it has the default class", "sealed", `{metadata: {generateName: data-}, spec: {}}`, nil},
		{"its class does not exist", "sealed", of("gone"), nil},
		{"it has no class", "sealed", of(`""`), nil},
		{"its volume is there already", "sealed", `{metadata: {name: data}, spec: {storageClassName: plain, volumeName: pv-1}}`, nil},
		{"no encryption is owed there", "hr", of("plain"), nil},
		{"the key lies where the level is not satisfied", "sealed", of("sealed"), func(w *world) {
			w.ClusterPolicies[6].Spec.TrustLevels = []v1alpha1.LevelName{"in-germany"}
			w.publish()
		}},
		{"a pod waits for a node that was let go for another claim of the name", "sealed", of("sealed"), func(w *world) { w.letGo = "db-0" }},
		{"a pod was let go for a claim of another name", "sealed", `{metadata: {name: logs}, spec: {storageClassName: sealed}}`, func(w *world) { w.letGo = "db-0" }},
		{"pods are not known yet", "sealed", of("sealed"), func(w *world) { w.podless = true }},
		{"StorageClasses are not known yet", "sealed", of("sealed"), func(w *world) { w.blind = true }},
		{"there is no snapshot yet", "sealed", of("sealed"), func(w *world) { w.empty = true }},
		{"an object that is none", "sealed", `{spec: {storageClassName: 5}}`, nil},
		{"no object", "sealed", `null`, nil},
	} {
		w := newWorld(t)
		if c.tweak != nil {
			c.tweak(w)
		}
		n.add(c.sentence, told(ask(t, w.mux(t), ClaimsPath, claimRequest(t, c.namespace, c.claim))))
	}
	n.compare(t, "claims")
}

// Whoever makes the handlers without it has claims refused rather than passed over.
func TestClaimsOfWhichNobodyCanTell(t *testing.T) {
	for what, without := range map[string]func(*Options){
		"StorageClasses": func(o *Options) { o.Classes = nil },
		"pods":           func(o *Options) { o.LetGo = nil },
	} {
		w := newWorld(t)
		o := w.options()
		without(&o)
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		a := ask(t, h.claimsHook(), ClaimsPath, claimRequest(t, "sealed", `{metadata: {name: data}, spec: {storageClassName: sealed}}`))
		if a.Allowed || a.Result.Reason != metav1.StatusReasonServiceUnavailable {
			t.Errorf("without %s it says %s", what, told(a))
		}
	}
}

// once answers as another does, the first time it is asked, and never again.
type once struct {
	from  Classes
	asked bool
}

func (o *once) Classes() ([]placement.Class, bool) {
	if o.asked {
		return nil, false
	}
	o.asked = true
	return o.from.Classes()
}

// What was read decides: that it could not be read a second time must not let a claim pass.
func TestAClaimIsJudgedByTheClassesThatWereRead(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Classes = &once{from: w}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	answer := ask(t, h.claimsHook(), ClaimsPath, claimRequest(t, "sealed", `{metadata: {name: data}, spec: {storageClassName: fast}}`))
	if answer.Allowed || !strings.Contains(answer.Result.Message, "Immediate") {
		t.Errorf("the answer is %+v", answer)
	}
}
