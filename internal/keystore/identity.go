package keystore

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// Identity is what a TLS endpoint can prove: a chain with the key of its leaf.
type Identity struct {
	Chain [][]byte // DER, leaf first
	Key   crypto.Signer
	Leaf  *cert.Certificate // the tolerant view of Chain[0]
}

// MismatchError says that a key is not the key of a certificate.
type MismatchError struct {
	CertFile, KeyFile string
	Place             int // 1-based place in CertFile of the certificate that does fit; 0: none
}

// Error implements error.
func (e *MismatchError) Error() string {
	text := fmt.Sprintf("the private key in %s does not belong to the certificate in %s", pki.Printable(e.KeyFile), pki.Printable(e.CertFile))
	if e.Place > 0 {
		text += fmt.Sprintf(" (it belongs to certificate %d of that file, which must come first)", e.Place)
	}
	return text
}

// LoadIdentity is [LoadIdentityWith] for keys without a passphrase.
func LoadIdentity(certFile, keyFile string) (Identity, error) {
	return LoadIdentityWith(certFile, keyFile, nil)
}

// LoadIdentityWith reads a chain (leaf first) and the private key of its leaf, both
// PEM, and checks that they belong together; if not, the error is a
// [*MismatchError]. With keyFile "" the key is looked for in certFile. The chain
// keeps the limits of [pki.Verify], for no peer would take more. The key is read
// by [ReadKeyWith].
func LoadIdentityWith(certFile, keyFile string, passphrase PassphraseFunc) (Identity, error) {
	var id Identity
	if keyFile == "" {
		keyFile = certFile
	}
	text, err := readFile(certFile, nil)
	if err != nil {
		return id, fmt.Errorf("read certificate: %w", err)
	}
	if id.Chain, err = pki.CertificatesPEM(text); err != nil {
		return id, fmt.Errorf("read certificate %s: %w", pki.Printable(certFile), err)
	}
	total := 0
	for _, der := range id.Chain {
		total += len(der)
	}
	if len(id.Chain) > pki.MaxChainLength || total > pki.MaxChainBytes {
		return id, fmt.Errorf("%s holds %d certificates of %d bytes: more than a chain may have", pki.Printable(certFile), len(id.Chain), total)
	}
	if id.Leaf, err = cert.Parse(id.Chain[0]); err != nil {
		return id, fmt.Errorf("read certificate %s: %w", pki.Printable(certFile), err)
	}
	if id.Key, err = ReadKeyWith(keyFile, passphrase); err != nil {
		return id, err
	}
	return id, id.check(certFile, keyFile)
}

func (id *Identity) check(certFile, keyFile string) error {
	if id.Leaf.PublicKey == nil {
		return fmt.Errorf("the certificate in %s has a key that cannot be used: %w", pki.Printable(certFile), id.Leaf.KeyError)
	}
	if !pki.SameKey(id.Leaf.PublicKey, id.Key.Public()) {
		e := &MismatchError{CertFile: certFile, KeyFile: keyFile}
		for i, der := range id.Chain[1:] {
			if c, err := cert.Parse(der); err == nil && pki.SameKey(c.PublicKey, id.Key.Public()) {
				e.Place = i + 2
			}
		}
		return e
	}
	if _, restricted := id.Key.(*pki.PSSKey); restricted && !id.Leaf.PSSOnly {
		return errors.New("the private key is restricted to RSASSA-PSS, but its certificate is not")
	}
	return nil
}

// ReadCertificates reads all certificates of a PEM file.
func ReadCertificates(path string) ([]*x509.Certificate, error) {
	text, err := readFile(path, nil)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	certs, err := pki.ParseCertificatesPEM(text)
	if err != nil {
		return nil, fmt.Errorf("read certificates %s: %w", pki.Printable(path), err)
	}
	return certs, nil
}

// WriteCertificates writes DER certificates as one PEM file, mode 0644,
// atomically. The folder must exist.
func WriteCertificates(path string, ders ...[]byte) error {
	return WriteFile(path, encode(ders), certMode)
}

func encode(ders [][]byte) []byte {
	var text []byte
	for _, der := range ders {
		text = pki.AppendCertificatePEM(text, der)
	}
	return text
}
