package minitls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// sharedSecret is what both sides can compute, and nobody who only listened (step 8).
func sharedSecret(private *ecdh.PrivateKey, peer []byte) ([]byte, *Error) {
	public, err := ecdh.X25519().NewPublicKey(peer)
	if err != nil {
		return nil, fail(CheckKeyShare, "EphPubKey is not an X25519 public key of 32 bytes")
	}
	shared, err := private.ECDH(public)
	if err != nil {
		return nil, fail(CheckKeyShare, "EphPubKey leads to a secret of zeros, which everybody knows")
	}
	return shared, nil
}

// expand is HKDF with SHA-256 and no salt (RFC 5869). The label keeps keys apart that come from one secret: whoever
// learns one of them knows nothing of the others.
func expand(secret []byte, label string, length int) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, label, length)
	if err != nil {
		panic(err) // only lengths above 8160 bytes are refused, and ours are constants
	}
	return key
}

// keys is what everything else is derived from, 32 bytes (step 9).
type keys []byte

// finished is the MAC of a Finished message over a transcript hash (step 14); who is "client" or "server".
func (k keys) finished(who string, transcriptHash []byte) []byte {
	mac := hmac.New(sha256.New, expand(k, who+" finished", 32))
	mac.Write(transcriptHash)
	return mac.Sum(nil)
}

// direction protects what goes one way (step 15).
type direction struct {
	aead cipher.AEAD
	iv   []byte
	seq  uint64 // of the next record
}

func (k keys) direction(who string) *direction {
	block, err := aes.NewCipher(expand(k, who+" app key", 32))
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM wants
	}
	return &direction{aead: aead, iv: expand(k, who+" app iv", 12)}
}

// nonce is the IV with the sequence number XORed into its last eight bytes: the same nonce never comes twice.
func (d *direction) nonce() []byte {
	nonce := append([]byte(nil), d.iv...)
	last := nonce[len(nonce)-8:]
	binary.BigEndian.PutUint64(last, binary.BigEndian.Uint64(last)^d.seq)
	return nonce
}

// seal makes the next Data line.
func (d *direction) seal(plaintext []byte) []byte {
	line := encode(Data{"Data", d.seq, d.aead.Seal(nil, d.nonce(), plaintext, nil)})
	d.seq++
	return line
}

// open reads the next Data line. The number in it only says what the sender believes: the nonce is made of our own.
func (d *direction) open(line []byte) ([]byte, *Error) {
	var m Data
	if err := decode(line, "Data", &m); err != nil {
		return nil, err
	}
	if m.Seq != d.seq {
		return nil, fail(CheckSequence, "record %d arrives where %d must come: one was lost, repeated or moved", m.Seq, d.seq)
	}
	plaintext, err := d.aead.Open(nil, d.nonce(), m.Ciphertext, nil)
	if err != nil {
		return nil, fail(CheckTag, "record %d was changed, or sealed with another key", m.Seq)
	}
	d.seq++
	return plaintext, nil
}
