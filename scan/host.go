package scan

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// host is one address under examination. Its methods are safe for concurrent probes.
type host struct {
	scanner *Scanner
	o       Options
	target  Target
	addr    netip.Addr
	began   time.Time
	door    *door

	mu      sync.Mutex
	f       grade.Facts
	offers  map[wire.Version]*offer // accepted ones
	chain   []*sentChain
	ended   map[string]chan struct{} // one for each probe; closed when it has ended
	session sharedSession
	seen    observations
	known   knowledge
	rich    bool                     // a rich hello was accepted
	ffdhe   bool                     // suites of DHE want the groups of RFC 7919
	base    map[wire.Version]*offer  // how each version was found
	first   map[wire.Version]*answer // and what came
}

// sentChain is a certificate of the server with what it sent along.
type sentChain struct {
	DER      [][]byte
	KeyType  string // "RSA", "ECDSA", "Ed25519", "DSS", "RSA-PSS", "GOST" …
	SNI      bool   // a hello with the server's name got it
	NoSNI    bool   // a hello without a name got it
	Versions []wire.Version
	Staple   []byte // OCSP response of the leaf, DER; nil: none
	SCTs     []byte // the list as it stood in the extension; nil: none
}

func newHost(s *Scanner, t Target, a netip.Addr) *host {
	h := &host{scanner: s, o: s.o, target: t, addr: a, began: s.o.Now(), offers: make(map[wire.Version]*offer),
		base: make(map[wire.Version]*offer), first: make(map[wire.Version]*answer), known: newKnowledge()}
	h.door = newDoor(s.o.Concurrency, s.o.Pace)
	h.f = grade.Facts{
		Schema: grade.FactsSchema, Host: t.Host, Port: t.Port, Address: a.String(), ServerName: t.name(), StartTLS: t.StartTLS,
		Time: h.began, Quick: s.o.Quick,
	}
	return h
}

// record lets f write facts, under the lock.
func (h *host) record(f func(*grade.Facts)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.f)
}

// facts gives what is known by now. It is a shallow copy: a probe reads only what earlier phases wrote.
func (h *host) facts() *grade.Facts {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.f
	return &f
}

// finished gives the facts at the end of the scan.
func (h *host) finished() *grade.Facts {
	h.session.close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.f.Seconds = h.o.Now().Sub(h.began).Seconds()
	h.f.Connections = h.door.made()
	f := h.f
	// What probes found side by side comes in an order of its own each time.
	f.Features.ServerIDs = slices.SortedStableFunc(slices.Values(f.Features.ServerIDs), func(a, b grade.Numbered) int { return cmp.Compare(a.ID, b.ID) })
	f.DH = slices.SortedStableFunc(slices.Values(f.DH), func(a, b grade.DH) int {
		return cmp.Or(cmp.Compare(a.Bits, b.Bits), cmp.Compare(a.Prime, b.Prime), cmp.Compare(a.Generator, b.Generator))
	})
	f.Gaps = slices.SortedStableFunc(slices.Values(f.Gaps), func(a, b grade.Gap) int { return cmp.Compare(a.Probe, b.Probe) })
	return &f
}

// maxGaps bounds the list of gaps.
const maxGaps = 100

// gap notes a question that got no answer.
func (h *host) gap(probe string, err error) {
	if err == nil {
		return
	}
	reason := reasonOf(err)
	h.record(func(f *grade.Facts) {
		g := grade.Gap{Probe: probe, Reason: reason}
		if len(f.Gaps) < maxGaps && !slices.Contains(f.Gaps, g) {
			f.Gaps = append(f.Gaps, g)
		}
	})
}

// reasonOf puts an error into words fit to print.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the time for this host was up"
	case errors.Is(err, context.Canceled):
		return "the scan was stopped"
	}
	const enough = 200
	s := pki.Printable(err.Error())
	if len(s) > enough {
		s = s[:enough] + "…"
	}
	return s
}

// versions gives the versions of TLS and SSL 3.0 that the server offers, ascending. It is known after phase 1.
func (h *host) versions() []wire.Version {
	h.mu.Lock()
	defer h.mu.Unlock()
	var vs []wire.Version
	for _, p := range h.f.Protocols {
		if p.Offered == grade.Yes && p.Version != grade.VersionSSL20 {
			vs = append(vs, p.Version)
		}
	}
	slices.Sort(vs)
	return vs
}

// offersAny reports whether one of these versions is offered.
func (h *host) offersAny(vs ...wire.Version) bool {
	return slices.ContainsFunc(h.versions(), func(v wire.Version) bool { return slices.Contains(vs, v) })
}

// best gives the highest version below TLS 1.3 that is offered; false: none is.
func (h *host) bestOld() (wire.Version, bool) {
	vs := slices.DeleteFunc(h.versions(), func(v wire.Version) bool { return v > wire.VersionTLS12 })
	if len(vs) == 0 {
		return 0, false
	}
	return vs[len(vs)-1], true
}

// suites gives the suites of a version, in the server's order where it has one. It is known after phase 2.
func (h *host) suites(v wire.Version) []wire.CipherSuite {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.f.Protocol(v)
	if p == nil {
		return nil
	}
	ids := make([]wire.CipherSuite, len(p.Suites))
	for i, s := range p.Suites {
		ids[i] = s.ID
	}
	return ids
}

// working gives a fresh offer of version v that the server has accepted: with all of the server's suites once they are
// known, with one of them at least before; nil if there is none.
func (h *host) working(v wire.Version) *offer {
	h.mu.Lock()
	o, ffdhe := h.offers[v], h.ffdhe
	h.mu.Unlock()
	if o == nil {
		return nil
	}
	o = o.clone()
	if ffdhe && v < wire.VersionTLS13 && o.Groups != nil {
		o.Groups = append(o.Groups, ffdheGroups()...)
	}
	if known := h.suites(v); len(known) > 0 {
		o.Suites = known
	}
	return o
}

// useFFDHE makes working offer the groups of RFC 7919, too.
func (h *host) useFFDHE() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ffdhe = true
}

// accepted remembers an offer that was accepted, for working.
func (h *host) accepted(v wire.Version, o *offer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.offers[v] == nil {
		h.offers[v] = o.clone()
	}
}

// chains gives the distinct chains seen so far, by their kinds of keys.
func (h *host) chains() []*sentChain {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedStableFunc(slices.Values(h.chain), func(a, b *sentChain) int {
		return cmp.Or(cmp.Compare(a.KeyType, b.KeyType), slices.CompareFunc(a.DER, b.DER, bytes.Compare))
	})
}
