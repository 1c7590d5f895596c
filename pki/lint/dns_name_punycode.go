package lint

import "strings"

var lintDnsNamePunycode = Lint{
	Name:        "dns_name_punycode",
	Severity:    Warning,
	Requirement: "A label with hyphens in third and fourth place is an internationalised name (xn--) in valid Punycode.",
	Section:     "RFC 5890, Section 2.3.1",
	check: func(c *certificate) []string {
		var wrong []string
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind != nameDNS {
				continue
			}
			for label := range strings.SplitSeq(strings.ToLower(string(n.value)), ".") {
				if len(label) < 4 || label[2:4] != "--" {
					continue
				}
				if rest, ok := strings.CutPrefix(label, "xn--"); !ok || !validPunycode(rest) {
					wrong = append(wrong, "the DNS name "+n.show()+" has a label that is reserved or not valid Punycode")
				}
			}
		}
		return wrong
	},
}
