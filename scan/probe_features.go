package scan

import (
	"context"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// Most features come out of the search for suites, whose hellos ask about them by the way. Here are those that want a hello
// of their own.

// featureProbes are their rows.
func featureProbes() []probe {
	tls13 := func(h *host) bool { return h.offersAny(wire.VersionTLS13) }
	return []probe{
		{name: "server names", phase: phaseFeatures, run: probeSNI},
		{name: "ALPN", phase: phaseFeatures, run: probeALPN, applies: func(h *host) bool {
			return h.offersAny(wire.VersionTLS13, wire.VersionTLS12, wire.VersionTLS11, wire.VersionTLS10)
		}},
		{name: "compressed and raw keys", phase: phaseFeatures, run: probeKeyForms, applies: func(h *host) bool {
			return h.offersAny(wire.VersionTLS13, wire.VersionTLS12)
		}},
		{name: "compression", phase: phaseFeatures, run: probeCompression, applies: func(h *host) bool {
			return h.facts().Features.Compression == grade.Yes
		}},
		{name: "client certificates", phase: phaseFeatures, run: probeClientAuth, applies: func(h *host) bool {
			return h.facts().Features.ClientAuth == grade.Yes
		}},
		{name: "sessions of TLS 1.3", phase: phaseFeatures, run: probeSessions13, applies: tls13},
		{name: "tolerance", phase: phaseFeatures, run: probeTolerance},
	}
}

// protocols are the names of application protocols that are asked about. acme-tls/1 is not: servers answer it with a
// certificate made for the occasion, or break off.
func protocols() []string {
	return []string{"h2", "http/1.1", "http/1.0", "http/0.9", "spdy/3.1", "spdy/3", "spdy/2", "h2c", "grpc-exp", "h3",
		"imap", "pop3", "smtp", "lmtp", "managesieve", "ftp", "xmpp-client", "xmpp-server", "irc", "nntp", "nnsp", "ldap", "postgresql",
		"mysql", "tds/8.0", "mqtt", "coap", "dot", "ntske/1", "sip/2", "stun.turn", "stun.nat-discovery", "webrtc", "c-webrtc", "sunrpc",
		"radius/1.0", "radius/1.1", "rtsp/2.0", "co"}
}

// unknownProtocol is a name that nobody has registered.
const unknownProtocol = "no-such-protocol"

// probeALPN finds the application protocols by elimination. When none is left the server goes on without one, or refuses
// as RFC 7301, Section 3.2 has it.
func probeALPN(ctx context.Context, h *host) {
	o := h.someOffer()
	if o.Version == wire.VersionSSL30 {
		return
	}
	o.Until = untilHello
	if o.Version >= wire.VersionTLS13 {
		o.Until = untilFlight
	}
	var found []string
	strict := grade.Unknown
	for list := protocols(); len(list) > 0; {
		o.ALPN = append(slices.Clone(list), unknownProtocol)
		a, err := h.ask(ctx, o)
		if err != nil {
			h.gap("ALPN", err)
			break
		}
		if a.refused() {
			strict = grade.AnswerOf(a.Outcome == alerted && a.Alert == wire.AlertNoApplicationProtocol)
			break
		}
		name := a.protocol()
		if name == "" {
			strict = grade.No
			break
		}
		if !slices.Contains(list, name) {
			strict = grade.No // it takes any
			break
		}
		found = append(found, name)
		list = without(list, name)
	}
	h.record(func(f *grade.Facts) { f.Features.ALPN, f.Features.StrictALPN = found, strict })
}

// protocol is the application protocol that the server chose; "": none.
func (a *answer) protocol() string {
	data, ok := a.ext(wire.ExtALPN)
	if !ok || len(data) < 3 || int(data[2]) != len(data)-3 {
		return ""
	}
	return string(data[3:])
}

// probeKeyForms asks for a compressed certificate and for a raw public key.
func probeKeyForms(ctx context.Context, h *host) {
	algorithms := []wire.CompressionAlgorithm{wire.CompressionBrotli, wire.CompressionZstd, wire.CompressionZlib}
	for len(algorithms) > 0 {
		o := h.working(wire.VersionTLS13)
		if o != nil {
			o.CertCompression = algorithms
		} else {
			o = h.working(wire.VersionTLS12)
			o.Until, o.RecordLimit = untilHello, 16384
		}
		o.RawPublicKeys = len(algorithms) == 3
		a, err := h.ask(ctx, o)
		if err != nil {
			h.gap("compressed and raw keys", err)
			return
		}
		h.learn(o, a)
		if !slices.Contains(algorithms, a.Compressed) {
			return
		}
		algorithms = without(algorithms, a.Compressed)
	}
}

// probeCompression finds the other compression methods of a server that has one.
func probeCompression(ctx context.Context, h *host) {
	v, ok := h.bestOld()
	if !ok {
		return
	}
	for _, method := range []byte{1, 64} {
		if slices.Contains(h.facts().Features.CompressionMethods, int(method)) {
			continue
		}
		o := h.working(v)
		o.Until, o.Compression = untilHello, []byte{method, 0}
		a, err := h.ask(ctx, o)
		if err != nil {
			h.gap("compression", err)
			return
		}
		h.learn(o, a)
	}
}

// probeClientAuth finds out whether a server that asks for a certificate insists on it.
func probeClientAuth(ctx context.Context, h *host) {
	o := h.someOffer()
	o.PSKModes = true
	must := grade.Unknown
	s, err := h.finish(ctx, o)
	switch {
	case err != nil:
		a, refused := refusal(err)
		if _, isAlert := asAlert(err); isAlert || refused && a.Err != nil && a.Alert != 0 {
			must = grade.Yes // in the middle of the handshake
		} else {
			h.gap("client certificates", err)
		}
	case s.Version() >= wire.VersionTLS13:
		// The refusal comes behind the handshake, if it comes; a server that lets us in waits for a request.
		_, err := s.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		if err == nil {
			_, err = s.Read(make([]byte, 1))
		}
		if _, isAlert := asAlert(err); isAlert {
			must = grade.Yes
		} else {
			must = grade.No
		}
		s.Close()
	default:
		must = grade.No
		s.Close()
	}
	h.record(func(f *grade.Facts) { f.Features.ClientAuthMust = must })
}

// probeSessions13 looks at the tickets of the shared session and takes one of them back to the server.
func probeSessions13(ctx context.Context, h *host) {
	tickets, err := h.tickets13(ctx)
	if err != nil {
		h.gap("sessions of TLS 1.3", err)
		h.record(func(f *grade.Facts) { f.Features.Resumption13, f.Features.EarlyData = grade.Unknown, grade.Unknown })
		return
	}
	if len(tickets) == 0 {
		h.record(func(f *grade.Facts) { f.Features.Resumption13, f.Features.EarlyData = grade.No, grade.No })
		return
	}
	t := tickets[0]
	o := h.working(wire.VersionTLS13)
	o.ALPN, o.Resume13 = []string{"http/1.1"}, t
	resumed := grade.Unknown
	if a, err := h.ask(ctx, o); err != nil {
		h.gap("sessions of TLS 1.3", err)
	} else if a.Outcome == accepted && a.Version >= wire.VersionTLS13 {
		resumed = grade.AnswerOf(a.Resumed)
	}
	h.record(func(f *grade.Facts) {
		f.Features.Resumption13, f.Features.TicketLifetime13 = resumed, int64(t.Lifetime)
		f.Features.EarlyData, f.Features.EarlyDataSize = grade.AnswerOf(t.MaxEarly > 0), int64(t.MaxEarly)
	})
}
