package placement

import (
	"maps"
	"slices"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Law: what is written on a workload reaches its pods, and a DaemonSet asks only for nodes where its pods may be.
//
// Reads the annotations of a workload and of its template. An annotation terroir.dev/<name> of the workload is mirrored
// into the template as inherited.terroir.dev/<name>, and the mirror is removed with its source. The template of a DaemonSet gets
// the nodeSelector entry held.…/<level> for each level owed, since its controller chooses nodes by the template and would
// otherwise create pods that hang Pending elsewhere; the entry of a level goes with the annotation that asked for it. Other
// entries stay, whoever wrote them: taking one away would open what somebody meant to be closed. Ignores
// ReplicaSets: whoever changes those causes rollouts without end. A Job's template is immutable: it is mirrored when the Job is created.

// Workload is the part of a workload that the law reads.
type Workload struct {
	// Kind is Deployment, StatefulSet, DaemonSet, Job or CronJob.
	Kind        string
	Annotations map[string]string
	Template    WorkloadTemplate
}

// WorkloadTemplate is the part of a pod template that the law reads.
type WorkloadTemplate struct {
	HasMetadata  bool
	Annotations  map[string]string
	NodeSelector map[string]string
}

// mirrored are the names under terroir.dev/ that are mirrored into templates.
func mirrored() []string { return []string{"encryption-key", "min-sites", "trust-level"} }

// ShapeWorkload gives a workload's template what the law asks. before is nil when the workload is being created; namespace is
// what every pod of its namespace owes.
func ShapeWorkload(w Workload, before *Workload, namespace policy.Obligation) []Patch {
	set, drop := w.mirrors(before)
	patches := w.annotationPatches(set, drop)
	if w.Kind == "DaemonSet" {
		patches = append(patches, w.selectorPatches(w.levels(append(set, drop...), namespace), before)...)
	}
	return patches
}

// mirrors are the names whose mirror must be set, and those whose mirror goes with its source.
func (w Workload) mirrors(before *Workload) (set, drop []string) {
	for _, name := range mirrored() {
		source, has := w.Annotations[v1alpha1.AnnotationPrefix+name]
		mirror, isMirrored := w.Template.Annotations[v1alpha1.InheritedPrefix+name]
		fixed := w.Kind == "Job" && before != nil
		switch {
		case fixed:
		case has && (!isMirrored || mirror != source):
			set = append(set, name)
		case !has && isMirrored && before != nil && hasKey(before.Annotations, v1alpha1.AnnotationPrefix+name):
			drop = append(drop, name)
		}
	}
	return set, drop
}

func hasKey(m map[string]string, key string) bool {
	_, has := m[key]
	return has
}

// levels are the levels that the workload's pods will owe, when the mirrors of the given names are no longer what they are now.
func (w Workload) levels(outdated []string, namespace policy.Obligation) []string {
	annotations := map[string]string{}
	for key, value := range w.Template.Annotations {
		if name, isMirror := strings.CutPrefix(key, v1alpha1.InheritedPrefix); !isMirror || !slices.Contains(outdated, name) {
			annotations[key] = value
		}
	}
	owed := namespace
	for _, on := range []map[string]string{w.Annotations, annotations} {
		demand, _ := policy.ParseAnnotations(policy.Source{Kind: w.Kind}, on) // what does not parse is refused by the rule on annotations
		owed = owed.With(demand)
	}
	return owed.Levels
}

func (w Workload) templatePath() string {
	if w.Kind == "CronJob" {
		return "/spec/jobTemplate/spec/template"
	}
	return "/spec/template"
}

func (w Workload) annotationPatches(set, drop []string) []Patch {
	var patches []Patch
	path := w.templatePath() + "/metadata"
	if len(set) > 0 && !w.Template.HasMetadata {
		patches = append(patches, Patch{Op: "add", Path: path, Value: map[string]string{}})
	}
	path += "/annotations"
	exists := w.Template.Annotations != nil
	for _, name := range set {
		patches = append(patches, setKey(path, exists, v1alpha1.InheritedPrefix+name, w.Annotations[v1alpha1.AnnotationPrefix+name])...)
		exists = true
	}
	for _, name := range drop {
		patches = append(patches, Patch{Op: "remove", Path: pathTo(path, v1alpha1.InheritedPrefix+name)})
	}
	return patches
}

func (w Workload) selectorPatches(levels []string, before *Workload) []Patch {
	var patches []Patch
	path := w.templatePath() + "/spec/nodeSelector"
	for _, key := range w.staleHeld(levels, before) {
		patches = append(patches, Patch{Op: "remove", Path: pathTo(path, key)})
	}
	exists := w.Template.NodeSelector != nil
	for _, level := range levels {
		if w.Template.NodeSelector[heldKey(level)] != "true" {
			patches = append(patches, setKey(path, exists, heldKey(level), "true")...)
			exists = true
		}
	}
	return patches
}

// staleHeld are the held entries of the template for levels that the workload's annotation asked for before, and that are not owed now.
func (w Workload) staleHeld(levels []string, before *Workload) []string {
	if before == nil {
		return nil
	}
	was, _ := policy.ParseAnnotations(policy.Source{}, map[string]string{v1alpha1.TrustLevelAnnotation: before.Annotations[v1alpha1.TrustLevelAnnotation]})
	var stale []string
	for _, level := range was.Levels {
		if hasKey(w.Template.NodeSelector, heldKey(level)) && !slices.Contains(levels, level) {
			stale = append(stale, heldKey(level))
		}
	}
	return stale
}

// MirrorVariables and MirrorPatch are the mirrors of [ShapeWorkload] in CEL. They need to know nothing of the namespace.
func MirrorVariables() []Variable {
	return []Variable{
		{"template", `request.kind.kind == 'CronJob' ? object.spec.jobTemplate.spec.template : object.spec.template`},
		{"path", `request.kind.kind == 'CronJob' ? '/spec/jobTemplate/spec/template' : '/spec/template'`},
		{"own", `object.metadata.?annotations.orValue({})`},
		{"was", `oldObject == null ? {} : oldObject.metadata.?annotations.orValue({})`},
		{"mirrors", `variables.template.?metadata.annotations.orValue({})`},
		{"names", `request.kind.kind == 'Job' && oldObject != null ? [] : ['encryption-key', 'min-sites', 'trust-level']`},
		{"set", `variables.names.filter(n, ('terroir.dev/' + n) in variables.own
  && variables.mirrors[?'inherited.terroir.dev/' + n] != optional.of(variables.own['terroir.dev/' + n]))`},
		{"drop", `variables.names.filter(n, !(('terroir.dev/' + n) in variables.own) && ('terroir.dev/' + n) in variables.was
  && ('inherited.terroir.dev/' + n) in variables.mirrors)`},
	}
}

// MirrorPatch is a CEL expression of type list of JSONPatch.
const MirrorPatch = `(variables.set.size() == 0 || has(variables.template.metadata) ? [] : [JSONPatch{op: 'add', path: variables.path + '/metadata', value: {}}])
  + (variables.set.size() == 0 || has(variables.template.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: variables.path + '/metadata/annotations', value: {}}])
  + variables.set.map(n, JSONPatch{op: 'add', path: variables.path + '/metadata/annotations/inherited.terroir.dev~1' + n, value: variables.own['terroir.dev/' + n]})
  + variables.drop.map(n, JSONPatch{op: 'remove', path: variables.path + '/metadata/annotations/inherited.terroir.dev~1' + n})`

// DaemonSetVariables and DaemonSetPatch are the rest of [ShapeWorkload] in CEL. They use the variable floor, see [Source.Floor], and
// come to the same whether the mirrors are written before or after.
func DaemonSetVariables(owed Source) []Variable {
	return append(append([]Variable{owed.Floor()}, MirrorVariables()...), []Variable{
		{"asked", `([variables.own[?'terroir.dev/trust-level'], variables.own[?'inherited.terroir.dev/trust-level'], variables.mirrors[?'terroir.dev/trust-level'],
  'trust-level' in variables.drop || 'trust-level' in variables.set ? optional.none() : variables.mirrors[?'inherited.terroir.dev/trust-level']])` + celLevels},
		{"askedBefore", `[variables.was[?'terroir.dev/trust-level']]` + celLevels},
		{"levels", `(variables.floor.?trustLevels.orValue([]).map(l, string(l)) + variables.asked.map(l, string(l))).distinct().sort()`},
		{"selector", `variables.template.spec.?nodeSelector.orValue({})`},
		{"staleHeld", `variables.askedBefore.map(l, string(l)).distinct().filter(l, !(l in variables.levels) && ('held.terroir.node-restriction.kubernetes.io/' + l) in variables.selector)
  .map(l, 'held.terroir.node-restriction.kubernetes.io/' + l).sort()`},
		{"lackingHeld", `variables.levels.filter(l, variables.selector[?'held.terroir.node-restriction.kubernetes.io/' + l].orValue('') != 'true')`},
	}...)
}

// DaemonSetPatch is a CEL expression of type list of JSONPatch.
const DaemonSetPatch = `variables.staleHeld.map(k, JSONPatch{op: 'remove', path: variables.path + '/spec/nodeSelector/' + jsonpatch.escapeKey(k)})
  + (variables.lackingHeld.size() == 0 || has(variables.template.spec.nodeSelector) ? [] : [JSONPatch{op: 'add', path: variables.path + '/spec/nodeSelector', value: {}}])
  + variables.lackingHeld.map(l, JSONPatch{op: 'add', path: variables.path + '/spec/nodeSelector/' + jsonpatch.escapeKey('held.terroir.node-restriction.kubernetes.io/' + l), value: 'true'})`

// JudgeJob refuses an update of a Job that could not take effect: its template is immutable, and so are the mirrors in it.
func JudgeJob(before, after Workload) Verdict {
	if after.Kind != "Job" || maps.Equal(asked(before.Annotations), asked(after.Annotations)) {
		return verdictOf(nil)
	}
	return verdictOf([]Denial{{Rule: "job", Field: "metadata.annotations", Message: fixedJob}})
}

const fixedJob = "the annotations of a Job under terroir.dev/ cannot change: its pods are made from a template that is fixed; create a new Job"

// asked are the annotations by which people ask for something.
func asked(annotations map[string]string) map[string]string {
	found := map[string]string{}
	for key, value := range annotations {
		if strings.HasPrefix(key, v1alpha1.AnnotationPrefix) {
			found[key] = value
		}
	}
	return found
}

// JobValidations are [JudgeJob] in CEL.
func JobValidations() []Validation {
	const own = `.metadata.?annotations.orValue({}).filter(k, k.startsWith('terroir.dev/'))`
	return []Validation{{
		`request.kind.kind != 'Job' || oldObject == null || (object` + own + `.size() == oldObject` + own + `.size()
  && object` + own + `.all(k, oldObject.metadata.?annotations.orValue({})[?k] == optional.of(object.metadata.annotations[k])))`,
		`'` + fixedJob + `'`,
	}}
}
