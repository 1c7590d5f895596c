package pki_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// mintTime is when the generated cases are judged.
func mintTime() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// mint makes certificates that no sound CA would.
type mint struct {
	t    testing.TB
	keys []crypto.Signer
	made int64
	list []*question
}

// edit changes the template of a certificate.
type edit func(*x509.Certificate)

// chain is a path of certificates, root first, with their keys.
type chain struct {
	m     *mint
	certs []*x509.Certificate
	keys  []crypto.Signer
}

func newMint(t testing.TB) *mint {
	t.Helper()
	m := &mint{t: t}
	for range 8 {
		m.keys = append(m.keys, newKey(t))
	}
	return m
}

func (m *mint) key(n int) crypto.Signer { return m.keys[n%len(m.keys)] }

// template is a sound certificate for a place in a chain of so many.
func (m *mint) template(place, of int) *x509.Certificate {
	m.made++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1000 + m.made),
		NotBefore:    mintTime().Add(-30 * day), NotAfter: mintTime().Add(time.Duration(400-10*place) * day),
		BasicConstraintsValid: true, IsCA: true, MaxPathLen: -1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		Subject: pkix.Name{Organization: []string{"Mint"}, CommonName: fmt.Sprintf("CA %d", place)},
	}
	if place == of-1 && of > 1 {
		c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature
		c.Subject.CommonName = "leaf"
		c.DNSNames = []string{"www.example.com"}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	return c
}

// chain makes a path of len(edits) certificates, root first; an edit may be nil.
func (m *mint) chain(edits ...edit) *chain {
	m.t.Helper()
	c := &chain{m: m}
	for i, e := range edits {
		t := m.template(i, len(edits))
		if e != nil {
			e(t)
		}
		c.add(t, m.key(i))
	}
	return c
}

// add signs one more certificate below the last.
func (c *chain) add(t *x509.Certificate, key crypto.Signer) {
	c.m.t.Helper()
	parent, signer := t, key
	if n := len(c.certs); n > 0 {
		parent, signer = c.certs[n-1], c.keys[n-1]
		t.AuthorityKeyId = parent.SubjectKeyId // the library leaves it out of self-issued ones
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		c.m.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		// What cannot be read must be the last: the library does not sign with it.
		made = &x509.Certificate{Raw: der}
	}
	c.certs, c.keys = append(c.certs, made), append(c.keys, key)
}

func (c *chain) root() *x509.Certificate { return c.certs[0] }
func (c *chain) leaf() []byte            { return c.certs[len(c.certs)-1].Raw }

// ask turns the chain into a question that expects accept.
func (c *chain) ask(name string, accept bool, more ...func(*question)) *question {
	q := &question{corpus: "generated", name: name, accept: accept, leaf: c.leaf()}
	q.o.Time = mintTime()
	q.addRoot(c.root().Raw)
	for _, i := range c.certs[1:max(len(c.certs)-1, 1)] {
		q.o.Intermediates = append(q.o.Intermediates, i.Raw)
	}
	for _, f := range more {
		f(q)
	}
	c.m.list = append(c.m.list, q)
	return q
}

func host(name string) func(*question)    { return func(q *question) { q.o.ServerName = name } }
func usage(u pki.Usage) func(*question)   { return func(q *question) { q.o.Usage = u } }
func at(when time.Time) func(*question)   { return func(q *question) { q.o.Time = when } }
func heap(list ...[]byte) func(*question) { return func(q *question) { q.o.Intermediates = list } }
func anyUsage(q *question)                { q.o.AnyUsage = true }

// revocation hands in CRLs.
func revocation(mode pki.RevocationMode, crls ...[]byte) func(*question) {
	return func(q *question) {
		q.crls = crls
		q.o.Revocation = &pki.RevocationOptions{Mode: mode, WholeChain: true}
		for _, der := range crls {
			if l, err := crl.Parse(der); err == nil {
				q.o.Revocation.CRLs = append(q.o.Revocation.CRLs, l)
			}
		}
	}
}

// extension adds a raw extension.
func extension(id asn1.ObjectIdentifier, critical bool, value []byte) edit {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

// constrained makes a CA with name constraints.
func (m *mint) constrained(n pki.NameConstraints) edit {
	der, err := n.Marshal()
	if err != nil {
		m.t.Fatal(err)
	}
	return extension(asn1.ObjectIdentifier{2, 5, 29, 30}, true, der)
}

func both(edits ...edit) edit {
	return func(c *x509.Certificate) {
		for _, e := range edits {
			e(c)
		}
	}
}

func (m *mint) der(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		m.t.Fatal(err)
	}
	return der
}

func (m *mint) dn(n pkix.Name) []byte { return m.der(n.ToRDNSequence()) }

// list signs a CRL as the CA at place.
func (c *chain) crl(place int, tm crl.Template) []byte {
	c.m.t.Helper()
	if tm.ThisUpdate.IsZero() {
		tm.ThisUpdate, tm.NextUpdate = mintTime().Add(-day), mintTime().Add(day)
	}
	if tm.Number == nil {
		tm.Number = big.NewInt(1)
	}
	der, err := crl.Create(tm, c.certs[place], c.keys[place])
	if err != nil {
		c.m.t.Fatal(err)
	}
	return der
}

// reroot makes a root of another name.
func (m *mint) reroot(key crypto.Signer) *x509.Certificate {
	c := &chain{m: m}
	t := m.template(0, 3)
	t.Subject.CommonName = "Other Root"
	c.add(t, key)
	return c.root()
}
