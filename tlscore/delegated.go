package tlscore

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// MaxDelegated is the longest that a delegated credential is made for, and taken (RFC 9345, Section 4.1.3).
const MaxDelegated = verify.MaxDelegated

// Delegated is a delegated credential that we may present with a certificate (RFC 9345, TLS 1.3 only): a key that the
// certificate's owner has signed, good for a few days, which then signs the handshake in the place of the certificate's. It is
// presented to peers that take its schemes, as long as it is valid; others see the certificate alone.
type Delegated struct {
	Credential []byte // as [Delegate] makes it
	Tag        any    // the caller's handle, as of Identity; typically leads to the credential's key
	// Alone says that the certificate's own key is not at hand: without the credential the identity cannot be shown.
	Alone bool
}

// Delegation is what a delegated credential in use says.
type Delegation struct {
	Scheme    wire.SignatureScheme // that its key signs the handshake with
	Algorithm wire.SignatureScheme // that the certificate's owner signed it with
	Until     time.Time            // it is over after that
}

// DelegatedSchemes are what [Config.DelegatedSchemes] is usually set to: those that a delegated credential may sign with.
func DelegatedSchemes() []wire.SignatureScheme {
	return slices.DeleteFunc(suite.DefaultSchemes(), func(id wire.SignatureScheme) bool { return !verify.Delegable(suite.SchemeByID(id)) })
}

// Delegate makes a delegated credential for one role: the owner of a certificate (DER, and its key) has public sign
// handshakes until a time, at most MaxDelegated from now. The certificate must have the DelegationUsage extension and the
// digitalSignature key usage (RFC 9345, Section 4.2).
func Delegate(certificate []byte, key crypto.Signer, role Role, public crypto.PublicKey, now, until time.Time) ([]byte, error) {
	if err := verify.MayDelegate(certificate); err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	leaf, err := verify.Leaf(certificate)
	if err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	c, err := cert.Parse(certificate)
	if err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	spki, err := cert.MarshalPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	after := until.Sub(c.NotBefore)
	if after <= 0 || after > 1<<31*time.Second {
		return nil, errors.New("tlscore: a delegated credential cannot end then")
	}
	dc := &wire.DelegatedCredential{ValidTime: uint32(after / time.Second), PublicKey: spki}
	theirs, err := verify.RawKey(spki)
	if err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	for _, id := range DelegatedSchemes() {
		if dc.Scheme == 0 && theirs.Fits(suite.SchemeByID(id)) {
			dc.Scheme = id
		}
	}
	by := signerOf(role)
	for _, id := range suite.DefaultSchemes() {
		s := suite.SchemeByID(id)
		if !s.TLS13 || !leaf.Fits(s) || !s.Usable(leaf.Public, leaf.Kind == suite.KeyRSAPSS) {
			continue
		}
		dc.Algorithm = id
		if dc.Signature, err = suite.Sign(key, s, verify.DelegatedInput(by, certificate, dc)); err != nil {
			return nil, fmt.Errorf("tlscore: signing the credential: %w", err)
		}
		break
	}
	d, err := verify.Delegated(by, certificate, leaf, dc)
	if err == nil {
		err = d.In(now)
	}
	if err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	return dc.AppendBody(nil), nil
}

func signerOf(r Role) verify.Signer {
	if r == RoleServer {
		return verify.ServerSigner
	}
	return verify.ClientSigner
}

// delegation is a checked Delegated.
type delegation struct {
	*verify.Delegation
	public *Delegated
	dc     wire.DelegatedCredential
}

// compileDelegated reads the credential of an identity.
func compileDelegated(in *Delegated, certificate []byte, leaf verify.LeafKey) (*delegation, error) {
	copied := *in
	d := &delegation{public: &copied}
	err := d.dc.Parse(slices.Clone(in.Credential))
	if err != nil {
		return nil, fmt.Errorf("delegated credential: %w", err)
	}
	d.Delegation, err = verify.ReadDelegated(certificate, leaf, &d.dc)
	return d, err
}

// CheckDelegated tells what a delegated credential for one role says, if it holds with its certificate, DER. Whether it is
// over is left to the caller. An Identity with one that does not hold can be compiled, but peers refuse it.
func CheckDelegated(certificate []byte, role Role, credential []byte) (*Delegation, error) {
	var dc wire.DelegatedCredential
	if err := dc.Parse(credential); err != nil {
		return nil, fmt.Errorf("tlscore: delegated credential: %w", err)
	}
	if err := verify.MayDelegate(certificate); err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	leaf, err := verify.Leaf(certificate)
	if err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	d, err := verify.Delegated(signerOf(role), certificate, leaf, &dc)
	if err != nil {
		return nil, fmt.Errorf("tlscore: %w", err)
	}
	return &Delegation{Scheme: dc.Scheme, Algorithm: dc.Algorithm, Until: d.Until}, nil
}

// KeyTag is the Tag that leads to the key which a NeedSignature question is about: the delegated credential's, or the
// identity's.
func (q *Question) KeyTag() any {
	if q.Delegated != nil {
		return q.Delegated.Tag
	}
	return q.Identity.Tag
}

