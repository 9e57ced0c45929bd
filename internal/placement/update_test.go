package placement_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

func podFrom(t *testing.T, text string) *placement.Pod {
	t.Helper()
	pod := &placement.Pod{}
	if err := json.Unmarshal([]byte(text), pod); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return pod
}

const (
	bare       = `"ownerReferences": []`
	controlled = `"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": "u-1", "controller": true}]`
	running    = `"spec": {"nodeName": "n1"}, "status": {"phase": "Running"}`
)

func TestUpdates(t *testing.T) {
	type c struct {
		before, after string
		want          string // a part of it; empty: it is admitted
	}
	cases := map[string]c{
		"a finalizer comes off a pod that was never right": {
			`{"metadata": {"annotations": {"terroir.dev/nonsense": "x"}, "labels": {"terroir.dev/workload": "mine"}}, "spec": {"schedulingGates": [{"name": "terroir.dev/keys"}]}}`,
			`{"metadata": {"annotations": {"terroir.dev/nonsense": "x"}, "labels": {"terroir.dev/workload": "mine"}}, "spec": {"schedulingGates": [{"name": "terroir.dev/keys"}]}}`, "",
		},
		"somebody else's annotation":                  {`{"metadata": {}}`, `{"metadata": {"annotations": {"a": "b"}}}`, ""},
		"a demand is taken back":                      {`{"metadata": {"annotations": {"terroir.dev/trust-level": "a"}}}`, `{"metadata": {}}`, "annotation terroir.dev/trust-level of a pod may not change"},
		"a demand is added":                           {`{"metadata": {}}`, `{"metadata": {"annotations": {"inherited.terroir.dev/min-sites": "2"}}}`, "annotation inherited.terroir.dev/min-sites of a pod may not change"},
		"what is told to people":                      {`{"metadata": {"annotations": {"terroir.dev/placement": "{}"}}}`, `{"metadata": {"annotations": {"terroir.dev/placement": "x"}}}`, "annotation terroir.dev/placement of a pod"},
		"the workload label":                          {`{"metadata": {"labels": {"terroir.dev/workload": "u-1"}}}`, `{"metadata": {"labels": {"terroir.dev/workload": "u-2"}}}`, "the spread of the workload counts by it"},
		"a gate of ours is lifted":                    {`{"spec": {"schedulingGates": [{"name": "terroir.dev/keys"}]}}`, `{"spec": {}}`, "scheduling gate terroir.dev/keys is set and lifted by Terroir alone"},
		"a gate of ours is added":                     {`{"spec": {"schedulingGates": [{"name": "a"}]}}`, `{"spec": {"schedulingGates": [{"name": "a"}, {"name": "terroir.dev/keys"}]}}`, "scheduling gate terroir.dev/keys"},
		"another's gate is lifted":                    {`{"spec": {"schedulingGates": [{"name": "example.org/a"}]}}`, `{"spec": {}}`, ""},
		"an operator relabels a pod that it controls": {`{"metadata": {"labels": {"role": "replica"}, ` + controlled + `}, ` + running + `}`, `{"metadata": {"labels": {"role": "primary"}, ` + controlled + `}, ` + running + `}`, ""},
		"a controller releases a pod":                 {`{"metadata": {"labels": {"app": "x"}, ` + controlled + `}, ` + running + `}`, `{"metadata": {"labels": {"app": "x"}, ` + bare + `}, ` + running + `}`, ""},
		"a bare pod is relabelled":                    {`{"metadata": {"labels": {"app": "x"}}, ` + running + `}`, `{"metadata": {"labels": {"app": "web"}}, ` + running + `}`, "the labels of a running pod without a controller may not change"},
		"a bare pod loses its labels":                 {`{"metadata": {"labels": {"app": "x"}}, ` + running + `}`, `{"metadata": {}, ` + running + `}`, "the labels of a running pod without a controller"},
		"a bare pod that waits is relabelled":         {`{"metadata": {"labels": {"app": "x"}}}`, `{"metadata": {"labels": {"app": "web"}}}`, ""},
		"a finished pod is relabelled":                {`{"metadata": {"labels": {"a": "x"}}, "spec": {"nodeName": "n1"}, "status": {"phase": "Succeeded"}}`, `{"metadata": {"labels": {"done": "yes"}}, "spec": {"nodeName": "n1"}, "status": {"phase": "Succeeded"}}`, ""},
		"a pod gets another template's hash":          {`{"metadata": {"labels": {"pod-template-hash": "1"}, ` + controlled + `}, ` + running + `}`, `{"metadata": {"labels": {"pod-template-hash": "2"}, ` + controlled + `}, ` + running + `}`, "label pod-template-hash of a running pod may not change"},
	}
	for sentence, c := range cases {
		u := placement.Update{Before: podFrom(t, c.before), After: podFrom(t, c.after), User: "alice", Governed: true}
		if got := placement.JudgeUpdate(u); got.Allowed() != (c.want == "") || !strings.Contains(got.Message(), c.want) {
			t.Errorf("%s: %q, want %q", sentence, got.Message(), c.want)
		}
		u.User, u.Governed = placement.OperatorUser, false
		if got := placement.JudgeUpdate(u); strings.Contains(got.Message(), "gate") || strings.Contains(got.Message(), "running pod") {
			t.Errorf("%s: by Terroir, in a free namespace: %q", sentence, got.Message())
		}
	}
}

