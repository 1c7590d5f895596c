package lint

import "time"

var lintLifetimeServer = Lint{
	Name:        "lifetime_server",
	Severity:    Warning,
	Requirement: "A server certificate lives for at most 398 days: browsers refuse longer ones.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 6.3.2",
	Since:       "2020-09-01",
	Kinds:       server,
	check: func(c *certificate) []string {
		// Both ends belong to the period (RFC 5280, Section 4.1.2.5).
		const limit = 398 * 24 * time.Hour
		if period := c.notAfter.value.Sub(c.notBefore.value) + time.Second; period > limit {
			return complain("valid for %d days, more than 398", int64((period+24*time.Hour-1)/(24*time.Hour)))
		}
		return nil
	},
}
