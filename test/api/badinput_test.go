package api_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// What goes wrong in practice, and the whole of what its author is told.
func TestBadInput(t *testing.T) {
	s := start(t)
	for sentence, c := range map[string]struct{ object, says string }{
		"the United Kingdom is not UK": {
			`{kind: Zone, metadata: {name: lon-1}, spec: {country: UK, recognition: {labels: {rack: a1}}}}`,
			`Zone.terroir.dev "lon-1" is invalid: spec.country: Invalid value: "UK": ` + isCountry,
		},
		"Greece is not EL": {
			`{kind: TrustLevel, metadata: {name: in-greece}, spec: {countries: [GR, EL]}}`,
			`TrustLevel.terroir.dev "in-greece" is invalid: spec.countries[1]: Invalid value: "EL": ` + isPlace,
		},
		"a machine stands in one country, not in a union": {
			`{kind: Zone, metadata: {name: lon-1}, spec: {country: EU, recognition: {labels: {rack: a1}}}}`,
			`Zone.terroir.dev "lon-1" is invalid: spec.country: Invalid value: "EU": ` + isCountry,
		},
		"a prefix that would also match eu-west-2ab": {
			`{kind: Zone, metadata: {name: lon-1}, spec: {country: GB, recognition: {providerIDPrefixes: ["aws:///eu-west-2a"]}}}`,
			`Zone.terroir.dev "lon-1" is invalid: spec.recognition.providerIDPrefixes[0]: Invalid value: "aws:///eu-west-2a": ` +
				`must begin with a scheme and end with '/', such as aws:///eu-west-2a/`,
		},
		"a zone that would contain every node": {
			`{kind: Zone, metadata: {name: lon-1}, spec: {country: GB, recognition: {labels: {}}}}`,
			`Zone.terroir.dev "lon-1" is invalid: spec.recognition: Required value: ` +
				`at least one of providerIDPrefixes, labels, csiDrivers and systemUUIDs must be given: a zone without a signal would contain every node`,
		},
		"a policy for nobody in particular": {
			`{kind: ClusterPlacementPolicy, metadata: {name: all}, spec: {namespaceSelector: {}, trustLevels: [in-eu], enforcement: Enforce}}`,
			`ClusterPlacementPolicy.terroir.dev "all" is invalid: spec.namespaceSelector: Required value: ` + selectsAll,
		},
		"a policy whose selector nobody can understand": {
			`{kind: ClusterPlacementPolicy, metadata: {name: all}, spec: {namespaceSelector: {matchExpressions: [{key: a b, operator: Exists}]}, trustLevels: [in-eu], enforcement: Enforce}}`,
			`ClusterPlacementPolicy.terroir.dev "all" is invalid: spec.namespaceSelector.matchExpressions[0].key: Invalid value: "a b": must be a label's key, such as topology.kubernetes.io/zone`,
		},
		"a policy that does not say whether it enforces": {
			`{kind: ClusterPlacementPolicy, metadata: {name: all}, spec: {namespaceSelector: {matchLabels: {a: b}}, trustLevels: [in-eu]}}`,
			`ClusterPlacementPolicy.terroir.dev "all" is invalid: [spec.enforcement: Required value, <nil>: Invalid value: null: ` +
				`some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]`,
		},
		"a policy that demands nothing": {
			`{kind: PlacementPolicy, metadata: {name: payroll, namespace: terroir-api-test}, spec: {trustLevels: [], enforcement: Enforce}}`,
			`PlacementPolicy.terroir.dev "payroll" is invalid: spec.trustLevels: Invalid value: 0: spec.trustLevels in body should have at least 1 items`,
		},
		"a qualification that ends before it begins": {
			`{kind: Qualification, metadata: {name: q}, spec: {framework: f, levels: [l], subject: {provider: p, offer: o, everywhere: true}, state: Granted,
			  validFrom: "2027-01-01T00:00:00Z", validUntil: "2026-01-01T00:00:00Z"}}`,
			`Qualification.terroir.dev "q" is invalid: spec.validUntil: Invalid value: validUntil must be after validFrom`,
		},
		"a zone that trusts what Terroir wrote": {
			`{kind: Zone, metadata: {name: lon-1}, spec: {country: GB, recognition: {labels: {terroir.node-restriction.kubernetes.io/zone: lon-1}}}}`,
			`Zone.terroir.dev "lon-1" is invalid: spec.recognition.labels: Invalid value: Terroir's own labels cannot be a signal, ` +
				`since Terroir writes them where it has recognised a node: name labels that others write, such as topology.kubernetes.io/zone`,
		},
		"a level whose name cannot be part of a label": {
			`{kind: TrustLevel, metadata: {name: secnumcloud-3.2}, spec: {countries: [FR]}}`,
			`TrustLevel.terroir.dev "secnumcloud-3.2" is invalid: <nil>: Invalid value: ` + labelName,
		},
		"a Secret in somebody else's namespace": {
			`{kind: KeyStore, metadata: {name: hsm}, spec: {type: Transit, transit: {address: "https://bao"}, credentialsSecretRef: {name: token, namespace: hr}}}`,
			`strict decoding error: unknown field "spec.credentialsSecretRef.namespace"`,
		},
		"a PIN where a reference to one belongs": {
			`{kind: KeyStore, metadata: {name: hsm}, spec: {type: PKCS11, pkcs11: {module: /lib/p11.so, tokenLabel: a, pin: "1234"}, credentialsSecretRef: {name: pin}}}`,
			`strict decoding error: unknown field "spec.pkcs11.pin"`,
		},
		"a store over an open connection": {
			`{kind: KeyStore, metadata: {name: bao}, spec: {type: Transit, transit: {address: "http://bao:8200"}, credentialsSecretRef: {name: token}}}`,
			`KeyStore.terroir.dev "bao" is invalid: spec.transit.address: Invalid value: "http://bao:8200": must be an https address without a path, such as https://bao.par1.example:8200`,
		},
		"days, which no clock counts": {
			`{kind: KeyStore, metadata: {name: kms}, spec: {type: Declared, declared: {}, probe: {leaseDuration: 1d}}}`,
			`KeyStore.terroir.dev "kms" is invalid: spec.probe.leaseDuration: Invalid value: "1d": must be a duration from 2s to 168h, such as 24h`,
		},
		"an interval of centuries": {
			`{kind: KeyStore, metadata: {name: kms}, spec: {type: Declared, declared: {}, probe: {interval: 999999h999999h}}}`,
			`KeyStore.terroir.dev "kms" is invalid: [spec.probe.leaseDuration: Invalid value: ` + leaseTooShort + `, ` +
				`spec.probe.interval: Invalid value: "999999h999999h": must be a duration from 1s to 24h, such as 5m]`,
		},
		"a demand that what is not encrypted satisfies": {
			`{kind: PlacementPolicy, metadata: {name: payroll, namespace: terroir-api-test}, spec: {trustLevels: [in-eu], enforcement: Enforce, encryption: {acceptedBindings: [None]}}}`,
			`PlacementPolicy.terroir.dev "payroll" is invalid: spec.encryption.acceptedBindings: Invalid value: None is a volume that is not encrypted: to demand nothing, leave out encryption`,
		},
		"a key that everybody may ask for": {
			`{kind: EncryptionKey, metadata: {name: kek}, spec: {store: hsm, ref: {pkcs11: {label: kek}}, namespaceSelector: {}}}`,
			`EncryptionKey.terroir.dev "kek" is invalid: spec.namespaceSelector: Required value: ` + selectsAll,
		},
		"a field that does not exist": {
			`{kind: TrustLevel, metadata: {name: in-france}, spec: {country: [FR]}}`,
			`strict decoding error: unknown field "spec.country"`,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			object := &unstructured.Unstructured{Object: parse(t, c.object)}
			object.SetAPIVersion(v1alpha1.GroupVersion.String())
			_, err := s.try(t.Context(), object)
			if err == nil || !strings.HasSuffix(err.Error(), c.says) {
				t.Errorf("want %s\ngot  %v", c.says, err)
			}
		})
	}
}

