package api_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

func keyObservation() fixture {
	const fact, nameRule = "spec.facts[0]", "metadata.name must be the key's name, a dot, and the observer's"
	return fixture{
		kind: "KeyObservation",
		minimal: `
metadata: {name: api-test.manager}
spec: {key: api-test, keyUID: 7d1f, store: api-test, observer: manager, outcome: Unreachable, since: "2026-11-01T00:00:00Z"}`,
		full: `
metadata: {name: health-kek.par-1}
spec:
  key: health-kek
  keyUID: 7d1f
  store: paris-hsm
  observer: par-1
  outcome: Found
  message: It is there.
  since: "2026-11-01T00:00:00Z"
  lastFound: "2026-11-01T00:00:00Z"
  fingerprint: "` + someDigest + `"
  facts: [{name: bits, value: "256", evidence: Reported, since: "2026-11-01T00:00:00Z"}]`,
		refused: all(
			required("spec", "spec.key", "spec.keyUID", "spec.store", "spec.observer", "spec.outcome", "spec.since"),
			cases{
				"the name of another key's":    {set("metadata.name", "payroll-kek.par-1"), "", nameRule},
				"the name of another observer": {set("metadata.name", "health-kek.par-2"), "", nameRule},
				"the store's name is too long": {set("spec.store", strings.Repeat("a", 64)), "spec.store", "must be the name of a KeyStore, which has at most 63 characters"},
				"no Zone has so long a name":   {set("spec.observer", strings.Repeat("a", 64)), "spec.observer", "must be manager, agent, or the name of a Zone, which has at most 63 characters"},
			},
			keyName("spec.key"),
			text("spec.keyUID", 1, 64),
			objectName("spec.store"),
			objectName("spec.observer"),
			choice("spec.outcome", "Found", "NotFound", "Ambiguous", "Destroyed", "Forbidden", "Unreachable", "Unauthenticated", "Misconfigured"),
			text("spec.message", 0, 512),
			moment("spec.since"),
			moment("spec.lastFound"),
			text("spec.fingerprint", 0, 71),
			wrong("spec.fingerprint", "must be a fingerprint: sha256: and 64 hexadecimal digits", "", someSHA256, "sha256:"+strings.Repeat("A", 64)),
			setOf("spec.facts", 32, "name"),
			required(fact+".name", fact+".value", fact+".evidence", fact+".since"),
			text(fact+".name", 1, 32),
			text(fact+".value", 0, 256),
			choice(fact+".evidence", "Declared", "Reported", "Tested", "Attested"),
			wrong(fact+".evidence", "must be Reported or Tested: what is declared stands in the KeyStore, and no store is asked for attestations", "Declared", "Attested"),
			moment(fact+".since"),
		),
		frozen: cases{
			"the same key in another store": {set("spec.store", "other"), "spec.store", "the store cannot be changed: it is that of the key, and the key is the same"},
			"it becomes another key's":      {set("spec.key", "other"), "", nameRule},
			"it becomes another observer's": {set("spec.observer", "par-1"), "", nameRule},
		},
		accepted: accepted{
			"a Zone whose name has dots": both(set("spec.observer", "par.1"), set("metadata.name", "health-kek.par.1")),
			"nothing was seen":           both(without("spec.facts"), without("spec.fingerprint")),
		},
	}
}

// A key that was deleted and created anew may be in another store. Its observer goes on under the same name.
func TestAnObservationFollowsItsKeyToAnotherStore(t *testing.T) {
	s := start(t)
	object := s.store(t, keyObservation(), "moved")
	set("spec.keyUID", "8e2a")(object.Object)
	set("spec.store", "other")(object.Object)
	if err := s.client.Update(t.Context(), object, client.DryRunAll); err != nil {
		t.Error(err)
	}
}
