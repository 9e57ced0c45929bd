package api_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// The examples of the contract, as they stand there: its nulls, empty lists and comments included. What it marks as coming
// with a later issue is left out, and what it abbreviates with … is written out.
const (
	inFrance = `
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: par-1}
spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: par-1}}}
---
kind: TrustLevel
metadata: {name: in-france}
spec: {countries: [FR]}
---
kind: ClusterPlacementPolicy
metadata: {name: patients}
spec: {namespaceSelector: {matchLabels: {data: patients}}, trustLevels: [in-france], enforcement: Enforce}
`
	theCatalogue = `
kind: Framework                     # a certification scheme, in one version
metadata: {name: secnumcloud-3.2}
spec:
  title: SecNumCloud
  version: "3.2"
  authority: {name: ANSSI, kind: State, country: FR}   # State|EUInstitution|Association|Vendor|Auditor
  lifecycle: InForce                # Draft|Proposed|InForce|Superseded ; Draft and Proposed satisfy nothing
  acceptUntil: null                 # for Superseded: qualifications under it count until then
  levels: [{name: qualified}]       # a level may include: [other levels of this framework]
---
kind: CloudProvider
metadata: {name: outscale}
spec:
  legalEntity: OUTSCALE SAS
  seat: FR
  parent: {name: Dassault Systèmes SE, country: FR}
  exposures:                        # extraterritorial law: a legal opinion. Not listed, or without basis: Undetermined
  - {law: US-CLOUD-Act, state: NotExposed, assessedBy: "…", assessedAt: "2026-01-01", basis: "…"}  # NotExposed|Exposed|Undetermined
  recognition: {providerIDPrefixes: ["aws:///eu-west-2a/", "aws:///eu-west-2b/"], csiDrivers: [bsu.csi.outscale.com]}  # what its nodes look like
  offers:
  - {name: iaas, serviceModel: IaaS, administrationFrom: [FR], supportFrom: [FR]}      # IaaS|CaaS|PaaS|SaaS
  - name: oks
    serviceModel: CaaS
    hostedOn: [{provider: outscale, offer: iaas, regions: [cloudgouv-eu-west-1]}]
    subcontractors: []              # name, country, role
---
kind: Zone                          # one place of this cluster's nodes, as the platform team declares it
metadata: {name: cloudgouv-eu-west-1a}           # at most 63 characters, as is site
spec:
  country: FR                       # required; provider, offer, region are needed only by levels that ask about them
  provider: outscale
  offer: oks                        # the offer under which the nodes there are bought
  region: cloudgouv-eu-west-1       # in the provider's words
  site: paris-1                     # the building: the unit of spreading. Default: the zone's name
  recognition:                      # at least one; all given kinds must hold
    providerIDPrefixes: ["aws:///cloudgouv-eu-west-1a/"]          # any of; each ends in "/"
    labels: {topology.kubernetes.io/zone: cloudgouv-eu-west-1a}   # all of
    csiDrivers: [bsu.csi.outscale.com]                            # any of
    systemUUIDs: []                                               # any of; for machines without a cloud controller
---
kind: Qualification                 # who vouches for which offer, where, until when
metadata: {name: outscale-oks-snc32}
spec:
  framework: secnumcloud-3.2
  levels: [qualified]
  subject: {provider: outscale, offer: oks, regions: [cloudgouv-eu-west-1], sites: []}   # or everywhere: true ; never empty
  state: Granted                    # Announced|Applied|InEvaluation|Granted|Suspended|Withdrawn ; only Granted counts
  milestone: J3                     # the scheme's own word, shown to people
  validFrom: "2026-01-01T00:00:00Z"
  validUntil: "2029-01-01T00:00:00Z"             # required to count; exclusive
  period: null                      # {from, to}: what an attestation such as C5 Type 2 covered
  evidence: [{url: "https://example.org/list", sha256: "` + someSHA256 + `", retrievedAt: "2026-11-01T00:00:00Z"}]
  lastVerified: "2026-11-01T00:00:00Z"
---
kind: TrustLevel                    # the name a workload asks for: a conjunction of demands, at least one
metadata: {name: secnumcloud}       # a DNS label: it becomes part of node labels
spec:
  qualifications:                   # every entry must hold
  - anyOf:                          # how one scheme is accepted in place of another: by writing it here, with a reason
    - {framework: secnumcloud-3.2, levels: [qualified], serviceModels: [IaaS, CaaS], appliesTo: Offer, countries: [FR]}
    - {framework: c5-2020, levels: [type-2], countries: [DE], maxPeriodAge: 8760h, basis: "…", until: "2027-06-01T00:00:00Z"}
  countries: [FR, DE]               # ISO 3166-1 alpha-2, or EU, EEA
  seatIn: [EU]                      # provider and its parent
  administrationFrom: [EU]
  supportFrom: []
  notExposedTo: [US-CLOUD-Act, US-FISA-702]
  maxEvidenceAge: 8760h             # against lastVerified
  staleEvidence: Warn               # Warn|Hold ; Hold: no new pods; stale evidence never evicts
`
	whatIsRequired = `
kind: ClusterPlacementPolicy        # platform team; whole namespaces
metadata: {name: health-data}
spec:
  namespaceSelector: {matchLabels: {data-class: health}}    # never empty
  trustLevels: [secnumcloud]
  spread: {minSites: 3, maxSkew: 1, tooFewReplicas: Warn}   # Ignore|Warn|Deny
  enforcement: Enforce              # Audit|Warn|Enforce, no default
  nodeLocalStorage: QualifiedNodes  # Deny|QualifiedNodes|Allow
---
kind: PlacementPolicy               # namespaced; the whole namespace; same fields, no selector; can only tighten
metadata: {name: payroll, namespace: hr}
spec: {trustLevels: [secnumcloud], enforcement: Enforce}
---
kind: PlacementFloor                # namespaced, always named floor; written by Terroir alone: what this namespace owes
metadata: {name: floor, namespace: hr}
spec: {trustLevels: [secnumcloud], minSites: 3, demandedBy: [{kind: ClusterPlacementPolicy, name: health-data}]}   # and exceptions, encryption later
---
kind: TerroirConfig                 # cluster-scoped, named cluster; created with defaults; settings, and status of the whole
metadata: {name: cluster}
spec:
  allowedSchedulers: [default-scheduler]
  exemptNamespaces: []              # by literal name, besides kube-system, kube-node-lease, kube-public and Terroir's own
`
	theKeys = `
kind: KeyStore                      # cluster-scoped: one HSM partition, KMIP server, transit mount or KMS
metadata: {name: paris-hsm}
spec:
  type: PKCS11                      # PKCS11|KMIP|Transit|Declared
  pkcs11: {module: /usr/lib/softhsm/libsofthsm2.so, tokenLabel: sov-par1, tokenSerial: 1f2e3d4c5b6a7988}
  # kmip: {endpoint: "kmip.par1:5696", serverName: …}   transit: {address: https://…, mount: transit}
  tls: {caSecretRef: {name: paris-hsm-ca}, clientSecretRef: {name: paris-hsm-client}, spkiPins: ["` + somePin + `"]}
  credentialsSecretRef: {name: paris-hsm-pin}
  probe: {from: Manager, interval: 5m, roundTripInterval: 1h, timeout: 5s, leaseDuration: 24h}    # from: Manager|Agent (cmd/keyprobe, one per zone)
  declared:                         # what no API can tell; shown as Declared, never as more
    custody: Customer               # Customer|SovereignProvider|Provider
    zones: {home: [cloudgouv-eu-west-1a], replicas: [], backups: []}
    protection: HSM
    certifications: [{scheme: FIPS-140-3, level: "3", id: "4711", validUntil: "2029-01-01T00:00:00Z"}]
---
kind: KeyStore
metadata: {name: kmip}
spec:
  type: KMIP
  kmip: {endpoint: "kmip.par1:5696", serverName: kmip.par1}
  tls: {clientSecretRef: {name: kmip-client}}
---
kind: KeyStore
metadata: {name: transit}
spec:
  type: Transit
  transit: {address: "https://bao.par1", mount: transit}
  credentialsSecretRef: {name: bao-token}
---
kind: EncryptionKey                 # cluster-scoped: one key in a store
metadata: {name: health-kek}
spec:
  store: paris-hsm
  ref: {pkcs11: {label: kek, id: "01"}}        # or kmip: {uniqueID}, transit: {key}, declared: {}; exactly one, immutable
  storage: [{driver: block-storage.csi.stackit.cloud, keyID: 9f1c2d3e-0000-4000-8000-000000000001}]  # how CSI drivers name this key
  namespaceSelector: {matchLabels: {data-class: health}}             # who may ask for it; absent: nobody
  requirements: {algorithms: [AES], minBits: 256, extractable: Forbidden, origin: GeneratedInStore}
  notAfter: "2028-01-01T00:00:00Z"
---
kind: ClusterPlacementPolicy
metadata: {name: encrypted-health-data}
spec:
  namespaceSelector: {matchLabels: {data-class: health}}
  trustLevels: [secnumcloud]
  enforcement: Enforce
  encryption:
    keys: [health-kek]              # empty: any key that meets the rest
    protection: HSM                 # Software|HSM
    custody: [Customer, SovereignProvider]
    evidence: {nonExtractable: Tested, origin: Reported, protection: Declared, custody: Declared}   # per fact; some can only ever be Declared
    acceptedBindings: [NodeEnvelope, ProviderEnvelope]
    onRevocation: Report            # Report|Evict
`
)

