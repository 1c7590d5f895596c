package lint

import (
	"fmt"
	"unicode/utf8"
)

var lintSubjectLengths = Lint{
	Name:        "subject_lengths",
	Severity:    Error,
	Requirement: "The attributes of a subject keep their upper bounds: 64 characters for names, 128 for places.",
	Section:     "RFC 5280, Appendix A.1",
	check: func(c *certificate) []string {
		var wrong []string
		attributes, _ := c.subjectAttributes()
		for _, a := range attributes {
			limit, known := attributeLimit(a.id)
			if n := utf8.RuneCountInString(a.text()); known && n > limit {
				wrong = append(wrong, fmt.Sprintf("the attribute %s of the subject has %d characters, more than %d", a.name(), n, limit))
			} else if known && n == 0 {
				wrong = append(wrong, fmt.Sprintf("the attribute %s of the subject is empty", a.name()))
			}
		}
		return wrong
	},
}
