package api_test

import (
	"fmt"
	"strings"
)

func encryptionKey() fixture {
	const selector, needsNone = "spec.namespaceSelector", "exactly one of pkcs11, kmip, transit and declared must be given: the one of the store's type"
	return fixture{
		kind:    "EncryptionKey",
		minimal: `spec: {store: api-test, ref: {pkcs11: {label: kek}}}`,
		full: `
spec:
  store: paris-hsm
  ref: {pkcs11: {label: kek, id: "01"}}
  storage: [{driver: block-storage.csi.stackit.cloud, keyID: 9f1c2d3e-0000-4000-8000-000000000001}]
  namespaceSelector:
    matchLabels: {data-class: health}
    matchExpressions: [{key: data, operator: In, values: [patients]}]
  requirements: {algorithms: [AES], minBits: 256, extractable: Forbidden, origin: GeneratedInStore}
  fingerprint: "` + someDigest + `"
  notAfter: "2028-01-01T00:00:00Z"
status:
  observedGeneration: 1
  conditions: ` + someConditions + `
  phase: Replaced
  fingerprint: "` + someDigest + `"
  observedFingerprint: "` + someDigest + `"
  facts: [{name: bits, value: "256", evidence: Reported, source: manager, time: "2026-11-01T00:00:00Z"}]
  zones: par-1,par-2
  verifiedUntil: "2026-11-02T00:00:00Z"
  revokedSince: "2026-11-01T00:00:00Z"
  storageClasses: [health]
  volumes: 1
  pods: 1
  claims: [hr/data]`,
		instead: map[string]tweak{
			"a key at a KMIP server":            asRef("kmip", map[string]any{"uniqueID": "2b9c"}),
			"a key in a transit mount":          asRef("transit", map[string]any{"key": "health-kek"}),
			"a key that nobody can be asked of": asRef("declared", map[string]any{}),
		},
		refused: all(
			required("spec", "spec.store", "spec.ref"),
			cases{"a name with a dot": {set("metadata.name", "health.kek"), "", keyIsLabel}},
			longName(keyIsLabel),
			objectName("spec.store"),
			cases{"a store whose name is too long": {set("spec.store", strings.Repeat("a", 64)), "spec.store", "must be the name of a KeyStore, which has at most 63 characters"}},
			cases{
				"no kind of reference":   {set("spec.ref", map[string]any{}), "spec.ref", needsNone},
				"two kinds of reference": {set("spec.ref.declared", map[string]any{}), "spec.ref", needsNone},
			},
			pkcs11Key("spec.ref.pkcs11"),
			inOf(asRef("kmip", map[string]any{"uniqueID": "2b9c"}), all(required("spec.ref.kmip.uniqueID"), text("spec.ref.kmip.uniqueID", 1, 256))),
			inOf(asRef("transit", map[string]any{"key": "health-kek"}), transitKey("spec.ref.transit")),
			storageKeys("spec.storage"),
			namespaceSelector(selector),
			keyRequirements("spec.requirements"),
			text("spec.fingerprint", 0, 71),
			wrong("spec.fingerprint", "must be a fingerprint as the status of the key tells it: sha256: and 64 hexadecimal digits", "", someSHA256, "sha256:"+strings.Repeat("A", 64)),
			moment("spec.notAfter"),
			encryptionKeyStatus(),
		),
		frozen: cases{
			"the key moves to another store": {set("spec.store", "other"), "spec.store", "the store of a key cannot be changed: a key elsewhere is another key, so create another EncryptionKey"},
			"another key of the store":       {set("spec.ref.pkcs11.label", "other"), "spec.ref", whichKey},
			"the key by more than its label": {set("spec.ref.pkcs11.id", "02"), "spec.ref", whichKey},
			"a key that cannot be looked at": {set("spec.ref", map[string]any{"declared": map[string]any{}}), "spec.ref", whichKey},
		},
		accepted: accepted{
			"a key by its label alone":           without("spec.ref.pkcs11.id"),
			"a key by its id alone":              without("spec.ref.pkcs11.label"),
			"a label in any language":            set("spec.ref.pkcs11.label", "clé de santé"),
			"a key for nobody":                   without(selector),
			"no requirements":                    without("spec.requirements"),
			"one key as two drivers call it":     set("spec.storage", []any{storageKey("a.example", "1"), storageKey("b.example", "1")}),
			"one key by two names of one driver": set("spec.storage", []any{storageKey("a.example", "alias"), storageKey("a.example", "1")}),
			"RSA of 2048 bits":                   set("spec.requirements", map[string]any{"algorithms": []any{"RSA"}, "minBits": int64(2048)}),
			"whatever algorithm, and length":     set("spec.requirements", map[string]any{"algorithms": []any{"AES", "RSA", "EC", "ChaCha20"}, "minBits": int64(1)}),
			"the largest selector":               set(selector, largestSelector()),
			"a name of 63 characters":            set("metadata.name", strings.Repeat("a", 63)),
		},
	}
}

