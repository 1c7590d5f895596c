package lint

import (
	"math/bits"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// octets opens a value that is one OCTET STRING and nothing else.
func octets(value []byte) ([]byte, bool) {
	in := cryptobyte.String(value)
	var s cryptobyte.String
	ok := in.ReadASN1(&s, cbasn1.OCTET_STRING) && in.Empty()
	return s, ok
}

// authorityKeyID is the extension of RFC 5280, Section 4.2.1.1.
type authorityKeyID struct {
	hasKey, hasName, hasSerial bool
	key                        []byte
}

func readAuthorityKeyID(value []byte) (a authorityKeyID, ok bool) {
	s, ok := sequence(value)
	var key, name, serial cryptobyte.String
	ok = ok && s.ReadOptionalASN1(&key, &a.hasKey, cbasn1.Tag(0).ContextSpecific()) &&
		s.ReadOptionalASN1(&name, &a.hasName, cbasn1.Tag(1).ContextSpecific().Constructed()) &&
		s.ReadOptionalASN1(&serial, &a.hasSerial, cbasn1.Tag(2).ContextSpecific()) && s.Empty()
	a.key = key
	return a, ok
}

// usageDER writes key usage as DER has it.
func usageDER(u uint16) []byte {
	octets := []byte{bits.Reverse8(byte(u)), bits.Reverse8(byte(u >> 8))}
	if octets[1] == 0 {
		octets = octets[:1]
	}
	unused := bits.TrailingZeros8(octets[len(octets)-1])
	return append([]byte{3, byte(len(octets) + 1), byte(unused)}, octets...)
}

// purposesDER writes extended key usage.
func purposesDER(list []string) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, p := range list {
			b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(p)) })
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil
	}
	return der
}

// readPoints reads the URLs of CRL distribution points
// (RFC 5280, Section 4.2.1.13); ok is false where one says neither where nor who.
func readPoints(value []byte) (urls []string, ok bool) {
	s, ok := sequence(value)
	if !ok || s.Empty() {
		return nil, false
	}
	for !s.Empty() {
		var point, name, full, reasons, who cryptobyte.String
		var hasName, hasReasons, hasIssuer, isFull bool
		if !s.ReadASN1(&point, cbasn1.SEQUENCE) ||
			!point.ReadOptionalASN1(&name, &hasName, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
			!point.ReadOptionalASN1(&reasons, &hasReasons, cbasn1.Tag(1).ContextSpecific()) ||
			!point.ReadOptionalASN1(&who, &hasIssuer, cbasn1.Tag(2).ContextSpecific().Constructed()) || !point.Empty() ||
			!hasName && !hasIssuer || !name.ReadOptionalASN1(&full, &isFull, cbasn1.Tag(0).ContextSpecific().Constructed()) {
			return urls, false
		}
		for !full.Empty() {
			var v cryptobyte.String
			var tag cbasn1.Tag
			if !full.ReadAnyASN1(&v, &tag) {
				return urls, false
			}
			if tag == nameURI {
				urls = append(urls, string(v))
			}
		}
	}
	return urls, true
}

// access is one entry of authority information access.
type access struct{ method, url string }

// readAccess reads the entries that are URLs (RFC 5280, Section 4.2.2.1).
func readAccess(value []byte) (list []access, ok bool) {
	s, ok := sequence(value)
	if !ok || s.Empty() {
		return nil, false
	}
	for !s.Empty() {
		var entry, method, where cryptobyte.String
		var tag cbasn1.Tag
		if !s.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1(&method, cbasn1.OBJECT_IDENTIFIER) || !entry.ReadAnyASN1(&where, &tag) || !entry.Empty() {
			return list, false
		}
		if tag == nameURI {
			list = append(list, access{string(method), string(where)})
		}
	}
	return list, true
}
