package pki_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// generatedQuestions are our own cases; what is expected stands beside each, by RFC
// 5280 (RFC 9525 for hosts), and not by what our code says.
func generatedQuestions(t testing.TB) []*question {
	t.Helper()
	m := newMint(t)
	for _, family := range []func(*mint){goodPaths, wrongHosts, dates, unknownRoots, swappedCAs, falseCAs, pathLengths, selfIssuedCAs,
		nameConstraintsDNS, nameConstraintsIP, nameConstraintsEmail, nameConstraintsURI, nameConstraintsDirectory, nameConstraintsMixed,
		usages, keyUsages, criticalExtensions, revocations, policies, crossSigned} {
		family(m)
	}
	if len(m.list) < 300 {
		t.Fatalf("%d generated cases", len(m.list))
	}
	return m.list
}

func goodPaths(m *mint) {
	for n := 1; n <= 5; n++ {
		c := m.chain(make([]edit, n)...)
		c.ask(fmt.Sprintf("good, %d certificates", n), true, anyUsage)
		if n > 2 {
			shuffled := slices.Clone(c.certs[1 : n-1])
			slices.Reverse(shuffled)
			var list [][]byte
			for _, i := range shuffled {
				list = append(list, i.Raw, i.Raw)
			}
			c.ask(fmt.Sprintf("good, %d certificates in disorder, twice", n), true, heap(append(list, c.root().Raw, c.leaf())...))
		}
	}
	for _, depth := range []int{8, 9} {
		c := m.chain(make([]edit, depth+2)...)
		c.ask(fmt.Sprintf("%d intermediates", depth), depth == 8)
	}
}

func wrongHosts(m *mint) {
	for _, h := range []struct {
		names, yes, no string
	}{
		{"www.example.com", "www.example.com WWW.EXAMPLE.COM www.example.com.", "example.com a.www.example.com wwww.example.com www.example.org ww.example.com xwww.example.com"},
		{"*.example.com", "a.example.com A.EXAMPLE.com xn--bcher-kva.example.com", "example.com a.b.example.com aexample.com"},
		{"*.example.com a.b.example.com", "a.b.example.com", "c.b.example.com"},
		{"ip:192.0.2.1", "192.0.2.1", "192.0.2.2 2001:db8::1"},
		{"ip:2001:db8::1", "2001:db8::1 2001:db8:0:0::1", "2001:db8::2 192.0.2.1"},
		{"192.0.2.1", "", "192.0.2.1"}, // an address as a DNS name is none (RFC 9525, Section 6.2)
		{"*.com", "example.com", "com"},
		{"www*.example.com", "", "www1.example.com"},
		{"a.*.example.com", "", "a.b.example.com"},
	} {
		c := m.chain(nil, nil, func(t *x509.Certificate) {
			t.DNSNames = nil
			for name := range strings.FieldsSeq(h.names) {
				if ip, ok := strings.CutPrefix(name, "ip:"); ok {
					t.IPAddresses = append(t.IPAddresses, parseIP(ip))
				} else {
					t.DNSNames = append(t.DNSNames, name)
				}
			}
		})
		for name := range strings.FieldsSeq(h.yes) {
			c.ask(fmt.Sprintf("host %s for %s", name, h.names), true, host(name))
		}
		for name := range strings.FieldsSeq(h.no) {
			c.ask(fmt.Sprintf("wrong host %s for %s", name, h.names), false, host(name))
		}
	}
	c := m.chain(nil, nil, func(t *x509.Certificate) { t.DNSNames, t.Subject.CommonName = nil, "www.example.com" })
	c.ask("wrong host, the common name alone has it", false, host("www.example.com"))
	c = m.chain(nil, nil, func(t *x509.Certificate) {
		t.EmailAddresses, t.ExtKeyUsage = []string{"Alice@Example.com"}, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	})
	c.ask("mailbox", true, host("Alice@Example.com"), usage(pki.UsageEmail))
	c.ask("mailbox, host in other case", true, host("Alice@EXAMPLE.com"), usage(pki.UsageEmail))
	c.ask("wrong mailbox", false, host("bob@Example.com"), usage(pki.UsageEmail))
}

