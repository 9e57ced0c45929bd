package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utiljson "sigs.k8s.io/json"

	"github.com/terroir-dev/terroir/internal/placement"
)

// review is the part of an AdmissionReview that is read. O is the part of the object that its judges read; the rest, which
// is most of it, is passed over while decoding.
type review[O any] struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Request    *request[O] `json:"request"`
}

// request is the part of an AdmissionRequest that is read.
type request[O any] struct {
	UID         string   `json:"uid"`
	Kind        kind     `json:"kind"`
	Resource    resource `json:"resource"`
	SubResource string   `json:"subResource"`
	Operation   string   `json:"operation"`
	Namespace   string   `json:"namespace"`
	Name        string   `json:"name"`
	UserInfo    user     `json:"userInfo"`
	Object      *O       `json:"object"`
	OldObject   *O       `json:"oldObject"`
}

type kind struct {
	Kind string `json:"kind"`
}

type resource struct {
	Group    string `json:"group"`
	Resource string `json:"resource"`
}

type user struct {
	Username string `json:"username"`
}

// is reports whether the request does one of the operations to the resource, such as "pods" or "pods/binding".
func (r *request[O]) is(group, name string, operations ...string) bool {
	asked := r.Resource.Resource
	if r.SubResource != "" {
		asked += "/" + r.SubResource
	}
	if r.Resource.Group != group || asked != name {
		return false
	}
	for _, o := range operations {
		if r.Operation == o {
			return true
		}
	}
	return false
}

// errNoReview is about bytes that are no admission review: nobody is there to whom a denial could be said.
var errNoReview = errors.New("not an AdmissionReview of admission.k8s.io/v1 with a request")

// usuallyRead is how many bytes of a review are worth decoding.
const usuallyRead = 2 << 10

// decode reads a review, of which only a part is read unless reads is nil. It returns errNoReview if there is none. Otherwise the review can be answered, and the second error says
// what about its object cannot be read.
func decode[O any](body []byte, reads part) (in review[O], unreadable, err error) {
	if reads != nil {
		if slim, ok := project(make([]byte, 0, usuallyRead), body, reads); ok {
			body = slim
		}
	}
	unreadable = utiljson.UnmarshalCaseSensitivePreserveInts(body, &in)
	isReview := in.APIVersion == "admission.k8s.io/v1" && in.Kind == "AdmissionReview" && in.Request != nil && in.Request.UID != ""
	switch {
	case isReview:
		return in, unreadable, nil
	case unreadable != nil:
		return in, nil, fmt.Errorf("%w: %w", errNoReview, unreadable)
	default:
		return in, nil, errNoReview
	}
}

// answer is what becomes of a request. The zero answer denies.
type answer struct {
	allowed bool
	// undecided: it is denied because nobody could tell.
	undecided bool
	// stale: it rests on something not being there that may just have been created. A newer snapshot may say otherwise.
	stale bool
	// message says why it is denied.
	message  string
	patches  []placement.Patch
	warnings []string
}

// admit is the only place that allows.
func admit(patches []placement.Patch, warnings ...string) answer {
	return answer{allowed: true, patches: patches, warnings: warnings}
}

// refuse denies because of what was asked.
func refuse(format string, args ...any) answer { return answer{message: fmt.Sprintf(format, args...)} }

// undecided denies because it cannot be told whether what was asked is right. Asking again may help.
func undecided(format string, args ...any) answer {
	return answer{undecided: true, message: fmt.Sprintf(format, args...)}
}

// unless marks an answer that a newer snapshot may change: it names a level that this one does not have.
func (a answer) unless(missing bool) answer {
	a.stale = missing
	return a
}

func (a answer) outcome() outcome {
	switch {
	case a.undecided:
		return outcomeUndecided
	case !a.allowed:
		return outcomeRefused
	case len(a.patches) > 0:
		return outcomeShaped
	default:
		return outcomeAllowed
	}
}

// encode writes the review that answers a request.
func encode(uid string, a answer) ([]byte, error) {
	response := admissionv1.AdmissionResponse{UID: types.UID(uid), Allowed: a.allowed, Warnings: brief(a.warnings)}
	if !a.allowed {
		response.Result = a.status()
	}
	if a.allowed && len(a.patches) > 0 {
		patch, err := json.Marshal(a.patches)
		if err != nil {
			return nil, fmt.Errorf("writing a patch: %w", err)
		}
		patchType := admissionv1.PatchTypeJSONPatch
		response.Patch, response.PatchType = patch, &patchType
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Response: &response,
	})
	if err != nil {
		return nil, fmt.Errorf("writing an answer: %w", err)
	}
	return body, nil
}

// status tells a denial from an inability, so that clients know whether to try again.
func (a answer) status() *metav1.Status {
	s := &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: a.message}
	if a.undecided {
		s.Code, s.Reason = http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable
	}
	return s
}

// The API server passes on 4,096 characters of warnings in all, and cuts what does not fit.
const (
	mostWarnings   = 10
	longestWarning = 400
)

// brief keeps warnings within what the API server passes on.
func brief(warnings []string) []string {
	var told []string
	for i, w := range warnings {
		if i == mostWarnings-1 && len(warnings) > mostWarnings {
			return append(told, fmt.Sprintf("and %d more", len(warnings)-i))
		}
		told = append(told, clip(w, longestWarning))
	}
	return told
}

// clip cuts a sentence that is too long, at the end of a character.
func clip(sentence string, longest int) string {
	if len(sentence) <= longest {
		return sentence
	}
	const dots = "…"
	return strings.ToValidUTF8(sentence[:longest-len(dots)], "") + dots
}