// However large an object is, it is refused in words that can be read.
func TestLargeObjects(t *testing.T) {
	const megabyte = 1 << 20
	s := start(t)
	for sentence, c := range map[string]struct {
		fixture fixture
		tweak   tweak
		says    string
	}{
		"a zone of 1001 machines":         {zone(), set("spec.recognition.systemUUIDs", machines(1001)), "spec.recognition.systemUUIDs: Too many: 1001: must have at most 1000 items"},
		"a name of a megabyte":            {cloudProvider(), set("spec.legalEntity", strings.Repeat("x", megabyte)), "spec.legalEntity: Too long: may not be more than 256 bytes"},
		"a country of a megabyte":         {zone(), set("spec.country", strings.Repeat("F", megabyte)), "spec.country: Too long: may not be more than 64 bytes"},
		"a selector of a megabyte":        {clusterPlacementPolicy(), set("spec.namespaceSelector.matchLabels", labels(50000)), "spec.namespaceSelector.matchLabels: Too many: 50000: must have at most 16 items"},
		"a selector with a long value":    {clusterPlacementPolicy(), set("spec.namespaceSelector.matchLabels", map[string]any{"data": strings.Repeat("x", megabyte)}), "spec.namespaceSelector.matchLabels.data: Too long: may not be more than 63 bytes"},
		"an annotation of 1.4 megabytes":  {trustLevel(), set("metadata.annotations", map[string]any{"note": strings.Repeat("x", 14*megabyte/10)}), "metadata.annotations: Too long: may not be more than 262144 bytes"},
		"more than the API server reads":  {trustLevel(), set("metadata.annotations", map[string]any{"note": strings.Repeat("x", 4*megabyte)}), "Request entity too large: limit is 3145728"},
		"signals of a megabyte":           {zone(), set("spec.recognition.labels", labels(50000)), "spec.recognition.labels: Too many: 50000: must have at most 16 items"},
		"a scheme with a thousand levels": {framework(), set("spec.levels", named(1000)), "spec.levels: Too many: 1000: must have at most 16 items"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, err := s.try(t.Context(), c.fixture.tweaked(t, c.tweak))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("want %s\ngot  %.1000v", c.says, err)
			}
			if length := len(err.Error()); length > 1000 {
				t.Errorf("the message has %d characters: %.1000v", length, err)
			}
		})
	}
}

func named(n int) []any {
	var entries []any
	for i := range n {
		entries = append(entries, map[string]any{"name": fmt.Sprintf("level-%d", i)})
	}
	return entries
}
