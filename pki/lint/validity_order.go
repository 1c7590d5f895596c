package lint

import "time"

var lintValidityOrder = Lint{
	Name:        "validity_order",
	Severity:    Error,
	Requirement: "Validity ends after it begins.",
	Section:     "RFC 5280, Section 4.1.2.5",
	check: func(c *certificate) []string {
		if from, to := c.notBefore.value, c.notAfter.value; !from.IsZero() && !to.IsZero() && to.Before(from) {
			return complain("validity ends on %s, before it begins on %s", to.Format(time.DateOnly), from.Format(time.DateOnly))
		}
		return nil
	},
}
