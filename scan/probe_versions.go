package scan

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// probeVersions asks for each version with a hello that goes no higher, TLS 1.3 first: by then it is known whether
// anybody answers at all, and by TLS 1.2 what a hello that is accepted looks like, so that silence can be told from a no.
func probeVersions(ctx context.Context, h *host) {
	results := make(map[wire.Version]*versionResult)
	first := h.askVersion(ctx, wire.VersionTLS13)
	if first.dial != nil {
		h.unreachable(first.dial)
		return
	}
	results[wire.VersionTLS13] = first
	results[wire.VersionTLS12] = h.askVersion(ctx, wire.VersionTLS12)
	if second := results[wire.VersionTLS12]; first.silent && second.silent || first.raw != nil && second.raw != nil {
		h.record(func(f *grade.Facts) { f.Unreachable = second.reason() })
		return
	}
	var ssl2 *ssl2Result
	var mu sync.Mutex
	var wg sync.WaitGroup
	wg.Go(func() { ssl2 = h.askSSL2(ctx) })
	note := func(v wire.Version, r *versionResult) {
		mu.Lock()
		defer mu.Unlock()
		results[v] = r
	}
	wg.Go(func() { note(wire.VersionTLS11, h.askVersion(ctx, wire.VersionTLS11)) })
	wg.Go(func() {
		newer := h.askVersion(ctx, wire.VersionTLS10)
		note(wire.VersionTLS10, newer)
		// SSL 3.0 has no alert for versions. Who says of TLS 1.0 that it is too old need not be asked about all kinds of suites.
		note(wire.VersionSSL30, h.askFor(ctx, wire.VersionSSL30, newer.tooOld))
	})
	wg.Wait()
	h.askAgain(ctx, results)
	h.recordVersions(results, ssl2)
}

// versionResult is what became of asking for one version.
type versionResult struct {
	offered grade.Answer
	words   string // what the last answer was
	silent  bool   // nothing came in time
	vague   bool   // the refusals say nothing about versions and suites
	tooOld  bool   // the version itself was refused, in so many words
	raw     []byte // the first bytes of something that is not TLS
	dial    error  // there was no connection
	err     error  // why it is unknown
}

// askAgain asks once more for those versions that met with silence before anything was known to work.
func (h *host) askAgain(ctx context.Context, results map[wire.Version]*versionResult) {
	if len(h.versionsSeen()) == 0 {
		return
	}
	for v, r := range results {
		if r.offered == grade.Unknown && !r.silent {
			results[v] = h.askVersion(ctx, v)
		}
	}
}

// askVersion finds out whether a version is offered.
func (h *host) askVersion(ctx context.Context, v wire.Version) *versionResult {
	return h.askFor(ctx, v, false)
}

// askFor finds out whether a version is offered, with the rich hello and the plain one alone where that is enough.
func (h *host) askFor(ctx context.Context, v wire.Version, isBrief bool) *versionResult {
	const brief = 2
	r := &versionResult{offered: grade.No}
	for n, o := range h.versionOffers(v) {
		if isBrief && n == brief && r.err == nil {
			break
		}
		if n > 1 && r.err != nil {
			break // short lists are not answered either
		}
		if n == 1 {
			*r = versionResult{offered: grade.No} // the plainer ones have the say now
		}
		a, err := h.ask(ctx, o)
		if err != nil {
			r.fail(err)
			if r.dial != nil {
				return r
			}
			continue
		}
		r.words = a.words()
		r.vague = a.Outcome == alerted && a.Alert != wire.AlertProtocolVersion && a.Alert != wire.AlertHandshakeFailure && a.Alert != wire.AlertInsufficientSecurity
		h.learn(o, a)
		switch {
		case a.ok(v):
			h.foundVersion(v, o, a, n == 0)
			r.offered = grade.Yes
			return r
		case a.Outcome == accepted: // in another version
			r.words = "chose " + a.Version.String()
			return r
		case a.Outcome == alerted && a.Alert == wire.AlertProtocolVersion:
			r.tooOld = true
			return r
		}
	}
	return r
}