func TestTheContractsExamplesAreAccepted(t *testing.T) {
	s := start(t)
	for _, text := range []string{inFrance, theCatalogue, whatIsRequired, theKeys} {
		for _, object := range objects(t, []byte(strings.ReplaceAll(text, "namespace: hr", "namespace: "+namespace))) {
			object.SetAPIVersion(v1alpha1.GroupVersion.String()) // which the contract writes once
			t.Run(object.GetKind()+"/"+object.GetName(), func(t *testing.T) {
				t.Parallel()
				if _, err := s.try(t.Context(), object); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A sample that the API server refuses would be the first thing that a reader tries.
func TestEverySampleIsAccepted(t *testing.T) {
	s := start(t)
	for file, texts := range samples(t) {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			for _, text := range texts {
				s.acceptsOurs(t, text)
			}
		})
	}
}

// acceptsOurs tries those objects of a file that are of our kinds.
func (s *server) acceptsOurs(t *testing.T, text []byte) {
	t.Helper()
	for _, object := range objects(t, text) {
		if object.GetAPIVersion() != v1alpha1.GroupVersion.String() {
			continue
		}
		if object.GetNamespace() != "" {
			object.SetNamespace(namespace)
		}
		if _, err := s.try(t.Context(), object); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// samples are the YAML files that are to be applied, and the YAML in the documentation, by file.
func samples(t *testing.T) map[string][][]byte {
	t.Helper()
	root := filepath.Join("..", "..")
	found := map[string][][]byte{}
	for _, folder := range []string{"README.md", "docs", "config/samples", "config/catalog"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(file string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			switch filepath.Ext(file) {
			case ".yaml":
				found[file] = [][]byte{read(t, file)}
			case ".md":
				found[file] = fenced(read(t, file))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// fenced returns the blocks of a page that are YAML.
func fenced(page []byte) [][]byte {
	var blocks [][]byte
	for _, match := range yamlBlock.FindAllSubmatch(page, -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

var yamlBlock = regexp.MustCompile("(?s)\n```yaml\n(.*?\n)```")

// objects are the documents of a text.
func objects(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	var found []*unstructured.Unstructured
	for _, document := range bytes.Split(text, []byte("\n---\n")) {
		content := map[string]any{}
		if err := yaml.Unmarshal(document, &content); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if len(content) > 0 {
			found = append(found, &unstructured.Unstructured{Object: content})
		}
	}
	return found
}

func TestDefaults(t *testing.T) {
	s := start(t)
	defaults := map[string]any{
		"allowedSchedulers": []any{"default-scheduler"}, "schedulerUsers": []any{"system:kube-scheduler"},
		"cloudControllerUsers": []any{"system:serviceaccount:kube-system:cloud-controller-manager", "system:cloud-controller-manager"},
	}
	for sentence, c := range map[string]struct {
		fixture fixture
		text    string
		field   []string
		want    any
	}{
		"a configuration that says nothing":    {terroirConfig(), `metadata: {name: cluster}`, []string{"spec"}, defaults},
		"a configuration that is empty":        {terroirConfig(), `{metadata: {name: cluster}, spec: {}}`, []string{"spec"}, defaults},
		"a configuration of null":              {terroirConfig(), `{metadata: {name: cluster}, spec: {allowedSchedulers: null, schedulerUsers: null, cloudControllerUsers: null}}`, []string{"spec"}, defaults},
		"data may lie on qualified nodes":      {placementPolicy(), `spec: {trustLevels: [a], enforcement: Audit}`, []string{"spec", "nodeLocalStorage"}, "QualifiedNodes"},
		"a runtime class is none's by default": {terroirConfig(), `{metadata: {name: cluster}, spec: {allowedRuntimeClasses: []}}`, []string{"spec", "allowedRuntimeClasses"}, []any{}},
		"stale evidence is told, and no more":  {trustLevel(), `spec: {countries: [FR]}`, []string{"spec", "staleEvidence"}, "Warn"},
		"a probe that says nothing": {
			keyStore(), `spec: {type: Declared, declared: {}}`,
			[]string{"spec", "probe"},
			map[string]any{"from": "Manager", "interval": "5m", "roundTripInterval": "1h", "timeout": "5s", "leaseDuration": "24h"},
		},
		"a probe that says half": {
			keyStore(), `spec: {type: Declared, declared: {}, probe: {interval: 1m, timeout: null}}`,
			[]string{"spec", "probe"},
			map[string]any{"from": "Manager", "interval": "1m", "roundTripInterval": "1h", "timeout": "5s", "leaseDuration": "24h"},
		},
		"revocation is confirmed, and the brake is on": {
			keyStore(), `spec: {type: Declared, declared: {}}`,
			[]string{"spec", "revocation"},
			map[string]any{"confirmations": int64(3), "delay": "15m", "maxKeys": int64(1)},
		},
		"a brake that is always on stays on": {keyStore(), `spec: {type: Declared, declared: {}, revocation: {maxKeys: 0}}`, []string{"spec", "revocation", "maxKeys"}, int64(0)},
		"a mount": {
			keyStore(), `spec: {type: Transit, transit: {address: "https://bao"}, credentialsSecretRef: {name: a}}`,
			[]string{"spec", "transit"},
			map[string]any{"address": "https://bao", "mount": "transit"},
		},
		"what a key must be": {
			encryptionKey(), `spec: {store: a, ref: {declared: {}}}`,
			[]string{"spec", "requirements"},
			map[string]any{"algorithms": []any{"AES"}, "minBits": int64(256), "extractable": "Forbidden", "origin": "GeneratedInStore"},
		},
		"nobody may ask for a key": {encryptionKey(), `spec: {store: a, ref: {declared: {}}}`, []string{"spec", "namespaceSelector"}, nil},
		"what is demanded of volumes": {
			placementPolicy(), `spec: {trustLevels: [a], enforcement: Audit, encryption: {}}`,
			[]string{"spec", "encryption"},
			map[string]any{
				"protection": "HSM", "acceptedBindings": []any{"NodeEnvelope", "ProviderEnvelope"}, "onRevocation": "Report",
				"evidence": map[string]any{"nonExtractable": "Reported", "origin": "Declared", "protection": "Declared", "custody": "Declared"},
			},
		},
		"nothing is demanded of volumes": {placementPolicy(), `spec: {trustLevels: [a], enforcement: Audit}`, []string{"spec", "encryption"}, nil},
		"a spread": {
			placementPolicy(), `spec: {trustLevels: [a], enforcement: Audit, spread: {minSites: 2}}`,
			[]string{"spec", "spread"},
			map[string]any{"minSites": int64(2), "maxSkew": int64(1), "tooFewReplicas": "Warn"},
		},
		"an alternative is about the offer itself": {
			trustLevel(), `spec: {qualifications: [{anyOf: [{framework: f, levels: [l]}]}]}`,
			[]string{"spec", "qualifications"},
			[]any{map[string]any{"anyOf": []any{map[string]any{"framework": "f", "levels": []any{"l"}, "appliesTo": "Offer"}}}},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			stored, err := s.try(t.Context(), c.fixture.object(t, c.text))
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := unstructured.NestedFieldNoCopy(stored.Object, c.field...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("stored is (-want +got):\n%s", diff)
			}
		})
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
