package scan

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/pki/cert"
)

// maxChain is how many certificates one above the other are followed.
const maxChain = 10

// order holds the chain that was sent against the chain that is needed, and gives the last certificate of it: the one whose
// issuer is the root, or missing. path is what leads to a trusted root; nil: nothing does, and the chain is built from what
// was sent. Other than pki.Arrange it follows signatures that nobody should trust, and certificates that only the tolerant
// view reads.
func (c *judgedChain) order(path []*x509.Certificate) (last *knownCert) {
	place := make(map[[sha256.Size]byte]int, len(c.certs)) // in the chain that is needed
	var root []byte                                        // subject and key of the end
	last = c.certs[0]
	place[last.sum] = 0
	if len(path) > 0 {
		c.issuer = path[min(1, len(path)-1)]
		for i, p := range path {
			for _, k := range c.certs {
				if bytes.Equal(k.der, p.Raw) {
					place[k.sum] = i
					last = k
				}
			}
		}
		end := path[len(path)-1]
		root = append(bytes.Clone(end.RawSubject), end.RawSubjectPublicKeyInfo...)
	} else {
		last = c.build(place)
		if last.facts.IsSelfSigned {
			root = last.nameAndKey()
		} else {
			c.facts.Missing = []string{last.facts.Issuer}
		}
	}
	c.sort(place, root)
	return last
}

// build follows the issuers among the certificates that were sent, and notes the leaf's.
func (c *judgedChain) build(place map[[sha256.Size]byte]int) *knownCert {
	last := c.certs[0]
	for range maxChain {
		if last.view == nil || last.facts.IsSelfSigned {
			return last
		}
		var next *knownCert
		for _, k := range c.certs {
			if _, used := place[k.sum]; used || k.view == nil || !cert.SameName(k.view.RawSubject, last.view.RawIssuer) {
				continue
			}
			if signed, known := last.signedBy(k); signed || !known {
				next = k
				break
			}
		}
		if next == nil {
			return last
		}
		if len(place) == 1 {
			c.issuer = next.parsed
		}
		place[next.sum] = len(place)
		last = next
	}
	return last
}

// sort tells what each certificate that was sent is to the chain.
func (c *judgedChain) sort(place map[[sha256.Size]byte]int, root []byte) {
	f := &c.facts
	next, seen := 0, make(map[[sha256.Size]byte]bool, len(c.certs))
	for i, k := range c.certs {
		at, needed := place[k.sum]
		if needed && !seen[k.sum] {
			f.OutOfOrder = f.OutOfOrder || at < next
			next = max(next, at)
		}
		switch {
		case seen[k.sum]:
			f.Surplus = append(f.Surplus, k.title(i)+", a second time")
		case i > 0 && k.facts.IsSelfSigned && bytes.Equal(k.nameAndKey(), root):
			f.RootSent = true
		case needed, c.isCrossSigned(k, root):
			// One that is cross-signed leads to another root, for clients that know only that one.
		default:
			f.Surplus = append(f.Surplus, k.title(i))
		}
		seen[k.sum] = true
	}
}

// isCrossSigned reports whether a certificate has the name and the key of another that was sent, or of the root, and another issuer.
func (c *judgedChain) isCrossSigned(k *knownCert, root []byte) bool {
	if k.view == nil || !k.facts.IsCA || k.facts.IsSelfSigned {
		return false
	}
	same := k.nameAndKey()
	return bytes.Equal(same, root) || slices.ContainsFunc(c.certs, func(other *knownCert) bool {
		return other.sum != k.sum && bytes.Equal(other.nameAndKey(), same)
	})
}

// nameAndKey tells CAs apart, whoever certified them; nil if there is no such thing.
func (k *knownCert) nameAndKey() []byte {
	if k.view == nil {
		return nil
	}
	return append(bytes.Clone(k.view.RawSubject), k.view.RawSPKI...)
}

// title names a certificate of a chain for people; i is its place in what was sent.
func (k *knownCert) title(i int) string {
	switch {
	case k.view == nil:
		return fmt.Sprintf("certificate %d, which cannot be read", i+1)
	case k.facts.Subject == "":
		return fmt.Sprintf("certificate %d, which has no subject", i+1)
	}
	return k.facts.Subject
}
