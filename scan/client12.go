package scan

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// session12 is a finished handshake of SSL 3.0 to TLS 1.2. It belongs to one goroutine at a time.
type session12 struct {
	*link
	o     *offer
	a     *answer // of the last handshake
	suite *legacy.Suite

	in, out  *legacy.Cipher // nil: in the clear
	messages wire.Joiner    // of the server, past its first flight
	rest     []byte         // application data that was not read yet
	ended    error

	master  []byte
	ems     bool
	ticket  *wire.NewSessionTicket12 // the newest one; nil: none came
	resumed bool
	// clientVerify and serverVerify are the contents of the Finished messages, which renegotiation_info repeats.
	clientVerify, serverVerify []byte
}

// state12 is what a client keeps of a session to resume it.
type state12 struct {
	Version   wire.Version
	Suite     wire.CipherSuite
	Master    []byte
	EMS       bool
	SessionID []byte
	Ticket    []byte
	Lifetime  uint32 // hint in seconds
}

var (
	errUnfinishable = errors.New("the handshake cannot be finished: suite or group is none of ours")
	errHandshake12  = errors.New("the server's side of the handshake is wrong")
)

// handshake12 is a handshake under way.
type handshake12 struct {
	s          *session12
	o          *offer
	a          *answer
	suite      *legacy.Suite
	randoms    legacy.Randoms
	transcript []byte
	premaster  []byte
	etm        bool
	// keyExchange, if not nil, makes the body of the ClientKeyExchange in place of the usual one.
	keyExchange func(*handshake12) ([]byte, error)
}

// finish12 makes a handshake of at most TLS 1.2 to its end. The error is a *refusedError where the server refuses. state,
// if not nil, is the session that the offer asks to resume.
func (h *host) finish12(ctx context.Context, o *offer, state *state12) (*session12, error) {
	backOff := firstBackOff
	for try := 1; ; try++ {
		s, err := h.finish12Once(ctx, o, state)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err() // which is why the connection was closed
		}
		if err == nil || try == askTries || !brokeOff(err) {
			return s, err
		}
		if err := wait(ctx, backOff); err != nil {
			return nil, err
		}
		backOff *= 2
	}
}

// brokeOff reports whether a handshake ended without the server's saying why, so that it is worth another try.
func brokeOff(err error) bool {
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.a.Outcome == reset || refused.a.Outcome == closed || refused.a.Outcome == timedOut
	}
	var alert *alertError
	return !errors.As(err, &alert) && !errors.Is(err, errUnfinishable) && !errors.Is(err, errHandshake12)
}

func (h *host) finish12Once(ctx context.Context, o *offer, state *state12) (*session12, error) {
	o = o.clone()
	o.Until = untilFlight
	l, err := h.dial(ctx)
	if err != nil {
		return nil, err
	}
	a := l.exchange(o)
	if a.Outcome != accepted || a.Err != nil {
		l.Close()
		return nil, &refusedError{a}
	}
	s, err := resume12(l, o, a, state)
	if err != nil {
		l.Close()
		return nil, err
	}
	return s, nil
}

// continue12 finishes a handshake behind the server's first flight.
func continue12(l *link, o *offer, a *answer) (*session12, error) { return resume12(l, o, a, nil) }

// resume12 is continue12 for an offer that asks to resume a session; nil: it does not.
func resume12(l *link, o *offer, a *answer, state *state12) (*session12, error) {
	s := &session12{link: l, messages: wire.Joiner{Max: maxMessage}}
	hs, err := s.begin(o, a)
	if err != nil {
		return nil, err
	}
	return s, hs.complete(state)
}

// begin takes over behind the server's flight.
func (s *session12) begin(o *offer, a *answer) (*handshake12, error) {
	if a.Hello == nil || a.Version > wire.VersionTLS12 || a.Hello.CompressionMethod != 0 {
		return nil, errUnfinishable
	}
	suite, ok := legacy.ByID(a.Suite)
	if !ok {
		return nil, errUnfinishable
	}
	hs := &handshake12{s: s, o: o, a: a, suite: suite}
	hs.randoms = legacy.Randoms{Client: a.Sent.Random, Server: a.Hello.Random}
	hs.transcript = bytes.Clone(a.Sent.Raw)
	for _, raw := range a.Flight {
		hs.transcript = append(hs.transcript, raw...)
	}
	_, hs.etm = a.Hello.Extensions.Find(wire.ExtEncryptThenMAC)
	_, s.ems = a.Hello.Extensions.Find(wire.ExtExtendedMasterSecret)
	return hs, nil
}

