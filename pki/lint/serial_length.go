package lint

var lintSerialLength = Lint{
	Name:        "serial_length",
	Severity:    Error,
	Requirement: "A serial number has at most 20 octets.",
	Section:     "RFC 5280, Section 4.1.2.2",
	check: func(c *certificate) []string {
		if len(c.serial) > 20 {
			return complain("the serial number has %d octets, more than 20", len(c.serial))
		}
		return nil
	},
}
