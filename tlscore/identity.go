package tlscore

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// Identity is a certificate chain that we may present. The private key stays outside: NeedSignature asks for it.
type Identity struct {
	Chain   [][]byte               // DER, leaf first; at most 48 KiB in all; of a raw public key its SubjectPublicKeyInfo alone
	Type    wire.CertificateType   // zero: X.509
	Names   []string               // DNS names it serves, "*.example.com" too; empty: those of the leaf
	Schemes []wire.SignatureScheme // what its key signs with, in order of preference; empty: all that fit the key
	Staple  []byte                 // an OCSP response for the leaf, DER, sent where the peer asks; nil: none
	SCTs    [][]byte               // for the leaf, likewise
	Above   []Stapled              // for the certificates above the leaf, the one next to it first; in TLS 1.3 only
	// Delegated is a delegated credential that goes before the certificate's own key; nil: none.
	Delegated *Delegated
	Tag       any // the caller's handle, not looked at; typically leads to the key
}

// identity is a checked Identity with what the choice needs.
type identity struct {
	public  *Identity
	leaf    verify.LeafKey
	names   []string
	issuers [][]byte // DER issuer names along the chain
	packed  packedCertificates

	delegated *delegation            // nil: none
	signed    []wire.SignatureScheme // what its certificates are signed with, a self-signed one left out
}

func compileIdentity(in *Identity) (*identity, error) {
	if len(in.Chain) == 0 {
		return nil, errors.New("chain is empty")
	}
	if err := in.checkSize(); err != nil {
		return nil, err
	}
	copied := *in
	id := &identity{public: &copied, names: in.Names}
	var err error
	if in.Type == wire.CertificateTypeRawPublicKey {
		if id.leaf, err = verify.RawKey(in.Chain[0]); err != nil || len(in.Chain) != 1 {
			return nil, fmt.Errorf("raw public key, of %d: %w", len(in.Chain), err)
		}
		return id, nil
	}
	if id.leaf, err = verify.Leaf(in.Chain[0]); err != nil {
		return nil, fmt.Errorf("leaf: %w", err)
	}
	if in.Delegated != nil {
		if id.delegated, err = compileDelegated(in.Delegated, in.Chain[0], id.leaf); err != nil {
			return nil, err
		}
	}
	for i, der := range in.Chain {
		c, err := cert.ParseX509(der)
		if err != nil {
			return nil, fmt.Errorf("chain[%d]: %w", i, err)
		}
		id.issuers = append(id.issuers, c.RawIssuer)
		if !bytes.Equal(c.RawIssuer, c.RawSubject) {
			id.signed = append(id.signed, schemeOf(c.SignatureAlgorithm))
		}
		if i == 0 && len(id.names) == 0 {
			id.names = c.DNSNames
		}
	}
	return id, nil
}

