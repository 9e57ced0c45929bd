package transit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// The law of what a description says.
//
// What it does not mention is not known. The engine tells whether a key can be exported now, and an administrator may allow it at any time: that it never could
// nobody can tell. Keys of the engine are a program's, whatever seals the server; a managed key lies elsewhere, and nothing is said of where.
// Rotation adds a version to the same key, which goes on reading what the earlier ones wrote. Whether versions may be deleted is no state of the key.

// description is the data of a key, as far as it is read.
type description struct {
	Type             string                     `json:"type"`
	Keys             map[string]json.RawMessage `json:"keys"`
	Exportable       *bool                      `json:"exportable"`
	PlaintextBackup  *bool                      `json:"allow_plaintext_backup"`
	Imported         *bool                      `json:"imported_key"`
	SoftDeleted      bool                       `json:"soft_deleted"`
	Derived          bool                       `json:"derived"`
	SupportsEncrypt  bool                       `json:"supports_encryption"`
	SupportsDecrypt  bool                       `json:"supports_decryption"`
	SupportsSignings bool                       `json:"supports_signing"`
}

// version is one of a pair's versions. Of symmetric keys there is the time alone, in seconds.
type version struct {
	CreationTime string `json:"creation_time"`
	PublicKey    string `json:"public_key"`
}

// complete reports whether it is the description of a key at all.
func (d *description) complete() bool {
	_, ok := d.first()
	return d.Type != "" && ok
}

// first is the oldest version that is there.
func (d *description) first() (string, bool) {
	var numbers []int
	for text := range d.Keys {
		n, err := strconv.Atoi(text)
		if err != nil {
			return "", false
		}
		numbers = append(numbers, n)
	}
	if len(numbers) == 0 {
		return "", false
	}
	n := slices.Min(numbers)
	return fmt.Sprintf("%d:%s", n, made(d.Keys[strconv.Itoa(n)])), true
}

// made says when a version was made, and its public key if it has one.
func made(text json.RawMessage) string {
	var v version
	if json.Unmarshal(text, &v) == nil {
		return v.CreationTime + ":" + v.PublicKey
	}
	return string(text)
}

// fingerprint tells this key from any other by its name. The oldest version stays when the key is rotated, and is another one when it was deleted and made
// again. If old versions are taken out of use the key cannot read any more what they wrote, and counts as another one.
func (d *description) fingerprint(mount []string, name string) string {
	first, _ := d.first()
	text, _ := json.Marshal([]string{"transit", strings.Join(mount, "/"), name, d.Type, first}) // strings can always be encoded
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (d *description) facts() []keystore.Fact {
	var facts []keystore.Fact
	say := func(name, value string) {
		facts = append(facts, keystore.Fact{Name: name, Value: value, Evidence: v1alpha1.EvidenceReported})
	}
	algorithm, bits := algorithmOf(d.Type)
	say(keys.FactAlgorithm, algorithm)
	if bits > 0 {
		say(keys.FactBits, strconv.Itoa(bits))
	}
	if d.Exportable != nil && d.PlaintextBackup != nil {
		say(keys.FactNonExtractable, strconv.FormatBool(!*d.Exportable && !*d.PlaintextBackup))
	}
	if d.Imported != nil {
		say(keys.FactOrigin, map[bool]string{true: keys.OriginImported, false: keys.OriginGenerated}[*d.Imported])
	}
	if d.Type != "managed_key" {
		say(keys.FactProtection, string(v1alpha1.ProtectionSoftware))
	}
	if d.SoftDeleted {
		say(keys.FactState, keys.StateDeactivated)
	}
	return facts
}

// algorithmOf reads a type of the engine. Of one that is not known the engine's own word is told, and no length.
func algorithmOf(kind string) (string, int) {
	known := map[string]struct {
		algorithm v1alpha1.KeyAlgorithm
		bits      int
	}{
		"aes128-gcm96": {v1alpha1.AlgorithmAES, 128}, "aes256-gcm96": {v1alpha1.AlgorithmAES, 256},
		"chacha20-poly1305": {v1alpha1.AlgorithmChaCha20, 256}, "xchacha20-poly1305": {v1alpha1.AlgorithmChaCha20, 256},
		"rsa-2048": {v1alpha1.AlgorithmRSA, 2048}, "rsa-3072": {v1alpha1.AlgorithmRSA, 3072}, "rsa-4096": {v1alpha1.AlgorithmRSA, 4096},
		"ecdsa-p256": {v1alpha1.AlgorithmEC, 256}, "ecdsa-p384": {v1alpha1.AlgorithmEC, 384}, "ecdsa-p521": {v1alpha1.AlgorithmEC, 521},
		"ed25519": {v1alpha1.AlgorithmEC, 256},
	}
	if k, ok := known[kind]; ok {
		return string(k.algorithm), k.bits
	}
	return kind, 0
}
