package access_test

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

// alice is a subject with a name of every kind.
func alice() access.Subject {
	return access.Subject{
		Present: true, CommonName: "alice", Units: []string{"ops", "on-call"}, DNS: []string{"alice.corp.example", "a.b.corp.example"},
		IPs: []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::7")}, Emails: []string{"Alice@corp.example"},
		URIs: []string{"spiffe://corp.example/ns/prod/sa/web"}, Pin: sha256.Sum256([]byte("key")), Fingerprint: sha256.Sum256([]byte("certificate")),
		Serial: "1a2b3c", Name: "CN=alice, OU=ops", Issuer: "CN=Corp",
	}
}

// fits asks whether one rule lets the subject in.
func fits(t *testing.T, r access.Rule, s access.Subject) bool {
	t.Helper()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return (&access.Policy{Allow: []access.Rule{r}}).Decide(s).Allowed
}

func TestPatternsFitWhatTheySay(t *testing.T) {
	key, certificate := pki.Pin{SHA256: alice().Pin}, pki.Pin{Kind: pki.PinKindCertificate, SHA256: alice().Fingerprint}
	for _, c := range []struct {
		rule access.Rule
		want bool
	}{
		{access.Rule{}, true}, {access.Rule{Anyone: true}, true},
		{access.Rule{CN: "alice"}, true}, {access.Rule{CN: "Alice"}, false}, {access.Rule{CN: "ali"}, false}, {access.Rule{CN: "*"}, true},
		{access.Rule{CN: "al*"}, true}, {access.Rule{CN: "*ce"}, true}, {access.Rule{CN: "a*i*e"}, true}, {access.Rule{CN: "alice*"}, false}, {access.Rule{CN: "*alice"}, false},
		{access.Rule{OU: "on-call"}, true}, {access.Rule{OU: "dev"}, false}, {access.Rule{OU: "*"}, true},
		{access.Rule{DNS: "ALICE.corp.example"}, true}, {access.Rule{DNS: "*.corp.example"}, true}, {access.Rule{DNS: "*.example"}, false},
		{access.Rule{DNS: "**.example"}, true}, {access.Rule{DNS: "**"}, true}, {access.Rule{DNS: "corp.example"}, false}, {access.Rule{DNS: "*"}, false},
		{access.Rule{DNS: "al*.corp.example"}, true}, {access.Rule{DNS: "**.alice.corp.example"}, false},
		{access.Rule{IP: "10.0.0.0/8"}, true}, {access.Rule{IP: "10.1.2.3"}, true}, {access.Rule{IP: "10.1.2.4"}, false}, {access.Rule{IP: "2001:db8::/32"}, true}, {access.Rule{IP: "::/0"}, true},
		{access.Rule{Email: "Alice@CORP.example"}, true}, {access.Rule{Email: "alice@corp.example"}, false}, {access.Rule{Email: "*@corp.example"}, true}, {access.Rule{Email: "*@*.example"}, true}, {access.Rule{Email: "*@example"}, false},
		{access.Rule{URI: "spiffe://corp.example/ns/prod/sa/web"}, true}, {access.Rule{URI: "spiffe://corp.example/ns/*/sa/web"}, true}, {access.Rule{URI: "spiffe://corp.example/ns/*"}, false},
		{access.Rule{URI: "spiffe://corp.example/ns/**"}, true}, {access.Rule{URI: "spiffe://corp.example/**"}, true}, {access.Rule{URI: "spiffe://corp.example/ns/prod/sa/web/**"}, false},
		{access.Rule{URI: "spiffe://*.example/**"}, true}, {access.Rule{URI: "spiffe://*/**"}, false}, {access.Rule{URI: "SPIFFE://corp.example/**"}, false},
		{access.Rule{Pin: key.String()}, true}, {access.Rule{Pin: key.Hex()}, true}, {access.Rule{Pin: "spki:" + key.Hex()}, true}, {access.Rule{Pin: "certificate:" + key.Hex()}, false},
		{access.Rule{Pin: certificate.Hex()}, true}, {access.Rule{Pin: certificate.String()}, true}, {access.Rule{Pin: certificate.Base64()}, false},
		{access.Rule{Serial: "1A:2B:3C"}, true}, {access.Rule{Serial: "001a2b3c"}, true}, {access.Rule{Serial: "1a2b3d"}, false},
		{access.Rule{CN: "alice", OU: "ops", DNS: "**.example"}, true}, {access.Rule{CN: "alice", OU: "dev"}, false},
	} {
		if got := fits(t, c.rule, alice()); got != c.want {
			t.Errorf("%s: %v, want %v", c.rule, got, c.want)
		}
	}
}

