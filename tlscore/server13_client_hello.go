package tlscore

import (
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// expectClientHello is START of RFC 8446, Appendix A.2.
type expectClientHello struct{}

func (expectClientHello) name() string { return "START" }
func (expectClientHello) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeClientHello}
}

func (expectClientHello) on(t *turn, m message) (state, error) {
	o, err := readOffer(m)
	if err != nil {
		return nil, err
	}
	outer := m
	m, o, encrypted, err := t.openECH(m, o)
	if err != nil {
		return nil, err
	}
	if encrypted != nil && encrypted.opener != nil && t.params.c.AskECH {
		t.ask(Question{Kind: NeedInner, ServerName: o.wanted.name, Hello: cloneHello(o.hello)})
		return decidingInner{outer: outer.raw, inner: m.raw, ech: encrypted}, nil
	}
	return expectClientHello{}.negotiate(t, m, o, encrypted)
}

// negotiate goes on from a ClientHello, which may be an inner one.
func (expectClientHello) negotiate(t *turn, m message, o *offer, encrypted *serverECH) (state, error) {
	t.facts.ClientRandom, t.facts.ServerName = o.hello.Random, o.wanted.name
	version, err := chooseVersion(t.params, o.hello)
	if err != nil {
		return nil, err
	}
	if version == wire.VersionTLS12 {
		return expectClientHello{}.onHello12(t, m, o)
	}
	if err := o.check13(t.params); err != nil {
		return nil, err
	}
	t.facts.TakesTickets = o.takesTickets(t.params)
	t.facts.Compatible = len(o.hello.SessionID) > 0
	hs := &serverHandshake{sessionID: o.hello.SessionID, ech: encrypted}
	if hs.suite = chooseSuite(t.params, o.hello.CipherSuites, fits13); hs.suite == nil {
		return nil, fail(CodeNoSharedSuite, "")
	}
	if hs.group = chooseGroup(t.params, o); hs.group == 0 && !o.mayLackShare(t.params) {
		return nil, fail(CodeNoSharedGroup, "")
	}
	if hs.alpn, err = chooseProtocol(t.params, o); err != nil {
		return nil, err
	}
	if hs.group != 0 && o.share(hs.group) == nil || t.params.c.RetryAlways {
		return hs.retry(t, m, o)
	}
	return hs.settle(t, m, o)
}

// chooseVersion takes the latest version that both speak.
//
// RFC 8446, Section 4.2.1: if supported_versions is present, servers MUST only use that and not legacy_version.
func chooseVersion(p *Params, hello *wire.ClientHello) (wire.Version, error) {
	var offered wire.SupportedVersions
	present, err := decoded(hello.Ext(&offered))
	if err != nil {
		return 0, err
	}
	if !present {
		if hello.LegacyVersion >= wire.VersionTLS12 && p.allows(wire.VersionTLS12) {
			return wire.VersionTLS12, nil
		}
		return 0, fail(CodeUnsupportedVersion, "the client offers at most %v", hello.LegacyVersion)
	}
	for _, v := range p.versions() {
		if slices.Contains(offered.Versions, v) {
			return v, nil
		}
	}
	return 0, fail(CodeUnsupportedVersion, "the client offers %v", offered.Versions)
}

// chooseGroup prefers a post-quantum hybrid even at the price of a HelloRetryRequest, then a group that the client sent
// a share for, then our order. Zero: nothing in common.
func chooseGroup(p *Params, o *offer) wire.Group {
	var best wire.Group
	bestRank := -1
	for _, id := range p.c.Groups {
		if !slices.Contains(o.groups, id) {
			continue
		}
		rank := 0
		if suite.GroupByID(id).PostQuantum {
			rank += 2
		}
		if o.share(id) != nil {
			rank++
		}
		if rank > bestRank {
			best, bestRank = id, rank
		}
	}
	return best
}

// chooseProtocol takes the first of our protocols that the client offers. A server without any, or a client that asks
// for none, goes without (RFC 7301, Section 3.2).
func chooseProtocol(p *Params, o *offer) (string, error) {
	if len(p.c.ALPN) == 0 || len(o.protocols) == 0 {
		return "", nil
	}
	for _, name := range p.c.ALPN {
		if slices.Contains(o.protocols, name) {
			return name, nil
		}
	}
	return "", fail(CodeNoSharedProtocol, "the client offers %q", o.protocols)
}
