package main

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"

	"github.com/tlswright/tlswright/wire"
)

// operations are public-key operations of one handshake at one end.
type operations func() error

// primitives does the public-key operations of a pair of handshakes and nothing else: two key pairs and two shared
// secrets, and, where nothing is resumed, for each end that shows a certificate a signature, its verification, and the
// verification of the chain of one certificate. What a stack can go below it by is the last of these, which it may
// remember. Resumption in TLS 1.2 has no such operations, and no side here.
func primitives(c *certificates, v variant) (side, error) {
	if v.tls12 && v.resume {
		return side{}, nil
	}
	ends, err := primitiveEnds(c, v)
	return side{name: "primitives", bound: true, run: func(n int) error {
		for range n {
			for _, end := range ends {
				if err := end(); err != nil {
					return err
				}
			}
		}
		return nil
	}}, err
}

// primitiveEnds are those of the client and of the server.
func primitiveEnds(c *certificates, v variant) (ends [2]operations, err error) {
	ends, err = exchangeOf(v.group)
	if err != nil || v.resume {
		return ends, err
	}
	sign, verify, err := authentication(c)
	if err != nil {
		return ends, err
	}
	ends[clientEnd], ends[serverEnd] = both(ends[clientEnd], verify), both(ends[serverEnd], sign)
	if v.mutual {
		ends[clientEnd], ends[serverEnd] = both(ends[clientEnd], sign), both(ends[serverEnd], verify)
	}
	return ends, nil
}

func both(a, b operations) operations { return func() error { return errors.Join(a(), b()) } }

// authentication is what an end does that shows a certificate, and what the other one does: it reads the certificate,
// verifies its chain, and the signature.
func authentication(c *certificates) (sign, verify operations, err error) {
	key, ok := c.key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, errors.New("no primitives for this key")
	}
	roots := x509.NewCertPool()
	roots.AddCert(c.root)
	digest := sha256.Sum256(c.leaf)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	sign = func() error {
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err
	}
	verify = func() error {
		leaf, err := x509.ParseCertificate(c.leaf)
		if err != nil {
			return err
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: serverName, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			return err
		}
		public, ok := leaf.PublicKey.(*ecdsa.PublicKey)
		if !ok || !ecdsa.VerifyASN1(public, digest[:], signature) {
			return errors.New("a signature of ours does not hold")
		}
		return nil
	}
	return sign, verify, err
}

// exchangeOf returns what each end does for a key exchange.
func exchangeOf(g wire.Group) (ends [2]operations, err error) {
	switch g {
	case wire.GroupX25519:
		return diffieHellman(ecdh.X25519())
	case wire.GroupSecp256r1:
		return diffieHellman(ecdh.P256())
	case wire.GroupX25519MLKEM768:
		if ends, err = diffieHellman(ecdh.X25519()); err != nil {
			return ends, err
		}
		client, server, err := encapsulation()
		return [2]operations{both(ends[clientEnd], client), both(ends[serverEnd], server)}, err
	}
	return ends, errors.New("no primitives for this group")
}

// diffieHellman is a key pair and a shared secret at either end.
func diffieHellman(curve ecdh.Curve) (ends [2]operations, err error) {
	theirs, err := curve.GenerateKey(rand.Reader)
	if err != nil {
		return ends, err
	}
	end := func() error {
		key, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		_, err = key.ECDH(theirs.PublicKey())
		return err
	}
	return [2]operations{end, end}, nil
}

// encapsulation is a key pair and the opening of a secret at the client's end, the secret at the server's. The one that is
// opened is for another key, which takes as long (FIPS 203, Algorithm 18).
func encapsulation() (client, server operations, err error) {
	theirs, err := mlkem.GenerateKey768()
	if err != nil {
		return nil, nil, err
	}
	share := theirs.EncapsulationKey().Bytes()
	_, ciphertext := theirs.EncapsulationKey().Encapsulate()
	client = func() error {
		key, err := mlkem.GenerateKey768()
		if err != nil {
			return err
		}
		_ = key.EncapsulationKey().Bytes()
		_, err = key.Decapsulate(ciphertext)
		return err
	}
	server = func() error {
		key, err := mlkem.NewEncapsulationKey768(share)
		if err == nil {
			key.Encapsulate()
		}
		return err
	}
	return client, server, nil
}
