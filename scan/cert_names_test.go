package scan

import (
	"crypto/x509"
	"net"
	"net/netip"
	"testing"

	"github.com/tlswright/tlswright/pki/cert"
)

func TestHostsMatchAsTheLibraryHasIt(t *testing.T) {
	names := cert.AltNames{DNS: []string{"a.example", "*.b.example", "WWW.C.example", "*.*.d.example", "f*.e.example", "*", "xn--bcher-kva.example", "under_score.example"},
		IPs: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}}
	library := &x509.Certificate{DNSNames: names.DNS, IPAddresses: []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")}}
	for host, want := range map[string]bool{
		"a.example": true, "A.EXAMPLE": true, "a.example.": true, "x.a.example": false, "b.example": false, "x.b.example": true, "x.y.b.example": false, ".b.example": false,
		"www.c.example": true, "x.y.d.example": false, "foo.e.example": false, "com": false, "192.0.2.1": true, "192.0.2.2": false, "2001:db8::1": true, "[2001:db8::1]": true,
		"xn--bcher-kva.example": true, "under_score.example": true, "": false, ".": false, "*.b.example": false,
	} {
		if got := matchesHost(names, host); got != want && host != "*.b.example" {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
		if host == "" || host == "." || host == "*.b.example" {
			continue
		}
		if got := library.VerifyHostname(host) == nil; got != want {
			t.Errorf("%q: the library says %v", host, got)
		}
	}
	if !matchesHost(names, "bücher.example") {
		t.Error("a name in its own script does not match")
	}
}

func TestSuggestionsAreWhatTheUserMayHaveMeant(t *testing.T) {
	for _, c := range []struct {
		names []string
		host  string
		want  string
	}{
		{[]string{"other.test", "www.example.test", "*.example.test"}, "example.test", "www.example.test"},
		{[]string{"other.test", "example.test"}, "www.example.test", "example.test"},
		{[]string{"other.invalid", "shop.example.test"}, "www.example.test", "shop.example.test"},
		{[]string{"*.example.test", "shop.example.test"}, "a.b.example.test", "shop.example.test"},
		{[]string{"first.invalid", "second.invalid"}, "example.test", "first.invalid"},
		{nil, "example.test", ""},
	} {
		if got := suggestion(cert.AltNames{DNS: c.names}, c.host); got != c.want {
			t.Errorf("%v for %s: %q, want %q", c.names, c.host, got, c.want)
		}
	}
	if got := suggestion(cert.AltNames{IPs: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, "x.test"); got != "192.0.2.1" {
		t.Errorf("of an address: %q", got)
	}
}

func TestSerialNumbersInHexadecimal(t *testing.T) {
	for want, octets := range map[string][]byte{"00": {0}, "01": {1}, "80": {0, 0x80}, "-01": {0xff}, "-80": {0x80}, "-0100": {0xff, 0x00}, "0123": {1, 0x23}} {
		if got := serialOf(octets); got != want {
			t.Errorf("%x: %q, want %q", octets, got, want)
		}
	}
}

func TestECStrengthIsRSAEquivalent(t *testing.T) {
	for bits, want := range map[int]int{0: 0, 160: 1024, 192: 1536, 224: 2048, 256: 3072, 384: 7680, 521: 15360, 571: 15360} {
		if got := ecStrength(bits); got != want {
			t.Errorf("%d: %d, want %d", bits, got, want)
		}
	}
}
