//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// failureError is what kept a key from being looked at.
type failureError struct {
	outcome v1alpha1.ProbeOutcome
	message string
}

// Error is what may be shown.
func (f failureError) Error() string { return f.message }

func failed(outcome v1alpha1.ProbeOutcome, format string, args ...any) error {
	return failureError{outcome: outcome, message: fmt.Sprintf(format, args...)}
}

// during says in which call an error came. Whatever a library answers that nothing else is made of falls here, to Unreachable: nobody can tell.
func during(call string, err error) error {
	if err == nil {
		return nil
	}
	return failed(v1alpha1.OutcomeUnreachable, "%s failed: %v", call, err)
}

// late tells that the time for a probe is over.
func late(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return failed(v1alpha1.OutcomeUnreachable, "the library did not answer in time")
}

// sightingOf is what a failure looks like to the observer.
func sightingOf(err error) keystore.Sighting {
	var f failureError
	if errors.As(err, &f) {
		return keystore.Sighting{Outcome: f.outcome, Message: f.message}
	}
	return keystore.Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: err.Error()}
}

// isOneOf reports whether a library answered with one of these codes.
func isOneOf(err error, codes ...pkcs11.Error) bool {
	var code pkcs11.Error
	if !errors.As(err, &code) {
		return false
	}
	for _, c := range codes {
		if code == c {
			return true
		}
	}
	return false
}
