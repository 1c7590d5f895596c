package main

import (
	"bytes"
	"fmt"
	"slices"

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
}

// check compares what is settled after the handshake. The text of its errors is for people: a test that expects a
// failure expects another one.
func (e *expectations) check(c *settings, f tlscore.Facts, a *answerer, w *witness) error {
	wishes, err := w.wishes()
	if err != nil {
		return err
	}
	own := -1
	if f.OwnIdentity != nil {
		own = f.OwnIdentity.Tag.(*credential).number
	}
	protocol := ""
	switch {
	case c.server && len(c.protocols) > 0:
		protocol = c.protocols[0]
	case e.protocol != nil:
		protocol = *e.protocol
	}
	for _, x := range []struct {
		name string
		bad  bool
	}{
		{"the handshake is done", e.neverDone},
		{"version", e.version != 0 && f.Version != e.version},
		{"cipher suite", e.suite != 0 && f.CipherSuite != e.suite},
		{"group", e.group != 0 && f.Group != e.group},
		{"signature scheme of the peer", e.peerScheme != 0 && f.PeerScheme != e.peerScheme},
		{"signature schemes that the peer takes", e.peerSchemes != nil && !slices.Equal(wishes.schemes, e.peerSchemes)},
		{"server name", e.serverName != "" && f.ServerName != e.serverName},
		{"server name, although none was expected", e.noServerName && f.ServerName != ""},
		{"application protocol", f.ALPN != protocol},
		{"application protocols offered", e.advertised != nil && !slices.Equal(wishes.protocols, e.advertised)},
		{"certificate authorities", e.authorities != nil && !slices.EqualFunc(wishes.authorities, e.authorities, bytes.Equal)},
		{"credential", e.credential != nil && *e.credential != own},
		{"HelloRetryRequest", e.retry && !f.HelloRetried || e.noRetry && f.HelloRetried},
		{"peer certificate, although none was expected", e.noPeerCertificate && len(f.PeerChain) > 0},
		{"no peer certificate", !e.noPeerCertificate && (!c.server || c.requirePeer) && len(f.PeerChain) == 0},
		{"no verification", e.verified && c.verifyFail && !a.verified},
	} {
		if x.bad {
			return fmt.Errorf("expectation not met: %s (facts: %+v)", x.name, f)
		}
	}
	return e.checkPeerChain(f)
}

func (e *expectations) checkPeerChain(f tlscore.Facts) error {
	if e.peerChainFile == "" {
		return nil
	}
	want, err := readChain(e.peerChainFile)
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
