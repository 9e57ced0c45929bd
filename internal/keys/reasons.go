package keys

import v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"

// Reasons of verdicts. Where there is none finer, it is the phase.
const (
	ReasonVerified    = string(v1alpha1.PhaseVerified)
	ReasonDestroyed   = string(v1alpha1.PhaseDestroyed)
	ReasonCompromised = string(v1alpha1.PhaseCompromised)
	ReasonReplaced    = string(v1alpha1.PhaseReplaced)
	ReasonDeactivated = string(v1alpha1.PhaseDeactivated)
	ReasonExpired     = string(v1alpha1.PhaseExpired)
	ReasonAmbiguous   = string(v1alpha1.PhaseAmbiguous)
	ReasonNotFound    = string(v1alpha1.PhaseNotFound)
	ReasonForbidden   = string(v1alpha1.PhaseForbidden)

	// ReasonPreActive and ReasonNotYetValid: the key was never in use so far. Phase Deactivated, and no revocation.
	ReasonPreActive   = "PreActive"
	ReasonNotYetValid = "NotYetValid"

	// Why a key that is there is Unverified.
	ReasonNoFingerprint         = "NoFingerprint"
	ReasonStateUnknown          = "StateUnknown"
	ReasonTimeUnreadable        = "TimeUnreadable"
	ReasonAlgorithmNotAccepted  = "AlgorithmNotAccepted"
	ReasonAlgorithmUnknown      = "AlgorithmUnknown"
	ReasonTooShort              = "TooShort"
	ReasonLengthUnknown         = "LengthUnknown"
	ReasonExtractable           = "Extractable"
	ReasonExtractabilityUnknown = "ExtractabilityUnknown"
	ReasonPublic                = "Public"
	ReasonImported              = "Imported"
	ReasonOriginUnknown         = "OriginUnknown"
	ReasonHardenedLater         = "HardenedLater"
	ReasonHistoryUnknown        = "HistoryUnknown"
	ReasonNotUsable             = "NotUsable"
	ReasonNotTried              = "NotTried"

	// Why nobody can tell.
	ReasonStoreNotFound     = "StoreNotFound"
	ReasonReferenceMismatch = "ReferenceMismatch"
	ReasonNotObserved       = "NotObserved"
	ReasonSilent            = "Silent"
	ReasonUnreachable       = string(v1alpha1.OutcomeUnreachable)
	ReasonUnauthenticated   = string(v1alpha1.OutcomeUnauthenticated)
	ReasonMisconfigured     = string(v1alpha1.OutcomeMisconfigured)
)
