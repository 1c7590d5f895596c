package keys

import "crypto"

// Import derives the PSK that stands for an external one in handshakes of one hash (RFC 9258, Section 5.1). h is the hash
// of the external PSK, identity the encoded ImportedIdentity, target the hash of the cipher suites that it is for. The
// result is one hash long.
func Import(h crypto.Hash, external, identity []byte, target crypto.Hash) []byte {
	secret := extract(h, nil, external)
	defer clear(secret)
	var sum [64]byte
	hashInto(h, sum[:], identity)
	out := make([]byte, target.Size())
	expandLabelInto(h, out, secret, "derived psk", sum[:h.Size()])
	return out
}

// ImportedBinder gives the key that binds an imported PSK to the handshake. Its label differs from both of [Early.Binder],
// so that a PSK that is imported here and used as it is there fails to authenticate (RFC 9258, Section 5.2).
func (e Early) ImportedBinder() Binder {
	return Binder{e.s.deriveEmpty("binder_key", "imp binder")}
}
