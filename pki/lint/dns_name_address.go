package lint

import "net/netip"

var lintDnsNameAddress = Lint{
	Name:        "dns_name_address",
	Severity:    Error,
	Requirement: "An address is named as an address, not as a DNS name.",
	Section:     "RFC 9525, Section 3",
	check: func(c *certificate) []string {
		var wrong []string
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind != nameDNS {
				continue
			}
			if _, err := netip.ParseAddr(string(n.value)); err == nil {
				wrong = append(wrong, "the address "+n.show()+" is written as a DNS name")
			}
		}
		return wrong
	},
}
