package scan

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/relics"
)

// relicHost prepares the examination of a relic and makes the phases before the attacks.
func relicHost(t *testing.T, s *relics.Server, startTLS string, o Options) *host {
	t.Helper()
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.HTTPPort == 0 {
		o.HTTPPort = 1 // nobody listens there
	}
	scanner := New(o)
	h := newHost(scanner, Target{Host: "127.0.0.1", Port: s.Port, ServerName: "localhost", StartTLS: startTLS}, netip.MustParseAddr("127.0.0.1"))
	t.Cleanup(func() { h.session.close() })
	return h
}

// before are the probes that the verdicts build upon.
func before() []probe {
	var ps []probe
	for _, p := range allProbes() {
		if p.phase < phaseAttacks {
			ps = append(ps, p)
		}
	}
	return ps
}

func verdictOf(h *host, id string) grade.Vulnerability {
	if v := h.facts().Vulnerability(id); v != nil {
		return *v
	}
	return grade.Vulnerability{}
}

// checkPair examines a flaw and its twin: the verdict on the one is wanted, and the twin has to be well.
func checkPair(t *testing.T, id string, want grade.Verdict, start func(sick bool) *host) {
	t.Helper()
	for _, sick := range []bool{true, false} {
		h := start(sick)
		h.run(context.Background(), before())
		for i := range rounds(20) {
			h.record(func(f *grade.Facts) { f.Vulnerabilities = nil })
			h.run(context.Background(), vulnerabilityProbes())
			v := verdictOf(h, id)
			isRight := v.Verdict == want
			if !sick {
				isRight = v.Verdict == grade.NotVulnerable || v.Verdict == grade.NotApplicable
			}
			if !isRight {
				t.Fatalf("sick %v, round %d: %+v; gaps %v", sick, i, v, h.facts().Gaps)
			}
			if sick && want == grade.Vulnerable && len(v.Evidence) == 0 || v.Text == "" || v.Name == "" || v.URL == "" {
				t.Fatalf("a verdict without its reasons: %+v", v)
			}
			if sick && id == "ccs-injection" && (v.Strength == "exploitable") != strings.HasSuffix(t.Name(), "exploitable") {
				t.Fatalf("the strength is %q", v.Strength)
			}
			if i == 0 {
				t.Logf("sick %v: %s: %s %q", sick, v.Verdict, v.Text, v.Evidence)
			}
		}
		for _, v := range h.facts().Vulnerabilities {
			if !sick && v.Verdict == grade.Vulnerable && !(id == "poodle-ssl" && v.ID == "rc4") {
				t.Errorf("the twin has %+v", v)
			}
		}
	}
}

func TestAcceptFlawsAreFoundAndTheirTwinsAreWell(t *testing.T) {
	for _, c := range relics.Cases() {
		t.Run(c.ID+" "+c.Name, func(t *testing.T) {
			t.Parallel()
			want := grade.Vulnerable
			if c.Potential {
				want = grade.Potential
			}
			checkPair(t, c.ID, want, func(sick bool) *host { return relicHost(t, c.Start(t, sick), "", Options{}) })
		})
	}
}

func TestAcceptFlawsOfWebServersAreFound(t *testing.T) {
	t.Run("breach", func(t *testing.T) {
		checkPair(t, "breach", grade.Potential, func(sick bool) *host { return relicHost(t, relics.BREACH(t, sick), "", Options{}) })
	})
	t.Run("early-data-425", func(t *testing.T) {
		checkPair(t, "early-data-425", grade.Potential, func(sick bool) *host { return relicHost(t, relics.EarlyData(t, sick), "", Options{}) })
	})
	t.Run("opossum", func(t *testing.T) {
		checkPair(t, "opossum", grade.Vulnerable, func(sick bool) *host {
			secure, plain := relics.Opossum(t, sick)
			return relicHost(t, secure, "", Options{HTTPPort: plain.Port})
		})
	})
}

func TestAcceptInjectedCommandsAreFound(t *testing.T) {
	for _, protocol := range []string{"smtp", "lmtp", "imap", "pop3", "ftp", "nntp", "sieve", "irc"} {
		t.Run(protocol, func(t *testing.T) {
			checkPair(t, "starttls-injection", grade.Vulnerable, func(sick bool) *host {
				return relicHost(t, relics.StartTLSInjection(t, protocol, sick), protocol, Options{})
			})
		})
	}
}

// The whole scan, and not the last phase alone, comes to the same verdicts again and again.
func TestAcceptVerdictsAreTheSameAgain(t *testing.T) {
	t.Parallel()
	s := relics.Rotten().Start(t)
	var first []string
	for i := range rounds(20) {
		h := relicHost(t, s, "", Options{})
		h.run(context.Background(), allProbes())
		f := h.finished()
		var verdicts []string
		for _, v := range f.Vulnerabilities {
			verdicts = append(verdicts, v.ID+": "+string(v.Verdict)+" "+v.Strength)
		}
		if i == 0 {
			first = verdicts
			t.Logf("%d connections: %q", f.Connections, verdicts)
		}
		if !slices.Equal(first, verdicts) {
			t.Fatalf("round %d: %q, and before %q; gaps %v", i, verdicts, first, f.Gaps)
		}
	}
}
