package revset

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// magic opens every set; the last octet is the version. It is no beginning of DER, so a signature over a set can be none over
// a certificate or CRL.
const magic = "TWRS\x01"

// setHeader is how many octets come before the first issuer.
const setHeader = len(magic) + 3*8 + 4

// Marshal writes the set, with its signature if it has one.
func (s *Set) Marshal() []byte {
	out := s.body()
	out = binary.BigEndian.AppendUint16(out, uint16(len(s.algorithm)))
	out = append(out, s.algorithm...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(s.signature)))
	return append(out, s.signature...)
}

// body writes what a signature is over.
func (s *Set) body() []byte {
	out := append(make([]byte, 0, s.Size()), magic...)
	for _, t := range [...]time.Time{s.Created, s.Covers, s.Expires} {
		out = binary.BigEndian.AppendUint64(out, uint64(t.Unix()))
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(s.blocks)))
	for _, b := range s.blocks {
		out = b.append(out)
	}
	return out
}

func (b *block) append(out []byte) []byte {
	out = append(out, b.issuer[:]...)
	out = binary.BigEndian.AppendUint32(out, uint32(b.revoked))
	out = binary.BigEndian.AppendUint32(out, uint32(b.total))
	out = append(out, byte(len(b.first)))
	m := 0
	if len(b.first) > 0 {
		m = b.first[0].m
	}
	out = append(binary.BigEndian.AppendUint32(out, uint32(m)), b.seeds[0])
	out = append(binary.BigEndian.AppendUint32(out, uint32(b.second.m)), b.seeds[1])
	for i := range b.first {
		out = b.first[i].append(out)
	}
	return b.second.append(out)
}

// ParseError says what is wrong with a set.
type ParseError struct{ Reason string }

// Error implements error.
func (e *ParseError) Error() string { return "revocation set: " + e.Reason }

// reader takes numbers off the front; failed stays set.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) take(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number(octets int) uint64 {
	var n uint64
	for _, b := range r.take(octets) {
		n = n<<8 | uint64(b)
	}
	return n
}

// Parse reads a set. The error is a [*ParseError]. The signature is not checked: see [Set.CheckSignature]. The set does not
// borrow from data.
func Parse(data []byte) (*Set, error) {
	if len(data) > MaxSize {
		return nil, &ParseError{fmt.Sprintf("%d bytes, more than the limit of %d", len(data), MaxSize)}
	}
	r := &reader{rest: data}
	if string(r.take(len(magic))) != magic {
		return nil, &ParseError{"not one of version 1"}
	}
	s := new(Set)
	for _, t := range [...]*time.Time{&s.Created, &s.Covers, &s.Expires} {
		n := r.number(8)
		if n > math.MaxInt32<<8 { // the year 19000: what is larger is no time
			return nil, &ParseError{"a time that is none"}
		}
		*t = time.Unix(int64(n), 0).UTC()
	}
	count := r.number(4)
	if r.failed || s.Covers.After(s.Created) || !s.Expires.After(s.Created) {
		return nil, &ParseError{"malformed times"}
	}
	for range count {
		b, err := readBlock(r)
		if err != nil {
			return nil, err
		}
		if n := len(s.blocks); n > 0 && bytes.Compare(s.blocks[n-1].issuer[:], b.issuer[:]) >= 0 {
			return nil, &ParseError{"issuers out of order"}
		}
		s.blocks = append(s.blocks, b)
	}
	s.signed = bytes.Clone(data[:len(data)-len(r.rest)])
	s.algorithm = bytes.Clone(r.take(int(r.number(2))))
	s.signature = bytes.Clone(r.take(int(r.number(2))))
	if r.failed || len(r.rest) > 0 || (len(s.algorithm) == 0) != (len(s.signature) == 0) {
		return nil, &ParseError{"malformed signature"}
	}
	return s, nil
}

func readBlock(r *reader) (*block, error) {
	b := new(block)
	copy(b.issuer[:], r.take(32))
	b.revoked, b.total = int(r.number(4)), int(r.number(4))
	k := int(r.number(1))
	m1 := int(r.number(4))
	b.seeds[0] = byte(r.number(1))
	m2 := int(r.number(4))
	b.seeds[1] = byte(r.number(1))
	plain := b.revoked == 0 || b.revoked == b.total
	switch {
	case r.failed:
		return nil, &ParseError{"too short"}
	case b.revoked > b.total || k > maxColumns || (k == 0) != (m1 == 0) || plain != (m2 == 0) || plain && k > 0 || m1 > 0 && m1 < room(1):
		return nil, &ParseError{"numbers of an issuer that do not fit together"}
	}
	for i := range k + 1 {
		m := m1
		if i == k {
			m = m2
		}
		bits := r.take(octets(m))
		if r.failed {
			return nil, &ParseError{"too short"}
		}
		if m == 0 {
			continue
		}
		column, ok := readRibbon(m, bits)
		if !ok {
			return nil, &ParseError{"bits behind the last"}
		}
		if i == k {
			b.second = column
		} else {
			b.first = append(b.first, column)
		}
	}
	return b, nil
}

// Sign signs the set, most likely with the key of one of its issuers.
func (s *Set) Sign(key crypto.Signer) error {
	id, err := cert.UsualAlgorithm(key.Public())
	if err != nil {
		return err
	}
	body := s.body()
	signature, err := cert.Sign(key, id, body)
	if err != nil {
		return fmt.Errorf("sign the revocation set: %w", err)
	}
	s.signed, s.algorithm, s.signature = body, cert.AlgorithmIdentifier(id), signature
	return nil
}

// Signed reports whether the set has a signature, right or wrong.
func (s *Set) Signed() bool { return len(s.signature) > 0 }

// CheckSignature checks that the key of a certificate signed the set, and that the certificate's key usage, if it has one,
// contains cRLSign: a set is worth what a CRL is. Whether the certificate is trusted is not asked.
func (s *Set) CheckSignature(c *x509.Certificate) error {
	id := cert.SignatureAlgorithm(s.algorithm)
	switch {
	case !s.Signed():
		return errors.New("the revocation set is not signed")
	case id == x509.UnknownSignatureAlgorithm:
		return errors.New("the revocation set is signed with an algorithm that is not known or not safe")
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCRLSign == 0:
		return errors.New("the certificate may not sign revocations by its key usage")
	}
	if err := cert.CheckSignature(c, id, s.signed, s.signature); err != nil {
		return fmt.Errorf("the revocation set's signature is wrong: %w", err)
	}
	return nil
}
