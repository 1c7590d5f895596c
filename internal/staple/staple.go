package staple

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/pki"
)

// Options say how responses are kept.
type Options struct {
	// Dir is where they are kept over a restart; made if it is missing. "": nowhere.
	Dir string
	// Fetcher asks the responders. Nil: nobody is asked, and only what is on disk is sent.
	Fetcher *fetch.Fetcher
	// Issuers are certificates to find a leaf's issuer among, where its chain does not hold it.
	Issuers []*x509.Certificate
	// Changed is called, from a goroutine of its own, when Staple gives something else for a chain than before: a newer
	// response, or none any more. The chain may be the upper part of one that Staples was asked for. Nil: nobody is told.
	Changed func(chain [][]byte)
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// maxChains bounds how many chains are kept; more go without.
const maxChains = 100_000

// maxAtOnce is how many responders are asked at the same time.
const maxAtOnce = 4

// Keeper keeps responses. It may be used concurrently. Close it after use.
type Keeper struct {
	o    Options
	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	kick chan struct{} // something is due earlier than the loop knows

	mu     sync.Mutex
	closed bool
	leaves map[[32]byte]*leaf // by the digest of the certificate
}

// New makes a keeper. The error is that of its folder.
func New(o Options) (*Keeper, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("keep OCSP responses: %w", err)
		}
	}
	k := &Keeper{o: o, kick: make(chan struct{}, 1), leaves: make(map[[32]byte]*leaf)}
	k.ctx, k.stop = context.WithCancel(context.Background())
	k.work.Go(k.loop)
	return k, nil
}

// Close ends all work in the background. What is kept is still given out, as long as it is in force.
func (k *Keeper) Close() error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.stop()
	k.work.Wait()
	return nil
}

// Staple gives the response for the leaf of a chain (DER, leaf first): one that was verified and is in force and says
// good; nil: there is none. It asks nobody and never waits. A chain that is new is looked up on disk, and from then on its
// response is fetched ahead, until [Keeper.Retain] leaves it out.
func (k *Keeper) Staple(chain [][]byte) []byte {
	if len(chain) == 0 {
		return nil
	}
	l := k.leafOf(chain)
	if l == nil {
		return nil
	}
	return l.current(k.o.Now())
}

// Staples gives the responses for the certificates of a chain, leaf first, as [Keeper.Staple] does for each: TLS 1.3 sends
// one along with each (RFC 8446, Section 4.4.2.1). A root that was put into the chain goes without. nil: there is none.
func (k *Keeper) Staples(chain [][]byte) (staples [][]byte) {
	for i := range chain {
		der := k.Staple(chain[i:])
		if der == nil {
			continue
		}
		if staples == nil {
			staples = make([][]byte, len(chain))
		}
		staples[i] = der
	}
	return staples
}

// leafOf gives what is kept for a chain, made if it is new. Nil: there are too many.
func (k *Keeper) leafOf(chain [][]byte) *leaf {
	id := sha256.Sum256(chain[0])
	k.mu.Lock()
	l, ok := k.leaves[id]
	full := len(k.leaves) >= maxChains
	k.mu.Unlock()
	if ok || full {
		return l
	}
	fresh := k.newLeaf(id, chain)
	k.mu.Lock()
	if l, ok = k.leaves[id]; !ok {
		l = fresh
		k.leaves[id] = l
	}
	k.mu.Unlock()
	if !ok {
		k.wake()
	}
	return l
}

// Retain forgets all chains but these, and the certificates above their leaves.
func (k *Keeper) Retain(chains ...[][]byte) {
	keep := make(map[[32]byte]bool, len(chains))
	for _, c := range chains {
		for _, der := range c {
			keep[sha256.Sum256(der)] = true
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.leaves {
		if !keep[id] {
			delete(k.leaves, id)
		}
	}
}

// all lists what is kept.
func (k *Keeper) all() []*leaf {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]*leaf, 0, len(k.leaves))
	for _, l := range k.leaves {
		list = append(list, l)
	}
	return list
}

// isKept reports whether a leaf has not been left out meanwhile.
func (k *Keeper) isKept(l *leaf) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.leaves[l.id] == l && !k.closed
}

func (k *Keeper) wake() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

// How long the loop waits at most, and at least.
const (
	longestWait  = time.Minute
	shortestWait = 50 * time.Millisecond
)

// loop fetches what is due, and drops what is over.
func (k *Keeper) loop() {
	for {
		timer := time.NewTimer(k.untilDue())
		select {
		case <-k.ctx.Done():
			timer.Stop()
			return
		case <-k.kick:
			timer.Stop()
		case <-timer.C:
		}
		k.refreshDue()
	}
}

func (k *Keeper) untilDue() time.Duration {
	wait, now := longestWait, k.o.Now()
	for _, l := range k.all() {
		if at := l.dueAt(); !at.IsZero() {
			wait = min(wait, at.Sub(now))
		}
	}
	return max(wait, shortestWait)
}

// refreshDue sees to everything that is due.
func (k *Keeper) refreshDue() {
	var all sync.WaitGroup
	slots := make(chan struct{}, maxAtOnce)
	now := k.o.Now()
	for _, l := range k.all() {
		at := l.dueAt()
		if at.IsZero() || at.After(now) || k.ctx.Err() != nil {
			continue
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			k.refresh(l)
		})
	}
	all.Wait()
}

// refresh asks for the next response of a leaf, and tells whoever serves it if something has changed.
func (k *Keeper) refresh(l *leaf) {
	before := l.told()
	l.expire(k.o.Now())
	if k.o.Fetcher != nil && l.wantsFetch(k.o.Now()) {
		if err := k.fetch(k.ctx, l); err != nil && k.ctx.Err() == nil {
			if l.fail(k.o.Now(), err) {
				k.o.Log.Warn("no OCSP response to send along", "certificate", l.name, "error", l.trouble())
			}
		}
	}
	if after := l.told(); !slices.Equal(before, after) && k.o.Changed != nil && k.isKept(l) {
		k.o.Changed(l.chain)
	}
}

// Status is how things stand for one chain.
type Status struct {
	Leaf       *x509.Certificate
	Responders []string // what the leaf names; none: there is nothing to staple
	MustStaple bool     // clients refuse the leaf without a response (RFC 7633)
	ThisUpdate time.Time
	NextUpdate time.Time // zero: there is no response
	Next       time.Time // when the next one is asked for; zero: never
	Revoked    bool      // the responder says so: the certificate has to be replaced
	Problem    string    // why the last attempt failed, fit to print; "": it did not
}

// Status lists all chains that are kept, in the order in which their certificates end.
func (k *Keeper) Status() []Status {
	var list []Status
	for _, l := range k.all() {
		if l.cert != nil {
			list = append(list, l.status())
		}
	}
	slices.SortFunc(list, func(a, b Status) int {
		return cmp.Or(a.Leaf.NotAfter.Compare(b.Leaf.NotAfter), a.Leaf.SerialNumber.Cmp(b.Leaf.SerialNumber))
	})
	return list
}

// errNoIssuer says that nobody can be asked about a leaf.
var errNoIssuer = errors.New("the certificate of its issuer is not at hand")

// printable puts an error into one line that can be shown.
func printable(err error) string { return pki.Printable(err.Error()) }
