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

// checkPrice is what the API server charges for a check by the authorizer, whatever the check does: it lets an expression make two, and no
// more (k8s.io/apiserver/pkg/cel/library/cost.go). A price so high says nothing about what else an expression does, so checks are
// counted apart. One in an expression leaves it two thirds of its limit, and so everything that it may otherwise cost.
const checkPrice = 350000

// Cost is what a policy's expressions cost for one request, in the API server's units, without what checks by the authorizer cost.
type Cost struct {
	// Calls are the costs of the single expressions, by what they are. The API server ends one that exceeds [celconfig.PerCallLimit].
	Calls map[string]int64
	// Checks are the checks by the authorizer that the single expressions made, where they made any.
	Checks map[string]int64
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
		m.options.HasPatchTypes = true
		for i, mutation := range p.Spec.Mutations {
			m.count(fmt.Sprintf("patch %d", i+1), &patch.JSONPatchCondition{Expression: mutation.JSONPatch.Expression})
		}
		m.countConditions(p.Spec.MatchConditions)
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
	// before is what it takes to ask for each variable.
	before spent
	cost   Cost
	err    error
}

// spent is what evaluations took.
type spent struct{ cost, checks int64 }

func (s spent) less(t spent) spent { return spent{s.cost - t.cost, s.checks - t.checks} }

// newMeter compiles the variables, and counts each: every one is asked for after those on which it depends.
func newMeter(variables []admissionregistrationv1.Variable, params bool, r Request) (*meter, error) {
	compiler, options, err := newCompiler(variables, params)
	if err != nil {
		return nil, err
	}
	m := &meter{compiler: compiler, options: options, request: r, variables: variables, cost: Cost{Calls: map[string]int64{}, Checks: map[string]int64{}}}
	asked, each := m.evaluate()
	if m.err != nil {
		return nil, m.err
	}
	for i, v := range variables {
		m.add("variable "+v.Name, each[i])
	}
	m.before = asked
	return m, nil
}

// count adds the cost of one expression.
func (m *meter) count(what string, expression cel.ExpressionAccessor) {
	all, _ := m.evaluate(expression)
	m.add(what, all.less(m.before))
}

func (m *meter) add(what string, s spent) {
	cost := s.cost - s.checks*checkPrice
	m.cost.Calls[what] = cost
	m.cost.Total += cost
	if s.checks > 0 {
		m.cost.Checks[what] = s.checks
	}
}

// countConditions comes last: conditions see no variables.
func (m *meter) countConditions(conditions []admissionregistrationv1.MatchCondition) {
	m.variables, m.before = nil, spent{}
	for i := range conditions {
		total := m.cost.Total
		m.count("condition "+conditions[i].Name, (*matchconditions.MatchCondition)(&conditions[i]))
		m.cost.Conditions += m.cost.Total - total
		m.cost.Total = total
	}
}

// evaluate evaluates all variables, each once, and then expressions. It gives what it took to ask for the variables and to evaluate the
// expressions, and what each variable took: that may differ from one evaluation to the next, since maps have no order.
func (m *meter) evaluate(expressions ...cel.ExpressionAccessor) (apart spent, each []spent) {
	var all []cel.ExpressionAccessor
	for _, v := range m.variables {
		all = append(all, &validating.ValidationCondition{Expression: "dyn(variables." + v.Name + ") != null"})
	}
	all = append(all, expressions...)
	evaluator, ok := m.compiler.CompileCondition(all, m.options, environment.NewExpressions).(*cel.CompositedConditionEvaluator)
	if !ok {
		m.err = fmt.Errorf("the compiler makes another evaluator than expected")
		return spent{}, nil
	}
	attributes, err := m.request.attributes()
	if err != nil {
		m.err = err
		return spent{}, nil
	}
	granted := &permissions{may: m.request.May}
	ctx := &recorder{CompositionContext: m.compiler.CreateContext(context.Background()), permissions: granted}
	const budget = 100 * celconfig.RuntimeCELCostBudget // so that what costs too much is counted, too
	admissionRequest := cel.CreateAdmissionRequest(attributes.Attributes, metav1.GroupVersionResource(m.request.Resource), metav1.GroupVersionKind(m.request.Kind))
	bindings := cel.OptionalVariableBindings{VersionedParams: m.request.Params, Authorizer: granted}
	results, remaining, err := evaluator.ConditionEvaluator.ForInput(ctx, attributes, admissionRequest, bindings, m.request.Namespace, budget)
	if err != nil {
		m.err = err
		return spent{}, nil
	}
	for _, r := range results {
		// What ends in an error costs less than it could. The message of a check that does not fail may well do so.
		if _, message := r.ExpressionAccessor.(*validating.MessageExpressionCondition); r.Error != nil && !message {
			m.err = r.Error
		}
	}
	apart, each = spent{budget - remaining, granted.checks}, ctx.each[:len(m.variables)]
	for _, variable := range each {
		apart = apart.less(variable)
	}
	return apart, each
}

// recorder notes what the variables took that each expression was the first to ask for.
type recorder struct {
	cel.CompositionContext
	permissions *permissions
	// checked is how many checks there had been after the expression before.
	checked int64
	each    []spent
}

// GetAndResetCost is called once after each expression.
func (r *recorder) GetAndResetCost() int64 {
	cost := r.CompositionContext.GetAndResetCost()
	r.each = append(r.each, spent{cost, r.permissions.checks - r.checked})
	r.checked = r.permissions.checks
	return cost
}
