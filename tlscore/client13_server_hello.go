package tlscore

import (
	"bytes"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// expectServerHello is WAIT_SH of RFC 8446, Appendix A.1, before and after a HelloRetryRequest.
type expectServerHello struct{ *clientHandshake }

func (expectServerHello) name() string { return "WAIT_SH" }
func (expectServerHello) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeServerHello}
}

func (s expectServerHello) on(t *turn, m message) (state, error) {
	var hello wire.ServerHello
	if err := parse(&hello, m.raw); err != nil {
		return nil, err
	}
	if kind, twice := hello.Extensions.Duplicate(); twice {
		return nil, fail(CodeDuplicateExtension, "%v", kind)
	}
	if _, modern := hello.Extensions.Find(wire.ExtSupportedVersions); !modern && !hello.IsHelloRetryRequest() {
		return s.onHello12(t, m, &hello)
	}
	chosen, err := s.checkHello(t.params, &hello)
	if err != nil {
		return nil, err
	}
	if err := s.decideECH(t, m, &hello, chosen); err != nil {
		return nil, err
	}
	if hello.IsHelloRetryRequest() {
		if s.retry != nil {
			return nil, fail(CodeUnexpectedMessage, "second HelloRetryRequest")
		}
		return s.onRetry(t, m, &hello, chosen)
	}
	return s.onHello(t, m, &hello, chosen)
}

// checkHello checks what ServerHello and HelloRetryRequest have in common (RFC 8446, Section 4.1.3).
func (s expectServerHello) checkHello(p *Params, hello *wire.ServerHello) (*suite.Suite, error) {
	var selected wire.SelectedVersion
	present, err := decoded(hello.Ext(&selected))
	if err != nil {
		return nil, err
	}
	if !present {
		return nil, fail(CodeUnsupportedVersion, "the server chose %v", hello.LegacyVersion)
	}
	if selected.Version != wire.VersionTLS13 || !p.allows(wire.VersionTLS13) {
		return nil, fail(CodeBadVersionSelected, "%v", selected.Version)
	}
	// RFC 8446, Section 4.1.3: legacy_version MUST be 0x0303.
	if hello.LegacyVersion != wire.VersionTLS12 {
		return nil, fail(CodeBadLegacyVersion, "%v", hello.LegacyVersion)
	}
	if !bytes.Equal(hello.SessionID, s.hello.SessionID) {
		return nil, fail(CodeBadSessionID, "")
	}
	if hello.CompressionMethod != 0 {
		return nil, fail(CodeBadCompression, "%d", hello.CompressionMethod)
	}
	chosen := suite.ByID(hello.CipherSuite)
	if chosen == nil || !slices.Contains(p.c.CipherSuites, hello.CipherSuite) {
		return nil, fail(CodeBadSuite, "%v", hello.CipherSuite)
	}
	return chosen, nil
}

// onRetry answers HelloRetryRequest with a second ClientHello (RFC 8446, Section 4.1.4).
func (s expectServerHello) onRetry(t *turn, m message, hello *wire.ServerHello, chosen *suite.Suite) (state, error) {
	if err := s.onlyExtensions(hello, wire.ExtSupportedVersions, wire.ExtKeyShare, wire.ExtCookie, wire.ExtEncryptedClientHello); err != nil {
		return nil, err
	}
	var cookie wire.Cookie
	hasCookie, err := decoded(hello.Ext(&cookie))
	if err != nil {
		return nil, err
	}
	var wish wire.KeyShareRetry
	hasShare, err := decoded(hello.Ext(&wish))
	if err != nil {
		return nil, err
	}
	if _, err := decoded(hello.Ext(&wire.ECHConfirmation{})); err != nil {
		return nil, err
	}
	if len(cookie.Cookie) > maxCookie {
		return nil, fail(CodeBadRetry, "cookie of %d bytes, more than %d", len(cookie.Cookie), maxCookie)
	}
	retry := &helloRetry{suite: chosen}
	if hasShare {
		if !slices.Contains(t.params.c.Groups, wish.Group) {
			return nil, fail(CodeBadGroup, "%v", wish.Group)
		}
		if s.share(wish.Group) != nil {
			return nil, fail(CodeBadGroup, "a share for %v was sent already", wish.Group)
		}
		retry.group = wish.Group
		if err := s.generateShares([]wire.Group{wish.Group}); err != nil {
			return nil, err
		}
	}
	if !hasShare && !hasCookie {
		return nil, fail(CodeBadRetry, "neither key_share nor cookie")
	}
	t.facts.HelloRetried = true
	t.exportEarly(nil) // it was bound to the first ClientHello alone
	t.want(effectAligned)
	t.transcript.Begin(chosen.Hash)
	t.transcript.Retry()
	t.absorb(m)
	s.sendChangeCipherSpec(t)
	s.retry = retry
	s.keepPSKsOf(chosen.Hash)
	s.rejectEarlyData(t)
	return s, s.sendHello(t, bytes.Clone(cookie.Cookie))
}

