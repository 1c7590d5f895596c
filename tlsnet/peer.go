package tlsnet

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// Peer is who is at the other end, as far as certificates say so. Its possession of the leaf's key is proven once the
// handshake is done. The zero Peer showed no certificate. Certificates may be shared by connections: do not change them.
type Peer struct {
	// Chain is the verified chain, leaf first, root last. Empty unless the chain is trusted.
	Chain []*x509.Certificate
	// Leaf is the peer's own certificate, trusted or not; nil if there is none, or crypto/x509 cannot read it.
	Leaf *x509.Certificate
	// Raw are the certificates as sent, DER, leaf first.
	Raw [][]byte
	// RawKey is the SubjectPublicKeyInfo of a peer that shows a raw public key (RFC 7250), DER; nil: it shows a certificate.
	RawKey []byte
	// Staple is the OCSP response that came with the leaf, DER, and SCTs the signed certificate timestamps of the
	// handshake; neither comes again when a session is resumed. Only Status was checked: what a valid Staple says; nil: there
	// is none.
	Staple []byte
	SCTs   [][]byte
	Status *pki.Staple
	// Above is the same for Raw[1:], which TLS 1.3 has room for; nil: nothing came with any. AboveStatus is what valid
	// responses among it say, by the certificates of Chain[1:]; nil: none does. A CA that one of them calls revoked is refused.
	Above       []tlscore.Stapled
	AboveStatus []*pki.Staple
	// Problem is why the chain is not trusted. With Config.Insecure the connection is made all the same.
	Problem error

	keyPinned bool
}

// Verified reports whether the chain leads to a trusted root, and, on a client, the name is right.
func (p Peer) Verified() bool { return len(p.Chain) > 0 }

// Pinned reports whether the peer shows a raw public key that is one of Config.RawKeys.
func (p Peer) Pinned() bool { return p.keyPinned }

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

// verify answers whether the peer's chain is acceptable, and keeps who the peer is. The chain of a session is judged like
// one that was just sent; but if a server does not accept it any more, the handshake goes on, and that chain is
// forgotten.
func (c *Conn) verify(ctx context.Context, q *tlscore.Question) tlscore.Verified {
	if q.Late {
		return c.verifyLate(ctx, q)
	}
	p, err := c.judgeQuestion(q)
	if err != nil {
		p.Problem = err
	}
	recoverable := q.Resumed != nil && c.set.role == tlscore.RoleServer
	switch {
	case err == nil:
		c.peer.Store(keepPeer(p, c.set.roots))
	case !recoverable || c.set.insecure:
		c.refused.Store(p)
	}
	if err != nil && !c.set.insecure {
		return tlscore.Verified{Err: err, Alert: alertFor(err)}
	}
	// What is said about a server is not said about the one that stands for its public name. Yet where nothing but a pin
	// tells who anybody is, no other may hand out configurations.
	rejected := c.rejectedName() != ""
	if rejected && !c.set.insecure {
		return tlscore.Verified{}
	}
	if err := c.set.unpinned(p); err != nil {
		return tlscore.Verified{Err: err, Alert: alertFor(err)}
	}
	if rejected {
		return tlscore.Verified{}
	}
	v := c.askVerifyPeer(ctx, p, q)
	if v.Err != nil && recoverable {
		c.peer.Store(nil)
		c.refused.Store(nil)
	}
	return v
}

// judgeQuestion judges the chain of a question. The chain of the session that a client offers has been judged already.
func (c *Conn) judgeQuestion(q *tlscore.Question) (*Peer, error) {
	if o := c.shake.offered; o != nil && o.session == q.Resumed {
		return o.peer, o.err
	}
	if q.Type == wire.CertificateTypeRawPublicKey {
		return c.set.judgeKey(q.Chain[0])
	}
	p, err := c.judge(q.Chain)
	if q.Resumed != nil {
		return p, err
	}
	p.Staple, p.SCTs, p.Above = q.Staple, q.SCTs, q.Above
	if err != nil {
		return p, err
	}
	return p, c.judgeStaples(p, c.set.now())
}

// judge verifies a chain, or remembers that it did. The Peer is never nil.
func (c *Conn) judge(chain [][]byte) (*Peer, error) {
	now := c.set.now()
	key, short := memoKey{}, false
	if c.set.memo != nil {
		if key, short = memoKeyOf(c.verifiedName(), chain); short {
			if certs := c.set.memo.get(key, now); certs != nil {
				return &Peer{Raw: chain, Chain: certs, Leaf: certs[0]}, nil
			}
		}
	}
	p, err := c.verifyChain(chain, now)
	if err == nil && short {
		c.set.memo.put(key, p.Chain)
	}
	return p, err
}

// verifiedName is the name that the peer's certificate must be for; "": that of a client may be for any.
func (c *Conn) verifiedName() string {
	if c.set.role == tlscore.RoleServer {
		return ""
	}
	if public := c.rejectedName(); public != "" {
		return public
	}
	return c.name
}

// verifyChain verifies a chain. The Peer is never nil.
func (c *Conn) verifyChain(chain [][]byte, now time.Time) (*Peer, error) {
	o := pki.VerifyOptions{
		Roots:         c.set.roots,
		SystemRoots:   c.set.system,
		Intermediates: chain[1:],
		Time:          now,
		ServerName:    c.verifiedName(),
		Usage:         pki.UsageServer,
	}
	if c.set.role == tlscore.RoleServer {
		o.Usage = pki.UsageClient
	}
	p := &Peer{Raw: chain}
	verified, err := pki.Verify(chain[0], o)
	if err != nil {
		p.Leaf, _ = cert.ParseX509(chain[0]) // nil is documented
		return p, err
	}
	p.Chain, p.Leaf = verified.Certificates, verified.Certificates[0]
	return p, nil
}

// askVerifyPeer makes the caller's own check.
func (c *Conn) askVerifyPeer(ctx context.Context, p *Peer, q *tlscore.Question) tlscore.Verified {
	if c.set.verifyPeer == nil {
		return tlscore.Verified{}
	}
	f := c.machine.Facts()
	switch {
	case q.LateFacts != nil:
		f = *q.LateFacts
	case q.Resumed != nil:
		restsOn(&f, q.Resumed) // a server settles that when it has the answer
	}
	err := c.set.verifyPeer(ctx, *p, f)
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
// issue; bad_certificate_status_response for an OCSP response that will not do, certificate_revoked for one that says so.
func alertFor(err error) wire.AlertCode {
	var v *pki.VerifyError
	if errors.Is(err, ErrUnknownKey) {
		return wire.AlertBadCertificate
	}
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
	case pki.ReasonStaple:
		return wire.AlertBadCertificateStatusResponse
	case pki.ReasonRevoked:
		return wire.AlertCertificateRevoked
	case pki.ReasonMisuse:
		return wire.AlertInternalError
	}
	return wire.AlertCertificateUnknown
}
