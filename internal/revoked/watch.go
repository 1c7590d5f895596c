package revoked

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// watch is a connection that rests on a chain. There may be many: only bytes are kept, which the connection keeps anyway.
type watch struct {
	ders    [][]byte // without the root
	root    *x509.Certificate
	keys    []key
	revoked func(error)

	mu    sync.Mutex
	state watchState
}

type watchState uint8

const (
	watchOpening watchState = iota // the chain is being judged for the first time
	watchOpen
	watchOver
)

// Watch is Check, and calls revoked once, from a goroutine of its own, should a certificate of the chain be revoked
// before stop is called: with an [*Error]. It keeps no more of the chain than its bytes. stop may be called more than
// once; if err is not nil there is nothing to stop.
func (c *Checker) Watch(ctx context.Context, chain []*x509.Certificate, revoked func(error)) (stop func(), err error) {
	if c.o.Mode == pki.RevocationOff || len(chain) < 2 {
		return func() {}, nil
	}
	w := &watch{root: c.pool.shared(chain[len(chain)-1]), revoked: revoked}
	for i, cert := range chain[:len(chain)-1] {
		w.ders = append(w.ders, cert.Raw)
		if k, ok := keyOf(chain[i:]); ok {
			w.keys = append(w.keys, k)
		}
	}
	// It is on the list before it is judged: what changes from now on is heard of.
	c.mu.Lock()
	c.watches[w] = true
	epoch := c.epoch
	c.mu.Unlock()
	stop = func() { c.unwatch(w) }
	if err := c.Check(ctx, chain); err != nil {
		stop()
		return func() {}, err
	}
	w.mu.Lock()
	if w.state == watchOpening {
		w.state = watchOpen
	}
	w.mu.Unlock()
	c.mu.RLock()
	changed := c.epoch != epoch
	c.mu.RUnlock()
	if changed {
		c.pool.work.Go(func() { c.look(w) })
	}
	return stop, nil
}

func (c *Checker) unwatch(w *watch) {
	c.mu.Lock()
	delete(c.watches, w)
	c.mu.Unlock()
	w.mu.Lock()
	w.state = watchOver
	w.mu.Unlock()
	c.leave()
}

// forget drops what rests on some certificates, nil: everything, and looks again at the connections of these.
func (c *Checker) forget(keys map[key]bool) {
	concerned := func(of []key) bool {
		for _, k := range of {
			if keys[k] {
				return true
			}
		}
		return keys == nil
	}
	var again []*watch
	c.mu.Lock()
	c.epoch++
	for id, v := range c.verdicts {
		if concerned(v.keys) {
			delete(c.verdicts, id)
		}
	}
	for w := range c.watches {
		if concerned(w.keys) {
			again = append(again, w)
		}
	}
	c.mu.Unlock()
	if len(again) == 0 || c.pool.ctx.Err() != nil {
		return
	}
	c.pool.work.Go(func() {
		for _, w := range again {
			c.look(w)
		}
	})
}

// look judges the chain of a connection again. Only a revocation ends it: who cannot be asked at the moment may have good
// reasons.
func (c *Checker) look(w *watch) {
	w.mu.Lock()
	open := w.state == watchOpen
	w.mu.Unlock()
	if !open || c.pool.ctx.Err() != nil {
		return
	}
	chain := make([]*x509.Certificate, 0, len(w.ders)+1)
	for _, der := range w.ders {
		cert, err := cert.ParseX509(der)
		if err != nil {
			return // cannot be: it was parsed before
		}
		chain = append(chain, cert)
	}
	err := c.Check(c.pool.ctx, append(chain, w.root))
	var e *Error
	if !errors.As(err, &e) || !e.Revoked() {
		return
	}
	w.mu.Lock()
	open = w.state == watchOpen
	w.state = watchOver
	w.mu.Unlock()
	if !open {
		return
	}
	c.mu.Lock()
	delete(c.watches, w)
	c.mu.Unlock()
	c.leave()
	w.revoked(err)
}
