package scan

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/relics"
	"github.com/tlswright/tlswright/wire"
)

// oracleIDs are the attacks that are judged here.
func oracleIDs() []string {
	return []string{"poodle-tls", "zombie-poodle", "goldendoodle", "sleeping-poodle", "zero-length", "cve-2016-2107", "ticketbleed", "robot",
		"insecure-renegotiation", "client-renegotiation"}
}

// askOracles makes all of our probes.
func askOracles(t *testing.T, h *host) *grade.Facts {
	t.Helper()
	h.run(context.Background(), oldProbes())
	return h.facts()
}

// relicSuites are what the scripted servers of relics/oracle_*.go offer.
func relicSuites() map[wire.Version][]wire.CipherSuite {
	cbc := []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
	return map[wire.Version][]wire.CipherSuite{wire.VersionTLS10: cbc, wire.VersionTLS11: cbc,
		wire.VersionTLS12: append([]wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_GCM_SHA256}, cbc...)}
}

// rounds is how often a verdict is asked for: as often as it must be the same in make accept, fewer times elsewhere.
func rounds(most int) int {
	switch {
	case testing.Short():
		return 1
	case os.Getenv("TLSWRIGHT_ACCEPT") == "":
		return min(most, 2)
	}
	return most
}

// repeatedly makes all probes so many times, a few at once, since most of the time is spent waiting: all in make accept, fewer
// elsewhere.
func repeatedly(t *testing.T, repeats int, server *relics.Server, judge func(h *host, f *grade.Facts)) {
	t.Helper()
	repeats = rounds(repeats)
	atOnce := make(chan struct{}, 4)
	var wg sync.WaitGroup
	for range repeats {
		wg.Go(func() {
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			// Most of the time is spent waiting for servers that do not answer. On a machine that is too busy for two seconds
			// nothing can be concluded, which is the right verdict, and somebody would ask again.
			for _, patience := range []time.Duration{2 * time.Second, 15 * time.Second} {
				h := knowing(t, server.Port, relicSuites())
				h.o.Timeout = patience
				f := askOracles(t, h)
				if patience > 2*time.Second || !undecided(f) {
					judge(h, f)
					return
				}
			}
		})
	}
	wg.Wait()
}

// undecided reports whether an oracle got no verdict.
func undecided(f *grade.Facts) bool {
	return slices.ContainsFunc(oracleIDs(), func(id string) bool {
		v := f.Vulnerability(id)
		return v != nil && v.Verdict == grade.Inconclusive
	})
}

func TestAcceptOraclesAreFoundWhereTheyAre(t *testing.T) {
	for _, c := range relics.OldCases() {
		t.Run(c.ID+" "+c.Name, func(t *testing.T) {
			t.Parallel()
			want := grade.Vulnerable
			if c.Potential {
				want = grade.Potential
			}
			var once sync.Once
			repeatedly(t, 20, c.Start(t, true), func(h *host, f *grade.Facts) {
				v := f.Vulnerability(c.ID)
				if v == nil || v.Verdict != want {
					t.Errorf("%+v", v)
					return
				}
				once.Do(func() { t.Logf("%d connections: %s %q %q", h.door.made(), v.Text, v.Strength, v.Evidence) })
				// Who renegotiates without protection does so for the client that asks, too.
				healthy(t, f, []string{c.ID, "client-renegotiation"})
				if other := f.Vulnerability("client-renegotiation"); c.ID != "insecure-renegotiation" && c.ID != other.ID && other.Verdict != grade.NotVulnerable {
					t.Errorf("%+v", other)
				}
			})
		})
	}
}

func TestAcceptHealthyTwinsAreHealthy(t *testing.T) {
	for _, c := range relics.OldCases() {
		t.Run(c.ID+" "+c.Name, func(t *testing.T) {
			t.Parallel()
			repeats := 20
			if c.Name != "" {
				repeats = 3 // the twin of another case is the same server
			}
			var except []string
			if c.ID == "insecure-renegotiation" {
				except = []string{"client-renegotiation"} // the twin allows it, with protection
			}
			repeatedly(t, repeats, c.Start(t, false), func(_ *host, f *grade.Facts) { healthy(t, f, except) })
		})
	}
}

// healthy looks for a verdict that is not well. except may be anything.
func healthy(t *testing.T, f *grade.Facts, except []string) {
	t.Helper()
	for _, id := range oracleIDs() {
		v := f.Vulnerability(id)
		if v == nil {
			t.Errorf("%s: no verdict", id)
		} else if v.Verdict != grade.NotVulnerable && v.Verdict != grade.NotApplicable && !slices.Contains(except, id) {
			t.Errorf("%+v", v)
		}
	}
	if len(f.Gaps) > 0 {
		t.Errorf("gaps: %+v", f.Gaps)
	}
}

