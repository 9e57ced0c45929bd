package placement

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/terroir-dev/terroir/internal/policy"
)

// Settings are the parts of TerroirConfig that rules read.
type Settings struct {
	// Schedulers are the values of spec.schedulerName that governed pods may have.
	Schedulers []string
	// RuntimeClasses are the values of spec.runtimeClassName that governed pods may have. None are the default.
	RuntimeClasses []string
	// SchedulerUsers are the users who may bind governed pods.
	SchedulerUsers []string
	// CloudControllerUsers are the users as whom the cloud controller says which machine a node is.
	CloudControllerUsers []string
	// PlaceLabels are the label keys, beside Kubernetes' own, by which Zones recognise nodes.
	PlaceLabels []string
}

// DefaultSettings are those of a TerroirConfig that says nothing.
func DefaultSettings() Settings {
	return Settings{
		Schedulers: []string{corev1.DefaultSchedulerName}, SchedulerUsers: []string{"system:kube-scheduler"},
		CloudControllerUsers: []string{"system:serviceaccount:kube-system:cloud-controller-manager", "system:cloud-controller-manager"},
	}
}

// Variable is a named CEL expression that the expressions after it may use as variables.<name>.
type Variable struct{ Name, Expression string }

// Validation is a CEL check. Message is a CEL expression, too, that gives the denial's sentence.
type Validation struct{ Expression, Message string }

// Rule is one law about pods, in Go and in CEL.
type Rule struct {
	// Name is a fixed word for machines.
	Name string
	// Template tells that a template which the rule denies can never produce an admissible pod, since shaping does not mend it.
	Template bool
	// Judge gives the denials of a pod that is being created.
	Judge func(Case) []Denial
	// Patches gives what the pod lacks. Nil where nothing can be given.
	Patches func(Case) []Patch
	// Variables are what Validations and Patch use beside the variables common to pods.
	Variables []Variable
	// Validations are Judge in CEL.
	Validations func(Settings) []Validation
	// Patch is Patches in CEL: an expression of type list of JSONPatch. Empty where Patches is nil.
	Patch string
}

// rules is made once: every admission of a pod goes through it.
var rules = []Rule{ruleAnnotations(), ruleDemands(), ruleNodeName(), ruleScheduler(), ruleRuntimeClass(), ruleNodeLocal(), ruleEncryption(), ruleGate(), ruleWorkload(), ruleNodeSelector(), ruleSpread(), ruleProvenance()}

// Rules are the laws about pods at creation, in the order in which they are judged and shaped. The slice is shared and must not be changed.
func Rules() []Rule { return rules }

// PodVariables are the CEL variables that the rules' expressions use, in the order of their dependence.
func PodVariables(owed Source) []Variable {
	all := append([]Variable{owed.Floor()}, celPod...)
	for _, r := range Rules() {
		all = append(all, r.Variables...)
	}
	return all
}

// Case is a pod before the rules, with what it owes.
type Case struct {
	Pod      *Pod
	Owed     policy.Obligation
	Settings Settings
}

// Denial is one thing that stands against a pod.
type Denial struct {
	// Rule is the name of the rule that denies.
	Rule string
	// Field is the path of the field to change.
	Field string
	// Message says what was asked, what stands against it, and what to change.
	Message string
}

// Patch is one operation of a JSON Patch.
type Patch struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// Verdict is the answer about a pod. The zero Verdict denies.
type Verdict struct {
	allowed bool
	// Denials are what stands against it, in the order of the rules.
	Denials []Denial
}

// Allowed reports whether nothing stands against the pod.
func (v Verdict) Allowed() bool { return v.allowed }

// Message gives all denials in one text.
func (v Verdict) Message() string {
	if v.allowed {
		return ""
	}
	if len(v.Denials) == 0 {
		return "not decided" // the zero Verdict
	}
	sentences := make([]string, len(v.Denials))
	for i, d := range v.Denials {
		sentences[i] = d.Message
	}
	return strings.Join(sentences, "; ")
}

// verdictOf is the only place that allows.
func verdictOf(denials []Denial) Verdict {
	return Verdict{allowed: len(denials) == 0, Denials: denials}
}

// Judge proves from the pod alone that it honours what it owes.
func Judge(c Case) Verdict {
	if !c.Owed.Owes() {
		return verdictOf(nil)
	}
	var denials []Denial
	for _, r := range Rules() {
		if r.Judge != nil {
			denials = append(denials, r.Judge(c)...)
		}
	}
	return verdictOf(denials)
}

// Shape gives the pod what it lacks. A pod that lacks nothing gets no patch, and shaping twice changes nothing.
func Shape(c Case) []Patch {
	if len(c.Owed.Levels) == 0 && c.Owed.Encryption == nil {
		return nil
	}
	var patches []Patch
	for _, r := range Rules() {
		if r.Patches != nil {
			patches = append(patches, r.Patches(c)...)
		}
	}
	return patches
}

// pathEscape escapes a key for a JSON Pointer.
var pathEscape = strings.NewReplacer("~", "~0", "/", "~1")

func pathTo(parent, key string) string { return parent + "/" + pathEscape.Replace(key) }
