package scan

import (
	"context"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// unknownServer is a name that no server is called (RFC 6761, Section 6.4).
const unknownServer = "no-such-name.invalid"

// probeSNI finds out what the server does without a name in the hello, and with a name that is not its own. Which
// certificates it has for its own name, one for each kind of key, comes out of the search for suites and schemes.
func probeSNI(ctx context.Context, h *host) {
	o := h.someOffer()
	if o == nil || h.target.name() == "" {
		return
	}
	o.NoSNI = true
	if a, err := h.ask(ctx, o); err != nil {
		h.gap("a hello without a server name", err)
	} else {
		h.learn(o, a)
		h.record(func(f *grade.Facts) { f.Features.SNISplits = grade.AnswerOf(a.refused() || h.onlyNameless()) })
	}
	o = h.someOffer()
	o.Server = unknownServer
	if o.Version >= wire.VersionTLS13 {
		o.Shares, o.Until = []wire.Group{}, untilHello
	}
	a, err := h.ask(ctx, o)
	if err != nil {
		h.gap("a hello with an unknown server name", err)
		return
	}
	h.record(func(f *grade.Facts) { f.Features.StrictSNI = grade.AnswerOf(a.refused()) })
}

// someOffer is a working offer of TLS 1.2, or of the highest version there is.
func (h *host) someOffer() *offer {
	if o := h.working(wire.VersionTLS12); o != nil {
		return o
	}
	if o := h.working(wire.VersionTLS13); o != nil {
		return o
	}
	if v, ok := h.bestOld(); ok {
		return h.working(v)
	}
	return nil
}

// onlyNameless reports whether there is a chain that comes only to those who give no name. The lock is held.
func (h *host) onlyNameless() bool {
	for _, c := range h.chain {
		if c.NoSNI && !c.SNI && len(c.Versions) > 0 && c.Versions[len(c.Versions)-1] > wire.VersionSSL30 {
			return true
		}
	}
	return false
}
