package crl

import (
	"encoding/asn1"
	"fmt"
	"math/bits"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxNames bounds the names of one distribution point, maxPoints the points of one certificate.
const (
	maxNames  = 256
	maxPoints = 64
)

// DistributionPoint says which certificates a list covers (RFC 5280, Section 5.2.5). At most one of OnlyUser, OnlyCA and
// OnlyAttribute is set.
//
//	IssuingDistributionPoint ::= SEQUENCE {
//	     distributionPoint          [0] DistributionPointName OPTIONAL,
//	     onlyContainsUserCerts      [1] BOOLEAN DEFAULT FALSE,
//	     onlyContainsCACerts        [2] BOOLEAN DEFAULT FALSE,
//	     onlySomeReasons            [3] ReasonFlags OPTIONAL,
//	     indirectCRL                [4] BOOLEAN DEFAULT FALSE,
//	     onlyContainsAttributeCerts [5] BOOLEAN DEFAULT FALSE }
type DistributionPoint struct {
	URIs         []string // the names that are URIs; they are a peer's
	FullNames    [][]byte // the other names, each a whole GeneralName, DER
	RelativeName []byte   // instead of names: the last part of the name of a directory entry, content octets of the RDN's SET

	OnlyUser      bool // end entity certificates only
	OnlyCA        bool // CA certificates only
	OnlyAttribute bool // attribute certificates only
	Indirect      bool // certificates of other issuers may be listed

	OnlySomeReasons ReasonSet // empty: all
}

// Point is one distribution point of a certificate: where its CRL is and who signs it.
//
//	DistributionPoint ::= SEQUENCE {
//	     distributionPoint       [0]     DistributionPointName OPTIONAL,
//	     reasons                 [1]     ReasonFlags OPTIONAL,
//	     cRLIssuer               [2]     GeneralNames OPTIONAL }
//
// RFC 5280, Section 4.2.1.13.
type Point struct {
	URIs         []string // the names that are URIs; they are a peer's
	FullNames    [][]byte // the other names, each a whole GeneralName, DER
	RelativeName []byte   // instead of names: the last part of the name of a directory entry, content octets of the RDN's SET

	Reasons ReasonSet // empty: all
	// Issuers are the directory names of who signs the list, each a Name, DER; none: the certificate's issuer. HasIssuer is
	// set also where they are names of other kinds.
	Issuers   [][]byte
	HasIssuer bool
}

// Named reports whether the point has names of any form.
func (p *Point) Named() bool {
	return len(p.URIs)+len(p.FullNames) > 0 || p.RelativeName != nil
}

// Named reports whether the point has names of any form.
func (p *DistributionPoint) Named() bool {
	return len(p.URIs)+len(p.FullNames) > 0 || p.RelativeName != nil
}

// ParsePoints reads the value of a certificate's extension cRLDistributionPoints or freshestCRL. The error is a
// [*ParseError].
func ParsePoints(value []byte) ([]Point, error) {
	const field = "cRLDistributionPoints"
	in := cryptobyte.String(value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() || list.Empty() {
		return nil, malformed(field)
	}
	var points []Point
	for i := 0; !list.Empty(); i++ {
		var s, reasons, issuers cryptobyte.String
		var p Point
		var hasReasons bool
		var names pointName
		if i == maxPoints || !list.ReadASN1(&s, cbasn1.SEQUENCE) || !names.read(&s) ||
			!s.ReadOptionalASN1(&reasons, &hasReasons, context(1)) || !s.ReadOptionalASN1(&issuers, &p.HasIssuer, contextConstructed(2)) || !s.Empty() {
			return nil, malformed(fmt.Sprintf("%s[%d]", field, i))
		}
		p.URIs, p.FullNames, p.RelativeName = names.uris, names.full, names.relative
		var ok bool
		if hasReasons {
			if p.Reasons, ok = readReasons(reasons); !ok {
				return nil, malformed(fmt.Sprintf("%s[%d].reasons", field, i))
			}
		}
		if p.HasIssuer {
			if p.Issuers, ok = readDirectoryNames(issuers); !ok {
				return nil, malformed(fmt.Sprintf("%s[%d].cRLIssuer", field, i))
			}
		}
		points = append(points, p)
	}
	return points, nil
}

func parseIDP(value cryptobyte.String) (*DistributionPoint, error) {
	const field = "issuingDistributionPoint"
	var s, reasons cryptobyte.String
	var p DistributionPoint
	var names pointName
	var hasReasons bool
	if !value.ReadASN1(&s, cbasn1.SEQUENCE) || !value.Empty() || !names.read(&s) ||
		!readBool(&s, context(1), &p.OnlyUser) || !readBool(&s, context(2), &p.OnlyCA) ||
		!s.ReadOptionalASN1(&reasons, &hasReasons, context(3)) ||
		!readBool(&s, context(4), &p.Indirect) || !readBool(&s, context(5), &p.OnlyAttribute) || !s.Empty() {
		return nil, malformed(field)
	}
	p.URIs, p.FullNames, p.RelativeName = names.uris, names.full, names.relative
	if hasReasons {
		var ok bool
		if p.OnlySomeReasons, ok = readReasons(reasons); !ok {
			return nil, malformed(field + ".onlySomeReasons")
		}
	}
	if err := p.check(); err != nil {
		return nil, &ParseError{field, err.Error()}
	}
	return &p, nil
}

// pointName is a DistributionPointName.
//
//	DistributionPointName ::= CHOICE {
//	     fullName                [0]     GeneralNames,
//	     nameRelativeToCRLIssuer [1]     RelativeDistinguishedName }
type pointName struct {
	uris     []string
	full     [][]byte
	relative []byte
}

// read takes an optional distributionPoint [0] off s.
func (n *pointName) read(s *cryptobyte.String) bool {
	var choice, content cryptobyte.String
	var present bool
	var tag cbasn1.Tag
	if !s.ReadOptionalASN1(&choice, &present, contextConstructed(0)) {
		return false
	}
	if !present {
		return true
	}
	if !choice.ReadAnyASN1(&content, &tag) || !choice.Empty() || content.Empty() {
		return false
	}
	switch tag {
	case contextConstructed(0):
		return n.readFull(content)
	case contextConstructed(1):
		n.relative = content
		return true
	}
	return false
}

func (n *pointName) readFull(list cryptobyte.String) bool {
	for i := 0; !list.Empty(); i++ {
		var element, content cryptobyte.String
		var tag cbasn1.Tag
		if i == maxNames || !list.ReadAnyASN1Element(&element, &tag) {
			return false
		}
		if tag != context(uriName) {
			n.full = append(n.full, element)
			continue
		}
		if !element.ReadASN1(&content, tag) {
			return false
		}
		n.uris = append(n.uris, string(content))
	}
	return true
}

// Kinds of a GeneralName (RFC 5280, Section 4.2.1.6).
const (
	directoryName = 4
	uriName       = 6
)

// readDirectoryNames reads GeneralNames without their header and keeps the directory names, each as a Name.
func readDirectoryNames(list cryptobyte.String) (names [][]byte, ok bool) {
	if list.Empty() {
		return nil, false
	}
	for i := 0; !list.Empty(); i++ {
		var content cryptobyte.String
		var tag cbasn1.Tag
		if i == maxNames || !list.ReadAnyASN1(&content, &tag) {
			return nil, false
		}
		if tag == contextConstructed(directoryName) {
			var name cryptobyte.String
			if !content.ReadASN1Element(&name, cbasn1.SEQUENCE) || !content.Empty() {
				return nil, false
			}
			names = append(names, name)
		}
	}
	return names, true
}

// DirectoryName gives the Name within a GeneralName (DER) that is a directory name; ok is false for other kinds.
func DirectoryName(general []byte) (name []byte, ok bool) {
	in := cryptobyte.String(general)
	var content, n cryptobyte.String
	if !in.ReadASN1(&content, contextConstructed(directoryName)) || !in.Empty() || !content.ReadASN1Element(&n, cbasn1.SEQUENCE) || !content.Empty() {
		return nil, false
	}
	return n, true
}

// readReasons reads the content of a BIT STRING. An empty set covers nothing and is refused: absent means all.
func readReasons(content cryptobyte.String) (ReasonSet, bool) {
	element := appendElement(nil, byte(cbasn1.BIT_STRING), content)
	var b asn1.BitString
	in := cryptobyte.String(element)
	if !in.ReadASN1BitString(&b) {
		return 0, false
	}
	var s ReasonSet
	for i := range min(b.BitLength, flagBits) {
		if b.At(i) == 1 {
			s |= 1 << i
		}
	}
	s &= AllReasons
	return s, s != 0
}

// appendReasons writes ReasonFlags under an implicit tag: a named bit list has no zeros at its end in DER.
func appendReasons(dst []byte, tag byte, s ReasonSet) []byte {
	s &= AllReasons
	last := bits.Len16(uint16(s)) - 1
	octets := make([]byte, 1+last/8+1)
	octets[0] = byte(7 - last%8)
	for i := range flagBits {
		if s&(1<<i) != 0 {
			octets[1+i/8] |= 0x80 >> (i % 8)
		}
	}
	return appendElement(dst, tag, octets)
}

// append writes the value of the extension.
func (p *DistributionPoint) append(dst []byte) []byte {
	var body []byte
	if p.RelativeName != nil {
		body = appendElement(body, 0xa0, appendElement(nil, 0xa1, p.RelativeName))
	} else if p.Named() {
		var names []byte
		for _, u := range p.URIs {
			names = appendElement(names, 0x80|uriName, []byte(u))
		}
		for _, n := range p.FullNames {
			names = append(names, n...)
		}
		body = appendElement(body, 0xa0, appendElement(nil, 0xa0, names))
	}
	flag := func(tag byte, set bool) {
		if set {
			body = append(body, tag, 1, 0xff)
		}
	}
	flag(0x81, p.OnlyUser)
	flag(0x82, p.OnlyCA)
	if p.OnlySomeReasons != 0 {
		body = appendReasons(body, 0x83, p.OnlySomeReasons)
	}
	flag(0x84, p.Indirect)
	flag(0x85, p.OnlyAttribute)
	return appendElement(dst, tagSequence, body)
}

// check says what no list may claim about itself.
func (p *DistributionPoint) check() error {
	only := 0
	for _, set := range [...]bool{p.OnlyUser, p.OnlyCA, p.OnlyAttribute} {
		if set {
			only++
		}
	}
	empty := !p.Named() && only == 0 && !p.Indirect && p.OnlySomeReasons == 0
	switch {
	case only > 1:
		return fmt.Errorf("a CRL cannot be only for two kinds of certificates at once")
	case empty:
		// RFC 5280, Section 5.2.5: CRL issuers MUST NOT issue CRLs where the DER encoding of the issuing distribution point
		// extension is an empty sequence.
		return fmt.Errorf("an issuing distribution point that says nothing must be left out")
	case p.RelativeName != nil && len(p.URIs)+len(p.FullNames) > 0:
		return fmt.Errorf("an issuing distribution point has full names or a relative one, not both")
	case p.OnlySomeReasons&^AllReasons != 0:
		return fmt.Errorf("an issuing distribution point has reasons that there are not")
	}
	return nil
}
