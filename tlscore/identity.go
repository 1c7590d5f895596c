package tlscore

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// Identity is a certificate chain that we may present. The private key stays outside: NeedSignature asks for it.
type Identity struct {
	Chain   [][]byte               // DER, leaf first; at most 48 KiB in all
	Names   []string               // DNS names it serves, "*.example.com" too; empty: those of the leaf
	Schemes []wire.SignatureScheme // what its key signs with, in order of preference; empty: all that fit the key
	Staple  []byte                 // an OCSP response for the leaf, DER, sent where the peer asks; nil: none
	SCTs    [][]byte               // for the leaf, likewise
	Tag     any                    // the caller's handle, not looked at; typically leads to the key
}

// identity is a checked Identity with what the choice needs.
type identity struct {
	public  *Identity
	leaf    verify.LeafKey
	names   []string
	issuers [][]byte               // DER issuer names along the chain
	signed  []wire.SignatureScheme // what its certificates are signed with, a self-signed one left out
}

func compileIdentity(in *Identity) (*identity, error) {
	if len(in.Chain) == 0 {
		return nil, errors.New("chain is empty")
	}
	size := 0
	for _, b := range slices.Concat(in.Chain, in.SCTs, [][]byte{in.Staple}) {
		size += len(b)
	}
	if size > maxOwnChain {
		return nil, fmt.Errorf("chain and staples have %d bytes, more than %d", size, maxOwnChain)
	}
	leaf, err := verify.Leaf(in.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("leaf: %w", err)
	}
	copied := *in
	id := &identity{public: &copied, leaf: leaf, names: in.Names}
	for i, der := range in.Chain {
		c, err := x509.ParseCertificate(der)
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
func (id *identity) serves(name string) bool {
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
	if len(authorities) == 0 {
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
}

// clone copies what borrows from a message.
func (w wanted) clone() wanted {
	w.schemes, w.chains, w.keys = slices.Clone(w.schemes), slices.Clone(w.chains), slices.Clone(w.keys)
	authorities := w.authorities
	w.authorities = nil
	for _, a := range authorities {
		w.authorities = append(w.authorities, bytes.Clone(a))
	}
	return w
}

// takes reports whether a TLS 1.2 server's certificate_types allow a key (RFC 5246, Section 7.4.4; RFC 8422,
// Section 5.5).
func (w wanted) takes(k suite.KeyKind) bool {
	need := wire.ClientCertificateECDSASign
	if suite.AuthRSA.Fits(k) {
		need = wire.ClientCertificateRSASign
	}
	return w.keys == nil || slices.Contains(w.keys, need)
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
