package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/pki/cert"
)

// Bounds on what Explain works on. A heap of files may hold more than a peer may
// send.
const (
	MaxHeapLength = 200     // certificates, the leaf included
	MaxHeapBytes  = 1 << 20 // bytes of DER, all certificates together
	maxSignatures = 200     // signatures that one search checks
	maxPaths      = 64      // complete paths that are judged
	maxSteps      = 4000    // certificates that are put on a path
)

// pathSearch looks for all ways from a leaf to a trusted root.
type pathSearch struct {
	v        *verification
	issuers  map[string][]*x509.Certificate            // by the key of their subject, roots first
	above    map[*x509.Certificate][]*x509.Certificate // what could have issued a certificate
	links    map[link]error
	steps    int
	spent    int                   // signatures checked
	full     bool                  // a bound was met: there may be more paths
	long     bool                  // a path was given up for its length
	complete [][]*x509.Certificate // ending at a root
	dead     []*x509.Certificate   // the longest that ended nowhere
}

type link struct{ child, parent *x509.Certificate }

// findPaths gives all paths that end at a root, within bounds, and the one that came
// farthest of those that do not.
func (v *verification) findPaths() *pathSearch {
	s := &pathSearch{v: v, issuers: make(map[string][]*x509.Certificate), above: make(map[*x509.Certificate][]*x509.Certificate), links: make(map[link]error)}
	known := make(map[string]bool)
	for _, c := range slices.Concat(v.roots, v.sent) {
		if !known[string(c.Raw)] {
			known[string(c.Raw)] = true
			key := cert.ComparableName(c.RawSubject)
			s.issuers[key] = append(s.issuers[key], c)
		}
	}
	s.extend([]*x509.Certificate{v.leaf})
	return s
}

// extend tries every issuer of the last certificate of path.
func (s *pathSearch) extend(path []*x509.Certificate) {
	last := path[len(path)-1]
	if s.v.isRoot(last) {
		s.complete = append(s.complete, slices.Clone(path))
		s.full = s.full || len(s.complete) >= maxPaths
		return
	}
	if len(path) > len(s.dead) {
		s.dead = slices.Clone(path)
	}
	if len(path) >= MaxChainLength {
		s.long = true
		return
	}
	for _, parent := range s.parents(path) {
		if s.steps++; s.full || s.steps > maxSteps {
			s.full = true
			return
		}
		if s.check(last, parent) == nil {
			s.extend(append(path, parent))
		}
	}
}

// parents are the certificates that could have issued the last of path, likely
// ones first. One that is on the path in its name and key leads in a circle; a leaf
// with its issuer's name and key is odd, but none.
func (s *pathSearch) parents(path []*x509.Certificate) []*x509.Certificate {
	last := path[len(path)-1]
	above, ok := s.above[last]
	if !ok {
		above = s.namedAs(last)
		s.above[last] = above
	}
	var list []*x509.Certificate
	for _, p := range above {
		circle := bytes.Equal(path[0].Raw, p.Raw) || slices.ContainsFunc(path[1:], func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubjectPublicKeyInfo, p.RawSubjectPublicKeyInfo) && bytes.Equal(c.RawSubject, p.RawSubject)
		})
		if !circle {
			list = append(list, p)
		}
	}
	return list
}

// namedAs gives the certificates whose subject is the issuer of c: roots before
// others, those whose key identifier or dates do not fit last.
func (s *pathSearch) namedAs(c *x509.Certificate) []*x509.Certificate {
	type candidate struct {
		cert *x509.Certificate
		rank int
	}
	var list []candidate
	for _, p := range s.issuers[cert.ComparableName(c.RawIssuer)] {
		n := 0
		if !s.v.isRoot(p) {
			n++
		}
		if s.v.options.Time.Before(p.NotBefore) || s.v.options.Time.After(p.NotAfter) {
			n += 2
		}
		if a, k := c.AuthorityKeyId, p.SubjectKeyId; len(a) > 0 && len(k) > 0 && !bytes.Equal(a, k) {
			n += 4
		}
		list = append(list, candidate{p, n})
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return a.rank - b.rank })
	sorted := make([]*x509.Certificate, len(list))
	for i, l := range list {
		sorted[i] = l.cert
	}
	return sorted
}

// check checks one signature, once.
func (s *pathSearch) check(child, parent *x509.Certificate) error {
	l := link{child, parent}
	if err, ok := s.links[l]; ok {
		return err
	}
	if s.spent++; s.spent > maxSignatures {
		s.full = true
		return errSearchLimit
	}
	err := checkLink(child, parent)
	s.links[l] = err
	return err
}

var errSearchLimit = fmt.Errorf("more than %d signatures to check", maxSignatures)

// checkLink checks that parent's key made child's signature, with an algorithm
// that cannot be forged. Whether parent may sign is another question.
func checkLink(child, parent *x509.Certificate) error {
	switch child.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA, x509.MD2WithRSA:
		return x509.InsecureAlgorithmError(child.SignatureAlgorithm)
	}
	return cert.CheckSignature(parent, child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
}

// force goes on from the dead end over links whose signature is wrong, so that the
// rest of the path can be looked at, too. Such a path is never trusted.
func (s *pathSearch) force() {
	path := s.dead
	for len(path) < MaxChainLength && !s.v.isRoot(path[len(path)-1]) {
		parents := s.parents(path)
		if len(parents) == 0 {
			break
		}
		last, best := path[len(path)-1], parents[0]
		for _, p := range parents {
			if s.check(last, p) == nil {
				best = p
				break
			}
		}
		path = append(path, best)
	}
	s.dead = path
}
