package scan

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// nameOf renders a Name, DER, for people.
func nameOf(raw []byte) string {
	var rdn pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &rdn); err == nil && len(rest) == 0 {
		var n pkix.Name
		n.FillFromRDNSequence(&rdn)
		return shortened(pki.Name(n), maxText)
	}
	attributes, err := cert.ParseName(raw)
	if err != nil && len(attributes) == 0 {
		return "unreadable name"
	}
	var parts []string
	for _, a := range slices.Backward(attributes) {
		parts = append(parts, a.Type+"="+a.Value)
	}
	return shortened(strings.Join(parts, ", "), maxText)
}

// serialOf writes a serial number, content octets of an INTEGER, in hexadecimal.
func serialOf(b []byte) string {
	if len(b) > 0 && b[0]&0x80 != 0 {
		// Two's complement: RFC 5280, Section 4.1.2.2 asks to be prepared for negative numbers.
		b = slices.Clone(b)
		carry := uint16(1)
		for i := range slices.Backward(b) {
			sum := uint16(^b[i]) + carry
			b[i], carry = byte(sum), sum>>8
		}
		return "-" + hex.EncodeToString(b[:min(len(b), 64)])
	}
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return hex.EncodeToString(b[:min(len(b), 64)])
}

// namesOf lists the names of a certificate for people.
func namesOf(n cert.AltNames) []string {
	var names []string
	add := func(s string) {
		if len(names) < maxNamesKept {
			names = append(names, shortened(s, maxText))
		}
	}
	for _, s := range n.DNS {
		add(s)
	}
	for _, a := range n.IPs {
		add(a.String())
	}
	for _, s := range n.URIs {
		add(s)
	}
	for _, s := range n.Emails {
		add(s)
	}
	return names
}

// matchesHost reports whether one of the names is for a host, a DNS name or an address (RFC 9525, Section 6). Common names
// do not count.
func matchesHost(names cert.AltNames, host string) bool {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return slices.Contains(names.IPs, a.WithZone("").Unmap())
	}
	host = canonicalHost(host)
	if host == "" {
		return false
	}
	return slices.ContainsFunc(names.DNS, func(pattern string) bool { return matchesPattern(pattern, host) })
}

// canonicalHost is a host name in lower case, in A-labels and without the final dot; "" if it cannot be one.
func canonicalHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for i := range len(host) {
		if host[i] >= 0x80 {
			ascii, err := idna.Lookup.ToASCII(host)
			if err != nil {
				return ""
			}
			return ascii
		}
	}
	return host
}

// matchesPattern compares one DNS name of a certificate with a host: a wildcard is a whole left-most label and stands for
// exactly one (RFC 9525, Section 6.3).
func matchesPattern(pattern, host string) bool {
	pattern = strings.ToLower(pattern)
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		first, above, cut := strings.Cut(host, ".")
		return cut && first != "" && above == rest && !strings.Contains(rest, "*")
	}
	return pattern == host && pattern != "" && !strings.Contains(pattern, "*")
}

// commonName gives the last common name of a subject, as older clients read it; "" if there is none.
func commonName(rawSubject []byte) string {
	attributes, _ := cert.ParseName(rawSubject)
	for _, a := range slices.Backward(attributes) {
		if a.Type == "2.5.4.3" {
			return a.Value
		}
	}
	return ""
}

// onlyCommonName reports whether no subject alternative name is for the host and the common name is.
func onlyCommonName(v *cert.Certificate, names cert.AltNames, host string) bool {
	if matchesHost(names, host) {
		return false
	}
	cn := commonName(v.RawSubject)
	if a, err := netip.ParseAddr(host); err == nil {
		b, err := netip.ParseAddr(cn)
		return err == nil && a.Unmap() == b.Unmap()
	}
	host = canonicalHost(host)
	return host != "" && cn != "" && matchesPattern(cn, host)
}

// suggestion picks the name of a certificate that the user may have meant: the same with or without "www.", the one with the
// longest common end, else the first. "" if there is none.
func suggestion(names cert.AltNames, host string) string {
	host = canonicalHost(host)
	best, most := "", -1
	for _, n := range names.DNS[:min(len(names.DNS), maxNamesKept)] {
		n = strings.ToLower(n)
		points := 0
		switch {
		case n == "www."+host, "www."+n == host:
			points = 1000
		default:
			points = 2 * commonLabels(n, host)
			if strings.HasPrefix(n, "*.") {
				points-- // a name that can be typed is the better advice
			}
		}
		if points > most {
			best, most = n, points
		}
	}
	if best == "" && len(names.IPs) > 0 {
		return names.IPs[0].String()
	}
	return shortened(best, maxText)
}

// commonLabels counts the labels that two names share from the right.
func commonLabels(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	n := 0
	for n < len(x) && n < len(y) && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return n
}
