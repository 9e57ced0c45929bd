package guard

import (
	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
)

// Law: an observer tells what it saw itself, and what another saw only that one tells.
//
// Reads who creates, changes or deletes a KeyObservation, and whose it is, before and after. The observer manager is Terroir, the observer
// agent the one beside it that loads vendors' libraries; the observer of a zone is that zone's agent, by its service account. Whoever could write for
// another zone could have a destroyed key found there. Lets Terroir delete any, and those who clear away what an authorised deletion left. That an
// agent lies about what it saw, nothing stops: it can be asked from elsewhere, too.
func observations() Guard {
	return Guard{
		Name:      "terroir-key-observations",
		Looks:     []Resources{{Group: "terroir.dev", Version: "v1alpha1", Names: []string{"keyobservations"}, Operations: ops(create, update, remove)}},
		Variables: []placement.Variable{{Name: "observers", Expression: `(object == null ? [] : [string(object.spec.observer)]) + (oldObject == null ? [] : [string(oldObject.spec.observer)])`}},
		Validations: []placement.Validation{{
			Expression: anyOf(
				isOperator+` && (request.operation == 'DELETE' || variables.observers.all(o, o == '`+v1alpha1.ManagerObserver+`'))`,
				isAgent+` && variables.observers.all(o, o == `+agentsObserver+`)`,
				`request.operation == 'DELETE' && `+isCleaner, isMigrator, maintains,
			),
			Message: `'a KeyObservation of observer ' + variables.observers[0] + ' says what that observer saw of a key, and it alone writes it: ` +
				`Terroir for manager, the agent beside it for agent, for a zone the agent there; it comes and goes with the EncryptionKey'`,
		}},
	}
}

// agent is the service account of the agent that asks key stores beside Terroir; that of a zone has the zone's name behind it, after a hyphen.
const agent = "system:serviceaccount:" + v1alpha1.SystemNamespace + ":terroir-keyprobe"

// isAgent holds, in CEL, of the agents that ask key stores.
const isAgent = `(request.userInfo.?username.orValue('') == '` + agent + `' || request.userInfo.?username.orValue('').startsWith('` + agent + `-'))`

// agentsObserver is, in CEL, as which observer the agent speaks that makes the request. No zone's agent speaks as manager or agent, whatever its zone is called.
const agentsObserver = `(request.userInfo.username == '` + agent + `' ? '` + v1alpha1.AgentObserver + `'
  : request.userInfo.username in ['` + agent + `-` + v1alpha1.ManagerObserver + `', '` + agent + `-` + v1alpha1.AgentObserver + `'] ? '' : request.userInfo.username.replace('` + agent + `-', '', 1))`
