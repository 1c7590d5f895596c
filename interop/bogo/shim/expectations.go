package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// expectations are what a test wants the connection to have settled. Zero values expect nothing.
type expectations struct {
	version           wire.Version
	suite             wire.CipherSuite
	group             wire.Group
	peerScheme        wire.SignatureScheme
	peerSchemes       []wire.SignatureScheme // that the peer asks for
	peerChainFile     string
	noPeerCertificate bool
	peerType          *wire.CertificateType
	peerKey           []byte // SHA-256 of a raw public key
	certificateTypes  []byte // that a TLS 1.2 server asks for
	staple            []byte
	scts              [][]byte
	credential        *int
	serverName        string
	noServerName      bool
	protocol          *string
	advertised        []string
	authorities       [][]byte
	messages          string
	retry, noRetry    bool
	verified          bool
	neverDone         bool
	extendedMaster    bool
	renegotiation     indicated

	sessionMiss   bool
	noSession     bool // none comes
	sessionID     bool // the first session is kept by its id
	noSessionID   bool
	renewal       bool // the session is replaced when resumed
	earlyTicket   bool // the session allows early data
	earlyAccepted bool
	earlyRejected bool
	noEarlyOffer  bool
	earlyReason   string
	skew          time.Duration
}

// indicated says whether the peer is expected to indicate secure renegotiation (RFC 5746).
type indicated uint8

const (
	whatever indicated = iota
	secure
	insecure
)

// expectation is one that can fail.
type expectation struct {
	name string
	bad  bool
}

// check compares what is settled after the handshake. The text of its errors is for people: a test that expects a
// failure expects another one.
func (p *player) check(f tlscore.Facts) error {
	for _, list := range [][]expectation{p.checkNegotiated(f), p.checkPeer(f), p.checkSession(f)} {
		for _, x := range list {
			if x.bad {
				return fmt.Errorf("expectation not met: %s (facts: %+v)", x.name, f)
			}
		}
	}
	wishes, err := p.witness.wishes()
	if err != nil {
		return err
	}
	for _, x := range p.checkWishes(wishes) {
		if x.bad {
			return fmt.Errorf("expectation not met: %s (wishes: %+v)", x.name, wishes)
		}
	}
	return p.checkPeerChain(f)
}

func (p *player) checkNegotiated(f tlscore.Facts) []expectation {
	e := &p.expect
	own := -1
	switch cred, keyed := f.PSKTag.(*credential); {
	case keyed:
		own = cred.number
	case f.OwnIdentity != nil:
		own = f.OwnIdentity.Tag.(*credential).number
	}
	protocol := ""
	switch {
	case p.server && len(p.protocols) > 0:
		protocol = p.protocols[0]
	case e.protocol != nil:
		protocol = *e.protocol
	}
	modern := f.Version == wire.VersionTLS13 // which has what both extensions of TLS 1.2 gave
	return []expectation{
		{"the handshake is done", e.neverDone},
		{"version", e.version != 0 && f.Version != e.version},
		{"cipher suite", e.suite != 0 && f.CipherSuite != e.suite},
		{"group", e.group != 0 && f.Group != e.group},
		{"server name", e.serverName != "" && f.ServerName != e.serverName},
		{"server name, although none was expected", e.noServerName && f.ServerName != ""},
		{"application protocol", f.ALPN != protocol},
		{"credential", e.credential != nil && *e.credential != own},
		{"HelloRetryRequest", e.retry && !f.HelloRetried || e.noRetry && f.HelloRetried},
		{"extended_master_secret", e.extendedMaster && !modern && !f.ExtendedMasterSecret},
		{"renegotiation_info", e.renegotiation == secure && !modern && !f.SecureRenegotiation},
		{"renegotiation_info, although none was expected", e.renegotiation == insecure && (modern || f.SecureRenegotiation)},
	}
}

