package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxComparisons bounds names times constraints: 64 KiB of each would be millions.
// A comparison counts once for every [comparedAtOnce] bytes.
const (
	maxComparisons = 250_000
	comparedAtOnce = 32
)

// errComparisons is the refusal that this bound gives.
var errComparisons = &RefusedError{Reason: "the certificate has so many names, and the CAs above it so many name constraints, that they are not compared"}

// subjectNames are the names of a certificate that constraints apply to.
type subjectNames struct {
	dns, email, uri []string
	ip              []netip.Addr
	dir             [][]byte // the subject (unless it is empty) and the directoryName alternatives
	other           map[cbasn1.Tag]bool
}

// namesOf collects them. A certificate that was not parsed (a template) is read
// from its fields.
func namesOf(c *x509.Certificate) (subjectNames, error) {
	var n subjectNames
	subject, err := rawSubject(c)
	if err != nil {
		return n, err
	}
	name, err := parseDistinguishedName(subject)
	if err != nil {
		return n, err
	}
	if len(name) > 0 {
		n.dir = append(n.dir, subject)
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			return n, n.readAlternatives(e.Value)
		}
	}
	n.dns, n.email = c.DNSNames, c.EmailAddresses
	for _, u := range c.URIs {
		n.uri = append(n.uri, u.String())
	}
	for _, ip := range c.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			n.ip = append(n.ip, addr)
		}
	}
	if len(n.dns)+len(n.email)+len(n.uri)+len(n.ip) == 0 {
		// RFC 5280, Section 4.2.1.10: when the certificate does not include a subject
		// alternative name, the constraint MUST be applied to the attribute of type
		// emailAddress in the subject distinguished name.
		n.email = emailAttributes(name)
	}
	return n, nil
}

func rawSubject(c *x509.Certificate) ([]byte, error) {
	if len(c.RawSubject) > 0 {
		return c.RawSubject, nil
	}
	return asn1.Marshal(c.Subject.ToRDNSequence())
}

// emailAttributes returns the emailAddress attributes of a subject.
func emailAttributes(name distinguishedName) []string {
	var list []string
	for _, rdn := range name {
		for _, a := range rdn {
			if a.kind != "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01" { // 1.2.840.113549.1.9.1
				continue
			}
			element, value := cryptobyte.String(a.raw), cryptobyte.String(nil)
			var tag cbasn1.Tag
			if element.ReadAnyASN1(&value, &tag) {
				list = append(list, string(value))
			}
		}
	}
	return list
}

// readAlternatives reads the subject alternative names (RFC 5280, Section 4.2.1.6).
func (n *subjectNames) readAlternatives(ext []byte) error {
	in := cryptobyte.String(ext)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return errors.New("the subject alternative names are malformed")
	}
	for !list.Empty() {
		var value cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1(&value, &tag) {
			return errors.New("the subject alternative names are malformed")
		}
		switch tag {
		case generalTag(1):
			n.email = append(n.email, string(value))
		case generalTag(2):
			n.dns = append(n.dns, string(value))
		case generalTag(4):
			n.dir = append(n.dir, value)
		case generalTag(6):
			n.uri = append(n.uri, string(value))
		case generalTag(7):
			addr, ok := netip.AddrFromSlice(value)
			if !ok {
				return fmt.Errorf("the subject alternative names have an address of %d bytes", len(value))
			}
			n.ip = append(n.ip, addr)
		default:
			if n.other == nil {
				n.other = make(map[cbasn1.Tag]bool)
			}
			n.other[tag] = true
		}
	}
	return nil
}

// Check holds the names of one certificate below the constrained CA against the
// constraints: its subject alternative names and its subject. The error, a
// [*RefusedError], names the name and the constraint. A certificate that was not
// parsed (a template) is read from its fields.
func (n *NameConstraints) Check(c *x509.Certificate) error {
	names, err := namesOf(c)
	if err != nil {
		return refuse("", "%s", err.Error())
	}
	budget := maxComparisons
	return n.check(names, &budget)
}

