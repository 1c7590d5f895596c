package pki_test

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/tlswright/tlswright/pki"
)

func sameList(a, b []*x509.Certificate) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].Raw, b[i].Raw) {
			return false
		}
	}
	return true
}

// heapOf takes certificates of a chain by their places, root first.
func (c *chain) heapOf(places ...int) []*x509.Certificate {
	var list []*x509.Certificate
	for _, i := range places {
		list = append(list, c.certs[i])
	}
	return list
}

func TestHeapsAreArranged(t *testing.T) {
	m := newMint(t)
	c := m.chain(nil, nil, nil, nil)
	roots := c.heapOf(0)
	stranger := m.chain(nil, func(t *x509.Certificate) { t.Subject.CommonName = "stranger" }).certs[1]
	for _, tt := range []struct {
		name                string
		heap, roots         []*x509.Certificate
		chain               []*x509.Certificate
		root, rootSent      bool
		outOfOrder          bool
		surplus, duplicates int
		missing             string
	}{
		{name: "in order", heap: c.heapOf(3, 2, 1), roots: roots, chain: c.heapOf(3, 2, 1), root: true},
		{name: "reversed", heap: c.heapOf(1, 2, 3), roots: roots, chain: c.heapOf(3, 2, 1), root: true, outOfOrder: true},
		{name: "intermediates swapped", heap: c.heapOf(3, 1, 2), roots: roots, chain: c.heapOf(3, 2, 1), root: true, outOfOrder: true},
		{name: "with its root", heap: c.heapOf(3, 2, 1, 0), roots: roots, chain: c.heapOf(3, 2, 1), root: true, rootSent: true},
		{name: "root first", heap: c.heapOf(0, 3, 2, 1), roots: roots, chain: c.heapOf(3, 2, 1), root: true, rootSent: true, outOfOrder: true},
		{name: "no roots given", heap: c.heapOf(3, 2, 1, 0), chain: c.heapOf(3, 2, 1), root: true, rootSent: true},
		{name: "twice", heap: c.heapOf(3, 2, 1, 2, 3), roots: roots, chain: c.heapOf(3, 2, 1), root: true, duplicates: 2},
		{name: "surplus", heap: append(c.heapOf(3, 2, 1), stranger), roots: roots, chain: c.heapOf(3, 2, 1), root: true, surplus: 1},
		{name: "missing at the top", heap: c.heapOf(3, 2), roots: roots, chain: c.heapOf(3, 2), missing: "CN=CA 1, O=Mint"},
		{name: "missing in the middle", heap: c.heapOf(3, 1), roots: roots, chain: c.heapOf(3), surplus: 1, missing: "CN=CA 2, O=Mint"},
		{name: "root unknown", heap: c.heapOf(3, 2, 1), chain: c.heapOf(3, 2, 1), missing: "CN=CA 0, O=Mint"},
		{name: "a root alone", heap: c.heapOf(0), roots: roots, chain: c.heapOf(0), root: true},
		{name: "all of the heap trusted", heap: c.heapOf(1, 3, 0, 2), roots: c.heapOf(1, 3, 0, 2), chain: c.heapOf(3, 2, 1), root: true, rootSent: true, outOfOrder: true},
		{name: "all of the heap trusted, no root", heap: c.heapOf(1, 3, 2), roots: c.heapOf(1, 3, 2), chain: c.heapOf(3, 2, 1), outOfOrder: true, missing: "CN=CA 0, O=Mint"},
		{name: "an intermediate trusted", heap: c.heapOf(3, 2), roots: c.heapOf(1), chain: c.heapOf(3, 2), root: true},
		{name: "nothing"},
	} {
		a := pki.Arrange(tt.heap, nil, tt.roots)
		if !sameList(a.Chain, tt.chain) || (a.Root != nil) != tt.root || a.RootSent != tt.rootSent || a.OutOfOrder != tt.outOfOrder ||
			len(a.Surplus) != tt.surplus || len(a.Duplicates) != tt.duplicates {
			t.Errorf("%s: %d in the chain, root %v, sent %v, out of order %v, %d surplus, %d duplicates", tt.name, len(a.Chain), a.Root != nil, a.RootSent, a.OutOfOrder, len(a.Surplus), len(a.Duplicates))
		}
		if (len(a.Missing) > 0) != (tt.missing != "") || tt.missing != "" && a.Missing[0].Name != tt.missing {
			t.Errorf("%s: missing %v", tt.name, a.Missing)
		}
	}
	a := pki.Arrange(c.heapOf(2, 1), c.certs[3], roots)
	if !sameList(a.Chain, c.heapOf(3, 2, 1)) || a.OutOfOrder {
		t.Errorf("with the leaf apart: %d in the chain, out of order %v", len(a.Chain), a.OutOfOrder)
	}
}

func TestTheChainThatLivesLongestIsTaken(t *testing.T) {
	m := newMint(t)
	c := m.chain(nil, nil, nil)
	again := &chain{m: m, certs: c.heapOf(0)}
	again.keys = append(again.keys, c.keys[0])
	longer := m.template(1, 3)
	longer.NotAfter = c.root().NotAfter
	again.add(longer, m.key(1))
	shorter := m.template(1, 3)
	shorter.NotAfter = mintTime()
	again.certs, again.keys = again.certs[:2:2], again.keys[:2:2]
	once := &chain{m: m, certs: c.heapOf(0)}
	once.keys = append(once.keys, c.keys[0])
	once.add(shorter, m.key(1))
	a := pki.Arrange([]*x509.Certificate{c.certs[2], once.certs[1], again.certs[1]}, nil, c.heapOf(0))
	if len(a.Chain) != 2 || !a.Chain[1].Equal(again.certs[1]) || len(a.Surplus) != 1 {
		t.Errorf("%d in the chain, %d surplus", len(a.Chain), len(a.Surplus))
	}
}

func TestCrossSignsAreFound(t *testing.T) {
	m := newMint(t)
	c := m.chain(nil, nil, nil)
	other := m.chain(func(t *x509.Certificate) { t.Subject.CommonName = "Other Root" })
	other.keys[0], other.certs[0] = m.key(6), m.reroot(m.key(6))
	other.add(m.template(1, 3), m.key(1))
	heap := []*x509.Certificate{c.certs[2], other.certs[1], c.certs[1]}
	for _, root := range []*chain{c, other} {
		a := pki.Arrange(heap, nil, []*x509.Certificate{root.root()})
		if len(a.Chain) != 2 || a.Root == nil || !a.Root.Equal(root.root()) || !a.Chain[1].Equal(root.certs[1]) || len(a.CrossSigned) != 1 || len(a.Surplus) != 0 {
			t.Errorf("%d in the chain, root %v, %d cross-signed", len(a.Chain), a.Root, len(a.CrossSigned))
		}
	}
	namesake := m.chain(nil)
	namesake.keys[0], namesake.certs[0] = m.key(0), c.root()
	namesake.add(m.template(1, 3), m.key(7)) // the right name, another key
	a := pki.Arrange([]*x509.Certificate{c.certs[2], namesake.certs[1]}, nil, []*x509.Certificate{c.root()})
	if len(a.Chain) != 1 || len(a.Missing) != 1 || !bytes.Equal(a.Missing[0].KeyID, c.certs[1].SubjectKeyId) {
		t.Errorf("a certificate that did not sign is in the chain: %d, missing %v", len(a.Chain), a.Missing)
	}
}
