package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// attributes are those of a bag that mean something here.
type attributes struct {
	name    string
	keyID   []byte
	trusted bool // Java's mark
}

type keyBag struct {
	key crypto.Signer
	attributes
}

type certBag struct {
	cert *x509.Certificate
	attributes
}

// bag reads the next SafeBag (RFC 7292, Section 4.2).
func (r *reader) bag(list *cryptobyte.String) error {
	var bag, value cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !list.ReadASN1(&bag, cbasn1.SEQUENCE) || !bag.ReadASN1ObjectIdentifier(&kind) || !bag.ReadASN1(&value, tag0.explicit) {
		return errShape
	}
	a, err := readAttributes(&bag)
	if err != nil {
		return err
	}
	switch {
	case kind.Equal(oidKeyBag()), kind.Equal(oidShroudedKeyBag()):
		if r.key != nil {
			return errors.New("it holds more than one private key")
		}
		key, err := r.readKey(value, kind.Equal(oidShroudedKeyBag()))
		if err != nil {
			return err
		}
		r.key = &keyBag{key, a}
	case kind.Equal(oidCertBag()):
		c, err := readCertificate(value)
		if err != nil {
			return fmt.Errorf("certificate %d: %w", len(r.certs)+len(r.trusted)+1, err)
		}
		if c == nil {
			return nil
		}
		if a.trusted {
			r.trusted, r.trustees = append(r.trusted, c), append(r.trustees, a.name)
		} else {
			r.certs = append(r.certs, certBag{c, a})
		}
	case kind.Equal(oidSafeContentsBag()):
		return errors.New("bags within bags")
	}
	return nil // bags of CRLs and secrets are left out
}

func (r *reader) readKey(value cryptobyte.String, shrouded bool) (crypto.Signer, error) {
	plain := []byte(value)
	if shrouded {
		var s, data cryptobyte.String
		var algorithm cryptobyte.String
		if !value.ReadASN1(&s, cbasn1.SEQUENCE) || !value.Empty() || !s.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
			!s.ReadASN1(&data, cbasn1.OCTET_STRING) || !s.Empty() {
			return nil, errShape
		}
		var err error
		if plain, err = r.open(encrypted{algorithm: algorithm, data: data}); err != nil {
			return nil, err
		}
		defer clear(plain)
	}
	key, err := pki.ParsePrivateKeyDER(plain, nil)
	if err != nil {
		return nil, err
	}
	return key, nil
}

// readCertificate returns nil for a certificate that is none of X.509.
func readCertificate(value cryptobyte.String) (*x509.Certificate, error) {
	var bag, wrapped, der cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !value.ReadASN1(&bag, cbasn1.SEQUENCE) || !value.Empty() || !bag.ReadASN1ObjectIdentifier(&kind) ||
		!bag.ReadASN1(&wrapped, tag0.explicit) || !bag.Empty() {
		return nil, errShape
	}
	if !kind.Equal(oidX509Certificate()) {
		return nil, nil
	}
	if !wrapped.ReadASN1(&der, cbasn1.OCTET_STRING) || !wrapped.Empty() {
		return nil, errShape
	}
	return cert.ParseX509(der)
}

// readAttributes reads the bagAttributes, if any. Attributes that mean nothing
// here are passed over.
func readAttributes(bag *cryptobyte.String) (attributes, error) {
	var a attributes
	if bag.Empty() {
		return a, nil
	}
	var set cryptobyte.String
	if !bag.ReadASN1(&set, cbasn1.SET) || !bag.Empty() {
		return a, errShape
	}
	for n := 0; !set.Empty(); n++ {
		if n == maxAttributes {
			return a, fmt.Errorf("more than %d attributes of one bag", maxAttributes)
		}
		var attribute, values, value cryptobyte.String
		var kind asn1.ObjectIdentifier
		if !set.ReadASN1(&attribute, cbasn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&kind) ||
			!attribute.ReadASN1(&values, cbasn1.SET) || !attribute.Empty() {
			return a, errShape
		}
		switch {
		case kind.Equal(oidFriendlyName()):
			if !values.ReadASN1(&value, bmpString) {
				return a, errors.New("a friendly name is not a BMP string")
			}
			var err error
			if a.name, err = fromBMP(value); err != nil {
				return a, err
			}
		case kind.Equal(oidLocalKeyID()):
			if !values.ReadASN1(&value, cbasn1.OCTET_STRING) {
				return a, errShape
			}
			a.keyID = value
		case kind.Equal(oidJavaTrusted()):
			a.trusted = true
		}
	}
	return a, nil
}

// bundle sorts what was found.
func (r *reader) bundle() (Bundle, error) {
	b := Bundle{Trusted: r.trusted}
	if r.key != nil {
		b.Key, b.FriendlyName = r.key.key, r.key.name
		isLeaf := func(c certBag) bool { return pki.SameKey(c.cert.PublicKey, b.Key.Public()) }
		i := slices.IndexFunc(r.certs, isLeaf)
		if i < 0 && len(r.key.keyID) > 0 { // a key that crypto/x509 does not read, as RSASSA-PSS
			i = slices.IndexFunc(r.certs, func(c certBag) bool {
				return c.cert.PublicKey == nil && bytes.Equal(c.keyID, r.key.keyID)
			})
		}
		if i > 0 {
			leaf := r.certs[i]
			r.certs = slices.Insert(slices.Delete(r.certs, i, i+1), 0, leaf)
		}
	}
	for _, c := range r.certs {
		b.Chain = append(b.Chain, c.cert)
		if b.FriendlyName == "" && r.key == nil || b.FriendlyName == "" && len(b.Chain) == 1 {
			b.FriendlyName = c.name
		}
	}
	if b.FriendlyName == "" && len(r.trustees) == 1 {
		b.FriendlyName = r.trustees[0]
	}
	if b.Key == nil && len(b.Chain)+len(b.Trusted) == 0 {
		return b, errors.New("it holds neither a private key nor a certificate")
	}
	return b, nil
}
