package trace

import (
	"crypto"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
)

// The functions here are those of the RFCs, on the standard library: what a Recording says about the keys of tlscore is
// computed with other code than theirs.

// newHash gives a constructor for the hashes of the cipher suites.
func newHash(h crypto.Hash) func() hash.Hash {
	if h == crypto.SHA384 {
		return sha512.New384
	}
	return sha256.New
}

func sum(h crypto.Hash, parts ...[]byte) []byte {
	w := newHash(h)()
	for _, p := range parts {
		w.Write(p)
	}
	return w.Sum(nil)
}

func mac(h crypto.Hash, key []byte, parts ...[]byte) []byte {
	w := hmac.New(newHash(h), key)
	for _, p := range parts {
		w.Write(p)
	}
	return w.Sum(nil)
}

// extract is HKDF-Extract; what is nil is a string of zeros as long as the hash (RFC 8446, Section 7.1).
func extract(h crypto.Hash, salt, input []byte) []byte {
	if salt == nil {
		salt = make([]byte, h.Size())
	}
	if input == nil {
		input = make([]byte, h.Size())
	}
	return mac(h, salt, input)
}

// hkdfLabel is the info of HKDF-Expand-Label (RFC 8446, Section 7.1).
func hkdfLabel(label string, context []byte, n int) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(n))
	b = append(b, byte(len("tls13 ")+len(label)))
	b = append(b, "tls13 "+label...)
	b = append(b, byte(len(context)))
	return append(b, context...)
}

// expandLabel is HKDF-Expand-Label (RFC 8446, Section 7.1); nil for what it cannot give.
func expandLabel(h crypto.Hash, secret []byte, label string, context []byte, n int) []byte {
	if len(label) > 249 || len(context) > 255 || n < 0 || n > 255*h.Size() {
		return nil
	}
	out, err := hkdf.Expand(newHash(h), secret, string(hkdfLabel(label, context, n)), n)
	if err != nil {
		return nil
	}
	return out
}

// maxPRF is the longest output of the PRF that is computed here; the longest in a handshake is a key block.
const maxPRF = 4096

// prf is PRF of TLS 1.2 (RFC 5246, Section 5).
func prf(h crypto.Hash, secret []byte, label string, seed []byte, n int) []byte {
	if n > maxPRF {
		return nil
	}
	out := make([]byte, 0, n+h.Size())
	a := mac(h, secret, []byte(label), seed)
	for len(out) < n {
		out = append(out, mac(h, secret, a, []byte(label), seed)...)
		a = mac(h, secret, a)
	}
	return out[:n:n]
}
