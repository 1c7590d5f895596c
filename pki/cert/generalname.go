package cert

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// NameKind is the kind of a GeneralName: its context tag.
type NameKind uint8

// The kinds of RFC 5280, Section 4.2.1.6.
const (
	NameOther NameKind = iota
	NameEmail
	NameDNS
	NameX400
	NameDirectory
	NameEDIParty
	NameURI
	NameIP
	NameRegisteredID
)

// String is a word for people: "DNS", "IP", "e-mail".
func (k NameKind) String() string {
	words := []string{"other name", "e-mail", "DNS", "X.400", "directory", "EDI party", "URI", "IP", "registered id"}
	if int(k) < len(words) {
		return words[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// GeneralName is one name of any kind, as it stands.
type GeneralName struct {
	Kind NameKind
	// Text is the peer's: pass it through pki.Printable before showing it. IP is an
	// address, or in name constraints a network as 10.0.0.0/8 (with a mask that is
	// none: address and mask with a slash between). Directory has no text: see Raw.
	// Of the kinds without a form in text it is hex.
	Text string
	Raw  []byte // content octets; for NameDirectory the Name with its header
}

// readGeneralNames reads a list of names without its header.
//
//	GeneralName ::= CHOICE { otherName [0], rfc822Name [1] IA5String, dNSName [2] IA5String,
//	     x400Address [3], directoryName [4] Name, ediPartyName [5],
//	     uniformResourceIdentifier [6] IA5String, iPAddress [7] OCTET STRING, registeredID [8] OBJECT IDENTIFIER }
//
// RFC 5280, Section 4.2.1.6.
func readGeneralNames(list cryptobyte.String) ([]GeneralName, bool) {
	var names []GeneralName
	for !list.Empty() {
		n, ok := readGeneralName(&list)
		if !ok {
			return names, false
		}
		names = append(names, n)
	}
	return names, true
}

func readGeneralName(s *cryptobyte.String) (n GeneralName, ok bool) {
	var v cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&v, &tag) || tag&0xc0 != 0x80 {
		return n, false
	}
	n.Kind, n.Raw = NameKind(tag&0x1f), v
	switch n.Kind {
	case NameEmail, NameDNS, NameURI:
		n.Text = string(v)
	case NameIP:
		n.Text = ipText(v)
	case NameRegisteredID:
		n.Text = dotted(v)
	case NameDirectory:
	default:
		n.Text = hex.EncodeToString(v)
	}
	return n, true
}

// ipText writes an address, or an address with its mask (RFC 5280, Section 4.2.1.10).
func ipText(b []byte) string {
	if addr, ok := netip.AddrFromSlice(b); ok {
		return addr.String()
	}
	if len(b) == 8 || len(b) == 32 {
		half := len(b) / 2
		addr, _ := netip.AddrFromSlice(b[:half])
		mask, _ := netip.AddrFromSlice(b[half:])
		if bits, ok := maskBits(b[half:]); ok {
			return fmt.Sprintf("%v/%d", addr, bits)
		}
		return addr.String() + "/" + mask.String()
	}
	return hex.EncodeToString(b)
}

func maskBits(mask []byte) (bits int, ok bool) {
	for _, m := range mask {
		for i := 7; i >= 0; i-- {
			set := m>>i&1 == 1
			if set && !ok {
				bits++
			} else if set {
				return 0, false // a one after a zero
			} else {
				ok = true
			}
		}
	}
	return bits, true
}

// dotted writes the content octets of an OBJECT IDENTIFIER; arcs may have any size. What is none is hex.
func dotted(b []byte) string {
	if len(b) == 0 || len(b) > 128 || b[len(b)-1]&0x80 != 0 {
		return hex.EncodeToString(b)
	}
	var parts []string
	arc := new(big.Int)
	for _, c := range b {
		arc.Lsh(arc, 7).Or(arc, big.NewInt(int64(c&0x7f)))
		if c&0x80 != 0 {
			continue
		}
		if len(parts) == 0 {
			first := min(arc.Int64(), 80) / 40
			if !arc.IsInt64() {
				first = 2
			}
			parts = append(parts, big.NewInt(first).String())
			arc.Sub(arc, big.NewInt(first*40))
		}
		parts = append(parts, arc.String())
		arc = new(big.Int)
	}
	return strings.Join(parts, ".")
}

// ID is the dotted identifier of an extension, whatever the size of its arcs.
func (e Extension) ID() string { return dotted(e.RawOID) }

// Attribute is one attribute of a distinguished name.
type Attribute struct {
	Type  string // dotted
	Value string // the peer's text; hex with "#" in front where it is no string
	Multi bool   // belongs to one set with the attribute before it
}

// maxAttributes bounds the parts of one name.
const maxAttributes = 512

// ParseName reads a Name, DER with its header, and takes every kind of string (RFC 5280, Section 4.1.2.4), also those whose
// characters break its rules.
func ParseName(der []byte) ([]Attribute, error) {
	in := cryptobyte.String(der)
	var sets cryptobyte.String
	if !in.ReadASN1(&sets, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("name")
	}
	var list []Attribute
	for !sets.Empty() {
		var set cryptobyte.String
		if !sets.ReadASN1(&set, cbasn1.SET) {
			return list, malformed("name")
		}
		for first := true; !set.Empty(); first = false {
			var a, oid, value cryptobyte.String
			var tag cbasn1.Tag
			if !set.ReadASN1(&a, cbasn1.SEQUENCE) || !a.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) || !a.ReadAnyASN1(&value, &tag) || len(list) == maxAttributes {
				return list, malformed("name")
			}
			list = append(list, Attribute{Type: dotted(oid), Value: stringValue(tag, value), Multi: !first})
		}
	}
	return list, nil
}

// The string types that ASN.1 has beside those that cryptobyte names.
const (
	tagBMPString       cbasn1.Tag = 30
	tagUniversalString cbasn1.Tag = 28
	tagVisibleString   cbasn1.Tag = 26
	tagNumericString   cbasn1.Tag = 18
)

func stringValue(tag cbasn1.Tag, b []byte) string {
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String, tagNumericString, tagVisibleString:
		return string(b)
	case cbasn1.T61String: // in practice Latin-1
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r)
	case tagBMPString:
		if len(b)%2 == 0 {
			units := make([]uint16, 0, len(b)/2)
			for i := 0; i < len(b); i += 2 {
				units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
			}
			return string(utf16.Decode(units))
		}
	case tagUniversalString:
		if len(b)%4 == 0 {
			r := make([]rune, 0, len(b)/4)
			for i := 0; i < len(b); i += 4 {
				r = append(r, rune(b[i])<<24|rune(b[i+1])<<16|rune(b[i+2])<<8|rune(b[i+3]))
			}
			return string(r)
		}
	}
	return "#" + hex.EncodeToString(b)
}
