package tlscore

import (
	"bytes"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/verify"
	"github.com/tlswright/tlswright/wire"
)

// changing is a state that awaits the peer's change_cipher_spec, which is no handshake message in TLS 1.2 but counts
// (RFC 5246, Section 7.1).
type changing interface {
	state
	onChange(t *turn) (state, error)
}

// expectServerChange awaits the server's change_cipher_spec, before it NewSessionTicket if that was announced.
type expectServerChange struct{ *client12 }

func (expectServerChange) name() string { return "1.2: WAIT_CCS" }
func (s expectServerChange) expects() []wire.HandshakeType {
	if s.client12 != nil && s.ticket {
		return []wire.HandshakeType{wire.TypeNewSessionTicket}
	}
	return nil
}

// on handles NewSessionTicket (RFC 5077, Section 3.3). An empty ticket means that there is none after all.
func (s expectServerChange) on(t *turn, m message) (state, error) {
	var msg wire.NewSessionTicket12
	if err := parse(&msg, m.raw); err != nil {
		return nil, err
	}
	s.ticket = false
	if len(msg.Ticket) > 0 {
		fresh := s.remember(t)
		fresh.Ticket = msg.Ticket
		fresh.Lifetime = min(time.Duration(msg.LifetimeHint)*time.Second, MaxTicketLifetime)
		if msg.LifetimeHint == 0 {
			fresh.Lifetime = unspecifiedLifetime
		}
		s.session = fresh
	}
	t.absorb(m)
	return s, nil
}

// remember makes the session of this connection, without a name yet.
func (c *client12) remember(t *turn) *Session {
	s := newSession(t.now, t.facts, bytes.Clone(c.master.Secret()), c.resumed)
	s.ExtendedMasterSecret = c.ems
	return s
}

// unspecifiedLifetime is how long a ticket is kept whose server leaves that to us (RFC 5077, Section 3.3).
const unspecifiedLifetime = 2 * time.Hour

func (s expectServerChange) onChange(t *turn) (state, error) {
	if s.ticket {
		return nil, fail(CodeUnexpectedRecord, "%v before %v", wire.ContentChangeCipherSpec, wire.TypeNewSessionTicket)
	}
	t.readKeys12(s.suite, s.block.ServerKey, s.block.ServerIV)
	return expectServerFinished12(s), nil
}

// expectServerFinished12 awaits the server's Finished.
type expectServerFinished12 struct{ *client12 }

func (expectServerFinished12) name() string { return "1.2: WAIT_FINISHED" }
func (expectServerFinished12) expects() []wire.HandshakeType {
	return []wire.HandshakeType{wire.TypeFinished}
}

func (s expectServerFinished12) on(t *turn, m message) (state, error) {
	var fin wire.Finished
	if err := parse(&fin, m.raw); err != nil {
		return nil, err
	}
	if _, err := verify.Finished12(verify.ServerSigner, s.master, t.hash(), fin.VerifyData); err != nil {
		return nil, because(CodeBadFinished, err)
	}
	t.absorb(m)
	if s.resumed != nil {
		s.sendFinished(t)
	}
	if s.echRejected() {
		s.endRejected(t)
		return established12{role: RoleClient}, nil
	}
	t.done12(s.master, &s.randoms, s.ems, s.resumed)
	if s.session == nil && len(s.id) > 0 && !t.params.c.NoTickets {
		s.session = s.remember(t)
		s.session.SessionID, s.session.Lifetime = s.id, unspecifiedLifetime
	}
	if s.session != s.resumed {
		t.received = s.session
	}
	t.forget(s.block)
	return established12{RoleClient, s.master}, nil
}

// established12 is the state after a TLS 1.2 handshake.
type established12 struct {
	role   Role
	master keys.Master12
}

func (established12) name() string { return "1.2: CONNECTED" }

// expects: a request to renegotiate may come, and is refused.
func (s established12) expects() []wire.HandshakeType {
	if s.role == RoleClient {
		return []wire.HandshakeType{wire.TypeHelloRequest}
	}
	return []wire.HandshakeType{wire.TypeClientHello}
}

func (s established12) on(*turn, message) (state, error) { return nil, fail(CodeRenegotiation, "") }
