package revoked

import (
	"context"
	"crypto/x509"
	"sync"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// Options are the rules of one [Checker]. Pool is needed.
type Options struct {
	Pool *Pool
	// Mode says what follows from a status that cannot be found out. A CA's certificate whose status nobody offers to tell
	// is let pass even where the mode is hard.
	Mode pki.RevocationMode
	// CRLs are files and http URLs of CRLs, in addition to what certificates name. Files are read again when they change.
	// These addresses are the operator's: private ones are asked too.
	CRLs []string
	// ShortLived frees leaves with at most this lifetime from having a status; 0: none.
	ShortLived time.Duration
}

// Checker says of verified chains whether they are still good. It may be used concurrently.
type Checker struct {
	o     Options
	pool  *Pool
	lists []*list // of Options.CRLs

	mu       sync.RWMutex
	epoch    int // counts how often something was forgotten, so that a verdict that was being found meanwhile is not kept
	verdicts map[[32]byte]*verdict
	watches  map[*watch]bool
	closed   bool // Close was called
}

// verdict is what was found out about a chain.
type verdict struct {
	err   *Error    // nil: it may come in
	until time.Time // it has to be found out again then
	by    []*follower
	keys  []key // of the certificates of the chain
}

// How long verdicts hold at most: those that know, and those that do not.
const (
	verdictFor = time.Hour
	unknownFor = time.Second
)

// New makes a checker. A file of CRLs that cannot be read is an error, and so is a URL that is none.
func New(o Options) (*Checker, error) {
	c := &Checker{o: o, pool: o.Pool, verdicts: make(map[[32]byte]*verdict), watches: make(map[*watch]bool)}
	for _, place := range o.CRLs {
		l, err := c.pool.ownList(place)
		if err != nil {
			c.unpin()
			return nil, err
		}
		c.lists = append(c.lists, l)
	}
	c.pool.mu.Lock()
	c.pool.checkers[c] = true
	c.pool.mu.Unlock()
	return c, nil
}

func (c *Checker) unpin() {
	for _, l := range c.lists {
		l.unpin()
	}
}

// Close lets go of what is kept for this checker, as soon as no watch needs it any more: connections outlive settings. The
// pool goes on.
func (c *Checker) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.leave()
	return nil
}

// leave lets go of a checker that is closed and watches nothing.
func (c *Checker) leave() {
	c.mu.RLock()
	over := c.closed && len(c.watches) == 0
	c.mu.RUnlock()
	if !over {
		return
	}
	c.pool.mu.Lock()
	open := c.pool.checkers[c]
	delete(c.pool.checkers, c)
	c.pool.mu.Unlock()
	if open {
		c.unpin()
	}
}

// Check judges a verified chain, leaf first and root last. The error is an [*Error]. It is answered from memory wherever
// the status of the same chain has been found out before and still holds; else it may take the pool's Patience, or as
// long as ctx allows. Who resumes a session has to ask again.
func (c *Checker) Check(ctx context.Context, chain []*x509.Certificate) error {
	if c.o.Mode == pki.RevocationOff || len(chain) < 2 {
		return nil // what is trusted itself has no status: RFC 5280, Section 6.1
	}
	id := chainID(chain)
	now := c.pool.o.Now()
	c.mu.RLock()
	v, epoch := c.verdicts[id], c.epoch
	c.mu.RUnlock()
	if v == nil || !v.holds(now) {
		v = c.judge(ctx, chain)
		c.keep(id, v, epoch)
	}
	if v.err != nil {
		return v.err
	}
	return nil
}

// holds reports whether a verdict need not be found again.
func (v *verdict) holds(now time.Time) bool {
	for _, f := range v.by {
		if !f.isCurrent() {
			return false
		}
	}
	return now.Before(v.until)
}

func (c *Checker) keep(id [32]byte, v *verdict, epoch int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != epoch {
		return // something has changed since it was looked up
	}
	if len(c.verdicts) >= maxVerdicts {
		n := 0
		for old := range c.verdicts { // any will do
			delete(c.verdicts, old)
			if n++; n == maxVerdicts/16 {
				break
			}
		}
	}
	c.verdicts[id] = v
}

// judge finds out about every certificate of a chain but the root.
func (c *Checker) judge(ctx context.Context, chain []*x509.Certificate) *verdict {
	ctx, cancel := context.WithTimeout(ctx, c.pool.o.Patience)
	defer cancel()
	v := &verdict{until: c.pool.o.Now().Add(verdictFor)}
	found := make(map[key]memo)
	for depth := range chain[:len(chain)-1] {
		path := chain[depth:]
		if k, ok := keyOf(path); ok {
			v.keys = append(v.keys, k)
		}
		q := &inquiry{checker: c, pool: c.pool, path: path, verdict: v}
		r := q.status(ctx)
		r.Depth = depth
		if r.Subject == "" {
			r.Subject = pki.Name(path[0].Subject)
		}
		if k, ok := keyOf(path); ok && r.Status == pki.RevocationRevoked && r.Source != sourceMemory {
			found[k] = memo{r.At, r.Reason, path[0].NotAfter, r.Source}
		}
		if q.refuses(&r) {
			v.err = refusal(path[0], r)
			break
		}
	}
	if fresh := c.pool.remember(found); len(fresh) > 0 {
		c.pool.changed(fresh) // others may rest on the same certificate
	}
	return v
}
