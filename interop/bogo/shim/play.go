package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// play runs the connections of a test, one after the other.
func play(p *plan) error {
	kept := newSessions()
	for i := 0; i <= p.initial.resumptions; i++ {
		c := p.initial
		if i > 0 {
			c = p.resumed
		}
		if err := connect(c, p.retried, kept, i > 0); err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
		kept.time = kept.time.Add(c.delay)
	}
	return nil
}

// connect runs one connection.
func connect(c, retried *settings, kept *sessions, resuming bool) error {
	params, err := c.compile()
	if err != nil {
		return err
	}
	w := &witness{}
	options := tlscore.Options{ServerName: c.serverName, Observer: w, Secrets: w, EarlyData: c.earlyData}
	if options.ECHConfigList, err = c.echList(); err != nil {
		return err
	}
	if resuming && !c.server {
		if options.Session, err = kept.take(); err != nil {
			return err
		}
	}
	machine := tlscore.NewClient(params, options)
	if c.server {
		machine = tlscore.NewServer(params, options)
	}
	w.facts = machine.Facts
	a := &answerer{settings: c, params: params, kept: kept, facts: machine.Facts, witness: w, retried: retried, resuming: resuming}
	tcp, err := dial(c)
	if err != nil {
		return err
	}
	conn := &connection{tcp: tcp, machine: machine, answer: a.answer, now: kept.now, drip: c.async}
	defer conn.close()
	p := &player{connection: conn, answerer: a, offered: options.Session}
	return inAnswerToHello(p.checkECH(p.play()), c, machine)
}

// inAnswerToHello puts the failure of the first messages into the runner's terms: a peer that speaks nothing that
// tlswright does although the test allows it, and the refusal of our ClientHello, for which BoringSSL has a word of its
// own.
func inAnswerToHello(err error, c *settings, m *tlscore.Machine) error {
	var e *tlscore.Error
	if !errors.As(err, &e) || m.Facts().Version != 0 {
		return err
	}
	alert, _ := e.Alert()
	refused := e.Code == tlscore.CodePeerAlert
	older := c.versions.allows(wire.VersionTLS10) || c.versions.allows(wire.VersionTLS11)
	switch {
	case older && (e.Code == tlscore.CodeUnsupportedVersion && olderChosen(e) || refused && alert == wire.AlertProtocolVersion):
		return unimplemented("versions below TLS 1.2")
	case refused && alert == wire.AlertHandshakeFailure:
		return fmt.Errorf(":HANDSHAKE_FAILURE_ON_CLIENT_HELLO: %w", err)
	}
	return err
}

// olderChosen reports whether the error is that a peer speaks TLS 1.0 or 1.1, and not that it speaks nonsense.
func olderChosen(e *tlscore.Error) bool {
	return strings.Contains(e.Detail, wire.VersionTLS10.String()) || strings.Contains(e.Detail, wire.VersionTLS11.String())
}

// player is a connection with the script to follow on it.
type player struct {
	*connection
	*answerer
	offered *tlscore.Session // a client's; nil: none

	early      bool   // data flows already, although the handshake is not done
	waiting    []byte // early data that the server did not want yet
	newSession bool   // a session came
	last       *tlscore.Session
	closed     bool // the peer sent close_notify
}

// play follows the script from the first message to the last.
func (p *player) play() error {
	if err := p.handshake(); err != nil {
		return err
	}
	err := p.talk()
	if errors.Is(err, errRejected) {
		// What was sent is void; the connection goes on as the first talk never was.
		p.settings, p.waiting = p.retried, nil
		if err = p.completed(); err == nil {
			err = p.talk()
		}
	}
	if err != nil {
		return err
	}
	if err := p.settleSession(); err != nil {
		return err
	}
	if err := p.shutDown(); err != nil {
		return err
	}
	return p.expect.checkEnd(p.witness)
}

// errRejected ends a talk that the server does not want to have heard.
var errRejected = errors.New("the server rejected the early data")

