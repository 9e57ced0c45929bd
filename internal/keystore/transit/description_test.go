package transit

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

// Whatever a server says of a key, nothing is told that it did not say.
func FuzzDescription(f *testing.F) {
	f.Add([]byte(`{"type":"aes256-gcm96","keys":{"1":1442851412},"exportable":false,"allow_plaintext_backup":false,"imported_key":false}`))
	f.Add([]byte(`{"type":"ecdsa-p256","keys":{"2":{"creation_time":"2023-11-14T22:13:20Z","public_key":"PEM"}},"exportable":true}`))
	f.Add([]byte(`{"type":"managed_key","keys":{"x":null}}`))
	f.Add([]byte(`{"keys":{"-1":[]},"imported_key":"no"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d description
		if json.Unmarshal(text, &d) != nil || !d.complete() {
			return
		}
		if is := d.fingerprint([]string{"transit"}, "kek"); is != d.fingerprint([]string{"transit"}, "kek") || !utf8.ValidString(is) || len(is) != 71 {
			t.Errorf("fingerprint %q", is)
		}
		for _, fact := range d.facts() {
			said := map[string]bool{keys.FactNonExtractable: d.Exportable != nil && d.PlaintextBackup != nil, keys.FactOrigin: d.Imported != nil, keys.FactNeverExtractable: false}
			if allowed, conditional := said[fact.Name]; conditional && !allowed || fact.Evidence != v1alpha1.EvidenceReported {
				t.Errorf("told %+v", fact)
			}
		}
	})
}