func dates(m *mint) {
	for place, who := range []string{"root", "intermediate", "leaf"} {
		edits := make([]edit, 3)
		edits[place] = func(t *x509.Certificate) { t.NotAfter = mintTime().Add(-day) }
		m.chain(edits...).ask("expired "+who, false)
		edits[place] = func(t *x509.Certificate) { t.NotBefore = mintTime().Add(day) }
		m.chain(edits...).ask(who+" not yet valid", false)
		edits[place] = func(t *x509.Certificate) { t.NotAfter = mintTime() }
		m.chain(edits...).ask(who+" in its last second", true)
		m.list[len(m.list)-1].o.Time = mintTime()
		edits[place] = func(t *x509.Certificate) { t.NotBefore = mintTime() }
		m.chain(edits...).ask(who+" in its first second", true)
	}
	c := m.chain(nil, nil, nil)
	c.ask("all expired", false, at(mintTime().Add(4000*day)))
	c.ask("none valid yet", false, at(mintTime().Add(-4000*day)))
}

func unknownRoots(m *mint) {
	c, other := m.chain(nil, nil, nil), m.chain(func(t *x509.Certificate) { t.Subject.CommonName = "Another Root" }, nil, nil)
	trust := func(roots ...*x509.Certificate) func(*question) {
		return func(q *question) {
			q.roots, q.o.Roots = nil, nil
			for _, r := range roots {
				q.addRoot(r.Raw)
			}
		}
	}
	c.ask("unknown root", false, trust(other.root()))
	c.ask("unknown root in the heap", false, trust(other.root()), heap(c.certs[1].Raw, c.root().Raw))
	c.ask("no root at all", false, trust())
	c.ask("two roots", true, trust(other.root(), c.root()))
	c.ask("intermediate missing", false, heap())
	c.ask("intermediate trusted", true, trust(c.certs[1]), heap())
	c.ask("leaf trusted", true, trust(c.certs[2]), heap())
	alone := m.chain(func(t *x509.Certificate) {
		t.IsCA, t.KeyUsage, t.DNSNames = false, x509.KeyUsageDigitalSignature, []string{"www.example.com"}
		t.Subject.CommonName = "alone"
	})
	alone.ask("self-signed leaf, trusted", true, host("www.example.com"))
	alone.ask("self-signed leaf, unknown", false, trust(c.root()), host("www.example.com"))
	m.keys = append(m.keys[1:], m.keys[0]) // other keys under the same names
	again := m.chain(nil, nil, nil)
	m.keys = append(m.keys[len(m.keys)-1:], m.keys[:len(m.keys)-1]...)
	c.ask("a root of the same name with another key", false, trust(again.root()))
	c.ask("both roots of that name", true, trust(again.root(), c.root()))
}

func swappedCAs(m *mint) {
	c := m.chain(nil, nil, nil)
	m.keys = append(m.keys[1:], m.keys[0])
	other := m.chain(nil, nil, nil)
	m.keys = append(m.keys[len(m.keys)-1:], m.keys[:len(m.keys)-1]...)
	mixed := func(inter *x509.Certificate) func(*question) { return heap(inter.Raw) }
	c.ask("swapped intermediate of another root", false, mixed(other.certs[1]))
	signedBySame := m.chain(nil)
	t := m.template(1, 3)
	signedBySame.keys[0], signedBySame.certs[0] = c.keys[0], c.root()
	signedBySame.add(t, m.key(6))
	c.ask("swapped intermediate of the same root", false, mixed(signedBySame.certs[1]))
	c.ask("swapped intermediate beside the right one", true, heap(signedBySame.certs[1].Raw, other.certs[1].Raw, c.certs[1].Raw))
	renamed := m.chain(nil, func(t *x509.Certificate) { t.Subject.CommonName = "Renamed" }, nil)
	c.ask("intermediate with the right key and a wrong name", false, mixed(renamed.certs[1]))
	for _, place := range []int{1, 2} {
		broken := bytes.Clone(c.certs[place].Raw)
		broken[len(broken)-3] ^= 1
		if place == 1 {
			c.ask("broken signature of the intermediate", false, heap(broken))
		} else {
			c.ask("broken signature of the leaf", false, func(q *question) { q.leaf = broken })
		}
		changed := bytes.Replace(c.certs[place].Raw, []byte("Mint"), []byte("Ming"), 1)
		if place == 2 {
			changed = bytes.Replace(c.certs[place].Raw, []byte("www.example.com"), []byte("www.example.org"), 1)
			c.ask("leaf changed after it was signed", false, func(q *question) { q.leaf = changed })
		} else {
			c.ask("intermediate changed after it was signed", false, heap(changed))
		}
	}
	for _, place := range []int{1, 2} {
		edits := make([]edit, 3)
		edits[place] = func(t *x509.Certificate) { t.SignatureAlgorithm = x509.ECDSAWithSHA512 }
		m.chain(edits...).ask(fmt.Sprintf("SHA-512 at %d", place), true)
	}
}