// onHello completes the key exchange and starts protection.
func (s expectServerHello) onHello(t *turn, m message, hello *wire.ServerHello, chosen *suite.Suite) (state, error) {
	if err := s.onlyExtensions(hello, wire.ExtSupportedVersions, wire.ExtKeyShare, wire.ExtPreSharedKey); err != nil {
		return nil, err
	}
	if s.retry != nil && chosen != s.retry.suite {
		return nil, fail(CodeBadSuite, "%v, after %v in HelloRetryRequest", chosen.ID, s.retry.suite.ID)
	}
	early, err := s.acceptedPSK(t, hello, chosen)
	if err != nil {
		return nil, err
	}
	group, shared, err := s.exchange(t.params, hello)
	if err != nil {
		return nil, err
	}
	if !t.transcript.Started() {
		t.transcript.Begin(chosen.Hash)
	}
	t.absorb(m)
	t.facts.Version, t.facts.CipherSuite, t.facts.Group = wire.VersionTLS13, chosen.ID, group
	t.facts.ServerRandom = hello.Random

	k := &clientKeys{clientHandshake: s.clientHandshake, suite: chosen}
	k.shares = nil
	handshake := t.handshakeKeys(early, shared)
	th := t.hash()
	k.client, k.server = handshake.ClientTraffic(th), handshake.ServerTraffic(th)
	k.main = handshake.Main()
	handshake.Wipe()
	t.readKeys(EpochHandshake, chosen, k.server)
	s.sendChangeCipherSpec(t)
	if s.early == earlyOffered && s.resumed != nil && chosen == s.psk.suite {
		return expectEncryptedExtensions{k}, nil // they tell which keys to go on with
	}
	s.rejectEarlyData(t)
	t.writeKeys(EpochHandshake, chosen, k.client)
	return expectEncryptedExtensions{k}, nil
}

// exchange completes the key exchange. Without a key_share, which only a PSK on opt-in allows, there is none.
func (s expectServerHello) exchange(p *Params, hello *wire.ServerHello) (wire.Group, []byte, error) {
	var theirs wire.KeyShareHello
	present, err := decoded(hello.Ext(&theirs))
	if err != nil {
		return 0, nil, err
	}
	if !present {
		if (s.resumed != nil || s.keyed != nil) && p.c.InsecurePSKWithoutDHE {
			return 0, nil, nil
		}
		return 0, nil, fail(CodeMissingExtension, "%v", wire.ExtKeyShare)
	}
	group := theirs.Entry.Group
	share := s.share(group)
	if share == nil {
		return 0, nil, fail(CodeBadGroup, "no share for %v was sent", group)
	}
	if s.retry != nil && s.retry.group != 0 && group != s.retry.group {
		return 0, nil, fail(CodeBadGroup, "%v, after %v in HelloRetryRequest", group, s.retry.group)
	}
	shared, err := share.Shared(theirs.Entry.KeyExchange)
	if err != nil {
		return 0, nil, because(CodeBadKeyShare, err)
	}
	return group, shared, nil
}

// onlyExtensions refuses extensions that do not belong in a ServerHello or HelloRetryRequest, and those that answer
// nothing we asked (RFC 8446, Section 4.2).
func (s expectServerHello) onlyExtensions(hello *wire.ServerHello, allowed ...wire.ExtensionType) error {
	for _, e := range hello.Extensions {
		switch {
		case e.Type == wire.ExtCookie && slices.Contains(allowed, e.Type):
		case !s.offered(e.Type):
			return fail(CodeUnsupportedExtension, "%v in ServerHello", e.Type)
		case !slices.Contains(allowed, e.Type):
			return fail(CodeMisplacedExtension, "%v in ServerHello", e.Type)
		}
	}
	return nil
}
