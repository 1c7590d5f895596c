package tlscore

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/tlswright/tlswright/wire"
)

// NewSession makes a session that the client can resume, for a server to keep or to seal into a ticket, and then to send
// with [Machine.SendTicket]. lifetime is cut to MaxTicketLifetime. It belongs to the write half.
func (m *Machine) NewSession(now time.Time, lifetime time.Duration) (*Session, error) {
	if !m.established || m.role != RoleServer {
		return nil, misuse("NewSession other than on a server after HandshakeDone")
	}
	if m.over != nil {
		return nil, m.over
	}
	if m.write.tickets == maxTicketsSent {
		return nil, errors.New("tlscore: no more tickets on this connection")
	}
	// RFC 8446, Section 4.6.1: a ticket_nonce is unique across all tickets of the connection.
	nonce := binary.BigEndian.AppendUint16(nil, uint16(m.write.tickets))
	m.write.tickets++
	s := newSession(now, &m.facts, m.resumption.PSK(nonce), m.resumed)
	s.Lifetime = min(lifetime, MaxTicketLifetime)
	s.MaxEarlyData = m.params.c.MaxEarlyData
	s.nonce = nonce
	var add [4]byte
	randomBytes(add[:])
	s.AgeAdd = binary.BigEndian.Uint32(add[:])
	return s, nil
}

// maxTicketsSent bounds the tickets of one connection.
const maxTicketsSent = 1 << 10

// Ticket is a session made by NewSession with the name that the client gets for it, 1 to 65535 bytes.
type Ticket struct {
	Session *Session
	Name    []byte
}

// SendTicket is SendTickets with one.
func (m *Machine) SendTicket(s *Session, ticket, out []byte) ([]byte, error) {
	return m.SendTickets(out, Ticket{s, ticket})
}

// SendTickets appends NewSessionTicket messages, which share records (RFC 8446, Section 4.6.1). It belongs to the write half.
func (m *Machine) SendTickets(out []byte, tickets ...Ticket) ([]byte, error) {
	for i := range tickets {
		if t := &tickets[i]; !m.established || t.Session.nonce == nil || len(t.Name) == 0 || len(t.Name) > 1<<16-1 {
			return out, misuse("SendTickets with something that NewSession did not make, or no ticket")
		}
	}
	out, err := m.write.control(m, out)
	if err != nil {
		return out, err
	}
	if m.write.closed {
		return out, ErrWriteClosed
	}
	for i := range tickets {
		s := tickets[i].Session
		msg := wire.NewSessionTicket{Lifetime: uint32(s.Lifetime / time.Second), AgeAdd: s.AgeAdd, Nonce: s.nonce, Ticket: tickets[i].Name, Extensions: wire.Extensions{}}
		if s.MaxEarlyData > 0 {
			msg.Extensions.Add(&wire.EarlyDataSize{Max: s.MaxEarlyData})
		}
		m.params.c.greaseExtension(&msg.Extensions)
		m.write.addMessage(m, &msg)
	}
	out, err = m.write.sendMessages(m, out)
	m.write.message = nil // an idle connection need not hold it
	return out, err
}
