package main

import (
	"bytes"
	"errors"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// answerer answers the machine's questions as the flags say.
type answerer struct {
	settings *settings
	params   *tlscore.Params
	verified bool // NeedVerify was asked
}

// What an application of BoringSSL fails with of its own accord.
var (
	errRefused         = errors.New("the test wants this certificate refused")
	errNoMatchingName  = errors.New(":NO_MATCHING_ISSUER: no certificate of the authorities that the peer named")
	errNoCommonScheme  = errors.New(":NO_COMMON_SIGNATURE_ALGORITHMS: no certificate whose key the peer can verify")
	errCertificateCall = errors.New(":CERT_CB_ERROR: the test wants no certificate found")
	errHelloCall       = errors.New(":CONNECTION_REJECTED: the test wants this ClientHello refused")
)

func (a *answerer) answer(q *tlscore.Question) tlscore.Answer {
	switch q.Kind {
	case tlscore.NeedVerify:
		a.verified = true
		return a.verdict()
	case tlscore.NeedIdentity:
		return a.choice(q)
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
		return tlscore.Verified{Err: errRefused, Alert: wire.AlertCertificateUnknown}
	}
	return tlscore.Verified{Err: errRefused, Alert: wire.AlertHandshakeFailure}
}

// chooses reports whether the application chooses the certificate, and not the machine. The runner's clients present
// theirs whatever authorities the server names, unless told otherwise, and would rather fail than present none; the
// machine does neither.
func (c *settings) chooses() bool {
	return c.askIdentity || !c.server && (len(c.credentials) > 0 || c.fallback.chainFile != "") ||
		slices.ContainsFunc(c.credentials, func(cred *credential) bool { return cred.mustMatchIssuer })
}

// choice is the first identity that can sign for the peer and, where its credential insists, stems from one of the
// authorities that the peer named.
func (a *answerer) choice(q *tlscore.Question) tlscore.Chosen {
	switch {
	case a.settings.failHello:
		return tlscore.Chosen{Err: errHelloCall, Alert: wire.AlertHandshakeFailure}
	case a.settings.failCertificate:
		return tlscore.Chosen{Err: errCertificateCall, Alert: wire.AlertInternalError}
	}
	var err error
	for _, id := range a.params.Identities() {
		cred := id.Tag.(*credential)
		switch {
		case cred.mustMatchIssuer && !issuedByOne(id.Chain, q.Authorities):
			err = errNoMatchingName
		case !cred.signsOneOf(q.Schemes):
			err = errNoCommonScheme
		default:
			return tlscore.Chosen{Identity: id}
		}
	}
	return tlscore.Chosen{Err: err, Alert: wire.AlertHandshakeFailure}
}

// signsOneOf reports whether the key can sign with one of the schemes that the peer takes.
func (c *credential) signsOneOf(peers []wire.SignatureScheme) bool {
	return slices.ContainsFunc(peers, func(code wire.SignatureScheme) bool {
		s := suite.SchemeByID(code)
		return s != nil && s.TLS13 && s.Usable(c.key.Public(), false) && (len(c.schemes) == 0 || slices.Contains(c.schemes, code))
	})
}

// issuedByOne reports whether a certificate of the chain was issued by one of the names.
func issuedByOne(chain, names [][]byte) bool {
	for _, der := range chain {
		c, err := cert.Parse(der)
		if err == nil && slices.ContainsFunc(names, func(n []byte) bool { return bytes.Equal(n, c.RawIssuer) }) {
			return true
		}
	}
	return false
}
