package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// client12 is what a client knows once the server has chosen TLS 1.2 (RFC 5246, Section 7.3).
type client12 struct {
	*clientHandshake
	suite   *suite.Suite
	randoms keys.Randoms
	ems     bool     // extended_master_secret was agreed on (RFC 7627)
	ticket  bool     // the server announced NewSessionTicket (RFC 5077, Section 3.2)
	status  bool     // the server may send CertificateStatus (RFC 6066, Section 8)
	scts    [][]byte // out of the ServerHello (RFC 6962, Section 3.3.1)

	peer    *peerCertificate
	proof   *verify.KeyExchangeProof
	group   wire.Group
	point   []byte // the server's share
	request *certificateRequest
	master  keys.Master12
	block   keys.KeyBlock12
	id      []byte   // the session_id under which the server remembers this session; may be empty
	session *Session // resumed, or brought by NewSessionTicket
}

// onHello12 goes on from a ServerHello of TLS 1.2.
func (s expectServerHello) onHello12(t *turn, m message, hello *wire.ServerHello) (state, error) {
	if err := s.check12(t.params, hello); err != nil {
		return nil, err
	}
	s.rejectECH(t)
	c := &client12{clientHandshake: s.clientHandshake, suite: suite.ByID12(hello.CipherSuite)}
	c.shares = nil
	c.dropPSKs()
	c.randoms = keys.Randoms{Client: s.hello.Random, Server: hello.Random}
	t.facts.Version, t.facts.CipherSuite, t.facts.ServerRandom = wire.VersionTLS12, c.suite.ID, hello.Random
	if err := c.readExtensions(t, hello); err != nil {
		return nil, err
	}
	t.transcript.Begin(c.suite.Hash)
	t.absorb(m)
	if s.offered12 == nil || !bytes.Equal(hello.SessionID, s.hello.SessionID) || len(hello.SessionID) == 0 {
		if err := c.onCertificateTypes(t, hello, hello.Extensions); err != nil {
			return nil, err
		}
		c.id = bytes.Clone(hello.SessionID)
		return expectCertificate12{c}, nil
	}
	return c.resume(t)
}

// check12 checks a ServerHello without supported_versions (RFC 5246, Section 7.4.1.3).
func (s expectServerHello) check12(p *Params, hello *wire.ServerHello) error {
	if hello.LegacyVersion != wire.VersionTLS12 || !p.allows(wire.VersionTLS12) {
		return fail(CodeUnsupportedVersion, "the server chose %v", hello.LegacyVersion)
	}
	if s.retry != nil {
		return fail(CodeBadVersionSelected, "%v after HelloRetryRequest", hello.LegacyVersion)
	}
	// RFC 8446, Appendix D.3: a client that offered 0-RTT data MUST fail the connection.
	if s.early == earlyOffered {
		return fail(CodeBadVersionSelected, "%v, but early data was sent", hello.LegacyVersion)
	}
	// RFC 8446, Section 4.1.3: TLS 1.3 clients MUST check that the last eight bytes are not the sentinel.
	if p.allows(wire.VersionTLS13) && isSentinel(hello.Random) {
		return fail(CodeDowngraded, "")
	}
	// RFC 5246, Section 7.4.1.3: our own session_id comes back only where the server resumes the session that it names.
	if s.offered12 == nil && len(hello.SessionID) > 0 && bytes.Equal(hello.SessionID, s.hello.SessionID) {
		return fail(CodeBadSessionID, "the server resumes a session of TLS 1.2 that was not offered")
	}
	if hello.CompressionMethod != 0 {
		return fail(CodeBadCompression, "%d", hello.CompressionMethod)
	}
	if suite.ByID12(hello.CipherSuite) == nil || !slices.Contains(p.c.CipherSuites, hello.CipherSuite) {
		return fail(CodeBadSuite, "%v", hello.CipherSuite)
	}
	return nil
}

