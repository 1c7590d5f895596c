package cert

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxSize is the largest certificate [Parse] reads, in bytes of DER.
const MaxSize = 64 << 10

// maxExtensions bounds the list of extensions. Real certificates carry around
// ten; the bound keeps a hostile 64 KiB certificate from costing megabytes.
const maxExtensions = 256

// Certificate is the tolerant view of one certificate. All byte slices borrow
// from the input of [Parse] and must not be changed.
//
//	Certificate  ::=  SEQUENCE  {
//	     tbsCertificate       TBSCertificate,
//	     signatureAlgorithm   AlgorithmIdentifier,
//	     signatureValue       BIT STRING  }
//
// RFC 5280, Section 4.1.
type Certificate struct {
	Raw        []byte // the whole certificate
	RawTBS     []byte // the signed part, header included
	RawIssuer  []byte // the issuer's Name, header included
	RawSubject []byte // the subject's Name, header included
	RawSPKI    []byte // SubjectPublicKeyInfo, header included

	Version int    // 1, 2 or 3; other numbers are kept as they stand
	Serial  []byte // content octets of the INTEGER, big endian, two's complement

	NotBefore time.Time // UTC; zero if unreadable
	NotAfter  time.Time // UTC; zero if unreadable

	// SignatureAlgorithm is the outer algorithm, SignatureParameters its raw
	// parameters (nil: absent) and Signature the bits of signatureValue.
	SignatureAlgorithm  asn1.ObjectIdentifier
	SignatureParameters []byte
	Signature           []byte

	// SPKIAlgorithm names the kind of key, SPKIParameters are its raw parameters
	// (nil: absent) and SPKIKey the bits of subjectPublicKey.
	// An identifier that does not fit the type is nil; RawSPKI has it.
	SPKIAlgorithm  asn1.ObjectIdentifier
	SPKIParameters []byte
	SPKIKey        []byte

	// PublicKey is *rsa.PublicKey (for id-RSASSA-PSS too), *ecdsa.PublicKey,
	// ed25519.PublicKey or *mldsa.PublicKey; nil when the key is of an unknown kind or malformed, and
	// then KeyError says why.
	PublicKey crypto.PublicKey
	KeyError  error

	// PSSOnly is true for a key of type id-RSASSA-PSS, which must not be used with
	// PKCS #1 v1.5 (RFC 4055, Section 1.2). PSS holds its parameters; nil: the key
	// is not restricted to one hash.
	PSSOnly bool
	PSS     *PSSParameters

	// HasKeyUsage tells whether the key usage extension is present; KeyUsage holds
	// its bits.
	HasKeyUsage bool
	KeyUsage    KeyUsage

	// Extensions keeps order, unknown ones and repetitions.
	Extensions []Extension

	// Defects lists in plain words what was tolerated while reading.
	Defects []string
}

// Extension is one certificate extension.
//
//	Extension  ::=  SEQUENCE  {
//	     extnID      OBJECT IDENTIFIER,
//	     critical    BOOLEAN DEFAULT FALSE,
//	     extnValue   OCTET STRING }
//
// RFC 5280, Section 4.1.
type Extension struct {
	OID      asn1.ObjectIdentifier // nil if an arc does not fit in 31 bits: see RawOID
	RawOID   []byte                // content octets of the identifier
	Critical bool
	Value    []byte // content of extnValue
}

// ParseError says which field of a certificate could not be read.
type ParseError struct {
	Field  string // in the words of RFC 5280: "tbsCertificate.validity"
	Reason string
}

// Error implements error.
func (e *ParseError) Error() string {
	return fmt.Sprintf("certificate: %s: %s", e.Field, e.Reason)
}

func malformed(field string) error { return &ParseError{Field: field, Reason: "malformed"} }

// Parse reads one certificate. It fails with a [*ParseError] only where the
// structure itself is broken, where bytes follow the certificate or where it is
// larger than [MaxSize]; it never panics.
func Parse(der []byte) (*Certificate, error) {
	if len(der) > MaxSize {
		return nil, &ParseError{"certificate", fmt.Sprintf("%d bytes, more than the limit of %d", len(der), MaxSize)}
	}
	in := cryptobyte.String(der)
	var outer cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) {
		return nil, malformed("certificate")
	}
	if !in.Empty() {
		return nil, &ParseError{"certificate", fmt.Sprintf("%d bytes follow it", len(in))}
	}
	c := &Certificate{Raw: der}
	var tbs cryptobyte.String
	if !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, malformed("tbsCertificate")
	}
	c.RawTBS = tbs
	signedWith := outer
	if !readAlgorithm(&outer, &c.SignatureAlgorithm, &c.SignatureParameters) {
		return nil, malformed("signatureAlgorithm")
	}
	var ok bool
	if c.Signature, ok = c.readBits(&outer, "signatureValue"); !ok {
		return nil, malformed("signatureValue")
	}
	if !outer.Empty() {
		c.defect("%d bytes follow the signature", len(outer))
	}
	if err := c.parseTBS(tbs, signedWith); err != nil {
		return nil, err
	}
	return c, nil
}

