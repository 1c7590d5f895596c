package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/wire"
)

// session13 is a finished TLS 1.3 handshake. It belongs to one goroutine at a time.
type session13 struct {
	*link
	a          *answer
	in         *record.Opener
	out        *record.Sealer
	inSecret   keys.Traffic
	outSecret  keys.Traffic
	resumption keys.Resumption
	rest       []byte // application data that was not read yet
	ended      error
	// Tickets are those that came so far; reading collects them.
	Tickets []*ticket13
	// Requests counts what was written as application data, so that a later user knows that the session is not fresh.
	Requests int
}

// continue13 answers the server's Finished with ours.
func continue13(l *link, o *offer, a *answer) (*session13, error) {
	f := a.state
	if f == nil || f.opener == nil {
		return nil, errFlight
	}
	th := f.transcript.Sum()
	main := f.schedule.Main()
	s := &session13{link: l, a: a, inSecret: main.ServerTraffic(th), outSecret: main.ClientTraffic(th)}
	out := record.AppendPlaintext(nil, wire.ContentChangeCipherSpec, wire.VersionTLS12, []byte{1})
	out, err := l.endEarlyData(out, o, a)
	if err != nil {
		return nil, err
	}
	sealer, err := record.NewSealer(f.suite, f.client)
	if err != nil {
		return nil, err
	}
	var messages []byte
	if a.ClientAuth {
		var request wire.CertificateRequest
		if err := request.Parse(a.Request); err != nil {
			return nil, fmt.Errorf("%w: %w", errFlight, err)
		}
		if messages, err = l.host.scanner.o.Client.proof13(&request, f); err != nil {
			return nil, err
		}
	}
	finished := wire.AppendMessage(nil, &wire.Finished{VerifyData: f.client.Finished(f.transcript.Sum())})
	f.transcript.Add(finished)
	if out, err = sealer.Seal(out, wire.ContentHandshake, append(messages, finished...), 0); err != nil {
		return nil, err
	}
	s.resumption = main.Resumption(f.transcript.Sum())
	if s.in, err = record.NewOpener(f.suite, s.inSecret); err != nil {
		return nil, err
	}
	if s.out, err = record.NewSealer(f.suite, s.outSecret); err != nil {
		return nil, err
	}
	if err := l.step(); err != nil {
		return nil, err
	}
	_, err = l.Write(out)
	return s, err
}

// Answer is what the server said in the handshake.
func (s *session13) Answer() *answer { return s.a }

// Version gives TLS 1.3.
func (s *session13) Version() wire.Version { return s.a.Version }

// Write sends application data, as one step.
func (s *session13) Write(p []byte) (int, error) {
	if err := s.step(); err != nil {
		return 0, err
	}
	s.Requests++
	sent := 0
	for len(p) > 0 {
		n := min(len(p), wire.MaxPlaintext)
		out, err := s.out.Seal(nil, wire.ContentApplicationData, p[:n], 0)
		if err != nil {
			return sent, err
		}
		if _, err := s.link.Write(out); err != nil {
			return sent, err
		}
		sent += n
		p = p[n:]
	}
	return sent, nil
}

// Read reads application data; tickets and key updates on the way are taken care of. It waits at most one step from the
// last Write on. The error is io.EOF after close_notify, and where the server closes without it io.ErrUnexpectedEOF.
func (s *session13) Read(p []byte) (int, error) {
	const maxQuiet = 64 // records without application data
	for range maxQuiet {
		if len(s.rest) > 0 {
			n := copy(p, s.rest)
			s.rest = s.rest[n:]
			return n, nil
		}
		if s.ended != nil {
			return 0, s.ended
		}
		if err := s.next(); err != nil {
			s.ended = err
		}
	}
	return 0, errTooMuch
}

// next takes one record.
func (s *session13) next() error {
	typ, content, err := s.openRecord(s.in)
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	}
	switch typ {
	case wire.ContentApplicationData:
		s.rest = content
		return nil
	case wire.ContentAlert:
		alert, err := wire.ParseAlert(content)
		if err != nil {
			return fmt.Errorf("%w: %w", errFlight, err)
		}
		if alert.Code == wire.AlertCloseNotify {
			return io.EOF
		}
		return &alertError{alert}
	case wire.ContentHandshake:
		s.joiner.Add(content)
		return s.afterHandshake()
	}
	return errFlight
}

// afterHandshake takes the messages that come after the handshake.
func (s *session13) afterHandshake() error {
	for {
		raw, ok, err := s.joiner.Next()
		if err != nil || !ok {
			return err
		}
		switch wire.HandshakeType(raw[0]) {
		case wire.TypeNewSessionTicket:
			if err := s.keepTicket(bytes.Clone(raw)); err != nil {
				return err
			}
		case wire.TypeKeyUpdate:
			if err := s.keyUpdate(raw); err != nil {
				return err
			}
		}
	}
}

// keepTicket keeps a ticket for other probes.
func (s *session13) keepTicket(raw []byte) error {
	const maxTickets = 16
	var m wire.NewSessionTicket
	if err := m.Parse(raw); err != nil {
		return fmt.Errorf("%w: %w", errFlight, err)
	}
	if len(s.Tickets) == maxTickets {
		return nil
	}
	t := &ticket13{Suite: s.a.Suite, PSK: s.resumption.PSK(m.Nonce), Identity: m.Ticket, Lifetime: m.Lifetime, AgeAdd: m.AgeAdd, Received: time.Now()}
	var early wire.EarlyDataSize
	if present, err := m.Ext(&early); err == nil && present {
		t.MaxEarly = early.Max
	}
	s.Tickets = append(s.Tickets, t)
	return nil
}

// keyUpdate follows the server to its next keys, and goes along where it asks for that.
func (s *session13) keyUpdate(raw []byte) error {
	var m wire.KeyUpdate
	if err := m.Parse(raw); err != nil {
		return fmt.Errorf("%w: %w", errFlight, err)
	}
	f := s.a.state
	s.inSecret = s.inSecret.Next()
	var err error
	if s.in, err = record.NewOpener(f.suite, s.inSecret); err != nil {
		return err
	}
	if len(raw) != 5 || raw[4] != 1 {
		return nil
	}
	out, err := s.out.Seal(nil, wire.ContentHandshake, []byte{byte(wire.TypeKeyUpdate), 0, 0, 1, 0}, 0)
	if err != nil {
		return err
	}
	s.outSecret = s.outSecret.Next()
	if s.out, err = record.NewSealer(f.suite, s.outSecret); err != nil {
		return err
	}
	_, err = s.link.Write(out)
	return err
}

// Close says goodbye and closes.
func (s *session13) Close() error {
	if out, err := s.out.Seal(nil, wire.ContentAlert, []byte{byte(wire.AlertLevelWarning), byte(wire.AlertCloseNotify)}, 0); err == nil {
		_, _ = s.link.Write(out) // the connection may be gone already
	}
	return s.link.Close()
}