func falseCAs(m *mint) {
	notCA := func(t *x509.Certificate) { t.IsCA = false }
	noBasic := func(t *x509.Certificate) { t.IsCA, t.BasicConstraintsValid = false, false }
	noSign := func(t *x509.Certificate) { t.KeyUsage = x509.KeyUsageDigitalSignature }
	noUsage := func(t *x509.Certificate) { t.KeyUsage = 0 }
	m.chain(nil, notCA, nil).ask("CA:FALSE signer", false)
	m.chain(nil, both(notCA, noUsage), nil).ask("CA:FALSE signer without key usage", false)
	m.chain(nil, both(notCA, noSign), nil).ask("CA:FALSE signer that may sign nothing", false)
	m.chain(nil, noBasic, nil).ask("signer without basic constraints", false)
	m.chain(nil, noSign, nil).ask("CA that may not sign certificates", false)
	m.chain(nil, noUsage, nil).ask("CA without key usage", true)
	m.chain(nil, nil, notCA, nil).ask("CA:FALSE signer under an intermediate", false)
	m.chain(notCA, nil, nil).ask("CA:FALSE root", false)
	m.chain(noSign, nil, nil).ask("root that may not sign certificates", false)
	server := m.chain(nil, nil, nil)
	forged := m.template(2, 3)
	forged.DNSNames = []string{"victim.example"}
	server.add(forged, m.key(5))
	server.ask("leaf signed by a leaf", false, host("victim.example"))
}

func pathLengths(m *mint) {
	limit := func(n int) edit {
		return func(t *x509.Certificate) { t.MaxPathLen, t.MaxPathLenZero = n, n == 0 }
	}
	for atPlace := range 2 {
		for n := range 4 {
			for below := range 4 {
				edits := make([]edit, atPlace+1+below+1)
				edits[atPlace] = limit(n)
				m.chain(edits...).ask(fmt.Sprintf("path length %d at %d, %d CAs below", n, atPlace, below), below <= n)
			}
		}
	}
	m.chain(nil, limit(1), limit(5), nil).ask("a longer path length below a shorter one", true)
	m.chain(nil, limit(1), limit(5), nil, nil).ask("a longer path length does not help", false)
	m.chain(nil, limit(0), func(t *x509.Certificate) { t.IsCA, t.KeyUsage = true, t.KeyUsage|x509.KeyUsageCertSign }).ask("the leaf is a CA and does not count", true)
}

func selfIssuedCAs(m *mint) {
	limit := func(t *x509.Certificate) { t.MaxPathLen, t.MaxPathLenZero = 0, true }
	again := func(t *x509.Certificate) { t.Subject.CommonName = "CA 1" }
	m.chain(nil, limit, again, nil).ask("self-issued CA under path length 0", true)
	m.chain(nil, limit, again, again, nil).ask("two self-issued CAs under path length 0", true)
	m.chain(nil, limit, again, nil, nil).ask("self-issued CA and another under path length 0", false)
	m.chain(nil, nil, again, nil).ask("self-issued CA", true)
	names := m.constrained(pki.NameConstraints{PermittedDNS: []string{"example.com"}})
	foreign := func(t *x509.Certificate) { t.DNSNames = []string{"foreign.example"} }
	m.chain(nil, names, both(again, foreign), nil).ask("self-issued CA is exempt from name constraints", true)
	m.chain(nil, names, foreign, nil).ask("another CA is not exempt from name constraints", false)
	m.chain(nil, names, both(again, foreign)).ask("self-issued leaf is not exempt from name constraints", false, anyUsage)
}