func TestStarsStopAtSeparators(t *testing.T) {
	for _, c := range []struct {
		rule  access.Rule
		who   access.Subject
		fits  bool
		again access.Rule // what fits instead; the zero Rule: nothing is tried
	}{
		{access.Rule{CN: "*.corp.example"}, access.Subject{CommonName: "a.corp.example"}, true, access.Rule{}},
		{access.Rule{CN: "*.corp.example"}, access.Subject{CommonName: "a.b.corp.example"}, false, access.Rule{CN: "**.corp.example"}},
		{access.Rule{CN: "*.corp.example"}, access.Subject{CommonName: "evil/x.corp.example"}, false, access.Rule{}},
		{access.Rule{CN: "alice*"}, access.Subject{CommonName: "alice@evil"}, false, access.Rule{CN: "alice**"}},
		{access.Rule{CN: "*.corp.example"}, access.Subject{CommonName: ".corp.example"}, false, access.Rule{}},
		{access.Rule{CN: "alice"}, access.Subject{CommonName: "alice\x00.evil"}, false, access.Rule{}},
		{access.Rule{DNS: "*.corp.example"}, access.Subject{DNS: []string{"corp.example"}}, false, access.Rule{}},
		{access.Rule{DNS: "*.corp.example"}, access.Subject{DNS: []string{"*.corp.example"}}, false, access.Rule{}},
		{access.Rule{DNS: "**.corp.example"}, access.Subject{DNS: []string{"*.corp.example"}}, false, access.Rule{}},
		{access.Rule{DNS: "**.corp.example"}, access.Subject{DNS: []string{".corp.example"}}, false, access.Rule{}},
		{access.Rule{DNS: "**.corp.example"}, access.Subject{DNS: []string{"evilcorp.example"}}, false, access.Rule{}},
		{access.Rule{DNS: "*.corp.example"}, access.Subject{DNS: []string{"a.corp.example.evil"}}, false, access.Rule{}},
		{access.Rule{Email: "*@corp.example"}, access.Subject{Emails: []string{"a@evil@corp.example"}}, false, access.Rule{}},
		{access.Rule{Email: "*@corp.example"}, access.Subject{Emails: []string{"a@corp.example.evil"}}, false, access.Rule{}},
		{access.Rule{Email: "*@corp.example"}, access.Subject{Emails: []string{"a@sub.corp.example"}}, false, access.Rule{Email: "*@**.corp.example"}},
		{access.Rule{URI: "spiffe://corp.example/ns/*/sa/web"}, access.Subject{URIs: []string{"spiffe://corp.example/ns/a/b/sa/web"}}, false, access.Rule{URI: "spiffe://corp.example/ns/**"}},
		{access.Rule{URI: "spiffe://corp.example/ns/*/sa/web"}, access.Subject{URIs: []string{"spiffe://corp.example/ns/../sa/web"}}, false, access.Rule{}},
		{access.Rule{URI: "spiffe://corp.example/ns/*/sa/web"}, access.Subject{URIs: []string{"spiffe://corp.example/ns//sa/web"}}, false, access.Rule{}},
		{access.Rule{URI: "spiffe://corp.example/ns/*/sa/web"}, access.Subject{URIs: []string{"spiffe://corp.example/ns/a%2fb/sa/web"}}, false, access.Rule{}},
		{access.Rule{URI: "spiffe://corp.example/ns/*"}, access.Subject{URIs: []string{"spiffe://corp.example/ns/a?x"}}, false, access.Rule{}},
		{access.Rule{URI: "spiffe://corp.example/ns/**"}, access.Subject{URIs: []string{"spiffe://corp.example/ns/../admin"}}, false, access.Rule{}},
		{access.Rule{URI: "spiffe://corp.example/ns/**"}, access.Subject{URIs: []string{"spiffe://corp.example.evil/ns/a"}}, false, access.Rule{}},
		{access.Rule{URI: "spiffe://*.corp.example/x"}, access.Subject{URIs: []string{"spiffe://evil@a.corp.example/x"}}, false, access.Rule{}},
		{access.Rule{URI: "spiffe://*.corp.example/x"}, access.Subject{URIs: []string{"spiffe://a.b.corp.example/x"}}, false, access.Rule{}},
		{access.Rule{URI: "urn:corp:*"}, access.Subject{URIs: []string{"urn:corp:web"}}, true, access.Rule{}},
		{access.Rule{URI: "urn:corp:*"}, access.Subject{URIs: []string{"urn:corp:web:admin"}}, false, access.Rule{}},
		{access.Rule{CN: "*a*a*a*a*b"}, access.Subject{CommonName: strings.Repeat("a", 4000)}, false, access.Rule{}},
		{access.Rule{CN: "*"}, access.Subject{CommonName: strings.Repeat("a", 5000)}, false, access.Rule{}},
	} {
		c.who.Present = true
		if got := fits(t, c.rule, c.who); got != c.fits {
			t.Errorf("%s of %+v: %v, want %v", c.rule, c.who, got, c.fits)
		}
		if !c.again.IsEmpty() && !fits(t, c.again, c.who) {
			t.Errorf("%s of %+v does not fit", c.again, c.who)
		}
	}
}