// facts are those of a credential.
func (d *delegation) facts() *Delegation {
	if d == nil {
		return nil
	}
	return &Delegation{Scheme: d.dc.Scheme, Algorithm: d.dc.Algorithm, Until: d.Until}
}

// ours is what signs in the place of the identity's key; nil: that key itself.
func (d *delegation) ours() *Delegated {
	if d == nil {
		return nil
	}
	return d.public
}

// delegates gives the credential that is presented to a peer, nil if there is none that it takes.
//
// RFC 9345, Section 4.1.1: the algorithm MUST be of a type advertised in signature_algorithms, and dc_cert_verify_algorithm
// of one advertised in delegated_credential.
func (id *identity) delegates(w wanted) *delegation {
	d := id.delegated
	if d == nil || w.version == wire.VersionTLS12 ||
		!slices.Contains(w.delegated, d.dc.Scheme) || !slices.Contains(w.schemes, d.dc.Algorithm) || w.now.After(d.Until) {
		return nil
	}
	return d
}

// checkDelegated refuses schemes that no delegated credential can sign with.
func (c *Config) checkDelegated() error {
	for i, id := range c.DelegatedSchemes {
		if !verify.Delegable(suite.SchemeByID(id)) {
			return fmt.Errorf("delegated schemes[%d]: %v cannot sign with a delegated credential", i, id)
		}
	}
	return nil
}

// delegation is the delegated credential that a session rests on, without the algorithm that it was signed with; nil: none.
func (s *Session) delegation() *Delegation {
	if s.DelegatedUntil.IsZero() {
		return nil
	}
	return &Delegation{Scheme: s.PeerScheme, Until: s.DelegatedUntil}
}

// delegation codes one for the state of a suspended connection.
func (c *coder) delegation(d **Delegation) {
	there := *d != nil
	if c.flag(&there); !there || c.bad {
		return
	}
	var until uint64
	if c.reading {
		*d = new(Delegation)
	} else {
		until = uint64((*d).Until.UnixMilli())
	}
	number(c, &(*d).Scheme)
	number(c, &(*d).Algorithm)
	number(c, &until)
	if c.reading {
		(*d).Until = time.UnixMilli(int64(until)).UTC()
	}
}

// takesSession reports whether a session rests on nothing that is not taken any more.
func (c *Config) takesSession(s *Session) bool {
	return s.DelegatedUntil.IsZero() || len(c.DelegatedSchemes) > 0
}

// addDelegated says that we take delegated credentials.
func (c *Config) addDelegated(es *wire.Extensions) {
	if len(c.DelegatedSchemes) > 0 {
		es.Add(&wire.DelegatedCredentialSchemes{Schemes: c.DelegatedSchemes})
	}
}

// readDelegated reads the credential that came with the leaf. Those with others are ignored (RFC 9345, Section 4.1.1).
func (peer *peerCertificate) readDelegated(leaf *wire.CertificateEntry) error {
	var dc wire.DelegatedCredential
	present, err := decoded(leaf.Ext(&dc))
	if err != nil || !present {
		return err
	}
	if peer.kind == wire.CertificateTypeRawPublicKey {
		return fail(CodeMisplacedExtension, "%v with a raw public key", wire.ExtDelegatedCredential)
	}
	peer.credential = &dc
	return nil
}

// checkDelegated holds the peer's credential to all rules (RFC 9345, Section 4.1.3); from then on its key is the one that
// signs.
func (peer *peerCertificate) checkDelegated(t *turn, by verify.Signer) error {
	dc := peer.credential
	if dc == nil {
		return nil
	}
	if !slices.Contains(t.params.c.DelegatedSchemes, dc.Scheme) {
		return fail(CodeBadDelegated, "its key signs with %v, which we do not take", dc.Scheme)
	}
	if !slices.Contains(t.params.c.Schemes, dc.Algorithm) {
		return fail(CodeBadDelegated, "it is signed with %v, which we do not take", dc.Algorithm)
	}
	if err := verify.MayDelegate(peer.chain[0]); err != nil {
		return because(CodeBadDelegated, err)
	}
	d, err := verify.Delegated(by, peer.chain[0], peer.leaf, dc)
	if err == nil {
		err = d.In(t.now)
	}
	if err != nil {
		return because(CodeBadDelegated, err)
	}
	peer.credential = nil // it borrows from the message
	peer.delegated = d
	peer.delegation = &Delegation{Scheme: dc.Scheme, Algorithm: dc.Algorithm, Until: d.Until}
	return nil
}

// signs gives the key that must have signed the peer's CertificateVerify, and the schemes that it may have used.
func (peer *peerCertificate) signs(p *Params) (verify.LeafKey, []wire.SignatureScheme) {
	if peer.delegated.Holds() {
		return peer.delegated.Key, []wire.SignatureScheme{peer.delegated.Scheme.ID}
	}
	return peer.leaf, p.c.Schemes
}
