package pkcs12

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
)

// What the profiles demand of whoever guesses passwords. 250,000 stays below the
// 300,000 that .NET reads without being told.
const (
	modernIterations = 250_000
	modernKDF        = pki.KDF("pbkdf2:250000")
	legacyIterations = 2048
)

// Encode writes a bundle under a password (UTF-8): the key with its chain, leaf
// first, and certificates for Java to trust. A key needs a password and the
// certificate it belongs to; certificates alone may go without a password, and are
// then neither encrypted nor authenticated. What cannot be sound is refused with a
// [*pki.RefusedError].
func Encode(b Bundle, secret []byte, p Profile) ([]byte, error) {
	der, err := encode(b, secret, p)
	if err != nil {
		return nil, fmt.Errorf("write PKCS #12: %w", err)
	}
	return der, nil
}

func encode(b Bundle, secret []byte, p Profile) ([]byte, error) {
	if p != Modern && p != Legacy {
		return nil, errors.New("unknown profile")
	}
	if err := check(b, secret); err != nil {
		return nil, err
	}
	pass, err := newPassword(secret)
	if err != nil {
		return nil, err
	}
	w := writer{pass: pass, profile: p}
	safe, err := w.safe(b)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(out *cryptobyte.Builder) {
		out.AddASN1Int64(3)
		addData(out, safe)
		if len(secret) > 0 {
			w.addMAC(out, safe)
		}
	})
	return out.Bytes()
}

func check(b Bundle, secret []byte) error {
	switch {
	case b.Key == nil && len(b.Chain)+len(b.Trusted) == 0:
		return &pki.RefusedError{Reason: "there is nothing to write", Hint: "give a private key with its certificate, or certificates to trust"}
	case len(b.Chain)+len(b.Trusted) >= maxBags:
		return &pki.RefusedError{Reason: fmt.Sprintf("%d certificates are more than a file may hold", len(b.Chain)+len(b.Trusted)), Hint: "write several files"}
	case b.Key == nil:
		return nil
	case len(secret) == 0:
		return &pki.RefusedError{Reason: "a private key without a password", Hint: "choose a password"}
	case len(b.Chain) == 0:
		return &pki.RefusedError{Reason: "a private key without its certificate", Hint: "give the certificate too"}
	case b.Chain[0].PublicKey != nil && !pki.SameKey(b.Chain[0].PublicKey, b.Key.Public()):
		return &pki.RefusedError{Reason: "the private key does not belong to the first certificate", Hint: "put the leaf first"}
	}
	return nil
}

type writer struct {
	pass    password
	profile Profile
}

// safe writes the AuthenticatedSafe: certificates encrypted as a whole, then the
// key, encrypted by itself, as OpenSSL and Java lay it out.
func (w writer) safe(b Bundle) ([]byte, error) {
	certs, err := w.certBags(b)
	if err != nil {
		return nil, err
	}
	var containers cryptobyte.Builder
	if len(certs) > 0 {
		if err := w.addCertificates(&containers, certs); err != nil {
			return nil, err
		}
	}
	if b.Key != nil {
		keyID := sha1.Sum(b.Chain[0].Raw)
		plain, err := pki.MarshalPrivateKeyDER(b.Key)
		if err != nil {
			return nil, err
		}
		defer clear(plain)
		sealed, err := w.seal(plain)
		if err != nil {
			return nil, err
		}
		attributes, err := bagAttributes(keyID[:], b.FriendlyName, false)
		if err != nil {
			return nil, err
		}
		bag, err := safeBag(oidShroudedKeyBag(), attributes, func(b *cryptobyte.Builder) {
			b.AddBytes(sealed.algorithm)
			b.AddASN1OctetString(sealed.data)
		})
		if err != nil {
			return nil, err
		}
		list, err := sequence(bag)
		if err != nil {
			return nil, err
		}
		addData(&containers, list)
	}
	inner, err := containers.Bytes()
	if err != nil {
		return nil, err
	}
	return sequence(inner)
}

