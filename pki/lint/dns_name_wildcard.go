package lint

import "strings"

var lintDnsNameWildcard = Lint{
	Name:        "dns_name_wildcard",
	Severity:    Error,
	Requirement: "A wildcard is the whole leftmost label, once, and has more than a top-level domain below it.",
	Section:     "RFC 9525, Section 6.3",
	check: func(c *certificate) []string {
		var wrong []string
		names, _ := c.altNames()
		for _, n := range names {
			name := string(n.value)
			if n.kind != nameDNS || !strings.Contains(name, "*") {
				continue
			}
			rest, leftmost := strings.CutPrefix(name, "*.")
			switch {
			case !leftmost || strings.Contains(rest, "*"):
				wrong = append(wrong, "the wildcard of "+n.show()+" is not the whole leftmost label")
			case !strings.Contains(strings.TrimSuffix(rest, "."), "."):
				wrong = append(wrong, "the wildcard of "+n.show()+" covers a top-level domain")
			}
		}
		return wrong
	},
}
