package webhook

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
)

// claim is the part of a PersistentVolumeClaim, or of a template for one, that is read.
type claim struct {
	Metadata claimMetadata `json:"metadata"`
	Spec     claimSpec     `json:"spec"`
}

type claimMetadata struct {
	Name         string `json:"name"`
	GenerateName string `json:"generateName"`
}

type claimSpec struct {
	// StorageClassName is nil where the cluster's default is meant, and empty where no class is.
	StorageClassName *string `json:"storageClassName"`
	VolumeName       string  `json:"volumeName"`
}

// claims refuses a claim of which no volume can ever be encrypted as demanded, while whoever asks can still choose another class. It is an early
// answer: what guarantees is the gate of the pods, which looks at the volume itself.
//
// One thing the gate cannot see: that a claim is deleted after a pod was let go for it, while the pod waits for a node, and made anew with other data, or
// for a volume that is there. So a claim of that name is refused until the pod is gone.
func (h *Handlers) claims(_ context.Context, r *request[claim]) answer {
	if !r.is("", "persistentvolumeclaims", "CREATE") || r.Object == nil {
		return undecided("Terroir judges PersistentVolumeClaims here when they are created, and nothing else")
	}
	l, unready := h.law(r.Namespace)
	if unready != "" {
		return undecided("%s", unready)
	}
	if l.owed.Encryption == nil {
		return admit(nil)
	}
	known, ok := classes(h.Classes)
	if !ok {
		return undecided("Terroir is not ready to judge claims in namespace %s: it has not read the StorageClasses yet; try again", r.Namespace)
	}
	pod, sure := h.letGo(r)
	switch {
	case !sure:
		return undecided("Terroir is not ready to judge claims in namespace %s: it does not know its pods yet; try again", r.Namespace)
	case pod != "":
		return refuse("persistentvolumeclaim %s/%s is refused: pod %s waits for a node, and was let go for another claim of this name; delete the pod first, so that what comes in its place waits for this claim",
			r.Namespace, r.Object.Metadata.Name, pod)
	}
	denials, warnings := l.claims(l.owed, []claim{*r.Object}, known, h.Now())
	if len(denials) > 0 {
		m := r.Object.Metadata
		return refuse("persistentvolumeclaim %s/%s is refused: %s", r.Namespace, cmp.Or(m.Name, m.GenerateName), strings.Join(denials, "; "))
	}
	return admit(nil, warnings...)
}

// letGo names a pod that was let go for a claim of the name that is asked for.
func (h *Handlers) letGo(r *request[claim]) (pod string, known bool) {
	if h.LetGo == nil {
		return "", false
	}
	return h.LetGo.LetGo(r.Namespace, r.Object.Metadata.Name)
}

// claims are those that pods of the workload bring with them: by templates of a StatefulSet, and by generic ephemeral volumes.
func (w *workload) claims() []claim {
	all := slices.Clone(w.Spec.VolumeClaimTemplates)
	for _, v := range w.template().Spec.Volumes {
		if v.Ephemeral == nil || v.Ephemeral.VolumeClaimTemplate == nil {
			continue
		}
		spec := v.Ephemeral.VolumeClaimTemplate.Spec
		all = append(all, claim{Metadata: claimMetadata{Name: v.Name}, Spec: claimSpec{StorageClassName: spec.StorageClassName, VolumeName: spec.VolumeName}})
	}
	return all
}

// claims says, of claims in a place where encryption is owed, which can never get a volume that is encrypted so, and of which pods would have to
// wait as things are now.
func (l *law) claims(owed policy.Obligation, claims []claim, known []placement.Class, now time.Time) (denials, warnings []string) {
	c := classJudge{law: l, owed: owed, classes: known, view: l.Catalogue.At(now), now: now}
	for i := range claims {
		never, waits := c.claim(&claims[i])
		denials, warnings = append(denials, never...), append(warnings, waits...)
	}
	return denials, warnings
}

func classes(from Classes) ([]placement.Class, bool) {
	if from == nil {
		return nil, false
	}
	return from.Classes()
}

// classJudge judges StorageClasses by what is owed in a namespace.
type classJudge struct {
	*law
	owed    policy.Obligation
	classes []placement.Class
	view    *trust.View
	now     time.Time
}

// claim judges the class of one claim. A volume that is named is there already, and is looked at when a pod wants it.
func (c classJudge) claim(asked *claim) (never, waits []string) {
	name := asked.Spec.StorageClassName
	if asked.Spec.VolumeName != "" || name != nil && *name == "" {
		return nil, nil
	}
	i := slices.IndexFunc(c.classes, func(p placement.Class) bool { return name == nil && p.Default || name != nil && p.Name == *name })
	switch {
	case i < 0 && name == nil:
		return nil, []string{"there is no default StorageClass, so the volume will not be made, and pods that want it will wait" + c.instead()}
	case i < 0:
		return nil, []string{fmt.Sprintf("StorageClass %q does not exist, so nobody can tell how the volume will be encrypted, and pods that want it will wait%s", *name, c.instead())}
	}
	class := c.classes[i]
	if v := placement.JudgeClass(c.owed, c.namespace.Labels, class); !v.Allowed() {
		return []string{v.Message() + c.instead()}, nil
	}
	if v := c.judge(class, asked); !v.Allowed() {
		return nil, []string{"pods that want this volume will wait: " + v.Message()}
	}
	return nil, nil
}

// judge judges a volume of a class as things are now.
func (c classJudge) judge(class placement.Class, asked *claim) placement.Verdict {
	qualified := func(zone, level string) bool { return c.view.Standing(zone, level).Worth >= trust.Held }
	return placement.JudgeEncryption(c.owed, c.namespace.Labels, class.Volume(cmp.Or(asked.Metadata.Name, asked.Metadata.GenerateName)), qualified, c.now)
}

// mostClasses is how many classes a sentence names.
const mostClasses = 5

// instead ends a sentence by the classes that would do.
func (c classJudge) instead() string {
	var names []string
	for _, class := range c.classes {
		if !class.Immediate && c.judge(class, &claim{}).Allowed() {
			names = append(names, class.Name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "; no StorageClass of this cluster satisfies that now"
	case len(names) > mostClasses:
		return fmt.Sprintf("; %s and %d more would do", strings.Join(names[:mostClasses], ", "), len(names)-mostClasses)
	default:
		return fmt.Sprintf("; %s would do", strings.Join(names, ", "))
	}
}
