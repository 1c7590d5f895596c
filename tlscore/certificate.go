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
	kind   wire.CertificateType
	leaf   verify.LeafKey
	staple []byte   // the leaf's OCSP response, DER; nil: none
	scts   [][]byte // the leaf's SCTs
	above  []Stapled

	credential *wire.DelegatedCredential // not checked yet; nil: none
	delegated  *verify.Delegation        // checked; nil: none
	delegation *Delegation               // what it says
}

// question asks whether the chain is acceptable.
func (peer *peerCertificate) question(serverName string) Question {
	return Question{Kind: NeedVerify, Chain: peer.chain, Type: peer.kind, ServerName: serverName, Staple: peer.staple, SCTs: peer.scts, Above: peer.above, Delegation: peer.delegation}
}

// tell notes the certificate in the facts.
func (peer *peerCertificate) tell(f *Facts) {
	f.PeerChain, f.PeerType, f.PeerStaple, f.PeerSCTs = peer.chain, peer.kind, peer.staple, peer.scts
	f.PeerAbove, f.PeerDelegation = peer.above, peer.delegation
}

// readCertificate reads a peer's Certificate message, within the limits of p; context is that of the request, and offered says which
// extensions we asked for. A nil result without an error means that the list is empty.
func readCertificate(m message, p *Params, kind wire.CertificateType, context []byte, offered func(wire.ExtensionType) bool) (*peerCertificate, error) {
	var cert wire.Certificate
	if err := parse(&cert, m.raw); err != nil {
		return nil, err
	}
	// RFC 8446, Section 4.4.2: zero length in the handshake itself.
	if !bytes.Equal(cert.Context, context) {
		return nil, fail(CodeBadRequestContext, "")
	}
	if len(cert.Entries) == 0 {
		return nil, nil
	}
	peer := &peerCertificate{kind: kind}
	for i := range cert.Entries {
		entry := &cert.Entries[i]
		if err := checkEntry(entry, offered); err != nil {
			return nil, err
		}
		peer.chain = append(peer.chain, p.leaves.own(entry.Data))
	}
	if err := peer.readStaples(cert.Entries); err != nil {
		return nil, err
	}
	if err := peer.readDelegated(&cert.Entries[0]); err != nil {
		return nil, err
	}
	return peer, peer.readLeaf(p)
}

// readCertificate12 reads a peer's Certificate message of TLS 1.2. A nil result without an error means that the list is
// empty.
func readCertificate12(m message, p *Params, kind wire.CertificateType) (*peerCertificate, error) {
	if kind == wire.CertificateTypeRawPublicKey {
		var raw wire.RawPublicKey12
		if err := parse(&raw, m.raw); err != nil || len(raw.Key) == 0 {
			return nil, err
		}
		peer := &peerCertificate{kind: kind, chain: [][]byte{bytes.Clone(raw.Key)}}
		return peer, peer.readLeaf(p)
	}
	var cert wire.Certificate12
	if err := parse(&cert, m.raw); err != nil || len(cert.Chain) == 0 {
		return nil, err
	}
	peer := &peerCertificate{}
	for _, der := range cert.Chain {
		peer.chain = append(peer.chain, p.leaves.own(der))
	}
	return peer, peer.readLeaf(p)
}

// readLeaf reads the leaf's key, and bounds the chain.
func (peer *peerCertificate) readLeaf(p *Params) error {
	if len(peer.chain) > p.c.MaxPeerChain {
		return fail(CodeBadCertificate, "%d certificates, more than %d", len(peer.chain), p.c.MaxPeerChain)
	}
	c, read := &p.c, p.leaves.read
	if peer.kind == wire.CertificateTypeRawPublicKey {
		read = verify.RawKey
		if len(peer.chain) != 1 {
			return fail(CodeBadRawKey, "%d of them", len(peer.chain))
		}
	}
	var err error
	peer.leaf, err = read(peer.chain[0])
	switch {
	case errors.Is(err, verify.ErrKeyUsage) && c.InsecureKeyUsage:
	case errors.Is(err, verify.ErrKeyUsage):
		return because(CodeKeyUsage, err)
	case errors.Is(err, verify.ErrKeyType), errors.Is(err, verify.ErrKeySize):
		return because(CodeUnsupportedKey, err)
	case err != nil && peer.kind == wire.CertificateTypeRawPublicKey:
		return because(CodeBadRawKey, err)
	case err != nil:
		return because(CodeBadCertificate, err)
	}
	return nil
}

// certificate12 is the Certificate message of TLS 1.2 for an identity; nil makes the empty one of a type.
func certificate12(id *Identity, kind wire.CertificateType) wire.Message {
	switch {
	case id == nil && kind == wire.CertificateTypeRawPublicKey:
		return &wire.RawPublicKey12{}
	case id == nil:
		return &wire.Certificate12{}
	case id.Type == wire.CertificateTypeRawPublicKey:
		return &wire.RawPublicKey12{Key: id.Chain[0]}
	}
	return &wire.Certificate12{Chain: id.Chain}
}

// checkEntry refuses extensions that were not asked for or do not belong to a certificate (RFC 8446, Section 4.4.2).
func checkEntry(entry *wire.CertificateEntry, offered func(wire.ExtensionType) bool) error {
	if kind, twice := entry.Extensions.Duplicate(); twice {
		return fail(CodeDuplicateExtension, "%v", kind)
	}
	for _, e := range entry.Extensions {
		if e.Type == wire.ExtDelegatedCredential && !offered(e.Type) {
			return fail(CodeUnaskedDelegated, "")
		}
		if !offered(e.Type) {
			return fail(CodeUnsupportedExtension, "%v in Certificate", e.Type)
		}
		if e.Type != wire.ExtStatusRequest && e.Type != wire.ExtSignedCertificateTimestamp && e.Type != wire.ExtDelegatedCredential {
			return fail(CodeMisplacedExtension, "%v in Certificate", e.Type)
		}
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
	key, schemes := peer.signs(p)
	if scheme == nil || !scheme.TLS13 || !slices.Contains(schemes, cv.Scheme) {
		return nil, nil, fail(CodeBadSchemeUsed, "%v was not offered", cv.Scheme)
	}
	if !key.Fits(scheme) {
		return nil, nil, fail(CodeBadSchemeUsed, "%v does not fit the certificate's key", cv.Scheme)
	}
	proof, err := verify.CertificateVerify(by, scheme, key, th, cv.Signature)
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

// certificateMessage is the Certificate message for an identity; nil makes the empty one. Each certificate carries what
// the peer asked for.
func certificateMessage(context []byte, id *Identity, asked *staples) *wire.Certificate {
	msg := &wire.Certificate{Context: context}
	if id == nil {
		return msg
	}
	for i, der := range id.Chain {
		entry := wire.CertificateEntry{Data: der, Extensions: wire.Extensions{}}
		asked.of(id, i).add(&entry.Extensions)
		if i == 0 && asked.delegated != nil {
			entry.Extensions.Add(&asked.delegated.dc)
		}
		msg.Entries = append(msg.Entries, entry)
	}
	return msg
}

// askSignature asks for the signature of our CertificateVerify over everything sent so far, Certificate included.
func askSignature(t *turn, by verify.Signer, id *Identity, s *suite.Scheme, d *delegation) {
	t.facts.OwnIdentity, t.facts.OwnScheme, t.facts.OwnDelegation = id, s.ID, d.facts()
	t.ask(Question{Kind: NeedSignature, Identity: id, Delegated: d.ours(), Scheme: s.ID, Message: verify.CertificateVerifyInput(by, t.hash())})
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
