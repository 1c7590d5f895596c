package pki

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The string types that names are written in, beside PrintableString.
const tagUTF8String = cbasn1.Tag(12)

// encodeName writes a distinguished name as crypto/x509 does: PrintableString
// where the characters allow it, else UTF8String (RFC 5280, Section 4.1.2.4).
//
//	Name                      ::= CHOICE { rdnSequence  SEQUENCE OF RelativeDistinguishedName }
//	RelativeDistinguishedName ::= SET SIZE (1..MAX) OF AttributeTypeAndValue
//	AttributeTypeAndValue     ::= SEQUENCE { type  OBJECT IDENTIFIER, value  ANY }
func encodeName(n pkix.Name) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, rdn := range n.ToRDNSequence() {
			addRDN(b, rdn)
		}
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, refuse("write it in UTF-8", "the subject cannot be written: %v", err)
	}
	return der, nil
}

func addRDN(b *cryptobyte.Builder, rdn []pkix.AttributeTypeAndValue) {
	encoded := make([][]byte, 0, len(rdn))
	for _, a := range rdn {
		der, err := encodeAttribute(a)
		if err != nil {
			b.SetError(err)
			return
		}
		encoded = append(encoded, der)
	}
	// X.690, 11.6: the members of a SET OF are sorted in DER.
	slices.SortFunc(encoded, bytes.Compare)
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
		for _, der := range encoded {
			b.AddBytes(der)
		}
	})
}

func encodeAttribute(a pkix.AttributeTypeAndValue) ([]byte, error) {
	value, ok := a.Value.(string)
	if !ok || !utf8.ValidString(value) {
		return asn1.Marshal(a)
	}
	tag := cbasn1.PrintableString
	if !isPrintableString(value) {
		tag = tagUTF8String
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(a.Type)
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
	})
	return b.Bytes()
}

// isPrintableString reports whether every character belongs to PrintableString
// (X.680, 41.4): letters, digits, space and '()+,-./:=?
func isPrintableString(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlnum(c) && (c < '\'' || c > '/' || c == '*') && c != ' ' && c != ':' && c != '=' && c != '?' {
			return false
		}
	}
	return true
}

// EncodeName writes a distinguished name in DER, as it stands in certificates that
// are issued here: for directory names among [NameConstraints], for instance.
func EncodeName(n pkix.Name) ([]byte, error) {
	if err := checkSubject(n); err != nil {
		return nil, err
	}
	return encodeName(n)
}
