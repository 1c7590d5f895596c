package lint

import "strings"

var lintDnsNameForm = Lint{
	Name:        "dns_name_form",
	Severity:    Error,
	Requirement: "A DNS name consists of labels of letters, digits and hyphens, up to 63 characters each and 253 together.",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		var wrong []string
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind != nameDNS {
				continue
			}
			if why := checkHost(strings.TrimPrefix(string(n.value), "*.")); why != "" {
				wrong = append(wrong, "the DNS name "+n.show()+": "+why)
			}
		}
		return wrong
	},
}
