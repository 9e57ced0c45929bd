package placement

import (
	"fmt"
	"slices"
	"strings"
)

// Law: a governed pod runs on the node to which it is bound.
//
// Reads spec.runtimeClassName. Denies a class that TerroirConfig's allowedRuntimeClasses does not list: a runtime may start the
// pod somewhere else than on its node, as peer pods and virtual nodes do, and nothing about the class says so. Without a class
// the container runtime of the node runs the pod. An empty list allows no class.
func ruleRuntimeClass() Rule {
	return Rule{
		Name:     "runtime-class",
		Template: true,
		Judge: func(c Case) []Denial {
			name := c.Pod.Spec.RuntimeClassName
			if name == "" || slices.Contains(c.Settings.RuntimeClasses, name) {
				return nil
			}
			return []Denial{{Rule: "runtime-class", Field: "spec.runtimeClassName", Message: fmt.Sprintf(
				"spec.runtimeClassName asks for runtime class %q, which may run the pod elsewhere than on its node, but %s, and such pods may have %s; remove spec.runtimeClassName, or have it allowed in TerroirConfig/cluster",
				name, requires(c.Owed), runtimeClasses(c.Settings))}}
		},
		Validations: func(s Settings) []Validation {
			return []Validation{{
				`(variables.levels.size() == 0 && variables.minSites == 0 && !variables.encrypted) || object.spec.?runtimeClassName.orValue('') in ` + Quoted(append([]string{""}, s.RuntimeClasses...)),
				`'spec.runtimeClassName asks for runtime class ' + object.spec.runtimeClassName + ', which may run the pod elsewhere than on its node, but pods that require ' + variables.required + ' may have ` + runtimeClasses(s) + `; remove spec.runtimeClassName'`,
			}}
		},
	}
}

// runtimeClasses says which classes governed pods may have, as part of a sentence.
func runtimeClasses(s Settings) string {
	if len(s.RuntimeClasses) == 0 {
		return "no runtime class"
	}
	return "only " + strings.Join(s.RuntimeClasses, ", ")
}
