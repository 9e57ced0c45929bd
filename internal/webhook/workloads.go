package webhook

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// workload is the part of a Deployment, StatefulSet, DaemonSet, Job or CronJob that is read.
type workload struct {
	Metadata workloadMetadata `json:"metadata"`
	Spec     workloadSpec     `json:"spec"`
}

type workloadMetadata struct {
	Name              string            `json:"name"`
	GenerateName      string            `json:"generateName"`
	Annotations       map[string]string `json:"annotations"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
}

type workloadSpec struct {
	Replicas *int32       `json:"replicas"`
	Template *podTemplate `json:"template"`
	// VolumeClaimTemplates are those of a StatefulSet, which has them for life.
	VolumeClaimTemplates []claim `json:"volumeClaimTemplates"`
	JobTemplate          struct {
		Spec struct {
			Template *podTemplate `json:"template"`
		} `json:"spec"`
	} `json:"jobTemplate"`
}

// podTemplate tells a template without metadata from one with: patches have to.
type podTemplate struct {
	Metadata *metav1.ObjectMeta `json:"metadata"`
	Spec     corev1.PodSpec     `json:"spec"`
}

// template finds the pod template, which stands deeper in a CronJob.
func (w *workload) template() *podTemplate {
	return cmp.Or(w.Spec.Template, w.Spec.JobTemplate.Spec.Template)
}

// annotations are those of the template.
func (t *podTemplate) annotations() map[string]string {
	if t.Metadata == nil {
		return nil
	}
	return t.Metadata.Annotations
}

func (t *podTemplate) spec() *corev1.PodTemplateSpec {
	out := &corev1.PodTemplateSpec{Spec: t.Spec}
	if t.Metadata != nil {
		out.ObjectMeta = *t.Metadata
	}
	return out
}

// read gives the part of the workload that the law about workloads reads.
func (w *workload) read(kind string) placement.Workload {
	t := w.template()
	return placement.Workload{
		Kind: kind, Annotations: w.Metadata.Annotations,
		Template: placement.WorkloadTemplate{HasMetadata: t.Metadata != nil, Annotations: t.annotations(), NodeSelector: t.Spec.NodeSelector},
	}
}

// replicas is how many pods the workload wants; nil where that is not its to say.
func (w *workload) replicas(kind string) *int32 {
	if !spreads(kind) {
		return nil
	}
	if w.Spec.Replicas == nil {
		return new(int32(1)) // as the API server would write
	}
	return w.Spec.Replicas
}

// spreads reports whether a spread is asked of workloads of a kind.
func spreads(kind string) bool { return kind == "Deployment" || kind == "StatefulSet" }

// workloads mirrors a workload's annotations into its template, and answers early about the template.
func (h *Handlers) workloads(_ context.Context, r *request[workload]) answer {
	if sentence := readable(r); sentence != "" {
		return undecided("%s", sentence)
	}
	if r.Object.Metadata.DeletionTimestamp != "" {
		return admit(nil) // what is going away must be able to
	}
	change := changeOf(r)
	l, unready := h.law(r.Namespace)
	switch {
	case unready != "" && change.nothing():
		return admit(nil) // a finalizer must come off, also while Terroir starts
	case unready != "":
		return undecided("%s", unready)
	}
	return l.workload(r, change, func() []*corev1.Node { return h.Nodes.Nodes() }, h.Classes, h.Now())
}

// readable says what is missing of a request about a workload, if anything.
func readable(r *request[workload]) string {
	isApps := slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, r.Kind.Kind) && r.Resource.Group == "apps"
	isBatch := slices.Contains([]string{"Job", "CronJob"}, r.Kind.Kind) && r.Resource.Group == "batch"
	isUpdate := r.Operation == "UPDATE" && r.OldObject != nil
	switch {
	case !isApps && !isBatch, r.Operation != "CREATE" && !isUpdate, r.Object == nil:
		return "Terroir judges Deployments, StatefulSets, DaemonSets, Jobs and CronJobs here when they are created or updated, and nothing else"
	case r.Object.template() == nil, isUpdate && r.OldObject.template() == nil:
		return "Terroir finds no pod template in this " + r.Kind.Kind
	default:
		return ""
	}
}

// change is what a request changes of what is judged. An update that changes nothing of it is not judged: finalizers and
// statuses of workloads that are older than their policy must pass.
type change struct{ template, annotations, replicas bool }

func (c change) nothing() bool { return c == change{} }

func changeOf(r *request[workload]) change {
	if r.Operation == "CREATE" {
		return change{true, true, true}
	}
	is, was := r.Object, r.OldObject
	return change{
		template:    !equality.Semantic.DeepEqual(is.template(), was.template()),
		annotations: !maps.Equal(policy.Own(is.Metadata.Annotations), policy.Own(was.Metadata.Annotations)),
		replicas:    spreads(r.Kind.Kind) && *is.replicas(r.Kind.Kind) != *was.replicas(r.Kind.Kind),
	}
}

// workload decides about a workload in a namespace.
func (l *law) workload(r *request[workload], c change, nodes func() []*corev1.Node, classes Classes, now time.Time) answer {
	patches := placement.ShapeWorkload(r.Object.read(r.Kind.Kind), before(r), l.owed)
	if c.nothing() {
		return admit(patches)
	}
	e := early{law: l, request: r, change: c, now: now}
	if was := before(r); was != nil {
		if v := placement.JudgeJob(*was, r.Object.read(r.Kind.Kind)); !v.Allowed() {
			return refuse("%s is refused: %s", e.name(), v.Message())
		}
	}
	owed := e.owed()
	if !owed.Owes() && len(l.warned) == 0 {
		return admit(patches)
	}
	e.ground = placement.Ground{Nodes: nodes(), Nearest: e.nearest}
	denials, warnings := e.judge(owed)
	never, waiting := e.judgeClaims(owed, classes)
	denials, warnings = append(denials, never...), append(warnings, waiting...)
	if len(denials) > 0 {
		return refuse("%s is refused: %s", e.name(), strings.Join(denials, "; ")).unless(owed.Unfound())
	}
	return admit(patches, append(warnings, e.warnings(owed)...)...)
}

func before(r *request[workload]) *placement.Workload {
	if r.Operation == "CREATE" {
		return nil
	}
	was := r.OldObject.read(r.Kind.Kind)
	return &was
}

// early is an early answer about a workload.
type early struct {
	*law
	request *request[workload]
	change  change
	ground  placement.Ground
	now     time.Time
}

func (e early) source() policy.Source {
	m := e.request.Object.Metadata
	return policy.Source{Kind: e.request.Kind.Kind, Namespace: e.namespace.Name, Name: cmp.Or(m.Name, m.GenerateName)}
}

// name is the workload in a sentence.
func (e early) name() string {
	s := e.source()
	return strings.ToLower(s.Kind) + " " + s.Namespace + "/" + s.Name
}

// owed is what the workload's pods will owe, once its annotations are mirrored.
func (e early) owed() policy.Obligation {
	source := e.source()
	owed := e.Policies.AddAnnotations(e.law.owed, source, e.request.Object.Metadata.Annotations)
	source.Kind = "the pod template of " + source.Kind
	return e.Policies.AddAnnotations(owed, source, e.templateAnnotations())
}

// templateAnnotations are those of the template without the mirrors of annotations that the workload has, or just lost: shaping
// replaces or removes them. A Job's template is fixed, and so its mirrors stay.
func (e early) templateAnnotations() map[string]string {
	was := e.request.OldObject
	if e.request.Kind.Kind == "Job" && was != nil {
		return e.request.Object.template().annotations()
	}
	left := policy.Own(e.request.Object.template().annotations())
	sources := maps.Clone(e.request.Object.Metadata.Annotations)
	if was != nil {
		sources = merged(sources, was.Metadata.Annotations)
	}
	for key := range sources {
		if name, isOurs := strings.CutPrefix(key, v1alpha1.AnnotationPrefix); isOurs {
			delete(left, v1alpha1.InheritedPrefix+name)
		}
	}
	return left
}

func merged(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// nearest says of a level why no node is open for it.
func (e early) nearest(level string) string {
	m := e.miss(level, e.now)
	if m.open {
		return m.nearest + ", but no node is recognised there"
	}
	return m.nearest
}

func (e early) template() placement.Template {
	kind, w := e.request.Kind.Kind, e.request.Object
	return placement.Template{Spreads: spreads(kind), Replicas: w.replicas(kind), Pod: w.template().spec()}
}

// judge gives what stands against the workload. What stands against a template that stays as it was, such as one that is only being scaled, is a warning:
// whoever scales down a workload that is older than its policy must not be stopped.
func (e early) judge(owed policy.Obligation) (denials, warnings []string) {
	verdict, warnings := placement.JudgeTemplate(e.template(), owed, e.Settings, e.ground)
	for _, d := range verdict.Denials {
		isNew := e.change.template || e.change.annotations || d.Rule == "replicas"
		if isNew {
			denials = append(denials, d.Message)
		} else {
			warnings = append(warnings, "the pods are refused: "+d.Message)
		}
	}
	if !verdict.Allowed() && len(verdict.Denials) == 0 {
		denials = append(denials, verdict.Message()) // not decided
	}
	return denials, warnings
}

// judgeClaims gives what stands against the claims that the workload's pods bring with them. A StatefulSet has its templates for life: where one that is older
// than its policy is updated, what stands against them is a warning. While StorageClasses are not known nothing is said: each claim is judged when it is created.
func (e early) judgeClaims(owed policy.Obligation, from Classes) (denials, warnings []string) {
	claims := e.request.Object.claims()
	if !e.change.template && !e.change.annotations || owed.Encryption == nil || len(claims) == 0 {
		return nil, nil
	}
	known, ok := classes(from)
	if !ok {
		return nil, nil
	}
	denials, warnings = e.claims(owed, claims, known, e.now)
	if e.request.Operation == "CREATE" || e.change.annotations {
		return denials, warnings
	}
	for _, d := range denials {
		warnings = append(warnings, "the pods will wait: "+d)
	}
	return nil, warnings
}

// warnings say what policies that only warn would do if they enforced.
func (e early) warnings(owed policy.Obligation) []string {
	var warnings []string
	for _, p := range e.warned {
		if !adds(p, owed) {
			continue
		}
		would := e.Policies.Add(policy.Obligation{}, p.Demand)
		verdict, unfit := placement.JudgeTemplate(e.template(), would, e.Settings, e.ground)
		switch {
		case !verdict.Allowed():
			warnings = append(warnings, fmt.Sprintf("%s, if it enforced, would refuse the pods: %s", p.Source, verdict.Message()))
		default:
			warnings = append(warnings, fmt.Sprintf("%s, if it enforced, would have the pods run only %s", p.Source, ground(p.Demand)))
		}
		for _, w := range unfit {
			warnings = append(warnings, fmt.Sprintf("if %s enforced: %s", p.Source, w))
		}
	}
	return warnings
}
