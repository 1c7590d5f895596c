package lint

var lintAltNamesPresent = Lint{
	Name:        "alt_names_present",
	Severity:    Error,
	Requirement: "A server is named by a DNS name, an address or a URI among the alternative names: clients ignore the common name.",
	Section:     "RFC 9525, Section 3",
	Kinds:       server,
	check: func(c *certificate) []string {
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind == nameDNS || n.kind == nameIP || n.kind == nameURI {
				return nil
			}
		}
		return complain("a server without a DNS name, address or URI among the alternative names")
	},
}
