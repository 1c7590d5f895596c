package interop

import (
	"crypto"
	"crypto/x509"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	certs "github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// keyKind is a kind of leaf key, named as the table names it.
type keyKind string

const (
	ecdsaP256 keyKind = "ECDSA P-256"
	ecdsaP384 keyKind = "ECDSA P-384"
	ecdsaP521 keyKind = "ECDSA P-521"
	ed25519K  keyKind = "Ed25519"
	rsaE      keyKind = "RSA"
	rsaPSS    keyKind = "RSA-PSS only"
)

var allKinds = []keyKind{ecdsaP256, ecdsaP384, ecdsaP521, ed25519K, rsaE, rsaPSS}

// keyType is the kind in pkitest's words.
func (k keyKind) keyType() pkitest.KeyType {
	return map[keyKind]pkitest.KeyType{
		ecdsaP256: pkitest.P256, ecdsaP384: pkitest.P384, ecdsaP521: pkitest.P521,
		ed25519K: pkitest.Ed25519, rsaE: pkitest.RSA2048, rsaPSS: pkitest.RSAPSS,
	}[k]
}

// isRSA says which suites of TLS 1.2 a key of this kind goes with.
func (k keyKind) isRSA() bool { return k == rsaE || k == rsaPSS }

// curve is that of an ECDSA key; zero for the others.
func (k keyKind) curve() wire.Group {
	return map[keyKind]wire.Group{
		ecdsaP256: wire.GroupSecp256r1, ecdsaP384: wire.GroupSecp384r1, ecdsaP521: wire.GroupSecp521r1,
	}[k]
}

// schemes are the signature schemes that a key of this kind can sign a handshake with. In TLS 1.2 ECDSA goes with any hash
// (RFC 5246, Section 7.4.1.4.1), and PKCS #1 v1.5 is allowed.
func (k keyKind) schemes(v wire.Version) []wire.SignatureScheme {
	switch k {
	case ed25519K:
		return one(wire.SchemeEd25519)
	case rsaPSS:
		return []wire.SignatureScheme{wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512}
	case rsaE:
		list := []wire.SignatureScheme{wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512}
		if v == wire.VersionTLS12 {
			list = append(list, wire.SchemeRSAPKCS1SHA256, wire.SchemeRSAPKCS1SHA384, wire.SchemeRSAPKCS1SHA512)
		}
		return list
	}
	if v == wire.VersionTLS12 {
		return []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256, wire.SchemeECDSASecp384r1SHA384, wire.SchemeECDSASecp521r1SHA512}
	}
	return one(map[keyKind]wire.SignatureScheme{
		ecdsaP256: wire.SchemeECDSASecp256r1SHA256, ecdsaP384: wire.SchemeECDSASecp384r1SHA384, ecdsaP521: wire.SchemeECDSASecp521r1SHA512,
	}[k])
}

// serverName is the DNS name in every leaf; the address in them is 127.0.0.1.
const serverName = "peer.interop.test"

// identity is a leaf with its key and its chain, in memory for our end and in files for the programs.
type identity struct {
	chain             [][]byte // leaf, intermediate
	key               crypto.Signer
	certFile, keyFile string // PEM: the chain, PKCS #8
}

// pki is what one test trusts: one root, one intermediate, a leaf for every kind of key that serves as server
// and as client, a stranger whose root nobody trusts, and an impostor whose root has the name of ours: clients do not
// even present the stranger's certificate where the server names its CAs.
type pki struct {
	dir                string // for whatever files a case needs
	ca                 *pkitest.CA
	root               *x509.Certificate
	rootFile           string
	leaves             map[keyKind]*identity
	stranger, impostor *identity
	demanding          *identity // its certificate demands a stapled OCSP response
	demandingRSA       *identity // so does this one
	nss                nssStore
	recorded           *recorded // nil: connections are not recorded
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	p := &pki{ca: ca, dir: t.TempDir(), root: ca.Root, rootFile: ca.RootFile(), leaves: map[keyKind]*identity{}}
	for _, kind := range allKinds {
		p.leaves[kind] = newIdentity(ca, kind)
	}
	p.stranger = newIdentity(ca.Stranger(), ecdsaP256)
	p.demanding = demanding(t, p, p.leaves[ecdsaP256])
	p.demandingRSA = demanding(t, p, p.leaves[rsaE])
	p.impostor = newIdentity(ca.Namesake(), ecdsaP256)
	return p
}

func newIdentity(ca *pkitest.CA, kind keyKind) *identity {
	leaf := ca.Issue(kind.keyType(), certs.Request{
		Profile: certs.ProfilePeer, CommonName: "interop " + string(kind), SANs: []string{serverName, "127.0.0.1"},
	})
	files := leaf.Files()
	return &identity{chain: leaf.Chain, key: leaf.Key, certFile: files.FullChain, keyFile: files.Key}
}
