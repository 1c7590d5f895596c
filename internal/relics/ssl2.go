package relics

import (
	"crypto/rand"
	"encoding/binary"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// The numbers of SSL 2.0 that a server needs (The SSL Protocol, version 2.0, November 1994).
const (
	ssl2Error       = 0
	ssl2ClientHello = 1
	ssl2ServerHello = 4

	ssl2NoCipher        = 1 // error code
	ssl2X509Certificate = 1

	ssl2Version = 0x0002
)

// answerSSL2 answers a hello in the format of SSL 2.0, whose first five bytes were read. One that asks for a later
// version is not understood: no client of ours sends it.
func (c *Talk) answerSSL2(head []byte) {
	n := int(binary.BigEndian.Uint16(head) & 0x7fff)
	if n < 9 {
		return
	}
	hello := make([]byte, n)
	copy(hello, head[2:])
	if !c.fill(hello[len(head)-2:]) {
		return
	}
	if len(c.Script.SSL2) == 0 || binary.BigEndian.Uint16(hello[1:]) != ssl2Version {
		return
	}
	kinds := int(binary.BigEndian.Uint16(hello[3:]))
	if 9+kinds > n {
		return
	}
	var both []byte
	for offered := hello[9 : 9+kinds]; len(offered) >= 3; offered = offered[3:] {
		kind := wire.SSL2CipherKind(offered[0])<<16 | wire.SSL2CipherKind(offered[1])<<8 | wire.SSL2CipherKind(offered[2])
		if slices.Contains(c.Script.SSL2, kind) {
			both = append(both, offered[:3]...)
		}
	}
	leaf := c.Script.chains["RSA"].chain[0]
	connection := make([]byte, 16)
	_, _ = rand.Read(connection)
	body := []byte{ssl2ServerHello, 0, ssl2X509Certificate, 0, 2}
	body = binary.BigEndian.AppendUint16(body, uint16(len(leaf)))
	body = binary.BigEndian.AppendUint16(body, uint16(len(both)))
	body = binary.BigEndian.AppendUint16(body, uint16(len(connection)))
	body = append(append(append(body, leaf...), both...), connection...)
	if !c.sendSSL2(body) {
		return
	}
	c.awaitSSL2(both)
}

// awaitSSL2 reads what comes behind the hello. Nothing of it can be right: the script has no key.
func (c *Talk) awaitSSL2(both []byte) {
	head := make([]byte, 2)
	if !c.fill(head) {
		return
	}
	message := make([]byte, binary.BigEndian.Uint16(head)&0x7fff)
	if !c.fill(message) || len(both) > 0 {
		return
	}
	c.sendSSL2([]byte{ssl2Error, 0, ssl2NoCipher})
}

// sendSSL2 writes a record of SSL 2.0 without padding.
func (c *Talk) sendSSL2(body []byte) bool {
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(body))|0x8000), body...))
	return err == nil
}

// SSL2Strong are the kinds of SSL 2.0 with a key that is not short on purpose.
func SSL2Strong() []wire.SSL2CipherKind {
	return []wire.SSL2CipherKind{
		wire.SSL_CK_RC4_128_WITH_MD5, wire.SSL_CK_RC2_128_CBC_WITH_MD5, wire.SSL_CK_IDEA_128_CBC_WITH_MD5, wire.SSL_CK_DES_192_EDE3_CBC_WITH_MD5,
	}
}

// SSL2Weak are the kinds of SSL 2.0 that DROWN needs: 40 bits, or DES.
func SSL2Weak() []wire.SSL2CipherKind {
	return []wire.SSL2CipherKind{
		wire.SSL_CK_RC4_128_EXPORT40_WITH_MD5, wire.SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5, wire.SSL_CK_DES_64_CBC_WITH_MD5,
	}
}
