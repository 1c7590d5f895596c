package jks

import (
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var errShape = errors.New("the file is cut off or damaged")

// survey walks through the outline of a store. The library trusts the lengths it
// reads, and would make room for four billion certificates or a key of negative
// size.
func survey(data []byte) error {
	switch {
	case len(data) > maxFile:
		return fmt.Errorf("%d bytes, more than the limit of %d", len(data), maxFile)
	case len(data) >= 4 && binary.BigEndian.Uint32(data) == 0xcececece:
		return errors.New("it is a JCEKS store; let keytool -importkeystore make PKCS #12 of it")
	case !Is(data):
		return errors.New("it does not begin as one")
	case len(data) < 12+sha1.Size:
		return errShape
	}
	w := walker{rest: data[4 : len(data)-sha1.Size]}
	version := w.uint32()
	if version != 1 && version != 2 {
		return fmt.Errorf("version %d, neither 1 nor 2", version)
	}
	count := w.uint32()
	if count > maxEntries {
		return fmt.Errorf("%d entries, more than the limit of %d", count, maxEntries)
	}
	aliases := make(map[string]bool)
	for range count {
		tag := w.uint32()
		alias := string(w.take(int(w.uint16()), maxAlias))
		if aliases[alias] {
			return errors.New("an alias is there twice")
		}
		aliases[alias] = true
		w.take(8, 8) // when it was made
		certs := uint32(1)
		switch tag {
		case 1:
			key := w.take(int(w.uint32()), maxKey)
			if !w.failed && !isProtectedKey(key) {
				return errors.New("a private key that is not protected as Java does it")
			}
			if certs = w.uint32(); certs > maxChain {
				return fmt.Errorf("a chain of %d certificates, more than the limit of %d", certs, maxChain)
			}
		case 2:
		default:
			return errShape
		}
		for range certs {
			if version == 2 {
				w.take(int(w.uint16()), maxAlias) // its type
			}
			w.take(int(w.uint32()), maxFile)
		}
		if w.failed {
			return errShape
		}
	}
	if w.failed || len(w.rest) > 0 {
		return errShape
	}
	return nil
}

// isProtectedKey reports whether data is an EncryptedPrivateKeyInfo with Sun's own
// algorithm: 20 bytes of salt, the key, and 20 bytes of digest.
func isProtectedKey(data []byte) bool {
	s, info, algorithm := cryptobyte.String(data), cryptobyte.String(nil), cryptobyte.String(nil)
	var oid asn1.ObjectIdentifier
	var sealed cryptobyte.String
	return s.ReadASN1(&info, cbasn1.SEQUENCE) && s.Empty() && info.ReadASN1(&algorithm, cbasn1.SEQUENCE) &&
		algorithm.ReadASN1ObjectIdentifier(&oid) && oid.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}) &&
		info.ReadASN1(&sealed, cbasn1.OCTET_STRING) && info.Empty() && len(sealed) > 2*sha1.Size
}

// walker reads lengths and steps over what they measure. Once it has failed it
// yields zeros.
type walker struct {
	rest   []byte
	failed bool
}

func (w *walker) take(n, most int) []byte {
	if w.failed || n < 0 || n > most || n > len(w.rest) {
		w.failed = true
		return nil
	}
	part := w.rest[:n]
	w.rest = w.rest[n:]
	return part
}

func (w *walker) uint16() uint16 {
	if b := w.take(2, 2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (w *walker) uint32() uint32 {
	if b := w.take(4, 4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}
