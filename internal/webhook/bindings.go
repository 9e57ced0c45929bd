package webhook

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
)

// binding is the part of a Binding that is read.
type binding struct {
	Metadata bindingMetadata `json:"metadata"`
	Target   bindingTarget   `json:"target"`
}

type bindingMetadata struct {
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type bindingTarget struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

const (
	// lookWithin is how long the live look may take. It ends before the API server stops waiting (see [Configurations]): it
	// would then take the silence for absence, and admit.
	lookWithin = 2 * time.Second
	// margin is how long before its end a level is worth nothing here. A binding takes a moment to be written, and clocks differ.
	margin = time.Second
)

// bindings judges a binding, and the live node that it names.
func (h *Handlers) bindings(ctx context.Context, r *request[binding]) answer {
	legacy := r.is("", "bindings", "CREATE")
	if r.Object == nil || !legacy && !r.is("", "pods/binding", "CREATE") {
		return undecided("Terroir judges bindings of pods here when they are created, and nothing else")
	}
	l, unready := h.law(r.Namespace)
	if unready != "" {
		return undecided("%s", unready)
	}
	b, names := r.Object, namesOf(r)
	verdict := placement.JudgeBinding(placement.Binding{
		User: r.UserInfo.Username, Legacy: legacy,
		TargetKind: b.Target.Kind, Node: b.Target.Name, Labels: b.Metadata.Labels, Annotations: b.Metadata.Annotations,
	}, l.Settings, l.Revoking)
	if !verdict.Allowed() {
		return names.refuse(verdict.Message())
	}
	return h.look(ctx, l, names)
}

// names are those that a binding brings together.
type names struct {
	pod  types.NamespacedName
	uid  types.UID // empty: any
	node string
}

func namesOf(r *request[binding]) names {
	pod := types.NamespacedName{Namespace: r.Namespace, Name: r.Object.Metadata.Name}
	if pod.Name == "" {
		pod.Name = r.Name
	}
	return names{pod: pod, uid: types.UID(r.Object.Metadata.UID), node: r.Object.Target.Name}
}

func (n names) refuse(why string) answer {
	if n.node == "" {
		return refuse("pod %s cannot be bound: %s", n.pod, why)
	}
	return refuse("pod %s cannot be bound to node %s: %s", n.pod, n.node, why)
}

// look reads the live pod and the live node, and judges them. A read that fails denies: the scheduler will try again.
func (h *Handlers) look(ctx context.Context, l *law, n names) answer {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	var pod corev1.Pod
	err := h.Live.Get(ctx, n.pod, &pod)
	switch {
	case apierrors.IsNotFound(err), err == nil && n.uid != "" && n.uid != pod.UID:
		return admit(nil) // the API server itself refuses to bind what is not there, with better words
	case err != nil:
		return undecided("pod %s cannot be bound to node %s now, because the pod could not be read: %v; try again", n.pod, n.node, err)
	}
	owed := l.owedBy(&pod)
	if !owed.Owes() {
		return admit(nil)
	}
	var node corev1.Node
	err = h.Live.Get(ctx, client.ObjectKey{Name: n.node}, &node)
	switch {
	case apierrors.IsNotFound(err):
		return n.refuse(fmt.Sprintf("node %s does not exist", n.node))
	case err != nil:
		return undecided("pod %s cannot be bound to node %s now, because the node could not be read: %v; try again", n.pod, n.node, err)
	}
	return l.binding(n, owed, node.Labels, h.Now())
}

// owedBy is what a live pod owes.
func (l *law) owedBy(pod *corev1.Pod) policy.Obligation {
	read := placement.PodOf(&pod.ObjectMeta, &pod.Spec)
	return read.Owed(l.Policies, l.owed, policy.Source{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name})
}

// binding judges pod against node, first by the labels of the live node, then by what its zone is worth at this moment: a date may
// have passed while nobody was there to rewrite labels.
func (l *law) binding(n names, owed policy.Obligation, labels map[string]string, now time.Time) answer {
	if len(owed.Problems) > 0 {
		return n.refuse(owed.Problems[0].Message)
	}
	zone := labels[v1alpha1.ZoneLabel]
	verdict := placement.JudgeOpen(owed, n.node, labels, func(level string) string { return l.explain(zone, level, now) })
	if !verdict.Allowed() {
		return n.refuse(verdict.Message())
	}
	if why := l.expired(zone, owed, now); why != "" {
		return n.refuse(why)
	}
	return admit(nil)
}

// explain says what a zone is worth to a level.
func (l *law) explain(zone, level string, now time.Time) string {
	if zone == "" {
		return "it is not recognised as standing in any zone"
	}
	standing := l.Catalogue.At(now).Standing(zone, level)
	if standing.Worth == trust.Open {
		return "its zone does, but the node is not open for new pods, or not yet: " + standing.Message
	}
	return standing.Message
}

// expired says which levels the zone does not satisfy now and a margin later; empty: none.
func (l *law) expired(zone string, owed policy.Obligation, now time.Time) string {
	var sentences []string
	for _, level := range owed.Levels {
		for _, moment := range []time.Time{now, now.Add(margin)} {
			standing := l.Catalogue.At(moment).Standing(zone, level)
			if standing.Worth != trust.Open {
				sentences = append(sentences, fmt.Sprintf("%s requires trust level %s, and %s", owed.Provenance(level), level, standing.Message))
				break
			}
		}
	}
	return strings.Join(sentences, "; ")
}
