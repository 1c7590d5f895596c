package acme_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/acme"
)

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ typ, value, want string }{
		{"dns", "Example.ORG", "example.org"},
		{"dns", "*.Example.org", "*.example.org"},
		{"dns", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"dns", "localhost", "localhost"},
		{"ip", "192.0.2.1", "192.0.2.1"},
		{"ip", "2001:DB8:0:0::1", "2001:db8::1"},
		{"ip", "::ffff:192.0.2.1", "192.0.2.1"},
	} {
		got, p := acme.Identifier{Type: c.typ, Value: c.value}.Normalize()
		if p != nil || got.Value != c.want || got.Type != c.typ {
			t.Errorf("%s %q: %v, %v; want %q", c.typ, c.value, got, p, c.want)
		}
	}
}

func TestNormalizeRefuses(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		typ, value string
		want       acme.ProblemType
	}{
		{"dns", "", acme.RejectedIdentifier},
		{"dns", "a..example", acme.RejectedIdentifier},
		{"dns", "example.org.", acme.RejectedIdentifier},
		{"dns", "*", acme.RejectedIdentifier},
		{"dns", "*.*.example.org", acme.RejectedIdentifier},
		{"dns", "a.*.example.org", acme.RejectedIdentifier},
		{"dns", "foo*.example.org", acme.RejectedIdentifier},
		{"dns", "-a.example", acme.RejectedIdentifier},
		{"dns", "a-.example", acme.RejectedIdentifier},
		{"dns", "ab--cd.example", acme.RejectedIdentifier},
		{"dns", "a_b.example", acme.RejectedIdentifier},
		{"dns", "bücher.example", acme.RejectedIdentifier},
		{"dns", "192.0.2.1", acme.RejectedIdentifier},
		{"dns", "example.123", acme.RejectedIdentifier},
		{"dns", long + "a.example", acme.RejectedIdentifier},
		{"dns", strings.Repeat(long+".", 4) + "example", acme.RejectedIdentifier},
		{"dns", "a\x00b.example", acme.RejectedIdentifier},
		{"ip", "example.org", acme.Malformed},
		{"ip", "fe80::1%eth0", acme.Malformed},
		{"ip", "192.0.2.0/24", acme.Malformed},
		{"", "example.org", acme.Malformed},
		{"email", "a@example.org", acme.UnsupportedIdentifier},
	} {
		got, p := acme.Identifier{Type: c.typ, Value: c.value}.Normalize()
		if p == nil || p.Kind() != c.want {
			t.Errorf("%s %q: %v, %v; want %s", c.typ, c.value, got, p, c.want)
		}
	}
}

// TestProofs holds the values against those of the documents: the thumbprint of RFC 7638, Section 3.1 as the example of
// RFC 8555, Section 8.1 would have it, the label of the draft of dns-account-01, and the identifier of RFC 9773, Section 4.1.
func TestProofs(t *testing.T) {
	if got := acme.DNSAccount01Name("https://example.com/acme/acct/ExampleAccount", "example.org"); got != "_ujmmovf2vn55tgye._acme-challenge.example.org" {
		t.Errorf("dns-account-01: %s", got)
	}
	keyID := []byte{0x69, 0x88, 0x5B, 0x6B, 0x87, 0x46, 0x40, 0x41, 0xE1, 0xB3, 0x7B, 0x84, 0x7B, 0xA0, 0xAE, 0x2C, 0xDE, 0x01, 0xC8, 0xD4}
	serial := []byte{0x00, 0x87, 0x65, 0x43, 0x21}
	const want = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
	if got := acme.CertID(keyID, serial); got != want {
		t.Errorf("CertID %s, want %s", got, want)
	}
	k, s, ok := acme.ParseCertID(want)
	if !ok || !bytes.Equal(k, keyID) || !bytes.Equal(s, serial) {
		t.Errorf("ParseCertID: %x %x %v", k, s, ok)
	}
	for _, bad := range []string{"", ".", "a.b.c", want + "=", want + "\n", "aYhba4dGQEHhs3uEe6CuLN4ByNQ", "AB.AB"} {
		if _, _, ok := acme.ParseCertID(bad); ok {
			t.Errorf("ParseCertID takes %q", bad)
		}
	}
	if got := acme.TLSALPN01ServerName(acme.Identifier{Type: "ip", Value: "192.0.2.7"}); got != "7.2.0.192.in-addr.arpa" {
		t.Error(got)
	}
	if got := acme.TLSALPN01ServerName(acme.Identifier{Type: "ip", Value: "2001:db8::1"}); got != "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" {
		t.Error(got)
	}
}

func TestPersistRecords(t *testing.T) {
	r, ok := acme.ParsePersistRecord("CA.example; accounturi=https://ca.example/acct/1; policy=wildcard; persistUntil=1800000000; x=y")
	if !ok || r != (acme.PersistRecord{Issuer: "ca.example", AccountURI: "https://ca.example/acct/1", Wildcard: true, Until: 1800000000}) {
		t.Errorf("%+v %v", r, ok)
	}
	for _, bad := range []string{"", ";", "ca.example", "ca.example; accounturi", "accounturi=x", "ca.example; accounturi=a; accounturi=b", "ca.example; accounturi=a; persistUntil=soon"} {
		if r, ok := acme.ParsePersistRecord(bad); ok {
			t.Errorf("%q gives %+v", bad, r)
		}
	}
}

func TestProblems(t *testing.T) {
	id := acme.Identifier{Type: "dns", Value: "a.example"}
	one := acme.NewProblem(acme.CAA, "not allowed").For(id)
	two := acme.NewProblem(acme.DNS, "no answer").For(acme.Identifier{Type: "dns", Value: "b.example"})
	if acme.Join("x", nil) != nil {
		t.Error("a problem without reasons")
	}
	if p := acme.Join("refused", []acme.Subproblem{one, one}); p.Kind() != acme.CAA || p.Status != 403 {
		t.Errorf("%+v", p)
	}
	p := acme.Join("refused", []acme.Subproblem{one, two})
	if p.Kind() != acme.Compound || len(p.Subproblems) != 2 || !strings.Contains(p.Error(), "a.example: not allowed") {
		t.Errorf("%v", p)
	}
	text, err := json.Marshal(p)
	if err != nil || !strings.Contains(string(text), `"type":"urn:ietf:params:acme:error:compound"`) {
		t.Errorf("%s %v", text, err)
	}
}

func FuzzParsePersistRecord(f *testing.F) {
	f.Add("ca.example; accounturi=https://ca.example/1; policy=wildcard; persistUntil=1")
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok := acme.ParsePersistRecord(text); ok && (r.Issuer == "" || r.AccountURI == "" || r.Until < 0) {
			t.Errorf("%q gives %+v", text, r)
		}
	})
}

func FuzzParseCertID(f *testing.F) {
	f.Add("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")
	f.Fuzz(func(t *testing.T, s string) {
		k, n, ok := acme.ParseCertID(s)
		if ok && acme.CertID(k, n) != s {
			t.Errorf("%q comes back as %q", s, acme.CertID(k, n))
		}
	})
}

func FuzzNormalize(f *testing.F) {
	f.Add("dns", "*.Example.org")
	f.Add("ip", "2001:db8::1")
	f.Fuzz(func(t *testing.T, typ, value string) {
		id, p := acme.Identifier{Type: typ, Value: value}.Normalize()
		if p != nil {
			return
		}
		again, p := id.Normalize()
		if p != nil || again != id {
			t.Errorf("%v becomes %v, %v", id, again, p)
		}
	})
}
