package lint

import (
	"strings"

	"github.com/tlswright/tlswright/pki"
)

var lintAuthorityInfoReachable = Lint{
	Name:        "authority_info_reachable",
	Severity:    Warning,
	Requirement: "OCSP server and issuer certificate are found at http URLs, without TLS that would have to ask first.",
	Section:     "RFC 5280, Section 4.2.2.1",
	check: func(c *certificate) []string {
		e, ok := c.find(idAuthorityInfo)
		if !ok {
			return nil
		}
		var wrong []string
		list, _ := readAccess(e.value)
		for _, a := range list {
			if (a.method == idAccessOCSP || a.method == idAccessIssuers) && !strings.HasPrefix(strings.ToLower(a.url), "http://") {
				wrong = append(wrong, "not an http URL: "+pki.Printable(a.url))
			}
		}
		return wrong
	},
}