func (w writer) certBags(b Bundle) ([]byte, error) {
	var all []byte
	names := make(map[string]bool)
	for i, c := range slices.Concat(b.Chain, b.Trusted) {
		var keyID []byte
		name, trusted := "", i >= len(b.Chain)
		switch {
		case trusted:
			// Java keeps its entries apart by this name only.
			base := c.Subject.CommonName
			if base == "" {
				base = pki.Fingerprint(c.Raw)[:16]
			}
			name = base
			for n := 2; names[strings.ToLower(name)]; n++ {
				name = fmt.Sprintf("%s %d", base, n)
			}
			names[strings.ToLower(name)] = true
		case i == 0:
			name = b.FriendlyName
			if b.Key != nil {
				sum := sha1.Sum(c.Raw)
				keyID = sum[:]
			}
		}
		attributes, err := bagAttributes(keyID, name, trusted)
		if err != nil {
			return nil, err
		}
		bag, err := safeBag(oidCertBag(), attributes, func(v *cryptobyte.Builder) {
			v.AddASN1ObjectIdentifier(oidX509Certificate())
			v.AddASN1(tag0.explicit, func(v *cryptobyte.Builder) { v.AddASN1OctetString(c.Raw) })
		})
		if err != nil {
			return nil, err
		}
		all = append(all, bag...)
	}
	return all, nil
}

// addCertificates adds the container of the certificates.
func (w writer) addCertificates(b *cryptobyte.Builder, bags []byte) error {
	list, err := sequence(bags)
	if err != nil {
		return err
	}
	if len(w.pass.utf8) == 0 {
		addData(b, list)
		return nil
	}
	sealed, err := w.seal(list)
	if err != nil {
		return err
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidEncryptedData())
		b.AddASN1(tag0.explicit, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidData())
					b.AddBytes(sealed.algorithm)
					b.AddASN1(tag0.implicit, func(b *cryptobyte.Builder) { b.AddBytes(sealed.data) })
				})
			})
		})
	})
	return nil
}

// seal encrypts as the profile says.
func (w writer) seal(plain []byte) (encrypted, error) {
	if w.profile == Modern {
		der, err := pki.SealPBES2(plain, w.pass.utf8, modernKDF)
		if err != nil {
			return encrypted{}, err
		}
		s, inner := cryptobyte.String(der), cryptobyte.String(nil)
		var algorithm, data cryptobyte.String
		if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !inner.ReadASN1(&data, cbasn1.OCTET_STRING) {
			return encrypted{}, errShape
		}
		return encrypted{algorithm, data}, nil
	}
	c := oldCiphers[0] // 3DES
	salt := make([]byte, 8)
	_, _ = rand.Read(salt) // never fails
	data, err := c.encrypt(plain, salt, w.pass.bmp, legacyIterations)
	if err != nil {
		return encrypted{}, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(c.oid)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(salt)
			b.AddASN1Int64(legacyIterations)
		})
	})
	algorithm, err := b.Bytes()
	return encrypted{algorithm, data}, err
}

// addMAC adds MacData over the octets of the safe.
func (w writer) addMAC(b *cryptobyte.Builder, safe []byte) {
	m := mac{hash: crypto.SHA256, iterations: modernIterations, salt: make([]byte, 16)}
	oid := hashes[2].oid
	if w.profile == Legacy {
		m.hash, m.iterations, oid = crypto.SHA1, legacyIterations, hashes[0].oid
	}
	_, _ = rand.Read(m.salt) // never fails
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oid)
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(m.compute(safe, w.pass))
		})
		b.AddASN1OctetString(m.salt)
		b.AddASN1Int64(int64(m.iterations))
	})
}

// addData adds a ContentInfo of type data.
func addData(b *cryptobyte.Builder, content []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidData())
		b.AddASN1(tag0.explicit, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
	})
}

func sequence(content []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(content) })
	return b.Bytes()
}

// safeBag writes a bag whose value is a SEQUENCE.
func safeBag(kind asn1.ObjectIdentifier, attributes []byte, value func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(kind)
		b.AddASN1(tag0.explicit, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, value) })
		b.AddBytes(attributes)
	})
	return b.Bytes()
}

// bagAttributes writes the SET of attributes, nothing if there are none.
func bagAttributes(keyID []byte, name string, trusted bool) ([]byte, error) {
	var all [][]byte
	var failed error
	add := func(kind asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(kind)
			b.AddASN1(cbasn1.SET, value)
		})
		attribute, err := b.Bytes()
		failed = errors.Join(failed, err)
		all = append(all, attribute)
	}
	if len(keyID) > 0 {
		add(oidLocalKeyID(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(keyID) })
	}
	if name != "" {
		wide, err := bmp(name)
		if err != nil {
			return nil, err
		}
		add(oidFriendlyName(), func(b *cryptobyte.Builder) {
			b.AddASN1(bmpString, func(b *cryptobyte.Builder) { b.AddBytes(wide) })
		})
	}
	if trusted {
		add(oidJavaTrusted(), func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidAnyUsage()) })
	}
	if failed != nil || len(all) == 0 {
		return nil, failed
	}
	slices.SortFunc(all, bytes.Compare) // DER orders a SET OF by its encodings
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(all...)) })
	return b.Bytes()
}
