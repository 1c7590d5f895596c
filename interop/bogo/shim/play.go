package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// play runs the one connection of a test.
func play(c *settings) error {
	params, err := c.compile()
	if err != nil {
		return err
	}
	w := &witness{}
	options := tlscore.Options{ServerName: c.serverName, Observer: w, Secrets: w}
	machine := tlscore.NewClient(params, options)
	if c.server {
		machine = tlscore.NewServer(params, options)
	}
	a := &answerer{settings: c, params: params}
	tcp, err := dial(c)
	if err != nil {
		return err
	}
	conn := &connection{tcp: tcp, machine: machine, answer: a.answer, drip: c.async}
	defer conn.close()
	p := &player{settings: c, connection: conn, answerer: a, witness: w}
	if err := p.handshake(); err != nil {
		return inAnswerToHello(c.older(err, machine), machine)
	}
	if err := c.expect.check(c, machine.Facts(), a, w); err != nil {
		return err
	}
	if err := p.talk(); err != nil {
		return err
	}
	if err := p.shutDown(); err != nil {
		return err
	}
	return c.expect.checkEnd(w)
}

// older recognises a test of TLS 1.2 or below: the peer does not offer TLS 1.3, or does not take it, and the flags
// allow for less.
func (c *settings) older(err error, m *tlscore.Machine) error {
	if !c.versions.older() {
		return err
	}
	var e *tlscore.Error
	if !errors.As(err, &e) {
		return err
	}
	alert, _ := e.Alert()
	refused := e.Code == tlscore.CodePeerAlert && alert == wire.AlertProtocolVersion && m.Facts().Version == 0
	if e.Code == tlscore.CodeUnsupportedVersion || refused {
		return unimplemented("versions below TLS 1.3")
	}
	return err
}

// inAnswerToHello marks the refusal of our ClientHello, for which BoringSSL has a word of its own.
func inAnswerToHello(err error, m *tlscore.Machine) error {
	var e *tlscore.Error
	if errors.As(err, &e) && e.Code == tlscore.CodePeerAlert && m.Facts().Version == 0 {
		if alert, _ := e.Alert(); alert == wire.AlertHandshakeFailure {
			return fmt.Errorf(":HANDSHAKE_FAILURE_ON_CLIENT_HELLO: %w", err)
		}
	}
	return err
}

// player is a connection with the script to follow on it.
type player struct {
	*settings
	*connection
	*answerer
	witness *witness
	closed  bool // the peer sent close_notify
}

func (p *player) handshake() error {
	first, err := p.machine.Start(time.Now(), nil)
	if err != nil {
		return err
	}
	if err := p.write(first); err != nil {
		return err
	}
	event, err := p.next()
	if err == io.EOF {
		return errors.New("the peer went away during the handshake")
	}
	if err == nil && event.Kind != tlscore.HandshakeDone {
		return fmt.Errorf("%v before the handshake was done", event.Kind)
	}
	return err
}

// talk does what comes between handshake and closing.
func (p *player) talk() error {
	s := &p.script
	if s.exportLength > 0 {
		material, err := p.machine.Export(s.exportLabel, []byte(s.exportContext), s.exportLength)
		if err != nil {
			return err
		}
		if err := p.seal(material); err != nil {
			return err
		}
	}
	if s.exportTraffic {
		if err := p.sendTrafficSecrets(); err != nil {
			return err
		}
	}
	if s.sendAlert {
		return p.send(func(out []byte) ([]byte, error) { return p.machine.Abort(wire.AlertDecompressionFailure, out) })
	}
	if s.unfinishedWrite {
		p.holding, p.allowed = true, 1
	}
	if s.writesFirst || s.unfinishedWrite {
		for range s.firstWrites {
			if err := p.seal([]byte(s.firstWrite)); err != nil {
				return err
			}
		}
	}
	if s.shutsDown {
		return nil
	}
	return p.echo()
}

// sendTrafficSecrets sends the length of the secrets, then ours to read with and ours to write with.
func (p *player) sendTrafficSecrets() error {
	read, write := p.witness.serverTraffic, p.witness.clientTraffic
	if p.server {
		read, write = write, read
	}
	out := binary.LittleEndian.AppendUint16(nil, uint16(len(read)))
	return p.seal(append(append(out, read...), write...))
}

// echo sends back everything that comes, each byte inverted, until the peer closes in whichever way.
func (p *player) echo() error {
	update := func(out []byte) ([]byte, error) { return p.machine.KeyUpdate(false, out) }
	for {
		if p.script.keyUpdateBeforeRead {
			if err := p.send(update); err != nil {
				return err
			}
		}
		event, err := p.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if event.Kind == tlscore.PeerClosed {
			p.closed = true
			return nil
		}
		if p.script.exportBetweenReads {
			if _, err := p.machine.Export("", nil, 1); err != nil {
				return err
			}
		}
		for i := range event.Data {
			event.Data[i] ^= 0xff
		}
		if err := p.release(); err != nil {
			return err
		}
		if p.script.keyUpdate {
			if err := p.send(update); err != nil {
				return err
			}
		}
		if err := p.seal(event.Data); err != nil {
			return err
		}
	}
}

// verbatim is an error whose text the runner looks for.
type verbatim string

// Error returns the text.
func (v verbatim) Error() string { return string(v) }

// How closing fails: data comes after we said that we want no more, or the stream ends without close_notify.
const (
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