const (
	keyIsLabel = "a key's name becomes a label value and part of other names: metadata.name must be a DNS label of at most 63 characters, such as health-kek"
	whichKey   = "which key it is cannot be changed: create another EncryptionKey"
)

// asRef gives a key a reference of another kind.
func asRef(kind string, ref map[string]any) tweak {
	return func(object map[string]any) {
		set("spec.ref", map[string]any{kind: map[string]any{}})(object)
		for name, value := range ref {
			set(fmt.Sprintf("spec.ref.%s.%s", kind, name), value)(object)
		}
	}
}

func pkcs11Key(path string) cases {
	return all(
		text(path+".label", 1, 256),
		text(path+".id", 0, 256),
		wrong(path+".id", "must be hexadecimal, two digits for each byte, such as 01", "", "1", "0x01", "zz", "01 02"),
		cases{"any key of a token": {set(path, map[string]any{}), path, "label, id or both must be given: they say which key it is"}},
	)
}

func transitKey(path string) cases {
	return all(
		required(path+".key"),
		text(path+".key", 0, 128),
		wrong(path+".key", "must be the name of a key, such as health-kek", "", "a/b", "..", "-a", "a b", "a?b"),
	)
}

func storageKey(driver, id string) map[string]any {
	return map[string]any{"driver": driver, "keyID": id}
}

func storageKeys(path string) cases {
	return all(
		setOf(path, 16, "keyID"),
		required(path+"[0].driver", path+"[0].keyID"),
		text(path+"[0].driver", 1, 63),
		text(path+"[0].keyID", 1, 512),
	)
}

func keyRequirements(path string) cases {
	const tooShortRSA = "minBits must be at least 2048 where RSA is accepted, or 1 where any length will do"
	return all(
		filled(path+".algorithms"),
		setOf(path+".algorithms", 8),
		choice(path+".algorithms[0]", "AES", "RSA", "EC", "ChaCha20"),
		wrong(path+".algorithms[0]", "Unsupported value", "DES", ""),
		number(path+".minBits", 1, 16384),
		choice(path+".extractable", "Forbidden", "ForbiddenNow", "Allowed"),
		choice(path+".origin", "GeneratedInStore", "Any"),
		cases{
			"RSA of the usual 256 bits": {set(path, map[string]any{"algorithms": []any{"RSA"}}), path + ".minBits", tooShortRSA},
			"AES, or RSA of 2047 bits":  {set(path, map[string]any{"algorithms": []any{"AES", "RSA"}, "minBits": int64(2047)}), path + ".minBits", tooShortRSA},
		},
	)
}

func encryptionKeyStatus() cases {
	const fact = "status.facts[0]"
	return all(
		choice("status.phase", "Verified", "Unverified", "Unknown", "NotFound", "Ambiguous", "Forbidden", "Expired", "Deactivated", "Compromised", "Destroyed", "Replaced"),
		setOf("status.facts", 32, "name"),
		required(fact+".name", fact+".value", fact+".evidence", fact+".source"),
		text(fact+".name", 0, 32),
		text(fact+".value", 0, 256),
		choice(fact+".evidence", "Declared", "Reported", "Tested", "Attested"),
		text(fact+".source", 0, 128),
		moment(fact+".time"),
		moment("status.verifiedUntil"),
		moment("status.revokedSince"),
		list("status.storageClasses", 16),
		list("status.claims", 10),
		conditions(),
	)
}
