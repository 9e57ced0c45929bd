package placement

import (
	"regexp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Pod is the part of a pod that the rules read. It decodes from a Pod's JSON; what it does not name is passed over, which is
// most of it: admission reads a few hundred bytes of a pod of thirteen thousand.
type Pod struct {
	Metadata Metadata `json:"metadata"`
	Spec     Spec     `json:"spec"`
	Status   Status   `json:"status"`
}

// Metadata is the part of a pod's metadata that the rules read.
type Metadata struct {
	Name            string            `json:"name"`
	GenerateName    string            `json:"generateName"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
	OwnerReferences []Owner           `json:"ownerReferences"`
}

// Owner is the part of an owner reference that the rules read.
type Owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

// Spec is the part of a pod's spec that the rules read.
type Spec struct {
	NodeName                  string                            `json:"nodeName"`
	SchedulerName             string                            `json:"schedulerName"`
	RuntimeClassName          string                            `json:"runtimeClassName"`
	NodeSelector              map[string]string                 `json:"nodeSelector"`
	TopologySpreadConstraints []corev1.TopologySpreadConstraint `json:"topologySpreadConstraints"`
	Volumes                   []Volume                          `json:"volumes"`
	SchedulingGates           []corev1.PodSchedulingGate        `json:"schedulingGates"`
}

// Status is the part of a pod's status that the rules read.
type Status struct {
	Phase corev1.PodPhase `json:"phase"`
}

// PodOf reads a pod without its status, or a template's pod, from the API's types.
func PodOf(meta *metav1.ObjectMeta, spec *corev1.PodSpec) Pod {
	p := Pod{
		Metadata: Metadata{Name: meta.Name, GenerateName: meta.GenerateName, Labels: meta.Labels, Annotations: meta.Annotations},
		Spec: Spec{
			NodeName: spec.NodeName, SchedulerName: spec.SchedulerName, RuntimeClassName: textOf(spec.RuntimeClassName),
			NodeSelector: spec.NodeSelector, TopologySpreadConstraints: spec.TopologySpreadConstraints,
			Volumes: volumesOf(spec.Volumes), SchedulingGates: spec.SchedulingGates,
		},
	}
	for _, o := range meta.OwnerReferences {
		p.Metadata.OwnerReferences = append(p.Metadata.OwnerReferences, Owner{
			APIVersion: o.APIVersion, Kind: o.Kind, UID: string(o.UID), Controller: o.Controller != nil && *o.Controller,
		})
	}
	return p
}

// textOf is what a text that may be absent says.
func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// labelValue finds the longest beginning of a name that can be a label value: names may have 253 characters, label values 63.
var labelValue = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?`)

// controller is the owner that manages the pod, if any.
func (p *Pod) controller() (Owner, bool) {
	i := slices.IndexFunc(p.Metadata.OwnerReferences, func(o Owner) bool { return o.Controller })
	if i < 0 {
		return Owner{}, false
	}
	return p.Metadata.OwnerReferences[i], true
}

// spreads reports whether a spread is asked of pods like p: not of those that a DaemonSet or Job controls.
func (p *Pod) spreads() bool {
	o, _ := p.controller()
	isDaemon := o.Kind == "DaemonSet" && o.APIVersion == "apps/v1"
	isJob := o.Kind == "Job" && o.APIVersion == "batch/v1"
	return !isDaemon && !isJob
}

// Counted says as whose pod a spread counts p, and whether a spread is asked of it at all.
func (p *Pod) Counted() (workload string, spread bool) { return p.workload(), p.spreads() }

// Mirror reports whether the pod is a kubelet's mirror of a static pod, created by that kubelet itself. It cannot be
// stopped here: the kubelet runs it whatever the API server says.
func (p *Pod) Mirror(user string) bool {
	_, annotated := p.Metadata.Annotations[corev1.MirrorPodAnnotationKey]
	return annotated && p.Spec.NodeName != "" && user == "system:node:"+p.Spec.NodeName
}

// Owed tightens what a namespace owes by what the pod's own annotations demand.
func (p *Pod) Owed(set *policy.Set, namespace policy.Obligation, source policy.Source) policy.Obligation {
	return set.AddAnnotations(namespace, source, p.Metadata.Annotations)
}

func heldKey(level string) string { return v1alpha1.HeldLabelPrefix + level }
func openKey(level string) string { return v1alpha1.OpenLabelPrefix + level }

// celPod are the variables that every rule about pods may use. They mirror the methods above and package policy's merging.
// The variable floor, which comes before them, is the spec of the namespace's PlacementFloor, see [Source.Floor].
var celPod = []Variable{
	{"annotations", `object.metadata.?annotations.orValue({})`},
	{"labels", `object.metadata.?labels.orValue({})`},
	{"controllers", `object.metadata.?ownerReferences.orValue([]).filter(o, o.?controller.orValue(false))`},
	{"asked", `['terroir.dev/trust-level', 'inherited.terroir.dev/trust-level'].filter(k, k in variables.annotations && string(variables.annotations[k]).size() <= ` + strconv.Itoa(policy.MaxLength) + `)
  .map(k, string(variables.annotations[k]).split(',').map(l, l.trim()))
  .filter(ls, ls.size() <= ` + strconv.Itoa(policy.MaxLevels) + ` && ls.all(l, l.matches('` + policy.LevelPattern + `'))).flatten()`},
	{"askedSites", `['terroir.dev/min-sites', 'inherited.terroir.dev/min-sites']
  .filter(k, k in variables.annotations && string(variables.annotations[k]).matches('` + policy.SitesPattern + `'))
  .map(k, int(string(variables.annotations[k])))`},
	{"askedKeys", `['terroir.dev/encryption-key', 'inherited.terroir.dev/encryption-key']
  .filter(k, k in variables.annotations && string(variables.annotations[k]).matches('` + policy.KeyPattern + `')).map(k, string(variables.annotations[k])).distinct()`},
	{"encrypted", `variables.floor.?encryption.hasValue() || variables.askedKeys.size() > 0`},
	{"levels", `(variables.floor.?trustLevels.orValue([]).map(l, string(l)) + variables.asked.map(l, string(l))).distinct().sort()`},
	{"minSites", `([int(variables.floor.?minSites.orValue(0))] + variables.askedSites).max()`},
	{"maxSkew", `int(variables.floor.?maxSkew.orValue(0)) > 0 ? int(variables.floor.maxSkew) : 1`},
	{"spreads", `variables.minSites > 0 && !variables.controllers.exists(o,
  (o.kind == 'DaemonSet' && o.apiVersion == 'apps/v1') || (o.kind == 'Job' && o.apiVersion == 'batch/v1'))`},
	{"demanders", `variables.floor.?demandedBy.orValue([]).map(d, string(d.kind) + '/' + string(d.name))
  + (variables.asked.size() > 0 || variables.askedSites.size() > 0 || variables.askedKeys.size() > 0 ? ['annotation'] : [])`},
	{"required", `variables.levels.size() == 0 && variables.encrypted ? 'that volumes are encrypted' : variables.levels.join(', ')`},
	{"selector", `object.spec.?nodeSelector.orValue({})`},
	{"constraints", `object.spec.?topologySpreadConstraints.orValue([])`},
}
