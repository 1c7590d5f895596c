package scan

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"math/big"

	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// clientKeyExchange agrees on the premaster secret and gives the body of the message that tells the server.
func (hs *handshake12) clientKeyExchange() ([]byte, error) {
	switch hs.suite.Exchange {
	case legacy.ExchangeRSA:
		key, err := hs.rsaKey()
		if err != nil {
			return nil, err
		}
		if hs.premaster, err = hs.rsaPremaster(); err != nil {
			return nil, err
		}
		sealed, err := key.seal(hs.premaster)
		if err != nil {
			return nil, err
		}
		return hs.rsaBody(sealed), nil
	case legacy.ExchangeDHE:
		return hs.finiteField()
	case legacy.ExchangeECDHE:
		return hs.curve()
	}
	return nil, errUnfinishable
}

// rsaPremaster is the version that was offered and random bytes (RFC 5246, Section 7.4.7.1).
func (hs *handshake12) rsaPremaster() ([]byte, error) {
	const randomAt, versionAt = 2, 4
	secret := make([]byte, legacy.MasterLen)
	if _, err := rand.Read(secret[randomAt:]); err != nil {
		return nil, err
	}
	copy(secret, hs.a.Sent.Raw[versionAt:versionAt+2])
	return secret, nil
}

// rsaBody is the encrypted secret as the version wants it: SSL 3.0 has no length in front.
func (hs *handshake12) rsaBody(sealed []byte) []byte {
	if hs.a.Version == wire.VersionSSL30 {
		return sealed
	}
	return append([]byte{byte(len(sealed) >> 8), byte(len(sealed))}, sealed...)
}

// rsaKey is the key that the secret is encrypted for: the certificate's, or the temporary one of an export suite.
func (hs *handshake12) rsaKey() (rsaPublic, error) {
	if k := hs.a.KeyExchange; k != nil && len(k.RSAModulus) > 0 {
		return newRSAPublic(new(big.Int).SetBytes(k.RSAModulus), new(big.Int).SetBytes(k.RSAExponent))
	}
	return rsaOf(hs.a.Chain)
}

// rsaOf gives the RSA key of the first certificate.
func rsaOf(chain [][]byte) (rsaPublic, error) {
	if len(chain) == 0 {
		return rsaPublic{}, fmt.Errorf("%w: no certificate", errHandshake12)
	}
	leaf, err := cert.Parse(chain[0])
	if err != nil {
		return rsaPublic{}, fmt.Errorf("%w: %w", errHandshake12, err)
	}
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return rsaPublic{}, fmt.Errorf("%w: the certificate has no RSA key", errHandshake12)
	}
	return newRSAPublic(key.N, big.NewInt(int64(key.E)))
}

// rsaPublic is an RSA key of any size, the small ones of old servers included, which crypto/rsa refuses to work with.
type rsaPublic struct {
	n, e *big.Int
	size int // of the modulus in bytes
}

func newRSAPublic(n, e *big.Int) (rsaPublic, error) {
	const most = 16384 // bits
	if n.BitLen() < 256 || n.BitLen() > most || e.Sign() <= 0 || e.BitLen() > most || n.Bit(0) == 0 {
		return rsaPublic{}, fmt.Errorf("%w: an RSA key of %d bits with an exponent of %d", errHandshake12, n.BitLen(), e.BitLen())
	}
	return rsaPublic{n, e, (n.BitLen() + 7) / 8}, nil
}

// seal pads and encrypts a secret (RFC 8017, Section 7.2.1).
func (k rsaPublic) seal(secret []byte) ([]byte, error) {
	block, err := k.padded(secret)
	if err != nil {
		return nil, err
	}
	return k.raw(block), nil
}

// padded is the block that is encrypted: 00 02, random bytes that are not zero, 00, the secret.
func (k rsaPublic) padded(secret []byte) ([]byte, error) {
	if len(secret)+11 > k.size {
		return nil, fmt.Errorf("%w: the RSA key is too small", errHandshake12)
	}
	block := make([]byte, k.size)
	filler := block[2 : k.size-len(secret)-1]
	if _, err := rand.Read(filler); err != nil {
		return nil, err
	}
	for i, b := range filler {
		if b == 0 {
			filler[i] = byte(i%255) + 1
		}
	}
	block[1] = 2
	copy(block[k.size-len(secret):], secret)
	return block, nil
}

// raw encrypts a block as it is.
func (k rsaPublic) raw(block []byte) []byte {
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, k.e, k.n).FillBytes(make([]byte, k.size))
}

// finiteField is the exchange over a prime field.
func (hs *handshake12) finiteField() ([]byte, error) {
	const most, secretBits = 16384, 256
	k := hs.a.KeyExchange
	if k == nil || len(k.Prime) == 0 {
		return nil, fmt.Errorf("%w: no parameters came", errHandshake12)
	}
	p, g, ys := new(big.Int).SetBytes(k.Prime), new(big.Int).SetBytes(k.Generator), new(big.Int).SetBytes(k.Public)
	if p.BitLen() > most || p.BitLen() < 16 || p.Bit(0) == 0 || g.Cmp(p) >= 0 || ys.Cmp(p) >= 0 {
		return nil, fmt.Errorf("%w: parameters of %d bits", errHandshake12, p.BitLen())
	}
	secret := make([]byte, min(secretBits, p.BitLen()-1)/8)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	x := new(big.Int).SetBytes(secret)
	// RFC 5246, Section 8.1.2: leading zeros of the result are dropped.
	hs.premaster = new(big.Int).Exp(ys, x, p).Bytes()
	public := new(big.Int).Exp(g, x, p).Bytes()
	return append([]byte{byte(len(public) >> 8), byte(len(public))}, public...), nil
}

// curve is the exchange over a curve.
func (hs *handshake12) curve() ([]byte, error) {
	k := hs.a.KeyExchange
	if k == nil {
		return nil, fmt.Errorf("%w: no parameters came", errHandshake12)
	}
	share := hs.s.host.scanner.share(k.Group)
	if share == nil || k.Explicit {
		return nil, errUnfinishable
	}
	shared, err := share.Shared(k.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHandshake12, err)
	}
	hs.premaster = shared
	public := bytes.Clone(share.Public())
	return append([]byte{byte(len(public))}, public...), nil
}
