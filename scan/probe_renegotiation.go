package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/wire"
)

// renegotiation is what came of a second handshake within the first.
type renegotiation struct {
	Answer grade.Answer // Yes: it was made to the end. No: the server refused. Unknown: neither can be said
	Text   string       // what came, fit to print
	// Ended: what refuses is the end of the connection. Some servers agree or hang up as chance will have it.
	Ended bool
	// BrokeOff: the server agreed, but the handshake did not come to its end, and the connection is of no use any more.
	BrokeOff bool
}

// renegotiate asks for another handshake under the keys of the first. secure: with the proof of RFC 5746 that both are of
// the same client; else as clients did before it. The connection is of no use afterwards unless the answer is Yes and the
// handshake did not break off.
func (s *session12) renegotiate(secure bool) renegotiation {
	o := s.o.clone()
	o.RenegotiationInfo, o.Ticket, o.SessionID, o.Tickets = false, nil, nil, false
	o.Suites = withoutSignals(o.Suites)
	o.Extra = slices.DeleteFunc(o.Extra, func(e wire.Extension) bool { return e.Type == wire.ExtRenegotiationInfo })
	if secure {
		o.Extra = append(o.Extra, wire.Extension{Type: wire.ExtRenegotiationInfo, Data: append([]byte{byte(len(s.clientVerify))}, s.clientVerify...)})
	}
	hs, err := s.secondFlight(o)
	if err == nil {
		if secure && !s.provesFirst(hs) {
			return renegotiation{Answer: grade.Unknown, Text: "the server renegotiates, but without the proof that RFC 5746 asks for"}
		}
		err = hs.complete(nil)
	}
	var alert *alertError
	switch {
	case err == nil:
		return renegotiation{Answer: grade.Yes, Text: "a second handshake was made to its end within the first"}
	case hs != nil:
		return renegotiation{Answer: grade.Yes, Text: "the second ClientHello was accepted, but the handshake broke off: " + reasonOf(err), BrokeOff: true}
	case errors.As(err, &alert):
		return renegotiation{Answer: grade.No, Text: "the second ClientHello was answered with the alert " + alert.Code.String(),
			Ended: alert.Code == wire.AlertCloseNotify}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), connectionReset(err):
		return renegotiation{Answer: grade.No, Text: "the server ended the connection at the second ClientHello", Ended: true}
	case s.stillServes():
		return renegotiation{Answer: grade.No, Text: "the server passed over the second ClientHello and went on"}
	}
	return renegotiation{Answer: grade.Unknown, Text: "no answer came to the second ClientHello: " + reasonOf(err)}
}

// stillServes asks the application for something after a ClientHello that got no answer: who answers that has no wish to
// renegotiate.
func (s *session12) stillServes() bool {
	if _, err := s.Write(plainRequest(s.host.target.name())); err != nil {
		return false
	}
	typ, _, err := s.record()
	return err == nil && typ == wire.ContentApplicationData
}

// plainRequest asks for a page and then for the end of the connection. Whoever does not speak HTTP has something to say
// about it, too.
func plainRequest(name string) []byte {
	if name == "" {
		name = "localhost"
	}
	return []byte("GET / HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n")
}

// provesFirst looks for the server's half of RFC 5746, Section 3.5: both verify_data of the first handshake.
func (s *session12) provesFirst(hs *handshake12) bool {
	data, ok := hs.a.Hello.Extensions.Find(wire.ExtRenegotiationInfo)
	want := append(bytes.Clone(s.clientVerify), s.serverVerify...)
	return ok && len(data) > 0 && bytes.Equal(data[1:], want)
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

// Renegotiation is concluded from handshakes that were really made.
//
// Sent: a second ClientHello under the keys of the first handshake; once without a word of RFC 5746 in either, once with
// the proof. Concluded: a server that goes along without it lets an attacker put words in front of a client's
// (CVE-2009-3555). One that goes along with it lets a client make it work for nothing, again and again (CVE-2011-1473).
var (
	insecureRenegotiation = attack{"insecure-renegotiation", "insecure renegotiation", []string{"CVE-2009-3555"}, "https://www.rfc-editor.org/rfc/rfc5746"}
	clientRenegotiation   = attack{"client-renegotiation", "renegotiation by the client", []string{"CVE-2011-1473"}, "https://www.rfc-editor.org/rfc/rfc5746"}
)

// enoughRenegotiations is how many in a row show that nobody counts them.
const enoughRenegotiations = 10

// askSecure asks for protected renegotiations on a session whose server knows RFC 5746, and ends it. again: another
// connection may come to something else.
func (s *session12) askSecure() (answer grade.Answer, verdict grade.Vulnerability, again bool) {
	defer s.link.Close()
	v := s.Version().String()
	var r renegotiation
	made := 0
	for made < enoughRenegotiations {
		if r = s.renegotiate(true); r.Answer != grade.Yes {
			break
		}
		if made++; r.BrokeOff {
			break // agreed to, which is the question
		}
	}
	switch {
	case made == enoughRenegotiations || r.BrokeOff:
		return grade.Yes, clientRenegotiation.is(grade.Vulnerable, "In "+v+" the client may begin another handshake, which costs the server "+
			"more than the client, as often as it likes.", fmt.Sprintf("%d in a row were accepted", made)), false
	case made > 0:
		return grade.Yes, clientRenegotiation.is(grade.Potential, "In "+v+" the client may begin another handshake, but not often.",
			fmt.Sprintf("%d accepted; then %s", made, r.Text)), false
	case r.Answer == grade.No:
		return grade.No, clientRenegotiation.is(grade.NotVulnerable, "In "+v+" "+r.Text+"."), r.Ended
	}
	return grade.Unknown, clientRenegotiation.unknown("In " + v + " " + r.Text + "."), false
}

// askInsecure asks for a renegotiation without protection on a session whose hello had no word of RFC 5746, and ends it.
func (s *session12) askInsecure() (grade.Answer, grade.Vulnerability) {
	defer s.link.Close()
	v := s.Version().String()
	switch r := s.renegotiate(false); r.Answer {
	case grade.Yes:
		return grade.Yes, insecureRenegotiation.is(grade.Vulnerable, "In "+v+", for a client that does not know RFC 5746, "+r.Text+".")
	case grade.No:
		return grade.No, insecureRenegotiation.is(grade.NotVulnerable, "In "+v+", for a client that does not know RFC 5746, "+r.Text+".")
	default:
		return grade.Unknown, insecureRenegotiation.unknown("In " + v + " " + r.Text + ".")
	}
}
