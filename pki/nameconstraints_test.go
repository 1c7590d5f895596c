package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/pki/cert"
)

func nameDER(t testing.TB, values ...string) []byte {
	t.Helper()
	var rdns pkix.RDNSequence
	for _, v := range values {
		rdns = append(rdns, pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: v}})
	}
	der, err := asn1.Marshal(rdns)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func allKinds(t testing.TB) *NameConstraints {
	return &NameConstraints{
		PermittedDNS: []string{"example.com", ".example.org", ""}, ExcludedDNS: []string{"bad.example.com"},
		PermittedIP: prefixes("10.0.0.0/8", "2001:db8::/32", "::ffff:192.0.2.0/120"), ExcludedIP: prefixes("0.0.0.0/0", "::/0", "192.0.2.7/32"),
		PermittedEmail: []string{"example.com", ".example.com", "a@example.com", `"a@b"@example.com`}, ExcludedEmail: []string{"b@example.com"},
		PermittedURI: []string{"example.com"}, ExcludedURI: []string{".example.com"},
		PermittedDirNames: [][]byte{nameDER(t, "a", "b"), nameDER(t)}, ExcludedDirNames: [][]byte{nameDER(t, "c")},
		PermittedOther: [][]byte{{0x88, 1, 42}}, ExcludedOther: [][]byte{{0xa0, 0}},
	}
}

func TestNameConstraintsAreWrittenAndRead(t *testing.T) {
	want := allKinds(t)
	der, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseNameConstraints(der)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestTheLibraryReadsOurNameConstraints(t *testing.T) {
	n := allKinds(t)
	n.PermittedDirNames, n.ExcludedDirNames, n.PermittedOther, n.ExcludedOther = nil, nil, nil, nil
	der, err := n.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, Ed25519)
	raw, err := x509.CreateCertificate(nil, &x509.Certificate{SerialNumber: big.NewInt(7), IsCA: true, BasicConstraintsValid: true,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true, Value: der}}},
		&x509.Certificate{}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(c.PermittedDNSDomains, n.PermittedDNS) || len(c.PermittedIPRanges) != 3 || len(c.ExcludedIPRanges) != 3 ||
		!cmp.Equal(c.PermittedEmailAddresses, n.PermittedEmail) || !cmp.Equal(c.ExcludedURIDomains, n.ExcludedURI) || c.PermittedIPRanges[0].String() != "10.0.0.0/8" {
		t.Errorf("%v %v %v", c.PermittedDNSDomains, c.PermittedIPRanges, c.PermittedEmailAddresses)
	}
}

