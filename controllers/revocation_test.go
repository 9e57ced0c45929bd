package controllers

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

// bearing is a pod of a workload that runs under keys, and is to be evicted.
func bearing(t *testing.T, name, workload string, under ...string) bearer {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}, Spec: corev1.PodSpec{NodeName: "node"}}
	if workload != "" {
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: "StatefulSet", Name: workload, UID: types.UID(workload), Controller: new(true)}}
	}
	return bearer{pod: seen(t, pod), keys: under, evict: true}
}

func (b bearer) but(change func(*bearer)) bearer {
	change(&b)
	return b
}

// verdictOf is that of a key that is revoked, and confirmed to be.
func verdictOf(key, store string) keys.Verdict {
	compiled := encryptionKey(key)
	compiled.Spec.Store = v1alpha1.ObjectName(store)
	return keys.Verdict{Key: keys.Compile(&compiled, nil), Phase: v1alpha1.PhaseDestroyed, Message: "it is destroyed", RevokedSince: noon, Confirmed: true}
}

func TestDecideEvictions(t *testing.T) {
	verdicts := map[string]keys.Verdict{
		"gone": verdictOf("gone", "s"), "braked": verdictOf("braked", "braked"),
		"good": {Key: verdictOf("good", "s").Key, Phase: v1alpha1.PhaseVerified}, "unconfirmed": verdictOf("unconfirmed", "s"),
	}
	unconfirmed := verdicts["unconfirmed"]
	unconfirmed.Confirmed = false
	verdicts["unconfirmed"] = unconfirmed
	odd := verdicts["good"]
	odd.Confirmed = true
	verdicts["odd"] = odd
	for what, c := range map[string]struct {
		bearers []bearer
		want    []string
	}{
		"a pod under a key that is gone":                       {[]bearer{bearing(t, "p", "w", "gone")}, []string{"p"}},
		"a pod under several keys, of which one is gone":       {[]bearer{bearing(t, "p", "w", "good", "gone")}, []string{"p"}},
		"not one whose key is good":                            {[]bearer{bearing(t, "p", "w", "good")}, nil},
		"not one whose key is not confirmed to be gone":        {[]bearer{bearing(t, "p", "w", "unconfirmed")}, nil},
		"not one whose key is confirmed, but not revoked":      {[]bearer{bearing(t, "p", "w", "odd")}, nil},
		"not one whose key nobody knows":                       {[]bearer{bearing(t, "p", "w", "unheard of")}, nil},
		"not one whose store has lost too many":                {[]bearer{bearing(t, "p", "w", "braked")}, nil},
		"not one without a key":                                {[]bearer{bearing(t, "p", "w")}, nil},
		"not one that shall only be told of":                   {[]bearer{bearing(t, "p", "w", "gone").but(func(b *bearer) { b.evict = false })}, nil},
		"not one that leaves already":                          {[]bearer{bearing(t, "p", "w", "gone").but(func(b *bearer) { b.pod.leaving = true })}, nil},
		"one of each workload at a time, by name":              {[]bearer{bearing(t, "q", "w", "gone"), bearing(t, "p", "w", "gone"), bearing(t, "o", "v", "gone")}, []string{"o", "p"}},
		"none of a workload while another of it leaves":        {[]bearer{bearing(t, "p", "w", "gone"), bearing(t, "q", "w", "good").but(func(b *bearer) { b.pod.leaving, b.evict = true, false })}, nil},
		"every pod that nothing made is a workload for itself": {[]bearer{bearing(t, "p", "", "gone"), bearing(t, "q", "", "gone")}, []string{"p", "q"}},
	} {
		t.Run(what, func(t *testing.T) {
			slices.Reverse(c.bearers)
			var got []string
			for _, e := range decideEvictions(c.bearers, verdicts, map[string]bool{"braked": true}) {
				got = append(got, e.pod.Name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("evicts %v, not %v", got, c.want)
			}
		})
	}
}

// evictions is an API server, as far as evictions know one.
type evictions struct {
	client.Reader

	pod    *corev1.Pod // nil: there is none
	answer error
	asked  []*policyv1.Eviction
}

func (e *evictions) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	if e.pod == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "p")
	}
	e.pod.DeepCopyInto(o.(*corev1.Pod))
	return nil
}

func (e *evictions) Create(_ context.Context, _, subResource client.Object, _ ...client.SubResourceCreateOption) error {
	e.asked = append(e.asked, subResource.(*policyv1.Eviction))
	return e.answer
}

func TestAnEviction(t *testing.T) {
	running := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p", UID: "u"}, Spec: corev1.PodSpec{NodeName: "node"}}
		if change != nil {
			change(p)
		}
		return p
	}
	refused := apierrors.NewTooManyRequests("it would break a budget", 1)
	for what, c := range map[string]struct {
		pod           *corev1.Pod
		uid           types.UID // as the cache has it
		answer        error
		asked, told   int
		again, failed bool
	}{
		"evicts the pod that is there":             {pod: running(nil), asked: 1, told: 1},
		"evicts the pod that was meant":            {pod: running(nil), uid: "u", asked: 1, told: 1},
		"does not evict another by its name":       {pod: running(nil), uid: "v"},
		"does not evict one that waits anew":       {pod: running(func(p *corev1.Pod) { p.Spec.NodeName = "" })},
		"does not evict one that leaves":           {pod: running(func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} })},
		"does not evict one that is finished":      {pod: running(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })},
		"has nothing to do where there is none":    {},
		"waits for a budget":                       {pod: running(nil), answer: refused, asked: 1, again: true},
		"passes over one that is gone meanwhile":   {pod: running(nil), answer: apierrors.NewNotFound(schema.GroupResource{}, "p"), asked: 1},
		"passes over one that came by its name":    {pod: running(nil), answer: apierrors.NewConflict(schema.GroupResource{}, "p", errors.New("UID")), asked: 1},
		"fails where the API server does not know": {pod: running(nil), answer: apierrors.NewInternalError(errors.New("two budgets")), asked: 1, failed: true},
	} {
		t.Run(what, func(t *testing.T) {
			server, recorder := &evictions{pod: c.pod, answer: c.answer}, events.NewFakeRecorder(2)
			b := bearing(t, "p", "w", "gone")
			b.pod.UID = c.uid
			again, err := evictor{server, server, recorder}.carryOut(t.Context(), []eviction{{b.pod, verdictOf("gone", "s")}}, noon)
			if (err != nil) != c.failed || again.Equal(noon.Add(evictAgain)) != c.again || !c.again && !again.Equal(time.Time{}) {
				t.Errorf("again at %s: %v", again, err)
			}
			if told := eventsOf(recorder); len(server.asked) != c.asked || len(told) != c.told {
				t.Errorf("asked for %v, told %v", server.asked, told)
			}
			for _, e := range server.asked {
				if e.DeleteOptions == nil || e.DeleteOptions.Preconditions == nil || *e.DeleteOptions.Preconditions.UID != "u" {
					t.Errorf("asked for %+v", e)
				}
			}
		})
	}
}