// checkPeer is about who the peer is. A resumed connection brings no staple: what came with the first is the
// application's to keep.
func (p *player) checkPeer(f tlscore.Facts) []expectation {
	e := &p.expect
	return []expectation{
		{"signature scheme of the peer", e.peerScheme != 0 && f.PeerScheme != e.peerScheme},
		{"peer certificate, although none was expected", e.noPeerCertificate && len(f.PeerChain) > 0},
		{"no peer certificate", !e.noPeerCertificate && (!p.server || p.requirePeer) && len(f.PeerChain) == 0 && f.PSKIdentity == nil},
		{"type of the peer's certificate", e.peerType != nil && f.PeerType != *e.peerType},
		{"raw public key of the peer", e.peerKey != nil && !isKey(f.PeerChain, e.peerKey)},
		{"no verification", e.verified && p.verifyFail && !p.verified && !f.Resumed},
		{"OCSP response", e.staple != nil && !f.Resumed && !bytes.Equal(f.PeerStaple, e.staple)},
		{"SCTs", e.scts != nil && !f.Resumed && !slices.EqualFunc(f.PeerSCTs, e.scts, bytes.Equal)},
	}
}

// isKey reports whether a chain is a key alone, with that digest.
func isKey(chain [][]byte, digest []byte) bool {
	if len(chain) != 1 {
		return false
	}
	sum := sha256.Sum256(chain[0])
	return bytes.Equal(sum[:], digest)
}

func (p *player) checkSession(f tlscore.Facts) []expectation {
	e := &p.expect
	older := f.Version == wire.VersionTLS12
	return []expectation{
		{"resumption", f.Resumed != (p.resuming && !e.sessionMiss)},
		{"session of TLS 1.2", !p.server && older && p.newSession != (!e.noSession && (!f.Resumed || e.renewal))},
		{"session kept by its id", !p.resuming && (e.sessionID && !p.keptByID || e.noSessionID && p.keptByID)},
		{"early data accepted", e.earlyAccepted && f.EarlyData != tlscore.EarlyDataAccepted},
		{"early data rejected", e.earlyRejected && f.EarlyData == tlscore.EarlyDataAccepted},
		{"fate of early data: " + p.earlyReason(f), e.earlyReason != "" && p.earlyReason(f) != e.earlyReason},
		{"age of the ticket", e.skew != 0 && p.resuming && p.skew != e.skew},
	}
}

func (p *player) checkWishes(w peerWishes) []expectation {
	e := &p.expect
	return []expectation{
		{"signature schemes that the peer takes", e.peerSchemes != nil && !slices.Equal(w.schemes, e.peerSchemes)},
		{"application protocols offered", e.advertised != nil && !slices.Equal(w.protocols, e.advertised)},
		{"certificate authorities", e.authorities != nil && !slices.EqualFunc(w.authorities, e.authorities, bytes.Equal)},
		{"certificate types", e.certificateTypes != nil && !bytes.Equal(w.types, e.certificateTypes)},
	}
}

// earlyReason is BoringSSL's word for why there was early data or not.
func (p *player) earlyReason(f tlscore.Facts) string {
	session := p.offered
	if p.server {
		session = p.found
	}
	_, highest := p.versions.ours()
	switch {
	case f.EarlyData == tlscore.EarlyDataAccepted:
		return "accept"
	case highest != wire.VersionTLS13 || f.Version != wire.VersionTLS13:
		return "protocol_version"
	case !p.earlyData:
		return "disabled"
	case session == nil && !(p.server && p.resuming):
		return "no_session_offered"
	case f.HelloRetried && !p.server:
		return "hello_retry_request"
	case !f.Resumed:
		return "session_not_resumed"
	case session.MaxEarlyData == 0:
		return "unsupported_for_session"
	case session.ALPN != f.ALPN && (p.server || f.EarlyData == tlscore.EarlyDataNone):
		return "alpn_mismatch"
	case f.HelloRetried:
		return "hello_retry_request"
	case p.skew.Abs() > maxSkew:
		return "ticket_age_skew"
	}
	return "peer_declined"
}

func (p *player) checkPeerChain(f tlscore.Facts) error {
	if p.expect.peerChainFile == "" {
		return nil
	}
	want, err := readChain(p.expect.peerChainFile)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(f.PeerChain, want, bytes.Equal) {
		return fmt.Errorf("expectation not met: %d certificates of the peer differ from the %d expected", len(f.PeerChain), len(want))
	}
	return nil
}

// checkEnd compares what only the end of the connection shows.
func (e *expectations) checkEnd(w *witness) error {
	if got := w.messages.String(); e.messages != "" && got != e.messages {
		return fmt.Errorf("expectation not met: messages were\n%swanted\n%s", got, e.messages)
	}
	return nil
}
