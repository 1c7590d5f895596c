package grade

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tlswright/tlswright/wire"
)

// hold judges facts by one policy.
func hold(t *testing.T, name string, change func(*Facts)) PolicyResult {
	t.Helper()
	p, ok := PolicyByName(name)
	if !ok {
		t.Fatalf("there is no policy %s", name)
	}
	f := goodFacts()
	change(f)
	return Judge(f, Options{Policies: []Policy{p}}).Policies[0]
}

// modern makes the good server one of TLS 1.3 alone with an ECDSA key.
func modern(f *Facts) {
	f.setProtocol(refused(wire.VersionTLS12))
	f.Simulations = f.Simulations[:1]
	f.chain().KeyType = "ECDSA"
	f.leaf().Key, f.leaf().KeyBits, f.leaf().KeyStrength, f.leaf().Signature = "ECDSA P-256", 256, 3072, "ECDSA-SHA384"
}

// federal makes the good server what agencies want: NIST's curves and a longer key.
func federal(f *Facts) {
	f.Groups = []Group{{ID: wire.GroupSecp256r1, Name: "secp256r1"}, {ID: wire.GroupSecp384r1, Name: "secp384r1"}}
	f.leaf().KeyBits, f.leaf().KeyStrength = 3072, 3072
}

func TestPoliciesAreKeptAndBroken(t *testing.T) {
	tls12 := wire.VersionTLS12
	also := func(a, b func(*Facts)) func(*Facts) { return func(f *Facts) { a(f); b(f) } }
	for _, c := range []struct {
		policy string
		change func(*Facts)
		want   Answer
		say    string // a part of the failure or doubt
	}{
		{"mozilla-modern", modern, Yes, ""},
		{"mozilla-modern-5.7", modern, Yes, ""},
		{"mozilla-modern", unchanged, No, "TLS 1.2 must not be offered"},
		{"mozilla-modern", also(modern, func(f *Facts) { f.leaf().Key = "ECDSA P-521" }), No, "secp521r1"},
		{"mozilla-modern", also(modern, certificateOf(oneDay, 90*oneDay)), No, "90 days or less"},
		{"intermediate", unchanged, Yes, ""},
		{"mozilla-intermediate-5.7", unchanged, Yes, ""},
		{"intermediate", modern, Yes, ""},
		{"intermediate", addSuite(tls12, Suite{ID: wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, DHBits: 2048}), No, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 (TLS 1.2)"},
		{"mozilla-intermediate-5.8", addSuite(tls12, Suite{ID: wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, DHBits: 2048}), No, "must not be taken"},
		{"mozilla-intermediate-5.7", addSuite(tls12, Suite{ID: wire.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, DHBits: 2048}), Yes, ""},
		{"intermediate", without13, No, "TLS 1.3 must be offered"},
		{"intermediate", func(f *Facts) { f.HTTP.HSTS.MaxAge = 63071999 }, No, "63072000"},
		{"intermediate", func(f *Facts) { f.HTTP.HSTS = HSTS{} }, No, "HSTS must be sent"},
		{"intermediate", func(f *Facts) { f.Groups = append(f.Groups, Group{ID: wire.GroupSecp521r1}) }, No, "secp521r1"},
		{"intermediate", func(f *Facts) { f.leaf().OCSP = []string{"http://ocsp.example.net"} }, No, "OCSP response"},
		{"intermediate", func(f *Facts) { f.leaf().Signature = "SHA384-RSA" }, No, "rsa-sha384"},
		{"intermediate", func(f *Facts) { f.leaf().KeyBits = 1024 }, No, "2048 bits or more"},
		{"intermediate", func(f *Facts) { f.setVerdict("robot", Vulnerable) }, No, "robot"},
		{"intermediate", func(f *Facts) { f.setVerdict("robot", Inconclusive) }, Unknown, "robot"},
		{"intermediate", func(f *Facts) { f.Protocol(tls12).Complete = false }, Unknown, "TLS 1.2"},
		{"intermediate", func(f *Facts) { f.setProtocol(Protocol{Version: wire.VersionTLS10, Offered: Unknown}) }, Unknown, "TLS 1.0"},
		{"intermediate", func(f *Facts) { f.Groups = nil }, Unknown, "groups"},
		{"intermediate", func(f *Facts) { f.Features.Compression = Yes }, No, "compression"},
		{"mozilla-old", func(f *Facts) { f.setProtocol(offered(wire.VersionTLS10, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA)) }, Yes, ""},
		{"mozilla-old", func(f *Facts) { f.Protocol(tls12).Order = No }, No, "own order"},
		{"mozilla-old", func(f *Facts) { f.setProtocol(offered(wire.VersionSSL30)) }, No, "SSL 3.0 must not"},
		{"mozilla-old-5.7", withDH(DH{Bits: 1024}), Yes, ""},
		{"mozilla-old-5.8", withDH(DH{Bits: 1024}), No, "2048 bits or more, not 1024"},
		{"mozilla-old", modern, No, "must be rsa, not ecdsa"},
		{"nist-sp-800-52r2", federal, Yes, ""},
		{"nist-sp-800-52r2", unchanged, No, "secp256r1"},
		{"nist-sp-800-52r2", also(federal, addSuite(tls12, Suite{ID: wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256})), No, "CHACHA20"},
		{"nist-sp-800-52r2", also(federal, func(f *Facts) { f.Features.ExtendedMasterSecret = No }), No, "RFC 7627"},
		{"nist-sp-800-52r2", also(federal, func(f *Facts) { f.chain().Trusted = No }), No, "No trust store"},
		{"bsi-tr-02102-2", federal, Yes, ""},
		{"bsi-tr-02102-2", unchanged, No, "x25519"},
		{"bsi-tr-02102-2", also(federal, func(f *Facts) { f.leaf().KeyBits = 2048 }), No, "3000 bits or more"},
		{"bsi-tr-02102-2", also(federal, func(f *Facts) { f.Features.EarlyData = Yes }), No, "Early data"},
		{"pci-dss-4", unchanged, Yes, ""},
		{"pci-dss-4", func(f *Facts) { f.setProtocol(offered(wire.VersionTLS11, wire.TLS_RSA_WITH_AES_128_CBC_SHA)) }, No, "TLS 1.1 must not"},
		{"pci-dss-4", addSuite(tls12, Suite{ID: wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA}), No, "less than 128 bits"},
		{"pci-dss-4", addSuite(tls12, Suite{ID: wire.TLS_RSA_WITH_RC4_128_SHA}), No, "RC4"},
		{"pci-dss-4", certificateOf(90*oneDay, -oneDay), No, "expired"},
	} {
		got := hold(t, c.policy, c.change)
		words := strings.Join(append(got.Failures, got.Uncertain...), " ")
		if got.Complies != c.want || !strings.Contains(words, c.say) {
			t.Errorf("%s: %s, want %s with %q: %s", c.policy, got.Complies, c.want, c.say, words)
		}
	}
}

func TestMozillasVersionsAreThoseOfTheGuidelines(t *testing.T) {
	for _, c := range []struct {
		name   string
		suites int
		first  string
		group  string
		dh     int
	}{
		{"mozilla-modern-5.7", 3, "TLS_AES_128_GCM_SHA256", "x25519", 0}, {"mozilla-intermediate-5.7", 12, "TLS_AES_128_GCM_SHA256", "x25519", 2048},
		{"mozilla-old-5.7", 29, "TLS_AES_128_GCM_SHA256", "x25519", 1024}, {"mozilla-modern-5.8", 3, "TLS_AES_128_GCM_SHA256", "X25519MLKEM768", 0},
		{"mozilla-intermediate-5.8", 9, "TLS_AES_128_GCM_SHA256", "X25519MLKEM768", 2048}, {"mozilla-old-5.8", 24, "TLS_AES_128_GCM_SHA256", "X25519MLKEM768", 2048},
		{"mozilla-modern-6.0", 3, "TLS_AES_128_GCM_SHA256", "X25519MLKEM768", 0}, {"mozilla-intermediate-6.0", 9, "TLS_AES_128_GCM_SHA256", "X25519MLKEM768", 2048},
	} {
		p, ok := PolicyByName(c.name)
		if !ok || len(p.Suites) != c.suites || p.Suites[0] != c.first || p.Groups[0] != c.group || p.MinDHBits != c.dh || p.HSTSMinAge != 63072000 {
			t.Errorf("%s: %d suites, groups %v, DH %d", c.name, len(p.Suites), p.Groups, p.MinDHBits)
		}
	}
	if _, ok := PolicyByName("mozilla-old-6.0"); ok {
		t.Error("6.0 has no level old")
	}
	if p, ok := PolicyByName("old"); !ok || p.Name != "mozilla-old-5.8" {
		t.Errorf("old is %s", p.Name)
	}
	if p, ok := PolicyByName("Modern "); !ok || p.Name != "mozilla-modern-6.0" {
		t.Errorf("modern is %s", p.Name)
	}
	for _, name := range []string{"", "mozilla", "mozilla-", "mozilla-modern-4.0", "x"} {
		if p, ok := PolicyByName(name); ok {
			t.Errorf("%q is %s", name, p.Name)
		}
	}
}

func TestTheProgramsPoliciesAreValidAndSurviveJSON(t *testing.T) {
	names := PolicyNames()
	if len(names) != 11 || !slices.Contains(names, "pci-dss-4") {
		t.Errorf("%v", names)
	}
	for _, name := range names {
		p, ok := PolicyByName(name)
		if !ok {
			t.Errorf("%s is listed and not there", name)
			continue
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePolicy(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(p, again, cmp.AllowUnexported(Policy{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestPolicyFilesAreReadStrictly(t *testing.T) {
	good := `{"name": "house", "suites": ["ECDHE+AESGCM", "TLS_AES_128_GCM_SHA256"], "groups": ["P-256", "X25519"], "versions": ["TLSv1.2", "tls 1.3"],
		"certificateCurves": ["prime256v1"], "minGrade": "A-", "forbiddenRules": ["no-pq"], "redirect": true}`
	p, err := ParsePolicy([]byte(good))
	if err != nil || len(p.suites) < 5 || len(p.groups) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	for text, want := range map[string]string{
		``: "cannot read", `[]`: "cannot read", `{}`: "needs a name", `{"name": "a b"}`: "needs a name", `{"name": "a", "vresions": []}`: "unknown field",
		`{"name": "a", "aead": true, "AEAD": false}`: "twice", `null`: "needs a name",
		`{"name": "a"} {}`: "something follows", `{"name": "a", "versions": ["TLS 1.4"]}`: "no version", `{"name": "a", "suites": ["ECDHE+NONSENSE"]}`: "suites",
		`{"name": "a", "groups": ["x25518"]}`: "no group", `{"name": "a", "minGrade": "G"}`: "no grade", `{"name": "a", "forbiddenRules": ["B99"]}`: "no rule",
		`{"name": "a", "minRSABits": -1}`: "between", `{"name": "a", "hstsMinAge": -1}`: "negative", `{"name": "a", "certificateTypes": ["x"]}`: "no kind",
		`{"name": "a", "certificateSignatures": ["sha257"]}`: "no signature", `{"name": "a", "certificateCurves": ["P-257"]}`: "no curve",
		`{"name": "a", "suites": ["A+B","B","C","D","E","F","G","H","I","J","K"]}`: "suites", strings.Repeat(" ", maxPolicy+1): "limit",
		`{"name": "a", "reference": [` + strings.Repeat(`"",`, maxPolicyList) + `""]}`: "entries",
	} {
		if _, err := ParsePolicy([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func TestOwnPoliciesAskForGradeRulesAndRedirect(t *testing.T) {
	p, err := ParsePolicy([]byte(`{"name": "house", "minGrade": "A", "forbiddenRules": ["header-csp"], "redirect": true, "aead": true, "forwardSecrecy": true}`))
	if err != nil {
		t.Fatal(err)
	}
	for say, change := range map[string]func(*Facts){
		"":                           unchanged,
		"must be A or better, not B": func(f *Facts) { f.chain().Complete = No },
		"(header-csp)":               setHeader("Content-Security-Policy", ""),
		"must lead to HTTPS":         func(f *Facts) { f.HTTP.RedirectsToHTTPS = No },
		"authenticated encryption":   addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}),
		"forward secrecy":            addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_RSA_WITH_AES_128_GCM_SHA256}),
	} {
		f := goodFacts()
		change(f)
		r := Judge(f, Options{Policies: []Policy{p}}).Policies[0]
		if (r.Complies == Yes) != (say == "") || !strings.Contains(strings.Join(r.Failures, " "), say) {
			t.Errorf("%q: %+v", say, r)
		}
	}
	broken := Policy{Name: "b", Suites: []string{"NONSENSE"}}
	if r := Judge(goodFacts(), Options{Policies: []Policy{broken}}).Policies[0]; r.Complies != No || !strings.Contains(r.Failures[0], "policy itself") {
		t.Errorf("%+v", r)
	}
}

func TestNamesOfSignaturesAndVersionsAreReadInEveryForm(t *testing.T) {
	for name, want := range map[string]string{
		"sha256WithRSAEncryption": "rsa-sha256", "SHA256-RSA": "rsa-sha256", "ecdsa-with-SHA384": "ecdsa-sha384", "ECDSA-SHA384": "ecdsa-sha384",
		"SHA512-RSAPSS": "rsapss-sha512", "Ed25519": "ed25519", "MD5-RSA": "rsa-md5", "DSA-SHA1": "dsa-sha1", "SHA256": "", "": "", "ed448": "ed448",
	} {
		if got := signatureKind(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]wire.Version{
		"SSLv2": VersionSSL20, "SSL 3.0": wire.VersionSSL30, "TLSv1": wire.VersionTLS10, "tls1.1": wire.VersionTLS11, "TLS 1.2": wire.VersionTLS12, "TLSv1.3": wire.VersionTLS13,
	} {
		if got, ok := versionByName(name); !ok || got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