// fail notes that there was no answer.
func (r *versionResult) fail(err error) {
	r.offered, r.err, r.words = grade.Unknown, err, reasonOf(err)
	var silence *silenceError
	if !errors.As(err, &silence) {
		r.dial = err
		return
	}
	r.silent = silence.a.Outcome == timedOut
	if silence.a.Outcome == notTLS {
		r.raw = silence.a.Raw
	}
}

// versionOffers are the hellos to try for a version: the rich one, a plain one, and then plain ones by kinds of key
// exchange, because there are servers that trip over a suite they chose themselves. Where long lists are no trouble these
// are three.
func (h *host) versionOffers(v wire.Version) []*offer {
	offers := []*offer{h.scanner.rich(v), h.scanner.plain(v)}
	if v >= wire.VersionTLS13 {
		return offers
	}
	size := shortList
	if h.takesRich() {
		size = len(h.scanner.old)
	}
	for _, part := range h.parts(h.scanner.old) {
		for list := range slices.Chunk(part, size) {
			o := h.scanner.plain(v)
			o.Suites = slices.Clone(list)
			offers = append(offers, o)
		}
	}
	return offers
}

// takesRich reports whether a rich hello was accepted in any version.
func (h *host) takesRich() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rich
}

// foundVersion remembers how a version was found.
func (h *host) foundVersion(v wire.Version, o *offer, a *answer, isRich bool) {
	lean := h.scanner.lean(v)
	if !isRich {
		lean = o.clone() // who chokes on the one may choke on anything that is longer
	}
	if !slices.Contains(lean.Suites, a.Suite) {
		lean.Suites = append([]wire.CipherSuite{a.Suite}, lean.Suites...)
	}
	h.accepted(v, lean)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rich = h.rich || isRich
	h.base[v] = o.clone()
	h.first[v] = a
}

// recordVersions writes down what was found.
func (h *host) recordVersions(results map[wire.Version]*versionResult, ssl2 *ssl2Result) {
	h.record(func(f *grade.Facts) {
		f.Protocols = append(f.Protocols, grade.Protocol{Version: grade.VersionSSL20, Name: "SSL 2.0", Offered: ssl2.offered, Complete: ssl2.offered != grade.Unknown})
		f.SSL2Kinds = ssl2.kinds
		for v := wire.VersionSSL30; v <= wire.VersionTLS13; v++ {
			p := grade.Protocol{Version: v, Name: v.String(), Offered: results[v].offered}
			p.Complete = p.Offered == grade.No
			f.Protocols = append(f.Protocols, p)
		}
	})
	if ssl2.err != nil {
		h.gap("SSL 2.0", ssl2.err)
	}
	for v := wire.VersionSSL30; v <= wire.VersionTLS13; v++ {
		h.gap(v.String(), results[v].err)
	}
	if ssl2.offered == grade.Yes || len(h.versions()) > 0 {
		return
	}
	h.record(func(f *grade.Facts) {
		f.Unreachable = results[wire.VersionTLS12].reason()
		for i := range f.Protocols {
			// A server that answers everything with, say, internal_error may speak any version on a better day.
			if p := &f.Protocols[i]; results[p.Version] != nil && results[p.Version].vague {
				p.Offered, p.Complete = grade.Unknown, false
			}
		}
	})
}

// reason is why nothing can be found out about a server.
func (r *versionResult) reason() string {
	switch {
	case bytes.HasPrefix(r.raw, []byte("HTTP/")):
		return "what answers does not speak TLS: it speaks plain HTTP"
	case r.raw != nil:
		return "what answers does not speak TLS"
	case r.silent:
		return "connected, and then no answer to a ClientHello"
	}
	return "no version of SSL or TLS could be agreed upon: " + r.words
}

// unreachable notes that there is no connection to be had.
func (h *host) unreachable(err error) {
	words := reasonOf(err)
	var number syscall.Errno
	if errors.As(err, &number) {
		words = number.Error()
	}
	h.record(func(f *grade.Facts) { f.Unreachable = words })
}
