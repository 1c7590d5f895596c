package ech

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/wire"
)

// tagLen is how much longer a payload is than what it holds, with every AEAD that we have.
const tagLen = 16

// Sealer encrypts the inner ClientHellos of one connection.
type Sealer struct {
	Choice
	enc    []byte // nil once it was sent
	sender *hpke.Sender
}

// NewSealer makes a fresh context for a configuration.
func NewSealer(c *Choice) (*Sealer, error) {
	kdf, aead := algorithms(c.Suite)
	enc, sender, err := hpke.NewSender(c.public, kdf, aead, info(c.Config.Append(nil)))
	if err != nil {
		return nil, err
	}
	return &Sealer{*c, enc, sender}, nil
}

// Seal puts an encoded inner ClientHello into the outer one, whose last extension becomes encrypted_client_hello or, if it
// is pre_shared_key, the one before that. It returns the outer ClientHello as a message. The error is a *wire.SizeError
// where it does not fit its length fields (RFC 9849, Section 6.1.1).
func (s *Sealer) Seal(outer *wire.ClientHello, encoded []byte) ([]byte, error) {
	size := len(encoded) + tagLen
	if size > maxPayload {
		return nil, &wire.SizeError{Size: size, Prefix: 2}
	}
	v := wire.ECHClientHello{Type: wire.ECHOuter, CipherSuite: s.Suite, ConfigID: s.Config.ConfigID, Enc: s.enc, Payload: make([]byte, size)}
	insert(outer, &v)
	raw, err := wire.TryAppendMessage(nil, outer)
	if err != nil {
		return nil, err
	}
	payload, err := s.sender.Seal(raw[4:], encoded)
	if err != nil {
		return nil, err
	}
	s.enc, v.Payload = nil, payload
	insert(outer, &v)
	return wire.AppendMessage(raw[:0], outer), nil
}

// maxPayload leaves room for the rest of the outer ClientHello.
const maxPayload = 60 << 10

// insert sets encrypted_client_hello in a hello.
func insert(h *wire.ClientHello, v *wire.ECHClientHello) {
	body := v.AppendBody(nil)
	at := len(h.Extensions)
	for i, e := range h.Extensions {
		switch e.Type {
		case wire.ExtEncryptedClientHello:
			h.Extensions[i].Data = body
			return
		case wire.ExtPreSharedKey:
			at = i
		}
	}
	h.Extensions = append(h.Extensions, wire.Extension{})
	copy(h.Extensions[at+1:], h.Extensions[at:])
	h.Extensions[at] = wire.Extension{Type: wire.ExtEncryptedClientHello, Data: body}
}

// Opener decrypts the inner ClientHellos of one connection.
type Opener struct {
	Key       *Key
	suite     wire.HPKESuite
	recipient *hpke.Recipient
}

// Open tries the keys whose config_id is that of the extension, in order. raw is the outer ClientHello as a message, with
// the extension in it. A nil Opener: none of them fits, and the outer ClientHello is all there is (RFC 9849, Section 7.1).
func Open(keys []*Key, raw []byte, v *wire.ECHClientHello) (o *Opener, encoded []byte) {
	var aad []byte
	for _, k := range keys {
		if k.Config.ConfigID != v.ConfigID || !k.takes(v.CipherSuite) {
			continue
		}
		kdf, aead := algorithms(v.CipherSuite)
		recipient, err := hpke.NewRecipient(v.Enc, k.key, kdf, aead, info(k.Raw))
		if err != nil {
			continue
		}
		if aad == nil {
			if aad, err = authenticated(raw); err != nil {
				return nil, nil
			}
		}
		if encoded, err = recipient.Open(aad, v.Payload); err == nil {
			return &Opener{k, v.CipherSuite, recipient}, encoded
		}
	}
	return nil, nil
}

func (k *Key) takes(s wire.HPKESuite) bool {
	for _, own := range k.Config.CipherSuites {
		if own == s {
			return supported(s)
		}
	}
	return false
}

// Errors of a second ClientHello.
var (
	ErrChanged = errors.New("config_id or cipher_suite differ from the first, or there is another enc")
	ErrDecrypt = errors.New("its payload does not decrypt")
)

// Again decrypts the inner ClientHello behind a HelloRetryRequest. The error is ErrChanged or ErrDecrypt (RFC 9849,
// Section 7.1.1).
func (o *Opener) Again(raw []byte, v *wire.ECHClientHello) ([]byte, error) {
	if v.Type != wire.ECHOuter || v.ConfigID != o.Key.Config.ConfigID || v.CipherSuite != o.suite || len(v.Enc) > 0 {
		return nil, ErrChanged
	}
	aad, err := authenticated(raw)
	if err != nil {
		return nil, ErrDecrypt
	}
	encoded, err := o.recipient.Open(aad, v.Payload)
	if err != nil {
		return nil, ErrDecrypt
	}
	return encoded, nil
}

// authenticated is the ClientHelloOuterAAD of an outer ClientHello: without the message's header, the payload all zeros
// (RFC 9849, Section 5.2).
func authenticated(raw []byte) ([]byte, error) {
	raw = bytes.Clone(raw)
	var hello wire.ClientHello
	if err := hello.Parse(raw); err != nil {
		return nil, err
	}
	var v wire.ECHClientHello
	if _, err := hello.Ext(&v); err != nil {
		return nil, err
	}
	clear(v.Payload) // which lies in raw
	return raw[4:], nil
}

// Grease makes an extension that looks like one that encrypts an encoded inner ClientHello of that many bytes, and encrypts
// nothing (RFC 9849, Section 6.2.1).
func Grease(size int) (*wire.ECHClientHello, error) {
	var dice [2]byte
	rand.Read(dice[:])
	suites := [...]wire.HPKEAEAD{wire.HPKEAES128GCM, wire.HPKEChaCha20Poly1305}
	v := &wire.ECHClientHello{Type: wire.ECHOuter, ConfigID: dice[0], Payload: make([]byte, size+tagLen)}
	v.CipherSuite = wire.HPKESuite{KDF: wire.HPKEHKDFSHA256, AEAD: suites[dice[1]%2]}
	rand.Read(v.Payload)
	kem, err := hpke.NewKEM(uint16(wire.HPKEKEMX25519))
	if err != nil {
		return nil, fmt.Errorf("ech: %w", err)
	}
	key, err := kem.GenerateKey() // an encapsulated key is a public key
	if err != nil {
		return nil, fmt.Errorf("ech: %w", err)
	}
	v.Enc = key.PublicKey().Bytes()
	return v, nil
}