// Real servers are healthy, each in several versions and with several suites.
func TestAcceptOraclesFindNothingAtRealServers(t *testing.T) {
	id := newOldIdentity(t)
	cbc := []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_CBC_SHA}
	modern := []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384, wire.TLS_RSA_WITH_AES_128_CBC_SHA}
	old := map[wire.Version][]wire.CipherSuite{wire.VersionTLS10: append(cbc, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA), wire.VersionTLS12: modern}
	withSSL3 := map[wire.Version][]wire.CipherSuite{wire.VersionSSL30: cbc, wire.VersionTLS10: append(cbc, wire.TLS_RSA_WITH_3DES_EDE_CBC_SHA), wire.VersionTLS12: modern}
	for _, c := range []struct {
		name    string
		repeats int // few where the server takes its time: s_server sleeps for a second when it has refused to renegotiate
		port    func(*testing.T) int
		suites  map[wire.Version][]wire.CipherSuite
		except  []string
	}{
		{"OpenSSL, with a page", 2, func(t *testing.T) int { return oldOpenSSL(t, id, "-tls1_2 -cipher ALL:@SECLEVEL=0 -www") }, only(wire.VersionTLS12, modern...), nil},
		{"OpenSSL", 20, func(t *testing.T) int { return oldOpenSSL(t, id, "-tls1_2 -cipher ALL:@SECLEVEL=0") }, only(wire.VersionTLS12, modern...), nil},
		{"OpenSSL, TLS 1.0, Camellia", 3, func(t *testing.T) int { return oldOpenSSL(t, id, "-tls1 -cipher ALL:@SECLEVEL=0") },
			only(wire.VersionTLS10, wire.TLS_RSA_WITH_CAMELLIA_256_CBC_SHA), nil},
		{"GnuTLS", 20, func(t *testing.T) int { return oldGnuTLS(t, id, "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+3DES-CBC") }, old, []string{"client-renegotiation"}},
		{"NSS", 20, func(t *testing.T) int { return oldNSS(t, id, "-V ssl3:tls1.2 -H 1") }, withSSL3, []string{"client-renegotiation"}},
		{"Java", 3, func(t *testing.T) int { return oldJava(t, id, "SSLv3,TLSv1,TLSv1.1,TLSv1.2", "") }, withSSL3, []string{"client-renegotiation"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			port := c.port(t)
			for i := range rounds(c.repeats) {
				began := time.Now()
				h := knowing(t, port, c.suites)
				healthy(t, askOracles(t, h), c.except)
				if i == 0 {
					t.Logf("%d connections, %v", h.door.made(), time.Since(began))
				}
			}
		})
	}
}

func TestInsecureRenegotiationIsMadeInEveryVersion(t *testing.T) {
	for _, v := range []wire.Version{wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12} {
		for _, insecure := range []bool{true, false} {
			suites := []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_CBC_SHA}
			server := (&relics.Old{Versions: []wire.Version{v}, Suites: suites, NoRenegotiationInfo: true, Insecure: insecure, Renegotiations: 100}).Start(t)
			h := knowing(t, server.Port, only(v, suites...))
			probeOldSessions(context.Background(), h)
			if f := h.facts(); f.Features.InsecureRenegotiation != grade.AnswerOf(insecure) || f.Features.ClientRenegotiation != grade.AnswerOf(insecure) {
				t.Errorf("%v, insecure %t: %q, %q, %+v", v, insecure, f.Features.InsecureRenegotiation, f.Features.ClientRenegotiation, f.Vulnerability("insecure-renegotiation"))
			}
		}
	}
}

// A scan that is stopped in the middle concludes nothing, and says why.
func TestAStoppedScanConcludesNothing(t *testing.T) {
	server := relics.OldCases()[0].Start(t, true)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h := knowing(t, server.Port, relicSuites())
	for _, p := range oldProbes() {
		if p.applies == nil || p.applies(h) {
			p.run(ctx, h)
		}
	}
	f := h.facts()
	for _, id := range oracleIDs() {
		if v := f.Vulnerability(id); v == nil || v.Verdict != grade.Inconclusive {
			t.Errorf("%s: %+v", id, v)
		}
	}
	if len(f.Gaps) == 0 || f.Gaps[0].Reason != "the scan was stopped" {
		t.Errorf("%+v", f.Gaps)
	}
}