// serves reports whether the identity is for the host name, by exact match or one wildcard label (RFC 6125, Section 6.4.3).
// A raw public key says nothing of names: without any it serves all.
func (id *identity) serves(name string) bool {
	if len(id.names) == 0 && id.public.Type == wire.CertificateTypeRawPublicKey {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	_, parent, hasParent := strings.Cut(name, ".")
	for _, n := range id.names {
		n = strings.ToLower(n)
		if n == name || hasParent && strings.HasPrefix(n, "*.") && n[2:] == parent {
			return true
		}
	}
	return false
}

// scheme returns the first scheme that the peer takes and the key can sign with, or nil. The order is the identity's, or
// else our own; what we accept from the peer (Config.Schemes) has no say in it.
func (id *identity) scheme(w wanted) *suite.Scheme {
	if d := id.delegates(w); d != nil {
		return d.Scheme
	}
	if id.delegated != nil && id.delegated.public.Alone {
		return nil
	}
	ours := id.public.Schemes
	if len(ours) == 0 {
		ours = suite.DefaultSchemes()
	}
	for _, code := range ours {
		s := suite.SchemeByID(code)
		if s == nil || !slices.Contains(w.schemes, code) {
			continue
		}
		if w.version == wire.VersionTLS12 {
			if id.leaf.FitsTLS12(s) && s.UsableTLS12(id.leaf.Public, id.leaf.Kind == suite.KeyRSAPSS) {
				return s
			}
		} else if s.TLS13 && id.leaf.Fits(s) && s.Usable(id.leaf.Public, id.leaf.Kind == suite.KeyRSAPSS) {
			return s
		}
	}
	return nil
}

// issuedBy reports whether one of the DER names issued a certificate of the chain. No names: everything fits.
func (id *identity) issuedBy(authorities [][]byte) bool {
	if len(authorities) == 0 || id.public.Type == wire.CertificateTypeRawPublicKey {
		return true
	}
	for _, issuer := range id.issuers {
		if slices.ContainsFunc(authorities, func(a []byte) bool { return bytes.Equal(a, issuer) }) {
			return true
		}
	}
	return false
}

// wanted is what a peer said about the certificates it can take.
type wanted struct {
	name        string // server_name; empty: none
	schemes     []wire.SignatureScheme
	chains      []wire.SignatureScheme // signature_algorithms_cert, else the same as schemes
	authorities [][]byte
	version     wire.Version                 // zero: TLS 1.3
	suites      []wire.CipherSuite           // a TLS 1.2 client's: the identity's key must fit one of them; nil: all
	groups      []wire.Group                 // likewise: an ECDSA key's curve must be one of them; empty: all
	keys        []wire.ClientCertificateType // a TLS 1.2 server's certificate_types; nil: all
	delegated   []wire.SignatureScheme       // that it takes delegated credentials of; nil: none
	now         time.Time                    // with delegated
	types       []wire.CertificateType       // X.509 or raw public keys (RFC 7250); nil: X.509
}

// clone copies what borrows from a message.
func (w wanted) clone() wanted {
	w.schemes, w.chains, w.keys, w.types = slices.Clone(w.schemes), slices.Clone(w.chains), slices.Clone(w.keys), slices.Clone(w.types)
	w.delegated = slices.Clone(w.delegated)
	authorities := w.authorities
	w.authorities = nil
	for _, a := range authorities {
		w.authorities = append(w.authorities, bytes.Clone(a))
	}
	return w
}

// takesType reports whether the peer takes certificates of a type.
func (w wanted) takesType(t wire.CertificateType) bool {
	if w.types == nil {
		return t == wire.CertificateTypeX509
	}
	return slices.Contains(w.types, t)
}

// takes reports whether a TLS 1.2 server's certificate_types allow a key (RFC 5246, Section 7.4.4; RFC 8422,
// Section 5.5). No type is one of ML-DSA.
func (w wanted) takes(k suite.KeyKind) bool {
	return w.keys == nil || suite.AuthECDSA.Fits(k) && slices.Contains(w.keys, wire.ClientCertificateECDSASign) ||
		suite.AuthRSA.Fits(k) && slices.Contains(w.keys, wire.ClientCertificateRSASign)
}

// takesCurve reports whether a TLS 1.2 client's groups allow a key.
//
// RFC 8422, Section 5.3: if the client lists elliptic curves, the server's public key MUST be on one of them.
func (w wanted) takesCurve(k suite.KeyKind) bool {
	curve := map[suite.KeyKind]wire.Group{
		suite.KeyECDSAP256: wire.GroupSecp256r1, suite.KeyECDSAP384: wire.GroupSecp384r1, suite.KeyECDSAP521: wire.GroupSecp521r1,
	}[k]
	return curve == 0 || len(w.groups) == 0 || slices.Contains(w.groups, curve)
}

// find returns the compiled form of an identity that a NeedIdentity answer chose; one that the configuration does not
// hold is compiled on the spot.
func (p *Params) find(in *Identity) (*identity, error) {
	for _, id := range p.identities {
		if id.public == in {
			return id, nil
		}
	}
	return compileIdentity(in)
}

// Identities returns the identities of the configuration, to choose from in a NeedIdentity answer.
func (p *Params) Identities() []*Identity {
	out := make([]*Identity, len(p.identities))
	for i, id := range p.identities {
		out[i] = id.public
	}
	return out
}

// SignWith answers a NeedSignature question with a key at hand. The signature is over q.Message by the rules of
// q.Scheme (RFC 8446, Section 4.4.3). The error is the signer's, or says that the key does not fit the scheme.
func SignWith(key crypto.Signer, q *Question) ([]byte, error) {
	s := suite.SchemeByID(q.Scheme)
	if s == nil {
		return nil, fmt.Errorf("tlscore: %v cannot be signed with", q.Scheme)
	}
	if q.Version == wire.VersionTLS12 {
		return suite.SignTLS12(key, s, q.Message)
	}
	return suite.Sign(key, s, q.Message)
}

// randomBytes fills b; crypto/rand never fails.
func randomBytes(b []byte) { rand.Read(b) }
