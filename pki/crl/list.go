package crl

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki/cert"
)

// MaxSize is the largest list that [Parse] reads, in bytes: about five million entries of the usual kind.
const MaxSize = 256 << 20

// maxNumber is how many octets a CRL number may have (RFC 5280, Section 5.2.3), a zero in front of them included.
const maxNumber = 21

// maxExtensions bounds the list's own extensions, and those of one entry.
const maxExtensions = 64

// List is a certificate revocation list. All byte slices borrow from the input of [Parse] and must not be changed; a List
// must not be copied. Its methods may be called by several goroutines at once.
//
//	CertificateList  ::=  SEQUENCE  {
//	     tbsCertList          TBSCertList,
//	     signatureAlgorithm   AlgorithmIdentifier,
//	     signatureValue       BIT STRING  }
//
// RFC 5280, Section 5.1.
type List struct {
	Raw       []byte // the whole list
	RawTBS    []byte // the signed part, header included
	RawIssuer []byte // the issuer's Name, header included

	Version            int // 1 or 2
	SignatureAlgorithm x509.SignatureAlgorithm
	Signature          []byte

	ThisUpdate time.Time
	NextUpdate time.Time // zero: absent, against RFC 5280, Section 5.1.2.5

	Number *big.Int // nil: absent
	Base   *big.Int // the delta CRL indicator (RFC 5280, Section 5.2.4): this is a delta to the list of that number; nil: a complete list

	// AuthorityKeyID is the key identifier of who signed, RawAuthorityKeyID the whole extension's value; nil: absent.
	AuthorityKeyID    []byte
	RawAuthorityKeyID []byte

	IDP      *DistributionPoint // what the list covers (RFC 5280, Section 5.2.5); nil: all certificates of its issuer
	RawIDP   []byte             // the extension's value
	Freshest []string           // where deltas may be had: the URIs of RFC 5280, Section 5.2.6

	// Count is the number of entries.
	Count int

	// UnknownCritical lists the critical extensions, of the list and of its entries, that are not understood, dotted and each
	// once: such a list must not be used to judge any certificate (RFC 5280, Section 5.2 and 5.3).
	UnknownCritical []string

	entries  []byte // the content of revokedCertificates
	indirect bool   // an entry names its certificate's issuer

	signer   atomic.Pointer[[32]byte] // the digest of the certificate with which the signature was found right; nil: none yet
	searched atomic.Bool
	indexing sync.Once
	index    index
}

// ParseError says which field of a list could not be read.
type ParseError struct {
	Field  string // in the words of RFC 5280: "tbsCertList.thisUpdate"
	Reason string
}

// Error implements error.
func (e *ParseError) Error() string { return fmt.Sprintf("CRL: %s: %s", e.Field, e.Reason) }

func malformed(field string) error { return &ParseError{Field: field, Reason: "malformed"} }

// Parse reads a list, DER. Every entry is checked once for its form, and none is kept: they are walked again by
// [List.Find] and [List.All]. The error is a [*ParseError]: for a broken structure, bytes after the list, more than
// [MaxSize] of them, an extension that appears twice, or extensions in a list of version 1.
func Parse(der []byte) (*List, error) {
	if len(der) > MaxSize {
		return nil, &ParseError{"certificateList", fmt.Sprintf("%d bytes, more than the limit of %d", len(der), MaxSize)}
	}
	in := cryptobyte.String(der)
	var outer, tbs, algorithm cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, malformed("certificateList")
	}
	if !outer.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, malformed("tbsCertList")
	}
	if !outer.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return nil, malformed("signatureAlgorithm")
	}
	l := &List{Raw: der, RawTBS: tbs, Version: 1, SignatureAlgorithm: cert.SignatureAlgorithm(algorithm)}
	var signature asn1.BitString
	if !outer.ReadASN1BitString(&signature) || !outer.Empty() || signature.BitLength%8 != 0 {
		return nil, malformed("signatureValue")
	}
	l.Signature = signature.Bytes
	if err := l.parseTBS(tbs, algorithm); err != nil {
		return nil, err
	}
	if err := l.checkEntries(); err != nil {
		return nil, err
	}
	return l, nil
}

// parseTBS reads the signed part.
//
//	TBSCertList  ::=  SEQUENCE  {
//	     version                 Version OPTIONAL,
//	     signature               AlgorithmIdentifier,
//	     issuer                  Name,
//	     thisUpdate              Time,
//	     nextUpdate              Time OPTIONAL,
//	     revokedCertificates     SEQUENCE OF SEQUENCE  { … } OPTIONAL,
//	     crlExtensions           [0] Extensions OPTIONAL }
func (l *List) parseTBS(tbs, outerAlgorithm cryptobyte.String) error {
	var s, algorithm, issuer cryptobyte.String
	if !tbs.ReadASN1(&s, cbasn1.SEQUENCE) {
		return malformed("tbsCertList")
	}
	if s.PeekASN1Tag(cbasn1.INTEGER) {
		var version int
		if !s.ReadASN1Integer(&version) || version != 1 {
			return &ParseError{"tbsCertList.version", "not 2"}
		}
		l.Version = 2
	}
	if !s.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return malformed("tbsCertList.signature")
	}
	// RFC 5280, Section 5.1.1.2: this field MUST contain the same algorithm identifier as the signature field.
	if string(algorithm) != string(outerAlgorithm) {
		return &ParseError{"tbsCertList.signature", "not the algorithm that the signature names"}
	}
	if !s.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return malformed("tbsCertList.issuer")
	}
	l.RawIssuer = issuer
	var ok bool
	if l.ThisUpdate, ok = readTime(&s); !ok {
		return malformed("tbsCertList.thisUpdate")
	}
	if s.PeekASN1Tag(cbasn1.UTCTime) || s.PeekASN1Tag(cbasn1.GeneralizedTime) {
		if l.NextUpdate, ok = readTime(&s); !ok {
			return malformed("tbsCertList.nextUpdate")
		}
	}
	var entries, extensions cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&entries, &present, cbasn1.SEQUENCE) {
		return malformed("tbsCertList.revokedCertificates")
	}
	l.entries = entries
	if !s.ReadOptionalASN1(&extensions, &present, contextConstructed(0)) || !s.Empty() {
		return malformed("tbsCertList.crlExtensions")
	}
	if !present {
		return nil
	}
	// RFC 5280, Section 5.1.2.1: when extensions are used, this field MUST be present and MUST specify version 2.
	if l.Version != 2 {
		return &ParseError{"tbsCertList.crlExtensions", "present in a list of version 1"}
	}
	return l.parseExtensions(extensions)
}

