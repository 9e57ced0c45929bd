package kmip_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	kmipgo "github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"
	"github.com/ovh/kmip-go/kmipserver"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/certtest"
	"github.com/terroir-dev/terroir/internal/keystore/kmip"
)

// vault is a KMIP server that keeps keys, and takes them through their lives.
type vault struct {
	authority *certtest.Authority
	identity  certtest.Pair // the server's
	address   string
	executor  *kmipserver.BatchExecutor

	mu      sync.Mutex
	objects map[string]*object
	headers []kmipgo.RequestHeader // of what was asked, Discover Versions excepted
	asked   []kmipgo.Operation
	conns   []net.Conn          // every connection that was ever made
	refuses kmipgo.ResultReason // how modes are refused in which the vault does not encrypt
}

// object is what the vault keeps under an identifier.
type object struct {
	attributes []kmipgo.Attribute
	key        []byte
	refuse     error // why nobody may see it
}

// newVault starts a vault. A test may change what it keeps, and how it answers, between requests.
func newVault(t testing.TB) *vault {
	t.Helper()
	authority := certtest.New(t)
	v := &vault{authority: authority, identity: authority.Server(t, "kmip.example"), objects: map[string]*object{}, executor: kmipserver.NewBatchExecutor(), refuses: kmipgo.ResultReasonInvalidField}
	v.route()
	v.address = listen(t, v.tls(t), v.serve)
	return v
}

// serve answers the questions of one client, by the library's executor. The library's own server is not used: it has data races, and panics, when a
// connection ends while it answers.
func (v *vault) serve(conn net.Conn) {
	v.change(func() { v.conns = append(v.conns, conn) })
	stream := ttlv.NewStream(conn, ttlv.DefaultMaxMessageSize)
	for {
		var question kmipgo.RequestMessage
		if stream.Recv(&question) != nil || stream.Send(v.executor.HandleRequest(context.Background(), &question)) != nil {
			return
		}
	}
}

