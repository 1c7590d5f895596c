package lint

import (
	"net/netip"
	"net/url"
)

var lintUriForm = Lint{
	Name:        "uri_form",
	Severity:    Error,
	Requirement: "A URI is absolute, ASCII, and names a host by a full name or an address.",
	Section:     "RFC 5280, Section 4.2.1.6",
	check: func(c *certificate) []string {
		var wrong []string
		names, _ := c.altNames()
		for _, n := range names {
			if n.kind != nameURI {
				continue
			}
			u, err := url.Parse(string(n.value))
			switch {
			case err != nil || !isASCII(n.value) || u.Scheme == "" || u.Opaque == "" && u.Host == "" && u.Path == "":
				wrong = append(wrong, "the URI "+n.show()+" is not absolute or not well formed")
			case u.Hostname() != "":
				if _, err := netip.ParseAddr(u.Hostname()); err != nil && checkHost(u.Hostname()) != "" {
					wrong = append(wrong, "the URI "+n.show()+" has no proper host")
				}
			}
		}
		return wrong
	},
}
