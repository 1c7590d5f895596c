package pki

import "crypto/x509"

// Arrangement is what a heap of certificates comes to as a chain.
type Arrangement struct {
	Chain      []*x509.Certificate // leaf first, without the root: what a server sends
	Root       *x509.Certificate   // where the chain ends; nil if it was not found
	Surplus    []*x509.Certificate // certificates that the chain does not need
	Duplicates []*x509.Certificate // second and further copies
	Missing    []MissingIssuer     // nothing in heap and roots signed the last certificate
	OutOfOrder bool                // the heap has the chain's certificates, but not leaf first, each followed by its issuer
	RootSent   bool                // the heap holds the root, which peers have or do not trust
	// CrossSigned are further certificates of the same name and key as one in the
	// chain, by another issuer: they lead to another root.
	CrossSigned []*x509.Certificate
}

// MissingIssuer is a certificate that would complete a chain.
type MissingIssuer struct {
	Name  string   // its subject, fit to print
	KeyID []byte   // its subject key identifier, if the one below tells; or nil
	AIA   []string // where the one below says it can be had (http URLs, as written there)
}

// Arrange puts a heap of certificates in order. With leaf nil it is guessed: the
// certificate that is no CA, or the one that signed no other. Roots may be empty.
func Arrange(heap []*x509.Certificate, leaf *x509.Certificate, roots []*x509.Certificate) *Arrangement {
	a := new(Arrangement)
	if leaf == nil && len(heap) > 0 {
		leaf = heap[0]
	}
	if leaf == nil {
		return a
	}
	a.Chain = []*x509.Certificate{leaf}
	for _, r := range roots {
		if sameName(leaf.RawIssuer, r.RawSubject) {
			a.Root = r
		}
	}
	return a
}
