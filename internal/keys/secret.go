package keys

import (
	"bytes"
	"crypto"
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
}

// extractSecret is HKDF-Extract, reported. The name of the input is for the trace only.
func extractSecret(h crypto.Hash, trace func(Derivation), name, from string, salt, input []byte) secret {
	s := secret{hash: h, name: name, value: extract(h, salt, input), trace: trace}
	if trace != nil {
		trace(Derivation{Name: name, From: from, Context: salt, Input: input, Output: s.value})
	}
	return s
}

// expand is HKDF-Expand-Label into n new bytes, reported under the given name.
func (s secret) expand(name, label string, context []byte, n int) []byte {
	out := make([]byte, n)
	expandLabelInto(s.hash, out, s.value, label, context)
	if s.trace != nil {
		// The context is cloned so that without a trace the caller's array can stay on its stack.
		copied := bytes.Clone(context)
		s.trace(Derivation{Name: name, Label: label, From: s.name, Context: copied, Input: s.value, Output: out})
	}
	return out
}

// part derives a value that has no name of its own in the RFC; it is named after the secret it comes from.
func (s secret) part(label string, context []byte, n int) []byte {
	if s.trace == nil {
		return s.expand("", label, context, n)
	}
	return s.expand(s.name+" "+label, label, context, n)
}

// derive is Derive-Secret (RFC 8446, Section 7.1) with the transcript hash in place of the messages.
func (s secret) derive(name, label string, th []byte) secret {
	return secret{hash: s.hash, name: name, value: s.expand(name, label, th, s.hash.Size()), trace: s.trace}
}

// deriveEmpty is Derive-Secret over no messages at all.
func (s secret) deriveEmpty(name, label string) secret {
	var empty [64]byte
	hashInto(s.hash, empty[:], nil)
	return s.derive(name, label, empty[:s.hash.Size()])
}

// next extracts the secret of the following stage: HKDF-Extract with Derive-Secret(., "derived", "") as the salt.
func (s secret) next(name, from string, input []byte) secret {
	var empty [64]byte
	hashInto(s.hash, empty[:], nil)
	salt := s.part("derived", empty[:s.hash.Size()], s.hash.Size())
	defer clear(salt)
	return extractSecret(s.hash, s.trace, name, from, salt, input)
}

// finished is the MAC that proves knowledge of the secret: HMAC under its finished_key
// (RFC 8446, Section 4.4.4).
func (s secret) finished(th []byte) []byte {
	key := s.part("finished", nil, s.hash.Size())
	mac := make([]byte, s.hash.Size())
	hmacInto(s.hash, mac, key, th)
	clear(key)
	return mac
}

func (s secret) wipe() { clear(s.value) }
