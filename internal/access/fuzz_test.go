package access_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/access"
	"github.com/tlswright/tlswright/pki"
)

// FuzzRules holds patterns of common names against a regular expression that says the same, and all other patterns
// against what must hold of any: what fits exactly fits, decisions are printable and the same each time.
func FuzzRules(f *testing.F) {
	f.Add("alice", "alice")
	f.Add("*.corp.example", "a.b.corp.example")
	f.Add("**a*b", "xa.yaqb")
	f.Add("*@**.example", "a@b.c.example")
	f.Add("spiffe://*.example/ns/*/**", "spiffe://a.example/ns/x/y")
	f.Add("10.0.0.0/8", "10.1.2.3")
	f.Fuzz(func(t *testing.T, pattern, value string) {
		s := access.Subject{Present: true, CommonName: value, DNS: []string{value}, URIs: []string{value}, Emails: []string{value}, Units: []string{value}, Serial: value, Name: pki.Printable(value)}
		for i, r := range []access.Rule{{CN: pattern}, {OU: pattern}, {DNS: pattern}, {URI: pattern}, {Email: pattern}, {IP: pattern}, {Pin: pattern}, {Serial: pattern}} {
			if r.Validate() != nil || r.IsEmpty() {
				continue
			}
			p := &access.Policy{Name: "p", Allow: []access.Rule{r}}
			d := p.Decide(s)
			if d != p.Decide(s) {
				t.Fatalf("two decisions about %s", r)
			}
			for _, text := range []string{d.Text, d.Nearest, d.Fix} {
				if text != pki.Printable(text) {
					t.Fatalf("%q is not printable", text)
				}
			}
			if i < 2 && value != "" && len(value) <= 4096 && d.Allowed != expression(pattern).MatchString(value) {
				t.Fatalf("%s of %q: %v", r, value, d.Allowed)
			}
			if pattern == value && !strings.Contains(value, "*") && i < 4 && !d.Allowed {
				t.Fatalf("%s does not fit itself", r)
			}
		}
	})
}

// expression says what a pattern of a common name says.
func expression(pattern string) *regexp.Regexp {
	text := regexp.QuoteMeta(pattern)
	text = strings.ReplaceAll(text, `\*\*`, `[\x00-\x{10ffff}]+`)
	text = strings.ReplaceAll(text, `\*`, `[^./@]+`)
	return regexp.MustCompile(`(?s)\A` + text + `\z`)
}
