package transit

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Types of keys that the server makes.
const (
	AES256    = "aes256-gcm96"
	ECDSAP256 = "ecdsa-p256"
)

// Key says what a key is besides its versions. Tests and the demo change it as an administrator would.
type Key struct {
	// Type is AES256 or ECDSAP256.
	Type string
	// Exportable, PlaintextBackup and Imported are told as they are.
	Exportable, PlaintextBackup, Imported bool
}

type key struct {
	Key

	versions []version // the first is version 1
}

// version is one version of a key: of its parts the one that its type has.
type version struct {
	made   time.Time
	secret cipher.AEAD
	pair   *ecdsa.PrivateKey
}

// Create makes a key. One of the same name is gone.
func (s *Server) Create(name string, k Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := &key{Key: k}
	if err := made.rotate(s.options.Now()); err != nil {
		return err
	}
	s.keys[name] = made
	return nil
}

// Rotate adds a version to a key.
func (s *Server) Rotate(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[name]
	if k == nil {
		return fmt.Errorf("rotating key %s: there is none of that name", name)
	}
	return k.rotate(s.options.Now())
}

// Change changes what a key is.
func (s *Server) Change(name string, change func(*Key)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keys[name]; k != nil {
		change(&k.Key)
	}
}

// Delete deletes a key.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, name)
}

func (k *key) rotate(now time.Time) error {
	v := version{made: now}
	var err error
	switch k.Type {
	case AES256:
		v.secret, err = newAEAD()
	case ECDSAP256:
		v.pair, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		err = fmt.Errorf("the type %q is not known", k.Type)
	}
	if err != nil {
		return fmt.Errorf("making a version of a key: %w", err)
	}
	k.versions = append(k.versions, v)
	return nil
}

func newAEAD() (cipher.AEAD, error) {
	material := make([]byte, 32)
	if _, err := rand.Read(material); err != nil {
		return nil, fmt.Errorf("reading random bytes: %w", err)
	}
	block, err := aes.NewCipher(material)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return aead, nil
}

// question is what the engine is asked; what is not told is empty.
type question struct {
	Plaintext, Ciphertext, Input, Signature string
}

// engine answers what is below the mount.
func (s *Server) engine(r *http.Request, path string) (int, any) {
	action, name, _ := strings.Cut(path, "/")
	k := s.keys[name]
	if k == nil {
		if action == "keys" {
			return failure(http.StatusNotFound)
		}
		return failure(http.StatusBadRequest, "encryption key not found")
	}
	if action == "keys" && r.Method == http.MethodGet {
		return success(k.describe(name))
	}
	var q question
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&q); err != nil {
		return failure(http.StatusBadRequest, "the question is no JSON")
	}
	does := map[string]func(question) (any, error){"encrypt": k.encrypt, "decrypt": k.decrypt, "sign": k.sign, "verify": k.verify}[action]
	if does == nil {
		return failure(http.StatusMethodNotAllowed, "unsupported operation")
	}
	data, err := does(q)
	if err != nil {
		return failure(http.StatusBadRequest, err.Error())
	}
	return success(data)
}

func (k *key) describe(name string) any {
	versions := map[string]any{}
	for i, v := range k.versions {
		versions[strconv.Itoa(i+1)] = v.describe()
	}
	symmetric := k.Type == AES256
	return map[string]any{
		"name": name, "type": k.Type, "keys": versions, "latest_version": len(k.versions), "min_available_version": 0, "min_decryption_version": 1, "min_encryption_version": 0,
		"exportable": k.Exportable, "allow_plaintext_backup": k.PlaintextBackup, "imported_key": k.Imported, "deletion_allowed": false, "derived": false,
		"supports_encryption": symmetric, "supports_decryption": symmetric, "supports_derivation": symmetric, "supports_signing": !symmetric,
	}
}

func (v version) describe() any {
	if v.pair == nil {
		return v.made.Unix()
	}
	der, err := x509.MarshalPKIXPublicKey(v.pair.Public())
	if err != nil {
		return nil
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return map[string]any{"creation_time": v.made.UTC().Format(time.RFC3339Nano), "name": "P-256", "public_key": public}
}

// latest is the newest version with its prefix.
func (k *key) latest() (version, string) {
	return k.versions[len(k.versions)-1], fmt.Sprintf("vault:v%d:", len(k.versions))
}

// version reads which version something is of.
func (k *key) version(text string) (version, []byte, error) {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 || parts[0] != "vault" {
		return version{}, nil, fmt.Errorf("invalid ciphertext: no prefix")
	}
	n, err := strconv.Atoi(strings.TrimPrefix(parts[1], "v"))
	if err != nil || n < 1 || n > len(k.versions) {
		return version{}, nil, fmt.Errorf("invalid ciphertext: version is not known")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return version{}, nil, fmt.Errorf("invalid ciphertext: could not decode base64")
	}
	return k.versions[n-1], raw, nil
}

func (k *key) encrypt(q question) (any, error) {
	v, prefix := k.latest()
	plain, err := base64.StdEncoding.DecodeString(q.Plaintext)
	if err != nil || v.secret == nil {
		return nil, fmt.Errorf("failed to base64-decode plaintext, or the key does not encrypt")
	}
	return map[string]any{"ciphertext": prefix + base64.StdEncoding.EncodeToString(v.secret.Seal(nil, nil, plain, nil)), "key_version": len(k.versions)}, nil
}

func (k *key) decrypt(q question) (any, error) {
	v, raw, err := k.version(q.Ciphertext)
	if err != nil {
		return nil, err
	}
	if v.secret == nil {
		return nil, fmt.Errorf("the key does not decrypt")
	}
	plain, err := v.secret.Open(nil, nil, raw, nil)
	if err != nil {
		return nil, fmt.Errorf("invalid ciphertext: unable to decrypt")
	}
	return map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)}, nil
}

func (k *key) sign(q question) (any, error) {
	v, prefix := k.latest()
	digest, err := digestOf(q.Input)
	if err != nil || v.pair == nil {
		return nil, fmt.Errorf("failed to base64-decode input, or the key does not sign")
	}
	signature, err := v.pair.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return map[string]any{"signature": prefix + base64.StdEncoding.EncodeToString(signature), "key_version": len(k.versions)}, nil
}

func (k *key) verify(q question) (any, error) {
	v, raw, err := k.version(q.Signature)
	if err != nil {
		return nil, err
	}
	digest, err := digestOf(q.Input)
	if err != nil || v.pair == nil {
		return nil, fmt.Errorf("failed to base64-decode input, or the key does not verify")
	}
	return map[string]any{"valid": ecdsa.VerifyASN1(&v.pair.PublicKey, digest, raw)}, nil
}

func digestOf(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("decoding the input: %w", err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}
