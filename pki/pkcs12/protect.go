package pkcs12

import (
	"crypto"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/pbkdf2"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
)

// encrypted is ciphertext with its AlgorithmIdentifier, DER.
type encrypted struct {
	algorithm, data []byte
}

// open decrypts, once the cost is known to be bearable.
func (r *reader) open(e encrypted) ([]byte, error) {
	s, algorithm := cryptobyte.String(e.algorithm), cryptobyte.String(nil)
	var kind asn1.ObjectIdentifier
	if !s.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&kind) {
		return nil, errShape
	}
	if kind.Equal(oidPBES2()) {
		return r.openPBES2(e)
	}
	i := slices.IndexFunc(oldCiphers, func(c oldCipher) bool { return kind.Equal(c.oid) })
	if i < 0 {
		return nil, fmt.Errorf("it is encrypted with %s, none of PBES2, 3DES and RC2", kind)
	}
	c := oldCiphers[i]
	var parameters, salt cryptobyte.String
	var iterations int
	if !algorithm.ReadASN1(&parameters, cbasn1.SEQUENCE) || !algorithm.Empty() || !parameters.ReadASN1(&salt, cbasn1.OCTET_STRING) ||
		!parameters.ReadASN1Integer(&iterations) || !parameters.Empty() || len(salt) > maxSalt {
		return nil, errShape
	}
	if err := r.spend(iterations, 3); err != nil { // twice for 24 bytes of key, once for the vector
		return nil, err
	}
	return c.decrypt(e.data, salt, r.pass.bmp, iterations)
}

func (r *reader) openPBES2(e encrypted) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(e.algorithm)
		b.AddASN1OctetString(e.data)
	})
	whole, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	work, err := pki.PBES2Work(whole)
	if err != nil {
		return nil, err
	}
	if err := r.spend(work, 1); err != nil {
		return nil, err
	}
	plain, err := pki.OpenPBES2(whole, r.pass.utf8)
	if errors.Is(err, pki.ErrWrongPassphrase) {
		return nil, ErrWrongPassword
	}
	return plain, err
}

// oldCipher is one of the schemes of RFC 7292, Appendix C. Those with RC4 never
// came into use.
type oldCipher struct {
	oid       asn1.ObjectIdentifier
	keyLength int // as derived
	open      func(key []byte) (cipher.Block, error)
}

var oldCiphers = []oldCipher{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}, 24, des.NewTripleDESCipher},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 4}, 16, newTwoKeyDES},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 5}, 16, func(key []byte) (cipher.Block, error) { return newRC2(key, 128) }},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 6}, 5, func(key []byte) (cipher.Block, error) { return newRC2(key, 40) }},
}

// newTwoKeyDES is triple DES whose third key is the first.
func newTwoKeyDES(key []byte) (cipher.Block, error) {
	return des.NewTripleDESCipher(append(slices.Clone(key), key[:8]...))
}

func (c oldCipher) block(salt, bmp []byte, iterations int) (block cipher.Block, iv []byte, err error) {
	key := derive(crypto.SHA1, salt, bmp, iterations, forKey, c.keyLength)
	defer clear(key)
	if block, err = c.open(key); err != nil {
		return nil, nil, fmt.Errorf("decrypt: %w", err)
	}
	return block, derive(crypto.SHA1, salt, bmp, iterations, forIV, block.BlockSize()), nil
}

func (c oldCipher) decrypt(data, salt, bmp []byte, iterations int) ([]byte, error) {
	block, iv, err := c.block(salt, bmp, iterations)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data)%block.BlockSize() != 0 {
		return nil, errors.New("the ciphertext is cut off")
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	n := int(plain[len(plain)-1])
	if n == 0 || n > block.BlockSize() || slices.ContainsFunc(plain[len(plain)-n:], func(b byte) bool { return int(b) != n }) {
		return nil, ErrWrongPassword
	}
	return plain[:len(plain)-n], nil
}

func (c oldCipher) encrypt(plain, salt, bmp []byte, iterations int) ([]byte, error) {
	block, iv, err := c.block(salt, bmp, iterations)
	if err != nil {
		return nil, err
	}
	n := block.BlockSize() - len(plain)%block.BlockSize()
	padded := slices.Concat(plain, slices.Repeat([]byte{byte(n)}, n))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return padded, nil
}

