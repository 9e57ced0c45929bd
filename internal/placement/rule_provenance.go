package placement

import (
	"encoding/json"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Law: none. This gives a pod the annotation terroir.dev/placement, which tells people what was demanded and by whom. It is never evidence.
func ruleProvenance() Rule {
	return Rule{
		Name: "provenance",
		Patches: func(c Case) []Patch {
			told := c.provenance()
			if len(c.Owed.Levels) == 0 || c.Pod.Metadata.Annotations[v1alpha1.PlacementAnnotation] == told {
				return nil
			}
			return setKey("/metadata/annotations", c.Pod.Metadata.Annotations != nil, v1alpha1.PlacementAnnotation, told)
		},
		Variables: []Variable{{"provenance", `'{"trustLevels":["' + variables.levels.join('","') + '"]'
  + (variables.minSites > 0 ? ',"minSites":' + string(variables.minSites) : '') + (variables.encrypted ? ',"encryption":true' : '')
  + ',"demandedBy":["' + variables.demanders.join('","') + '"]}'`}},
		Validations: func(Settings) []Validation { return nil },
		Patch: `(variables.levels.size() == 0 || variables.annotations[?'terroir.dev/placement'].orValue('') == variables.provenance ? [] :
    (has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', value: {}}])
    + [JSONPatch{op: 'add', path: '/metadata/annotations/terroir.dev~1placement', value: variables.provenance}])`,
	}
}

// provenance tells what the pod owes and who demands it, as JSON.
func (c Case) provenance() string {
	told := struct {
		TrustLevels []string `json:"trustLevels"`
		MinSites    int32    `json:"minSites,omitempty"`
		Encryption  bool     `json:"encryption,omitempty"`
		DemandedBy  []string `json:"demandedBy"`
	}{c.Owed.Levels, c.Owed.MinSites, c.Owed.Encryption != nil, demandedBy(c.Owed)}
	text, err := json.Marshal(told)
	if err != nil {
		return "" // strings and a number always marshal
	}
	return string(text)
}

// demandedBy names the objects that demand something, as the floor does; all annotations on workloads and pods are one of them.
func demandedBy(owed policy.Obligation) []string {
	var by []string
	annotated := false
	for _, d := range owed.Demands {
		switch d.Kind {
		case "ClusterPlacementPolicy", "PlacementPolicy", "Namespace":
			by = append(by, d.Kind+"/"+d.Name)
		default:
			annotated = true
		}
	}
	if annotated {
		by = append(by, "annotation")
	}
	return by
}
