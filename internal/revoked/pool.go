package revoked

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
)

// Bounds on what is kept, and on the work.
const (
	maxLists     = 512  // CRLs at addresses
	maxAnswers   = 8192 // OCSP answers
	maxIssuers   = 256  // certificates of CAs that are shared
	maxVerdicts  = 16384
	maxAtOnce    = 4 // addresses that are asked at the same time, ahead of need
	maxListBytes = 256 << 20

	defaultPatience = 5 * time.Second
)

// PoolOptions say what a [Pool] takes its knowledge from. The zero value knows CRLs in files only.
type PoolOptions struct {
	// Dir is a folder for what was fetched and for which certificates were revoked, so that a restart needs no network;
	// made if it is missing. "": nothing is kept.
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

// Pool is what the checkers of a process share: what was fetched, what the CA's own records say, and the work of keeping
// that up to date. It outlives checkers, whose settings change. Close it after use.
type Pool struct {
	o       PoolOptions
	own     *fetch.Fetcher // for addresses that the operator wrote
	disk    disk
	journal *journal
	lives   []*follower
	silent  silences

	ctx  context.Context // of all work in the background
	stop context.CancelFunc
	work sync.WaitGroup
	kick chan struct{} // something is due earlier than the loop knows

	mu       sync.Mutex
	checkers map[*Checker]bool
	lists    map[string]*list
	answers  map[key]*answer

	sharing sync.Mutex
	issuers map[[32]byte]*x509.Certificate
}

// NewPool makes a pool, reads what is kept in its folder, and starts to follow the live records. The error is that of the
// folder.
func NewPool(o PoolOptions) (*Pool, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	p := &Pool{o: o, disk: disk{o.Dir}, kick: make(chan struct{}, 1), checkers: make(map[*Checker]bool),
		lists: make(map[string]*list), answers: make(map[key]*answer), issuers: make(map[[32]byte]*x509.Certificate)}
	if err := p.disk.prepare(o.Now()); err != nil {
		return nil, fmt.Errorf("keep what is known about revocations: %w", err)
	}
	var err error
	if p.journal, err = openJournal(p.disk.journal(), o.Now()); err != nil {
		return nil, fmt.Errorf("read which certificates were revoked: %w", err)
	}
	p.own = fetch.New(fetch.Options{AllowPrivate: true, Now: o.Now})
	p.ctx, p.stop = context.WithCancel(context.Background())
	for _, l := range o.Live {
		f := &follower{pool: p, live: l, began: time.Now()}
		p.lives = append(p.lives, f)
		p.work.Go(func() { l.Follow(p.ctx, f.functions()) })
	}
	p.work.Go(p.loop)
	return p, nil
}

// Close ends all work in the background. Checkers of the pool must not be used afterwards.
func (p *Pool) Close() error {
	p.stop()
	p.work.Wait()
	p.own.Close()
	return p.journal.close()
}

// loop fetches what is due.
func (p *Pool) loop() {
	for {
		timer := time.NewTimer(p.untilDue())
		select {
		case <-p.ctx.Done():
			timer.Stop()
			return
		case <-p.kick:
			timer.Stop()
		case <-timer.C:
			p.refreshDue()
		}
	}
}

// source is something that is brought up to date ahead of need.
type source interface {
	dueAt() time.Time // zero: never
	refresh(ctx context.Context)
}

// sources lists all there are.
func (p *Pool) sources() []source {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]source, 0, len(p.lists)+len(p.answers))
	for _, l := range p.lists {
		all = append(all, l)
	}
	for _, a := range p.answers {
		all = append(all, a)
	}
	return all
}

// How long the loop waits at most, and at least.
const (
	longestWait  = time.Minute
	shortestWait = 50 * time.Millisecond
)

// untilDue is how long to wait for the first source that is due.
func (p *Pool) untilDue() time.Duration {
	wait, now := longestWait, p.o.Now()
	for _, s := range p.sources() {
		if due := s.dueAt(); !due.IsZero() {
			wait = min(wait, due.Sub(now))
		}
	}
	return max(wait, shortestWait)
}

// refreshDue brings everything up to date that is due.
func (p *Pool) refreshDue() {
	var all sync.WaitGroup
	slots := make(chan struct{}, maxAtOnce)
	now := p.o.Now()
	for _, s := range p.sources() {
		due := s.dueAt()
		if due.IsZero() || due.After(now) || p.ctx.Err() != nil {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			s.refresh(p.ctx)
		})
	}
	all.Wait()
	p.makeRoom()
}

// wake lets the loop look again at what is due.
func (p *Pool) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// shared gives one certificate for all that are equal, so that what is kept of many chains holds their CAs once.
func (p *Pool) shared(c *x509.Certificate) *x509.Certificate {
	id := sha256.Sum256(c.Raw)
	p.sharing.Lock()
	defer p.sharing.Unlock()
	if known, ok := p.issuers[id]; ok {
		return known
	}
	if len(p.issuers) < maxIssuers {
		p.issuers[id] = c
	}
	return c
}

// sharedPath is a path with its CAs shared.
func (p *Pool) sharedPath(path []*x509.Certificate) []*x509.Certificate {
	out := make([]*x509.Certificate, len(path))
	for i, c := range path {
		if out[i] = c; i > 0 {
			out[i] = p.shared(c)
		}
	}
	return out
}

// changed makes all checkers forget what rests on some certificates, and look again at the connections of these. No key at
// all: everything.
func (p *Pool) changed(keys map[key]bool) {
	p.mu.Lock()
	checkers := make([]*Checker, 0, len(p.checkers))
	for c := range p.checkers {
		checkers = append(checkers, c)
	}
	p.mu.Unlock()
	for _, c := range checkers {
		c.forget(keys)
	}
}

// makeRoom lets go of what nobody has used for long.
func (p *Pool) makeRoom() {
	now := p.o.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for place, l := range p.lists {
		if l.idle(now) {
			delete(p.lists, place)
		}
	}
	for k, a := range p.answers {
		if a.idle(now) {
			delete(p.answers, k)
		}
	}
}
