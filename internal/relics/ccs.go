package relics

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"math/big"

	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/wire"
)

// CCSExploitable takes change_cipher_spec before there are keys and goes on with keys made from an empty master secret, as
// OpenSSL 1.0.1 to 1.0.1g (CVE-2014-0224). Like a server on Node.js it hangs up without an alert where it refuses something.
func CCSExploitable(sick bool) *Script {
	s := Sound()
	s.Suites = []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_AES_256_CBC_SHA}
	s.Behind = func(c *Talk) {
		if typ, _, ok := c.ReadRecord(); ok && typ == wire.ContentChangeCipherSpec && sick {
			c.finishUnderEmptyKeys()
		}
	}
	return s
}

// finishUnderEmptyKeys plays the rest of a handshake with RSA under keys that anybody can compute.
func (c *Talk) finishUnderEmptyKeys() {
	suite, ok := legacy.ByID(c.Suite)
	if !ok {
		return
	}
	randoms := &legacy.Randoms{Client: c.Hello.Random, Server: c.ServerRandom}
	keys := suite.Keys(c.Version, nil, randoms)
	in, err := legacy.NewCipher(suite, c.Version, keys.Client, false, nil)
	if err != nil {
		return
	}
	transcript := append(bytes.Clone(c.Raw), c.flight...)
	exchange, ok := c.open(in)
	if !ok || len(exchange) < 6 || exchange[0] != byte(wire.TypeClientKeyExchange) {
		return
	}
	transcript = append(transcript, exchange...)
	key := c.Script.chains["RSA"].key.(*rsa.PrivateKey)
	block := new(big.Int).Exp(new(big.Int).SetBytes(exchange[6:]), key.D, key.N).FillBytes(make([]byte, key.Size()))
	master := legacy.Master(c.Version, suite.Hash, block[len(block)-legacy.MasterLen:], randoms)
	finished, ok := c.open(in)
	want := appendMessage(nil, wire.TypeFinished, legacy.Finished(c.Version, suite.Hash, master, true, transcript))
	if !ok || !bytes.Equal(finished, want) {
		return
	}
	transcript = append(transcript, finished...)
	out, err := legacy.NewCipher(suite, c.Version, keys.Server, false, rand.Reader)
	if err != nil || !c.Send(wire.ContentChangeCipherSpec, []byte{1}) {
		return
	}
	ours := appendMessage(nil, wire.TypeFinished, legacy.Finished(c.Version, suite.Hash, master, false, transcript))
	sealed, err := out.Seal(nil, wire.ContentHandshake, ours)
	if err != nil {
		return
	}
	if _, err := c.Write(sealed); err == nil {
		_, _, _ = c.ReadRecord() // until the client has enough
	}
}

// open takes a protected record of the handshake.
func (c *Talk) open(in *legacy.Cipher) ([]byte, bool) {
	raw, ok := readRecord(c.Conn)
	if !ok {
		return nil, false
	}
	typ, content, err := in.Open(raw)
	return content, err == nil && typ == wire.ContentHandshake
}
