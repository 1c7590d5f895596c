package scan

import (
	"context"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// cbc12 and gcm12 are what the servers of these tests offer.
func only(v wire.Version, ids ...wire.CipherSuite) map[wire.Version][]wire.CipherSuite {
	return map[wire.Version][]wire.CipherSuite{v: ids}
}

func TestOldSessionsOfRealServers(t *testing.T) {
	id := newOldIdentity(t)
	tls12 := only(wire.VersionTLS12, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
	everywhere := map[wire.Version][]wire.CipherSuite{wire.VersionSSL30: {wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA}, wire.VersionTLS10: {wire.TLS_RSA_WITH_AES_128_CBC_SHA},
		wire.VersionTLS11: {wire.TLS_RSA_WITH_AES_128_CBC_SHA}, wire.VersionTLS12: {wire.TLS_RSA_WITH_AES_128_CBC_SHA}}
	for _, c := range []struct {
		name             string
		port             func(*testing.T) int
		suites           map[wire.Version][]wire.CipherSuite
		ids, tickets     grade.Answer
		client, insecure grade.Answer
		ticketbleed      grade.Verdict
	}{
		{"OpenSSL", func(t *testing.T) int { return oldOpenSSL(t, id, "-tls1_2 -www") }, tls12, grade.Yes, grade.Yes, grade.No, grade.No, grade.NotVulnerable},
		{"OpenSSL, client renegotiation", func(t *testing.T) int { return oldOpenSSL(t, id, "-tls1_2 -client_renegotiation") }, tls12,
			grade.Yes, grade.Yes, grade.Yes, grade.No, grade.NotVulnerable},
		{"OpenSSL, legacy renegotiation", func(t *testing.T) int {
			return oldOpenSSL(t, id, "-tls1_2 -client_renegotiation -legacy_renegotiation")
		}, tls12,
			grade.Yes, grade.Yes, grade.Yes, grade.Yes, grade.NotVulnerable},
		{"OpenSSL, no sessions", func(t *testing.T) int { return oldOpenSSL(t, id, "-tls1_2 -www -no_ticket -no_cache") }, tls12,
			grade.No, grade.No, grade.No, grade.No, grade.NotApplicable},
		{"OpenSSL, TLS 1.0", func(t *testing.T) int {
			return oldOpenSSL(t, id, "-tls1 -client_renegotiation -legacy_renegotiation -cipher ALL:@SECLEVEL=0")
		},
			only(wire.VersionTLS10, wire.TLS_RSA_WITH_AES_128_CBC_SHA), grade.Yes, grade.Yes, grade.Yes, grade.Yes, grade.NotVulnerable},
		{"GnuTLS", func(t *testing.T) int { return oldGnuTLS(t, id, "NORMAL") }, tls12, grade.Yes, grade.Yes, grade.Yes, grade.No, grade.NotVulnerable},
		{"GnuTLS, unsafe", func(t *testing.T) int { return oldGnuTLS(t, id, "NORMAL:%UNSAFE_RENEGOTIATION") }, tls12, grade.Yes, grade.Yes, grade.Yes, grade.Yes, grade.NotVulnerable},
		{"GnuTLS, safe alone", func(t *testing.T) int { return oldGnuTLS(t, id, "NORMAL:%SAFE_RENEGOTIATION") }, tls12, grade.Yes, grade.Yes, grade.Yes, grade.No, grade.NotVulnerable},
		{"NSS", func(t *testing.T) int { return oldNSS(t, id, "-V ssl3:tls1.2 -H 1") }, everywhere, grade.Yes, grade.No, grade.Yes, grade.No, grade.NotApplicable},
		{"Java", func(t *testing.T) int { return oldJava(t, id, "SSLv3,TLSv1,TLSv1.1,TLSv1.2", "") }, everywhere, grade.Yes, grade.Yes, grade.Yes, grade.No, grade.NotVulnerable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			port := c.port(t)
			for range 3 {
				began := time.Now()
				h := knowing(t, port, c.suites)
				probeOldSessions(context.Background(), h)
				f := h.facts()
				t.Logf("%d connections, %v", h.door.made(), time.Since(began))
				if f.Features.SessionIDs != c.ids || f.Features.SessionTickets != c.tickets {
					t.Errorf("ids %q, tickets %q; want %q, %q", f.Features.SessionIDs, f.Features.SessionTickets, c.ids, c.tickets)
				}
				if f.Features.ClientRenegotiation != c.client || f.Features.InsecureRenegotiation != c.insecure {
					t.Errorf("renegotiation %q, insecure %q; want %q, %q", f.Features.ClientRenegotiation, f.Features.InsecureRenegotiation, c.client, c.insecure)
				}
				if v := f.Vulnerability("ticketbleed"); v == nil || v.Verdict != c.ticketbleed {
					t.Errorf("%+v", v)
				}
				if len(f.Gaps) > 0 {
					t.Errorf("gaps %+v", f.Gaps)
				}
			}
		})
	}
}

func TestEarlyDataIsAskedForWithoutHTTP(t *testing.T) {
	for args, want := range map[string]grade.Answer{"-tls1_3 -early_data": grade.Yes, "-tls1_3": grade.No} {
		port := oldOpenSSL(t, newOldIdentity(t), args)
		h := oldHost(port)
		h.run(context.Background(), coreProbes()[:1])
		probeEarly13(context.Background(), h)
		if f := h.facts(); f.Features.EarlyDataAccepted != want || len(f.Gaps) > 0 {
			t.Errorf("%s: %q, %v", args, f.Features.EarlyDataAccepted, f.Gaps)
		}
	}
}
