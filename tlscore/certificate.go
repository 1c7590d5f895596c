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
	chain  [][]byte
	leaf   verify.LeafKey
	staple []byte   // the leaf's OCSP response, DER; nil: none
	scts   [][]byte // the leaf's SCTs
}

// question asks whether the chain is acceptable.
func (peer *peerCertificate) question(serverName string) Question {
	return Question{Kind: NeedVerify, Chain: peer.chain, ServerName: serverName, Staple: peer.staple, SCTs: peer.scts}
}

// tell notes the certificate in the facts.
func (peer *peerCertificate) tell(f *Facts) {
	f.PeerChain, f.PeerStaple, f.PeerSCTs = peer.chain, peer.staple, peer.scts
}

// readCertificate reads a peer's Certificate message of the handshake, within the limits of c; offered says which extensions we asked for. A nil
// result without an error means that the list is empty.
func readCertificate(m message, c *Config, offered func(wire.ExtensionType) bool) (*peerCertificate, error) {
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
	peer := &peerCertificate{}
	for i := range cert.Entries {
		entry := &cert.Entries[i]
		if err := checkEntry(entry, offered); err != nil {
			return nil, err
		}
		peer.chain = append(peer.chain, bytes.Clone(entry.Data))
	}
	if err := peer.readStaple(&cert.Entries[0]); err != nil {
		return nil, err
	}
	return peer, peer.readLeaf(c)
}

// readCertificate12 reads a peer's Certificate message of TLS 1.2. A nil result without an error means that the list is
// empty.
func readCertificate12(m message, c *Config) (*peerCertificate, error) {
	var cert wire.Certificate12
	if err := parse(&cert, m.raw); err != nil || len(cert.Chain) == 0 {
		return nil, err
	}
	peer := &peerCertificate{}
	for _, der := range cert.Chain {
		peer.chain = append(peer.chain, bytes.Clone(der))
	}
	return peer, peer.readLeaf(c)
}

// readLeaf reads the leaf's key, and bounds the chain.
func (peer *peerCertificate) readLeaf(c *Config) error {
	if len(peer.chain) > c.MaxPeerChain {
		return fail(CodeBadCertificate, "%d certificates, more than %d", len(peer.chain), c.MaxPeerChain)
	}
	var err error
	peer.leaf, err = verify.Leaf(peer.chain[0])
	switch {
	case errors.Is(err, verify.ErrKeyUsage) && c.InsecureKeyUsage:
	case errors.Is(err, verify.ErrKeyUsage):
		return because(CodeKeyUsage, err)
	case errors.Is(err, verify.ErrKeyType), errors.Is(err, verify.ErrKeySize):
		return because(CodeUnsupportedKey, err)
	case err != nil:
		return because(CodeBadCertificate, err)
	}
	return nil
}

// checkEntry refuses extensions that were not asked for or do not belong to a certificate (RFC 8446, Section 4.4.2).
func checkEntry(entry *wire.CertificateEntry, offered func(wire.ExtensionType) bool) error {
	if kind, twice := entry.Extensions.Duplicate(); twice {
		return fail(CodeDuplicateExtension, "%v", kind)
	}
	for _, e := range entry.Extensions {
		if !offered(e.Type) {
			return fail(CodeUnsupportedExtension, "%v in Certificate", e.Type)
		}
		if e.Type != wire.ExtStatusRequest && e.Type != wire.ExtSignedCertificateTimestamp {
			return fail(CodeMisplacedExtension, "%v in Certificate", e.Type)
		}
	}
	return nil
}

// readStaple reads what came with the leaf (RFC 8446, Section 4.4.2.1; RFC 6962, Section 3.3).
func (peer *peerCertificate) readStaple(leaf *wire.CertificateEntry) error {
	var status wire.CertificateStatus
	if _, err := ext(leaf, &status); err != nil {
		return err
	}
	var scts wire.SCTs
	if _, err := ext(leaf, &scts); err != nil {
		return err
	}
	peer.staple = bytes.Clone(status.Response)
	for _, sct := range scts.List {
		peer.scts = append(peer.scts, bytes.Clone(sct))
	}
	return nil
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

// certificateMessage is the Certificate message for an identity; nil makes the empty one. The leaf carries the staple and
// the SCTs that the peer asked for.
func certificateMessage(context []byte, id *Identity, asked staples) *wire.Certificate {
	msg := &wire.Certificate{Context: context}
	if id == nil {
		return msg
	}
	for _, der := range id.Chain {
		msg.Entries = append(msg.Entries, wire.CertificateEntry{Data: der, Extensions: wire.Extensions{}})
	}
	leaf := &msg.Entries[0].Extensions
	if asked.status && len(id.Staple) > 0 {
		leaf.Add(&wire.CertificateStatus{Response: id.Staple})
	}
	if asked.scts && len(id.SCTs) > 0 {
		leaf.Add(&wire.SCTs{List: id.SCTs})
	}
	return msg
}

// staples is what a peer wants with our certificate.
type staples struct{ status, scts bool }

// askedStaples reads that out of a ClientHello or CertificateRequest.
func askedStaples(es wire.Extensions) (s staples) {
	_, s.status = es.Find(wire.ExtStatusRequest)
	_, s.scts = es.Find(wire.ExtSignedCertificateTimestamp)
	return s
}

// askSignature asks for the signature of our CertificateVerify over everything sent so far, Certificate included.
func askSignature(t *turn, by verify.Signer, id *Identity, s *suite.Scheme) {
	t.facts.OwnIdentity, t.facts.OwnScheme = id, s.ID
	t.ask(Question{Kind: NeedSignature, Identity: id, Scheme: s.ID, Message: verify.CertificateVerifyInput(by, t.hash())})
}

// sendCertificateVerify sends the signature that the answer brought.
func sendCertificateVerify(t *turn, a Signed) error {
	if err := checkSignature(a); err != nil {
		return err
	}
	t.send(&wire.CertificateVerify{Scheme: t.facts.OwnScheme, Signature: a.Signature})
	return nil
}

func checkSignature(a Signed) error {
	if a.Err != nil {
		return because(CodeSigningFailed, a.Err)
	}
	if len(a.Signature) == 0 || len(a.Signature) > 1<<16-1 {
		return fail(CodeSigningFailed, "signature of %d bytes", len(a.Signature))
	}
	return nil
}
