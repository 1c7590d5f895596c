package keys

import "crypto"

const (
	// masterLen is the size in bytes of every master secret (RFC 5246, Section 8.1).
	masterLen = 48
	// verifyDataLen is the size in bytes of verify_data; no cipher suite of ours asks for another
	// (RFC 5246, Section 7.4.9).
	verifyDataLen = 12
	randomLen     = 32
)

// Randoms are the randoms of the two hellos. They travel together because TLS 1.2 joins them now in the one order, now
// in the other.
type Randoms struct{ Client, Server [randomLen]byte }

// clientFirst and serverFirst join the two.
func (r *Randoms) clientFirst() (b [2 * randomLen]byte) {
	copy(b[:], r.Client[:])
	copy(b[randomLen:], r.Server[:])
	return b
}

func (r *Randoms) serverFirst() (b [2 * randomLen]byte) {
	copy(b[:], r.Server[:])
	copy(b[randomLen:], r.Client[:])
	return b
}

// Premaster12 is the first stage of a full TLS 1.2 handshake: the secret of the key exchange. A resumed handshake
// starts with ResumeMaster12.
type Premaster12 struct{ s secret }

// NewPremaster12 takes the shared secret of the key exchange; h is the PRF hash of the cipher suite, SHA-256 or
// SHA-384. The secret is copied, the caller wipes its own. (RFC 8422, Section 5.10: the premaster secret is the
// x-coordinate, or the output of X25519.)
func NewPremaster12(h crypto.Hash, shared []byte) Premaster12 {
	return NewPremaster12Traced(h, shared, nil)
}

// NewPremaster12Traced is NewPremaster12 with a trace, as NewEarlyTraced is NewEarly with one.
func NewPremaster12Traced(h crypto.Hash, shared []byte, trace func(Derivation)) Premaster12 {
	return Premaster12{secret{hash: h, name: "pre_master_secret", value: append([]byte{}, shared...), trace: trace}}
}

// Extended gives the master secret bound to the whole handshake (RFC 7627, Section 4). th is the session hash: the
// transcript up to and including the ClientKeyExchange.
func (p Premaster12) Extended(th []byte) Master12 { return p.master("extended master secret", th) }

// Plain gives the master secret bound to the randoms alone (RFC 5246, Section 8.1), for a peer without the extension.
func (p Premaster12) Plain(r *Randoms) Master12 {
	seed := r.clientFirst()
	return p.master("master secret", seed[:])
}

func (p Premaster12) master(label string, seed []byte) Master12 {
	value := p.s.prf("master_secret", label, seed, masterLen)
	return Master12{secret{hash: p.s.hash, name: "master_secret", value: value, trace: p.s.trace}}
}

// Wipe overwrites the secret. The stage must not be used afterwards, those derived from it may.
func (p Premaster12) Wipe() { p.s.wipe() }

// Master12 is the second and last stage: the master secret of a TLS 1.2 session, the same for all of its connections.
// The zero value is none.
type Master12 struct{ s secret }

// ResumeMaster12 takes the master secret of a former session, 48 bytes, which it copies. h is the hash of the cipher
// suite of that session.
func ResumeMaster12(h crypto.Hash, master []byte) Master12 {
	return ResumeMaster12Traced(h, master, nil)
}

// ResumeMaster12Traced is ResumeMaster12 with a trace of all that follows.
func ResumeMaster12Traced(h crypto.Hash, master []byte, trace func(Derivation)) Master12 {
	return Master12{secret{hash: h, name: "master_secret", value: append([]byte{}, master...), trace: trace}}
}

// KeyBlock12 holds the keys of one connection. Its slices share one array.
type KeyBlock12 struct {
	// ClientKey and ClientIV protect what the client sends.
	ClientKey, ClientIV []byte
	// ServerKey and ServerIV protect what the server sends.
	ServerKey, ServerIV []byte
}

// Wipe overwrites the keys.
func (k KeyBlock12) Wipe() {
	for _, b := range [...][]byte{k.ClientKey, k.ServerKey, k.ClientIV, k.ServerIV} {
		clear(b)
	}
}

// KeyBlock gives the keys of a connection of this session, of keyLen and ivLen bytes. There are no MAC keys: every
// suite of ours is an AEAD (RFC 5246, Section 6.3). The caller owns and wipes them.
func (m Master12) KeyBlock(r *Randoms, keyLen, ivLen int) KeyBlock12 {
	// RFC 5246, Section 6.3: here the server's random comes first.
	seed := r.serverFirst()
	b := m.s.prf("key_block", "key expansion", seed[:], 2*keyLen+2*ivLen)
	take := func(n int) (part []byte) {
		part, b = b[:n:n], b[n:]
		return part
	}
	return KeyBlock12{ClientKey: take(keyLen), ServerKey: take(keyLen), ClientIV: take(ivLen), ServerIV: take(ivLen)}
}

// ClientFinished gives the verify_data of the client's Finished, 12 bytes (RFC 5246, Section 7.4.9). th ends before
// that message.
func (m Master12) ClientFinished(th []byte) []byte { return m.finished("client finished", th) }

// ServerFinished gives the verify_data of the server's Finished, 12 bytes (RFC 5246, Section 7.4.9). th ends before
// that message.
func (m Master12) ServerFinished(th []byte) []byte { return m.finished("server finished", th) }

func (m Master12) finished(label string, th []byte) []byte {
	return m.s.prf("verify_data", label, th, verifyDataLen)
}

// Secret returns the master secret itself, 48 bytes, for the key log and for the session. It is not a copy: Wipe
// overwrites it.
func (m Master12) Secret() []byte { return m.s.value }

// Hash returns the hash of the PRF.
func (m Master12) Hash() crypto.Hash { return m.s.hash }

// IsZero reports whether there is no secret.
func (m Master12) IsZero() bool { return m.s.value == nil }

// Wipe overwrites the secret. It must not be used afterwards, nor may its exporters.
func (m Master12) Wipe() { m.s.wipe() }
