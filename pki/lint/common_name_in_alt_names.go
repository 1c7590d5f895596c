package lint

import (
	"slices"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

var lintCommonNameInAltNames = Lint{
	Name:        "common_name_in_alt_names",
	Severity:    Warning,
	Requirement: "The common name of a server is one of its alternative names.",
	Section:     "CA/Browser Forum Baseline Requirements, Section 7.1.4.3",
	Kinds:       server,
	check: func(c *certificate) []string {
		attributes, _ := c.subjectAttributes()
		names, _ := c.altNames()
		for _, a := range attributes {
			if a.id == attributeCN && !slices.ContainsFunc(names, func(n generalName) bool { return strings.EqualFold(n.text(), a.text()) }) {
				return complain("the common name %q is not among the alternative names", pki.Printable(a.text()))
			}
		}
		return nil
	},
}
