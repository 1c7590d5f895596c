package tlscore

import (
	"bytes"
	"errors"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// peerCertificate is what a Certificate message brought: the chain as sent, and the leaf's key.
type peerCertificate struct {
	chain [][]byte
	leaf  verify.LeafKey
}

// readCertificate reads a peer's Certificate message of the handshake, of at most longest certificates; offered says which extensions we asked for. A nil
// result without an error means that the list is empty.
func readCertificate(m message, longest int, offered func(wire.ExtensionType) bool) (*peerCertificate, error) {
	var cert wire.Certificate
	if err := parse(&cert, m.raw); err != nil {
		return nil, err
	}
	// RFC 8446, Section 4.4.2: zero length in the handshake itself.
	if len(cert.Context) != 0 {
		return nil, fail(CodeBadRequestContext, "")
	}
	if len(cert.Entries) == 0 {
		return nil, nil
	}
	if len(cert.Entries) > longest {
		return nil, fail(CodeBadCertificate, "%d certificates, more than %d", len(cert.Entries), longest)
	}
	peer := &peerCertificate{}
	for i := range cert.Entries {
		entry := &cert.Entries[i]
		if kind, twice := entry.Extensions.Duplicate(); twice {
			return nil, fail(CodeDuplicateExtension, "%v", kind)
		}
		for _, e := range entry.Extensions {
			if !offered(e.Type) {
				return nil, fail(CodeUnsupportedExtension, "%v in Certificate", e.Type)
			}
			if e.Type != wire.ExtStatusRequest && e.Type != wire.ExtSignedCertificateTimestamp {
				return nil, fail(CodeMisplacedExtension, "%v in Certificate", e.Type)
			}
		}
		peer.chain = append(peer.chain, bytes.Clone(entry.Data))
	}
	var err error
	peer.leaf, err = verify.Leaf(peer.chain[0])
	switch {
	case errors.Is(err, verify.ErrKeyUsage):
		return nil, because(CodeKeyUsage, err)
	case errors.Is(err, verify.ErrKeyType), errors.Is(err, verify.ErrKeySize):
		return nil, because(CodeUnsupportedKey, err)
	case err != nil:
		return nil, because(CodeBadCertificate, err)
	}
	return peer, nil
}

// checkCertificateVerify checks the peer's proof that it has the leaf's key (RFC 8446, Section 4.4.3). th is the
// transcript hash up to and including the peer's Certificate.
func (peer *peerCertificate) checkCertificateVerify(p *Params, by verify.Signer, th []byte, m message) (*verify.SignatureProof, *suite.Scheme, error) {
	var cv wire.CertificateVerify
	if err := parse(&cv, m.raw); err != nil {
		return nil, nil, err
	}
	scheme := suite.SchemeByID(cv.Scheme)
	if scheme == nil || !scheme.TLS13 || !slices.Contains(p.c.Schemes, cv.Scheme) {
		return nil, nil, fail(CodeBadSchemeUsed, "%v was not offered", cv.Scheme)
	}
	if !peer.leaf.Fits(scheme) {
		return nil, nil, fail(CodeBadSchemeUsed, "%v does not fit the certificate's key", cv.Scheme)
	}
	proof, err := verify.CertificateVerify(by, scheme, peer.leaf, th, cv.Signature)
	if err != nil {
		return nil, nil, because(CodeBadSignature, err)
	}
	return proof, scheme, nil
}

// verdict turns the answer to NeedVerify into nil or the error that ends the handshake.
func verdict(v Verified) error {
	if v.Err == nil {
		return nil
	}
	e := because(CodeCertificateRejected, v.Err)
	e.alert = v.Alert
	return e
}

// certificateMessage is the Certificate message for an identity; nil makes the empty one.
func certificateMessage(context []byte, id *Identity) *wire.Certificate {
	msg := &wire.Certificate{Context: context}
	if id == nil {
		return msg
	}
	for _, der := range id.Chain {
		msg.Entries = append(msg.Entries, wire.CertificateEntry{Data: der, Extensions: wire.Extensions{}})
	}
	return msg
}

// askSignature asks for the signature of our CertificateVerify over everything sent so far, Certificate included.
func askSignature(t *turn, by verify.Signer, id *Identity, s *suite.Scheme) {
	t.facts.OwnIdentity, t.facts.OwnScheme = id, s.ID
	t.ask(Question{Kind: NeedSignature, Identity: id, Scheme: s.ID, Message: verify.CertificateVerifyInput(by, t.hash())})
}

// sendCertificateVerify sends the signature that the answer brought.
func sendCertificateVerify(t *turn, a Signed) error {
	if a.Err != nil {
		return because(CodeSigningFailed, a.Err)
	}
	if len(a.Signature) == 0 || len(a.Signature) > 1<<16-1 {
		return fail(CodeSigningFailed, "signature of %d bytes", len(a.Signature))
	}
	t.send(&wire.CertificateVerify{Scheme: t.facts.OwnScheme, Signature: a.Signature})
	return nil
}