func TestBadPatternsAreRefused(t *testing.T) {
	for _, c := range []struct {
		rule access.Rule
		want string
	}{
		{access.Rule{Anyone: true, CN: "alice"}, "anyone stands alone: beside cn alice"},
		{access.Rule{CN: "a***b"}, "three stars"}, {access.Rule{CN: " alice"}, "blanks"}, {access.Rule{CN: "a\u202eb"}, "cannot be seen"}, {access.Rule{CN: strings.Repeat("a", 300)}, "longer than 256"},
		{access.Rule{DNS: "a..b"}, "empty label"}, {access.Rule{DNS: "corp.example."}, "empty label"}, {access.Rule{DNS: "a.**.b"}, "at the beginning"}, {access.Rule{DNS: "x**.b"}, "at the beginning"},
		{access.Rule{DNS: "büro.example"}, "xn--"}, {access.Rule{DNS: "https://a.example"}, "not a DNS name"}, {access.Rule{DNS: strings.Repeat("a", 64) + ".b"}, "63"},
		{access.Rule{IP: "10.0.0.5/8"}, "write 10.0.0.0/8"}, {access.Rule{IP: "10.*"}, "neither an address"}, {access.Rule{IP: "fe80::1%eth0"}, "zones"}, {access.Rule{IP: "::ffff:10.0.0.0/104"}, "write it as 10.0.0.0"},
		{access.Rule{Email: "corp.example"}, "ops@corp.example"}, {access.Rule{Email: "@corp.example"}, "ops@corp.example"}, {access.Rule{Email: "**@corp.example"}, "ops@corp.example"},
		{access.Rule{URI: "*://corp.example/x"}, "scheme"}, {access.Rule{URI: "corp.example/x"}, "scheme"}, {access.Rule{URI: "spiffe://corp.example/**/x"}, "at the end"}, {access.Rule{URI: "spiffe://**"}, "at the end"},
		{access.Rule{URI: "spiffe:///ns/*"}, "trust domain"}, {access.Rule{URI: "spiffe://a/../b"}, "without .."}, {access.Rule{URI: "urn:**"}, "two stars"},
		{access.Rule{Pin: "sha256/x"}, "44 characters"}, {access.Rule{Serial: "xyz"}, "hexadecimal"}, {access.Rule{Serial: ":"}, "hexadecimal"},
	} {
		if err := c.rule.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.rule, err, c.want)
		}
	}
	named := access.Policy{Deny: []access.Rule{{Name: "sites.app.deny[0]", IP: "x"}}}
	if err := named.Validate(); err == nil || !strings.HasPrefix(err.Error(), "sites.app.deny[0]: ip x: ") {
		t.Errorf("%v", err)
	}
}

