package lint

import "strings"

var lintAltNamesUnique = Lint{
	Name:        "alt_names_unique",
	Severity:    Notice,
	Requirement: "No alternative name is listed twice.",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		names, _ := c.altNames()
		if len(names) < 2 {
			return nil
		}
		var wrong []string
		seen := make(map[string]bool, len(names))
		for _, n := range names {
			key := string(rune(n.kind)) + strings.ToLower(string(n.value))
			if seen[key] {
				wrong = append(wrong, "the name "+n.show()+" is listed twice")
			}
			seen[key] = true
		}
		return wrong
	},
}
