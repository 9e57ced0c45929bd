package fence

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/guard"
)

// Probe is the name of a Lease that nobody can create, and of the admission policies that see to it: one that annotates it, and one
// that refuses it and says whether the annotation is there. Discovery does not tell whether an API server applies the policies
// that it serves; the answer to a dry run does.
const Probe = "terroir-probe"

const shapedAnnotation = "terroir.dev/shaped"

// What the refusal says. It is read by [Answer], and by whoever tries to create that Lease.
const (
	saysJudged = "Lease terroir-probe is refused always: so Terroir sees that the API server judges"
	saysShaped = saysJudged + " and shapes"
)

// Lease is what to ask the API server to create, as a dry run.
func Lease() *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: Probe}}
}

// Answer says what the API server enforces, from its answer to the request to create [Lease]; false if the answer does not tell.
func Answer(err error) (v1alpha1.Fence, bool) {
	switch {
	case err == nil:
		return v1alpha1.FenceOff, true
	case strings.Contains(err.Error(), saysShaped):
		return v1alpha1.FenceFull, true
	case strings.Contains(err.Error(), saysJudged):
		return v1alpha1.FenceValidatingOnly, true
	default:
		return "", false
	}
}

func probeRequests() *admissionregistrationv1.MatchResources {
	leases := rule("coordination.k8s.io", []string{"leases"}, admissionregistrationv1.Create)
	leases.ResourceNames = []string{Probe}
	return match(leases)
}

func probeJudges() []runtime.Object {
	return []runtime.Object{
		validatingPolicy(Probe, admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: probeRequests(),
			Validations: []admissionregistrationv1.Validation{{
				Expression:        "false",
				Message:           saysJudged,
				MessageExpression: `'` + shapedAnnotation + `' in object.metadata.?annotations.orValue({}) ? '` + saysShaped + `' : '` + saysJudged + `'`,
			}},
		}),
		validatingBinding(Probe, namespacesOf(guard.Own, nil), nil),
	}
}

func probeShapes() []runtime.Object {
	const annotate = `[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'` + shapedAnnotation + `': 'true'}}]`
	return []runtime.Object{
		mutatingPolicy(Probe, nil, nil, annotate, probeRequests()),
		mutatingBinding(Probe, Probe, namespacesOf(guard.Own, nil), nil),
	}
}
