package monitor

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"sync"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/watch"
	"github.com/tlswright/tlswright/pki/cert"
)

// maxIntermediates bounds how many are remembered.
const maxIntermediates = 10_000

// intermediates are certificates of CAs that are no roots, by subject: those that servers sent and that led to a root. Where a
// server sends nothing but its leaf, and the leaf does not say where its issuer can be had, they are the evidence that an
// intermediate is missing, and that its issuer is not just a root that nobody trusts. The zero value is ready.
type intermediates struct {
	mu    sync.Mutex
	known map[string][]*x509.Certificate
	seen  map[[sha256.Size]byte]bool // of the DER
}

// add remembers one.
func (m *intermediates) add(c *x509.Certificate) {
	if !c.IsCA || bytes.Equal(c.RawSubject, c.RawIssuer) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := sha256.Sum256(c.Raw)
	if m.seen[sum] || len(m.seen) >= maxIntermediates {
		return
	}
	if m.known == nil {
		m.known, m.seen = make(map[string][]*x509.Certificate), make(map[[sha256.Size]byte]bool)
	}
	m.seen[sum] = true
	m.known[string(c.RawSubject)] = append(m.known[string(c.RawSubject)], c)
}

// note remembers what a server sent above its leaf, as far as it led to a root.
func (m *intermediates) note(f *grade.Facts) {
	for i := range f.Chains {
		c := &f.Chains[i]
		if c.Trusted != grade.Yes {
			continue
		}
		for n := 1; n < len(c.Sent); n++ {
			if m.has(c.Sent[n].DER) {
				continue
			}
			if parsed, err := cert.ParseX509(c.Sent[n].DER); err == nil {
				m.add(parsed)
			}
		}
	}
}

// has spares the parsing of what is known.
func (m *intermediates) has(der []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[sha256.Sum256(der)]
}

// complete says of chains that lead nowhere, and of which it could not be told so far, that an intermediate is missing: one
// that is known here has signed their last certificate.
func (m *intermediates) complete(o *watch.Observation, f *grade.Facts) {
	for i := range f.Chains {
		c := &f.Chains[i]
		if c.Trusted == grade.Yes || c.Complete != grade.Unknown || len(c.Sent) == 0 || c.SelfSigned {
			continue
		}
		last, err := cert.ParseX509(c.Sent[len(c.Sent)-1].DER)
		if err != nil || bytes.Equal(last.RawSubject, last.RawIssuer) || !m.signed(last) {
			continue
		}
		for n := range o.Leaves {
			if leaf := o.Leaves[n].Leaf(); leaf != nil && leaf.Fingerprint == bare(c.Sent[0].SHA256) {
				o.Leaves[n].Incomplete = true
			}
		}
	}
}

// signed reports whether one that is known has signed a certificate.
func (m *intermediates) signed(c *x509.Certificate) bool {
	m.mu.Lock()
	candidates := m.known[string(c.RawIssuer)]
	m.mu.Unlock()
	for _, k := range candidates {
		if cert.CheckSignatureFrom(c, k) == nil {
			return true
		}
	}
	return false
}
