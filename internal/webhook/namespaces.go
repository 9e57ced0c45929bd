package webhook

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/terroir-dev/terroir/internal/policy"
)

// namespace is the part of a Namespace that is read.
type namespace struct {
	Metadata namespaceMetadata `json:"metadata"`
}

type namespaceMetadata struct {
	Name              string            `json:"name"`
	GenerateName      string            `json:"generateName"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
}

// namespaces refuses annotations that mean nothing. It looks at what changed: a namespace whose annotations have
// become wrong, because a level went, can still be labelled and deleted.
func (h *Handlers) namespaces(_ context.Context, r *request[namespace]) answer {
	if !r.is("", "namespaces", "CREATE", "UPDATE") || r.Object == nil {
		return undecided("Terroir judges namespaces here when they are created or updated, and nothing else")
	}
	is := r.Object.Metadata
	unchanged := r.OldObject != nil && maps.Equal(policy.Own(is.Annotations), policy.Own(r.OldObject.Metadata.Annotations))
	if unchanged || is.DeletionTimestamp != "" || len(policy.Own(is.Annotations)) == 0 {
		return admit(nil)
	}
	current, ok := h.era()
	if !ok {
		return undecided("Terroir is not ready to read the annotations of namespace %s: it has not read the trust levels yet; try again", is.Name)
	}
	source := policy.Source{Kind: "Namespace", Name: cmp.Or(is.Name, is.GenerateName)}
	asked := current.Policies.AddAnnotations(policy.Obligation{}, source, is.Annotations)
	asked = asked.Refusing(current.Policies.MissingKeys(policy.Namespace{Name: source.Name, Labels: is.Labels, Annotations: is.Annotations})...)
	if len(asked.Problems) > 0 {
		return refuse("namespace %s is refused: %s", source.Name, sentences(asked.Problems)).unless(asked.Unfound())
	}
	if current.Policies.Exempt(is.Name) {
		return admit(nil, fmt.Sprintf("namespace %s is exempt from Terroir: its annotations have no effect", is.Name))
	}
	owed := current.Policies.Namespace(policy.Namespace{Name: source.Name, Labels: is.Labels, Annotations: is.Annotations})
	if contradicts := owed.ProblemsFrom(source); len(contradicts) > 0 {
		return refuse("namespace %s is refused: %s", source.Name, sentences(contradicts)).unless(owed.Unfound())
	}
	warnings := current.missing(owed.Levels, h.Now(), "so its pods will wait")
	if owed.MinSites > 0 && len(owed.Levels) == 0 {
		warnings = append(warnings, "a spread over sites is asked for, but no trust level, and sites are those of qualified zones: "+
			"pods that require no level themselves will be refused; add the annotation terroir.dev/trust-level")
	}
	return admit(nil, warnings...)
}

func sentences(problems []policy.Problem) string {
	told := make([]string, len(problems))
	for i, p := range problems {
		told[i] = p.Message
	}
	return strings.Join(told, "; ")
}