// complete makes the rest of the handshake, and the session is that of the new keys from then on.
func (hs *handshake12) complete(state *state12) error {
	s := hs.s
	if err := s.step(); err != nil {
		return err
	}
	s.resumed = hs.a.Resumed
	if hs.a.Resumed {
		if state == nil {
			return fmt.Errorf("%w: it resumes a session that was not offered", errHandshake12)
		}
		s.master, s.ems = state.Master, state.EMS
		hs.keepTicket(hs.a.Flight)
		if err := hs.takeFinished(); err != nil {
			return err
		}
		if err := hs.sendFinished(nil); err != nil {
			return err
		}
	} else {
		flight, err := hs.clientFlight()
		if err != nil {
			return err
		}
		if err := hs.sendFinished(flight); err != nil {
			return err
		}
		if err := hs.takeFinished(); err != nil {
			return err
		}
	}
	s.o, s.a, s.suite = hs.o, hs.a, hs.suite
	return nil
}

// keepTicket looks for a ticket among messages.
func (hs *handshake12) keepTicket(messages [][]byte) {
	for _, raw := range messages {
		var m wire.NewSessionTicket12
		if m.Parse(raw) == nil {
			m.Ticket = bytes.Clone(m.Ticket)
			hs.s.ticket = &m
		}
	}
}

// clientFlight makes what comes before ChangeCipherSpec, and the master secret.
func (hs *handshake12) clientFlight() ([]byte, error) {
	var flight []byte
	identity := hs.s.link.host.scanner.o.Client
	var scheme *suite.Scheme // to sign with; nil: there is nothing to show
	if hs.a.ClientAuth && hs.a.Version > wire.VersionSSL30 {
		// RFC 5246, Section 7.4.6: a client without a suitable certificate sends a message without any.
		certificate := &wire.Certificate12{}
		if scheme = identity.scheme12(hs); scheme != nil {
			certificate.Chain = identity.Chain
		}
		flight = wire.AppendMessage(flight, certificate)
	}
	make := hs.keyExchange
	if make == nil {
		make = (*handshake12).clientKeyExchange
	}
	body, err := make(hs)
	if err != nil {
		return nil, err
	}
	flight = appendMessage(flight, wire.TypeClientKeyExchange, body)
	hs.transcript = append(hs.transcript, flight...)
	if hs.s.ems {
		hs.s.master = legacy.ExtendedMaster(hs.a.Version, hs.suite.Hash, hs.premaster, hs.transcript)
	} else {
		hs.s.master = legacy.Master(hs.a.Version, hs.suite.Hash, hs.premaster, &hs.randoms)
	}
	if scheme != nil {
		verify, err := identity.verify12(scheme, hs.transcript)
		if err != nil {
			return nil, err
		}
		flight = append(flight, verify...)
		hs.transcript = append(hs.transcript, verify...)
	}
	return flight, nil
}

// appendMessage appends a handshake message whose body is ready.
func appendMessage(b []byte, t wire.HandshakeType, body []byte) []byte {
	n := len(body)
	return append(append(b, byte(t), byte(n>>16), byte(n>>8), byte(n)), body...)
}

// sendFinished sends the flight, ChangeCipherSpec and Finished, and goes over to the new keys for sending.
func (hs *handshake12) sendFinished(flight []byte) error {
	s, v := hs.s, hs.a.Version
	var out []byte
	var err error
	if hs.a.ClientAuth && v == wire.VersionSSL30 && flight != nil {
		// RFC 6101, Section 5.6.6: there an alert says that there is no certificate.
		out, err = s.appendRecord(out, v, wire.ContentAlert, []byte{byte(wire.AlertLevelWarning), byte(wire.AlertNoCertificate)})
	}
	if err == nil && flight != nil {
		out, err = s.appendRecord(out, v, wire.ContentHandshake, flight)
	}
	if err == nil {
		out, err = s.appendRecord(out, v, wire.ContentChangeCipherSpec, []byte{1})
	}
	if err != nil {
		return err
	}
	s.clientVerify = legacy.Finished(v, hs.suite.Hash, s.master, true, hs.transcript)
	finished := appendMessage(nil, wire.TypeFinished, s.clientVerify)
	hs.transcript = append(hs.transcript, finished...)
	keys := hs.suite.Keys(v, s.master, &hs.randoms)
	if s.out, err = legacy.NewCipher(hs.suite, v, keys.Client, hs.etm, rand.Reader); err != nil {
		return err
	}
	if out, err = s.out.Seal(out, wire.ContentHandshake, finished); err != nil {
		return err
	}
	_, err = s.link.Write(out)
	return err
}

// takeFinished reads up to the server's Finished, and checks it.
func (hs *handshake12) takeFinished() error {
	s, v := hs.s, hs.a.Version
	if err := hs.untilChange(); err != nil {
		return err
	}
	keys := hs.suite.Keys(v, s.master, &hs.randoms)
	in, err := legacy.NewCipher(hs.suite, v, keys.Server, hs.etm, nil)
	if err != nil {
		return err
	}
	s.in = in
	want := legacy.Finished(v, hs.suite.Hash, s.master, false, hs.transcript)
	raw, err := s.nextMessage()
	if err != nil {
		return err
	}
	if wire.HandshakeType(raw[0]) != wire.TypeFinished || !bytes.Equal(raw[4:], want) {
		return fmt.Errorf("%w: its Finished does not fit", errHandshake12)
	}
	s.serverVerify = want
	hs.transcript = append(hs.transcript, raw...)
	return nil
}