func TestDenyGoesFirstAndNothingIsAllowedByItself(t *testing.T) {
	p := &access.Policy{Name: "sites.app.clients", Allow: []access.Rule{{Name: "allow[0]", OU: "ops"}}, Deny: []access.Rule{{Name: "deny[0]", Serial: "1a2b3c"}}}
	if d := p.Decide(alice()); d.Allowed || d.Reason != access.Denied || d.Rule != "deny[0]" || d.Text != "deny[0] denies CN=alice, OU=ops: serial number 1a2b3c" || d.Fix == "" {
		t.Errorf("%+v", d)
	}
	bob := access.Subject{Present: true, CommonName: "bob", Units: []string{"ops"}, Name: "CN=bob, OU=ops"}
	if d := p.Decide(bob); !d.Allowed || d.Reason != access.Allowed || d.Rule != "allow[0]" || d.Text != "allow[0] lets CN=bob, OU=ops in: organizational unit ops" {
		t.Errorf("%+v", d)
	}
	for _, p := range []*access.Policy{{}, {Deny: p.Deny}} {
		if d := p.Decide(bob); d.Allowed || d.Reason != access.NoRule || d.Text != "there is no rule that lets anybody in" {
			t.Errorf("%+v", d)
		}
	}
	if d := (*access.Policy)(nil).Decide(access.Subject{}); !d.Allowed {
		t.Errorf("%+v", d)
	}
}

func TestWhoeverShowsNoCertificateFitsAnyoneOnly(t *testing.T) {
	// Values without a certificate are nobody's.
	nobody := alice()
	nobody.Present = false
	for _, r := range []access.Rule{{}, {CN: "alice"}, {Pin: pki.Pin{}.String()}, {Serial: "0"}, {IP: "::/0"}} {
		for _, s := range []access.Subject{nobody, {}} {
			if d := (&access.Policy{Allow: []access.Rule{r}}).Decide(s); d.Allowed || d.Reason != access.NoCertificate || d.Nearest != "a rule wants "+r.String() || d.Fix == "" {
				t.Errorf("%s: %+v", r, d)
			}
		}
	}
	open := &access.Policy{Allow: []access.Rule{{CN: "alice"}, {Anyone: true}}}
	if !open.LetsAnonymousIn() || (&access.Policy{Allow: []access.Rule{{}}}).LetsAnonymousIn() {
		t.Error("anyone is not anybody")
	}
	if d := (&access.Policy{Allow: []access.Rule{{CN: "*"}, {OU: "*"}, {URI: "urn:*"}}}).Decide(access.Subject{Present: true}); d.Allowed {
		t.Errorf("a star fits what is not there: %+v", d)
	}
}

func TestRefusalsSayWhatWasNearest(t *testing.T) {
	for _, c := range []struct{ rule, who, want, fix string }{
		{"cn=alice", "cn=mallory", "a.allow[0] wants cn alice; this one has the common name mallory", "if it should be let in, add {cn: mallory} to a.allow"},
		{"cn=alice", "cn=Alice", "case counts here", "{cn: Alice}"},
		{"cn=*.corp", "cn=a.b.corp", "a star stops at dots", "{cn: a.b.corp}"},
		{"dns=*.corp", "dns=a.b.corp", "a star is one label, two are several", "{dns: a.b.corp}"},
		{"dns=web.corp", "cn=web.corp", "has that as its common name, and no DNS name", "{cn: web.corp}"},
		{"cn=web.corp", "dns=web.corp", "has that as its DNS name, and no common name", "{dns: web.corp}"},
		{"uri=spiffe://corp/*", "uri=spiffe://corp/a/b", "has the URI spiffe://corp/a/b", "{uri: 'spiffe://corp/a/b'}"},
		{"dns=x.corp", "dns=a.corp,b.corp,c.corp,d.corp", "has the DNS names a.corp, b.corp, c.corp and 1 more", "{dns: a.corp}"},
		{"cn=alice", "cn=\u202eecila", "\\u202eecila", "{pin: sha256/AAAA"},
	} {
		s := access.Subject{Present: true, Name: "CN=x"}
		key, value, _ := strings.Cut(c.who, "=")
		if key == "cn" {
			s.CommonName = value
		} else if key == "dns" {
			s.DNS = strings.Split(value, ",")
		} else {
			s.URIs = []string{value}
		}
		r := access.Rule{Name: "a.allow[0]"}
		switch key, value, _ := strings.Cut(c.rule, "="); key {
		case "cn":
			r.CN = value
		case "dns":
			r.DNS = value
		default:
			r.URI = value
		}
		d := (&access.Policy{Name: "a", Allow: []access.Rule{r}}).Decide(s)
		if d.Allowed || d.Reason != access.NoRule || !strings.Contains(d.Nearest, c.want) || !strings.Contains(d.Fix, c.fix) || d.Nearest != pki.Printable(d.Nearest) {
			t.Errorf("%s for %s: %+v", c.rule, c.who, d)
		}
	}
	many := &access.Policy{Name: "--", Allow: []access.Rule{{Name: "1", CN: "bob", OU: "ops"}, {Name: "2", CN: "alicia", OU: "dev"}, {Name: "3", CN: "zoe", OU: "dev"}}}
	s := alice()
	if d := many.Decide(s); !strings.HasPrefix(d.Nearest, "1 wants cn bob and ou ops; this one has the common name alice") || d.Fix != "if it should be let in, add --allow-cn alice" {
		t.Errorf("%+v", d)
	}
	s.Units = nil
	if d := many.Decide(s); !strings.HasPrefix(d.Nearest, "2 wants cn alicia and ou dev; this one has the common name alice, and has no organizational unit") {
		t.Errorf("%+v", d)
	}
}

