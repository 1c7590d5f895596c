package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

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

// schemes are the signature schemes that a key of this kind can sign a TLS 1.3 CertificateVerify with.
func (k keyKind) schemes() []wire.SignatureScheme {
	switch k {
	case ecdsaP256:
		return []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256}
	case ecdsaP384:
		return []wire.SignatureScheme{wire.SchemeECDSASecp384r1SHA384}
	case ecdsaP521:
		return []wire.SignatureScheme{wire.SchemeECDSASecp521r1SHA512}
	case ed25519K:
		return []wire.SignatureScheme{wire.SchemeEd25519}
	case rsaE:
		return []wire.SignatureScheme{wire.SchemeRSAPSSRSAESHA256, wire.SchemeRSAPSSRSAESHA384, wire.SchemeRSAPSSRSAESHA512}
	}
	return []wire.SignatureScheme{wire.SchemeRSAPSSPSSSHA256, wire.SchemeRSAPSSPSSSHA384, wire.SchemeRSAPSSPSSSHA512}
}

// serverName is the DNS name in every leaf; the address in them is 127.0.0.1.
const serverName = "peer.interop.test"

// identity is a leaf with its key and its chain, in memory for our end and in files for the programs.
type identity struct {
	kind              keyKind
	chain             [][]byte // leaf, intermediate
	key               crypto.Signer
	certFile, keyFile string // PEM: the chain, PKCS#8
}

// pki is what the tests trust: one root, one intermediate, a leaf for every kind of key that serves as server
// and as client, a stranger whose root nobody trusts, and an impostor whose root
// has the name of ours: clients do not even present the stranger's certificate where the server names its CAs.
type pki struct {
	dir      string
	root     *x509.Certificate
	rootFile string
	leaves   map[keyKind]*identity
	stranger *identity
	impostor *identity
}

// testPKI makes the PKI of this run of the tests, once.
var testPKI = sync.OnceValues(makePKI)

func needPKI(t testing.TB) *pki {
	t.Helper()
	p, err := testPKI()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMain(m *testing.M) {
	code := m.Run()
	if p, err := testPKI(); err == nil {
		os.RemoveAll(p.dir)
	}
	os.Exit(code)
}

func makePKI() (*pki, error) {
	dir, err := os.MkdirTemp("", "tlswright-interop-")
	if err != nil {
		return nil, err
	}
	p := &pki{dir: dir, rootFile: filepath.Join(dir, "root.pem"), leaves: map[keyKind]*identity{}}
	root, err := newIssuer("Interop Root", nil)
	if err != nil {
		return nil, err
	}
	p.root = root.cert
	if err := writePEM(p.rootFile, "CERTIFICATE", root.cert.Raw); err != nil {
		return nil, err
	}
	inter, err := newIssuer("Interop Intermediate", root)
	if err != nil {
		return nil, err
	}
	for _, kind := range allKinds {
		if p.leaves[kind], err = inter.leaf(dir, fmt.Sprintf("leaf%d", len(p.leaves)), kind); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
	}
	if p.stranger, err = untrusted(dir, "stranger", "A Stranger's Root"); err != nil {
		return nil, err
	}
	p.impostor, err = untrusted(dir, "impostor", "Interop Root")
	return p, err
}

func untrusted(dir, file, rootName string) (*identity, error) {
	root, err := newIssuer(rootName, nil)
	if err != nil {
		return nil, err
	}
	return root.leaf(dir, file, ecdsaP256)
}

type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newIssuer(name string, parent *issuer) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	i := &issuer{key: key}
	signer := i
	if parent != nil {
		signer = parent
	} else {
		i.cert = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		return nil, err
	}
	i.cert, err = x509.ParseCertificate(der)
	return i, err
}

func (i *issuer) leaf(dir, file string, kind keyKind) (*identity, error) {
	key, err := newKey(kind)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "interop " + string(kind)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{serverName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, i.cert, key.Public(), i.key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if kind == rsaPSS {
		if der, err = i.asPSSOnly(der); err != nil {
			return nil, err
		}
		if pkcs8, err = keyAsPSSOnly(pkcs8); err != nil {
			return nil, err
		}
	}
	id := &identity{
		kind: kind, key: key, chain: [][]byte{der, i.cert.Raw},
		certFile: filepath.Join(dir, file+".pem"), keyFile: filepath.Join(dir, file+".key"),
	}
	if err := writePEM(id.certFile, "CERTIFICATE", id.chain...); err != nil {
		return nil, err
	}
	return id, writePEM(id.keyFile, "PRIVATE KEY", pkcs8)
}

func newKey(kind keyKind) (crypto.Signer, error) {
	switch kind {
	case ecdsaP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ecdsaP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case ecdsaP521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case ed25519K:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

// idRSASSAPSS is the algorithm of a key that may make PSS signatures alone (RFC 4055, Section 1.2). crypto/x509
// neither makes nor reads such keys, so the certificate is made with rsaEncryption, changed, and signed again.
var idRSASSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}

func (i *issuer) asPSSOnly(der []byte) ([]byte, error) {
	var cert struct {
		TBS struct {
			Version                   int `asn1:"explicit,tag:0"`
			Serial                    *big.Int
			Algorithm                 pkix.AlgorithmIdentifier
			Issuer, Validity, Subject asn1.RawValue
			SPKI                      struct {
				Algorithm pkix.AlgorithmIdentifier
				Key       asn1.BitString
			}
			Extensions asn1.RawValue
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &cert); err != nil {
		return nil, err
	}
	cert.TBS.SPKI.Algorithm = pkix.AlgorithmIdentifier{Algorithm: idRSASSAPSS}
	tbs, err := asn1.Marshal(cert.TBS)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(tbs)
	sig, err := i.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	cert.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	return asn1.Marshal(cert)
}

func keyAsPSSOnly(pkcs8 []byte) ([]byte, error) {
	var key struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	if _, err := asn1.Unmarshal(pkcs8, &key); err != nil {
		return nil, err
	}
	key.Algorithm = pkix.AlgorithmIdentifier{Algorithm: idRSASSAPSS}
	return asn1.Marshal(key)
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}

func writePEM(path, kind string, ders ...[]byte) error {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	return os.WriteFile(path, out, 0o600)
}
