package tlsnet

import (
	"encoding/binary"
	"errors"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// KernelTLS says which directions of a connection the kernel protects (Config.KernelTLS), and why not the others.
type KernelTLS struct {
	Sent, Received bool
	Problem        error // why not both; nil: both, or nobody asked
}

// String returns "none", "sent", "received" or "both".
func (k KernelTLS) String() string {
	switch {
	case k.Sent && k.Received:
		return "both"
	case k.Sent:
		return "sent"
	case k.Received:
		return "received"
	}
	return "none"
}

// KernelTLS returns what the kernel does for this connection, once the handshake is done.
func (c *Conn) KernelTLS() KernelTLS {
	if !c.shake.done.Load() || c.kernel == nil {
		return KernelTLS{}
	}
	return *c.kernel
}

// offload hands the keys to the kernel, as far as it takes them, at the end of the handshake. What it does not take stays
// here. All locks are held.
func (c *Conn) offload() {
	if !c.set.kernelTLS {
		return
	}
	c.kernel = new(KernelTLS)
	socket, err := kernelSocket(c)
	if err == nil {
		err = c.offloadTo(socket)
	}
	c.kernel.Problem = err
}

// kernel is a socket that can protect records.
type kernel interface {
	enable() error // makes it one; nothing changes until it has keys
	install(d tlscore.Direction, info []byte) error
}

func (c *Conn) offloadTo(k kernel) error {
	f := c.machine.Facts()
	if cryptoInfoOf(f.Version, f.CipherSuite) == 0 {
		return errors.New("the kernel knows no such cipher suite")
	}
	if f.RecordLimitRead != 0 || f.RecordLimitWrite != 0 {
		return errors.New("the kernel keeps no limits of records but the protocol's")
	}
	if err := k.enable(); err != nil {
		return err
	}
	for _, d := range []tlscore.Direction{tlscore.Sent, tlscore.Received} {
		if d == tlscore.Received && len(c.in.unread()) > 0 {
			return errors.New("what came with the handshake is here already")
		}
		err := c.machine.Offload(d, func(keys tlscore.RecordKeys) error {
			info := cryptoInfo(&keys)
			defer clear(info)
			return k.install(d, info)
		})
		if err != nil {
			return err
		}
		c.kernel.Sent, c.kernel.Received = true, d == tlscore.Received
	}
	return nil
}

// The kernel's numbers of ciphers (linux/tls.h).
const (
	cipherAESGCM128        = 51
	cipherAESGCM256        = 52
	cipherAESCCM128        = 53
	cipherChaCha20Poly1305 = 54
)

// cryptoInfoOf is the kernel's number of a cipher suite, 0 where it has none.
func cryptoInfoOf(v wire.Version, id wire.CipherSuite) uint16 {
	if v == wire.VersionTLS13 {
		switch id {
		case wire.TLS_AES_128_GCM_SHA256:
			return cipherAESGCM128
		case wire.TLS_AES_256_GCM_SHA384:
			return cipherAESGCM256
		case wire.TLS_AES_128_CCM_SHA256:
			return cipherAESCCM128
		case wire.TLS_CHACHA20_POLY1305_SHA256:
			return cipherChaCha20Poly1305
		}
		return 0
	}
	switch id {
	case wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:
		return cipherAESGCM128
	case wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
		return cipherAESGCM256
	case wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:
		return cipherChaCha20Poly1305
	}
	return 0
}

// cryptoInfo lays keys out as the kernel wants them, struct tls12_crypto_info_…: in the machine's byte order the version
// and the cipher; then iv, key, salt, and the number of the next record in network byte order. Salt and iv are the two
// parts of the nonce; ChaCha20-Poly1305 has no salt. In TLS 1.2 the iv of the other ciphers stands in each record, and is
// the record's number.
func cryptoInfo(k *tlscore.RecordKeys) []byte {
	cipher := cryptoInfoOf(k.Version, k.CipherSuite)
	sequence := binary.BigEndian.AppendUint64(nil, k.Sequence)
	out := binary.NativeEndian.AppendUint16(make([]byte, 0, 64), uint16(k.Version))
	out = binary.NativeEndian.AppendUint16(out, cipher)
	const saltLen = 4
	salt, iv := k.IV[:saltLen], k.IV[saltLen:]
	switch {
	case cipher == cipherChaCha20Poly1305:
		salt, iv = nil, k.IV
	case len(iv) == 0:
		iv = sequence
	}
	out = append(out, iv...)
	out = append(out, k.Key...)
	out = append(out, salt...)
	return append(out, sequence...)
}
