package pki_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

func parseIP(s string) net.IP { return net.IP(netip.MustParseAddr(s).AsSlice()) }

// constraintCase holds names, separated by spaces, against one constraint; "-"
// stands for the empty one.
type constraintCase struct{ constraint, inside, outside string }

// constrain makes two cases of each name: below a CA that permits the constraint,
// and below one that excludes it.
func (m *mint) constrain(kind string, cases []constraintCase, make func(constraint string) (permitted, excluded pki.NameConstraints), leaf func(name string) edit) {
	for _, c := range cases {
		permitted, excluded := make(strings.Trim(c.constraint, "-"))
		for i, list := range []string{c.inside, c.outside} {
			for name := range strings.FieldsSeq(list) {
				m.chain(nil, m.constrained(permitted), leaf(name)).ask(fmt.Sprintf("%s %s permitted, %s", kind, c.constraint, name), i == 0, anyUsage)
				m.chain(nil, m.constrained(excluded), leaf(name)).ask(fmt.Sprintf("%s %s excluded, %s", kind, c.constraint, name), i == 1, anyUsage)
			}
		}
	}
}

func nameConstraintsDNS(m *mint) {
	m.constrain("DNS", []constraintCase{
		{"example.com", "example.com www.example.com a.b.example.com WWW.Example.COM *.example.com", "example.org badexample.com com www.example.com.evil.org"},
		{".example.com", "www.example.com a.b.example.com", "example.com example.org"},
		{"-", "example.com", ""},
		{"EXAMPLE.com", "www.example.com", "example.net"},
	}, func(s string) (p, x pki.NameConstraints) {
		return pki.NameConstraints{PermittedDNS: []string{s}}, pki.NameConstraints{ExcludedDNS: []string{s}}
	}, func(name string) edit { return func(t *x509.Certificate) { t.DNSNames = []string{name} } })
	host := func(names ...string) edit { return func(t *x509.Certificate) { t.DNSNames = names } }
	m.chain(nil, m.constrained(pki.NameConstraints{ExcludedDNS: []string{"secret.example.com"}}), host("*.example.com")).ask("DNS wildcard over an excluded name", false)
	m.chain(nil, m.constrained(pki.NameConstraints{PermittedDNS: []string{"a.example.com"}}), host("*.example.com")).ask("DNS wildcard over more than is permitted", false)
	m.chain(nil, m.constrained(pki.NameConstraints{PermittedDNS: []string{"example.com", "example.org"}}), host("a.example.org", "a.example.com")).ask("DNS two permitted", true)
	m.chain(nil, m.constrained(pki.NameConstraints{PermittedDNS: []string{"example.com", "example.org"}}), host("a.example.org", "a.example.net")).ask("DNS one of two names outside", false)
}

func nameConstraintsIP(m *mint) {
	m.constrain("IP", []constraintCase{
		{"192.0.2.0/24", "192.0.2.0 192.0.2.255", "192.0.3.0 10.0.0.1 2001:db8::1"},
		{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
		{"192.0.2.7/32", "192.0.2.7", "192.0.2.6"},
		{"0.0.0.0/0", "203.0.113.9", "2001:db8::1"},
		{"2001:db8::/32", "2001:db8::1 2001:db8:ffff::", "2001:db9::1 192.0.2.1"},
	}, func(s string) (p, x pki.NameConstraints) {
		list := []netip.Prefix{netip.MustParsePrefix(s)}
		return pki.NameConstraints{PermittedIP: list}, pki.NameConstraints{ExcludedIP: list}
	}, func(name string) edit {
		return func(t *x509.Certificate) { t.DNSNames, t.IPAddresses = nil, []net.IP{parseIP(name)} }
	})
}

func nameConstraintsEmail(m *mint) {
	m.constrain("e-mail", []constraintCase{
		{"example.com", "alice@example.com alice@EXAMPLE.com", "alice@example.org alice@mail.example.com"},
		{".example.com", "alice@mail.example.com alice@a.b.example.com", "alice@example.com"},
		{"alice@example.com", "alice@example.com alice@Example.com", "bob@example.com Alice@example.com alice@example.org"},
	}, func(s string) (p, x pki.NameConstraints) {
		return pki.NameConstraints{PermittedEmail: []string{s}}, pki.NameConstraints{ExcludedEmail: []string{s}}
	}, func(name string) edit {
		return func(t *x509.Certificate) { t.DNSNames, t.EmailAddresses = nil, []string{name} }
	})
	legacy := func(address string) edit {
		return func(t *x509.Certificate) {
			t.DNSNames = nil
			t.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1},
				Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(address)}}}
		}
	}
	only := m.constrained(pki.NameConstraints{PermittedEmail: []string{"example.com"}})
	m.chain(nil, only, legacy("alice@example.com")).ask("e-mail in the subject inside", true)
	m.chain(nil, only, legacy("alice@example.org")).ask("e-mail in the subject outside", false)
	m.chain(nil, m.constrained(pki.NameConstraints{ExcludedEmail: []string{"example.org"}}), legacy("alice@example.org")).ask("e-mail in the subject excluded", false)
}