// handshake goes as far as data may flow: to the end of the handshake, or to early data.
func (p *player) handshake() error {
	first, err := p.machine.Start(p.now(), nil)
	if err != nil {
		return err
	}
	if err := p.write(first); err != nil {
		return err
	}
	if !p.server {
		p.early = p.machine.Facts().EarlyData == tlscore.EarlyDataOffered
		if p.early && p.expect.noEarlyOffer {
			return errors.New("expectation not met: early data was offered")
		}
		if p.early {
			return p.awaitMessage(p.script.writeAfter)
		}
	}
	p.pause = func() bool { return p.server && p.machine.Facts().EarlyData == tlscore.EarlyDataAccepted }
	event, err := p.next()
	p.pause = nil
	switch {
	case err == io.EOF:
		return errVanished
	case err != nil:
		return err
	case event.Kind == tlscore.NoEvent:
		p.early = true
		return nil
	case event.Kind != tlscore.HandshakeDone:
		return fmt.Errorf("%v before the handshake was done", event.Kind)
	}
	p.keepSession(event.Session)
	return p.completed()
}

// errVanished is a handshake without an end.
var errVanished = errors.New("the peer went away during the handshake")

// awaitMessage turns the machine until it has received a message of a type, before the first early data.
func (p *player) awaitMessage(kind wire.HandshakeType) error {
	if kind == 0 {
		return nil
	}
	p.pause = func() bool { return p.witness.last == kind }
	defer func() { p.pause = nil }()
	event, err := p.next()
	if err == nil && event.Kind != tlscore.NoEvent {
		return fmt.Errorf("%v before %v", event.Kind, kind)
	}
	return err
}

// completed does what is due when the handshake is done: checks, and a server's tickets.
func (p *player) completed() error {
	p.early = false
	f := p.machine.Facts()
	if !p.server && f.EarlyData == tlscore.EarlyDataRejected && p.settings != p.retried {
		if !p.expect.earlyRejected {
			return errors.New("expectation not met: the early data was rejected")
		}
		return errRejected
	}
	if err := p.check(f); err != nil {
		return err
	}
	if p.server && f.Version == wire.VersionTLS13 && f.TakesTickets && !p.noTicket && !p.skipTicket {
		if err := p.sendTickets(); err != nil {
			return err
		}
	}
	if waiting := p.waiting; waiting != nil {
		p.waiting = nil
		return p.seal(waiting)
	}
	return nil
}

// tickets is how many tickets a server sends: BoringSSL's number.
const tickets = 2

func (p *player) sendTickets() error {
	var all []tlscore.Ticket
	for range tickets {
		session, err := p.machine.NewSession(p.now(), ticketLifetime)
		if err != nil {
			return err
		}
		ticket, err := p.kept.issue(session)
		if err != nil {
			return err
		}
		all = append(all, tlscore.Ticket{Session: session, Name: ticket})
	}
	return p.send(func(out []byte) ([]byte, error) { return p.machine.SendTickets(out, all...) })
}

// keepSession notes a session that came, if one did.
func (p *player) keepSession(s *tlscore.Session) {
	if s != nil {
		p.newSession, p.last = true, s
	}
}

// settleSession checks whether a session came as the test expects, and stores it for the next connection.
func (p *player) settleSession() error {
	f := p.machine.Facts()
	if p.server {
		return nil
	}
	if f.Version == wire.VersionTLS13 {
		if want := !p.expect.noSession && !p.script.shutsDown; want != p.newSession {
			return fmt.Errorf("expectation not met: a session came: %v, want %v", p.newSession, want)
		}
		if p.newSession && p.last.MaxEarlyData > 0 != p.expect.earlyTicket {
			return fmt.Errorf("expectation not met: the session allows %d bytes of early data", p.last.MaxEarlyData)
		}
	}
	if p.last == nil {
		return nil
	}
	return p.kept.keep(p.last)
}

// verbatim is an error whose text the runner looks for.
type verbatim string

// Error returns the text.
func (v verbatim) Error() string { return string(v) }

// How closing fails: data comes after we said that we want no more, or the stream ends without close_notify.
const (
	errNotComplete    = verbatim(":HANDSHAKE_NOT_COMPLETE: no exporter during early data")
	errDataOnShutdown = verbatim(":APPLICATION_DATA_ON_SHUTDOWN:")
	errNoCloseNotify  = verbatim("Unexpected SSL_shutdown result: -1 != 1")
)

// shutDown closes as the test wants: without a word, or with close_notify from both ends.
func (p *player) shutDown() error {
	if !p.script.checkCloseNotify || p.script.sendAlert {
		return nil
	}
	if err := p.send(p.machine.CloseWrite); err != nil {
		return err
	}
	for !p.closed {
		event, err := p.next()
		switch {
		case err == io.EOF:
			return errNoCloseNotify
		case err != nil:
			return err
		case event.Kind == tlscore.Data:
			return errDataOnShutdown
		}
		p.closed = event.Kind == tlscore.PeerClosed
	}
	return nil
}