func usages(m *mint) {
	all := []struct {
		u pki.Usage
		x x509.ExtKeyUsage
	}{
		{pki.UsageServer, x509.ExtKeyUsageServerAuth}, {pki.UsageClient, x509.ExtKeyUsageClientAuth}, {pki.UsageCode, x509.ExtKeyUsageCodeSigning},
		{pki.UsageEmail, x509.ExtKeyUsageEmailProtection}, {pki.UsageTime, x509.ExtKeyUsageTimeStamping}, {pki.UsageOCSP, x509.ExtKeyUsageOCSPSigning},
	}
	for _, has := range all {
		c := m.chain(nil, nil, func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{has.x} })
		if has.u == pki.UsageTime { // RFC 3161, Section 2.3: this extension MUST be critical
			c.ask("usage timeStamping that is not critical", false, usage(has.u))
			c = m.chain(nil, nil, both(func(t *x509.Certificate) { t.ExtKeyUsage = nil },
				extension(asn1.ObjectIdentifier{2, 5, 29, 37}, true, m.der([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))))
		}
		for _, wanted := range all {
			c.ask(fmt.Sprintf("usage %v for %v", has.u, wanted.u), has.u == wanted.u, usage(wanted.u))
		}
		c.ask(fmt.Sprintf("usage %v for any", has.u), true, anyUsage)
	}
	none := m.chain(nil, nil, func(t *x509.Certificate) { t.ExtKeyUsage = nil })
	none.ask("no usage listed, for a server", true)
	none.ask("no usage listed, for a client", true, usage(pki.UsageClient))
	every := func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }
	m.chain(nil, nil, every).ask("any usage, for a server", true)
	client := func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	m.chain(nil, client, nil).ask("server leaf below a CA for clients", false)
	m.chain(nil, every, nil).ask("server leaf below a CA for any usage", true)
	m.chain(nil, nil, client, nil).ask("server leaf below a second CA for clients", false)
	odd := func(t *x509.Certificate) {
		t.ExtKeyUsage, t.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{{1, 2, 3, 4}}
	}
	m.chain(nil, nil, odd).ask("an unknown usage only", false)
	m.chain(nil, nil, odd).ask("an unknown usage only, for any", true, anyUsage)
}

func keyUsages(m *mint) {
	for _, k := range []struct {
		name           string
		bits           x509.KeyUsage
		server, client bool
	}{
		{"digitalSignature", x509.KeyUsageDigitalSignature, true, true},
		{"keyEncipherment", x509.KeyUsageKeyEncipherment, true, false},
		{"keyAgreement", x509.KeyUsageKeyAgreement, true, true},
		{"dataEncipherment", x509.KeyUsageDataEncipherment, false, false},
		{"cRLSign", x509.KeyUsageCRLSign, false, false},
		{"none", 0, true, true},
	} {
		c := m.chain(nil, nil, func(t *x509.Certificate) {
			t.KeyUsage = k.bits
			t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		})
		c.ask("key usage "+k.name+" for a server", k.server)
		c.ask("key usage "+k.name+" for a client", k.client, usage(pki.UsageClient))
	}
}

func criticalExtensions(m *mint) {
	null := []byte{5, 0}
	for place, who := range []string{"root", "intermediate", "leaf"} {
		for _, critical := range []bool{true, false} {
			edits := make([]edit, 3)
			edits[place] = extension(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, critical, null)
			m.chain(edits...).ask(fmt.Sprintf("unknown extension in the %s, critical %v", who, critical), !critical)
		}
	}
	poison := extension(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}, true, null) // RFC 6962, Section 3.1: a precertificate must not be used
	m.chain(nil, nil, poison).ask("precertificate", false)
	names := m.der([]asn1.RawValue{{Class: 2, Tag: 4, IsCompound: true, Bytes: m.dn(pkix.Name{CommonName: "someone"})}})
	m.chain(nil, nil, both(func(t *x509.Certificate) { t.DNSNames = nil }, extension(asn1.ObjectIdentifier{2, 5, 29, 17}, true, names))).ask("critical alternative names of a directory name alone", true)
}

func entries(list ...crl.Entry) iter.Seq[crl.Entry] { return slices.Values(list) }

