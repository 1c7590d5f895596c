package main

import (
	"errors"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/tlscore"
)

// errNoProtocol is what it takes to refuse every application protocol: one that nobody offers.
const noSuchProtocol = "tlswright-refuses-all"

// compile makes the machine's configuration. What the machine cannot be configured for is unimplemented.
func (c *settings) compile() (*tlscore.Params, error) {
	identities, err := c.identities()
	if err != nil {
		return nil, err
	}
	config := tlscore.Config{
		Groups: c.groups, KeyShares: c.keyShares, Schemes: c.verifyPrefs, ALPN: c.protocols,
		Identities: identities, AskIdentity: c.askIdentity,
		CertificateAuthorities: c.authorities,
		MaxHandshakeMessage:    c.maxMessage,
	}
	if c.rejectALPN {
		config.ALPN = []string{noSuchProtocol}
	}
	switch {
	case !c.server:
	case c.requirePeer:
		config.ClientAuth = tlscore.RequireClientCert
	case c.verifyPeer:
		config.ClientAuth = tlscore.RequestClientCert
	}
	params, err := tlscore.Compile(config)
	if err != nil {
		return nil, unimplemented(err.Error())
	}
	return params, nil
}

// answerer answers the machine's questions as the flags say.
type answerer struct {
	settings *settings
	params   *tlscore.Params
	verified bool // NeedVerify was asked
}

// errRefused is the verdict that -verify-fail asks for.
var errRefused = errors.New("the test wants this certificate refused")

func (a *answerer) answer(q *tlscore.Question) tlscore.Answer {
	switch q.Kind {
	case tlscore.NeedVerify:
		a.verified = true
		return a.verdict()
	case tlscore.NeedIdentity:
		return tlscore.Chosen{Identity: a.choice(q)}
	}
	signature, err := tlscore.SignWith(q.Identity.Tag.(*credential).key, q)
	return tlscore.Signed{Signature: signature, Err: err}
}

// verdict refuses a chain where the test demands it; the alert tells which of BoringSSL's two callbacks is played. A
// client that was not told to verify goes on, having taken note.
func (a *answerer) verdict() tlscore.Verified {
	c := a.settings
	if !c.verifyFail || !c.server && !c.verifyPeer {
		return tlscore.Verified{}
	}
	if c.customVerify {
		return tlscore.Verified{Err: errRefused, Alert: alertOfCustomVerify}
	}
	return tlscore.Verified{Err: errRefused, Alert: alertOfVerify}
}

// choice is the first identity that can sign for the peer and, where its credential insists, stems from one of the
// authorities that the peer named.
func (a *answerer) choice(q *tlscore.Question) *tlscore.Identity {
	for _, id := range a.params.Identities() {
		if canSign(id, q) {
			return id
		}
	}
	return nil
}

// canSign reports whether the identity's key has a scheme that the peer takes.
func canSign(id *tlscore.Identity, q *tlscore.Question) bool {
	kind := suite.KindOf(id.Tag.(*credential).key.Public(), false)
	for _, code := range q.Schemes {
		if s := suite.SchemeByID(code); s != nil && s.TLS13 && s.Fits(kind) {
			return true
		}
	}
	return false
}