func readTime(s *cryptobyte.String) (time.Time, bool) {
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&content, &tag) {
		return time.Time{}, false
	}
	return parseTime(byte(tag), content)
}

// The extensions of a list, as the content octets of their identifiers (RFC 5280, Section 5.2).
const (
	idIssuerAltName  = "\x55\x1d\x12"
	idNumber         = "\x55\x1d\x14"
	idDeltaIndicator = "\x55\x1d\x1b"
	idIDP            = "\x55\x1d\x1c"
	idAuthorityKeyID = "\x55\x1d\x23"
	idFreshest       = "\x55\x1d\x2e"
	idAuthorityInfo  = "\x2b\x06\x01\x05\x05\x07\x01\x01"
)

func (l *List) parseExtensions(explicit cryptobyte.String) error {
	const field = "tbsCertList.crlExtensions"
	var list cryptobyte.String
	if !explicit.ReadASN1(&list, cbasn1.SEQUENCE) || !explicit.Empty() {
		return malformed(field)
	}
	seen := make(map[string]bool)
	for i := 0; !list.Empty(); i++ {
		e, ok := readExtension(&list)
		if !ok || i == maxExtensions {
			return malformed(fmt.Sprintf("%s[%d]", field, i))
		}
		if seen[string(e.id)] {
			return &ParseError{fmt.Sprintf("%s[%d]", field, i), "an extension that appears twice"}
		}
		seen[string(e.id)] = true
		if err := l.takeExtension(e); err != nil {
			return err
		}
	}
	return nil
}

func (l *List) takeExtension(e extension) error {
	value := cryptobyte.String(e.value)
	var err error
	var ok bool
	switch string(e.id) {
	case idNumber:
		if l.Number, ok = readNumber(value); !ok {
			return malformed("cRLNumber")
		}
	case idDeltaIndicator:
		if l.Base, ok = readNumber(value); !ok {
			return malformed("deltaCRLIndicator")
		}
	case idIDP:
		l.RawIDP = e.value
		l.IDP, err = parseIDP(value)
		return err
	case idAuthorityKeyID:
		l.RawAuthorityKeyID = e.value
		if l.AuthorityKeyID, ok = readKeyID(value); !ok {
			return malformed("authorityKeyIdentifier")
		}
	case idFreshest:
		points, err := ParsePoints(value)
		if err != nil {
			return malformed("freshestCRL")
		}
		for _, p := range points {
			l.Freshest = append(l.Freshest, p.URIs...)
		}
	case idIssuerAltName, idAuthorityInfo: // nothing that would change a verdict
	default:
		if e.critical {
			l.unknown(e.id)
		}
	}
	return nil
}

// unknown notes a critical extension that is not understood.
func (l *List) unknown(id []byte) {
	var oid x509.OID
	text := fmt.Sprintf("%x", id)
	if oid.UnmarshalBinary(id) == nil {
		text = oid.String()
	}
	for _, u := range l.UnknownCritical {
		if u == text {
			return
		}
	}
	if len(l.UnknownCritical) < maxExtensions {
		l.UnknownCritical = append(l.UnknownCritical, text)
	}
}

// extension is one extension of a list or of an entry.
type extension struct {
	id       []byte // content octets of the identifier
	critical bool
	value    []byte
}

func readExtension(list *cryptobyte.String) (e extension, ok bool) {
	var s, id, value cryptobyte.String
	if !list.ReadASN1(&s, cbasn1.SEQUENCE) || !s.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) || len(id) == 0 {
		return e, false
	}
	if s.PeekASN1Tag(cbasn1.BOOLEAN) {
		// The default may be written out: many lists of old CAs do.
		if !s.ReadASN1Boolean(&e.critical) {
			return e, false
		}
	}
	if !s.ReadASN1(&value, cbasn1.OCTET_STRING) || !s.Empty() {
		return e, false
	}
	e.id, e.value = id, value
	return e, true
}

func readNumber(value cryptobyte.String) (*big.Int, bool) {
	n := new(big.Int)
	if len(value) > maxNumber+2 || !value.ReadASN1Integer(n) || !value.Empty() || n.Sign() < 0 {
		return nil, false
	}
	return n, true
}

// readKeyID reads the keyIdentifier of an authority key identifier (RFC 5280, Section 4.2.1.1), nil if it is absent.
func readKeyID(value cryptobyte.String) (id []byte, ok bool) {
	var s, key cryptobyte.String
	var present bool
	if !value.ReadASN1(&s, cbasn1.SEQUENCE) || !value.Empty() || !s.ReadOptionalASN1(&key, &present, context(0)) ||
		!s.SkipOptionalASN1(contextConstructed(1)) || !s.SkipOptionalASN1(context(2)) || !s.Empty() {
		return nil, false
	}
	return key, true
}