func nameConstraintsURI(m *mint) {
	m.constrain("URI", []constraintCase{
		{"example.com", "https://example.com/a spiffe://example.com/x https://example.com:8443/", "https://www.example.com/ https://example.org/"},
		{".example.com", "https://www.example.com/ https://a.b.example.com/", "https://example.com/ https://example.org/"},
	}, func(s string) (p, x pki.NameConstraints) {
		return pki.NameConstraints{PermittedURI: []string{s}}, pki.NameConstraints{ExcludedURI: []string{s}}
	}, func(name string) edit {
		return func(t *x509.Certificate) {
			u, err := url.Parse(name)
			if err != nil {
				m.t.Fatal(err)
			}
			t.DNSNames, t.URIs = nil, []*url.URL{u}
		}
	})
	for _, name := range []string{"urn:example:a", "https://192.0.2.1/", "https://[2001:db8::1]/"} {
		u, err := url.Parse(name)
		if err != nil {
			m.t.Fatal(err)
		}
		bare := func(t *x509.Certificate) { t.DNSNames, t.URIs = nil, []*url.URL{u} }
		m.chain(nil, m.constrained(pki.NameConstraints{PermittedURI: []string{"example.com"}}), bare).ask("URI without a host name under permitted, "+name, false)
		m.chain(nil, m.constrained(pki.NameConstraints{ExcludedURI: []string{"example.com"}}), bare).ask("URI without a host name under excluded, "+name, false)
	}
}

func nameConstraintsDirectory(m *mint) {
	name := func(c, o, ou, cn string) pkix.Name {
		var n pkix.Name
		for _, a := range []struct {
			arc   int
			value string
		}{{6, c}, {10, o}, {11, ou}, {3, cn}} {
			if a.value != "" {
				n.ExtraNames = append(n.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, a.arc}, Value: a.value})
			}
		}
		return n
	}
	leaf := func(n pkix.Name) edit { return func(t *x509.Certificate) { t.Subject = n } }
	base := m.dn(name("DE", "Example", "", ""))
	for _, c := range []struct {
		what   string
		n      pkix.Name
		inside bool
	}{
		{"the same", name("DE", "Example", "", ""), true},
		{"longer", name("DE", "Example", "Unit", "leaf"), true},
		{"in other case", name("de", "EXAMPLE", "", "leaf"), true},
		{"with other spaces", name("DE", "  Example ", "", "leaf"), true},
		{"another organization", name("DE", "Example 2", "", "leaf"), false},
		{"another country", name("FR", "Example", "", "leaf"), false},
		{"shorter", name("DE", "", "", ""), false},
		{"in another order", name("", "Example", "", "leaf"), false},
	} {
		m.chain(nil, m.constrained(pki.NameConstraints{PermittedDirNames: [][]byte{base}}), leaf(c.n)).ask("directory name permitted, "+c.what, c.inside)
		m.chain(nil, m.constrained(pki.NameConstraints{ExcludedDirNames: [][]byte{base}}), leaf(c.n)).ask("directory name excluded, "+c.what, !c.inside)
	}
	alternative := func(n pkix.Name) edit {
		der := m.der([]asn1.RawValue{{Class: 2, Tag: 4, IsCompound: true, Bytes: m.dn(n)}})
		return both(leaf(name("DE", "Example", "", "leaf")), func(t *x509.Certificate) { t.DNSNames = nil }, extension(asn1.ObjectIdentifier{2, 5, 29, 17}, false, der))
	}
	permitted := m.constrained(pki.NameConstraints{PermittedDirNames: [][]byte{base}})
	m.chain(nil, permitted, alternative(name("DE", "Example", "Other", ""))).ask("directory name among the alternatives inside", true)
	m.chain(nil, permitted, alternative(name("DE", "Elsewhere", "", ""))).ask("directory name among the alternatives outside", false)
	m.chain(nil, permitted, func(t *x509.Certificate) { t.Subject = pkix.Name{} }).ask("directory name permitted, no subject", true)
}

