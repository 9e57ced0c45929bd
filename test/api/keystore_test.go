package api_test

import "strings"

const somePin = "sha256/n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="

func keyStore() fixture {
	return fixture{
		kind:    "KeyStore",
		minimal: `spec: {type: Declared, declared: {}}`,
		full: `
spec:
  type: PKCS11
  pkcs11: {module: /usr/lib/softhsm/libsofthsm2.so, tokenLabel: sov-par1, tokenSerial: 1f2e3d4c5b6a7988}
  tls:
    caSecretRef: {name: paris-hsm-ca}
    clientSecretRef: {name: paris-hsm-client}
    spkiPins: ["` + somePin + `"]
  credentialsSecretRef: {name: paris-hsm-pin}
  probe: {from: Manager, interval: 5m, roundTripInterval: 1h, timeout: 5s, leaseDuration: 24h}
  declared:
    custody: Customer
    zones: {home: [cloudgouv-eu-west-1a], replicas: [cloudgouv-eu-west-1b], backups: [cloudgouv-eu-west-1c]}
    protection: HSM
    certifications: [{scheme: FIPS-140-3, level: "3", id: "4711", validUntil: "2029-01-01T00:00:00Z"}]
  revocation: {confirmations: 3, delay: 15m, maxKeys: 1}
status:
  observedGeneration: 1
  conditions: ` + someConditions + `
  keys: 3
  verified: 2
  revoked: 1
  login: {secretUID: 7d1f, secretVersion: "42", state: Succeeded, succeeded: true, observer: manager, at: "2026-11-01T00:00:00Z"}`,
		instead: map[string]tweak{
			"a KMIP server":       asKMIP,
			"a transit mount":     asTransit,
			"a store never asked": asDeclared,
		},
		refused: all(
			required("spec", "spec.type"),
			cases{"a name with a dot": {set("metadata.name", "paris.hsm"), "", storeName}},
			longName(storeName),
			choice("spec.type", "PKCS11", "KMIP", "Transit", "Declared"),
			whatOfType(),
			pkcs11Store("spec.pkcs11"),
			inOf(asKMIP, kmipStore("spec.kmip")),
			inOf(asTransit, transitStore("spec.transit")),
			storeTLS("spec.tls"),
			secretRef("spec.credentialsSecretRef"),
			keyProbe("spec.probe"),
			declaration("spec.declared"),
			revocation("spec.revocation"),
			keyStoreStatus(),
		),
		frozen: cases{
			"the type changes": {asTransit, "spec.type", "the type of a key store cannot be changed: create another KeyStore"},
		},
		accepted: accepted{
			"a token by its label alone":         without("spec.pkcs11.tokenSerial"),
			"a token by its serial number alone": without("spec.pkcs11.tokenLabel"),
			"a token whose label has spaces":     set("spec.pkcs11.tokenLabel", "Sovereign HSM 1"),
			"a server by its IPv6 address":       both(asKMIP, set("spec.kmip.endpoint", "[2001:db8::1]:5696")),
			"a server by its IPv4 address":       both(asKMIP, set("spec.kmip.endpoint", "192.0.2.1:5696")),
			"a server whose name is an address":  both(asKMIP, set("spec.kmip.serverName", "192.0.2.1")),
			"a mount in a mount":                 both(asTransit, set("spec.transit.mount", "teams/health")),
			"an address that ends in a slash":    both(asTransit, set("spec.transit.address", "https://bao.par1.example:8200/")),
			"a probe that says nothing":          set("spec.probe", map[string]any{}),
			"the shortest times":                 set("spec.probe", map[string]any{"interval": "1s", "roundTripInterval": "1s", "timeout": "100ms", "leaseDuration": "2s"}),
			"the longest times":                  set("spec.probe", map[string]any{"interval": "24h", "roundTripInterval": "168h", "timeout": "60s", "leaseDuration": "168h"}),
			"a time in several units":            set("spec.probe.interval", "1h2m3s4ms"),
			"a lease of twice the interval":      both(set("spec.probe.interval", "1h"), set("spec.probe.leaseDuration", "2h")),
			"no delay":                           set("spec.revocation.delay", "0s"),
			"a brake that is always on":          set("spec.revocation.maxKeys", int64(0)),
			"nobody says whose it is":            without("spec.declared"),
			"a name of 63 characters":            set("metadata.name", strings.Repeat("a", 63)),
		},
	}
}

const storeName = "a key store's name becomes part of other names: metadata.name must be a DNS label of at most 63 characters, such as paris-hsm"

// asKMIP, asTransit and asDeclared turn any key store into one of that type.
func asKMIP(object map[string]any) {
	spec := object["spec"].(map[string]any)
	spec["type"] = "KMIP"
	delete(spec, "pkcs11")
	spec["kmip"] = map[string]any{"endpoint": "kmip.par1.example:5696", "serverName": "kmip.par1.example"}
}