// parseTBS reads TBSCertificate (RFC 5280, Section 4.1). outside begins with the algorithm that the signature says it is of.
func (c *Certificate) parseTBS(tbs, outside cryptobyte.String) error {
	var s cryptobyte.String
	if !tbs.ReadASN1(&s, cbasn1.SEQUENCE) {
		return malformed("tbsCertificate")
	}
	if !s.ReadOptionalASN1Integer(&c.Version, cbasn1.Tag(0).Constructed().ContextSpecific(), 0) {
		return malformed("tbsCertificate.version")
	}
	if c.Version < 0 || c.Version > 2 {
		c.defect("version number %d is not one of 0, 1, 2", c.Version)
	}
	c.Version++
	if err := c.parseSerial(&s); err != nil {
		return err
	}
	if err := c.compareAlgorithms(&s, outside); err != nil {
		return err
	}
	var issuer, subject, spki cryptobyte.String
	if !s.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return malformed("tbsCertificate.issuer")
	}
	if err := c.parseValidity(&s); err != nil {
		return err
	}
	if !s.ReadASN1Element(&subject, cbasn1.SEQUENCE) {
		return malformed("tbsCertificate.subject")
	}
	if !s.ReadASN1Element(&spki, cbasn1.SEQUENCE) {
		return malformed("tbsCertificate.subjectPublicKeyInfo")
	}
	c.RawIssuer, c.RawSubject, c.RawSPKI = issuer, subject, spki
	if err := c.parseSPKI(spki); err != nil {
		return err
	}
	if err := c.parseTail(s); err != nil {
		if c.Version >= 3 {
			return err
		}
		// The version promises that nothing is there, so crypto/x509 does not look.
		c.defect("what follows the key of a version %d certificate cannot be read", c.Version)
	}
	return nil
}

// compareAlgorithms reads the algorithm inside the signed part. It MUST be that outside (RFC 5280, Section 4.1.1.2).
func (c *Certificate) compareAlgorithms(s *cryptobyte.String, outside cryptobyte.String) error {
	rest := *s
	var inside, same cryptobyte.String
	if rest.ReadASN1Element(&inside, cbasn1.SEQUENCE) && outside.ReadASN1Element(&same, cbasn1.SEQUENCE) && bytes.Equal(inside, same) {
		*s = rest // read once already
		return nil
	}
	var inner asn1.ObjectIdentifier
	var params []byte
	if !readAlgorithm(s, &inner, &params) {
		return malformed("tbsCertificate.signature")
	}
	if !inner.Equal(c.SignatureAlgorithm) || string(params) != string(c.SignatureParameters) {
		c.defect("signature algorithm inside (%v) and outside (%v) the signed part differ", inner, c.SignatureAlgorithm)
	}
	return nil
}

// parseTail reads what may follow the key: the unique identifiers of version 2
// and the extensions of version 3.
func (c *Certificate) parseTail(s cryptobyte.String) error {
	for _, id := range []struct {
		tag  uint8
		name string
	}{{1, "issuerUniqueID"}, {2, "subjectUniqueID"}} {
		if !s.SkipOptionalASN1(cbasn1.Tag(id.tag).ContextSpecific()) {
			return malformed("tbsCertificate." + id.name)
		}
	}
	var exts cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&exts, &present, cbasn1.Tag(3).Constructed().ContextSpecific()) {
		return malformed("tbsCertificate.extensions")
	}
	if !s.Empty() {
		c.defect("%d bytes follow the last field of the signed part", len(s))
	}
	if !present {
		return nil
	}
	if c.Version < 3 {
		c.defect("a version %d certificate carries extensions", c.Version)
	}
	return c.parseExtensions(exts)
}

func (c *Certificate) parseSerial(s *cryptobyte.String) error {
	var serial cryptobyte.String
	if !s.ReadASN1(&serial, cbasn1.INTEGER) || serial.Empty() {
		return malformed("tbsCertificate.serialNumber")
	}
	c.Serial = serial
	switch {
	case serial[0]&0x80 != 0:
		c.defect("the serial number is negative")
	case len(serial) > 1 && serial[0] == 0 && serial[1]&0x80 == 0:
		c.defect("the serial number is not minimally encoded")
	case len(serial) == 1 && serial[0] == 0:
		c.defect("the serial number is zero")
	}
	if len(serial) > 20 {
		// RFC 5280, Section 4.1.2.2: conforming CAs MUST NOT use serialNumber values
		// longer than 20 octets.
		c.defect("the serial number has %d octets, more than 20", len(serial))
	}
	return nil
}

func (c *Certificate) defect(format string, args ...any) {
	c.Defects = append(c.Defects, fmt.Sprintf(format, args...))
}

// readAlgorithm reads an AlgorithmIdentifier; params are the raw parameters,
// nil if absent. An identifier with an arc beyond 31 bits (those made from UUIDs
// have one) is legal, but does not fit the type and leaves oid nil.
func readAlgorithm(s *cryptobyte.String, oid *asn1.ObjectIdentifier, params *[]byte) bool {
	var alg, raw cryptobyte.String
	if !s.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1Element(&raw, cbasn1.OBJECT_IDENTIFIER) {
		return false
	}
	if !raw.ReadASN1ObjectIdentifier(oid) {
		*oid = nil
	}
	*params = nil
	if alg.Empty() {
		return true
	}
	var p cryptobyte.String
	var tag cbasn1.Tag
	if !alg.ReadAnyASN1Element(&p, &tag) { // what follows is passed over, as the library does
		return false
	}
	*params = p
	return true
}

// algorithmOID is the content of the object identifier of an AlgorithmIdentifier; nil: there is none.
func algorithmOID(s cryptobyte.String) []byte {
	var alg, oid cryptobyte.String
	if !s.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
		return nil
	}
	return oid
}

// readBits reads a BIT STRING of whole bytes. Unused bits are tolerated as a
// defect: no signature or key format has them, so what is read will not verify.
func (c *Certificate) readBits(s *cryptobyte.String, field string) ([]byte, bool) {
	var b cryptobyte.String
	if !s.ReadASN1(&b, cbasn1.BIT_STRING) || b.Empty() || b[0] > 7 {
		return nil, false
	}
	if b[0] != 0 {
		c.defect("%s is not a whole number of bytes", field)
	}
	return b[1:], true
}
