package ciphers

import (
	"strings"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

func TestVerdictsOnTheListsOfTheLesson(t *testing.T) {
	for _, tc := range []struct {
		suite  wire.CipherSuite
		want   Verdict
		reason string
	}{
		{wire.TLS_AES_256_GCM_SHA384, Good, ""},
		{wire.TLS_CHACHA20_POLY1305_SHA256, Good, ""},
		{wire.TLS_AES_128_CCM_8_SHA256, Weak, "8 bytes"},
		{wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, Good, ""},
		{wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, Good, ""},
		{wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, Good, ""},
		{wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, Weak, "CBC"},
		{wire.TLS_RSA_WITH_AES_256_CBC_SHA256, Weak, "no forward secrecy"},
		{wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA, Weak, "Sweet32"},
		{wire.TLS_RSA_WITH_RC4_128_SHA, Unsafe, "prohibited"},
		{wire.TLS_DHE_RSA_WITH_AES_256_CBC_SHA, Weak, "Diffie-Hellman"},
	} {
		p, ok := Apart(tc.suite)
		got, reasons := p.Verdict()
		if !ok || got != tc.want || !strings.Contains(strings.Join(reasons, "; "), tc.reason) || (got == Good) != (len(reasons) == 0) {
			t.Errorf("%v: %v %q, want %v with %q", tc.suite, got, reasons, tc.want, tc.reason)
		}
	}
}

func TestProfilesOfMozillaAreGood(t *testing.T) {
	for _, profile := range []string{"modern", "intermediate"} {
		s, err := Evaluate(profile)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range s.Suites {
			p, _ := Apart(id)
			if v, reasons := p.Verdict(); v != Good {
				t.Errorf("%s: %v is %v: %q", profile, id, v, reasons)
			}
		}
	}
	for _, expression := range []string{"aNULL", "eNULL", "EXPORT", "RC4", "DES"} {
		s, err := Evaluate(expression)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range s.Suites {
			p, _ := Apart(id)
			if v, reasons := p.Verdict(); v != Unsafe {
				t.Errorf("%s: %v is %v: %q", expression, id, v, reasons)
			}
		}
	}
}