func nameConstraintsMixed(m *mint) {
	dns := func(names ...string) edit { return func(t *x509.Certificate) { t.DNSNames = names } }
	only := func(names ...string) edit { return m.constrained(pki.NameConstraints{PermittedDNS: names}) }
	m.chain(nil, only("example.com"), only("a.example.com"), dns("x.a.example.com")).ask("two CAs narrow down, inside both", true)
	m.chain(nil, only("example.com"), only("a.example.com"), dns("x.example.com")).ask("two CAs narrow down, inside one", false)
	m.chain(nil, only("a.example.com"), only("example.com"), dns("x.example.com")).ask("a CA cannot widen", false)
	m.chain(only("example.com"), nil, dns("example.org")).ask("the root constrains", false)
	m.chain(only("example.com"), nil, dns("example.com")).ask("the root constrains, inside", true)
	m.chain(nil, m.constrained(pki.NameConstraints{PermittedDNS: []string{"example.com"}, ExcludedDNS: []string{"b.example.com"}}), dns("b.example.com")).ask("excluded within permitted", false)
	m.chain(nil, m.constrained(pki.NameConstraints{PermittedDNS: []string{"example.com"}, ExcludedDNS: []string{"b.example.com"}}), dns("a.example.com")).ask("beside the excluded within permitted", true)
	m.chain(nil, m.constrained(pki.NameConstraints{PermittedIP: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}), dns("example.com")).ask("another kind is constrained", true)
	m.chain(nil, only("example.com"), func(t *x509.Certificate) { t.Subject.CommonName, t.DNSNames = "example.org", []string{"example.com"} }).ask("the common name is not constrained", true)
	m.chain(nil, only("example.com"), func(t *x509.Certificate) { t.DNSNames = []string{"foreign.example"} }, dns("example.com")).ask("a CA with a name outside", false)
	other := pki.NameConstraints{PermittedOther: [][]byte{{0x88, 3, 0x2a, 3, 4}}} // registeredID 1.2.3.4
	m.chain(nil, m.constrained(other), nil).ask("critical constraints of a kind that is not understood", false)
	noncritical := both(m.constrained(pki.NameConstraints{PermittedDNS: []string{"example.com"}}), func(t *x509.Certificate) { t.ExtraExtensions[0].Critical = false })
	m.chain(nil, noncritical, dns("example.org")).ask("constraints that are not critical hold, too", false)
	m.chain(nil, extension(asn1.ObjectIdentifier{2, 5, 29, 30}, true, []byte{0x30, 0}), nil).ask("empty constraints", false)
	for what, value := range map[string][]byte{
		"mask with holes": {0x30, 14, 0xa0, 12, 0x30, 10, 0x87, 8, 10, 0, 0, 0, 255, 0, 255, 0},
		"short address":   {0x30, 10, 0xa0, 8, 0x30, 6, 0x87, 4, 10, 0, 0, 0},
		"a minimum":       {0x30, 13, 0xa0, 11, 0x30, 9, 0x82, 4, 'a', '.', 'b', 'c', 0x80, 1, 1},
	} {
		c := m.chain(nil, nil, nil)
		t := m.template(1, 3)
		extension(asn1.ObjectIdentifier{2, 5, 29, 30}, true, value)(t)
		c.certs, c.keys = c.certs[:1], c.keys[:1]
		bad := m.malformedCA(c, t)
		c.certs, c.keys = append(c.certs, bad), append(c.keys, m.key(1))
		c.add(m.template(2, 3), m.key(2))
		c.ask("malformed constraints, "+what, false)
	}
}
