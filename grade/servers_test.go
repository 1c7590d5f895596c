package grade

import (
	"testing"

	"github.com/tlswright/tlswright/wire"
)

// twelve are the servers of the guide's test bench (RATING, 2.6), as changes to the good one.
var twelve = []struct {
	name   string
	change func(*Facts)
	want   Letter
	score  float64
	rule   string // that has to be among the findings
}{
	{"good, HSTS of two years", func(*Facts) {}, "A+", 93, "good-hsts"},
	{"no HSTS", func(f *Facts) { f.HTTP.HSTS = HSTS{} }, "A", 93, "hsts-absent"},
	{"ECDHE and DHE-1024", func(f *Facts) {
		p := f.Protocol(wire.VersionTLS12)
		p.Suites = append(p.Suites, Suite{ID: wire.TLS_DHE_RSA_WITH_AES_256_GCM_SHA384, DHBits: 1024})
		f.DH = []DH{{Bits: 1024, Known: "RFC 2409 group 2", Safe: Yes}}
	}, "B", 90, "B4"},
	{"anonymous suite", func(f *Facts) {
		p := f.Protocol(wire.VersionTLS12)
		p.Suites = append(p.Suites, suitesOf(wire.TLS_ECDH_anon_WITH_AES_256_CBC_SHA)...)
	}, "F", 0, "F13"},
	{"TLS 1.2 with CBC alone", func(f *Facts) {
		f.setProtocol(refused(wire.VersionTLS13))
		f.setProtocol(offered(wire.VersionTLS12, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA))
		f.Simulations = []Simulation{simulated("Firefox 128 ESR", wire.VersionTLS12, wire.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA)}
	}, "B", 93, "B6"},
	{"name in CN, SAN for another", func(f *Facts) {
		f.chain().NameMatches, f.chain().NameOnlyCN, f.leaf().Names = No, true, []string{"other.example"}
	}, "M", 93, "M-name"},
	{"no SAN", func(f *Facts) { f.chain().NameMatches, f.leaf().Names = No, nil }, "M", 93, "M-name"},
	{"chain incomplete", func(f *Facts) {
		f.chain().Complete, f.chain().AIARepairs, f.chain().Missing, f.chain().Sent = No, Yes, []string{"CN=Good CA"}, f.chain().Sent[:1]
	}, "B", 93, "B3"},
	{"TLS 1.2 alone", func(f *Facts) { f.setProtocol(refused(wire.VersionTLS13)) }, "A-", 93, "A-2"},
	{"TLS 1.3 alone", func(f *Facts) {
		f.setProtocol(refused(wire.VersionTLS12))
		f.Simulations = f.Simulations[:1]
	}, "A+", 93, "good-tls13"},
	{"RSA of 1024 bits", func(f *Facts) { f.leaf().KeyBits, f.leaf().KeyStrength, f.leaf().Key = 1024, 1024, "RSA 1024 bits" }, "B", 90, "B4"},
	{"expired", func(f *Facts) { f.leaf().NotAfter = scanTime.Add(-370 * oneDay) }, "T", 93, "T-expired"},
}

func TestTheTwelveServersGetTheGuidesGrade(t *testing.T) {
	for _, server := range twelve {
		t.Run(server.name, func(t *testing.T) {
			f := goodFacts()
			server.change(f)
			r := Judge(f, Options{})
			if r.Grade != server.want || r.Score != server.score {
				t.Errorf("grade %s with %v, want %s with %v: %v", r.Grade, r.Score, server.want, server.score, r.Missing)
			}
			if r.finding(server.rule) == nil {
				t.Errorf("%s did not fire", server.rule)
			}
			for _, trust := range []Letter{"T", "M"} {
				if server.want == trust && r.GradeIgnoringTrust != "A+" {
					t.Errorf("without trust %s, want A+: %v", r.GradeIgnoringTrust, r.Missing)
				}
			}
		})
	}
}

// finding finds what a rule said; nil: it did not fire.
func (r *Result) finding(id string) *Finding {
	for i := range r.Findings {
		if r.Findings[i].Rule == id {
			return &r.Findings[i]
		}
	}
	return nil
}
