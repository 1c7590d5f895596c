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

	serverType, clientType wire.CertificateType // that the server chose

	psk       *clientPSK   // of a session, offered; nil: none
	psks      []*clientPSK // all that are offered, in order: psk, then external ones
	keyed     *pskEntry    // the external PSK that the server accepted; nil: none
	offered12 *Session     // of TLS 1.2, offered; nil: none
	early     earlyState   // what became of 0-RTT
	resumed   *Session     // the server accepted it; nil: full handshake

	ech     *clientECH // offered (RFC 9849); nil: not
	variety variety
	id      [32]byte        // memory of hello.SessionID
	echSent *wire.Extension // encrypted_client_hello, to be repeated as it is; nil: none
}

// helloRetry is what a HelloRetryRequest binds the ServerHello to.
type helloRetry struct {
	suite *suite.Suite
	group wire.Group // zero: it changed no key share
}

// newClientHandshake sends the first ClientHello.
func newClientHandshake(t *turn) (state, error) {
	hs := &clientHandshake{serverName: sniName(t.options.ServerName), compatible: !t.params.c.NoCompatibilityMode && t.params.allows(wire.VersionTLS13)}
	hs.variety = newVariety(&t.params.c)
	if len(hs.serverName) > maxNameLength {
		return nil, fail(CodeTooLongToSend, "server name of %d bytes", len(hs.serverName))
	}
	if err := hs.offerECH(t); err != nil {
		return nil, err
	}
	randomBytes(hs.hello.Random[:])
	t.facts.ClientRandom = hs.hello.Random
	t.facts.Compatible = hs.compatible
	t.facts.ServerName = hs.serverName
	hs.offerPSK(t)
	hs.offerExternal(t)
	switch {
	case hs.offered12 != nil && len(hs.offered12.SessionID) > 0:
		hs.hello.SessionID = hs.offered12.SessionID
	case hs.compatible || hs.offered12 != nil:
		randomBytes(hs.id[:])
		hs.hello.SessionID = hs.id[:]
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
	hs.hello.CipherSuites = hs.variety.suites(t.params.c.CipherSuites)
	hs.hello.CompressionMethods = []byte{0}
	if err := hs.sendHello(t, nil); err != nil {
		return nil, err
	}
	if hs.early == earlyOffered {
		hs.beginEarlyData(t)
	}
	hs.promiseEarlyExporter(t)
	return expectServerHello{hs}, nil
}

// sendHello sends the ClientHello, the second one with what a HelloRetryRequest brought.
func (hs *clientHandshake) sendHello(t *turn, cookie []byte) error {
	if hs.ech != nil && !hs.echRejected() {
		hs.sendHellos(t, cookie)
		return nil
	}
	hs.hello.Extensions = hs.extensions(t.params, cookie)
	if err := hs.addECH(t); err != nil {
		return err
	}
	if len(hs.psks) > 0 {
		hs.bindPSKs(t)
	}
	t.send(&hs.hello)
	return nil
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
		names := wire.ServerNames{Names: []wire.ServerName{{Name: []byte(hs.serverName)}}} // of type host_name
		es = append(es, wire.Extension{Type: names.Extension(), Data: names.AppendBody(make([]byte, 0, 5+len(hs.serverName)))})
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
		return hs.variety.extensions(es, true)
	}
	if hs.early == earlyOffered {
		es.Add(&wire.EarlyData{})
	}
	if cookie != nil {
		es.Add(&wire.Cookie{Cookie: cookie})
	}
	var room [3]wire.KeyShareEntry // more do not stand in its way
	shares, size := wire.KeyShares{Entries: room[:0]}, 2
	for _, s := range hs.shares {
		e := wire.KeyShareEntry{Group: s.Group(), KeyExchange: s.Public()}
		shares.Entries, size = append(shares.Entries, e), size+4+len(e.KeyExchange)
	}
	es = append(es, wire.Extension{Type: wire.ExtKeyShare, Data: shares.AppendBody(make([]byte, 0, size))})
	return hs.variety.extensions(es, hs.retry == nil || hs.retry.group == 0)
}

// lastingExtensions builds, once for a configuration, the extensions that are the same in each of its ClientHellos.
func (p *Params) lastingExtensions() wire.Extensions {
	var es wire.Extensions
	if !p.insists {
		p.c.addStaples(&es, RoleClient)
	}
	es.Add(&wire.SupportedGroups{Groups: p.groups()})
	if !p.insists { // RFC 8446, Section 9.2: who offers a pre-shared key may leave it out
		es.Add(&wire.SignatureAlgorithms{Schemes: p.c.Schemes})
	}
	if types := p.c.PeerCertificateTypes; !onlyX509(types) && !p.insists {
		es.Add(&wire.ServerCertificateTypes{Types: types})
	}
	if types := p.c.OwnCertificateTypes; !onlyX509(types) && !p.insists {
		es.Add(&wire.ClientCertificateTypes{Types: types})
	}
	if len(p.c.ALPN) > 0 {
		es.Add(&wire.ALPN{Protocols: p.c.ALPN})
	}
	p.c.addLimits(&es)
	if p.allows(wire.VersionTLS12) {
		es.Add(&wire.ECPointFormats{Formats: []byte{0}})
		es.Add(&wire.ExtendedMasterSecret{})
		es.Add(&wire.RenegotiationInfo{})
	}
	if !p.allows(wire.VersionTLS13) {
		return es
	}
	if !p.c.NoTickets || len(p.offers) > 0 {
		modes := []wire.PSKKeyExchangeMode{wire.PSKModeDHEKE}
		if p.c.InsecurePSKWithoutDHE {
			modes = append(modes, wire.PSKModeKE)
		}
		es.Add(&wire.PSKKeyExchangeModes{Modes: modes})
	}
	if !p.insists {
		p.c.addDelegated(&es)
		p.addCompression(&es)
	}
	if p.c.PostHandshakeAuth {
		es.Add(&wire.PostHandshakeAuth{})
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
//
// RFC 8701, Section 3.1: a server that answers with a reserved value MUST be refused, as one that answers unasked.
func (hs *clientHandshake) offered(kind wire.ExtensionType) bool {
	_, ok := hs.hello.Extensions.Find(kind)
	return ok && !wire.IsGREASE(uint16(kind))
}

// clientKeys is what a client holds from the ServerHello to its Finished.
type clientKeys struct {
	*clientHandshake
	suite          *suite.Suite
	main           keys.Main
	client, server keys.Traffic // of the handshake epoch
	request        *certificateRequest
	sum            [maxDigest]byte // memory of clientFlight.finished
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
