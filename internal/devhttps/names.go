package devhttps

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/pki"
)

// domains are the names that belong to nobody: reserved for one's own machine and network (RFC 6761, RFC 6762, RFC 8375,
// and "internal", which ICANN has set aside).
func domains() []string { return []string{"localhost", "test", "internal", "local", "home.arpa"} }

// ranges are the addresses of one's own machine and network (RFC 1122, 1918, 3927, 4193, 4291).
func ranges() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range []string{
		"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
		"::1/128", "fc00::/7", "fe80::/10",
	} {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// Constraints are what the local root may certify: local names and addresses (RFC 5280, Section 4.2.1.10).
func Constraints() *pki.NameConstraints {
	return &pki.NameConstraints{PermittedDNS: domains(), PermittedIP: ranges()}
}

// NameError says why there can be no certificate for a name.
type NameError struct {
	Name   string
	Reason string
	Advice string
}

// Error implements error.
func (e *NameError) Error() string { return pki.Printable(e.Name) + ": " + e.Reason }

// Hint says what to take instead.
func (e *NameError) Hint() string { return e.Advice }

// CheckName refuses names and addresses that the local root may not certify; the error is a [*NameError].
func CheckName(name string) error {
	if addr, err := netip.ParseAddr(name); err == nil {
		if slices.ContainsFunc(ranges(), func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return nil
		}
		return &NameError{name, "the local root certifies addresses of this machine and of private networks only", "use a name below localhost"}
	}
	host := strings.TrimPrefix(name, "*.")
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || Label(l) != l {
			return &NameError{name, "this is no host name", "letters, digits and hyphens, such as app.localhost"}
		}
	}
	if !slices.ContainsFunc(domains(), func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) }) {
		e := &NameError{name, "the local root certifies names below " + strings.Join(domains(), ", ") + " only", "use " + labels[0] + ".localhost"}
		if last := labels[len(labels)-1]; last == "dev" || last == "app" {
			e.Reason += ", and ." + last + " is a domain of the Internet"
		}
		return e
	}
	if host != name && len(labels) < 2 {
		return &NameError{name, "clients take no wildcard for a whole top-level domain", "name the host: app." + host}
	}
	return nil
}

// maxLabel is how long a label may be (RFC 1035, Section 2.3.4).
const maxLabel = 63

// Label makes a label of a host name of any text: lower case, everything else than letters and digits a hyphen. "": nothing
// is left of it.
func Label(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && r == '-' || b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	out := b.String()
	return strings.Trim(out[:min(len(out), maxLabel)], "-")
}

// Names are what a certificate for an application of that name is for: localhost, the name below it and what is below that,
// the loopback addresses, and more. No program takes a wildcard for all of localhost.
func Names(app string, more ...string) ([]string, error) {
	names := []string{"localhost"}
	if app != "" {
		names = append(names, app+".localhost", "*."+app+".localhost")
	}
	for _, n := range append([]string{"127.0.0.1", "::1"}, more...) {
		n = strings.ToLower(n)
		if err := CheckName(n); err != nil {
			return nil, err
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names, nil
}

// describeRanges is for people who want to know what the root is good for.
func describeRanges() string {
	var texts []string
	for _, r := range ranges() {
		texts = append(texts, r.String())
	}
	return strings.Join(texts, ", ")
}

// Scope says in a few words what the local root may certify.
func Scope() string {
	return fmt.Sprintf("names below %s; addresses in %s", strings.Join(domains(), ", "), describeRanges())
}
