package uninstall

import (
	"encoding/json"
	"fmt"
)

// Options are what whoever uninstalls may choose.
type Options struct {
	// KeepKinds leaves the kinds of terroir.dev and their objects for an installation later.
	KeepKinds bool
	// RestartWorkloads has Deployments, StatefulSets and DaemonSets replace pods that still ask for labels of Terroir.
	RestartWorkloads bool
}

// Step is one change. It can be made again without harm.
type Step struct {
	Stage  string `json:"stage"`
	Object Object `json:"object"`
	// Patch is a merge patch, of the Subresource if there is one. Without a patch the object is deleted.
	Patch       json.RawMessage `json:"patch,omitempty"`
	Subresource string          `json:"subresource,omitempty"`
	// Says is what the step does, in the imperative.
	Says string `json:"says"`
}

// Left is what stays until somebody else has done something.
type Left struct {
	Stage string `json:"stage"`
	Says  string `json:"says"`
}

// Todo is what is to be done in one stage.
type Todo struct {
	Stage string `json:"stage"`
	Steps []Step `json:"steps,omitempty"`
	// Waits are for what ends by itself.
	Waits []string `json:"waits,omitempty"`
	Left  []Left   `json:"left,omitempty"`
	// Refused is why nothing can be done at all.
	Refused string `json:"refused,omitempty"`
}

func (t *Todo) remove(o Object) {
	if o.going {
		t.wait("%s to be gone", o)
		return
	}
	t.Steps = append(t.Steps, Step{Stage: t.Stage, Object: o, Says: "delete " + o.String()})
}

func (t *Todo) change(o Object, patch map[string]any, says string) {
	text, err := json.Marshal(patch)
	if err != nil {
		panic(fmt.Sprintf("a patch of maps, lists and strings cannot be encoded: %v", err))
	}
	t.Steps = append(t.Steps, Step{Stage: t.Stage, Object: o, Patch: text, Says: says})
}

func (t *Todo) wait(format string, args ...any) {
	t.Waits = append(t.Waits, fmt.Sprintf(format, args...))
}

func (t *Todo) leave(format string, args ...any) {
	t.Left = append(t.Left, Left{Stage: t.Stage, Says: fmt.Sprintf(format, args...)})
}

// stage is one of those through which Terroir goes.
type stage struct {
	name string
	// decide adds to what is to be done.
	decide func(World, Options, *Todo)
	// first: what follows would be undone, or refused, before this is done.
	first bool
}

// stages are in this order because each would be undone, refused or made harmful by what stands above it.
//
//   - The operator puts back whatever is taken away.
//   - The fence refuses to have its objects changed, and shapes pods and templates again.
//   - Pods behind a gate of Terroir wait for nobody from then on.
//   - Templates make pods that ask for labels, and DaemonSets choose nodes by them.
//   - Marks, kinds and permissions are needed by nobody any more.
//   - Node labels are what running pods ask for: a kubelet that restarts fails a pod whose nodeSelector its node no longer matches. They go last,
//     and each only where nobody asks for it. Workloads may take their time for that, and everything else need not wait for them.
func stages() []stage {
	return []stage{
		{name: "operator", decide: stopOperator, first: true},
		{name: "fence", decide: removeFence, first: true},
		{name: "gates", decide: liftGates},
		{name: "templates", decide: stripTemplates},
		{name: "marks", decide: removeMarks},
		{name: "kinds", decide: removeKinds},
		{name: "installation", decide: removeInstallation},
		{name: "nodes", decide: removeNodeLabels},
	}
}

func (s stage) todo(w World, o Options) Todo {
	t := Todo{Stage: s.name}
	s.decide(w, o, &t)
	return t
}

// Decide says of every stage what is to be done in it, as the world is now.
func Decide(w World, o Options) []Todo {
	var plan []Todo
	for _, s := range stages() {
		plan = append(plan, s.todo(w, o))
	}
	return plan
}
