package scan

import (
	"bytes"
	"errors"

	"github.com/tlswright/tlswright/internal/ciphers"
	"github.com/tlswright/tlswright/wire"
)

// exchangeKind is the form of a suite's ServerKeyExchange.
type exchangeKind struct {
	base   string // "DHE", "ECDHE", "RSA", "SRP" …, without _PSK
	psk    bool   // with a hint in front
	export bool
	signed bool
}

// kindOf finds the form by the name of the suite.
func (h *host) kindOf(id wire.CipherSuite) exchangeKind {
	return kindOfParts(h.scanner.parts[id])
}

func kindOfParts(p ciphers.Parts) exchangeKind {
	k := exchangeKind{base: p.KeyExchange, export: p.IsExport, signed: p.Authentication != "none" && p.Authentication != "PSK"}
	if base, ok := cutSuffix(p.KeyExchange, "_PSK"); ok {
		k.base, k.psk, k.signed = base, true, false
	}
	if p.KeyExchange == "PSK" {
		k.base, k.psk, k.signed = "", true, false
	}
	if p.KeyExchange == "SRP" && p.Authentication == "SRP" {
		k.signed = false
	}
	return k
}

func cutSuffix(s, suffix string) (string, bool) {
	if len(s) > len(suffix) && s[len(s)-len(suffix):] == suffix {
		return s[:len(s)-len(suffix)], true
	}
	return s, false
}

var errKeyExchange = errors.New("ServerKeyExchange cannot be read")

// Curve types of RFC 8422, Section 5.4, and of RFC 4492 before it.
const (
	curveExplicitPrime = 1
	curveExplicitChar2 = 2
	curveNamed         = 3
)

// parseKeyExchange reads the body of a ServerKeyExchange. The slices borrow from it.
func parseKeyExchange(kind exchangeKind, v wire.Version, body []byte) (*keyExchange, error) {
	k := new(keyExchange)
	r := reader{rest: body}
	if kind.psk {
		k.Hint = r.opaque16()
	}
	params := r.rest
	switch kind.base {
	case "":
	case "DHE", "DH":
		k.Prime, k.Generator, k.Public = r.opaque16(), r.opaque16(), r.opaque16()
		if len(k.Prime) == 0 || len(k.Public) == 0 {
			return nil, errKeyExchange
		}
	case "ECDHE", "CECPQ1":
		k.curve(&r)
	case "RSA":
		if kind.psk {
			break
		}
		k.RSAModulus, k.RSAExponent = r.opaque16(), r.opaque16()
	case "SRP":
		k.SRPN, k.SRPG, k.SRPSalt, k.SRB = r.opaque16(), r.opaque16(), r.opaque8(), r.opaque16()
	default:
		k.Params = body
		return k, nil // a form that we do not know: what it holds is not looked at
	}
	if r.bad {
		return nil, errKeyExchange
	}
	if k.Explicit {
		k.Params = body
		return k, nil
	}
	k.Params = params[:len(params)-len(r.rest)]
	if !kind.signed {
		return k, nil
	}
	if v >= wire.VersionTLS12 {
		k.Scheme = wire.SignatureScheme(r.uint16())
	}
	k.Signature = r.opaque16()
	if r.bad || len(r.rest) > 0 {
		return nil, errKeyExchange
	}
	return k, nil
}

// curve reads ECParameters and the point.
func (k *keyExchange) curve(r *reader) {
	switch r.uint8() {
	case curveNamed:
		k.Group = wire.Group(r.uint16())
		k.Public = r.opaque8()
	case curveExplicitPrime, curveExplicitChar2:
		k.Explicit = true
	default:
		r.bad = true
	}
}

// reader takes fields off the front of bytes; once something is missing it is bad, and gives nothing any more.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return 0
}

func (r *reader) opaque8() []byte  { return r.take(int(r.uint8())) }
func (r *reader) opaque16() []byte { return r.take(int(r.uint16())) }

// bits is the length of a big-endian number in bits.
func bits(number []byte) int {
	number = bytes.TrimLeft(number, "\x00")
	if len(number) == 0 {
		return 0
	}
	n := 8 * len(number)
	for top := number[0]; top < 0x80; top <<= 1 {
		n--
	}
	return n
}
