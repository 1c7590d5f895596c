package ct

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// Bounds on what is read.
const (
	maxList = 1 << 16 // bytes: what its length field can say
	maxSCTs = 64      // in one list; the policies ask for five at most
)

// Source says where a timestamp came from, and with that what it is about.
type Source uint8

// The sources (RFC 6962, Section 3.3).
const (
	Embedded  Source = iota // in the certificate: it is about the precertificate
	Extension               // in the TLS extension signed_certificate_timestamp
	Staple                  // in an OCSP response
)

// String names the source.
func (s Source) String() string {
	switch s {
	case Embedded:
		return "embedded"
	case Extension:
		return "TLS extension"
	case Staple:
		return "OCSP response"
	}
	return "unknown"
}

// SCT is a signed certificate timestamp (RFC 6962, Section 3.2).
type SCT struct {
	Version    uint8    // 0 is version 1; of others only Raw is known
	LogID      [32]byte // SHA-256 of the log's public key
	Timestamp  uint64   // milliseconds since 1970, leap seconds not counted
	Extensions []byte   // of version 1, without their length; logs of the tiled kind put the index there
	// Hash and Algorithm are those of RFC 5246, Section 7.4.1.4.1: 4 is SHA-256, 1 RSA and
	// 3 ECDSA.
	Hash, Algorithm uint8
	Signature       []byte
	Source          Source
	Raw             []byte // as it was read
}

// Time is the timestamp as a time; one beyond all calendars is the zero time.
func (s SCT) Time() time.Time {
	const year9999 = 253_402_300_800_000
	if s.Timestamp >= year9999 {
		return time.Time{}
	}
	return time.UnixMilli(int64(s.Timestamp)).UTC()
}

var errShape = errors.New("not the structure of a signed certificate timestamp")

// ParseSCT reads one timestamp (RFC 6962, Section 3.2). Of versions other than 1 it
// keeps the bytes alone.
func ParseSCT(data []byte) (SCT, error) {
	s := SCT{Raw: data}
	in := cryptobyte.String(data)
	if !in.ReadUint8(&s.Version) {
		return SCT{}, errShape
	}
	if s.Version != 0 {
		// RFC 6962, Section 3.3: clients step over versions that they do not know.
		return s, nil
	}
	var id, extensions, signature cryptobyte.String
	if !in.ReadBytes((*[]byte)(&id), len(s.LogID)) || !in.ReadUint64(&s.Timestamp) || !in.ReadUint16LengthPrefixed(&extensions) ||
		!in.ReadUint8(&s.Hash) || !in.ReadUint8(&s.Algorithm) || !in.ReadUint16LengthPrefixed(&signature) || !in.Empty() {
		return SCT{}, errShape
	}
	copy(s.LogID[:], id)
	s.Extensions, s.Signature = extensions, signature
	return s, nil
}

// Append appends the timestamp to b in its encoding.
func (s SCT) Append(b []byte) ([]byte, error) {
	if s.Version != 0 {
		return append(b, s.Raw...), nil
	}
	out := cryptobyte.NewBuilder(b)
	out.AddUint8(0)
	out.AddBytes(s.LogID[:])
	out.AddUint64(s.Timestamp)
	out.AddUint16LengthPrefixed(func(out *cryptobyte.Builder) { out.AddBytes(s.Extensions) })
	out.AddUint8(s.Hash)
	out.AddUint8(s.Algorithm)
	out.AddUint16LengthPrefixed(func(out *cryptobyte.Builder) { out.AddBytes(s.Signature) })
	return out.Bytes()
}

// ParseList reads a SignedCertificateTimestampList (RFC 6962, Section 3.3) of at
// most 64 timestamps, as the TLS extension carries it.
func ParseList(data []byte, source Source) ([]SCT, error) {
	in, list := cryptobyte.String(data), cryptobyte.String(nil)
	if len(data) > maxList+1 || !in.ReadUint16LengthPrefixed(&list) || !in.Empty() || list.Empty() {
		return nil, errShape
	}
	var all []SCT
	for !list.Empty() {
		if len(all) == maxSCTs {
			return nil, fmt.Errorf("more than %d signed certificate timestamps", maxSCTs)
		}
		var one cryptobyte.String
		if !list.ReadUint16LengthPrefixed(&one) || one.Empty() {
			return nil, errShape
		}
		s, err := ParseSCT(one)
		if err != nil {
			return nil, err
		}
		s.Source = source
		all = append(all, s)
	}
	return all, nil
}

// AppendList appends a SignedCertificateTimestampList to b.
func AppendList(b []byte, list []SCT) ([]byte, error) {
	if len(list) == 0 || len(list) > maxSCTs {
		return nil, fmt.Errorf("a list of %d signed certificate timestamps, not 1 to %d", len(list), maxSCTs)
	}
	out := cryptobyte.NewBuilder(b)
	var failed error
	out.AddUint16LengthPrefixed(func(out *cryptobyte.Builder) {
		for _, s := range list {
			one, err := s.Append(nil)
			if err != nil {
				failed = err
				return
			}
			out.AddUint16LengthPrefixed(func(out *cryptobyte.Builder) { out.AddBytes(one) })
		}
	})
	if failed != nil {
		return nil, failed
	}
	return out.Bytes()
}

// The extensions of RFC 6962, Sections 3.1 and 3.3.
func oidSCTList() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
}
func oidPoison() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}
}
func oidOCSPList() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 5}
}

// ParseExtension reads the value of the X.509 or OCSP extension: an OCTET STRING
// around the list.
func ParseExtension(value []byte, source Source) ([]SCT, error) {
	in, list := cryptobyte.String(value), cryptobyte.String(nil)
	if !in.ReadASN1(&list, cbasn1.OCTET_STRING) || !in.Empty() {
		return nil, errShape
	}
	return ParseList(list, source)
}

// MarshalExtension writes the value of the X.509 or OCSP extension.
func MarshalExtension(list []SCT) ([]byte, error) {
	data, err := AppendList(nil, list)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(data)
}

// FromCertificate takes the embedded timestamps out of a certificate; none at all
// is no error.
func FromCertificate(c *x509.Certificate) ([]SCT, error) {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidSCTList()) {
			return ParseExtension(e.Value, Embedded)
		}
	}
	return nil, nil
}

// IsPrecertificate reports whether the certificate is a precertificate, which no
// client may accept (RFC 6962, Section 3.1).
func IsPrecertificate(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidPoison()) {
			return true
		}
	}
	return false
}

// FromOCSP takes the timestamps out of an OCSP response about one certificate;
// none at all is no error. The response's own signature is not judged here: each
// timestamp has one.
func FromOCSP(response []byte) ([]SCT, error) {
	r, err := ocsp.ParseResponse(response, nil)
	if err != nil {
		return nil, fmt.Errorf("read OCSP response: %w", err)
	}
	for _, e := range r.Extensions {
		if e.Id.Equal(oidOCSPList()) {
			return ParseExtension(e.Value, Staple)
		}
	}
	return nil, nil
}
