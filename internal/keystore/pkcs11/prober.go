//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// New gives the opener of stores in tokens. It loads the libraries at these paths and no others: whoever may write KeyStores could else have the
// agent run any file that it can reach.
func New(modules []string) keystore.Opener {
	allowed := map[string]*module{}
	for _, path := range modules {
		allowed[path] = newModule(path)
	}
	names := slices.Sorted(slices.Values(modules))
	return func(store keystore.Store) (keystore.Prober, error) {
		if store.Spec.PKCS11 == nil {
			return nil, errors.New("spec.pkcs11 does not say which token it is")
		}
		m, ok := allowed[store.Spec.PKCS11.Module]
		if !ok {
			return nil, fmt.Errorf("this agent may not load the module %s: its flag --pkcs11-module names those that it may, which are now %s",
				store.Spec.PKCS11.Module, listed(names))
		}
		if store.Latch == nil {
			return nil, errors.New("there is no latch that guards the PIN: without it none is tried")
		}
		return &prober{module: m, store: store}, nil
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// prober asks one token. All but its module and store is held by the module's gate.
type prober struct {
	module  *module
	store   keystore.Store
	session *session // nil: not connected
	// untold is what came of a login and could not be written into the latch yet.
	untold *bool
	closed bool
	turn   *turn
}

// turn is one call of Probe. It does not come back while the latch is asked to let a PIN be tried, and after it has come back nobody asks: a latch is
// used by one goroutine at a time.
type turn struct {
	mutex sync.Mutex
	over  bool
}

func (t *turn) end() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.over = true
}

// Probe looks at a key. See [keystore.Prober].
func (p *prober) Probe(ctx context.Context, key keystore.Key) keystore.Sighting {
	if key.Ref.PKCS11 == nil {
		return sightingOf(failed(v1alpha1.OutcomeMisconfigured, "the key's ref has no pkcs11, which its store asks for"))
	}
	t := &turn{}
	defer t.end()
	return p.module.do(ctx, func() keystore.Sighting {
		p.turn = t
		sighting, err := p.look(ctx, key)
		if err != nil {
			return sightingOf(err)
		}
		return sighting
	})
}

// Close ends the session, at once or when the library has come back from the call it is in.
func (p *prober) Close() error {
	p.module.afterwards(func() {
		p.closed = true
		p.disconnect()
	})
	return nil
}

func (p *prober) look(ctx context.Context, key keystore.Key) (keystore.Sighting, error) {
	if p.closed {
		return keystore.Sighting{}, failed(v1alpha1.OutcomeUnreachable, "the connection is closed")
	}
	if p.untold != nil {
		p.tell(ctx, *p.untold)
	}
	if err := p.connect(ctx); err != nil {
		return keystore.Sighting{}, err
	}
	sighting, err := p.session.look(ctx, key)
	// What a library could not answer it is asked anew in a new session. If only the time is over, or the trouble is one key's, nothing is known against this one.
	if err != nil && late(ctx) == nil && sightingOf(err).Outcome == v1alpha1.OutcomeUnreachable {
		p.disconnect()
	}
	return sighting, err
}

// connect sees to a session in which the user is logged in.
func (p *prober) connect(ctx context.Context) error {
	if p.session != nil {
		return nil
	}
	if err := p.module.begin(); err != nil {
		return err
	}
	s, err := open(p.module, *p.store.Spec.PKCS11)
	if err != nil {
		p.module.end()
		return err
	}
	p.session = s
	if err := p.login(ctx); err != nil {
		p.disconnect()
		return err
	}
	return nil
}

func (p *prober) disconnect() {
	if p.session == nil {
		return
	}
	p.session.close()
	p.session = nil
	p.module.end()
}

// tell writes what came of a login into the latch, also when the time for the probe is over: it is needed more than the probe. What cannot be written is
// tried again at the next probe; meanwhile the latch says Trying, and nobody tries.
func (p *prober) tell(ctx context.Context, accepted bool) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	p.untold = nil
	if err := p.store.Latch.Leave(ctx, accepted); err != nil {
		p.untold = &accepted
	}
}
