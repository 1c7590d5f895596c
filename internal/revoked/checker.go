package revoked

import (
	"context"
	"crypto/x509"
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
	o Options
}

// New makes a checker. A file of CRLs that cannot be read is an error, and so is a URL that is none.
func New(o Options) (*Checker, error) { return &Checker{o: o}, nil }

// Check judges a verified chain, leaf first and root last. The error is an [*Error]. It is answered from memory wherever
// the status of the same chain has been found out before and still holds; else it may take the pool's Patience, or as
// long as ctx allows. Who resumes a session has to ask again.
func (c *Checker) Check(ctx context.Context, chain []*x509.Certificate) error { return nil }

// Watch is Check, and calls revoked once, from a goroutine of its own, should a certificate of the chain be revoked
// before stop is called: with an [*Error]. It keeps no more of the chain than its bytes. stop may be called more than
// once; if err is not nil there is nothing to stop.
func (c *Checker) Watch(ctx context.Context, chain []*x509.Certificate, revoked func(error)) (stop func(), err error) {
	return func() {}, c.Check(ctx, chain)
}

// Close lets go of what is kept for this checker; its watches end. The pool goes on.
func (c *Checker) Close() error { return nil }
