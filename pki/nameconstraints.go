package pki

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxSubtrees bounds how many subtrees one name constraints extension may list.
const maxSubtrees = 4096

// NameConstraints limit the names below a CA. A list that is empty limits
// nothing; a name is allowed if it lies within one of the permitted subtrees of its
// kind, or if its kind has none, and lies in no excluded one.
//
//	NameConstraints ::= SEQUENCE {
//	     permittedSubtrees       [0]     GeneralSubtrees OPTIONAL,
//	     excludedSubtrees        [1]     GeneralSubtrees OPTIONAL }
//
// RFC 5280, Section 4.2.1.10.
type NameConstraints struct {
	// DNS subtrees: "example.com" is that host and all below it, ".example.com" (not
	// in the RFC, but in use) only what is below, "" every name.
	PermittedDNS, ExcludedDNS []string
	PermittedIP, ExcludedIP   []netip.Prefix
	// E-mail subtrees: "a@example.com" is one mailbox, "example.com" every mailbox at
	// that host, ".example.com" every mailbox at hosts below it.
	PermittedEmail, ExcludedEmail []string
	// URI subtrees: "example.com" is that host, ".example.com" the hosts below it.
	PermittedURI, ExcludedURI []string
	// Directory names (DER of the Name, header included): all that begin with it.
	PermittedDirNames, ExcludedDirNames [][]byte
	// PermittedOther and ExcludedOther are subtrees of the kinds that are not
	// understood (otherName, x400Address, ediPartyName, registeredID), as the DER of
	// their GeneralName. A critical extension that has any is refused (see [Explain]).
	PermittedOther, ExcludedOther [][]byte
}

var errNameConstraints = errors.New("the name constraints are malformed")

// generalTag is the tag of a GeneralName by its number: 1 rfc822Name, 2 dNSName,
// 4 directoryName, 6 URI, 7 iPAddress (RFC 5280, Section 4.2.1.6).
func generalTag(n uint8) cbasn1.Tag {
	t := cbasn1.Tag(n).ContextSpecific()
	if n == 0 || n >= 3 && n <= 5 {
		return t.Constructed()
	}
	return t
}

// ParseNameConstraints reads the value of a name constraints extension. It refuses
// what RFC 5280, Section 4.2.1.10 does not allow: an empty list, a minimum or
// maximum, masks with holes, constraints that are no name.
func ParseNameConstraints(ext []byte) (*NameConstraints, error) {
	in := cryptobyte.String(ext)
	var seq, permitted, excluded cryptobyte.String
	var hasPermitted, hasExcluded bool
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadOptionalASN1(&permitted, &hasPermitted, cbasn1.Tag(0).Constructed().ContextSpecific()) ||
		!seq.ReadOptionalASN1(&excluded, &hasExcluded, cbasn1.Tag(1).Constructed().ContextSpecific()) || !seq.Empty() {
		return nil, errNameConstraints
	}
	if !hasPermitted && !hasExcluded || hasPermitted && permitted.Empty() || hasExcluded && excluded.Empty() {
		return nil, errors.New("the name constraints are empty")
	}
	n := new(NameConstraints)
	budget := maxSubtrees
	for _, list := range []struct {
		in cryptobyte.String
		to subtrees
	}{{permitted, n.permitted()}, {excluded, n.excluded()}} {
		for !list.in.Empty() {
			if budget--; budget < 0 {
				return nil, fmt.Errorf("the name constraints list more than %d subtrees", maxSubtrees)
			}
			if err := list.to.parse(&list.in); err != nil {
				return nil, err
			}
		}
	}
	return n, nil
}

// subtrees are one half of NameConstraints.
type subtrees struct {
	dns, email, uri *[]string
	ip              *[]netip.Prefix
	dir, other      *[][]byte
}

func (n *NameConstraints) permitted() subtrees {
	return subtrees{&n.PermittedDNS, &n.PermittedEmail, &n.PermittedURI, &n.PermittedIP, &n.PermittedDirNames, &n.PermittedOther}
}

func (n *NameConstraints) excluded() subtrees {
	return subtrees{&n.ExcludedDNS, &n.ExcludedEmail, &n.ExcludedURI, &n.ExcludedIP, &n.ExcludedDirNames, &n.ExcludedOther}
}

// parse reads one GeneralSubtree.
//
//	GeneralSubtree ::= SEQUENCE {
//	     base                    GeneralName,
//	     minimum         [0]     BaseDistance DEFAULT 0,
//	     maximum         [1]     BaseDistance OPTIONAL }
func (s subtrees) parse(in *cryptobyte.String) error {
	var tree, base, value cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadASN1(&tree, cbasn1.SEQUENCE) || !tree.ReadAnyASN1Element(&base, &tag) {
		return errNameConstraints
	}
	element := base
	if !base.ReadASN1(&value, tag) {
		return errNameConstraints
	}
	if err := readMinimum(tree); err != nil {
		return err
	}
	switch tag {
	case generalTag(1):
		return s.addText(s.email, "e-mail", string(value), checkEmailSubtree)
	case generalTag(2):
		return s.addText(s.dns, "DNS", string(value), checkDNSSubtree)
	case generalTag(6):
		return s.addText(s.uri, "URI", string(value), checkURISubtree)
	case generalTag(7):
		p, err := prefixOf(value)
		if err != nil {
			return err
		}
		*s.ip = append(*s.ip, p)
	case generalTag(4):
		if _, err := parseDistinguishedName(value); err != nil {
			return err
		}
		*s.dir = append(*s.dir, value)
	case generalTag(0), generalTag(3), generalTag(5), generalTag(8):
		*s.other = append(*s.other, element)
	default:
		return errNameConstraints
	}
	return nil
}

