package grade

import (
	"strings"
	"testing"

	"github.com/tlswright/tlswright/wire"
)

func TestDiffSaysWhatIsBetterAndWhatIsWorse(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Facts)
		want   []string // area, direction and a part of the text, of changes that must be there
	}{
		{"TLS 1.0 came", func(f *Facts) { f.setProtocol(offered(wire.VersionTLS10, wire.TLS_RSA_WITH_AES_128_CBC_SHA)) },
			[]string{"grade worse from A+ to B", "protocols worse TLS 1.0 is offered now", "findings worse (B7)"}},
		{"TLS 1.3 went", without13, []string{"grade worse from A+ to A-", "protocols worse TLS 1.3 is not offered any more"}},
		{"a version became unknown", func(f *Facts) { f.setProtocol(Protocol{Version: wire.VersionTLS11, Offered: Unknown}) }, []string{"protocols neutral TLS 1.1"}},
		{"a weak suite came", addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_RSA_WITH_RC4_128_SHA}), []string{"suites worse TLS_RSA_WITH_RC4_128_SHA is taken now"}},
		{"a good suite came", addSuite(wire.VersionTLS12, Suite{ID: wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}), []string{"suites better CHACHA20"}},
		{"the order changed", func(f *Facts) { f.Protocol(wire.VersionTLS12).Order = No }, []string{"suites neutral order"}},
		{"the group went", func(f *Facts) { f.Groups = f.Groups[1:] }, []string{"groups worse X25519MLKEM768 is not taken any more"}},
		{"a weak group came", func(f *Facts) { f.Groups = append(f.Groups, Group{ID: wire.GroupSecp192r1}) }, []string{"groups worse secp192r1 is taken now"}},
		{"renewed", func(f *Facts) { f.leaf().SHA256, f.chain().Path[0] = "dd", "dd" }, []string{"certificate neutral is another one", "certificate neutral Its key is the same"}},
		{"a longer key", func(f *Facts) {
			f.leaf().SHA256, f.leaf().SPKI, f.leaf().KeyStrength, f.leaf().Issuer = "dd", "x", 4096, "CN=B"
		},
			[]string{"certificate better strength", "certificate neutral Another CA"}},
		{"not trusted", func(f *Facts) { f.chain().Trusted = No }, []string{"grade worse to T", "certificate worse trusted"}},
		{"another kind of key", func(f *Facts) { f.chain().KeyType = "ECDSA" }, []string{"certificate neutral kind ECDSA now", "certificate neutral kind RSA any more"}},
		{"ROBOT came", func(f *Facts) { f.setVerdict("robot", Vulnerable) }, []string{"vulnerabilities worse robot now"}},
		{"conditions came", func(f *Facts) { f.setVerdict("raccoon", Potential) }, []string{"vulnerabilities worse conditions"}},
		{"undecided", func(f *Facts) { f.setVerdict("raccoon", Inconclusive) }, []string{"vulnerabilities neutral verdict"}},
		{"compression came", func(f *Facts) { f.Features.Compression = Yes }, []string{"features worse TLS compression"}},
		{"staple came", func(f *Facts) { f.Features.Staple = Yes }, []string{"features better OCSP"}},
		{"HSTS went", func(f *Facts) { f.HTTP.HSTS = HSTS{} }, []string{"http worse HSTS", "grade worse to A."}},
		{"redirect went", func(f *Facts) { f.HTTP.RedirectsToHTTPS = No }, []string{"http worse leads to HTTPS"}},
		{"software", func(f *Facts) { f.Software = "nginx/1.24.0" }, []string{"software neutral"}},
		{"gone", func(f *Facts) { *f = Facts{Host: f.Host, Unreachable: "refused"} }, []string{"grade worse to none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, now := goodFacts(), goodFacts()
			c.change(now)
			changes := Diff(old, now)
			for _, want := range c.want {
				if !hasChange(changes, want) {
					t.Errorf("%q is not among %+v", want, changes)
				}
			}
			// The way back is as long, and each step goes the other way.
			turned := map[Direction]Direction{Better: Worse, Worse: Better, Neutral: Neutral}
			for _, back := range Diff(now, old) {
				if back.Area != "protocols" && back.Area != "suites" && back.Area != "groups" {
					continue
				}
				found := false
				for _, ch := range changes {
					found = found || ch.Old == back.New && ch.New == back.Old && ch.Direction == turned[back.Direction]
				}
				if !found && c.name != "gone" {
					t.Errorf("the way back says %+v", back)
				}
			}
		})
	}
}

// hasChange looks for "area direction part of the text".
func hasChange(changes []Change, want string) bool {
	area, rest, _ := strings.Cut(want, " ")
	direction, text, _ := strings.Cut(rest, " ")
	for _, c := range changes {
		if c.Area == area && string(c.Direction) == direction && strings.Contains(c.Text, text) {
			return true
		}
	}
	return false
}

func TestNothingHasChangedBetweenEqualScans(t *testing.T) {
	if changes := Diff(goodFacts(), goodFacts()); changes != nil {
		t.Errorf("%+v", changes)
	}
}

func TestWhatWasNotAskedThisTimeIsNoImprovement(t *testing.T) {
	old, now := goodFacts(), goodFacts()
	old.setVerdict("robot", Vulnerable)
	now.Quick, now.Vulnerabilities, now.Simulations = true, nil, nil
	for _, c := range Diff(old, now) {
		if c.Direction == Better && c.Area != "grade" {
			t.Errorf("%+v", c)
		}
	}
}
