package fencetest

import (
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Cost is what a policy's expressions cost for one request, in the API server's units.
type Cost struct {
	// Calls are the costs of the single expressions, by what they are. The API server ends one that exceeds [celconfig.PerCallLimit].
	Calls map[string]int64
	// Conditions is what the match conditions cost together, of [celconfig.RuntimeCELCostBudgetMatchConditions].
	Conditions int64
	// Total is what variables, checks, messages and patches cost together, of [celconfig.RuntimeCELCostBudget]. Messages are counted as
	// if every check failed.
	Total int64
}

// CostOf evaluates every expression of a policy for a request, as the API server does, and counts.
func CostOf(policy runtime.Object, r Request) (Cost, error) {
	switch p := policy.(type) {
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		m, err := newMeter(p.Spec.Variables, p.Spec.ParamKind != nil, r)
		if err != nil {
			return Cost{}, err
		}
		for i, v := range p.Spec.Validations {
			m.count(fmt.Sprintf("check %d", i+1), &validating.ValidationCondition{Expression: v.Expression})
			m.count(fmt.Sprintf("message %d", i+1), &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression})
		}
		m.countConditions(p.Spec.MatchConditions)
		return m.cost, m.err
	case *admissionregistrationv1.MutatingAdmissionPolicy:
		m, err := newMeter(p.Spec.Variables, p.Spec.ParamKind != nil, r)
		if err != nil {
			return Cost{}, err
		}
		m.countConditions(p.Spec.MatchConditions)
		m.options.HasPatchTypes = true
		for i, mutation := range p.Spec.Mutations {
			m.count(fmt.Sprintf("patch %d", i+1), &patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression})
		}
		return m.cost, m.err
	default:
		return Cost{}, fmt.Errorf("%T is no admission policy", policy)
	}
}

// meter evaluates expressions of one policy for one request.
type meter struct {
	compiler  *cel.CompositedCompiler
	options   cel.OptionalVariableDeclarations
	request   Request
	variables []admissionregistrationv1.Variable
	// before is what it costs to evaluate all variables, each once, and to ask for each.
	before int64
	cost   Cost
	err    error
}

// newMeter compiles the variables, and counts each: every one is asked for after those on which it depends.
func newMeter(variables []admissionregistrationv1.Variable, params bool, r Request) (*meter, error) {
	compiler, options, err := newCompiler(variables, params)
	if err != nil {
		return nil, err
	}
	m := &meter{compiler: compiler, options: options, request: r, variables: variables, cost: Cost{Calls: map[string]int64{}}}
	spent, each := m.evaluate()
	if m.err != nil {
		return nil, m.err
	}
	for i, v := range variables {
		m.cost.Calls["variable "+v.Name] = each[i]
		m.cost.Total += each[i]
	}
	m.before = spent
	return m, nil
}

// count adds the cost of one expression.
func (m *meter) count(what string, expression cel.ExpressionAccessor) {
	spent, _ := m.evaluate(expression)
	m.cost.Calls[what] = spent - m.before
	m.cost.Total += spent - m.before
}

func (m *meter) countConditions(conditions []admissionregistrationv1.MatchCondition) {
	for i := range conditions {
		total := m.cost.Total
		m.count("condition "+conditions[i].Name, (*matchconditions.MatchCondition)(&conditions[i]))
		m.cost.Conditions += m.cost.Total - total
		m.cost.Total = total
	}
}

// evaluate evaluates all variables, and then expressions. It gives what all of it cost, and what each variable did.
func (m *meter) evaluate(expressions ...cel.ExpressionAccessor) (spent int64, each []int64) {
	var all []cel.ExpressionAccessor
	for _, v := range m.variables {
		all = append(all, &validating.ValidationCondition{Expression: "dyn(variables." + v.Name + ") != null"})
	}
	all = append(all, expressions...)
	evaluator, ok := m.compiler.CompileCondition(all, m.options, environment.NewExpressions).(*cel.CompositedConditionEvaluator)
	if !ok {
		m.err = fmt.Errorf("the compiler makes another evaluator than expected")
		return 0, nil
	}
	attributes, err := m.request.attributes()
	if err != nil {
		m.err = err
		return 0, nil
	}
	ctx := &recorder{CompositionContext: m.compiler.CreateContext(context.Background())}
	const budget = 100 * celconfig.RuntimeCELCostBudget // so that what costs too much is counted, too
	admissionRequest := cel.CreateAdmissionRequest(attributes.Attributes, metav1.GroupVersionResource(m.request.Resource), metav1.GroupVersionKind(m.request.Kind))
	results, remaining, err := evaluator.ConditionEvaluator.ForInput(ctx, attributes, admissionRequest, cel.OptionalVariableBindings{VersionedParams: m.request.Params}, m.request.Namespace, budget)
	if err != nil {
		m.err = err
		return 0, nil
	}
	for _, r := range results[:len(m.variables)] {
		if r.Error != nil {
			m.err = r.Error
		}
	}
	return budget - remaining, ctx.each
}

// recorder notes what the variables cost that each expression was the first to ask for.
type recorder struct {
	cel.CompositionContext
	each []int64
}

// GetAndResetCost is called once after each expression.
func (r *recorder) GetAndResetCost() int64 {
	cost := r.CompositionContext.GetAndResetCost()
	r.each = append(r.each, cost)
	return cost
}
