package kmip

import (
	"time"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

// The law of attributes.
//
// Servers silently leave out what they do not know, so an attribute that is absent says nothing, never that something is so. One that a server must have
// once and has twice, or an answer about another key than was asked for, makes the whole answer garbage.

// attributes are what a server says of a key. Nil, zero or empty: it does not say.
type attributes struct {
	objectType kmip.ObjectType
	algorithm  kmip.CryptographicAlgorithm
	bits       int32
	usage      *kmip.CryptographicUsageMask
	state      kmip.State

	initial, activation, processStart, protectStop, deactivation, destroy, compromise *time.Time

	sensitive, alwaysSensitive, extractable, neverExtractable *bool

	digests []kmip.Digest
	links   []kmip.Link
}

// asked are the names of the attributes that are asked for. Servers are not asked for what their version does not have.
func asked(version kmip.ProtocolVersion) []kmip.AttributeName {
	names := []kmip.AttributeName{
		kmip.AttributeNameObjectType, kmip.AttributeNameCryptographicAlgorithm, kmip.AttributeNameCryptographicLength, kmip.AttributeNameCryptographicUsageMask,
		kmip.AttributeNameState, kmip.AttributeNameInitialDate, kmip.AttributeNameActivationDate, kmip.AttributeNameProcessStartDate, kmip.AttributeNameProtectStopDate,
		kmip.AttributeNameDeactivationDate, kmip.AttributeNameDestroyDate, kmip.AttributeNameCompromiseDate, kmip.AttributeNameDigest, kmip.AttributeNameLink,
	}
	if ttlv.CompareVersions(version, kmip.V1_4) >= 0 {
		names = append(names, kmip.AttributeNameSensitive, kmip.AttributeNameAlwaysSensitive, kmip.AttributeNameExtractable, kmip.AttributeNameNeverExtractable)
	}
	return names
}

// read reads the answer to what was asked of the key of this identifier.
func read(id string, answer *payloads.GetAttributesResponsePayload) (attributes, error) {
	if answer.UniqueIdentifier != id {
		return attributes{}, errGarbage
	}
	var a attributes
	once := map[kmip.AttributeName]bool{}
	for _, attribute := range answer.Attribute {
		name := attribute.AttributeName
		if once[name] && name != kmip.AttributeNameDigest && name != kmip.AttributeNameLink {
			return attributes{}, errGarbage
		}
		once[name] = true
		a.take(name, attribute.AttributeValue)
	}
	return a, nil
}

// take takes one attribute. The library has made sure that its value has the type that goes with its name; what was not asked for is not taken.
func (a *attributes) take(name kmip.AttributeName, value any) {
	switch v := value.(type) {
	case kmip.ObjectType:
		a.objectType = v
	case kmip.CryptographicAlgorithm:
		a.algorithm = v
	case kmip.CryptographicUsageMask:
		a.usage = &v
	case kmip.State:
		a.state = v
	case kmip.Digest:
		a.digests = append(a.digests, v)
	case kmip.Link:
		a.links = append(a.links, v)
	case int32:
		if name == kmip.AttributeNameCryptographicLength {
			a.bits = v
		}
	case time.Time:
		if date := a.date(name); date != nil {
			*date = &v
		}
	case bool:
		if flag := a.flag(name); flag != nil {
			*flag = &v
		}
	}
}

func (a *attributes) date(name kmip.AttributeName) **time.Time {
	return map[kmip.AttributeName]**time.Time{
		kmip.AttributeNameInitialDate: &a.initial, kmip.AttributeNameActivationDate: &a.activation, kmip.AttributeNameProcessStartDate: &a.processStart,
		kmip.AttributeNameProtectStopDate: &a.protectStop, kmip.AttributeNameDeactivationDate: &a.deactivation, kmip.AttributeNameDestroyDate: &a.destroy,
		kmip.AttributeNameCompromiseDate: &a.compromise,
	}[name]
}

func (a *attributes) flag(name kmip.AttributeName) **bool {
	return map[kmip.AttributeName]**bool{
		kmip.AttributeNameSensitive: &a.sensitive, kmip.AttributeNameAlwaysSensitive: &a.alwaysSensitive,
		kmip.AttributeNameExtractable: &a.extractable, kmip.AttributeNameNeverExtractable: &a.neverExtractable,
	}[name]
}
