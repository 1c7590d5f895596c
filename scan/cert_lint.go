package scan

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/pki/lint"
)

const (
	maxLinted   = 5   // certificates of a chain
	maxFindings = 100 // of a chain
)

// lintChain holds the certificates that were sent against what standards and browsers ask of them, roots left out.
func lintChain(c *judgedChain) []grade.Lint {
	var all []grade.Lint
	for depth, k := range c.certs[:min(len(c.certs), maxLinted)] {
		if depth > 0 && (k.facts.IsSelfSigned || !k.facts.IsCA) {
			continue
		}
		kind := lint.KindAuto
		if depth == 0 {
			kind = lint.KindServer
		}
		issuer := c.issuer
		if depth > 0 {
			issuer = nil
			for i := 1; i+1 < len(c.path); i++ {
				if string(c.path[i].Raw) == string(k.der) {
					issuer = c.path[i+1]
				}
			}
		}
		for _, f := range lint.Run(k.der, issuer, kind) {
			all = append(all, grade.Lint{Name: f.Lint, Severity: f.Severity.String(), Text: shortened(f.Text, maxText), Section: f.Section, Depth: depth})
		}
	}
	all = append(all, wildcardScope(c.certs[0].facts.Wildcard)...)
	return all[:min(len(all), maxFindings)]
}

// wildcardScope finds wildcards that stand for the names of strangers: those right below a public suffix, as *.co.uk.
func wildcardScope(wildcards []string) []grade.Lint {
	var all []grade.Lint
	for _, w := range wildcards {
		above := strings.ToLower(strings.TrimPrefix(w, "*."))
		suffix, managed := publicsuffix.PublicSuffix(above)
		if suffix == above && managed {
			all = append(all, grade.Lint{Name: "wildcard_public_suffix", Severity: lint.Error.String(), Section: "CA/Browser Forum Baseline Requirements, Section 3.2.2.6",
				Text: w + " stands for the names of everybody below " + above})
		}
	}
	return all
}
