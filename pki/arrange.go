package pki

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// Arrangement is what a heap of certificates comes to as a chain.
type Arrangement struct {
	// Chain is what a server sends: the leaf first, each followed by its issuer, the
	// root left out (unless the leaf is one itself). Every signature in it is right.
	Chain []*x509.Certificate
	// Root is where the chain ends: one of the roots, or else a self-signed
	// certificate of the heap; nil if there is none.
	Root *x509.Certificate
	// Surplus are certificates that the chain does not need; those in Duplicates and
	// CrossSigned and the root are not among them.
	Surplus    []*x509.Certificate
	Duplicates []*x509.Certificate // second and further copies
	// CrossSigned are certificates of the heap that have the name and the key of one
	// in the chain, or of the root, and another issuer: they lead to other roots.
	CrossSigned []*x509.Certificate
	// Missing tells what would complete the chain; empty if Root is set.
	Missing    []MissingIssuer
	OutOfOrder bool // the heap has the chain's certificates in another order
	RootSent   bool // the root is in the heap: peers have it, or do not trust it
}

// MissingIssuer is a certificate that would complete a chain.
type MissingIssuer struct {
	Name  string   // its subject, fit to print
	KeyID []byte   // its subject key identifier, if the certificate below tells; or nil
	AIA   []string // where the certificate below says that it can be had, as written there
}

// Arrange puts a heap of certificates in order. With leaf nil it is guessed: the
// first that is no CA and signed none of the others, or else the first that signed
// none. Roots may be empty. Dates and constraints do not matter here; of several
// chains the one to one of the roots is taken, of these the shortest, and of these
// the one that lives longest. More than [MaxHeapLength] certificates are not
// looked at.
func Arrange(heap []*x509.Certificate, leaf *x509.Certificate, roots []*x509.Certificate) *Arrangement {
	a := new(Arrangement)
	var distinctOnes []*x509.Certificate
	for _, c := range heap {
		if indexOf(distinctOnes, c) >= 0 {
			a.Duplicates = append(a.Duplicates, c)
		} else if len(distinctOnes) < MaxHeapLength {
			distinctOnes = append(distinctOnes, c)
		} else {
			a.Surplus = append(a.Surplus, c)
		}
	}
	if leaf == nil {
		leaf = guessLeaf(distinctOnes)
	}
	if leaf == nil {
		return a
	}
	a.build(distinctOnes, leaf, roots)
	a.sort(distinctOnes)
	return a
}

// build finds chain and root: up to one of the self-signed roots, or else to another
// certificate that is trusted (and only that: one of the heap is part of the chain),
// or else to a self-signed certificate of the heap.
func (a *Arrangement) build(heap []*x509.Certificate, leaf *x509.Certificate, roots []*x509.Certificate) {
	v := &verification{leaf: leaf, sent: heap}
	var s *pathSearch
	for _, ends := range [][]*x509.Certificate{
		filter(roots, selfIssued),
		filter(roots, func(c *x509.Certificate) bool {
			return !selfIssued(c) && indexOf(heap, c) < 0 && !bytes.Equal(c.Raw, leaf.Raw)
		}),
		filter(append(slices.Clone(heap), leaf), selfSigned),
	} {
		v.roots = ends
		if s = v.findPaths(); len(s.complete) > 0 {
			break
		}
	}
	if len(s.complete) == 0 {
		a.Chain = s.dead
		last := s.dead[len(s.dead)-1]
		a.Missing = []MissingIssuer{{Name: issuerName(last), KeyID: last.AuthorityKeyId, AIA: last.IssuingCertificateURL}}
		return
	}
	best := slices.MinFunc(s.complete, func(x, y []*x509.Certificate) int {
		return cmp.Or(len(x)-len(y), firstEnd(y).Compare(firstEnd(x)))
	})
	a.Root = best[len(best)-1]
	a.Chain = best[:max(len(best)-1, 1)]
}

// selfSigned takes any algorithm: nobody relies on a root's own signature.
func selfSigned(c *x509.Certificate) bool {
	return selfIssued(c) && cert.CheckSignature(c, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func filter(list []*x509.Certificate, keep func(*x509.Certificate) bool) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(list), func(c *x509.Certificate) bool { return !keep(c) })
}

// sort tells what the rest of the heap is.
func (a *Arrangement) sort(heap []*x509.Certificate) {
	var order []*x509.Certificate
	for _, c := range heap {
		switch {
		case indexOf(a.Chain, c) >= 0:
			order = append(order, c)
		case a.Root != nil && bytes.Equal(c.Raw, a.Root.Raw):
			a.RootSent = true
		case a.isCrossSigned(c):
			a.CrossSigned = append(a.CrossSigned, c)
		default:
			a.Surplus = append(a.Surplus, c)
		}
	}
	next := 0 // the leaf, and whatever else was given by other ways, may be missing from the heap
	for _, c := range order {
		i := indexOf(a.Chain, c)
		a.OutOfOrder = a.OutOfOrder || i < next
		next = i
	}
	if len(heap) > 0 && len(order) > 0 && !bytes.Equal(heap[0].Raw, order[0].Raw) {
		a.OutOfOrder = true // something stands before the leaf
	}
}

func (a *Arrangement) isCrossSigned(c *x509.Certificate) bool {
	chain := a.Chain
	if a.Root != nil {
		chain = append(slices.Clone(chain), a.Root)
	}
	return slices.ContainsFunc(chain, func(in *x509.Certificate) bool {
		return in.IsCA && bytes.Equal(in.RawSubject, c.RawSubject) && bytes.Equal(in.RawSubjectPublicKeyInfo, c.RawSubjectPublicKeyInfo) && !bytes.Equal(in.RawIssuer, c.RawIssuer)
	})
}

// guessLeaf picks the certificate that a chain was probably made for.
func guessLeaf(heap []*x509.Certificate) *x509.Certificate {
	issuers := make(map[string]bool)
	for _, c := range heap {
		if !selfIssued(c) {
			issuers[cert.ComparableName(c.RawIssuer)] = true
		}
	}
	best, least := (*x509.Certificate)(nil), 4
	for _, c := range heap {
		rank := 0
		if c.IsCA {
			rank++
		}
		if issuers[cert.ComparableName(c.RawSubject)] {
			rank += 2
		}
		if rank < least {
			best, least = c, rank
		}
	}
	return best
}

// firstEnd is when the first certificate of a path expires.
func firstEnd(path []*x509.Certificate) time.Time {
	first := path[0].NotAfter
	for _, c := range path {
		if c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	return first
}

func indexOf(list []*x509.Certificate, c *x509.Certificate) int {
	return slices.IndexFunc(list, func(other *x509.Certificate) bool { return bytes.Equal(other.Raw, c.Raw) })
}
