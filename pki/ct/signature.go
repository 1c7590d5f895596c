package ct

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
)

// The algorithms that RFC 6962, Section 2.1.4 allows to logs.
const (
	hashSHA256     = 4
	algorithmRSA   = 1
	algorithmECDSA = 3
)

// ErrSignature is returned when a log's signature does not fit.
var ErrSignature = errors.New("the log's signature does not fit")

// CheckSignature checks the signature of a timestamp over an entry. It knows
// nothing about whose key that is. The error is [ErrSignature] where the signature
// does not fit; others say why it could not be checked.
func CheckSignature(s SCT, e Entry, key crypto.PublicKey) error {
	if s.Version != 0 {
		return fmt.Errorf("a timestamp of the unknown version %d", int(s.Version)+1)
	}
	data, err := e.signedData(s)
	if err != nil {
		return err
	}
	return checkDigitallySigned(data, s.Hash, s.Algorithm, s.Signature, key)
}

func checkDigitallySigned(data []byte, hash, algorithm uint8, signature []byte, key crypto.PublicKey) error {
	digest := sha256.Sum256(data)
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if hash != hashSHA256 || algorithm != algorithmECDSA {
			return fmt.Errorf("a signature with algorithms %d and %d by an ECDSA key", hash, algorithm)
		}
		if !ecdsa.VerifyASN1(k, digest[:], signature) {
			return ErrSignature
		}
		return nil
	case *rsa.PublicKey:
		if hash != hashSHA256 || algorithm != algorithmRSA {
			return fmt.Errorf("a signature with algorithms %d and %d by an RSA key", hash, algorithm)
		}
		if rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature) != nil {
			return ErrSignature
		}
		return nil
	}
	return fmt.Errorf("a log cannot have a key of type %T", key)
}

// Sign makes a timestamp as a log does, for logs of our own. The key is ECDSA or
// RSA.
func Sign(e Entry, at time.Time, extensions []byte, key crypto.Signer) (SCT, error) {
	id, err := LogID(key.Public())
	if err != nil {
		return SCT{}, err
	}
	s := SCT{LogID: id, Timestamp: uint64(at.UnixMilli()), Extensions: extensions}
	if e.Precertificate {
		s.Source = Embedded
	} else {
		s.Source = Extension
	}
	data, err := e.signedData(s)
	if err != nil {
		return SCT{}, err
	}
	if s.Hash, s.Algorithm, s.Signature, err = digitallySign(data, key); err != nil {
		return SCT{}, err
	}
	s.Raw, err = s.Append(nil)
	return s, err
}

func digitallySign(data []byte, key crypto.Signer) (hash, algorithm uint8, signature []byte, err error) {
	switch key.Public().(type) {
	case *ecdsa.PublicKey:
		algorithm = algorithmECDSA
	case *rsa.PublicKey:
		algorithm = algorithmRSA
	default:
		return 0, 0, nil, fmt.Errorf("a log cannot have a key of type %T", key.Public())
	}
	digest := sha256.Sum256(data)
	signature, err = key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("sign for a log: %w", err)
	}
	return hashSHA256, algorithm, signature, nil
}

// LogID is how timestamps call a log: the SHA-256 of its key, as
// SubjectPublicKeyInfo (RFC 6962, Section 3.2).
func LogID(key crypto.PublicKey) ([32]byte, error) {
	der, err := cert.MarshalPublicKey(key)
	if err != nil {
		return [32]byte{}, fmt.Errorf("identify a log: %w", err)
	}
	return sha256.Sum256(der), nil
}