func asTransit(object map[string]any) {
	spec := object["spec"].(map[string]any)
	spec["type"] = "Transit"
	delete(spec, "pkcs11")
	spec["transit"] = map[string]any{"address": "https://bao.par1.example:8200", "mount": "transit", "namespace": "health"}
	spec["credentialsSecretRef"] = map[string]any{"name": "bao-token"}
}

func asDeclared(object map[string]any) {
	spec := object["spec"].(map[string]any)
	spec["type"] = "Declared"
	delete(spec, "pkcs11")
	delete(spec, "tls")
	delete(spec, "credentialsSecretRef")
}

// whatOfType: each type has what it needs, and nothing of another's.
func whatOfType() cases {
	const (
		pkcs11  = "pkcs11 must be given for stores of type PKCS11, and for no others"
		kmip    = "kmip must be given for stores of type KMIP, and for no others"
		transit = "transit must be given for stores of type Transit, and for no others"
	)
	kmipPart, transitPart := map[string]any{"endpoint": "kmip.par1.example:5696"}, map[string]any{"address": "https://bao.par1.example:8200"}
	pkcs11Part, secret := map[string]any{"module": "/usr/lib/softhsm/libsofthsm2.so", "tokenLabel": "a"}, map[string]any{"name": "a"}
	return cases{
		"a token of which nothing is said":       {without("spec.pkcs11"), "spec.pkcs11", pkcs11},
		"a token that is also a server":          {set("spec.kmip", kmipPart), "spec.kmip", kmip},
		"a token that is also a mount":           {set("spec.transit", transitPart), "spec.transit", transit},
		"a server of which nothing is said":      {both(asKMIP, without("spec.kmip")), "spec.kmip", kmip},
		"a server that is also a token":          {both(asKMIP, set("spec.pkcs11", pkcs11Part)), "spec.pkcs11", pkcs11},
		"a mount of which nothing is said":       {both(asTransit, without("spec.transit")), "spec.transit", transit},
		"a token without a PIN":                  {without("spec.credentialsSecretRef"), "spec.credentialsSecretRef", "a PKCS11 store needs credentialsSecretRef: the Secret in terroir-system whose key pin holds the user's PIN"},
		"a mount without a token":                {both(asTransit, without("spec.credentialsSecretRef")), "spec.credentialsSecretRef", "a Transit store needs credentialsSecretRef: the Secret in terroir-system whose key token holds a token"},
		"a server without tls":                   {both(asKMIP, without("spec.tls")), "spec.tls.clientSecretRef", needsClient},
		"a server without a client certificate":  {both(asKMIP, without("spec.tls.clientSecretRef")), "spec.tls.clientSecretRef", needsClient},
		"a store of which nothing is declared":   {both(asDeclared, without("spec.declared")), "spec.declared", "a store of type Declared needs declared: nothing else is known of it"},
		"a store never asked, with tls":          {both(asDeclared, set("spec.tls", map[string]any{})), "spec.tls", "a store of type Declared is never asked, so leave out tls"},
		"a store never asked, with a credential": {both(asDeclared, set("spec.credentialsSecretRef", secret)), "spec.credentialsSecretRef", "a store of type Declared is never asked, so leave out credentialsSecretRef"},
	}
}

const needsClient = "a KMIP store needs tls.clientSecretRef: KMIP servers know their clients by certificate"

func pkcs11Store(path string) cases {
	return all(
		required(path+".module"),
		text(path+".module", 0, 256),
		wrong(path+".module", "must be an absolute path, such as /usr/lib/softhsm/libsofthsm2.so", "", "/", "libsofthsm2.so", "/usr/lib/a b.so"),
		text(path+".tokenLabel", 1, 32),
		text(path+".tokenSerial", 1, 16),
		cases{
			"any token": {both(without(path+".tokenLabel"), without(path+".tokenSerial")), path, "tokenLabel, tokenSerial or both must be given: they say which token it is"},
		},
	)
}

func kmipStore(path string) cases {
	return all(
		required(path+".endpoint"),
		text(path+".endpoint", 3, 260),
		wrong(path+".endpoint", "must be a host and a port, such as kmip.par1.example:5696",
			"kmip.par1.example", "kmip.par1.example:", "https://kmip:5696", "a b:5696", "2001:db8::1:5696", "kmip:0", "user@kmip:5696", "kmip:123456"),
		text(path+".serverName", 1, 253),
	)
}

