package legacy

import (
	"crypto"
	"crypto/hmac"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// MasterLen is the size of every master secret in bytes.
const MasterLen = 48

// Randoms are the randoms of the two hellos.
type Randoms struct{ Client, Server [32]byte }

func (r *Randoms) clientFirst() []byte { return slices.Concat(r.Client[:], r.Server[:]) }
func (r *Randoms) serverFirst() []byte { return slices.Concat(r.Server[:], r.Client[:]) }

// PRF is the pseudorandom function of TLS: that of RFC 5246, Section 5, with hash h in TLS 1.2, and the sum of one with
// MD5 and one with SHA-1 before (RFC 2246, Section 5). SSL 3.0 has none; it gets that of TLS 1.0.
func PRF(v wire.Version, h crypto.Hash, secret []byte, label string, seed []byte, n int) []byte {
	full := append([]byte(label), seed...)
	if v >= wire.VersionTLS12 {
		return pHash(h, secret, full, n)
	}
	// RFC 2246, Section 5: the two halves share the middle byte of a secret of odd length.
	half := (len(secret) + 1) / 2
	out := pHash(crypto.MD5, secret[:half], full, n)
	for i, b := range pHash(crypto.SHA1, secret[len(secret)-half:], full, n) {
		out[i] ^= b
	}
	return out
}

// pHash is P_hash of RFC 2246, Section 5, in n bytes.
func pHash(h crypto.Hash, secret, seed []byte, n int) []byte {
	mac := hmac.New(h.New, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	out := make([]byte, 0, n+h.Size())
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

// expand30 is how SSL 3.0 makes n bytes of a secret (RFC 6101, Section 6.1 and Section 6.2.2):
//
//	MD5(secret + SHA('A' + secret + seed)) +
//	MD5(secret + SHA('BB' + secret + seed)) + ...
func expand30(secret, seed []byte, n int) []byte {
	out := make([]byte, 0, n+crypto.MD5.Size())
	for i := 1; len(out) < n; i++ {
		letters := make([]byte, i)
		for k := range letters {
			letters[k] = byte('A' + i - 1)
		}
		out = append(out, hashOf(crypto.MD5, secret, hashOf(crypto.SHA1, letters, secret, seed))...)
	}
	return out[:n]
}

func hashOf(h crypto.Hash, parts ...[]byte) []byte {
	w := h.New()
	for _, p := range parts {
		w.Write(p)
	}
	return w.Sum(nil)
}

// Master makes the master secret out of the premaster secret and the randoms (RFC 6101, Section 6.1, and RFC 5246,
// Section 8.1). h is the hash of the suite.
func Master(v wire.Version, h crypto.Hash, premaster []byte, r *Randoms) []byte {
	if v == wire.VersionSSL30 {
		return expand30(premaster, r.clientFirst(), MasterLen)
	}
	return PRF(v, h, premaster, "master secret", r.clientFirst(), MasterLen)
}

// ExtendedMaster makes the master secret that is bound to the handshake (RFC 7627, Section 4). The transcript goes up to
// and including the ClientKeyExchange.
func ExtendedMaster(v wire.Version, h crypto.Hash, premaster, transcript []byte) []byte {
	return PRF(v, h, premaster, "extended master secret", TranscriptHash(v, h, transcript), MasterLen)
}

// TranscriptHash is the hash of handshake messages that the PRF takes: one of h in TLS 1.2, MD5 and SHA-1 side by side
// before.
func TranscriptHash(v wire.Version, h crypto.Hash, transcript []byte) []byte {
	if v >= wire.VersionTLS12 {
		return hashOf(h, transcript)
	}
	return append(hashOf(crypto.MD5, transcript), hashOf(crypto.SHA1, transcript)...)
}

// Finished gives the content of a Finished message: 36 bytes in SSL 3.0 (RFC 6101, Section 5.6.9), 12 bytes after
// (RFC 5246, Section 7.4.9). The transcript ends before that message.
func Finished(v wire.Version, h crypto.Hash, master []byte, client bool, transcript []byte) []byte {
	if v == wire.VersionSSL30 {
		sender := "SRVR"
		if client {
			sender = "CLNT"
		}
		return append(finished30(crypto.MD5, master, sender, transcript), finished30(crypto.SHA1, master, sender, transcript)...)
	}
	label := "server finished"
	if client {
		label = "client finished"
	}
	return PRF(v, h, master, label, TranscriptHash(v, h, transcript), 12)
}

func finished30(h crypto.Hash, master []byte, sender string, transcript []byte) []byte {
	pad1, pad2 := pads30(h)
	return hashOf(h, master, pad2, hashOf(h, transcript, []byte(sender), master, pad1))
}

// pads30 gives pad_1 and pad_2 of SSL 3.0 (RFC 6101, Section 5.2.3.1).
func pads30(h crypto.Hash) (pad1, pad2 []byte) {
	n := 40
	if h == crypto.MD5 {
		n = 48
	}
	pad1, pad2 = make([]byte, n), make([]byte, n)
	for i := range pad1 {
		pad1[i], pad2[i] = 0x36, 0x5c
	}
	return pad1, pad2
}
