package ciphers

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/wire"
)

func suites(t *testing.T, expression string) []string {
	t.Helper()
	s, err := Evaluate(expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	var names []string
	for _, id := range s.Suites {
		names = append(names, id.String())
	}
	return names
}

func TestSuitesOfTLS13AreMeantByTheirCipher(t *testing.T) {
	all13 := []string{"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}
	for expression, want := range map[string][]string{
		"DEFAULT":                  all13,
		"ECDHE+AESGCM:!aNULL":      {all13[0], all13[2]},
		"ECDHE+CHACHA20:!kRSA":     {all13[1]},
		"DHE+AES256":               {all13[0]},
		"aRSA+AES128+AESGCM":       {all13[2]},
		"HIGH:!AES:!CAMELLIA":      {all13[1], "TLS_AEGIS_128L_SHA256", "TLS_AEGIS_256_SHA512", "TLS_SM4_CCM_SM3", "TLS_SM4_GCM_SM3"},
		"kRSA+AES":                 nil,
		"RSA":                      nil,
		"PSK":                      nil,
		"ECDHE+AESGCM:!ECDHE":      {all13[0], all13[2]},
		"ECDHE+AESGCM:!AES128":     {all13[0]},
		"SHA256":                   nil,
		"modern":                   {all13[2], all13[0], all13[1]},
		"TLS_AES_128_CCM_8_SHA256": {"TLS_AES_128_CCM_8_SHA256"},
	} {
		var got []string
		for _, name := range suites(t, expression) {
			if id, _ := byName(name); id>>8 == 0x13 || strings.HasPrefix(name, "TLS_SM4") {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", expression, diff)
		}
	}
}

func TestNamesOfEveryKindAreUnderstood(t *testing.T) {
	want := []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"}
	for _, expression := range []string{
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", "0xC02F 0x0016", "0xc02f:0x16",
		"ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-DES-CBC3-SHA", "ECDHE-RSA-AES128-GCM-SHA256:EDH-RSA-DES-CBC3-SHA",
		"tls_ecdhe_rsa_with_aes_128_gcm_sha256:dhe-rsa-des-cbc3-sha",
	} {
		if diff := cmp.Diff(want, suites(t, expression)); diff != "" {
			t.Errorf("%s:\n%s", expression, diff)
		}
	}
}

func TestClassesReachWhatNoLibraryHasAnyMore(t *testing.T) {
	for expression, want := range map[string]string{
		"RC4": "TLS_RSA_WITH_RC4_128_SHA", "EXP": "TLS_RSA_EXPORT_WITH_RC4_40_MD5", "LOW": "TLS_RSA_WITH_DES_CBC_SHA",
		"MEDIUM": "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "kDHr": "TLS_DH_RSA_WITH_AES_128_CBC_SHA",
		"kECDHe": "TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", "KRB5": "TLS_KRB5_WITH_RC4_128_SHA",
		"SEED": "TLS_RSA_WITH_SEED_CBC_SHA", "aGOST12": "TLS_GOSTR341112_256_WITH_KUZNYECHIK_CTR_OMAC",
		"aECDH": "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA",
	} {
		if got := suites(t, expression); !slices.Contains(got, want) {
			t.Errorf("%s does not mean %s, but %v", expression, want, got)
		}
	}
	if got := suites(t, "aRSA:aECDSA:DSS:!kRSA:!kDHE:!kECDHE"); slices.Contains(got, "TLS_DH_RSA_WITH_AES_128_CBC_SHA") {
		t.Error("a key that exchanges keys signs nothing")
	}
	if got := suites(t, "DEFAULT"); slices.Contains(got, "TLS_RSA_WITH_RC4_128_SHA") {
		t.Error("RC4 is in DEFAULT")
	}
	if got := suites(t, "HIGH"); slices.Contains(got, "SSL_FORTEZZA_KEA_WITH_FORTEZZA_CBC_SHA") {
		t.Error("80 bits are HIGH")
	}
}

func TestProfilesAreMozillas(t *testing.T) {
	for profile, count := range map[string]int{"modern": 3, "intermediate": 9, "old": 24} {
		if got := suites(t, profile); len(got) != count {
			t.Errorf("%s has %d suites, want %d: %v", profile, len(got), count, got)
		}
	}
	if got := suites(t, "intermediate:!AES128"); len(got) != 6 {
		t.Errorf("a profile that is narrowed: %v", got)
	}
	want := []string{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}
	if got := suites(t, "intermediate")[3:5]; !slices.Equal(got, want) {
		t.Errorf("the order of the profile is lost: %v", got)
	}
}

func TestMistakesAreLocated(t *testing.T) {
	for expression, want := range map[string]string{
		"ECDHE+FOO":                          `at character 7: "FOO" is no suite, class or profile`,
		"ALL:!LOWW":                          `at character 6: "LOWW" is no suite, class or profile`,
		"AES+":                               `at character 5: a word is missing at the end`,
		"AES+:RC4":                           `at character 5: a word should stand here, not ':'`,
		"AES:&":                              `at character 5: a word should stand here, not '&'`,
		"!":                                  `at character 2: a word is missing at the end`,
		"AES:@FOO":                           `at character 5: @FOO is no command; there are @STRENGTH and @SECLEVEL=0 to 5`,
		"AES:@SECLEVEL=6":                    `at character 5: @SECLEVEL=6 is no command; there are @STRENGTH and @SECLEVEL=0 to 5`,
		"AES:DEFAULT":                        `at character 5: DEFAULT has its meaning at the beginning only`,
		"DEFAULT+AES":                        `at character 1: DEFAULT has its meaning at the beginning only`,
		"0x5600":                             `at character 1: "0x5600" is no suite, class or profile`,
		"TLS_FALLBACK_SCSV":                  `at character 1: "TLS_FALLBACK_SCSV" is no suite, class or profile`,
		"0x0a0a":                             `at character 1: "0x0a0a" is no suite, class or profile`,
		strings.Repeat("A", maxExpression+1): "at character 1: the expression is too long",
	} {
		_, err := Evaluate(expression)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || err.Error() != want {
			t.Errorf("%.20s: %v, want %s", expression, err, want)
		}
	}
	for text, want := range map[string]string{"aes": "AES", "AES_128_GCM_SHA256": "TLS_AES_128_GCM_SHA256", "Modern": "modern", "quark": ""} {
		var syntax *SyntaxError
		if _, err := Evaluate(text); !errors.As(err, &syntax) || syntax.Near != want {
			t.Errorf("%s: %+v, want near %q", text, syntax, want)
		}
	}
	if got := suites(t, ""); got != nil {
		t.Errorf("nothing means %v", got)
	}
}

func TestEverySuiteIsTakenApart(t *testing.T) {
	seen := make(map[string]wire.CipherSuite)
	for _, p := range All() {
		if p.KeyExchange == "" || p.Authentication == "" || p.Encryption == "" || p.Mode == "" || p.MAC == "" || p.Hash == "" || p.Since == 0 {
			t.Errorf("%v: %+v", p.Suite, p)
		}
		if isNull := p.Encryption == "NULL"; isNull != (p.Bits == 0) || isNull != (p.Mode == "none") {
			t.Errorf("%v: %d bits of %s in mode %s", p.Suite, p.Bits, p.Encryption, p.Mode)
		}
		if other, ok := seen[p.OpenSSLName]; ok && p.OpenSSLName != "" {
			t.Errorf("%v and %v are both %s", p.Suite, other, p.OpenSSLName)
		}
		seen[p.OpenSSLName] = p.Suite
	}
	for _, id := range []wire.CipherSuite{wire.TLS_FALLBACK_SCSV, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV, 0x0a0a, 0x7777} {
		if _, ok := Apart(id); ok {
			t.Errorf("%v is no suite", id)
		}
	}
}

func FuzzEvaluate(f *testing.F) {
	for _, e := range expressions {
		f.Add(e)
	}
	f.Add("intermediate:!AES128:@SECLEVEL=3")
	f.Fuzz(func(t *testing.T, expression string) {
		s, err := Evaluate(expression)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(expression) {
				t.Fatalf("%v", err)
			}
			return
		}
		seen := make(map[wire.CipherSuite]bool)
		hasClassic := false
		for _, id := range s.Suites {
			p, ok := Apart(id)
			if !ok || seen[id] || hasClassic && p.Since == wire.VersionTLS13 {
				t.Fatalf("%v in %v", id, s.Suites)
			}
			seen[id] = true
			hasClassic = hasClassic || p.Since != wire.VersionTLS13
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	for b.Loop() {
		Evaluate("ECDHE+AESGCM:DHE+AESGCM:!aNULL:!MD5")
	}
}
