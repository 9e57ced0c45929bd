package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Country is an ISO 3166-1 alpha-2 country code in capitals, such as FR.
//
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.size() == 2 && ' AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW '.contains(' ' + self + ' ')",message="must be an ISO 3166-1 alpha-2 country code in capitals, such as FR (GB for the United Kingdom, GR for Greece)"
type Country string

// Territory is a country, or a union of countries: EU for the European Union, EEA for the European Economic Area.
//
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:XValidation:rule="self.size() <= 3 && ' EU EEA AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW '.contains(' ' + self + ' ')",message="must be EU, EEA, or an ISO 3166-1 alpha-2 country code in capitals, such as FR (GB for the United Kingdom, GR for Greece)"
type Territory string

// ObjectName is the name of another object.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of an object: lower case letters, digits, '-' and '.', such as secnumcloud-3.2"
type ObjectName string

// LevelName is the name of a TrustLevel. It becomes part of label keys and so is a DNS label.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="!format.dns1123Label().validate(self).hasValue()",message="must be a DNS label of at most 63 characters: lower case letters, digits and '-', such as secnumcloud"
type LevelName string

// Term is a short name within an object: of an offer, a level of a framework, a region in its provider's words.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
type Term string

// SiteName names a building. It becomes the value of Node labels.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="!format.labelValue().validate(self).hasValue()",message="must be usable as a label value: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, such as paris-1"
type SiteName string

// Date is a calendar day, such as 2026-01-01.
//
// +kubebuilder:validation:Format=date
// +kubebuilder:validation:MaxLength=10
type Date string

// ServiceModel says how much of the stack an offer includes.
//
// +kubebuilder:validation:Enum=IaaS;CaaS;PaaS;SaaS
type ServiceModel string

// The service models of SecNumCloud 3.2.
const (
	IaaS ServiceModel = "IaaS"
	CaaS ServiceModel = "CaaS"
	PaaS ServiceModel = "PaaS"
	SaaS ServiceModel = "SaaS"
)

// Exposure is an opinion on whether an organisation can be compelled under an extraterritorial law.
type Exposure struct {
	// law identifies the law, such as US-CLOUD-Act or US-FISA-702. The list is open: TrustLevels name the same identifiers.
	// +required
	Law Term `json:"law"`
	// state is the opinion. Only NotExposed with a basis satisfies a TrustLevel's notExposedTo.
	// +required
	State ExposureState `json:"state"`
	// assessedBy names who holds the opinion.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	AssessedBy string `json:"assessedBy,omitempty"`
	// assessedAt is the day of the opinion.
	// +optional
	AssessedAt Date `json:"assessedAt,omitempty"`
	// basis gives the reasons, or says where they can be read. Without it the exposure counts as Undetermined.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Basis string `json:"basis,omitempty"`
}

// ExposureState is a legal opinion in one word. A law that is not listed is Undetermined.
//
// +kubebuilder:validation:Enum=NotExposed;Exposed;Undetermined
type ExposureState string

// The exposure states.
const (
	NotExposed   ExposureState = "NotExposed"
	Exposed      ExposureState = "Exposed"
	Undetermined ExposureState = "Undetermined"
)

// ConditionedStatus is what every status of this group begins with.
type ConditionedStatus struct {
	// observedGeneration is the metadata.generation that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say whether the object is fine and, if not, why. All conditions of a kind are always present.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