func revocations(m *mint) {
	c := m.chain(nil, nil, nil)
	serial := func(place int) []byte { return c.certs[place].SerialNumber.Bytes() }
	entry := func(place int, r crl.Reason) crl.Entry {
		return crl.Entry{Serial: serial(place), RevokedAt: mintTime().Add(-5 * day), Reason: r}
	}
	root, inter := c.crl(0, crl.Template{}), c.crl(1, crl.Template{})
	old := c.crl(1, crl.Template{ThisUpdate: mintTime().Add(-9 * day), NextUpdate: mintTime().Add(-8 * day)})
	future := c.crl(1, crl.Template{ThisUpdate: mintTime().Add(day), NextUpdate: mintTime().Add(2 * day)})
	broken := bytes.Clone(inter)
	broken[len(broken)-3] ^= 1
	leafRevoked := c.crl(1, crl.Template{Entries: entries(entry(2, crl.KeyCompromise))})
	hard, soft := pki.RevocationHard, pki.RevocationSoft
	c.ask("not revoked", true, revocation(hard, root, inter))
	c.ask("leaf revoked", false, revocation(hard, root, leafRevoked))
	c.ask("leaf revoked, soft", false, revocation(soft, leafRevoked))
	c.ask("leaf on hold", false, revocation(hard, root, c.crl(1, crl.Template{Entries: entries(entry(2, crl.CertificateHold))})))
	c.ask("CA revoked", false, revocation(hard, c.crl(0, crl.Template{Entries: entries(entry(1, crl.CACompromise))}), inter))
	c.ask("another certificate revoked", true, revocation(hard, root, c.crl(1, crl.Template{Entries: entries(entry(1, crl.KeyCompromise))})))
	c.ask("no CRL", false, revocation(hard))
	c.ask("no CRL, soft", true, revocation(soft))
	c.ask("no CRL for the CA", false, revocation(hard, inter))
	c.ask("no CRL for the leaf", false, revocation(hard, root))
	c.ask("CRL out of date", false, revocation(hard, root, old))
	c.ask("CRL out of date, soft", true, revocation(soft, root, old))
	c.ask("CRL of the future", false, revocation(hard, root, future))
	c.ask("CRL with a broken signature", false, revocation(hard, root, broken))
	c.ask("CRL of another CA", false, revocation(hard, root, c.crl(0, crl.Template{})))
	c.ask("revoked in one of two CRLs", false, revocation(hard, root, leafRevoked, c.crl(1, crl.Template{ThisUpdate: mintTime().Add(-3 * day), NextUpdate: mintTime().Add(day)})))
	users := c.crl(1, crl.Template{IDP: &crl.DistributionPoint{OnlyUser: true}})
	cas := c.crl(1, crl.Template{IDP: &crl.DistributionPoint{OnlyCA: true}})
	c.ask("CRL for end entities", true, revocation(hard, root, users))
	c.ask("CRL for CAs only", false, revocation(hard, root, cas))
}

func crossSigned(m *mint) {
	// The same CA certified by two roots: one path is expired, the other good.
	a := m.chain(nil, nil, nil)
	m.keys[0], m.keys[5] = m.keys[5], m.keys[0]
	b := m.chain(func(t *x509.Certificate) { t.Subject.CommonName = "Other Root" }, func(t *x509.Certificate) { t.NotAfter = mintTime().Add(-day) })
	m.keys[0], m.keys[5] = m.keys[5], m.keys[0]
	t := m.template(1, 3)
	t.NotAfter = mintTime().Add(-day)
	b.certs, b.keys = b.certs[:1], b.keys[:1]
	b.add(t, m.key(1))
	list := [][]byte{b.certs[1].Raw, a.certs[1].Raw}
	trustBoth := func(q *question) { q.addRoot(b.root().Raw) }
	trustB := func(q *question) { q.roots, q.o.Roots = nil, nil; q.addRoot(b.root().Raw) }
	a.ask("cross-signed, one path expired", true, heap(list...), trustBoth)
	a.ask("cross-signed, only the expired path is trusted", false, heap(list...), trustB)
	a.ask("cross-signed, the expired one alone", false, heap(list[0]), trustBoth)
	var many [][]byte
	for range 40 {
		decoy := m.chain(nil)
		t := m.template(1, 3)
		decoy.add(t, m.key(7))
		many = append(many, decoy.certs[1].Raw)
	}
	a.ask("forty namesakes of the intermediate", true, heap(append(many, a.certs[1].Raw)...))
}