// mac is a MacData: the HMAC over all with its key derivation.
type mac struct {
	hash       crypto.Hash // of the HMAC, and of the derivation of PKCS #12
	salt       []byte
	iterations int
	digest     []byte
	prf        crypto.Hash // of PBKDF2 in PBMAC1; 0: the derivation of PKCS #12
	keyLength  int         // of PBMAC1
}

// rounds is how often the iterations are gone through.
func (m mac) rounds() int {
	if m.prf == 0 {
		return 1
	}
	return (m.keyLength + m.prf.Size() - 1) / m.prf.Size()
}

func (m mac) compute(safe []byte, pass password) []byte {
	var key []byte
	if m.prf == 0 {
		key = derive(m.hash, m.salt, pass.bmp, m.iterations, forMAC, m.hash.Size())
	} else {
		var err error
		if key, err = pbkdf2.Key(m.prf.New, string(pass.utf8), m.salt, m.iterations, m.keyLength); err != nil {
			return nil // equal to no digest
		}
	}
	defer clear(key)
	h := hmac.New(m.hash.New, key)
	h.Write(safe)
	return h.Sum(nil)
}

// parseMAC reads MacData (RFC 7292, Section 4).
func parseMAC(s cryptobyte.String) (mac, error) {
	m := mac{iterations: 1}
	var info, algorithm, digest, salt cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !info.ReadASN1(&digest, cbasn1.OCTET_STRING) ||
		!info.Empty() || !algorithm.ReadASN1ObjectIdentifier(&kind) || !s.ReadASN1(&salt, cbasn1.OCTET_STRING) {
		return m, errShape
	}
	if !s.Empty() && (!s.ReadASN1Integer(&m.iterations) || !s.Empty()) {
		return m, errShape
	}
	if len(salt) > maxSalt {
		return m, fmt.Errorf("a salt of %d bytes, more than the limit of %d", len(salt), maxSalt)
	}
	m.digest, m.salt = digest, salt
	if kind.Equal(oidPBMAC1()) {
		return m, m.parsePBMAC1(algorithm)
	}
	for _, h := range hashes {
		if kind.Equal(h.oid) {
			m.hash = h.hash
			return m, nil
		}
	}
	return m, fmt.Errorf("the MAC uses %s, none of SHA-1 and SHA-2", kind)
}

// parsePBMAC1 reads PBMAC1-params (RFC 9579, Section 4): PBKDF2 with a stated key
// length, then an HMAC. The salt and the count outside mean nothing.
func (m *mac) parsePBMAC1(s cryptobyte.String) error {
	var parameters, kdf, derivation, prf, scheme, salt cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1(&parameters, cbasn1.SEQUENCE) || !s.Empty() || !parameters.ReadASN1(&kdf, cbasn1.SEQUENCE) ||
		!parameters.ReadASN1(&scheme, cbasn1.SEQUENCE) || !parameters.Empty() || !kdf.ReadASN1ObjectIdentifier(&oid) ||
		!oid.Equal(oidPBKDF2()) || !kdf.ReadASN1(&derivation, cbasn1.SEQUENCE) || !kdf.Empty() ||
		!derivation.ReadASN1(&salt, cbasn1.OCTET_STRING) || !derivation.ReadASN1Integer(&m.iterations) || !derivation.ReadASN1Integer(&m.keyLength) {
		return errors.New("a PBMAC1 that cannot be read")
	}
	// RFC 9579 would have short keys refused: one could be guessed in the place of the password.
	if len(salt) > maxSalt || m.keyLength < 20 || m.keyLength > 64 {
		return errors.New("a PBMAC1 with a salt or a key length beyond reason")
	}
	m.salt, m.prf = salt, crypto.SHA1
	if !derivation.Empty() {
		if !derivation.ReadASN1(&prf, cbasn1.SEQUENCE) || !derivation.Empty() {
			return errShape
		}
		if m.prf = hmacHash(prf); m.prf == 0 {
			return errors.New("a PBMAC1 with an unknown pseudorandom function")
		}
	}
	if m.hash = hmacHash(scheme); m.hash == 0 {
		return errors.New("a PBMAC1 with an unknown HMAC")
	}
	return nil
}

// hmacHash reads the AlgorithmIdentifier of an HMAC; 0: unknown.
func hmacHash(s cryptobyte.String) crypto.Hash {
	var oid asn1.ObjectIdentifier
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return 0
	}
	for _, h := range hashes {
		if oid.Equal(h.hmac) {
			return h.hash
		}
	}
	return 0
}
