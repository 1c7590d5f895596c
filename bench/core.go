package main

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// corePair drives two machines in one goroutine: what the protocol costs without connections around it.
type corePair struct {
	client, server *tlscore.Params
	roots          []*x509.Certificate
	key            crypto.Signer
	up, down       []byte // reused
}

func newCorePair(c *certificates, g wire.Group, suite wire.CipherSuite) (*corePair, error) {
	config := tlscore.Config{Groups: []wire.Group{g}, CipherSuites: []wire.CipherSuite{suite}}
	client, err := tlscore.Compile(config)
	if err != nil {
		return nil, err
	}
	config.Identities = []tlscore.Identity{{Chain: [][]byte{c.leaf}}}
	server, err := tlscore.Compile(config)
	if err != nil {
		return nil, err
	}
	return &corePair{client: client, server: server, roots: []*x509.Certificate{c.root}, key: c.key}, nil
}

// handshake makes one handshake and returns both machines.
func (p *corePair) handshake() (c, s *tlscore.Machine, err error) {
	now := time.Now()
	c = tlscore.NewClient(p.client, tlscore.Options{ServerName: serverName})
	s = tlscore.NewServer(p.server, tlscore.Options{})
	if p.up, err = c.Start(now, p.up[:0]); err != nil {
		return nil, nil, err
	}
	if _, err = s.Start(now, nil); err != nil {
		return nil, nil, err
	}
	for clientDone, serverDone := false, false; !clientDone || !serverDone; {
		if p.down, serverDone, err = p.feed(s, now, p.up, p.down[:0]); err != nil {
			return nil, nil, fmt.Errorf("server: %w", err)
		}
		if serverDone && clientDone {
			break
		}
		if p.up, clientDone, err = p.feed(c, now, p.down, p.up[:0]); err != nil {
			return nil, nil, fmt.Errorf("client: %w", err)
		}
		if len(p.up) == 0 {
			return nil, nil, errors.New("the handshake stands still")
		}
	}
	return c, s, nil
}

// feed hands a whole flight to a machine and answers its questions.
func (p *corePair) feed(m *tlscore.Machine, now time.Time, in, out []byte) ([]byte, bool, error) {
	done := false
	for {
		step, err := m.Feed(now, in, out)
		in, out = in[step.N:], step.Out
		for err == nil && step.Event.Question != nil {
			var a tlscore.Answer
			if a, err = p.answer(step.Event.Question, now); err != nil {
				return out, false, err
			}
			step, err = m.Resume(now, step.Event.Question.ID, a, out)
			out = step.Out
		}
		if err != nil {
			return out, false, err
		}
		done = done || step.Event.Kind == tlscore.HandshakeDone
		if len(in) == 0 && step.Event.Kind == tlscore.NoEvent {
			return out, done, nil
		}
	}
}

func (p *corePair) answer(q *tlscore.Question, now time.Time) (tlscore.Answer, error) {
	switch q.Kind {
	case tlscore.NeedVerify:
		_, err := pki.Verify(q.Chain[0], pki.VerifyOptions{Roots: p.roots, Intermediates: q.Chain[1:], Time: now, ServerName: serverName})
		return tlscore.Verified{Err: err}, nil
	case tlscore.NeedSignature:
		sig, err := tlscore.SignWith(p.key, q)
		return tlscore.Signed{Signature: sig, Err: err}, nil
	}
	return nil, fmt.Errorf("unexpected question %v", q.Kind)
}

// move sends data from one machine to the other, record by record, and counts what arrives. It allocates nothing once
// buf is large enough.
func move(from, to *tlscore.Machine, now time.Time, data, buf []byte) ([]byte, error) {
	_, buf, err := from.Seal(data, buf[:0])
	if err != nil {
		return buf, err
	}
	arrived := 0
	for in := buf; len(in) > 0; {
		step, err := to.Feed(now, in, nil)
		if err != nil {
			return buf, err
		}
		if step.N == 0 {
			return buf, errors.New("a record is not whole")
		}
		arrived += len(step.Event.Data)
		in = in[step.N:]
	}
	if arrived != len(data) {
		return buf, fmt.Errorf("%d of %d bytes arrived", arrived, len(data))
	}
	return buf, nil
}
