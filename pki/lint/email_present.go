package lint

var lintEmailPresent = Lint{
	Name:        "email_present",
	Severity:    Error,
	Requirement: "A certificate for e-mail holds the address among the alternative names, not only in the subject.",
	Section:     "RFC 8550, Section 3",
	Kinds:       1 << KindEmail,
	check: func(c *certificate) []string {
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind == nameEmail || n.kind == nameOther {
				return nil
			}
		}
		return complain("a certificate for e-mail without an address among the alternative names")
	},
}
