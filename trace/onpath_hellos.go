package trace

import (
	"crypto/x509"

	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// clientHello is the first ClientHello of a recording; nil: there is none, or it cannot be read.
func (r *Recording) clientHello() *wire.ClientHello {
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.From != Client || !m.is(wire.TypeClientHello) {
			continue
		}
		hello := new(wire.ClientHello)
		if hello.Parse(m.Raw) != nil {
			return nil
		}
		return hello
	}
	return nil
}

// serverHello is the ServerHello of a recording, else its HelloRetryRequest, else nil.
func (r *Recording) serverHello() *wire.ServerHello {
	var retry *wire.ServerHello
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.From != Server || !m.is(wire.TypeServerHello) {
			continue
		}
		hello := new(wire.ServerHello)
		if hello.Parse(m.Raw) != nil {
			continue
		}
		if !hello.IsHelloRetryRequest() {
			return hello
		}
		retry = hello
	}
	return retry
}

// is reports whether a message is of this type.
func (m *Message) is(t wire.HandshakeType) bool {
	return len(m.Raw) >= handshakeHeader && wire.HandshakeType(m.Raw[0]) == t
}

// isOld reports whether the version that was agreed on is TLS 1.2 or older.
func (r *Recording) isOld() bool { return r.Summary.Version != "" && !r.isNew() }

func (r *Recording) isNew() bool { return r.Summary.Version == wire.VersionTLS13.String() }

// certificates are those that a side sent, leaf first, as DER, and the message they stood in; nil: none that can be read.
func (r *Recording) certificates(from Side) ([][]byte, *Message) {
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.From == from && m.is(wire.TypeCompressedCertificate) {
			return unpackedChain(m.Raw), m
		}
		if m.From != from || !m.is(wire.TypeCertificate) {
			continue
		}
		var chain [][]byte
		if r.isNew() {
			var c wire.Certificate
			if c.Parse(m.Raw) != nil {
				return nil, m
			}
			for _, e := range c.Entries {
				chain = append(chain, e.Data)
			}
			return chain, m
		}
		var c wire.Certificate12
		if c.Parse(m.Raw) != nil {
			return nil, m
		}
		return c.Chain, m
	}
	return nil, nil
}

// leaf is the first certificate of a side; nil: none, or none that can be read.
func (r *Recording) leaf(from Side) (*x509.Certificate, *Message) {
	chain, m := r.certificates(from)
	if len(chain) == 0 {
		return nil, m
	}
	c, err := cert.ParseX509(chain[0])
	if err != nil {
		return nil, m
	}
	return c, m
}