func TestAdoptions(t *testing.T) {
	const (
		orphan   = `{"metadata": {"labels": {"terroir.dev/workload": "%s"}}, "spec": {"nodeName": "n1"%s}, "status": {"phase": "%p"}}`
		selector = `, "nodeSelector": {"held.terroir.node-restriction.kubernetes.io/a": "true", "held.terroir.node-restriction.kubernetes.io/b": "true"}`
	)
	adopted := func(by, uid string) string {
		return `{"metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "` + by + `", "uid": "` + uid + `", "controller": true}], "labels": {"terroir.dev/workload": "%s"}}, "spec": {"nodeName": "n1"%s}, "status": {"phase": "%p"}}`
	}
	fill := func(text, label, spec, phase string) *placement.Pod {
		return podFrom(t, strings.NewReplacer("%s\"}", label+"\"}", "\"n1\"%s", "\"n1\""+spec, "%p", phase).Replace(text))
	}
	owed := policy.Obligation{}.With(policy.Demand{Source: policy.Source{Kind: "ClusterPlacementPolicy", Name: "health"}, Levels: []string{"a", "b"}})
	spread := owed.With(policy.Demand{Source: policy.Source{Kind: "PlacementPolicy", Namespace: "hr", Name: "sites"}, MinSites: 2})
	for sentence, c := range map[string]struct {
		before, after, label, spec, phase string
		owed                              policy.Obligation
		want                              string
	}{
		"a ReplicaSet adopts a pod that asks for both levels":     {orphan, adopted("ReplicaSet", "u-1"), "p", selector, "Running", owed, ""},
		"a ReplicaSet adopts one that asks for none":              {orphan, adopted("ReplicaSet", "u-1"), "p", "", "Running", owed, "ReplicaSet may not adopt this pod: ClusterPlacementPolicy/health requires trust level a"},
		"it waits and is not bound":                               {orphan, adopted("ReplicaSet", "u-1"), "p", "", "Pending", owed, "may not adopt this pod"},
		"it has finished":                                         {orphan, adopted("Job", "u-1"), "p", "", "Succeeded", owed, ""},
		"nothing is owed by the namespace":                        {orphan, adopted("ReplicaSet", "u-1"), "p", "", "Running", policy.Obligation{}, ""},
		"a pod is released":                                       {adopted("ReplicaSet", "u-1"), orphan, "p", "", "Running", owed, ""},
		"a pod keeps its controller":                              {adopted("ReplicaSet", "u-1"), adopted("ReplicaSet", "u-1"), "p", "", "Running", owed, ""},
		"a pod changes its controller":                            {adopted("ReplicaSet", "u-1"), adopted("ReplicaSet", "u-2"), "p", "", "Running", owed, "may not adopt this pod"},
		"a successor of a StatefulSet adopts":                     {orphan, adopted("StatefulSet", "u-2"), "u-1", selector, "Running", spread, ""},
		"where a spread is owed, a ReplicaSet takes only its own": {orphan, adopted("ReplicaSet", "u-2"), "u-1", selector, "Running", spread, "its pods are spread over sites, and this one was not counted with them"},
		"and its own it takes":                                    {orphan, adopted("ReplicaSet", "u-1"), "u-1", selector, "Running", spread, ""},
	} {
		got := placement.JudgeAdoption(fill(c.before, c.label, c.spec, c.phase), fill(c.after, c.label, c.spec, c.phase), c.owed)
		if got.Allowed() != (c.want == "") || !strings.Contains(got.Message(), c.want) {
			t.Errorf("%s: %q, want %q", sentence, got.Message(), c.want)
		}
	}
}
