package lint

var lintSerialEntropy = Lint{
	Name:        "serial_entropy",
	Severity:    Warning,
	Requirement: "A serial number holds at least 64 bits that nobody can guess, so that no collision of hashes can be prepared.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.2.7",
	Since:       "2016-09-30",
	Kinds:       leaves | 1<<KindIntermediate,
	check: func(c *certificate) []string {
		if n := len(c.serial); n < 8 {
			return complain("a serial number of %d octets cannot hold 64 random bits", n)
		}
		return nil
	},
}
