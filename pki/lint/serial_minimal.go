package lint

var lintSerialMinimal = Lint{
	Name:        "serial_minimal",
	Severity:    Error,
	Requirement: "An integer is written with as few octets as it needs.",
	Section:     "X.690, 8.3.2",
	check: func(c *certificate) []string {
		if len(c.serial) > 1 && (c.serial[0] == 0 && c.serial[1] < 0x80 || c.serial[0] == 0xff && c.serial[1] >= 0x80) {
			return complain("the serial number is written with octets that it does not need")
		}
		return nil
	},
}
