package lint

var lintKeyUsageForm = Lint{
	Name:        "key_usage_form",
	Severity:    Error,
	Requirement: "Key usage sets at least one bit, and is written without zero bits at the end (X.690, 11.2.2).",
	Section:     "RFC 5280, Section 4.2.1.3",
	check: func(c *certificate) []string {
		bits, present, readable := c.keyUsage()
		e, _ := c.find(idKeyUsage)
		switch {
		case !present:
			return nil
		case !readable:
			return complain("the key usage cannot be read")
		case bits == 0:
			return complain("the key usage allows nothing")
		case string(e.value) != string(usageDER(bits)):
			return complain("the key usage is written with zero bits at its end")
		}
		return nil
	},
}
