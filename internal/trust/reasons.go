package trust

// Reason is a fixed word for machines. The sentence beside it is for people.
type Reason string

// Reasons of a [Standing].
const (
	// Satisfied: every demand of the level holds in the zone.
	Satisfied Reason = "Satisfied"
	// EvidenceTooWeak: the zone satisfies the level, and the recognition of this node rests on less than the level demands.
	EvidenceTooWeak Reason = "EvidenceTooWeak"
	// EvidenceStale: every demand holds, but nobody has verified the evidence for too long, and the level then admits no new pods.
	EvidenceStale Reason = "EvidenceStale"
	// NoSuchZone: there is no Zone of that name.
	NoSuchZone Reason = "NoSuchZone"
	// NoSuchLevel: there is no TrustLevel of that name.
	NoSuchLevel Reason = "NoSuchLevel"
	// ZoneInvalid: the Zone is malformed or contradicts another one; its Problems say how.
	ZoneInvalid Reason = "ZoneInvalid"
	// LevelInvalid: the TrustLevel is malformed; its Problems say how.
	LevelInvalid Reason = "LevelInvalid"
	// CountryNotAllowed: the machines stand, or a subcontractor works, in a country that the level does not allow.
	CountryNotAllowed Reason = "CountryNotAllowed"
	// ZoneIncomplete: the level asks about something that the Zone does not say: its provider, its offer.
	ZoneIncomplete Reason = "ZoneIncomplete"
	// ProviderUnknown: the zone's provider, or one that its offer is hosted on, does not exist.
	ProviderUnknown Reason = "ProviderUnknown"
	// ProviderInvalid: a provider in the zone's chain is malformed; its Problems say how.
	ProviderInvalid Reason = "ProviderInvalid"
	// OfferUnknown: the zone's offer, or one that it is hosted on, does not exist.
	OfferUnknown Reason = "OfferUnknown"
	// HostingCycle: the zone's offer is, in the end, hosted on itself, so that nobody knows what it runs on.
	HostingCycle Reason = "HostingCycle"
	// SeatNotAllowed: a company in the chain is established in a country that the level does not allow.
	SeatNotAllowed Reason = "SeatNotAllowed"
	// AdministrationUnknown: an offer in the chain does not say from where it is administered.
	AdministrationUnknown Reason = "AdministrationUnknown"
	// AdministrationNotAllowed: an offer in the chain is also administered from a country that the level does not allow.
	AdministrationNotAllowed Reason = "AdministrationNotAllowed"
	// SupportUnknown: an offer in the chain does not say from where support is given.
	SupportUnknown Reason = "SupportUnknown"
	// SupportNotAllowed: support for an offer in the chain is also given from a country that the level does not allow.
	SupportNotAllowed Reason = "SupportNotAllowed"
	// Exposed: by a stated opinion, somebody in the chain can be compelled under a law that the level excludes.
	Exposed Reason = "Exposed"
	// ExposureUndetermined: for somebody in the chain there is no opinion, or none with a basis, that a law does not reach them.
	ExposureUndetermined Reason = "ExposureUndetermined"
)

