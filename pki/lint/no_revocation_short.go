package lint

import (
	"time"

	"github.com/tlswright/tlswright/pki"
)

var lintNoRevocationShort = Lint{
	Name:        "no_revocation_short",
	Severity:    Warning,
	Requirement: "What cannot be revoked lives for a short time.",
	Section:     "RFC 9608, Section 1",
	check: func(c *certificate) []string {
		if _, ok := c.find(idNoRevAvail); ok && c.notAfter.value.Sub(c.notBefore.value) > pki.MaxShortLifetime {
			return complain("noRevAvail in a certificate that lives for %d days", c.notAfter.value.Sub(c.notBefore.value)/(24*time.Hour))
		}
		return nil
	},
}
