package pkcs7

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	library "github.com/smallstep/pkcs7"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
)

// Bounds on a file.
const (
	maxFile         = 8 << 20 // bytes
	maxCertificates = 4000
)

// label is that of RFC 7468, Section 8; "CMS" is its successor's (Section 9), and
// "PKCS #7 SIGNED DATA" what old programs wrote.
const label = "PKCS7"

func isLabel(s string) bool { return s == label || s == "CMS" || s == "PKCS #7 SIGNED DATA" }

// Is reports whether data looks like PKCS #7 SignedData, bare or in PEM.
func Is(data []byte) bool {
	if len(data) > maxFile {
		return false
	}
	if !binary(data) {
		block, _ := pem.Decode(data)
		return block != nil && isLabel(block.Type)
	}
	// SEQUENCE { OBJECT IDENTIFIER signedData, whatever the lengths look like.
	signedData := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}
	at := bytes.Index(data[:min(len(data), 32)], signedData)
	return at >= 2 && at <= 6
}

// binary tells a bare structure from PEM. What it holds may well be PEM.
func binary(data []byte) bool { return len(data) > 0 && data[0] == 0x30 }

// Decode takes the certificates out of SignedData of at most 8 MiB, in their
// order; PEM is recognised. No certificate at all is an error.
func Decode(data []byte) ([]*x509.Certificate, error) {
	certs, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("read PKCS #7: %w", err)
	}
	return certs, nil
}

func decode(data []byte) ([]*x509.Certificate, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%d bytes, more than the limit of %d", len(data), maxFile)
	}
	for rest := data; !binary(data); {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if isLabel(block.Type) {
			data = block.Bytes
			break
		}
	}
	// The library follows nesting as deep as it goes; what it gets is bounded.
	der, err := pki.NormalizeBER(data)
	if err != nil {
		return nil, err
	}
	if err := survey(der); err != nil {
		return nil, err
	}
	p, err := library.Parse(der)
	if err != nil {
		return nil, err
	}
	if len(p.Certificates) == 0 {
		return nil, errors.New("there is no certificate in it")
	}
	return p.Certificates, nil
}

// survey checks the outline: SignedData, and not too many certificates.
func survey(der cryptobyte.String) error {
	shape := errors.New("not the structure of PKCS #7")
	var info, content, signed, certs cryptobyte.String
	var oid asn1.ObjectIdentifier
	var version int
	var has bool
	zero := cbasn1.Tag(0).ContextSpecific().Constructed()
	if !der.ReadASN1(&info, cbasn1.SEQUENCE) || !der.Empty() || !info.ReadASN1ObjectIdentifier(&oid) {
		return shape
	}
	if !oid.Equal(library.OIDSignedData) {
		return fmt.Errorf("its content is of type %s, not signed data", oid)
	}
	if !info.ReadASN1(&content, zero) || !content.ReadASN1(&signed, cbasn1.SEQUENCE) || !signed.ReadASN1Integer(&version) ||
		!signed.SkipASN1(cbasn1.SET) || !signed.SkipASN1(cbasn1.SEQUENCE) || !signed.ReadOptionalASN1(&certs, &has, zero) {
		return shape
	}
	for n := 0; !certs.Empty(); n++ {
		if n == maxCertificates {
			return fmt.Errorf("more than %d certificates", maxCertificates)
		}
		if !certs.SkipASN1(cbasn1.SEQUENCE) {
			return errors.New("among its certificates is something else")
		}
	}
	return nil
}

// Encode writes certificates as SignedData without content and signatures, DER, in
// the order given.
func Encode(certs []*x509.Certificate) ([]byte, error) {
	if len(certs) == 0 || len(certs) > maxCertificates {
		return nil, &pki.RefusedError{Reason: fmt.Sprintf("%d certificates for PKCS #7, not 1 to %d", len(certs), maxCertificates), Hint: "give certificates, in several files if there are that many"}
	}
	var all []byte
	for _, c := range certs {
		all = append(all, c.Raw...)
	}
	der, err := library.DegenerateCertificate(all)
	if err != nil {
		return nil, fmt.Errorf("write PKCS #7: %w", err)
	}
	return der, nil
}

// EncodePEM is [Encode] in PEM ("PKCS7", RFC 7468, Section 8).
func EncodePEM(certs []*x509.Certificate) ([]byte, error) {
	der, err := Encode(certs)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}), nil
}
