package scan

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/relics"
	"github.com/tlswright/tlswright/wire"
)

// factsOf makes facts of a server that offers these suites in these versions, and nothing else.
func factsOf(complete bool, suites map[wire.Version][]wire.CipherSuite) *grade.Facts {
	f := &grade.Facts{Schema: grade.FactsSchema}
	for _, v := range []wire.Version{grade.VersionSSL20, wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12, wire.VersionTLS13} {
		p := grade.Protocol{Version: v, Name: v.String(), Offered: grade.AnswerOf(suites[v] != nil), Complete: complete}
		for _, id := range suites[v] {
			p.Suites = append(p.Suites, grade.Suite{ID: id, Name: id.String()})
		}
		f.Protocols = append(f.Protocols, p)
	}
	return f
}

func TestWhatIsNotKnownIsNotSaid(t *testing.T) {
	nothing := &grade.Facts{}
	for i, judge := range judges() {
		v := judge(nothing)
		if v.Verdict == grade.Vulnerable || v.Verdict == grade.Potential || v.Verdict == grade.NotVulnerable {
			t.Errorf("%d: of a server about which nothing is known: %+v", i, v)
		}
		if v.ID == "" || v.Name == "" || v.Text == "" || v.URL == "" {
			t.Errorf("%d: %+v", i, v)
		}
	}
	half := factsOf(false, map[wire.Version][]wire.CipherSuite{wire.VersionTLS12: {wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}})
	for _, judge := range []func(*grade.Facts) grade.Vulnerability{judgeFREAK, judgeSweet32, judgeLucky13, judgeRC4, judgeLogjam, judgeWeakDH, judgeSharedDH, judgeRaccoon} {
		if v := judge(half); v.Verdict != grade.Inconclusive {
			t.Errorf("of a server whose suites are not all known: %+v", v)
		}
	}
}

func TestModernServersHaveNothingToAttack(t *testing.T) {
	f := factsOf(true, map[wire.Version][]wire.CipherSuite{wire.VersionTLS13: {wire.TLS_AES_128_GCM_SHA256}})
	f.Features.StrictALPN, f.Features.EarlyData = grade.Yes, grade.No
	f.Chains = []grade.Chain{{KeyType: "ECDSA", Sent: []grade.Certificate{{Key: "ECDSA P-256"}}}}
	for _, judge := range judges() {
		if v := judge(f); v.Verdict != grade.NotApplicable && v.Verdict != grade.NotVulnerable {
			t.Errorf("%+v", v)
		}
	}
}

func TestKeysThatCanBeComputedAreTold(t *testing.T) {
	rsa := func(weak string) *grade.Facts {
		return &grade.Facts{Chains: []grade.Chain{{KeyType: "RSA", Sent: []grade.Certificate{{Key: "RSA 2048 bits", SHA256: "ab", WeakKey: weak}}}}}
	}
	listed := rsa("")
	listed.Chains[0].Sent[0].KeyListed = grade.No
	published := rsa("the private key is published")
	published.Chains[0].Sent[0].KeyListed = grade.Yes
	for name, c := range map[string]struct {
		got  grade.Vulnerability
		want grade.Verdict
	}{
		"roca":         {judgeROCA(rsa("ROCA (CVE-2017-15361)")), grade.Vulnerable},
		"no roca":      {judgeROCA(rsa("")), grade.NotVulnerable},
		"other":        {judgeROCA(rsa("Debian OpenSSL flaw")), grade.NotVulnerable},
		"debian":       {judgeDebianKey(rsa("Debian OpenSSL flaw")), grade.Vulnerable},
		"debian list":  {judgeDebianKey(rsa("")), grade.Inconclusive},
		"published":    {judgeDebianKey(published), grade.Vulnerable},
		"not listed":   {judgeDebianKey(listed), grade.NotVulnerable},
		"empty chains": {judgeROCA(&grade.Facts{Chains: []grade.Chain{{}}}), grade.NotApplicable},
	} {
		if c.got.Verdict != c.want {
			t.Errorf("%s: %+v", name, c.got)
		}
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	v := rc4Suites.is(grade.Vulnerable, "text", slices.Repeat([]string{strings.Repeat("ä", 200)}, 100)...)
	if len(v.Evidence) != maxEvidenceRows || v.Evidence[maxEvidenceRows-1] != "and 89 more" {
		t.Errorf("%d rows, the last is %q", len(v.Evidence), v.Evidence[len(v.Evidence)-1])
	}
	for _, e := range v.Evidence {
		if len(e) > maxEvidenceBytes {
			t.Errorf("%d bytes", len(e))
		}
	}
}

func TestVerdictsStandInOrder(t *testing.T) {
	h := newHost(New(Options{}), Target{Host: "127.0.0.1", Port: 1}, netip.MustParseAddr("127.0.0.1"))
	for _, a := range []attack{rc4Suites, alpaca, heartbleed, drown} {
		h.verdict(a.unknown("x"))
	}
	if !slices.IsSortedFunc(h.f.Vulnerabilities, func(a, b grade.Vulnerability) int { return strings.Compare(a.ID, b.ID) }) {
		t.Errorf("%+v", h.f.Vulnerabilities)
	}
}

func TestServerOfSSL2AloneIsSeen(t *testing.T) {
	s := relics.SSL2Only().Start(t)
	h := relicHost(t, s, "", Options{})
	h.run(context.Background(), allProbes())
	f := h.finished()
	if !f.Offers(grade.VersionSSL20) || f.Unreachable != "" || len(f.SSL2Kinds) != len(relics.SSL2Only().SSL2) {
		t.Errorf("SSL 2.0: %+v, kinds %v, unreachable %q", f.Protocol(grade.VersionSSL20), f.SSL2Kinds, f.Unreachable)
	}
	if v := f.Vulnerability("drown"); v == nil || v.Verdict != grade.Vulnerable {
		t.Errorf("%+v", v)
	}
}

func FuzzReadUpgrade(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n\r\n", "HTTP/1.1 101 x\r\nupgrade: websocket\r\n\r\n",
		"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", "HTTP/1.0 200\n\n", "SSH-2.0-x\r\n", "HTTP/1.1 99 x\r\n", "HTTP/1.1 101", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		status, upgrade, err := readUpgrade(strings.NewReader(s))
		if err != nil && status != 0 || err == nil && (status < 100 || status > 999) {
			t.Errorf("%d, %q, %v", status, upgrade, err)
		}
		if status == 101 && !strings.Contains(strings.ToUpper(upgrade), "TLS/") {
			t.Errorf("101 to %q", upgrade)
		}
		if n := readStatus(strings.NewReader(s)); err == nil && status != 101 && status != 100 && n != status {
			t.Errorf("%d and %d", n, status)
		}
		for _, i := range injections() {
			i.isVulnerable(i.readLines(strings.NewReader(s)))
		}
	})
}
