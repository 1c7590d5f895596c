package pkitest

import (
	"crypto"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/pki"
)

// Leaf is an end entity: its certificate, the chain it sends and its key.
type Leaf struct {
	Type        KeyType
	Certificate *x509.Certificate
	Chain       [][]byte      // DER: leaf, intermediate
	Key         crypto.Signer // [*pki.PSSKey] for RSAPSS

	t testing.TB
}

// Files are a leaf's PEM files, readable by any program.
type Files struct {
	Dir       string
	Cert      string // leaf
	Chain     string // intermediate
	FullChain string // leaf and intermediate
	Key       string // PKCS #8, mode 0600
}

// Server issues a good server certificate for names (DNS names or addresses; none:
// localhost, 127.0.0.1 and ::1).
func (ca *CA) Server(k KeyType, names ...string) *Leaf {
	ca.t.Helper()
	return ca.Issue(k, pki.Request{Profile: pki.ProfileServer, SANs: namesOr(names)})
}

// Client issues a good client certificate with the common name cn.
func (ca *CA) Client(k KeyType, cn string) *Leaf {
	ca.t.Helper()
	return ca.Issue(k, pki.Request{Profile: pki.ProfileClient, CommonName: cn})
}

// Expired issues a server certificate that ended 19 days ago.
func (ca *CA) Expired(k KeyType, names ...string) *Leaf {
	ca.t.Helper()
	return ca.Issue(k, pki.Request{
		Profile: pki.ProfileServer, SANs: namesOr(names), NotBefore: ca.Now.Add(-49 * day), Lifetime: 30 * day,
	})
}

// ExpiredClient issues a client certificate that ended 19 days ago.
func (ca *CA) ExpiredClient(k KeyType, cn string) *Leaf {
	ca.t.Helper()
	return ca.Issue(k, pki.Request{
		Profile: pki.ProfileClient, CommonName: cn, NotBefore: ca.Now.Add(-49 * day), Lifetime: 30 * day,
	})
}

// NotYetValid issues a server certificate that starts in 10 days.
func (ca *CA) NotYetValid(k KeyType, names ...string) *Leaf {
	ca.t.Helper()
	return ca.Issue(k, pki.Request{
		Profile: pki.ProfileServer, SANs: namesOr(names), NotBefore: ca.Now.Add(10 * day), Lifetime: 30 * day,
	})
}

// WrongName issues a good server certificate for another name than any test asks
// for.
func (ca *CA) WrongName(k KeyType) *Leaf {
	ca.t.Helper()
	return ca.Server(k, "elsewhere.test")
}

// WrongUsage issues a certificate with a server's names that may only prove a
// client.
func (ca *CA) WrongUsage(k KeyType, names ...string) *Leaf {
	ca.t.Helper()
	return ca.Issue(k, pki.Request{Profile: pki.ProfileClient, SANs: namesOr(names)})
}

// WrongCA issues a server certificate for names from a CA nobody knows.
func (ca *CA) WrongCA(k KeyType, names ...string) *Leaf {
	ca.t.Helper()
	return ca.Stranger().Server(k, names...)
}

// SelfSigned makes a server certificate that stands alone.
func (ca *CA) SelfSigned(k KeyType, names ...string) *Leaf {
	ca.t.Helper()
	if k == RSAPSS {
		ca.t.Fatal("a self-signed RSASSA-PSS certificate cannot be checked by crypto/x509")
	}
	key := newKey(ca.t, k, leafRole)
	c, err := pki.SelfSign(pki.Request{Profile: pki.ProfileServer, CommonName: "self-signed", SANs: namesOr(names)}, key, ca.Now)
	if err != nil {
		ca.t.Fatalf("self-sign: %v", err)
	}
	return &Leaf{Type: k, Certificate: c, Chain: [][]byte{c.Raw}, Key: key, t: ca.t}
}

// Issue issues what req asks for, with a new key of type k.
func (ca *CA) Issue(k KeyType, req pki.Request) *Leaf {
	ca.t.Helper()
	key := newKey(ca.t, k, leafRole)
	req.Key = key.Public()
	c, err := ca.Issuer().Issue(req, ca.Now)
	if err != nil {
		ca.t.Fatalf("issue %s leaf: %v", k, err)
	}
	if k == RSAPSS {
		c = restrictToPSS(ca.t, c, ca.Key)
	}
	return &Leaf{Type: k, Certificate: c, Chain: [][]byte{c.Raw, ca.Intermediate.Raw}, Key: key, t: ca.t}
}

func namesOr(names []string) []string {
	if len(names) == 0 {
		return []string{"localhost", "127.0.0.1", "::1"}
	}
	return slices.Clone(names)
}

// Files writes the leaf into a temporary folder of the test.
func (l *Leaf) Files() Files {
	l.t.Helper()
	dir := l.t.TempDir()
	var chain, full []byte
	for i, der := range l.Chain {
		full = pki.AppendCertificatePEM(full, der)
		if i > 0 {
			chain = pki.AppendCertificatePEM(chain, der)
		}
	}
	key, err := pki.MarshalPrivateKeyPEM(l.Key)
	if err != nil {
		l.t.Fatal(err)
	}
	return Files{
		Dir:       dir,
		Cert:      writeFile(l.t, dir, "cert.pem", pki.AppendCertificatePEM(nil, l.Chain[0])),
		Chain:     writeFile(l.t, dir, "chain.pem", chain),
		FullChain: writeFile(l.t, dir, "fullchain.pem", full),
		Key:       writeFile(l.t, dir, "privkey.pem", key),
	}
}
