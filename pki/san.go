package pki

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// addSAN sorts one subject alternative name into the template by its form: an IP
// address, a URI (with "://" or of scheme urn), an e-mail address, otherwise a DNS
// name. A prefix ip:, dns:, uri: or email: says it outright.
func addSAN(t *x509.Certificate, san string) error {
	kind, rest, ok := strings.Cut(san, ":")
	if ok {
		switch strings.ToLower(kind) {
		case "dns":
			return addDNS(t, rest)
		case "ip":
			return addIP(t, rest)
		case "uri":
			return addURI(t, rest)
		case "email":
			return addEmail(t, rest)
		}
	}
	if _, err := netip.ParseAddr(strings.Trim(san, "[]")); err == nil {
		return addIP(t, strings.Trim(san, "[]"))
	}
	switch {
	case strings.Contains(san, "://"), strings.HasPrefix(strings.ToLower(san), "urn:"):
		return addURI(t, san)
	case strings.Contains(san, "@"):
		return addEmail(t, san)
	}
	return addDNS(t, san)
}

func addIP(t *x509.Certificate, s string) error {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return refuse("write it as 192.0.2.1 or 2001:db8::1, without a zone", "%q is not an IP address a certificate can carry", Printable(s))
	}
	t.IPAddresses = append(t.IPAddresses, addr.Unmap().AsSlice())
	return nil
}

func addURI(t *x509.Certificate, s string) error {
	u, err := url.Parse(s)
	// RFC 5280, Section 4.2.1.6: the name MUST NOT be a relative URI, and must be ASCII.
	if err != nil || u.Scheme == "" || (u.Host == "" && u.Opaque == "" && u.Path == "") || !isASCII(s) {
		return refuse("write it whole, as in https://host/path or spiffe://domain/name", "%q is not an absolute URI in ASCII", Printable(s))
	}
	if host := u.Hostname(); host != "" {
		if _, err := netip.ParseAddr(host); err != nil && checkDNS(host, false) != "" {
			return refuse("", "the URI %q has a host that is neither a DNS name nor an address", Printable(s))
		}
	}
	t.URIs = append(t.URIs, u)
	return nil
}

func addEmail(t *x509.Certificate, s string) error {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > 254 || !isASCII(s) || strings.ContainsAny(s, " <>\"(),:;[]\\") || checkDNS(domain, false) != "" {
		return refuse("write it as name@example.com", "%q is not an e-mail address a certificate can carry", Printable(s))
	}
	t.EmailAddresses = append(t.EmailAddresses, s)
	return nil
}

func addDNS(t *x509.Certificate, s string) error {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if !isASCII(name) {
		return refuse("write it in its ASCII form (xn--…)", "the DNS name %q is not ASCII", Printable(s))
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return refuse("write ip:"+name, "the address %s as a DNS name: clients look for it among the IP addresses", name)
	}
	if why := checkDNS(name, true); why != "" {
		hint := ""
		if strings.Contains(name, "*") {
			hint = "write *.example.com: the star alone, in front, once"
		}
		return refuse(hint, "%q is not a DNS name: %s", Printable(s), why)
	}
	if rest, ok := strings.CutPrefix(name, "*."); ok && !strings.Contains(rest, ".") {
		return refuse("name the hosts, or put a domain between: *.lab."+rest,
			"the wildcard %q covers a whole top-level domain: clients do not match it", Printable(s))
	}
	t.DNSNames = append(t.DNSNames, name)
	return nil
}

// checkDNS returns "" for a host name in the preferred syntax, else what is wrong
// with it (RFC 5280, Section 4.2.1.6). Underscores pass, as they occur in private
// zones. A wildcard may only be the whole leftmost label (RFC 9525, Section 6.3).
func checkDNS(name string, wildcard bool) string {
	if name == "" {
		return "it is empty"
	}
	if len(name) > 253 {
		return "it has more than 253 characters"
	}
	labels := strings.Split(name, ".")
	if wildcard && labels[0] == "*" {
		if labels = labels[1:]; len(labels) == 0 {
			return "a wildcard needs a domain after it"
		}
	}
	for _, l := range labels {
		switch {
		case l == "":
			return "a label is empty"
		case len(l) > 63:
			return "a label has more than 63 characters"
		case l[0] == '-' || l[len(l)-1] == '-':
			return "a label begins or ends with a hyphen"
		}
		for i := range len(l) {
			if c := l[i]; !isAlnum(c) && c != '-' && c != '_' {
				if c == '*' {
					return "a wildcard must be the whole leftmost label"
				}
				return fmt.Sprintf("the character %q is not allowed", c)
			}
		}
	}
	return ""
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