func TestDigestsTellPoliciesApart(t *testing.T) {
	a := &access.Policy{Name: "x", Allow: []access.Rule{{Name: "1", CN: "alice"}}}
	same := &access.Policy{Name: "y", Allow: []access.Rule{{Name: "2", CN: "alice"}}}
	if a.Digest() != same.Digest() || a.Digest() == "" || (*access.Policy)(nil).Digest() != "" {
		t.Errorf("%q, %q", a.Digest(), same.Digest())
	}
	seen := map[string]bool{a.Digest(): true}
	for _, p := range []*access.Policy{nil, {}, {Deny: a.Allow}, {Allow: []access.Rule{{OU: "alice"}}}, {Allow: []access.Rule{{CN: "alice"}, {}}}, {Allow: []access.Rule{{Anyone: true}}},
		{Allow: []access.Rule{{CN: `alice"`}}}, {Allow: []access.Rule{{CN: "alice", OU: "x"}}}, {Allow: []access.Rule{{}}}} {
		if seen[p.Digest()] {
			t.Errorf("%+v has the digest of another", p)
		}
		seen[p.Digest()] = true
	}
}

func TestSubjectsAreReadFromCertificates(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileClient, Subject: pkix.Name{CommonName: "alice", OrganizationalUnit: []string{"ops", "dev"}},
		SANs: []string{"dns:Alice.corp.example", "ip:10.1.2.3", "email:Alice@corp.example", "uri:spiffe://corp.example/a%2Fb"}})
	s := access.SubjectOf(leaf.Certificate)
	if !s.Present || s.CommonName != "alice" || len(s.Units) != 2 || s.DNS[0] != "alice.corp.example" || s.IPs[0] != netip.MustParseAddr("10.1.2.3") || s.Emails[0] != "Alice@corp.example" ||
		s.URIs[0] != "spiffe://corp.example/a%2Fb" || s.Pin != pki.PinSPKI(leaf.Certificate).SHA256 || s.Fingerprint != sha256.Sum256(leaf.Certificate.Raw) || s.Serial != leaf.Certificate.SerialNumber.Text(16) || s.Issuer == "" {
		t.Errorf("%+v", s)
	}
	if s := access.SubjectOf(nil); s.Present || s.Name != "" {
		t.Errorf("%+v", s)
	}
	// Of two common names none counts: others might read the one that we do not.
	two := ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileClient, Subject: pkix.Name{CommonName: "mallory", ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "alice"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "mallory"}}}})
	if s := access.SubjectOf(two.Certificate); s.CommonName != "" || !strings.Contains(s.Name, "CN=alice") || !strings.Contains(s.Name, "CN=mallory") {
		t.Errorf("%+v", s)
	}
}
