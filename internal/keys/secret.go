package keys

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"slices"
)

// Derivation is one step of the key schedule as reported to a trace: enough for somebody else to compute it again.
// The slices are secrets, valid during the call only.
type Derivation struct {
	// Name is what was derived, in the words of RFC 8446, Section 7: "handshake_secret",
	// "client_handshake_traffic_secret", "client_handshake_traffic_secret key".
	Name string
	// Label is the label without its "tls13 " prefix, as in "c hs traffic"; empty for HKDF-Extract.
	Label string
	// PRF says that this is PRF of TLS 1.2, PRF(Input, Label, Context), and no HKDF.
	PRF bool
	// From is the name of the secret that Input holds.
	From string
	// Context is the context of HKDF-Expand-Label (mostly a transcript hash), the salt of HKDF-Extract, or the seed of
	// PRF without its label.
	Context []byte
	// Input is the secret that is expanded, or the input keying material of HKDF-Extract.
	Input []byte
	// Output is the result.
	Output []byte
}

// secret is what every stage is made of. The zero value is no secret at all.
type secret struct {
	hash  crypto.Hash
	name  string
	value []byte
	trace func(Derivation)
	room  *room // for what is derived from it; nil: each gets memory of its own
}

// room is the memory of the secrets of one stage and those after it, which come and go together: one allocation in the
// place of one each. Two goroutines must not derive from stages with the same room at once; a handshake is made by one.
type room struct {
	used int
	buf  [roomSecrets * sha256.Size]byte
}

// roomSecrets is how many secrets a room holds: the binder key of a session, the three stages and the two handshake traffic
// secrets, or what comes from the main secret. Of the longer ones of SHA-384 it holds four.
const roomSecrets = 6

// take gives memory for a secret of that many bytes. A room that is full, and one that is not there, allocate.
func (r *room) take(size int) []byte {
	if r == nil || len(r.buf)-r.used < size {
		return make([]byte, size)
	}
	from := r.used
	r.used += size
	return r.buf[from:r.used:r.used]
}

// extractSecret is HKDF-Extract, reported. The name of the input is for the trace only.
func extractSecret(h crypto.Hash, trace func(Derivation), in *room, name, from string, salt, input []byte) secret {
	s := secret{hash: h, name: name, value: in.take(h.Size()), trace: trace, room: in}
	extractInto(h, s.value, salt, input)
	if trace != nil {
		trace(Derivation{Name: name, From: from, Context: bytes.Clone(salt), Input: bytes.Clone(input), Output: s.value})
	}
	return s
}

// expandInto is HKDF-Expand-Label: it fills out, and is reported under the given name.
func (s secret) expandInto(out []byte, name, label string, context []byte) {
	expandLabelInto(s.hash, out, s.value, label, context)
	if s.trace != nil {
		// Context and output are cloned so that without a trace the caller's arrays can stay on its stack.
		s.trace(Derivation{Name: name, Label: label, From: s.name, Context: bytes.Clone(context), Input: s.value, Output: bytes.Clone(out)})
	}
}

// partInto derives a value that has no name of its own in the RFC; it is named after the secret it comes from.
func (s secret) partInto(out []byte, label string, context []byte) {
	name := ""
	if s.trace != nil {
		name = s.name + " " + label
	}
	s.expandInto(out, name, label, context)
}

// derive is Derive-Secret (RFC 8446, Section 7.1) with the transcript hash in place of the messages.
func (s secret) derive(name, label string, th []byte) secret {
	value := s.room.take(s.hash.Size())
	s.expandInto(value, name, label, th)
	return secret{hash: s.hash, name: name, value: value, trace: s.trace}
}

// deriveEmpty is Derive-Secret over no messages at all.
func (s secret) deriveEmpty(name, label string) secret {
	var empty [64]byte
	hashInto(s.hash, empty[:], nil)
	return s.derive(name, label, empty[:s.hash.Size()])
}

// next extracts the secret of the following stage: HKDF-Extract with Derive-Secret(., "derived", "") as the salt.
func (s secret) next(name, from string, input []byte) secret {
	var empty, room [64]byte
	hashInto(s.hash, empty[:], nil)
	salt := room[:s.hash.Size()]
	s.partInto(salt, "derived", empty[:s.hash.Size()])
	defer clear(salt)
	return extractSecret(s.hash, s.trace, s.room, name, from, salt, input)
}

// finished is the MAC that proves knowledge of the secret: HMAC under its finished_key
// (RFC 8446, Section 4.4.4). It is appended to b.
func (s secret) finished(b, th []byte) []byte {
	var room [64]byte
	key := room[:s.hash.Size()]
	s.partInto(key, "finished", nil)
	b = slices.Grow(b, len(key))
	b = b[:len(b)+len(key)]
	hmacInto(s.hash, b[len(b)-len(key):], key, th)
	clear(key)
	return b
}

func (s secret) wipe() { clear(s.value) }
