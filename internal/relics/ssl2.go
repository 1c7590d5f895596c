package relics

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/rc4"
	"crypto/rsa"
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/tlswright/tlswright/wire"
)

// The numbers of SSL 2.0 that a server needs (The SSL Protocol, version 2.0, November 1994).
const (
	ssl2Error           = 0
	ssl2ClientHello     = 1
	ssl2ClientMasterKey = 2
	ssl2ServerHello     = 4
	ssl2ServerVerify    = 5

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
	session := int(binary.BigEndian.Uint16(hello[5:]))
	if 9+kinds+session > n {
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
	c.awaitSSL2(both, hello[9+kinds+session:], connection)
}

// awaitSSL2 reads the CLIENT-MASTER-KEY and answers with SERVER-VERIFY where the kind is one with RC4. A sound server takes
// only what it has listed, and draws a key of its own where there are bytes in the clear that do not belong there.
func (c *Talk) awaitSSL2(both, challenge, connection []byte) {
	head := make([]byte, 2)
	if !c.fill(head) {
		return
	}
	message := make([]byte, binary.BigEndian.Uint16(head)&0x7fff)
	const fixed = 10
	if !c.fill(message) || len(message) < fixed || message[0] != ssl2ClientMasterKey {
		return
	}
	kind := message[1:4]
	isListed := false
	for listed := both; len(listed) >= 3; listed = listed[3:] {
		isListed = isListed || bytes.Equal(listed[:3], kind)
	}
	isExport := bytes.Equal(kind, []byte{2, 0, 0x80})
	if !isListed && !(c.Script.SSL2Unlisted && isExport) || !isExport && !bytes.Equal(kind, []byte{1, 0, 0x80}) {
		c.sendSSL2([]byte{ssl2Error, 0, ssl2NoCipher})
		return
	}
	clear, sealed := int(binary.BigEndian.Uint16(message[4:])), int(binary.BigEndian.Uint16(message[6:]))
	if fixed+clear+sealed > len(message) {
		return
	}
	master := c.master2(message[fixed:fixed+clear], message[fixed+clear:fixed+clear+sealed], isExport)
	material := md5.Sum(slices.Concat(master, []byte("0"), challenge, connection))
	stream, err := rc4.NewCipher(material[:])
	if err != nil {
		return
	}
	verify := slices.Concat(make([]byte, md5.Size), []byte{ssl2ServerVerify}, challenge) // the MAC is nobody's business here
	stream.XORKeyStream(verify, verify)
	c.sendSSL2(verify)
}

// master2 puts the master key together.
func (c *Talk) master2(clear, sealed []byte, isExport bool) []byte {
	const masterLen = 16
	key := c.Script.chains["RSA"].key.(*rsa.PrivateKey)
	block := new(big.Int).Exp(new(big.Int).SetBytes(sealed), key.D, key.N).FillBytes(make([]byte, key.Size()))
	secret := block[bytes.IndexByte(block[2:], 0)+3:]
	together := slices.Concat(clear, secret)
	switch {
	case isExport && len(together) == masterLen, !isExport && len(together) == masterLen:
		return together
	case !isExport && c.Script.SSL2ExtraClear && len(together) > masterLen:
		return together[:masterLen] // what is in the clear displaces what is not
	}
	random := make([]byte, masterLen)
	_, _ = rand.Read(random)
	return random
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
