package scan

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/wire"
)

// greaseDraw are the reserved numbers of one hello. RFC 8701, Section 3.1: they differ between connections; the two extensions
// differ from one another, the group and its share do not.
type greaseDraw struct{ suite, version, group, scheme, first, second uint16 }

func drawGREASE() (greaseDraw, error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return greaseDraw{}, err
	}
	at := func(i byte) uint16 { return greaseCode + 0x1010*uint16(i&15) }
	g := greaseDraw{at(b[0]), at(b[1]), at(b[2]), at(b[3]), at(b[4]), at(b[5])}
	if g.first == g.second {
		g.second = at(b[5] + 1)
	}
	return g, nil
}

// drawn puts the number that was drawn in the place of each GREASE.
func drawn[T ~uint16](c codes, grease uint16) []T {
	list := make([]T, len(c))
	for i, n := range c {
		if wire.IsGREASE(n) {
			n = grease
		}
		list[i] = T(n)
	}
	return list
}

// hello makes the body of the client's ClientHello for a server: fresh random numbers, the server's name (none: without
// the extension), key shares of ours.
func (k *knownClient) hello(name string, share func(wire.Group) suite.KeyShare) ([]byte, error) {
	g, err := drawGREASE()
	if err != nil {
		return nil, err
	}
	m := wire.ClientHello{LegacyVersion: wire.Version(k.Version.one()), CipherSuites: drawn[wire.CipherSuite](k.Suites, g.suite)}
	if _, err := rand.Read(m.Random[:]); err != nil {
		return nil, err
	}
	if m.SessionID, err = randomBytes(k.SessionID); err != nil {
		return nil, err
	}
	if m.CompressionMethods, err = hex.DecodeString(k.Compression); err != nil {
		return nil, err
	}
	if len(m.CompressionMethods) == 0 {
		m.CompressionMethods = []byte{0}
	}
	greased := false
	for _, code := range k.Extensions {
		e := wire.Extension{Type: wire.ExtensionType(code)}
		switch {
		case wire.IsGREASE(code) && !greased:
			e.Type, greased = wire.ExtensionType(g.first), true
		case wire.IsGREASE(code):
			e.Type, e.Data = wire.ExtensionType(g.second), []byte{0}
		case e.Type == wire.ExtServerName && name == "":
			continue
		default:
			if e.Data, err = k.extension(e.Type, name, g, share); err != nil {
				return nil, fmt.Errorf("%s: %w", k.Name, err)
			}
		}
		m.Extensions = append(m.Extensions, e)
	}
	pad(&m)
	raw, err := wire.TryAppendMessage(nil, &m)
	if err != nil {
		return nil, err
	}
	return raw[helloHeader:], nil
}

// helloHeader is the size of the header of a handshake message.
const helloHeader = 4

func randomBytes(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b := make([]byte, n)
	_, err := rand.Read(b)
	return b, err
}

// extension makes the contents of one extension.
func (k *knownClient) extension(t wire.ExtensionType, name string, g greaseDraw, share func(wire.Group) suite.KeyShare) ([]byte, error) {
	var view wire.ExtensionView
	switch t {
	case wire.ExtServerName:
		view = &wire.ServerNames{Names: []wire.ServerName{{Name: []byte(name)}}}
	case wire.ExtSupportedVersions:
		view = &wire.SupportedVersions{Versions: drawn[wire.Version](k.Versions, g.version)}
	case wire.ExtSupportedGroups:
		view = &wire.SupportedGroups{Groups: drawn[wire.Group](k.Groups, g.group)}
	case wire.ExtSignatureAlgorithms:
		view = &wire.SignatureAlgorithms{Schemes: drawn[wire.SignatureScheme](k.Schemes, g.scheme)}
	case wire.ExtALPN:
		view = &wire.ALPN{Protocols: k.ALPN}
	case wire.ExtKeyShare:
		shares := new(wire.KeyShares)
		for _, group := range drawn[wire.Group](k.Shares, g.group) {
			entry := wire.KeyShareEntry{Group: group, KeyExchange: []byte{0}}
			if !wire.IsGREASE(uint16(group)) {
				own := share(group)
				if own == nil {
					continue // it would have been a share; the server can ask for another
				}
				entry.KeyExchange = own.Public()
			}
			shares.Entries = append(shares.Entries, entry)
		}
		view = shares
	case wire.ExtPadding:
		return nil, nil
	case wire.ExtEncryptedClientHello:
		return k.outerECH(share)
	default:
		return hex.DecodeString(k.Raw[fmt.Sprintf("%04x", uint16(t))])
	}
	return view.AppendBody(nil), nil
}

// outerECH makes up an encrypted ClientHello, as clients send it to servers that have none (RFC 9849, Section 6.2):
//
//	type = outer(0), KDF, AEAD, config_id, enc<0..2^16-1>, payload<1..2^16-1>
func (k *knownClient) outerECH(share func(wire.Group) suite.KeyShare) ([]byte, error) {
	if len(k.ECH) != 3 {
		return nil, errors.New("no form of ECH is given")
	}
	x25519 := share(wire.GroupX25519)
	if x25519 == nil {
		return nil, errors.New("no key for ECH")
	}
	random, err := randomBytes(1 + int(k.ECH[2]))
	if err != nil {
		return nil, err
	}
	b := []byte{0}
	b = binary.BigEndian.AppendUint16(b, k.ECH[0])
	b = binary.BigEndian.AppendUint16(b, k.ECH[1])
	b = append(b, random[0])
	b = binary.BigEndian.AppendUint16(b, uint16(len(x25519.Public())))
	b = append(b, x25519.Public()...)
	b = binary.BigEndian.AppendUint16(b, k.ECH[2])
	return append(b, random[1:]...), nil
}

// pad fills a hello of 256 to 511 bytes up to 512, where its padding extension stands (RFC 7685, Section 3): there were servers
// that hung on those sizes, and clients do not send them.
func pad(m *wire.ClientHello) {
	at := slices.IndexFunc(m.Extensions, func(e wire.Extension) bool { return e.Type == wire.ExtPadding })
	if at < 0 {
		return
	}
	const least, most, extensionHeader = 256, 512, 4
	size := helloHeader + len(m.AppendBody(nil)) - extensionHeader
	if size < least || size >= most {
		m.Extensions = slices.Delete(m.Extensions, at, at+1)
		return
	}
	if fill := most - size - extensionHeader; fill > 0 {
		m.Extensions[at].Data = make([]byte, fill)
	}
}