// untilChange reads up to the server's ChangeCipherSpec. Before it a ticket may come.
func (hs *handshake12) untilChange() error {
	s := hs.s
	for range maxMessages {
		typ, content, err := s.record()
		if err != nil {
			return err
		}
		switch typ {
		case wire.ContentChangeCipherSpec:
			return nil
		case wire.ContentHandshake:
			s.messages.Add(content)
			for {
				raw, ok, err := s.messages.Next()
				if err != nil {
					return err
				}
				if !ok {
					break
				}
				hs.transcript = append(hs.transcript, raw...)
				hs.keepTicket([][]byte{raw})
			}
		case wire.ContentApplicationData: // of before a renegotiation
		default:
			return fmt.Errorf("%w: a record of type %d", errHandshake12, typ)
		}
	}
	return errTooMuch
}

// nextMessage takes the next handshake message under the new keys.
func (s *session12) nextMessage() ([]byte, error) {
	for range maxMessages {
		raw, ok, err := s.messages.Next()
		if err != nil {
			return nil, err
		}
		if ok {
			return bytes.Clone(raw), nil
		}
		typ, content, err := s.record()
		if err != nil {
			return nil, err
		}
		if typ == wire.ContentHandshake {
			s.messages.Add(content)
		}
	}
	return nil, errTooMuch
}

// state gives what is needed to resume the session.
func (s *session12) state() *state12 {
	st := &state12{Version: s.a.Version, Suite: s.a.Suite, Master: s.master, EMS: s.ems, SessionID: s.a.Hello.SessionID}
	if s.ticket != nil {
		st.Ticket, st.Lifetime = s.ticket.Ticket, s.ticket.LifetimeHint
	}
	return st
}

// finishable gives an offer of version v with which a handshake can be finished: with the suites and groups of ours that
// the server takes, and the signal of RFC 5746. only narrows the suites; nil: all. It is nil where nothing is left.
func (h *host) finishable(v wire.Version, only func(*legacy.Suite) bool) *offer {
	o := h.working(v)
	if o == nil {
		return nil
	}
	o.Suites = slices.DeleteFunc(o.Suites, func(id wire.CipherSuite) bool {
		s, ok := legacy.ByID(id)
		return !ok || v < s.Since() || only != nil && !only(s)
	})
	ours, foreign := h.groupsFor(v, o.Groups)
	o.Groups = append(ours, foreign...)
	if len(ours) == 0 {
		o.Suites = slices.DeleteFunc(o.Suites, func(id wire.CipherSuite) bool {
			s, _ := legacy.ByID(id)
			return s.Exchange == legacy.ExchangeECDHE
		})
		o.Groups = nil
	}
	if len(o.Suites) == 0 {
		return nil
	}
	o.MinVersion, o.Status, o.SCT, o.Heartbeat, o.TruncatedHMAC, o.EncryptThenMAC, o.NPN = 0, false, false, false, false, false, false
	o.SessionID, o.Ticket, o.Tickets, o.Compression, o.MaxFragment = nil, nil, false, nil, 0
	o.RenegotiationInfo = v > wire.VersionSSL30
	if v == wire.VersionSSL30 {
		o.Suites = append(o.Suites, wire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV)
	}
	return o
}

// groupsFor gives the groups of ours among those that were accepted, without those that the server is known not to take;
// and those of others that must be named all the same, because a certificate lies on them (RFC 8422, Section 5.1).
func (h *host) groupsFor(v wire.Version, accepted []wire.Group) (ours, foreign []wire.Group) {
	taken := func(wire.Group) bool { return true }
	groups := h.facts().Groups
	isOf := func(g grade.Group) bool { return slices.Contains(g.Versions, v) }
	if slices.ContainsFunc(groups, isOf) {
		taken = func(id wire.Group) bool {
			return slices.ContainsFunc(groups, func(g grade.Group) bool { return g.ID == id && isOf(g) })
		}
	}
	odd := slices.ContainsFunc(h.chains(), (*sentChain).isOnOddCurve)
	for _, g := range accepted {
		switch {
		case h.scanner.share(g) == nil:
			if odd {
				foreign = append(foreign, g)
			}
		case taken(g):
			ours = append(ours, g)
		}
	}
	return ours, foreign
}

// isOnOddCurve reports whether the certificate's key lies on a curve that is none of our groups.
func (c *sentChain) isOnOddCurve() bool {
	if c.KeyType != "ECDSA" || len(c.DER) == 0 {
		return false
	}
	leaf, err := cert.Parse(c.DER[0])
	if err != nil {
		return false
	}
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	return !ok || key.Params().BitSize < 256
}