// readExtensions reads those of a TLS 1.2 ServerHello, and refuses what was not asked for.
func (c *client12) readExtensions(t *turn, hello *wire.ServerHello) error {
	for _, e := range hello.Extensions {
		if !c.offered(e.Type) {
			return fail(CodeUnsupportedExtension, "%v in ServerHello", e.Type)
		}
		switch e.Type {
		case wire.ExtEncryptedClientHello: // it is of TLS 1.3 alone, so that nothing here can answer it
			return fail(CodeUnsupportedExtension, "%v in ServerHello", e.Type)
		case wire.ExtSupportedGroups:
			// RFC 8422, Section 5.2: nobody may answer it in a ServerHello; some old servers do, and nobody minds.
		case wire.ExtServerName, wire.ExtALPN, wire.ExtExtendedMasterSecret, wire.ExtSessionTicket, wire.ExtStatusRequest,
			wire.ExtRenegotiationInfo, wire.ExtECPointFormats, wire.ExtSignedCertificateTimestamp,
			wire.ExtServerCertificateType, wire.ExtClientCertificateType, wire.ExtRecordSizeLimit, wire.ExtMaxFragmentLength:
		default:
			return fail(CodeMisplacedExtension, "%v in ServerHello", e.Type)
		}
	}
	var reneg wire.RenegotiationInfo
	secure, err := decoded(hello.Ext(&reneg))
	if err != nil {
		return err
	}
	// RFC 5746, Section 3.4: a non-empty renegotiated_connection MUST end an initial handshake.
	if len(reneg.Data) != 0 {
		return fail(CodeBadRenegotiationInfo, "")
	}
	if !secure && t.params.c.RequireSecureRenegotiation {
		return fail(CodeNoSecureRenegotiation, "")
	}
	t.facts.SecureRenegotiation = secure
	var ticket wire.SessionTicket
	for _, e := range [...]struct {
		view wire.ExtensionView
		into *bool
	}{{&wire.ExtendedMasterSecret{}, &c.ems}, {&ticket, &c.ticket}, {&wire.EmptyStatusRequest{}, &c.status}} {
		if *e.into, err = decoded(hello.Ext(e.view)); err != nil {
			return err
		}
	}
	// RFC 5077, Section 3.2: the server sends an empty SessionTicket extension.
	if len(ticket.Ticket) != 0 {
		return fail(CodeMalformed, "%v with %d bytes", wire.ExtSessionTicket, len(ticket.Ticket))
	}
	t.facts.ExtendedMasterSecret = c.ems
	if _, err := decoded(hello.Ext(&wire.ServerNameAck{})); err != nil {
		return err
	}
	if err := c.readPointFormats(hello); err != nil {
		return err
	}
	var scts wire.SCTs
	if _, err := decoded(hello.Ext(&scts)); err != nil {
		return err
	}
	for _, sct := range scts.List {
		c.scts = append(c.scts, bytes.Clone(sct))
	}
	if err := c.onLimits(t, hello, hello.Extensions, wire.VersionTLS12); err != nil {
		return err
	}
	return c.onALPN(t, hello, hello.Extensions)
}

// readPointFormats: RFC 8422, Section 5.1.2: the list MUST contain uncompressed.
func (c *client12) readPointFormats(hello *wire.ServerHello) error {
	var formats wire.ECPointFormats
	present, err := decoded(hello.Ext(&formats))
	if err == nil && present && !bytes.Contains(formats.Formats, []byte{0}) {
		return fail(CodeBadPointFormats, "")
	}
	return err
}

// resume goes on with the session that the server recognized.
func (c *client12) resume(t *turn) (state, error) {
	s := c.offered12
	// RFC 7627, Section 5.3: a change of extended_master_secret in an abbreviated handshake MUST end it.
	if s.CipherSuite != c.suite.ID || s.ExtendedMasterSecret != c.ems {
		return nil, fail(CodeBadResumption, "%v, extended_master_secret %v", c.suite.ID, c.ems)
	}
	c.session, c.resumed = s, s
	t.facts.Resumed = true
	t.facts.PeerChain, t.facts.PeerType, t.facts.PeerScheme = s.PeerChain, s.PeerType, s.PeerScheme
	c.master = keys.ResumeMaster12Traced(c.suite.Hash, s.Secret, t.trace)
	c.block = c.master.KeyBlock(&c.randoms, c.suite.KeyLen, c.suite.IVLen)
	t.ask(Question{Kind: NeedVerify, Chain: s.PeerChain, Type: s.PeerType, ServerName: t.options.ServerName, Resumed: s})
	return verifyingServer12{client12: c}, nil
}

// isSentinel reports whether a server random says that its server would have spoken a later version (RFC 8446,
// Section 4.1.3).
func isSentinel(random [32]byte) bool {
	tail := string(random[24:])
	return tail == sentinel12 || tail == sentinel11
}

const (
	sentinel12 = "DOWNGRD\x01"
	sentinel11 = "DOWNGRD\x00"
)
