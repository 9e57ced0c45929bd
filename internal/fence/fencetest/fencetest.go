// Package fencetest evaluates the fence in process, with the API server's own CEL libraries, for tests that hold the Go and
// CEL halves of the rules equal without a cluster.
package fencetest

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// Request is a request as admission sees it. Object and Old are typed; Params is a floor, a config or a policy, or nil.
type Request struct {
	Kind      schema.GroupVersionKind
	Resource  schema.GroupVersionResource
	Operation admission.Operation
	User      string
	Object    runtime.Object
	Old       runtime.Object
	Params    runtime.Object
	// Namespace is the request's namespace. Nil: expressions find none.
	Namespace *corev1.Namespace
}

type compiled struct {
	matcher  matchconditions.Matcher
	compiler *cel.CompositedCompiler
	patchers []patch.Patcher
	checks   validating.Validator
}

// Fence is a compiled fence.
type Fence struct {
	mutating   map[string]compiled
	validating map[string]compiled
}

// Compile compiles the policies among objects; bindings are passed over.
func Compile(objects []runtime.Object) (*Fence, error) {
	f := &Fence{mutating: map[string]compiled{}, validating: map[string]compiled{}}
	for _, o := range objects {
		var err error
		switch p := o.(type) {
		case *admissionregistrationv1.MutatingAdmissionPolicy:
			f.mutating[p.Name], err = compileMutating(p)
		case *admissionregistrationv1.ValidatingAdmissionPolicy:
			f.validating[p.Name], err = compileValidating(p)
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

func newCompiler(variables []admissionregistrationv1.Variable, params bool) (*cel.CompositedCompiler, cel.OptionalVariableDeclarations, error) {
	options := cel.OptionalVariableDeclarations{HasParams: params, HasAuthorizer: true}
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, options, fmt.Errorf("making a CEL compiler: %w", err)
	}
	for _, v := range variables {
		result := compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, options, environment.NewExpressions)
		if result.Error != nil {
			return nil, options, fmt.Errorf("compiling variable %s: %w", v.Name, result.Error)
		}
	}
	return compiler, options, nil
}

func matcherOf(compiler *cel.CompositedCompiler, options cel.OptionalVariableDeclarations, conditions []admissionregistrationv1.MatchCondition, name string) matchconditions.Matcher {
	if len(conditions) == 0 {
		return nil
	}
	accessors := make([]cel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		accessors[i] = (*matchconditions.MatchCondition)(&conditions[i])
	}
	fail := admissionregistrationv1.Fail
	return matchconditions.NewMatcher(compiler.CompileCondition(accessors, options, environment.NewExpressions), &fail, "policy", "test", name)
}

func compileMutating(p *admissionregistrationv1.MutatingAdmissionPolicy) (compiled, error) {
	compiler, options, err := newCompiler(p.Spec.Variables, p.Spec.ParamKind != nil)
	if err != nil {
		return compiled{}, fmt.Errorf("%s: %w", p.Name, err)
	}
	c := compiled{compiler: compiler, matcher: matcherOf(compiler, options, p.Spec.MatchConditions, p.Name)}
	options.HasPatchTypes = true
	for _, m := range p.Spec.Mutations {
		evaluator := compiler.CompileMutatingEvaluator(&patch.JSONPatchCondition{Expression: m.JSONPatch.Expression}, options, environment.NewExpressions)
		if errs := evaluator.CompilationErrors(); len(errs) > 0 {
			return compiled{}, fmt.Errorf("%s: compiling the patch: %w", p.Name, errors.Join(errs...))
		}
		c.patchers = append(c.patchers, patch.NewJSONPatcher(evaluator))
	}
	return c, nil
}

func compileValidating(p *admissionregistrationv1.ValidatingAdmissionPolicy) (compiled, error) {
	compiler, options, err := newCompiler(p.Spec.Variables, p.Spec.ParamKind != nil)
	if err != nil {
		return compiled{}, fmt.Errorf("%s: %w", p.Name, err)
	}
	var checks, messages []cel.ExpressionAccessor
	for _, v := range p.Spec.Validations {
		checks = append(checks, &validating.ValidationCondition{Expression: v.Expression, Message: v.Message, Reason: v.Reason})
		messages = append(messages, &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression})
	}
	evaluate := compiler.CompileCondition(checks, options, environment.NewExpressions)
	tell := compiler.CompileCondition(messages, cel.OptionalVariableDeclarations{HasParams: options.HasParams}, environment.NewExpressions)
	if errs := append(evaluate.CompilationErrors(), tell.CompilationErrors()...); len(errs) > 0 {
		return compiled{}, fmt.Errorf("%s: compiling the checks: %w", p.Name, errors.Join(errs...))
	}
	fail := admissionregistrationv1.Fail
	matcher := matcherOf(compiler, options, p.Spec.MatchConditions, p.Name)
	none := compiler.CompileCondition(nil, options, environment.NewExpressions)
	return compiled{checks: validating.NewValidator(evaluate, matcher, none, tell, &fail, nil)}, nil
}

