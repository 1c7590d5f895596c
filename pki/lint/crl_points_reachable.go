package lint

import "strings"

var lintCrlPointsReachable = Lint{
	Name:        "crl_points_reachable",
	Severity:    Warning,
	Requirement: "A CRL can be fetched over HTTP, and without TLS, which would have to ask for a CRL first (RFC 5280, Section 8).",
	Section:     "RFC 5280, Section 4.2.1.13",
	check: func(c *certificate) []string {
		e, ok := c.find(idCRLDistribution)
		if !ok {
			return nil
		}
		urls, _ := readPoints(e.value)
		for _, u := range urls {
			if strings.HasPrefix(strings.ToLower(u), "http://") {
				return nil
			}
		}
		return complain("no CRL distribution point with an http URL")
	},
}
