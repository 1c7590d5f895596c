package lint

var lintKeyWholeBytes = Lint{
	Name:        "key_whole_bytes",
	Severity:    Error,
	Requirement: "The key is a BIT STRING of whole octets, behind an algorithm that can be read.",
	Section:     "RFC 5280, Section 4.1.2.7",
	check: func(c *certificate) []string {
		if k := c.key(); !k.ok || k.unused != 0 {
			return complain("the key cannot be read as whole octets behind an algorithm")
		}
		return nil
	},
}