func (r Request) attributes() (*admission.VersionedAttributes, error) {
	name, namespace := "", ""
	if m, ok := r.Object.(metav1.Object); ok {
		name, namespace = m.GetName(), m.GetNamespace()
	}
	attributes := admission.NewAttributesRecord(r.Object, r.Old, r.Kind, namespace, name, r.Resource, "", r.Operation, nil, false, &user.DefaultInfo{Name: r.User})
	versioned, err := admission.NewVersionedAttributes(attributes, r.Kind, interfaces())
	if err != nil {
		return nil, fmt.Errorf("converting the request's objects: %w", err)
	}
	return versioned, nil
}

func interfaces() admission.ObjectInterfaces {
	return admission.NewObjectInterfacesFromScheme(clientgoscheme.Scheme)
}

// Mutate gives the object as the named policy leaves it.
func (f *Fence) Mutate(policy string, r Request) (runtime.Object, error) {
	c, ok := f.mutating[policy]
	if !ok {
		return nil, fmt.Errorf("there is no mutating policy %q", policy)
	}
	attributes, err := r.attributes()
	if err != nil {
		return nil, err
	}
	ctx := c.compiler.CreateContext(context.Background()) // where variables keep their values
	if c.matcher != nil {
		if result := c.matcher.Match(ctx, attributes, r.Params, nil); result.Error != nil || !result.Matches {
			return r.Object, result.Error
		}
	}
	for _, p := range c.patchers {
		patched, err := p.Patch(ctx, patch.Request{
			MatchedResource: r.Resource, VersionedAttributes: attributes, ObjectInterfaces: interfaces(),
			OptionalVariables: cel.OptionalVariableBindings{VersionedParams: r.Params}, Namespace: r.Namespace,
		}, celconfig.RuntimeCELCostBudget)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", policy, err)
		}
		attributes.VersionedObject.Set(patched)
	}
	return attributes.VersionedObject.Object(), nil
}

// Validate gives the messages of what the named policy denies, none if it admits. An error is one of evaluation, which denies, too.
func (f *Fence) Validate(policy string, r Request) ([]string, error) {
	c, ok := f.validating[policy]
	if !ok {
		return nil, fmt.Errorf("there is no validating policy %q", policy)
	}
	attributes, err := r.attributes()
	if err != nil {
		return nil, err
	}
	result := c.checks.Validate(context.Background(), r.Resource, attributes, r.Params, r.Namespace, celconfig.RuntimeCELCostBudget, nil)
	var denials []string
	for _, d := range result.Decisions {
		if d.Evaluation == validating.EvalError {
			return nil, fmt.Errorf("%s: %s", policy, d.Message)
		}
		if d.Action == validating.ActionDeny {
			denials = append(denials, d.Message)
		}
	}
	return denials, nil
}
