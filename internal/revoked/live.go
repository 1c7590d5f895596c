package revoked

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

const (
	// liveFor is how long what the records said is good without being sure that nothing has changed since.
	liveFor = 2 * time.Second
	// liveAgain is how long after a failure to read the records nobody tries again.
	liveAgain = time.Second
)

// sourceLive is the name of the records in results.
const sourceLive = "the CA's records"

// Live are a CA's own records. [store.Store] is one.
type Live interface {
	// StatusOf gives the state of a serial number; issuer is as in [IssuerKey]. [store.ErrIssuer]: the records are of other
	// CAs; [store.ErrNotFound]: the CA has never given this number out.
	StatusOf(ctx context.Context, issuer [32]byte, serial []byte) (store.Status, error)
	// Follow tells about changes until ctx ends.
	Follow(ctx context.Context, f store.Follower)
}

// follower hears what changes in records.
type follower struct {
	pool    *Pool
	live    Live
	began   time.Time    // what the times below are counted from: so it does not matter if somebody sets the clock
	sure    atomic.Int64 // nanoseconds: until then all changes have been heard; 0: not yet
	problem atomic.Pointer[string]
	tried   atomic.Int64 // nanoseconds: when somebody last asked in spite of a problem
}

func (f *follower) functions() store.Follower {
	return store.Follower{Told: f.told, Sure: f.isSure, Failed: f.failed}
}

func (f *follower) isSure(at time.Time) {
	if f.sure.Swap(max(int64(at.Sub(f.began)), 1)) == 0 {
		f.pool.changed(nil) // what was looked up before may have changed before anything could be heard
	}
	if f.problem.Swap(nil) != nil {
		f.pool.o.Log.Info("the CA's records can be read again")
	}
}

func (f *follower) failed(err error) {
	text := pki.Printable(err.Error())
	if f.problem.Swap(&text) == nil {
		f.pool.o.Log.Error("the CA's records cannot be read", "error", text)
	}
}

// isCurrent reports whether changes are being heard.
func (f *follower) isCurrent() bool {
	sure := f.sure.Load()
	return sure != 0 && time.Since(f.began)-time.Duration(sure) < liveFor
}

// told takes changes up.
func (f *follower) told(changes []store.Change) {
	if len(changes) == 0 {
		f.pool.changed(nil)
		return
	}
	keys, final := make(map[key]bool, len(changes)), make(map[key]memo)
	until := f.pool.o.Now().Add(rememberFor)
	for _, c := range changes {
		k := key{c.Issuer, string(c.Serial)}
		keys[k] = true
		final[k] = memo{c.At, crl.Reason(c.Reason), until, sourceLive}
	}
	f.pool.remember(final)
	f.pool.changed(keys)
}

// remember puts revocations into the journal, and gives those that are new.
func (p *Pool) remember(all map[key]memo) map[key]bool {
	fresh, err := p.journal.remember(all)
	if err != nil {
		p.o.Log.Error("a revocation cannot be written down; it holds until the next start", "error", pki.Printable(err.Error()))
	}
	return fresh
}

// ask asks the records. Where they could not be read a moment ago, nobody is kept waiting by trying that again.
func (f *follower) ask(ctx context.Context, k key) (store.Status, error) {
	if text := f.problem.Load(); text != nil {
		last, now := f.tried.Load(), int64(time.Since(f.began))
		if last != 0 && now-last < int64(liveAgain) || !f.tried.CompareAndSwap(last, now) {
			return store.Status{}, errors.New(*text)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, f.pool.o.Patience/2) // the rest is for CRLs and OCSP
	defer cancel()
	return f.live.StatusOf(ctx, k.issuer, []byte(k.serial))
}

// byLive asks the records about the first certificate of a path. by is whose word it is; nil: they are the records of other
// CAs, or cannot be read, which the note says.
func (p *Pool) byLive(ctx context.Context, path []*x509.Certificate) (r pki.RevocationResult, by *follower, note string) {
	k, ok := keyOf(path)
	if !ok {
		return r, nil, ""
	}
	for _, f := range p.lives {
		st, err := f.ask(ctx, k)
		switch {
		case errors.Is(err, store.ErrIssuer):
			continue
		case errors.Is(err, store.ErrNotFound):
			st.State = store.StateReserved
		case err != nil:
			note = sourceLive + " cannot be read: " + pki.Printable(err.Error())
			continue
		}
		return liveResult(st), f, ""
	}
	return r, nil, note
}

// liveResult puts a record into words.
func liveResult(st store.Status) pki.RevocationResult {
	r := pki.RevocationResult{Source: sourceLive, Section: "RFC 5280, Section 3.3"}
	switch st.State {
	case store.StateIssued:
		r.Status, r.Text = pki.RevocationGood, "is good by "+sourceLive
	case store.StateRevoked, store.StateOnHold:
		r.Status, r.Reason, r.At = pki.RevocationRevoked, crl.Reason(st.Reason), st.At
		verb := "was revoked on"
		if st.State == store.StateOnHold {
			verb = "is on hold since"
		}
		r.Text = fmt.Sprintf("%s %s (%v), say %s", verb, stamp(st.At), r.Reason, sourceLive)
	default:
		r.Text = sourceLive + " know of no such certificate, though it is signed with the CA's key"
	}
	return r
}
