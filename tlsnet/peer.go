package tlsnet

import (
	"context"
	"crypto/x509"
	"errors"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Peer is who is at the other end, as far as certificates say so. Its possession of the leaf's key is proven once the
// handshake is done. The zero Peer showed no certificate.
type Peer struct {
	// Chain is the verified chain, leaf first, root last. Empty unless the chain is trusted.
	Chain []*x509.Certificate
	// Leaf is the peer's own certificate, trusted or not; nil if there is none, or crypto/x509 cannot read it.
	Leaf *x509.Certificate
	// Raw are the certificates as sent, DER, leaf first.
	Raw [][]byte
	// Problem is why the chain is not trusted. With Config.Insecure the connection is made all the same.
	Problem error
}

// Verified reports whether the chain leads to a trusted root, and, on a client, the name is right.
func (p Peer) Verified() bool { return len(p.Chain) > 0 }

// Root returns the trusted root of the chain, or nil.
func (p Peer) Root() *x509.Certificate {
	if len(p.Chain) == 0 {
		return nil
	}
	return p.Chain[len(p.Chain)-1]
}

// CommonName returns the common name of a verified peer, empty for any other.
func (p Peer) CommonName() string {
	if !p.Verified() {
		return ""
	}
	return p.Chain[0].Subject.CommonName
}

// RefusalError is an error of Config.VerifyPeer that chooses the alert to send.
type RefusalError struct {
	Alert wire.AlertCode
	Err   error
}

// Error returns the reason.
func (e *RefusalError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *RefusalError) Unwrap() error { return e.Err }

// verify answers whether the peer's chain is acceptable, and keeps who the peer is.
func (c *Conn) verify(ctx context.Context, q *tlscore.Question) tlscore.Verified {
	o := pki.VerifyOptions{
		Roots:         c.set.roots,
		SystemRoots:   c.set.system,
		Intermediates: q.Chain[1:],
		Time:          c.set.now(),
		ServerName:    c.name,
		Usage:         pki.UsageServer,
	}
	if c.set.role == tlscore.RoleServer {
		o.ServerName, o.Usage = "", pki.UsageClient
	}
	p := &Peer{Raw: q.Chain}
	chain, err := pki.Verify(q.Chain[0], o)
	if err != nil {
		p.Problem = err
		p.Leaf, _ = x509.ParseCertificate(q.Chain[0]) // nil is documented
		c.refused.Store(p)
	} else {
		p.Chain, p.Leaf = chain.Certificates, chain.Certificates[0]
		c.peer.Store(keepPeer(p, c.set.roots))
	}
	if err != nil && !c.set.insecure {
		return tlscore.Verified{Err: err, Alert: alertFor(err)}
	}
	if c.set.verifyPeer == nil {
		return tlscore.Verified{}
	}
	err = c.set.verifyPeer(ctx, *p, c.machine.Facts())
	if err == nil {
		return tlscore.Verified{}
	}
	var refusal *RefusalError
	if errors.As(err, &refusal) {
		return tlscore.Verified{Err: err, Alert: refusal.Alert}
	}
	// RFC 8446, Section 6.2: access_denied: a valid certificate was received, but when access control was applied, the
	// sender decided not to proceed.
	return tlscore.Verified{Err: err, Alert: wire.AlertAccessDenied}
}

// alertFor chooses the alert for a chain that is not trusted.
//
// RFC 8446, Section 6.2: unknown_ca if no known trust anchor was found, certificate_expired if it has expired or is not
// currently valid, bad_certificate if it was corrupt or a signature did not verify, certificate_unknown for some other
// issue.
func alertFor(err error) wire.AlertCode {
	var v *pki.VerifyError
	if !errors.As(err, &v) {
		return wire.AlertCertificateUnknown
	}
	switch v.Reason {
	case pki.ReasonUnknownAuthority:
		return wire.AlertUnknownCA
	case pki.ReasonExpired, pki.ReasonNotYetValid:
		return wire.AlertCertificateExpired
	case pki.ReasonMalformed, pki.ReasonSignature, pki.ReasonUsage, pki.ReasonConstraint, pki.ReasonLimit:
		return wire.AlertBadCertificate
	case pki.ReasonMisuse:
		return wire.AlertInternalError
	}
	return wire.AlertCertificateUnknown
}
