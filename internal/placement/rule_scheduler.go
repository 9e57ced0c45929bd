package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Law: only a scheduler that the administrator named places governed pods.
//
// Reads spec.schedulerName. Denies a name that TerroirConfig's allowedSchedulers does not list. Absent means default-scheduler.
func ruleScheduler() Rule {
	return Rule{
		Name:     "scheduler",
		Template: true,
		Judge: func(c Case) []Denial {
			name := cmp.Or(c.Pod.Spec.SchedulerName, corev1.DefaultSchedulerName)
			if slices.Contains(c.Settings.Schedulers, name) {
				return nil
			}
			return []Denial{{Rule: "scheduler", Field: "spec.schedulerName", Message: fmt.Sprintf(
				"spec.schedulerName asks for scheduler %q, but %s, and only %s may place such pods; remove spec.schedulerName, or have it allowed in TerroirConfig/cluster",
				name, requires(c.Owed), strings.Join(c.Settings.Schedulers, ", "))}}
		},
		Validations: func(s Settings) []Validation {
			return []Validation{{
				`(variables.levels.size() == 0 && variables.minSites == 0 && !variables.encrypted) || object.spec.?schedulerName.orValue('default-scheduler') in ` + Quoted(s.Schedulers),
				`'spec.schedulerName asks for scheduler ' + object.spec.schedulerName + ', but only ` + strings.Join(s.Schedulers, ", ") + ` may place pods that require ' + variables.required`,
			}}
		},
	}
}
