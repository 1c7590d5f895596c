package main

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// answerer answers the machine's questions as the flags say.
type answerer struct {
	*settings
	params    *tlscore.Params
	facts     func() tlscore.Facts
	witness   *witness
	kept      *sessions
	retried   *settings        // for a client whose early data was rejected
	resuming  bool             // not the first connection
	found     *tlscore.Session // by a server
	verified  bool             // NeedVerify was asked
	keptByID  bool             // a server's session got an id, and no ticket
	wrongName error            // of what we were told to verify
	skew      time.Duration    // by which a client's ticket is older than it should be, if asked
}

// What an application of BoringSSL fails with of its own accord.
var (
	errRefused         = errors.New("the test wants this certificate refused")
	errNoMatchingName  = errors.New(":NO_MATCHING_ISSUER: no certificate of the authorities that the peer named")
	errWrongType       = errors.New(":UNKNOWN_CERTIFICATE_TYPE: no certificate of the types that the server takes")
	errNoSharedCipher  = errors.New(":NO_SHARED_CIPHER: no certificate for the cipher suites of the peer")
	errNoCommonScheme  = errors.New(":NO_COMMON_SIGNATURE_ALGORITHMS: no certificate whose key the peer can verify")
	errCertificateCall = errors.New(":CERT_CB_ERROR: the test wants no certificate found")
	errStatusCall      = errors.New(":OCSP_CB_ERROR: the test wants the OCSP response refused")
	errHelloCall       = errors.New(":CONNECTION_REJECTED: the test wants this ClientHello refused")
)

func (a *answerer) answer(q *tlscore.Question) tlscore.Answer {
	switch q.Kind {
	case tlscore.NeedVerify:
		return a.verdict(q)
	case tlscore.NeedIdentity:
		return a.choice(q)
	case tlscore.NeedSession:
		found := a.kept.find(q.Tickets)
		a.found, found.Renew = found.Session, a.renew
		return found
	case tlscore.NeedFresh:
		a.skew = (q.ToldAge - q.Age).Round(time.Second)
		return tlscore.Fresh(a.skew.Abs() <= maxSkew)
	case tlscore.NeedPSK:
		return tlscore.Keyed{PSK: a.psk(q.Tickets)}
	case tlscore.NeedInner:
		return tlscore.InnerDeclined
	case tlscore.NeedStaple:
		return a.staple(q)
	case tlscore.NeedTicket:
		return a.ticket(q.Resumed)
	}
	signature, err := tlscore.SignWith(q.Identity.Tag.(*credential).key, q)
	return tlscore.Signed{Signature: signature, Err: err}
}

// staple plays the callback for OCSP responses.
func (a *answerer) staple(q *tlscore.Question) tlscore.Stapling {
	switch {
	case a.ocsp.fail:
		return tlscore.Stapling{Err: errStatusCall}
	case a.ocsp.decline || len(q.Identity.Staple) == 0:
		return tlscore.Stapling{}
	}
	return tlscore.Stapling{Staples: [][]byte{q.Identity.Staple}}
}

// psk finds the first of our pre-shared keys that an identity names.
func (a *answerer) psk(identities [][]byte) *tlscore.PSK {
	for _, psk := range a.psks() {
		for _, name := range identities {
			var id wire.ImportedIdentity
			if id.Parse(name) == nil && bytes.Equal(id.External, psk.Identity) && bytes.Equal(id.Context, psk.Context) {
				return &psk
			}
		}
	}
	return nil
}

// ticket issues the ticket of a TLS 1.2 session, or keeps it under its id.
func (a *answerer) ticket(s *tlscore.Session) tlscore.Issued {
	if len(s.SessionID) > 0 {
		a.keptByID = a.kept.store(s.SessionID, s) == nil
		return tlscore.Issued{}
	}
	if a.skipTicket {
		return tlscore.Issued{}
	}
	ticket, err := a.kept.issue(s)
	if err != nil {
		return tlscore.Issued{}
	}
	return tlscore.Issued{Ticket: ticket, Lifetime: ticketLifetime}
}

