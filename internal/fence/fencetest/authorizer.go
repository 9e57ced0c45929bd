package fencetest

import (
	"context"

	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// permissions answer the authorizer checks of expressions, and count them. Nil: nobody may do anything.
type permissions struct {
	may    func(verb, group, resource, name string) bool
	checks int64
}

// Authorize does not look at who asks: what [Request.May] says is said of the request's user.
func (p *permissions) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	p.checks++
	if p.may != nil && p.may(a.GetVerb(), a.GetAPIGroup(), a.GetResource(), a.GetName()) {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}
