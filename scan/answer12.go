package scan

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

var errFlight = errors.New("the server's flight is malformed")

// readFlight12 reads on from the ServerHello to the ServerHelloDone of SSL 3.0 to TLS 1.2, or to the ChangeCipherSpec of an
// abbreviated handshake, which is left in the buffer.
func (l *link) readFlight12(o *offer, a *answer) error {
	for range maxMessages {
		if l.joiner.Empty() {
			typ, _, _, err := l.peekRecord()
			if err != nil {
				return err
			}
			if typ == wire.ContentChangeCipherSpec {
				a.Resumed = true
				return nil
			}
		}
		raw, err := l.readMessage()
		if err != nil {
			return err
		}
		raw = bytes.Clone(raw)
		a.Flight = append(a.Flight, raw)
		if wire.HandshakeType(raw[0]) == wire.TypeServerHelloDone {
			if o.Verify {
				a.verify12()
			}
			return nil
		}
		if err := l.host.takeMessage12(a, raw); err != nil {
			return fmt.Errorf("%w: %w", errFlight, err)
		}
	}
	return errTooMuch
}

// takeMessage12 takes what counts out of a message.
func (h *host) takeMessage12(a *answer, raw []byte) error {
	switch wire.HandshakeType(raw[0]) {
	case wire.TypeCertificate:
		var m wire.Certificate12
		if err := m.Parse(raw); err != nil {
			return err
		}
		a.Chain = m.Chain
	case wire.TypeCertificateStatus:
		var m wire.CertificateStatus12
		if m.Parse(raw) == nil {
			a.Staple = m.Response
		}
	case wire.TypeServerKeyExchange:
		k, err := parseKeyExchange(h.kindOf(a.Suite), a.Version, raw[4:])
		if err != nil {
			return err
		}
		a.KeyExchange, a.Group, a.Scheme = k, k.Group, k.Scheme
	case wire.TypeCertificateRequest:
		a.ClientAuth, a.Request = true, raw
	}
	if data, ok := a.Hello.Extensions.Find(wire.ExtSignedCertificateTimestamp); ok && len(data) > 0 {
		a.SCTs = data
	}
	return nil
}

// verify12 checks the signature of the ServerKeyExchange, where the algorithm is one of ours.
func (a *answer) verify12() {
	k := a.KeyExchange
	if k == nil || len(k.Signature) == 0 || len(a.Chain) == 0 || a.Version != wire.VersionTLS12 {
		return
	}
	k.SignatureOK = grade.Unknown
	a.SignatureOK = grade.Unknown
	s := suite.SchemeByID(k.Scheme)
	leaf, err := cert.Parse(a.Chain[0])
	if s == nil || err != nil || leaf.PublicKey == nil {
		return
	}
	signed := append(append(bytes.Clone(a.Sent.Random[:]), a.Hello.Random[:]...), k.Params...)
	switch err := s.VerifyTLS12(leaf.PublicKey, signed, k.Signature); {
	case err == nil:
		k.SignatureOK = grade.Yes
	case errors.Is(err, suite.ErrSignature):
		k.SignatureOK = grade.No
	}
	a.SignatureOK = k.SignatureOK
}
