package crl

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// maxSerial is how many octets a serial number may have (RFC 5280, Section 4.1.2.2).
const maxSerial = 20

// Template says what a list shall contain.
type Template struct {
	// Number goes up with every list of an issuer and scope, at most 20 octets (RFC 5280, Section 5.2.3).
	Number *big.Int
	// Base makes the list a delta to the complete list of that number (RFC 5280, Section 5.2.4); nil: a complete list.
	Base       *big.Int
	ThisUpdate time.Time
	NextUpdate time.Time
	IDP        *DistributionPoint // nil: the list covers all certificates of its issuer, for all reasons
	Freshest   []string           // where deltas may be had: URIs
	// Entries are the revoked certificates, walked once; nil: none. No certificate should be there twice.
	Entries iter.Seq[Entry]
}

// Create makes a list and signs it. The issuer's certificate gives the name, the key identifier and the key usage that must
// allow it (cRLSign); the signature is checked before the list is given out. The list is as large as its entries: about 39 bytes
// for one with a random serial number, 14 more with a reason.
func Create(t Template, issuer *x509.Certificate, key crypto.Signer) ([]byte, error) {
	if err := t.check(issuer, key); err != nil {
		return nil, err
	}
	algorithm, err := cert.UsualAlgorithm(key.Public())
	if err != nil {
		return nil, err
	}
	entries, err := t.entries(issuer.RawSubject)
	if err != nil {
		return nil, err
	}
	if len(entries) > MaxSize-(1<<20) {
		return nil, fmt.Errorf("a CRL with entries of %d bytes is larger than what we read ourselves: use partitions", len(entries))
	}
	identifier := cert.AlgorithmIdentifier(algorithm)
	head := append([]byte{tagInteger, 1, 1}, identifier...)
	head = append(head, issuer.RawSubject...)
	var ok, ok2 bool
	head, ok = appendTime(head, t.ThisUpdate)
	if head, ok2 = appendTime(head, t.NextUpdate); !ok || !ok2 {
		return nil, errors.New("a date of the CRL is outside of the years 1950 to 9999")
	}
	if len(entries) > 0 {
		head = appendHeader(head, tagSequence, len(entries))
	}
	tail := t.extensions(issuer)
	length := len(head) + len(entries) + len(tail)

	// The list is built in its final place: after room for the outer header, which needs the length of a signature that is
	// not there yet.
	const room = 8
	const signatureRoom = 4700 // ML-DSA-87
	out := make([]byte, room, room+header(length)+length+len(identifier)+signatureRoom)
	out = appendHeader(out, tagSequence, length)
	out = append(append(append(out, head...), entries...), tail...)
	tbs := out[room:]
	signature, err := cert.Sign(key, algorithm, tbs)
	if err != nil {
		return nil, fmt.Errorf("sign the CRL: %w", err)
	}
	if err := cert.CheckSignature(issuer, algorithm, tbs, signature); err != nil {
		return nil, fmt.Errorf("the key made a wrong signature, or is not the issuer's: %w", err)
	}
	out = append(out, identifier...)
	out = appendElement(out, 0x03, []byte{0}, signature)
	total := len(out) - room
	start := room - header(total)
	appendHeader(out[start:start], tagSequence, total)
	return out[start:], nil
}

func (t *Template) check(issuer *x509.Certificate, key crypto.Signer) error {
	switch {
	case issuer == nil || key == nil:
		return errors.New("a CRL needs its issuer's certificate and key")
	case issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
		return errors.New("the issuer's certificate may not sign CRLs by its key usage")
	case len(issuer.RawSubject) <= 2:
		return errors.New("the issuer has an empty name")
	case !validNumber(t.Number):
		return errors.New("a CRL needs a number of at most 20 octets, zero or more")
	case t.Base != nil && (!validNumber(t.Base) || t.Base.Cmp(t.Number) >= 0):
		return errors.New("a delta CRL's base must have a smaller number than the delta itself")
	case t.Base != nil && len(t.Freshest) > 0:
		// RFC 5280, Section 5.2.6: this extension MUST NOT appear in delta CRLs.
		return errors.New("a delta CRL must not point to further deltas")
	case !t.NextUpdate.After(t.ThisUpdate):
		return errors.New("a CRL's next update must be after this one")
	case t.IDP != nil:
		return t.IDP.check()
	}
	return nil
}

func validNumber(n *big.Int) bool {
	return n != nil && n.Sign() >= 0 && (n.BitLen()+8)/8 <= maxSerial
}

