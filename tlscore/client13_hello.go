package tlscore

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// clientStart is START of RFC 8446, Appendix A.1: nothing was sent.
type clientStart struct{}

func (clientStart) name() string                  { return "START" }
func (clientStart) expects() []wire.HandshakeType { return nil }
func (clientStart) on(*turn, message) (state, error) {
	return nil, fail(CodeInternal, "message before Start")
}
func (s clientStart) begin(t *turn) (state, error) { return newClientHandshake(t) }

// clientHandshake is what a client knows from its first ClientHello on.
type clientHandshake struct {
	hello      wire.ClientHello
	serverName string
	shares     []suite.KeyShare // in the order sent
	compatible bool             // a legacy_session_id was sent
	changed    bool             // our change_cipher_spec is out
	retry      *helloRetry      // what HelloRetryRequest fixed; nil before

	psk       *clientPSK // offered; nil: none
	offered12 *Session   // of TLS 1.2, offered; nil: none
	early     earlyState // what became of 0-RTT
	resumed   *Session   // the server accepted it; nil: full handshake
}

// helloRetry is what a HelloRetryRequest binds the ServerHello to.
type helloRetry struct {
	suite *suite.Suite
	group wire.Group // zero: it changed no key share
}

// newClientHandshake sends the first ClientHello.
func newClientHandshake(t *turn) (state, error) {
	hs := &clientHandshake{serverName: sniName(t.options.ServerName), compatible: !t.params.c.NoCompatibilityMode && t.params.allows(wire.VersionTLS13)}
	if len(hs.serverName) > maxNameLength {
		return nil, fail(CodeTooLongToSend, "server name of %d bytes", len(hs.serverName))
	}
	randomBytes(hs.hello.Random[:])
	t.facts.ClientRandom = hs.hello.Random
	t.facts.Compatible = hs.compatible
	t.facts.ServerName = hs.serverName
	hs.offerPSK(t)
	switch {
	case hs.offered12 != nil && len(hs.offered12.SessionID) > 0:
		hs.hello.SessionID = hs.offered12.SessionID
	case hs.compatible || hs.offered12 != nil:
		hs.hello.SessionID = make([]byte, 32)
		randomBytes(hs.hello.SessionID)
	}
	if t.params.allows(wire.VersionTLS13) {
		if err := hs.generateShares(t.params.c.KeyShares); err != nil {
			return nil, err
		}
	}
	if t.params.allows(wire.VersionTLS12) && (len(t.params.identities) > 0 || t.params.c.AskIdentity) {
		t.transcript.Keep()
	}
	hs.hello.LegacyVersion = wire.VersionTLS12
	hs.hello.CipherSuites = t.params.c.CipherSuites
	hs.hello.CompressionMethods = []byte{0}
	hs.sendHello(t, nil)
	if hs.early == earlyOffered {
		hs.beginEarlyData(t)
	}
	return expectServerHello{hs}, nil
}

// sendHello sends the ClientHello, the second one with what a HelloRetryRequest brought.
func (hs *clientHandshake) sendHello(t *turn, cookie []byte) {
	hs.hello.Extensions = hs.extensions(t.params, cookie)
	if hs.psk != nil {
		hs.psk.bind(t, &hs.hello)
	}
	t.send(&hs.hello)
}

// generateShares makes a key share per group. A plain share beside its hybrid reuses the hybrid's elliptic-curve key:
// one scalar multiplication less.
func (hs *clientHandshake) generateShares(groups []wire.Group) error {
	hs.shares = hs.shares[:0]
	for _, id := range groups {
		if share := companion(hs.shares, id); share != nil {
			hs.shares = append(hs.shares, share)
			continue
		}
		share, err := suite.GroupByID(id).Generate()
		if err != nil {
			return because(CodeInternal, err)
		}
		hs.shares = append(hs.shares, share)
	}
	return nil
}

func companion(shares []suite.KeyShare, id wire.Group) suite.KeyShare {
	for _, s := range shares {
		if c, ok := suite.Companion(s); ok && c.Group() == id {
			return c
		}
	}
	return nil
}

