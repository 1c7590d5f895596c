package cli

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/jks"
	"github.com/tlswright/tlswright/pki/pkcs12"
	"github.com/tlswright/tlswright/pki/pkcs7"
)

// openStore tries a key store without a passphrase, for many have an empty one, and asks for it only then. A flag that names
// the passphrase is obeyed at once.
func (a *app) openStore(s *secretFlags, what string, wrong error, open func(secret []byte) error) error {
	if s == nil {
		s = &secretFlags{}
	}
	if !s.isSet() && s.known == nil {
		if err := open(nil); err == nil || !errors.Is(err, wrong) {
			return err
		}
	}
	secret, err := a.secret(s, what)
	if err != nil {
		return err
	}
	return open(secret)
}

// storeFailure says why a key store cannot be read.
func storeFailure(err error, origin string) error {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if errors.Is(err, pkcs12.ErrWrongPassword) || errors.Is(err, jks.ErrWrongPassword) {
		return &failure{kind: kindLocal, text: origin + ": the password is wrong", err: err}
	}
	return cannotRun(err, "%s", origin)
}

func (a *app) takePKCS12(c *contents, data []byte, secret *secretFlags) error {
	var b pkcs12.Bundle
	err := a.openStore(secret, c.origin, pkcs12.ErrWrongPassword, func(password []byte) (err error) {
		b, err = pkcs12.Decode(data, password)
		return err
	})
	if err != nil {
		return storeFailure(err, c.origin)
	}
	if b.Key != nil {
		c.keys = append(c.keys, foundKey{key: b.Key, encrypted: true, container: "PKCS#12", name: pki.Printable(b.FriendlyName)})
	}
	for _, parsed := range append(b.Chain, b.Trusted...) {
		c.certs = append(c.certs, parsed.Raw)
	}
	return nil
}

func takePKCS7(c *contents, data []byte) error {
	certs, err := pkcs7.Decode(data)
	if err != nil {
		return cannotRun(err, "%s", c.origin)
	}
	for _, parsed := range certs {
		c.certs = append(c.certs, parsed.Raw)
	}
	return nil
}

func (a *app) takeJKS(c *contents, data []byte, secret *secretFlags) error {
	var entries []jks.Entry
	err := a.openStore(secret, c.origin, jks.ErrWrongPassword, func(password []byte) (err error) {
		entries, err = jks.Decode(data, password, nil)
		return err
	})
	if err != nil {
		return storeFailure(err, c.origin)
	}
	for _, e := range entries {
		if e.Key != nil {
			c.keys = append(c.keys, foundKey{key: e.Key, encrypted: true, container: "JKS", name: pki.Printable(e.Alias)})
		}
		for _, parsed := range e.Chain {
			c.certs = append(c.certs, parsed.Raw)
		}
	}
	return nil
}

// cutSequence splits data after the SEQUENCE in DER that it begins with.
func cutSequence(data []byte) (first, rest []byte, ok bool) {
	in := cryptobyte.String(data)
	var s cryptobyte.String
	ok = in.ReadASN1Element(&s, cbasn1.SEQUENCE)
	return s, in, ok
}
