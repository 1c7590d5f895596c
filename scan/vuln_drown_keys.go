package scan

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"encoding/binary"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// Two bugs of OpenSSL make a server of SSL 2.0 the oracle that DROWN needs, though it lists no short keys: it takes kinds that
// were switched off (CVE-2015-3197, before 1.0.2f and 1.0.1r), or lets bytes sent in the clear take the place of encrypted
// ones (CVE-2016-0703, before 1.0.2a and 1.0.1m).
//
// Sent: a CLIENT-MASTER-KEY of our own with RC4 and an export key, where that was not listed; then one with a strong kind and
// 11 bytes in the clear that do not belong there. Concluded: a sound server refuses the first, and draws a random key for
// the second. If a SERVER-VERIFY comes under the key that the bug gives, that is proof. Nobody's secret is touched: the key
// is our own.

const (
	ssl2ClientMasterKey = 2
	ssl2ServerVerify    = 5

	ssl2MasterLen = 16
	ssl2ClearLen  = 11 // of an export key of 40 bits
)

// drownBug is one of the two.
type drownBug struct {
	name string
	kind wire.SSL2CipherKind
	// sealed is how many bytes are encrypted: the five of an export key, or all.
	sealed int
}

// drownBugs are those that can be tried where these kinds are listed.
func drownBugs(listed []wire.SSL2CipherKind) []drownBug {
	var bugs []drownBug
	if !slices.Contains(listed, wire.SSL_CK_RC4_128_EXPORT40_WITH_MD5) {
		bugs = append(bugs, drownBug{"a kind of 40 bits that was not listed was taken (CVE-2015-3197)", wire.SSL_CK_RC4_128_EXPORT40_WITH_MD5, ssl2MasterLen - ssl2ClearLen})
	}
	if slices.Contains(listed, wire.SSL_CK_RC4_128_WITH_MD5) {
		bugs = append(bugs, drownBug{"bytes in the clear took the place of encrypted ones (CVE-2016-0703)", wire.SSL_CK_RC4_128_WITH_MD5, ssl2MasterLen})
	}
	return bugs
}

// hasDrownBug makes a connection with a master key that only a server with the bug understands.
func (h *host) hasDrownBug(ctx context.Context, bug drownBug) (bool, error) {
	l, err := h.dial(ctx)
	if err != nil {
		return false, err
	}
	defer l.Close()
	var challenge [16]byte
	secret := make([]byte, ssl2ClearLen+ssl2MasterLen)
	if _, err := rand.Read(challenge[:]); err != nil {
		return false, err
	}
	if _, err := rand.Read(secret); err != nil {
		return false, err
	}
	if err := l.step(); err != nil {
		return false, err
	}
	if _, err := l.Write(ssl2Hello(ssl2Kinds(), challenge)); err != nil {
		return false, err
	}
	raw, err := l.readRecord2()
	if err != nil {
		return false, err
	}
	m, err := parseServerHello2(raw)
	if err != nil {
		return false, err
	}
	id := bytes.Clone(m.ConnectionID)
	key, err := rsaOf([][]byte{m.Certificate})
	if err != nil {
		return false, err
	}
	clear := secret[:ssl2ClearLen]
	sealed, err := key.seal(secret[ssl2ClearLen : ssl2ClearLen+bug.sealed])
	if err != nil {
		return false, err
	}
	if _, err := l.Write(masterKey2(bug.kind, clear, sealed)); err != nil {
		return false, nil // it has hung up
	}
	verify, err := l.readRecord2()
	if err != nil {
		return false, nil // it did not go along
	}
	return isVerify2(verify, secret[:ssl2MasterLen], challenge[:], id), nil
}

// masterKey2 makes the record with a CLIENT-MASTER-KEY.
func masterKey2(kind wire.SSL2CipherKind, clear, sealed []byte) []byte {
	body := []byte{ssl2ClientMasterKey, byte(kind >> 16), byte(kind >> 8), byte(kind)}
	body = binary.BigEndian.AppendUint16(body, uint16(len(clear)))
	body = binary.BigEndian.AppendUint16(body, uint16(len(sealed)))
	body = binary.BigEndian.AppendUint16(body, 0) // no argument: RC4 has no initialization vector
	body = append(append(body, clear...), sealed...)
	return append([]byte{0x80 | byte(len(body)>>8), byte(len(body))}, body...)
}

// isVerify2 reports whether a record is a SERVER-VERIFY under this master key: it repeats the challenge, behind 16 bytes of
// MAC (The SSL Protocol, version 2.0, November 1994; RC4 with the key that the client reads with).
func isVerify2(record, master, challenge, id []byte) bool {
	const macLen = md5.Size
	if len(record) < macLen+1+len(challenge) {
		return false
	}
	material := md5.Sum(slices.Concat(master, []byte("0"), challenge, id))
	c, err := rc4.NewCipher(material[:])
	if err != nil {
		return false
	}
	plain := make([]byte, len(record))
	c.XORKeyStream(plain, record)
	return plain[macLen] == ssl2ServerVerify && bytes.Equal(plain[macLen+1:macLen+1+len(challenge)], challenge)
}
