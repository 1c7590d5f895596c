package lint

import "strings"

var lintDnsNameUnderscore = Lint{
	Name:        "dns_name_underscore",
	Severity:    Notice,
	Requirement: "A DNS name has no underscore: it is not in the preferred syntax, and public CAs may not issue it.",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		var wrong []string
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind == nameDNS && strings.Contains(string(n.value), "_") {
				wrong = append(wrong, "the DNS name "+n.show()+" has an underscore")
			}
		}
		return wrong
	},
}
