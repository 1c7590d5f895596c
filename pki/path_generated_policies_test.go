package pki_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"github.com/tlswright/tlswright/pki"
)

// malformedCA signs a CA whose extensions the library may not read: name and key
// are put in by hand, so that more can be signed below it.
func (m *mint) malformedCA(above *chain, t *x509.Certificate) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, t, above.root(), m.key(1).Public(), above.keys[0])
	if err != nil {
		m.t.Fatal(err)
	}
	if c, err := x509.ParseCertificate(der); err == nil {
		return c
	}
	plain := *t
	plain.ExtraExtensions = nil
	good, err := x509.CreateCertificate(rand.Reader, &plain, above.root(), m.key(1).Public(), above.keys[0])
	if err != nil {
		m.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(good)
	if err != nil {
		m.t.Fatal(err)
	}
	c.Raw = der
	return c
}

func policyOID(m *mint, n uint64) x509.OID {
	if n == 0 {
		oid, err := x509.ParseOID("2.5.29.32.0")
		if err != nil {
			m.t.Fatal(err)
		}
		return oid
	}
	oid, err := x509.OIDFromInts([]uint64{1, 3, 6, 1, 4, 1, 99999, 5, n})
	if err != nil {
		m.t.Fatal(err)
	}
	return oid
}

func policies(m *mint) {
	with := func(list ...uint64) edit {
		return func(t *x509.Certificate) {
			for _, n := range list {
				t.Policies = append(t.Policies, policyOID(m, n))
			}
		}
	}
	explicit := func(initial ...uint64) func(*question) {
		return func(q *question) {
			q.o.Policies = &pki.PolicyOptions{RequireExplicit: true}
			for _, n := range initial {
				q.o.Policies.Initial = append(q.o.Policies.Initial, policyOID(m, n))
			}
		}
	}
	for _, c := range []struct {
		what        string
		inter, leaf []uint64
		initial     []uint64
		accept      bool
	}{
		{"both one policy", []uint64{1}, []uint64{1}, nil, true},
		{"both one policy, that is wanted", []uint64{1}, []uint64{1}, []uint64{1}, true},
		{"both one policy, another is wanted", []uint64{1}, []uint64{1}, []uint64{2}, false},
		{"both one policy, two are wanted", []uint64{1}, []uint64{1}, []uint64{1, 2}, true},
		{"no policies", nil, nil, nil, false},
		{"the leaf alone", nil, []uint64{1}, nil, false},
		{"the CA alone", []uint64{1}, nil, nil, false},
		{"different policies", []uint64{1}, []uint64{2}, nil, false},
		{"overlapping policies", []uint64{1, 2}, []uint64{2, 3}, nil, true},
		{"overlapping policies, the common one is wanted", []uint64{1, 2}, []uint64{2, 3}, []uint64{2}, true},
		{"overlapping policies, another is wanted", []uint64{1, 2}, []uint64{2, 3}, []uint64{1}, false},
		{"any policy above", []uint64{0}, []uint64{1}, []uint64{1}, true},
		{"any policy above, another is wanted", []uint64{0}, []uint64{1}, []uint64{2}, false},
		{"any policy below", []uint64{1}, []uint64{0}, []uint64{1}, true},
		{"any policy below, another is wanted", []uint64{1}, []uint64{0}, []uint64{2}, false},
		{"any policy everywhere", []uint64{0}, []uint64{0}, []uint64{7}, true},
	} {
		m.chain(nil, with(c.inter...), with(c.leaf...)).ask("policies: "+c.what, c.accept, explicit(c.initial...))
	}
	m.chain(nil, nil, nil).ask("policies: none, and none demanded", true, func(q *question) { q.o.Policies = new(pki.PolicyOptions) })
	inhibit := func(q *question) { q.o.Policies = &pki.PolicyOptions{RequireExplicit: true, InhibitAny: true} }
	m.chain(nil, with(0), with(1)).ask("policies: any policy inhibited", false, inhibit)
	m.chain(nil, with(1), with(1)).ask("policies: any policy inhibited and not needed", true, inhibit)
	// The CA demands policies itself: requireExplicitPolicy [0] of RFC 5280, Section 4.2.1.11.
	demand := func(skip byte) edit {
		return extension(asn1.ObjectIdentifier{2, 5, 29, 36}, true, []byte{0x30, 3, 0x80, 1, skip})
	}
	m.chain(nil, both(demand(0), with(1)), with(1)).ask("policies: the CA demands one, kept", true)
	m.chain(nil, both(demand(0), with(1)), nil).ask("policies: the CA demands one, not kept", false)
	m.chain(nil, nil, demand(0)).ask("policies: the leaf demands one itself and has none", false)
	m.chain(nil, demand(5), nil).ask("policies: the CA demands one further down", true)
	m.chain(nil, demand(1), nil, nil).ask("policies: the CA demands one after the next", false)
	mapping := func(from, to uint64) edit {
		type pair struct{ From, To asn1.ObjectIdentifier }
		oid := func(n uint64) asn1.ObjectIdentifier {
			if n == 0 {
				return asn1.ObjectIdentifier{2, 5, 29, 32, 0}
			}
			return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 5, int(n)}
		}
		return extension(asn1.ObjectIdentifier{2, 5, 29, 33}, true, m.der([]pair{{oid(from), oid(to)}}))
	}
	mapped := m.chain(nil, both(with(1), mapping(1, 2)), with(2))
	mapped.ask("policies: mapped", true, explicit(1))
	mapped.ask("policies: mapped, the policy below is wanted", false, explicit(2))
	mapped.ask("policies: mapped although that is inhibited", false, func(q *question) {
		q.o.Policies = &pki.PolicyOptions{RequireExplicit: true, InhibitMapping: true}
	})
	for i, pair := range [][2]uint64{{0, 1}, {1, 0}} {
		m.chain(nil, both(with(1), mapping(pair[0], pair[1])), with(1)).ask(fmt.Sprintf("policies: any policy mapped, %d", i), false)
	}
}