// readMinimum reads what follows the base. RFC 5280, Section 4.2.1.10: within this
// profile, the minimum MUST be zero, and maximum MUST be absent.
func readMinimum(tree cryptobyte.String) error {
	if tree.Empty() {
		return nil
	}
	var minimum cryptobyte.String
	if !tree.ReadASN1(&minimum, cbasn1.Tag(0).ContextSpecific()) || !tree.Empty() || len(minimum) != 1 || minimum[0] != 0 {
		return errors.New("the name constraints have a minimum or maximum distance")
	}
	return nil
}

func (s subtrees) addText(to *[]string, kind, text string, check func(string) bool) error {
	if !check(text) {
		return fmt.Errorf("the name constraints have the %s subtree %q, which is no name", kind, Printable(text))
	}
	*to = append(*to, text)
	return nil
}

// prefixOf reads an address and its mask (RFC 5280, Section 4.2.1.10: 8 or 32
// octets).
func prefixOf(v []byte) (netip.Prefix, error) {
	if len(v) != 8 && len(v) != 32 {
		return netip.Prefix{}, fmt.Errorf("the name constraints have an address range of %d bytes", len(v))
	}
	mask, bits, done := v[len(v)/2:], 0, false
	for _, b := range mask {
		for bit := 7; bit >= 0; bit-- {
			set := b>>bit&1 == 1
			if set && done {
				return netip.Prefix{}, errors.New("the name constraints have an address range whose mask has holes")
			}
			done = !set
			if set {
				bits++
			}
		}
	}
	addr, _ := netip.AddrFromSlice(v[:len(v)/2])
	return netip.PrefixFrom(addr, bits).Masked(), nil
}

func checkDNSSubtree(s string) bool {
	return s == "" || validHost(strings.TrimPrefix(s, "."))
}

func checkURISubtree(s string) bool {
	host := strings.TrimPrefix(s, ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return false // RFC 5280, Section 4.2.1.10: the constraint MUST be a fully qualified domain name
	}
	return s == "" || validHost(host)
}

func checkEmailSubtree(s string) bool {
	if local, host, ok := cutMailbox(s); ok {
		return local != "" && validHost(host)
	}
	return !strings.Contains(s, "@") && checkDNSSubtree(s)
}

// validHost reports whether s consists of one or more labels of the letters that
// names in certificates have.
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
				return false
			}
		}
	}
	return true
}

// cutMailbox splits an e-mail address at its last @, since a quoted local part may
// hold one.
func cutMailbox(s string) (local, host string, ok bool) {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// Marshal gives the value of the extension. Constraints that could not be read
// back are an error, and so is an empty list (RFC 5280, Section 4.2.1.10).
func (n *NameConstraints) Marshal() ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i, s := range []subtrees{n.permitted(), n.excluded()} {
			if s.count() > 0 {
				b.AddASN1(cbasn1.Tag(i).Constructed().ContextSpecific(), s.marshal)
			}
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("name constraints: %w", err)
	}
	if _, err := ParseNameConstraints(der); err != nil {
		return nil, err
	}
	return der, nil
}

func (s subtrees) count() int {
	return len(*s.dns) + len(*s.email) + len(*s.uri) + len(*s.ip) + len(*s.dir) + len(*s.other)
}

func (s subtrees) marshal(b *cryptobyte.Builder) {
	add := func(write func(b *cryptobyte.Builder)) { b.AddASN1(cbasn1.SEQUENCE, write) }
	value := func(n uint8, v []byte) {
		add(func(b *cryptobyte.Builder) {
			b.AddASN1(generalTag(n), func(b *cryptobyte.Builder) { b.AddBytes(v) })
		})
	}
	for _, v := range *s.dns {
		value(2, []byte(v))
	}
	for _, p := range *s.ip {
		value(7, append(p.Masked().Addr().AsSlice(), maskOf(p)...))
	}
	for _, v := range *s.email {
		value(1, []byte(v))
	}
	for _, v := range *s.uri {
		value(6, []byte(v))
	}
	for _, v := range *s.dir {
		value(4, v)
	}
	for _, v := range *s.other {
		add(func(b *cryptobyte.Builder) { b.AddBytes(v) })
	}
}

func maskOf(p netip.Prefix) []byte {
	mask := make([]byte, p.Addr().BitLen()/8)
	for i := range max(p.Bits(), 0) {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return mask
}
