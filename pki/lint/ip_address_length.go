package lint

import "fmt"

var lintIpAddressLength = Lint{
	Name:        "ip_address_length",
	Severity:    Error,
	Requirement: "An address has 4 octets (IPv4) or 16 (IPv6).",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		var wrong []string
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind == nameIP && len(n.value) != 4 && len(n.value) != 16 {
				wrong = append(wrong, fmt.Sprintf("an address has %d octets", len(n.value)))
			}
		}
		return wrong
	},
}