// entries writes the entries.
func (t *Template) entries(issuer []byte) ([]byte, error) {
	if t.Entries == nil {
		return nil, nil
	}
	var dst []byte
	var err error
	current := issuer
	indirect := t.IDP != nil && t.IDP.Indirect
	for e := range t.Entries {
		var change []byte
		if want := cmpOr(e.Issuer, issuer); !bytes.Equal(want, current) {
			if !indirect {
				return nil, errors.New("a CRL with certificates of other issuers must be indirect")
			}
			change, current = want, want
		}
		if e.Reason == RemoveFromCRL && t.Base == nil {
			// RFC 5280, Section 5.3.1: the removeFromCRL (8) reasonCode value may only appear in delta CRLs.
			return nil, errors.New("removeFromCRL is for delta CRLs only")
		}
		if dst, err = appendEntry(dst, &e, change); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func cmpOr(a, b []byte) []byte {
	if a != nil {
		return a
	}
	return b
}

// appendEntry writes an entry; issuer is nil where it is that of the entry before.
func appendEntry(dst []byte, e *Entry, issuer []byte) ([]byte, error) {
	serial := content(e.Serial)
	switch {
	case e.Negative || len(serial) == 1 && serial[0] == 0:
		return nil, errors.New("a serial number must be positive")
	case len(serial) > maxSerial:
		return nil, fmt.Errorf("a serial number of %d octets is longer than the limit of %d", len(serial), maxSerial)
	case !e.Reason.Valid():
		return nil, fmt.Errorf("there is no %v for a revocation", e.Reason)
	}
	var buffer [64]byte
	var ok bool
	x := buffer[:0]
	if issuer != nil {
		name := appendElement(nil, 0xa0|directoryName, issuer)
		x = appendExtension(x, idCertificateIssuer, true, appendElement(nil, tagSequence, name))
	}
	// RFC 5280, Section 5.3.1: the extension SHOULD be absent instead of using the unspecified (0) value.
	if e.Reason != Unspecified {
		x = append(x, plainReason[2:]...)
		x = append(x, byte(e.Reason))
	}
	if !e.InvalidityDate.IsZero() {
		var date []byte
		if date, ok = appendGeneralizedTime(nil, e.InvalidityDate); !ok {
			return nil, errors.New("an invalidity date is outside of the years 0 to 9999")
		}
		x = appendExtension(x, idInvalidityDate, false, date)
	}
	var date [17]byte
	when, ok := appendTime(date[:0], e.RevokedAt)
	if !ok {
		return nil, errors.New("a revocation date is outside of the years 1950 to 9999")
	}
	length := 2 + len(serial) + len(when)
	if len(x) > 0 {
		length += header(len(x)) + len(x)
	}
	dst = appendHeader(dst, tagSequence, length)
	dst = append(dst, tagInteger, byte(len(serial)))
	dst = append(append(dst, serial...), when...)
	if len(x) > 0 {
		dst = appendHeader(dst, tagSequence, len(x))
		dst = append(dst, x...)
	}
	return dst, nil
}

func appendExtension(dst []byte, id string, critical bool, value []byte) []byte {
	body := appendElement(nil, 0x06, []byte(id))
	if critical {
		body = append(body, 0x01, 1, 0xff)
	}
	return appendElement(dst, tagSequence, appendElement(body, 0x04, value))
}

// extensions writes the list's extensions. Which are critical is said by RFC 5280, Section 5.2.
func (t *Template) extensions(issuer *x509.Certificate) []byte {
	var x []byte
	if len(issuer.SubjectKeyId) > 0 {
		x = appendExtension(x, idAuthorityKeyID, false, appendElement(nil, tagSequence, appendElement(nil, 0x80, issuer.SubjectKeyId)))
	}
	x = appendExtension(x, idNumber, false, appendElement(nil, tagInteger, content(t.Number.Bytes())))
	if t.Base != nil {
		x = appendExtension(x, idDeltaIndicator, true, appendElement(nil, tagInteger, content(t.Base.Bytes())))
	}
	if t.IDP != nil {
		x = appendExtension(x, idIDP, true, t.IDP.append(nil))
	}
	if len(t.Freshest) > 0 {
		x = appendExtension(x, idFreshest, false, appendURIs(t.Freshest))
	}
	return appendElement(nil, 0xa0, appendElement(nil, tagSequence, x))
}

// appendURIs writes CRL distribution points: one with all the URIs, which are then equal ways to the same list.
func appendURIs(uris []string) []byte {
	var names []byte
	for _, u := range uris {
		names = appendElement(names, 0x80|uriName, []byte(u))
	}
	name := appendElement(nil, 0xa0, appendElement(nil, 0xa0, names))
	return appendElement(nil, tagSequence, appendElement(nil, tagSequence, name))
}