func transitStore(path string) cases {
	const mount, ns = "must be the path of a mount without slashes at its ends, such as transit", "must be the path of a namespace without slashes at its ends, such as health"
	return all(
		required(path+".address"),
		text(path+".address", 0, 256),
		wrong(path+".address", "must be an https address without a path, such as https://bao.par1.example:8200",
			"", "http://bao:8200", "https://", "https://bao/v1", "https://user:token@bao", "https://bao?token=a", "bao:8200"),
		text(path+".mount", 0, 128),
		wrong(path+".mount", mount, "", "/transit", "transit/", "a//b", "../sys", "a b"),
		text(path+".namespace", 0, 128),
		wrong(path+".namespace", ns, "", "/health", "health/", "a/../b"),
	)
}

// secretRef names a Secret.
func secretRef(path string) cases {
	return all(required(path+".name"), objectName(path+".name"))
}

func storeTLS(path string) cases {
	return all(
		secretRef(path+".caSecretRef"),
		secretRef(path+".clientSecretRef"),
		setOf(path+".spkiPins", 8),
		text(path+".spkiPins[0]", 0, 51),
		wrong(path+".spkiPins[0]", "must be sha256/ and 44 characters of base64, as openssl and curl print it", "", "sha256/abc=", strings.Replace(somePin, "256", "512", 1), someDigest[:51]),
	)
}

// probeTime is a span of time, which has bounds.
func probeTime(path, says string, outside ...string) cases {
	return all(
		text(path, 0, 16),
		wrong(path, says, "", "5", "-5m", "1.5h", "1d", "5 m", "9999999h", "9999999999999999"),
		wrong(path, says, outside...),
	)
}

func keyProbe(path string) cases {
	return all(
		choice(path+".from", "Manager", "Agent"),
		inOf(set(path+".leaseDuration", "168h"), probeTime(path+".interval", "must be a duration from 1s to 24h, such as 5m", "25h")),
		inOf(set(path+".timeout", "100ms"), cases{path + ".interval is half a second": {set(path+".interval", "500ms"), path + ".interval", "must be a duration from 1s to 24h, such as 5m"}}),
		probeTime(path+".roundTripInterval", "must be a duration from 1s to 168h, such as 1h", "0s", "999ms", "168h1s", "999999h999999h"),
		probeTime(path+".timeout", "must be a duration from 100ms to 60s, such as 5s", "0s", "99ms", "61s"),
		probeTime(path+".leaseDuration", "must be a duration from 2s to 168h, such as 24h", "168h1ms"),
		inOf(both(set(path+".interval", "1s"), set(path+".timeout", "100ms")), cases{
			path + ".leaseDuration is a second": {set(path+".leaseDuration", "1s"), path + ".leaseDuration", "must be a duration from 2s to 168h, such as 24h"},
		}),
		cases{
			"a timeout as long as the interval":   {both(set(path+".interval", "5s"), set(path+".timeout", "5s")), path + ".timeout", "timeout must be shorter than interval"},
			"a timeout longer than what is usual": {set(path, map[string]any{"interval": "4s"}), path + ".timeout", "timeout must be shorter than interval"},
			"a lease that one failure ends":       {set(path+".leaseDuration", "9m59s"), path + ".leaseDuration", leaseTooShort},
			"an interval beyond the usual lease":  {set(path, map[string]any{"interval": "13h"}), path + ".leaseDuration", leaseTooShort},
		},
	)
}

const leaseTooShort = "leaseDuration must be at least twice the interval: else one probe that fails ends the lease"

func declaration(path string) cases {
	certificate := path + ".certifications[0]"
	found := all(
		choice(path+".custody", "Customer", "SovereignProvider", "Provider"),
		choice(path+".protection", "Software", "HSM"),
		list(path+".certifications", 16),
		required(certificate+".scheme"),
		term(certificate+".scheme"),
		text(certificate+".level", 0, 64),
		text(certificate+".id", 0, 128),
		moment(certificate+".validUntil"),
	)
	for _, places := range []string{"home", "replicas", "backups"} {
		found = all(found, setOf(path+".zones."+places, 16), objectName(path+".zones."+places+"[0]"))
	}
	return found
}

func revocation(path string) cases {
	return all(
		number(path+".confirmations", 1, 100),
		probeTime(path+".delay", "must be a duration of at most 168h, such as 15m", "168h1s"),
		number(path+".maxKeys", 0, 1000),
	)
}

func keyStoreStatus() cases {
	const login = "status.login"
	return all(
		required(login+".secretUID", login+".secretVersion", login+".state", login+".observer", login+".at"),
		text(login+".secretUID", 0, 64),
		text(login+".secretVersion", 0, 64),
		choice(login+".state", "Trying", "Succeeded", "Failed"),
		text(login+".observer", 0, 63),
		moment(login+".at"),
		conditions(),
	)
}
