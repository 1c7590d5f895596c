package lint

var lintSerialPositive = Lint{
	Name:        "serial_positive",
	Severity:    Error,
	Requirement: "A serial number is a positive integer.",
	Section:     "RFC 5280, Section 4.1.2.2",
	check: func(c *certificate) []string {
		if c.serial[0]&0x80 != 0 {
			return complain("the serial number is negative")
		}
		for _, b := range c.serial {
			if b != 0 {
				return nil
			}
		}
		return complain("the serial number is zero")
	},
}
