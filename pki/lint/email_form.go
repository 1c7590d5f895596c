package lint

import "strings"

var lintEmailForm = Lint{
	Name:        "email_form",
	Severity:    Error,
	Requirement: "An e-mail address is local@host in ASCII, without anything around it.",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		var wrong []string
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind != nameEmail {
				continue
			}
			local, host, ok := cutLast(string(n.value), "@")
			if !ok || local == "" || !isASCII(n.value) || strings.ContainsAny(string(n.value), " <>") || checkHost(host) != "" {
				wrong = append(wrong, "the e-mail address "+n.show()+" is not well formed")
			}
		}
		return wrong
	},
}