func (v *vault) tls(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{v.identity.TLS(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: v.authority.Pool(), MinVersion: tls.VersionTLS12}
}

// listen serves connections on a port of its own until the test ends.
func listen(t testing.TB, config *tls.Config, serve func(net.Conn)) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// store is the KeyStore of the vault.
func (v *vault) store(t testing.TB, change ...func(*keystore.Store)) keystore.Store {
	t.Helper()
	return storeAt(v.address, v.authority, v.authority.Client(t, "terroir"), change...)
}

func storeAt(address string, authority *certtest.Authority, client certtest.Pair, change ...func(*keystore.Store)) keystore.Store {
	store := keystore.Store{
		Name: "paris",
		Spec: v1alpha1.KeyStoreSpec{
			Type: v1alpha1.KeyStoreKMIP, KMIP: &v1alpha1.KMIPStore{Endpoint: address},
			TLS: &v1alpha1.KeyStoreTLS{CASecretRef: &v1alpha1.SecretReference{Name: "ca"}, ClientSecretRef: &v1alpha1.SecretReference{Name: "client"}},
		},
		Credentials: keystore.Credentials{CA: authority.Secret(), Client: client.Secret()},
	}
	for _, c := range change {
		c(&store)
	}
	return store
}

func open(t testing.TB, store keystore.Store) keystore.Prober {
	t.Helper()
	prober, err := kmip.Open(store)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(func() { _ = prober.Close() })
	return prober
}

// key is the key of this identifier.
func key(id string) keystore.Key {
	return keystore.Key{Name: "kek", Ref: v1alpha1.KeyReference{KMIP: &v1alpha1.KMIPKey{UniqueID: id}}}
}

// used is the same, to be used.
func used(id string) keystore.Key {
	k := key(id)
	k.RoundTrip = true
	return k
}

// adminAt is a client that may create keys, and end them.
func adminAt(t *testing.T, address string, authority *certtest.Authority, options ...kmipclient.Option) *kmipclient.Client {
	t.Helper()
	pair := authority.Client(t, "admin")
	options = append(options, kmipclient.WithRootCAPem(authority.PEM), kmipclient.WithClientCert(pair.TLS(t)))
	client, err := kmipclient.DialContext(t.Context(), address, options...)
	if err != nil {
		t.Fatalf("connecting as admin: %v", err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func attribute(name kmipgo.AttributeName, value any) kmipgo.Attribute {
	return kmipgo.Attribute{AttributeName: name, AttributeValue: value}
}

// keep puts an object under an identifier.
func (v *vault) keep(id string, attributes ...kmipgo.Attribute) {
	v.change(func() { v.objects[id] = &object{attributes: attributes, key: make([]byte, 32)} })
}

func (v *vault) change(how func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	how()
}

// set sets an attribute of an object, or takes it away if the value is nil.
func (o *object) set(name kmipgo.AttributeName, value any) {
	kept := o.attributes[:0:0]
	for _, a := range o.attributes {
		if a.AttributeName != name {
			kept = append(kept, a)
		}
	}
	if value != nil {
		kept = append(kept, attribute(name, value))
	}
	o.attributes = kept
}

func (o *object) state() kmipgo.State {
	for _, a := range o.attributes {
		if s, ok := a.AttributeValue.(kmipgo.State); ok {
			return s
		}
	}
	return 0
}

// operation routes an operation on one object.
func operation[Q, A kmipgo.OperationPayload](v *vault, op kmipgo.Operation, id func(Q) string, do func(*object, Q) (A, error)) {
	v.executor.Route(op, kmipserver.HandleFunc(func(ctx context.Context, q Q) (A, error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.headers, v.asked = append(v.headers, kmipserver.GetRequestHeader(ctx)), append(v.asked, op)
		var none A
		o, ok := v.objects[id(q)]
		if !ok {
			return none, kmipserver.ErrItemNotFound
		}
		if o.refuse != nil {
			return none, o.refuse
		}
		return do(o, q)
	}))
}

func (v *vault) route() {
	v.executor.Route(kmipgo.OperationCreate, kmipserver.HandleFunc(v.create))
	operation(v, kmipgo.OperationGetAttributes, func(q *payloads.GetAttributesRequestPayload) string { return q.UniqueIdentifier }, func(o *object, q *payloads.GetAttributesRequestPayload) (*payloads.GetAttributesResponsePayload, error) {
		answer := &payloads.GetAttributesResponsePayload{UniqueIdentifier: q.UniqueIdentifier}
		for _, name := range q.AttributeName {
			for _, a := range o.attributes {
				if a.AttributeName == name {
					answer.Attribute = append(answer.Attribute, a)
				}
			}
		}
		return answer, nil
	})
	operation(v, kmipgo.OperationActivate, func(q *payloads.ActivateRequestPayload) string { return q.UniqueIdentifier }, func(o *object, q *payloads.ActivateRequestPayload) (*payloads.ActivateResponsePayload, error) {
		o.set(kmipgo.AttributeNameState, kmipgo.StateActive)
		o.set(kmipgo.AttributeNameActivationDate, time.Now())
		return &payloads.ActivateResponsePayload{UniqueIdentifier: q.UniqueIdentifier}, nil
	})
	operation(v, kmipgo.OperationRevoke, func(q *payloads.RevokeRequestPayload) string { return q.UniqueIdentifier }, func(o *object, q *payloads.RevokeRequestPayload) (*payloads.RevokeResponsePayload, error) {
		if q.RevocationReason.RevocationReasonCode == kmipgo.RevocationReasonCodeKeyCompromise {
			o.set(kmipgo.AttributeNameState, kmipgo.StateCompromised)
			o.set(kmipgo.AttributeNameCompromiseDate, time.Now())
		} else {
			o.set(kmipgo.AttributeNameState, kmipgo.StateDeactivated)
			o.set(kmipgo.AttributeNameDeactivationDate, time.Now())
		}
		return &payloads.RevokeResponsePayload{UniqueIdentifier: q.UniqueIdentifier}, nil
	})
	operation(v, kmipgo.OperationDestroy, func(q *payloads.DestroyRequestPayload) string { return q.UniqueIdentifier }, func(o *object, q *payloads.DestroyRequestPayload) (*payloads.DestroyResponsePayload, error) {
		if o.state() == kmipgo.StateCompromised {
			o.set(kmipgo.AttributeNameState, kmipgo.StateDestroyedCompromised)
		} else {
			o.set(kmipgo.AttributeNameState, kmipgo.StateDestroyed)
		}
		return &payloads.DestroyResponsePayload{UniqueIdentifier: q.UniqueIdentifier}, nil
	})
}

// create makes a key that is said never to leave.
func (v *vault) create(_ context.Context, q *payloads.CreateRequestPayload) (*payloads.CreateResponsePayload, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	id := "key-" + strconv.Itoa(len(v.objects)+1)
	o := &object{key: make([]byte, 32)}
	_, _ = rand.Read(o.key)
	o.attributes = append(o.attributes, q.TemplateAttribute.Attribute...)
	o.attributes = append(o.attributes, attribute(kmipgo.AttributeNameObjectType, q.ObjectType), attribute(kmipgo.AttributeNameState, kmipgo.StatePreActive),
		attribute(kmipgo.AttributeNameInitialDate, time.Unix(1_800_000_000, 0)),
		attribute(kmipgo.AttributeNameSensitive, true), attribute(kmipgo.AttributeNameAlwaysSensitive, true),
		attribute(kmipgo.AttributeNameExtractable, false), attribute(kmipgo.AttributeNameNeverExtractable, true))
	v.objects[id] = o
	return &payloads.CreateResponsePayload{ObjectType: q.ObjectType, UniqueIdentifier: id}, nil
}

// encrypts gives the vault cryptography, of this mode alone.
func (v *vault) encrypts(mode kmipgo.BlockCipherMode) {
	wants := func(p *kmipgo.CryptographicParameters) error {
		if p == nil || p.BlockCipherMode != mode {
			return kmipserver.Errorf(v.refuses, "this vault encrypts in one mode only")
		}
		return nil
	}
	operation(v, kmipgo.OperationEncrypt, func(q *payloads.EncryptRequestPayload) string { return q.UniqueIdentifier }, func(o *object, q *payloads.EncryptRequestPayload) (*payloads.EncryptResponsePayload, error) {
		if err := wants(q.CryptographicParameters); err != nil {
			return nil, err
		}
		answer := &payloads.EncryptResponsePayload{UniqueIdentifier: q.UniqueIdentifier}
		answer.Data, answer.AuthenticatedEncryptionTag = seal(o.key, mode, q.IVCounterNonce, q.Data)
		return answer, nil
	})
	operation(v, kmipgo.OperationDecrypt, func(q *payloads.DecryptRequestPayload) string { return q.UniqueIdentifier }, func(o *object, q *payloads.DecryptRequestPayload) (*payloads.DecryptResponsePayload, error) {
		if err := wants(q.CryptographicParameters); err != nil {
			return nil, err
		}
		plain, err := unseal(o.key, mode, q.IVCounterNonce, q.Data, q.AuthenticatedEncryptionTag)
		return &payloads.DecryptResponsePayload{UniqueIdentifier: q.UniqueIdentifier, Data: plain}, err
	})
}

func seal(key []byte, mode kmipgo.BlockCipherMode, nonce, plain []byte) (data, tag []byte) {
	block, _ := aes.NewCipher(key)
	if mode == kmipgo.BlockCipherModeGCM {
		gcm, _ := cipher.NewGCM(block)
		sealed := gcm.Seal(nil, nonce, plain, nil)
		return sealed[:len(plain)], sealed[len(plain):]
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	for range pad {
		plain = append(plain, byte(pad))
	}
	data = make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, nonce).CryptBlocks(data, plain)
	return data, nil
}

func unseal(key []byte, mode kmipgo.BlockCipherMode, nonce, data, tag []byte) ([]byte, error) {
	block, _ := aes.NewCipher(key)
	if mode == kmipgo.BlockCipherModeGCM {
		gcm, _ := cipher.NewGCM(block)
		plain, err := gcm.Open(nil, nonce, append(data, tag...), nil)
		if err != nil {
			return nil, kmipserver.Errorf(kmipgo.ResultReasonCryptographicFailure, "the tag does not fit")
		}
		return plain, nil
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, nonce).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, kmipserver.Errorf(kmipgo.ResultReasonCryptographicFailure, "the padding does not fit")
	}
	return plain[:len(plain)-pad], nil
}

// fact gives a fact as value/evidence; "" if there is none.
func fact(s keystore.Sighting, name string) string {
	for _, f := range s.Facts {
		if f.Name == name {
			return f.Value + "/" + string(f.Evidence)
		}
	}
	return ""
}
