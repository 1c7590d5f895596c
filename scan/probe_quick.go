package scan

import (
	"context"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// quick asks only what one handshake and one small request tell: the version and suite that a client of today gets, the
// chain and its dates, and the HSTS header.
func (h *host) quick(ctx context.Context) {
	o := h.scanner.quickOffer()
	s, err := h.finish(ctx, o)
	if a, ok := refusal(err); ok && a.refused() {
		// The server may have nothing but what is out of use.
		o = h.scanner.rich(wire.VersionTLS12)
		o.Heartbeat, o.EncryptThenMAC, o.TruncatedHMAC, o.NPN, o.MaxFragment, o.Compression = false, false, false, false, 0, nil
		s, err = h.finish(ctx, o)
	}
	if err == nil {
		h.quickFacts(o, s.Answer())
		if !h.scanner.o.TLSOnly && h.speaksHTTP() {
			f := h.requestOver(s)
			h.record(func(facts *grade.Facts) { facts.HTTP, facts.Software = f, f.Server })
		} else if s.Answer().ClientAuth && h.scanner.o.Client != nil && s.Version() >= wire.VersionTLS13 && h.speaksHTTP() {
			h.askIn(s)
		}
		s.Close() // before the next connection: a server may allow one at a time
	} else if a := shownIn(err); a != nil {
		h.quickFacts(o, a)
		what := "handshake"
		if _, isAlert := asAlert(err); isAlert && a.ClientAuth && h.scanner.o.Client != nil {
			what = ClientGap
		}
		h.gap(what, err)
	} else {
		h.unreachable(err)
	}
	if h.scanner.o.AllKeys {
		h.quickKeys(ctx, o)
	}
	h.judgeChains(ctx)
	h.progress("handshake", 1, 1)
}

// ClientGap is what a gap is called that a refused client certificate leaves.
const ClientGap = "client certificate"

// askIn finds out whether our certificate is taken. In TLS 1.3 the refusal comes behind the handshake, and only a request
// has a server that lets us in answer.
func (h *host) askIn(s session) {
	_, err := s.Write([]byte("HEAD / HTTP/1.0\r\n\r\n"))
	if err == nil {
		_, err = s.Read(make([]byte, 1))
	}
	if _, isAlert := asAlert(err); isAlert {
		h.gap(ClientGap, err)
	}
}

// quickOffer is what a client of today sends, with some older suites at the end.
func (s *Scanner) quickOffer() *offer {
	return &offer{
		Version: wire.VersionTLS13, MinVersion: wire.VersionTLS10, Until: untilFlight,
		Suites: slices.Concat(usualSuites13()[:3], s.old[:min(len(s.old), quickSuites)]),
		Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupSecp384r1, wire.GroupSecp521r1, wire.GroupX25519MLKEM768},
		Shares: []wire.Group{wire.GroupX25519}, Schemes: schemes()[:18], PointFormats: []byte{0}, ALPN: []string{"http/1.1"},
		Status: true, SCT: true, EMS: true, RenegotiationInfo: true,
	}
}

// quickSuites is how many old suites the quick hello has.
const quickSuites = 48

// quickFacts notes what the handshake was.
func (h *host) quickFacts(o *offer, a *answer) {
	h.learn(o, a)
	h.record(func(f *grade.Facts) {
		f.Protocols = []grade.Protocol{{
			Version: a.Version, Name: a.Version.String(), Offered: grade.Yes,
			Suites: []grade.Suite{h.suiteFact(a)},
		}}
		if a.Group != 0 {
			f.Groups = addGroup(nil, a.Group, a.Version)
		}
		if a.Scheme != 0 {
			f.Schemes = addScheme(nil, a.Scheme, a.Version)
		}
	})
}
