package keys

import (
	"crypto"

	_ "crypto/sha256" // the two hashes of the PRF, reached through crypto.Hash
	_ "crypto/sha512"
)

// maxSeed is the longest seed that is put together on the stack; a longer one, as of an exporter with a long context,
// costs an allocation.
const maxSeed = 256

// prfInto is PRF(secret, label, seed) of TLS 1.2: P_hash with label and seed joined. It fills out, of any length.
//
//	P_hash(secret, seed) = HMAC_hash(secret, A(1) + seed) +
//	                       HMAC_hash(secret, A(2) + seed) + ...
//
//	A(0) = seed
//	A(i) = HMAC_hash(secret, A(i-1))
//
// (RFC 5246, Section 5)
func prfInto(h crypto.Hash, out, secret []byte, label string, seed []byte) {
	var (
		// msg is A(i) + label + seed: only its head changes from round to round.
		buf  [64 + maxSeed]byte
		last [64]byte
	)
	size := h.Size()
	msg := append(buf[:size], label...)
	msg = append(msg, seed...)
	a := msg[:size]
	for previous := msg[size:]; len(out) > 0; previous = a {
		hmacInto(h, a, secret, previous)
		hmacInto(h, last[:size], secret, msg)
		out = out[copy(out, last[:size]):]
	}
	clear(msg)
	clear(last[:])
}

// prf is PRF into n new bytes, reported under the given name.
func (s secret) prf(name, label string, seed []byte, n int) []byte {
	out := make([]byte, n)
	prfInto(s.hash, out, s.value, label, seed)
	if s.trace != nil {
		// The seed is copied for the reason expand has.
		copied := append([]byte(nil), seed...)
		s.trace(Derivation{Name: name, Label: label, From: s.name, Context: copied, Input: s.value, Output: out, PRF: true})
	}
	return out
}