// Reasons why a demand for a qualification fails, from the farthest to the nearest miss. Of all that stands against a demand
// the nearest is told; of one Qualification first that it does not count, so that nothing is called qualified that is not. Those that are about one Qualification are also reasons of its [Validity].
const (
	// FrameworkUnknown: there is no Framework of that name.
	FrameworkUnknown Reason = "FrameworkUnknown"
	// NotQualified: the offer has no Qualification under the framework.
	NotQualified Reason = "NotQualified"
	// QualificationInvalid: the Qualification is malformed or names what does not exist; its Problems say how.
	QualificationInvalid Reason = "QualificationInvalid"
	// WrongLevel: the offer is qualified under the framework, at another of its levels.
	WrongLevel Reason = "WrongLevel"
	// WrongServiceModel: the qualified offer has another service model than the level accepts.
	WrongServiceModel Reason = "WrongServiceModel"
	// OnlyUnderlyingQualified: what the offer is hosted on is qualified, the offer is not, and the level wants the offer to be.
	OnlyUnderlyingQualified Reason = "OnlyUnderlyingQualified"
	// ServiceNotInScope: the offer is qualified in other regions or sites.
	ServiceNotInScope Reason = "ServiceNotInScope"
	// FrameworkNotInForce: the framework is Draft, Proposed, or Superseded and no longer accepted.
	FrameworkNotInForce Reason = "FrameworkNotInForce"
	// QualificationNotGranted: the Qualification is announced, applied for, in evaluation, suspended or withdrawn.
	QualificationNotGranted Reason = "QualificationNotGranted"
	// QualificationEndless: the Qualification does not say until when it is valid.
	QualificationEndless Reason = "QualificationEndless"
	// QualificationExpired: the Qualification has ended.
	QualificationExpired Reason = "QualificationExpired"
	// QualificationNotYetValid: the Qualification has not begun.
	QualificationNotYetValid Reason = "QualificationNotYetValid"
	// PeriodMissing: the level limits the age of the period that an attestation covers, and this one gives no period.
	PeriodMissing Reason = "PeriodMissing"
	// PeriodNotOver: the period that the attestation is about has not ended yet.
	PeriodNotOver Reason = "PeriodNotOver"
	// PeriodTooOld: the period that the attestation covers ended too long ago.
	PeriodTooOld Reason = "PeriodTooOld"
	// AlternativeNotForCountry: the offer is qualified, and the level accepts that qualification only in zones of other countries.
	AlternativeNotForCountry Reason = "AlternativeNotForCountry"
	// AlternativeEnded: the offer is qualified, and the level accepted that qualification only until a moment that has passed.
	AlternativeEnded Reason = "AlternativeEnded"
)

// Reasons of a [Validity], besides those above.
const (
	// InForce: the Qualification counts.
	InForce Reason = "InForce"
	// NoSuchQualification: there is no Qualification of that name.
	NoSuchQualification Reason = "NoSuchQualification"
)

// Reasons of a [Recognition].
const (
	// OneZoneMatches: the signals are those of exactly one Zone.
	OneZoneMatches Reason = "OneZoneMatches"
	// NoZoneMatches: no Zone's signals are all there.
	NoZoneMatches Reason = "NoZoneMatches"
	// SeveralZonesMatch: the signals of two or more Zones are all there.
	SeveralZonesMatch Reason = "SeveralZonesMatch"
	// SignalContradicts: the node shows what the catalogue knows to be another provider's.
	SignalContradicts Reason = "SignalContradicts"
	// LooksLikeAnother: nodes of another provider look the same, and nothing that the node shows tells them apart.
	LooksLikeAnother Reason = "LooksLikeAnother"
	// SignalMissing: a node recognised before no longer shows a signal, for a short time now.
	SignalMissing Reason = "SignalMissing"
	// SignalMissingTooLong: a node recognised before has not shown a signal for too long.
	SignalMissingTooLong Reason = "SignalMissingTooLong"
	// SignalChanged: a node recognised before shows another value than its zone has.
	SignalChanged Reason = "SignalChanged"
	// ZoneChanged: a node recognised before shows the signals of another zone, and no longer those of its own.
	ZoneChanged Reason = "ZoneChanged"
	// MachineChanged: the machine is not the one that was recorded when a node of this name was recognised.
	MachineChanged Reason = "MachineChanged"
	// MachineClaimedTwice: another node shows the same machine.
	MachineClaimedTwice Reason = "MachineClaimedTwice"
	// CertificateRequested: somebody else obtained a certificate in the node's name.
	CertificateRequested Reason = "CertificateRequested"
)

// Reasons of a [Problem], besides ProviderUnknown, OfferUnknown, FrameworkUnknown and HostingCycle.
const (
	// Malformed: a value cannot be used. Through the API server's schema it could not have come.
	Malformed Reason = "Malformed"
	// NameTooLong: a name that becomes part of labels has more than 63 characters.
	NameTooLong Reason = "NameTooLong"
	// FrameworkLevelUnknown: the framework has no level of that name.
	FrameworkLevelUnknown Reason = "FrameworkLevelUnknown"
	// IncludeCycle: levels of a framework include each other in a circle.
	IncludeCycle Reason = "IncludeCycle"
	// OverlappingRecognition: every node of one zone is also one of another, so that it is recognised in neither.
	OverlappingRecognition Reason = "OverlappingRecognition"
	// SiteInTwoCountries: zones in different countries name the same building.
	SiteInTwoCountries Reason = "SiteInTwoCountries"
)
