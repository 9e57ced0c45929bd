package webhook

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// pods shapes and judges a pod that is being created.
func (h *Handlers) pods(_ context.Context, r *request[placement.Pod]) answer {
	if !r.is("", "pods", "CREATE") || r.Object == nil {
		return undecided("Terroir judges pods here when they are created, and nothing else")
	}
	if r.Object.Mirror(r.UserInfo.Username) {
		return admit(nil)
	}
	l, unready := h.law(r.Namespace)
	if unready != "" {
		return undecided("%s", unready)
	}
	return l.pod(r.Object, h.Now())
}

// pod decides about a pod in a namespace. What shaping can give it does not stand against it.
func (l *law) pod(pod *placement.Pod, now time.Time) answer {
	source := policy.Source{Kind: "Pod", Namespace: l.namespace.Name, Name: cmp.Or(pod.Metadata.Name, pod.Metadata.GenerateName)}
	owed := pod.Owed(l.Policies, l.owed, source)
	c := placement.Case{Pod: pod, Owed: owed, Settings: l.Settings}
	if verdict := placement.JudgeShaped(c); !verdict.Allowed() {
		return refuse("pod %s/%s is refused: %s", source.Namespace, source.Name, verdict.Message()).unless(owed.Unfound())
	}
	warnings := l.missing(owed.Levels, now, "so the pod will wait")
	return admit(placement.Shape(c), append(warnings, l.podWarnings(c, now)...)...)
}

// podWarnings say what policies that only warn would do to a pod if they enforced.
func (l *law) podWarnings(c placement.Case, now time.Time) []string {
	var warnings []string
	for _, p := range l.warned {
		if !adds(p, c.Owed) {
			continue
		}
		would := l.Policies.Add(policy.Obligation{}, p.Demand)
		verdict := placement.JudgeShaped(placement.Case{Pod: c.Pod, Owed: would, Settings: l.Settings})
		if !verdict.Allowed() {
			warnings = append(warnings, fmt.Sprintf("%s, if it enforced, would refuse this pod: %s", p.Source, verdict.Message()))
			continue
		}
		warnings = append(warnings, fmt.Sprintf("%s, if it enforced, would have this pod run only %s", p.Source, ground(p.Demand)))
		warnings = append(warnings, l.missing(would.Levels, now, "so the pod would wait")...)
	}
	return warnings
}

// ground says in words where a demand wants pods.
func ground(d policy.Demand) string {
	where := "where " + strings.Join(d.Levels, " and ") + " is satisfied"
	if d.MinSites > 0 {
		where += fmt.Sprintf(", spread over %d sites", d.MinSites)
	}
	if d.Encryption != nil {
		where += ", with its volumes encrypted"
	}
	return where
}