func TestBadNameConstraintsAreRefused(t *testing.T) {
	for name, n := range map[string]*NameConstraints{
		"empty": {}, "a wildcard": {PermittedDNS: []string{"*.example.com"}}, "a URL": {PermittedDNS: []string{"http://example.com"}},
		"not ASCII": {PermittedDNS: []string{"exämple.com"}}, "an empty label": {ExcludedDNS: []string{"a..b"}}, "a dot": {PermittedDNS: []string{"."}},
		"no host": {PermittedEmail: []string{"a@"}}, "no mailbox": {PermittedEmail: []string{"@example.com"}}, "an address as URI host": {PermittedURI: []string{"192.0.2.1"}},
		"a broken name": {PermittedDirNames: [][]byte{{0x30, 1}}}, "no name": {ExcludedDirNames: [][]byte{nil}},
		"a zero prefix": {PermittedIP: []netip.Prefix{{}}}, "a kind that is none": {PermittedOther: [][]byte{{0x89, 0}}},
		"a known kind as other": {PermittedOther: [][]byte{{0x82, 1, '.'}}}, "nothing as other": {PermittedOther: [][]byte{nil}},
	} {
		if der, err := n.Marshal(); err == nil {
			t.Errorf("%s: %x", name, der)
		}
	}
	for name, der := range map[string][]byte{
		"nothing": nil, "no sequence": {0x31, 0}, "bytes behind": {0x30, 9, 0xa0, 7, 0x30, 5, 0x82, 3, 'a', '.', 'b', 0}, "an empty list": {0x30, 2, 0xa0, 0},
		"lists in disorder": {0x30, 14, 0xa1, 5, 0x30, 3, 0x82, 1, 'a', 0xa0, 5, 0x30, 3, 0x82, 1, 'b'},
		"a maximum":         {0x30, 10, 0xa0, 8, 0x30, 6, 0x82, 1, 'a', 0x81, 1, 5},
		"mask with holes":   {0x30, 14, 0xa0, 12, 0x30, 10, 0x87, 8, 10, 0, 0, 0, 255, 0, 255, 0},
		"seven bytes":       {0x30, 13, 0xa0, 11, 0x30, 9, 0x87, 7, 10, 0, 0, 0, 255, 0, 255},
	} {
		if n, err := ParseNameConstraints(der); err == nil {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

// The tests of paths hold the rules; here are the words, and certificates that were
// never parsed.
func TestConstraintsSayWhichNameAndWhichConstraint(t *testing.T) {
	n := &NameConstraints{PermittedDNS: []string{"example.com", "example.org"}, ExcludedIP: prefixes("192.0.2.0/24"), PermittedEmail: []string{"example.com"},
		ExcludedURI: []string{".example.com"}, PermittedDirNames: [][]byte{nameDER(t, "Example")}, PermittedOther: [][]byte{{0x88, 1, 42}}}
	u, err := url.Parse("https://www.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	other, err := asn1.Marshal([]asn1.RawValue{{Class: 2, Tag: 8, Bytes: []byte{42}}})
	if err != nil {
		t.Fatal(err)
	}
	long, err := asn1.Marshal([]asn1.RawValue{{Class: 2, Tag: 7, Bytes: []byte{1, 2, 3}}})
	if err != nil {
		t.Fatal(err)
	}
	alternatives := func(der []byte) []pkix.Extension {
		return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: der}}
	}
	for want, c := range map[string]*x509.Certificate{
		"": {DNSNames: []string{"a.example.org", "EXAMPLE.com"}, EmailAddresses: []string{"a@example.com"}, IPAddresses: []net.IP{{10, 0, 0, 1}}},
		`the DNS name "example.net" lies outside the permitted "example.com" or 1 more`:     {DNSNames: []string{"example.net"}},
		`the DNS name "evil\x1b" lies outside the permitted "example.com" or 1 more`:        {DNSNames: []string{"evil\x1b"}},
		`the address "192.0.2.9" lies within the excluded "192.0.2.0/24"`:                   {IPAddresses: []net.IP{{192, 0, 2, 9}}},
		`the address "::ffff:192.0.2.9" lies within the excluded "192.0.2.0/24"`:            {IPAddresses: []net.IP{net.ParseIP("192.0.2.9")}},
		`the e-mail address "a@mail.example.com" lies outside the permitted "example.com"`:  {EmailAddresses: []string{"a@mail.example.com"}},
		`the URI "https://www.example.com/" lies within the excluded ".example.com"`:        {URIs: []*url.URL{u}},
		`the URI "urn:example:a" cannot be told apart from the excluded ".example.com"`:     {URIs: []*url.URL{{Scheme: "urn", Opaque: "example:a"}}},
		`the directory name "O=Other" lies outside the permitted "O=Example"`:               {Subject: pkix.Name{Organization: []string{"Other"}}},
		`the certificate has a name of a kind (tag 8) whose constraints are not understood`: {Extensions: alternatives(other)},
		`the subject alternative names have an address of 3 bytes`:                          {Extensions: alternatives(long)},
		`the subject alternative names are malformed`:                                       {Extensions: alternatives([]byte{0x30, 1})},
	} {
		err := n.Check(c)
		var refused *RefusedError
		if want == "" && err != nil || want != "" && (!errors.As(err, &refused) || refused.Reason != want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestDistinguishedNamesAreCompared(t *testing.T) {
	utf8, err := asn1.MarshalWithParams("Example", "utf8")
	if err != nil {
		t.Fatal(err)
	}
	encoded := func(value []byte) []byte {
		pair := append([]byte{6, 3, 0x55, 4, 10}, value...)
		set := append([]byte{0x30, byte(len(pair))}, pair...)
		rdn := append([]byte{0x31, byte(len(set))}, set...)
		return append([]byte{0x30, byte(len(rdn))}, rdn...)
	}
	base := nameDER(t, "Example")
	bmp := append([]byte{30, 14}, []byte("\x00E\x00x\x00a\x00m\x00p\x00l\x00e")...)
	for name, tt := range map[string]struct {
		der  []byte
		same bool
	}{
		"itself": {base, true}, "other case": {nameDER(t, "eXAMPLE"), true}, "spaces": {nameDER(t, " Example  "), true}, "another": {nameDER(t, "Exampl"), false},
		"as UTF8String": {encoded(utf8), true}, "as BMPString": {encoded(bmp), true}, "as TeletexString": {encoded(append([]byte{20, 7}, "Example"...)), false},
		"longer": {nameDER(t, "Example", "x"), false}, "empty": {nameDER(t), false}, "broken": {base[:len(base)-1], false},
		"spaces within": {nameDER(t, "Exam ple"), false}, "wide letters": {nameDER(t, "\uff25xample"), false}, "an odd BMPString": {encoded(append([]byte{30, 3}, "\x00E\x00"...)), false},
	} {
		if cert.SameName(base, tt.der) != tt.same || cert.SameName(tt.der, base) != tt.same || tt.same && cert.ComparableName(tt.der) != cert.ComparableName(base) {
			t.Errorf("%s: %v", name, !tt.same)
		}
		a, err := parseDistinguishedName(base)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := parseDistinguishedName(tt.der); err == nil && len(a) == len(b) && (a.begins(b) == equal) != tt.same {
			t.Errorf("%s begins it: %v", name, a.begins(b))
		}
	}
	// What cannot be compared is excluded and not permitted.
	wide := nameDER(t, "\uff25xample")
	if matchDirectory(base, wide, true) == equal || matchDirectory(base, wide, false) != unsure || matchDirectory(base, nameDER(t, "Ümlaut"), false) != different {
		t.Error("letters that may be the same after normalization")
	}
}

func TestSetsOfAttributesHaveNoOrder(t *testing.T) {
	set := func(values ...string) []attribute {
		var list pkix.RelativeDistinguishedNameSET
		for _, v := range values {
			list = append(list, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: v})
		}
		der, err := asn1.Marshal(pkix.RDNSequence{list})
		if err != nil {
			t.Fatal(err)
		}
		name, err := parseDistinguishedName(der)
		if err != nil {
			t.Fatal(err)
		}
		return name[0]
	}
	for _, tt := range []struct {
		a, b []attribute
		want similarity
	}{
		{set("a", "b"), set("B", "A"), equal}, {set("a", "b"), set("a", "c"), different},
		{set("a", "b"), set("\uff41", "b"), unsure}, {set("c", "\uff41"), set("c", "d"), unsure},
	} {
		if got := (distinguishedName{tt.a}).begins(distinguishedName{tt.b}); got != tt.want {
			t.Errorf("%v and %v: %v", tt.a, tt.b, got)
		}
	}
	if _, err := parseDistinguishedName([]byte{0x30, 2, 0x31, 0}); err == nil {
		t.Error("an empty set")
	}
}

func FuzzNameConstraints(f *testing.F) {
	for _, n := range []*NameConstraints{allKinds(f), {PermittedDNS: []string{"example.com"}}, {ExcludedIP: prefixes("192.0.2.0/24")}} {
		der, err := n.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	leaf := &x509.Certificate{DNSNames: []string{"www.example.com"}, EmailAddresses: []string{"a@example.com"}, IPAddresses: []net.IP{{192, 0, 2, 1}},
		Subject: pkix.Name{Organization: []string{"a"}}}
	f.Fuzz(func(t *testing.T, der []byte) {
		n, err := ParseNameConstraints(der)
		if err != nil {
			if Printable(err.Error()) != err.Error() || strings.HasSuffix(err.Error(), ".") {
				t.Errorf("error %q", err)
			}
			return
		}
		again, err := n.Marshal()
		if err != nil {
			t.Fatalf("cannot be written again: %v", err)
		}
		second, err := ParseNameConstraints(again)
		if err != nil {
			t.Fatal(err)
		}
		// The order of kinds is ours, and a minimum of zero goes; then it stays as it is.
		if third, err := second.Marshal(); err != nil || !bytes.Equal(again, third) {
			t.Errorf("%x\n%x, %v", again, third, err)
		}
		if err := n.Check(leaf); err != nil && Printable(err.Error()) != err.Error() {
			t.Errorf("error %q", err)
		}
	})
}

func FuzzDistinguishedName(f *testing.F) {
	f.Add(nameDER(f, "Example", "a"), nameDER(f, " example", "A"))
	f.Add(nameDER(f, "\uff25"), nameDER(f, "E"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if !cert.SameName(a, a) || cert.SameName(a, b) != cert.SameName(b, a) {
			t.Error("not an equivalence")
		}
		if cert.SameName(a, b) && cert.ComparableName(a) != cert.ComparableName(b) {
			t.Errorf("the same under two keys: %q %q", cert.ComparableName(a), cert.ComparableName(b))
		}
		if n, err := parseDistinguishedName(a); err == nil && n.begins(n) != equal {
			t.Error("a name does not begin with itself")
		}
	})
}
