package ocsp

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Tags that are written.
const (
	tagInteger         = 0x02
	tagBitString       = 0x03
	tagOctetString     = 0x04
	tagOID             = 0x06
	tagGeneralizedTime = 0x18
	tagSequence        = 0x30
	tagContext         = 0x80
	tagExplicit        = 0xa0
)

func context(n uint8) cbasn1.Tag  { return cbasn1.Tag(n).ContextSpecific() }
func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// ParseError says which field of a request or response could not be read.
type ParseError struct {
	Field  string // in the words of RFC 6960: "tbsResponseData.producedAt"
	Reason string
}

// Error implements error.
func (e *ParseError) Error() string { return fmt.Sprintf("OCSP: %s: %s", e.Field, e.Reason) }

func malformed(field string) error { return &ParseError{Field: field, Reason: "malformed"} }

// appendElement writes one DER element with a tag of one octet.
func appendElement(dst []byte, tag byte, content ...[]byte) []byte {
	length := 0
	for _, c := range content {
		length += len(c)
	}
	switch {
	case length < 0x80:
		dst = append(dst, tag, byte(length))
	case length < 0x100:
		dst = append(dst, tag, 0x81, byte(length))
	case length < 0x10000:
		dst = append(dst, tag, 0x82, byte(length>>8), byte(length))
	default:
		dst = append(dst, tag, 0x83, byte(length>>16), byte(length>>8), byte(length))
	}
	for _, c := range content {
		dst = append(dst, c...)
	}
	return dst
}

// wrap puts a header in front of everything that dst has from start on.
func wrap(dst []byte, start int, tag byte) []byte {
	length := len(dst) - start
	var buffer [5]byte
	header := buffer[:0]
	switch {
	case length < 0x80:
		header = append(header, tag, byte(length))
	case length < 0x100:
		header = append(header, tag, 0x81, byte(length))
	case length < 0x10000:
		header = append(header, tag, 0x82, byte(length>>8), byte(length))
	default:
		header = append(header, tag, 0x83, byte(length>>16), byte(length>>8), byte(length))
	}
	dst = append(dst, header...)
	copy(dst[start+len(header):], dst[start:start+length])
	copy(dst[start:], header)
	return dst
}

// appendTime writes a GeneralizedTime. The caller has checked the year.
func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(append(dst, tagGeneralizedTime, 15), "20060102150405Z")
}

func yearFits(t time.Time) bool { y := t.UTC().Year(); return y >= 1 && y <= 9999 }

// integer makes the content octets of an INTEGER from an unsigned number.
func integer(n []byte) []byte {
	n = bytes.TrimLeft(n, "\x00")
	if len(n) == 0 || n[0] >= 0x80 {
		return append([]byte{0}, n...)
	}
	return n
}

// maxExtensions bounds every list of extensions.
const maxExtensions = 32

// The extensions of RFC 6960, Section 4.4 that are understood, as the content octets of their identifiers.
const (
	idNonce   = "\x2b\x06\x01\x05\x05\x07\x30\x01\x02"
	idNoCheck = "1.3.6.1.5.5.7.48.1.5"
	idSCTs    = "\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x05" // RFC 6962, Section 3.3
	idBasic   = "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
)

// extension is one extension as it stands.
type extension struct {
	id       []byte
	critical bool
	value    cryptobyte.String
}

// readExtensions reads Extensions, header included.
func readExtensions(in cryptobyte.String, field string) ([]extension, error) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed(field)
	}
	var all []extension
	for !list.Empty() {
		var s, id cryptobyte.String
		var e extension
		if len(all) == maxExtensions || !list.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) ||
			s.PeekASN1Tag(cbasn1.BOOLEAN) && !s.ReadASN1Boolean(&e.critical) || !s.ReadASN1(&e.value, cbasn1.OCTET_STRING) || !s.Empty() {
			return nil, malformed(fmt.Sprintf("%s[%d]", field, len(all)))
		}
		for _, other := range all {
			if bytes.Equal(other.id, id) {
				return nil, &ParseError{fmt.Sprintf("%s[%d]", field, len(all)), "an extension that appears twice"}
			}
		}
		e.id = id
		all = append(all, e)
	}
	return all, nil
}

// MaxNonce is the longest nonce in octets (RFC 9654, Section 2.1).
const MaxNonce = 128

// readNonce reads the value of the nonce extension.
func readNonce(value cryptobyte.String) ([]byte, error) {
	var nonce cryptobyte.String
	// RFC 9654, Section 2.1: the Nonce is an OCTET STRING of 1 to 128 octets.
	if !value.ReadASN1(&nonce, cbasn1.OCTET_STRING) || !value.Empty() || len(nonce) == 0 || len(nonce) > MaxNonce {
		return nil, malformed("nonce")
	}
	return nonce, nil
}

// appendNonce writes Extensions with a nonce and nothing else.
func appendNonce(dst []byte, nonce []byte) []byte {
	value := appendElement(make([]byte, 0, len(nonce)+3), tagOctetString, nonce)
	var buffer [MaxNonce + 24]byte
	x := appendElement(buffer[:0], tagOID, []byte(idNonce))
	x = appendElement(x, tagOctetString, value)
	return appendElement(dst, tagSequence, appendElement(nil, tagSequence, x))
}