func (n *NameConstraints) check(names subjectNames, budget *int) error {
	p, x := n.permitted(), n.excluded()
	for _, kind := range []struct {
		what                string
		names               []string
		permitted, excluded []string
		match               func(constraint, name string, permits bool) similarity
	}{
		{"DNS name", names.dns, *p.dns, *x.dns, matchDNS},
		{"e-mail address", names.email, *p.email, *x.email, matchEmail},
		{"URI", names.uri, *p.uri, *x.uri, matchURI},
	} {
		for _, name := range kind.names {
			if err := within(kind.what, Printable(name), name, kind.permitted, kind.excluded, kind.match, Printable, len(name), length, budget); err != nil {
				return err
			}
		}
	}
	for _, ip := range names.ip {
		if err := within("address", ip.String(), ip, *p.ip, *x.ip, matchIP, netip.Prefix.String, 0, func(netip.Prefix) int { return 0 }, budget); err != nil {
			return err
		}
	}
	for _, der := range names.dir {
		if err := within("directory name", nameOfDER(der), der, *p.dir, *x.dir, matchDirectory, nameOfDER, len(der), length, budget); err != nil {
			return err
		}
	}
	for _, list := range [][][]byte{*p.other, *x.other} {
		for _, general := range list {
			if tag := cbasn1.Tag(general[0]); names.other[tag] {
				return refuse("", "the certificate has a name of a kind (tag %d) whose constraints are not understood", tag&0x1f)
			}
		}
	}
	return nil
}

// within holds one name, of so many bytes, against the subtrees of its kind.
func within[N, C any](what, shown string, name N, permitted, excluded []C, match func(constraint C, name N, permits bool) similarity, show func(C) string, size int, sizeOf func(C) int, budget *int) error {
	for _, list := range [][]C{permitted, excluded} {
		for _, c := range list {
			if *budget -= 1 + (size+sizeOf(c))/comparedAtOnce; *budget < 0 {
				return errComparisons
			}
		}
	}
	for _, c := range excluded {
		switch match(c, name, false) {
		case equal:
			return refuse("", "the %s \"%s\" lies within the excluded \"%s\"", what, shown, show(c))
		case unsure:
			return refuse("", "the %s \"%s\" cannot be told apart from the excluded \"%s\"", what, shown, show(c))
		}
	}
	if len(permitted) == 0 {
		return nil
	}
	for _, c := range permitted {
		if match(c, name, true) == equal {
			return nil
		}
	}
	more := ""
	if len(permitted) > 1 {
		more = fmt.Sprintf(" or %d more", len(permitted)-1)
	}
	return refuse("", "the %s \"%s\" lies outside the permitted \"%s\"%s", what, shown, show(permitted[0]), more)
}

func length[T ~string | ~[]byte](v T) int { return len(v) }

func yes(match bool) similarity {
	if match {
		return equal
	}
	return different
}

// belowHost reports whether name lies in the tree of domain: for ".example.com"
// truly below, for "example.com" that host too if itself is set.
func belowHost(domain, name string, itself bool) bool {
	domain, name = strings.ToLower(domain), strings.ToLower(name)
	if strings.HasPrefix(domain, ".") {
		return strings.HasSuffix(name, domain) && len(name) > len(domain)
	}
	return name == domain || itself && strings.HasSuffix(name, "."+domain)
}

// matchDNS: any name that can be made by adding labels to the left satisfies the
// constraint (RFC 5280, Section 4.2.1.10). A wildcard stands for all its names: to
// be permitted, all must be, and it is excluded if any is.
func matchDNS(constraint, name string, permits bool) similarity {
	if constraint == "" {
		return equal
	}
	base, wildcard := strings.CutPrefix(name, "*.")
	if !validHost(base) {
		return unsure
	}
	if belowHost(constraint, name, true) {
		return equal
	}
	if _, parent, ok := strings.Cut(constraint, "."); wildcard && !permits && ok && strings.EqualFold(parent, base) && !strings.HasPrefix(constraint, ".") {
		return equal
	}
	return different
}

func matchEmail(constraint, name string, _ bool) similarity {
	local, host, ok := cutMailbox(name)
	if !ok || local == "" || !validHost(host) {
		return unsure
	}
	if l, h, ok := cutMailbox(constraint); ok {
		return yes(l == local && strings.EqualFold(h, host))
	}
	return yes(constraint == "" || belowHost(constraint, host, false))
}

// matchURI looks at the host alone. RFC 5280, Section 4.2.1.10: a URI without an
// authority, or whose host is no fully qualified domain name, MUST be rejected.
func matchURI(constraint, name string, _ bool) similarity {
	u, err := url.Parse(name)
	if err != nil || !validHost(u.Hostname()) {
		return unsure
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return unsure
	}
	return yes(constraint == "" || belowHost(constraint, u.Hostname(), false))
}

// matchIP looks at a mapped IPv4 address both ways.
func matchIP(p netip.Prefix, ip netip.Addr, _ bool) similarity {
	return yes(p.Contains(ip) || p.Contains(ip.Unmap()))
}

func matchDirectory(constraint, name []byte, _ bool) similarity {
	if bytes.Equal(constraint, name) {
		return equal
	}
	c, err := parseDistinguishedName(constraint)
	if err != nil {
		return unsure
	}
	n, err := parseDistinguishedName(name)
	if err != nil {
		return unsure
	}
	return n.begins(c)
}
