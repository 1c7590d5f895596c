package relics

import (
	"crypto"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"math/big"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// identity is a certificate chain and its key.
type identity struct {
	chain [][]byte
	key   crypto.Signer
}

// sendFlight sends ServerHello, Certificate, ServerKeyExchange and ServerHelloDone, all in one write.
func (c *Talk) sendFlight() {
	_, _ = rand.Read(c.ServerRandom[:])
	flight := wire.AppendMessage(nil, c.serverHello())
	if c.Parts.Authentication != "none" {
		flight = wire.AppendMessage(flight, &wire.Certificate12{Chain: c.Script.chains[c.Parts.Authentication].chain})
	}
	if params := c.keyExchange(); params != nil {
		body := append(params, c.sign(params)...)
		flight = appendMessage(flight, wire.TypeServerKeyExchange, body)
	}
	flight = wire.AppendMessage(flight, &wire.ServerHelloDone{})
	c.flight = flight
	c.Send(wire.ContentHandshake, flight)
}

func appendMessage(b []byte, typ wire.HandshakeType, body []byte) []byte {
	n := len(body)
	return append(append(b, byte(typ), byte(n>>16), byte(n>>8), byte(n)), body...)
}

func appendOpaque16(b, data []byte) []byte {
	return append(append(b, byte(len(data)>>8), byte(len(data))), data...)
}

func (c *Talk) serverHello() *wire.ServerHello {
	s := c.Script
	m := &wire.ServerHello{LegacyVersion: c.Version, Random: c.ServerRandom, CipherSuite: c.Suite}
	for _, method := range c.Hello.CompressionMethods {
		if slices.Contains(s.Compression, method) {
			m.CompressionMethod = method
			break
		}
	}
	_, asks := c.Hello.Extensions.Find(wire.ExtRenegotiationInfo)
	if (asks || slices.Contains(c.Hello.CipherSuites, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)) && !s.NoSecureRenego {
		m.Extensions = append(m.Extensions, wire.Extension{Type: wire.ExtRenegotiationInfo, Data: []byte{0}})
	}
	if c.Version == wire.VersionSSL30 {
		return m
	}
	if _, asks := c.Hello.Extensions.Find(wire.ExtExtendedMasterSecret); asks && !s.NoEMS {
		m.Extensions = append(m.Extensions, wire.Extension{Type: wire.ExtExtendedMasterSecret})
	}
	if _, asks := c.Hello.Extensions.Find(wire.ExtHeartbeat); asks && s.Heartbeat {
		m.Extensions = append(m.Extensions, wire.Extension{Type: wire.ExtHeartbeat, Data: []byte{1}})
		c.heartbeat = true
	}
	var alpn wire.ALPN
	if has, err := c.Hello.Ext(&alpn); err == nil && has {
		for _, p := range s.ALPN {
			if slices.Contains(alpn.Protocols, p) {
				m.Extensions.Add(&wire.ALPN{Protocols: []string{p}})
				break
			}
		}
	}
	return m
}

// keyExchange gives the parameters of ServerKeyExchange, nil where there are none.
func (c *Talk) keyExchange() []byte {
	switch {
	case strings.HasPrefix(c.Parts.KeyExchange, "ECDH"):
		group, _ := c.chooseGroup()
		share, err := suite.GroupByID(group).Generate()
		if err != nil {
			return nil
		}
		public := share.Public()
		return append([]byte{3, byte(group >> 8), byte(group), byte(len(public))}, public...)
	case strings.HasPrefix(c.Parts.KeyExchange, "DH"):
		return c.finiteField()
	case c.Parts.KeyExchange == "RSA" && c.Parts.IsExport:
		return c.temporaryRSA()
	}
	return nil
}

// finiteField gives dh_p, dh_g and dh_Ys (RFC 5246, Section 7.4.3).
func (c *Talk) finiteField() []byte {
	p, g := c.Script.Prime, c.Script.Generator
	if p == nil {
		p = Modp2048()
	}
	if g == nil {
		g = big.NewInt(2)
	}
	if c.Parts.IsExport {
		if p = c.Script.ExportPrime; p == nil {
			p = Prime512()
		}
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	if c.Script.FixedDH {
		fixed := sha256.Sum256([]byte("the key that was never changed"))
		copy(secret, fixed[:])
	}
	y := new(big.Int).Exp(g, new(big.Int).SetBytes(secret), p)
	out := appendOpaque16(nil, p.Bytes())
	out = appendOpaque16(out, g.Bytes())
	return appendOpaque16(out, y.Bytes())
}

// temporaryRSA gives the modulus and the exponent that export suites use, of 512 bits, or 1024 with the later rules.
// Nobody has the key.
func (c *Talk) temporaryRSA() []byte {
	size := 64
	if strings.Contains(c.Suite.String(), "EXPORT1024") {
		size = 128
	}
	modulus := make([]byte, size)
	_, _ = rand.Read(modulus)
	modulus[0] |= 0x80
	modulus[size-1] |= 1
	return appendOpaque16(appendOpaque16(nil, modulus), []byte{1, 0, 1})
}

// sign signs the parameters as the version wants it, with the scheme in front in TLS 1.2.
func (c *Talk) sign(params []byte) []byte {
	if c.Parts.Authentication == "none" {
		return nil
	}
	message := slices.Concat(c.Hello.Random[:], c.ServerRandom[:], params)
	key := c.Script.chains[c.Parts.Authentication].key
	if c.Version == wire.VersionTLS12 {
		id, scheme := c.chooseScheme()
		var sig []byte
		var err error
		if scheme == nil {
			digest := sha1.Sum(message)
			sig, err = key.Sign(rand.Reader, digest[:], crypto.SHA1)
		} else {
			sig, err = suite.SignTLS12(key, scheme, message)
		}
		if err != nil {
			return nil
		}
		return appendOpaque16([]byte{byte(id >> 8), byte(id)}, sig)
	}
	digest := sha1.Sum(message)
	both := md5.Sum(message)
	var sig []byte
	var err error
	if _, isRSA := key.Public().(*rsa.PublicKey); isRSA {
		sig, err = key.Sign(rand.Reader, append(both[:], digest[:]...), crypto.MD5SHA1)
	} else {
		sig, err = key.Sign(rand.Reader, digest[:], crypto.SHA1)
	}
	if err != nil {
		return nil
	}
	return appendOpaque16(nil, sig)
}

// chooseScheme takes the client's first scheme that goes with the key; a client that names none gets SHA-1, for which
// the scheme is nil (RFC 5246, Section 7.4.1.4.1).
func (c *Talk) chooseScheme() (wire.SignatureScheme, *suite.Scheme) {
	legacy := wire.SignatureScheme(0x0201)
	if c.Parts.Authentication == "ECDSA" {
		legacy = 0x0203
	}
	var theirs wire.SignatureAlgorithms
	if has, err := c.Hello.Ext(&theirs); err != nil || !has {
		return legacy, nil
	}
	public := c.Script.chains[c.Parts.Authentication].key.Public()
	for _, id := range theirs.Schemes {
		if scheme := suite.SchemeByID(id); scheme != nil && scheme.TLS12 && scheme.UsableTLS12(public, false) {
			return id, scheme
		}
	}
	return legacy, nil
}
