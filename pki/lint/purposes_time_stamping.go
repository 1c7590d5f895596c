package lint

var lintPurposesTimeStamping = Lint{
	Name:        "purposes_time_stamping",
	Severity:    Error,
	Requirement: "Who stamps times does nothing else, and says so critically.",
	Section:     "RFC 3161, Section 2.3",
	Kinds:       leaves,
	check: func(c *certificate) []string {
		if !c.has(purposeTime) {
			return nil
		}
		var wrong []string
		if list, _ := c.purposes(); len(list) > 1 {
			wrong = append(wrong, "timeStamping together with other purposes")
		}
		if e, _ := c.find(idExtKeyUsage); !e.critical {
			wrong = append(wrong, "timeStamping in an extended key usage that is not critical")
		}
		return wrong
	},
}
