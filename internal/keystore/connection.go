package keystore

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// connection is the prober of a store, and what it was opened with. It is opened anew when the spec or one of the Secrets changes.
type connection struct {
	prober Prober
	latch  *statusLatch // nil where the store's type has none
	with   basis
	// refused is why the store could not be opened. Nil: it could.
	refused error
	// spoiled says that the prober is in nobody knows which state.
	spoiled bool
}

// basis is what a prober depends on. It is comparable.
type basis struct {
	uid                     types.UID
	generation              int64
	credentials, ca, client secretVersion
}

// missing says that a Secret that is needed is not there, or may not be read. People can change that, and then all is well.
type missing struct{ message string }

func (m *missing) Error() string { return m.message }

// connect gives the connection to a store as it is now. An error of type *missing is for people; any other means that nobody can tell, and is temporary.
func (o *Observer) connect(ctx context.Context, store *v1alpha1.KeyStore, before *connection) (*connection, error) {
	credentials, with, err := o.credentials(ctx, store)
	if err != nil {
		return nil, err
	}
	if before != nil && before.with == with && !before.spoiled {
		return before, nil
	}
	before.close(o)
	c := &connection{with: with}
	opened := Store{Name: store.Name, Spec: *store.Spec.DeepCopy(), Credentials: credentials}
	if store.Spec.Type == v1alpha1.KeyStorePKCS11 {
		c.latch = before.latchFor(with)
		if c.latch == nil {
			c.latch = newLatch(o, store.Name, with.credentials)
		}
		opened.Latch = c.latch
	}
	c.prober, c.refused = o.Openers[store.Spec.Type](opened)
	return c, nil
}

// latchFor gives the latch of a connection for one with another basis: what it has not told yet it must tell.
func (c *connection) latchFor(with basis) *statusLatch {
	if c == nil || c.with.uid != with.uid || c.with.credentials != with.credentials {
		return nil
	}
	return c.latch
}

// close ends a connection, if there is one.
func (c *connection) close(o *Observer) {
	if c == nil || c.prober == nil {
		return
	}
	if err := c.prober.Close(); err != nil {
		o.Log.V(1).Info("closing the connection to a key store failed", "error", err)
	}
}

// credentials reads the Secrets that a store names.
func (o *Observer) credentials(ctx context.Context, store *v1alpha1.KeyStore) (Credentials, basis, error) {
	var found Credentials
	with := basis{uid: store.UID, generation: store.Generation}
	tls := store.Spec.TLS
	if tls == nil {
		tls = &v1alpha1.KeyStoreTLS{}
	}
	for _, s := range []struct {
		ref   *v1alpha1.SecretReference
		field string
		data  *map[string][]byte
		is    *secretVersion
	}{
		{store.Spec.CredentialsSecretRef, "spec.credentialsSecretRef", &found.Secret, &with.credentials},
		{tls.CASecretRef, "spec.tls.caSecretRef", &found.CA, &with.ca},
		{tls.ClientSecretRef, "spec.tls.clientSecretRef", &found.Client, &with.client},
	} {
		if s.ref == nil {
			continue
		}
		secret, err := o.secret(ctx, string(s.ref.Name), s.field)
		if err != nil {
			return Credentials{}, basis{}, err
		}
		if not := noCredential(secret); not != "" {
			return Credentials{}, basis{}, &missing{fmt.Sprintf("%s names Secret %s, which is %s, and no key store's; name another", s.field, secret.Name, not)}
		}
		*s.data = secret.Data
		*s.is = secretVersion{name: secret.Name, uid: string(secret.UID), version: secret.ResourceVersion}
	}
	return found, with, nil
}

// noCredential says what a Secret is that is never for a key store, whatever its keys are called: whoever may write KeyStores says to which address it is
// sent, and so would be whom it makes him. Empty: it may be one.
func noCredential(s *corev1.Secret) string {
	switch {
	case s.Name == v1alpha1.CertificateSecret:
		return "the key of Terroir's webhook"
	case s.Type == corev1.SecretTypeServiceAccountToken, s.Annotations[corev1.ServiceAccountNameKey] != "":
		return "the token of a service account"
	case s.Type == corev1.SecretTypeBootstrapToken:
		return "a token by which nodes join the cluster"
	default:
		return ""
	}
}

func (o *Observer) secret(ctx context.Context, name, field string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := o.Live.Get(ctx, types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: name}, secret)
	switch {
	case err == nil:
		return secret, nil
	case apierrors.IsNotFound(err):
		return nil, &missing{fmt.Sprintf("Secret %s, which %s names, does not exist in %s", name, field, v1alpha1.SystemNamespace)}
	case apierrors.IsForbidden(err):
		return nil, &missing{fmt.Sprintf("observer %s may not read Secret %s in %s, which %s names", o.Name, name, v1alpha1.SystemNamespace, field)}
	default:
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
}