// verdict refuses a chain where the test demands it; the alert tells which of BoringSSL's two callbacks is played. A
// client that was not told to verify goes on, having taken note. The chain of a session is judged anew only on demand.
func (a *answerer) verdict(q *tlscore.Question) tlscore.Verified {
	c := a.settings
	if !c.server && a.facts().EarlyData == tlscore.EarlyDataRejected {
		c = a.retried
	}
	a.checkName(c, q)
	if q.Resumed != nil && !c.reverify {
		return tlscore.Verified{}
	}
	a.verified = true
	verifies := c.server || c.verifyPeer || q.Type == wire.CertificateTypeRawPublicKey
	switch {
	case c.verifyFail && verifies && c.customVerify:
		return tlscore.Verified{Err: errRefused, Alert: wire.AlertCertificateUnknown}
	case c.verifyFail && verifies:
		return tlscore.Verified{Err: errRefused, Alert: wire.AlertHandshakeFailure}
	case !c.server && c.ocsp.fail:
		return tlscore.Verified{Err: errStatusCall, Alert: wire.AlertBadCertificateStatusResponse}
	}
	return tlscore.Verified{}
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
	case a.failHello:
		return tlscore.Chosen{Err: errHelloCall, Alert: wire.AlertHandshakeFailure}
	case a.failCertificate:
		return tlscore.Chosen{Err: errCertificateCall, Alert: wire.AlertInternalError}
	}
	var err error
	for _, id := range a.params.Identities() {
		cred := id.Tag.(*credential)
		switch {
		case !takesType(q.Types, id.Type):
			err = errWrongType
		case cred.mustMatchIssuer && !issuedByOne(id.Chain, q.Authorities):
			err = errNoMatchingName
		case !a.goesWith(cred, q) && !a.server:
			err = errWrongType
		case !cred.signsOneOf(q):
			err = errNoCommonScheme
		case !a.goesWith(cred, q):
			err = errNoSharedCipher
		default:
			return tlscore.Chosen{Identity: id}
		}
	}
	return tlscore.Chosen{Err: err, Alert: wire.AlertHandshakeFailure}
}

// takesType reports whether the peer takes a type of certificates.
func takesType(types []wire.CertificateType, t wire.CertificateType) bool {
	if types == nil {
		return t == wire.CertificateTypeX509
	}
	return slices.Contains(types, t)
}

// signsOneOf reports whether the key can sign with one of the schemes that the peer takes.
func (c *credential) signsOneOf(q *tlscore.Question) bool {
	return slices.ContainsFunc(q.Schemes, func(code wire.SignatureScheme) bool {
		s := suite.SchemeByID(code)
		if s == nil || len(c.schemes) > 0 && !slices.Contains(c.schemes, code) {
			return false
		}
		if q.Version == wire.VersionTLS12 {
			return s.TLS12 && s.UsableTLS12(c.key.Public(), false)
		}
		return s.TLS13 && s.Usable(c.key.Public(), false)
	})
}

// goesWith reports whether the peer takes the kind of key in TLS 1.2: a client offers a cipher suite for it, a server
// asks for its type.
func (a *answerer) goesWith(c *credential, q *tlscore.Question) bool {
	if q.Version != wire.VersionTLS12 {
		return true
	}
	if q.Hello == nil {
		kind := suite.KindOf(c.key.Public(), false)
		return suite.AuthECDSA.Fits(kind) && slices.Contains(q.KeyTypes, wire.ClientCertificateECDSASign) ||
			suite.AuthRSA.Fits(kind) && slices.Contains(q.KeyTypes, wire.ClientCertificateRSASign)
	}
	return slices.ContainsFunc(q.Hello.CipherSuites, func(id wire.CipherSuite) bool {
		s := suite.ByID12(id)
		return s != nil && s.Auth.Fits(suite.KindOf(c.key.Public(), false))
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
