package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/pki/cert"
)

// maxBundle bounds a file of certificates, in bytes: some twenty times the root
// store of a Linux distribution.
const maxBundle = 8 << 20

// ParseCertificatesPEM reads every CERTIFICATE block of a PEM text, in order;
// other blocks are skipped. No certificate at all is an error.
func ParseCertificatesPEM(text []byte) ([]*x509.Certificate, error) {
	ders, err := CertificatesPEM(text)
	if err != nil {
		return nil, err
	}
	certs := make([]*x509.Certificate, 0, len(ders))
	for i, der := range ders {
		c, err := cert.ParseX509(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// CertificatesPEM takes the CERTIFICATE blocks out of a PEM text, in order,
// without looking inside. No certificate at all is an error.
func CertificatesPEM(text []byte) ([][]byte, error) {
	if len(text) > maxBundle {
		return nil, fmt.Errorf("certificates: %d bytes, more than the limit of %d", len(text), maxBundle)
	}
	var ders [][]byte
	rest := text
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) == 0 {
		if _, err := cert.ParseX509(text); err == nil {
			return nil, errors.New("the certificate is in DER form, not PEM")
		}
		if bytes.Contains(text, []byte("PRIVATE KEY")) {
			return nil, errors.New("a private key, but no certificate in PEM form")
		}
		return nil, errors.New("no certificate in PEM form")
	}
	return ders, nil
}

// AppendCertificatePEM appends der to b as a CERTIFICATE block (RFC 7468,
// Section 5).
func AppendCertificatePEM(b, der []byte) []byte {
	return append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
}

// Fingerprint is the SHA-256 of a certificate's DER in lower-case hex, 64
// characters.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