// extensions builds the extensions of a ClientHello; cookie is what a HelloRetryRequest brought (RFC 8446, Section 4.2.2).
func (hs *clientHandshake) extensions(p *Params, cookie []byte) wire.Extensions {
	es := make(wire.Extensions, 0, len(p.lasting)+6)
	if hs.serverName != "" {
		es.Add(&wire.ServerNames{Names: []wire.ServerName{{Type: 0, Name: []byte(hs.serverName)}}})
	}
	es = append(es, p.lasting...)
	if p.allows(wire.VersionTLS12) && !p.c.NoTickets {
		var ticket wire.SessionTicket
		if hs.offered12 != nil {
			ticket.Ticket = hs.offered12.Ticket
		}
		es.Add(&ticket)
	}
	if !p.allows(wire.VersionTLS13) {
		return es
	}
	if hs.early == earlyOffered {
		es.Add(&wire.EarlyData{})
	}
	if cookie != nil {
		es.Add(&wire.Cookie{Cookie: cookie})
	}
	shares := wire.KeyShares{Entries: make([]wire.KeyShareEntry, len(hs.shares))}
	for i, s := range hs.shares {
		shares.Entries[i] = wire.KeyShareEntry{Group: s.Group(), KeyExchange: s.Public()}
	}
	es.Add(&shares)
	return es
}

// lastingExtensions builds, once for a configuration, the extensions that are the same in each of its ClientHellos.
func (p *Params) lastingExtensions() wire.Extensions {
	var es wire.Extensions
	es.Add(&wire.StatusRequest{Type: wire.StatusTypeOCSP})
	es.Add(&wire.EmptySCT{})
	es.Add(&wire.SupportedGroups{Groups: p.groups()})
	es.Add(&wire.SignatureAlgorithms{Schemes: p.c.Schemes})
	if len(p.c.ALPN) > 0 {
		es.Add(&wire.ALPN{Protocols: p.c.ALPN})
	}
	if p.allows(wire.VersionTLS12) {
		es.Add(&wire.ECPointFormats{Formats: []byte{0}})
		es.Add(&wire.ExtendedMasterSecret{})
		es.Add(&wire.RenegotiationInfo{})
	}
	if !p.allows(wire.VersionTLS13) {
		return es
	}
	if !p.c.NoTickets {
		modes := []wire.PSKKeyExchangeMode{wire.PSKModeDHEKE}
		if p.c.InsecurePSKWithoutDHE {
			modes = append(modes, wire.PSKModeKE)
		}
		es.Add(&wire.PSKKeyExchangeModes{Modes: modes})
	}
	es.Add(&wire.SupportedVersions{Versions: p.versions()})
	return es
}

// share returns our key share of a group, or nil.
func (hs *clientHandshake) share(g wire.Group) suite.KeyShare {
	i := slices.IndexFunc(hs.shares, func(s suite.KeyShare) bool { return s.Group() == g })
	if i < 0 {
		return nil
	}
	return hs.shares[i]
}

// sentChangeCipherSpec sends the compatibility record once, before the second flight (RFC 8446, Appendix D.4).
func (hs *clientHandshake) sendChangeCipherSpec(t *turn) {
	if hs.compatible && !hs.changed {
		hs.changed = true
		t.changeCipherSpec()
	}
}

// offered reports whether our ClientHello carried an extension.
func (hs *clientHandshake) offered(kind wire.ExtensionType) bool {
	_, ok := hs.hello.Extensions.Find(kind)
	return ok
}

// clientKeys is what a client holds from the ServerHello to its Finished.
type clientKeys struct {
	*clientHandshake
	suite          *suite.Suite
	main           keys.Main
	client, server keys.Traffic // of the handshake epoch
	request        *certificateRequest
}

// certificateRequest is what a server's CertificateRequest said.
type certificateRequest struct {
	context []byte
	wanted  wanted
	staples staples
}

// maxNameLength is the longest DNS name (RFC 1035, Section 2.3.4).
const maxNameLength = 255

// sniName is the form of a name that server_name may carry: no IP literals, no trailing dot (RFC 6066, Section 3).
func sniName(name string) string {
	name = strings.TrimSuffix(name, ".")
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return ""
	}
	return name
}
