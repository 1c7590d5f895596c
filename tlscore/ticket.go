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

// SendTicket appends a NewSessionTicket message that gives the client a session made by NewSession, under the name
// ticket, 1 to 65535 bytes (RFC 8446, Section 4.6.1). It belongs to the write half.
func (m *Machine) SendTicket(s *Session, ticket, out []byte) ([]byte, error) {
	if !m.established || s.nonce == nil || len(ticket) == 0 || len(ticket) > 1<<16-1 {
		return out, misuse("SendTicket with something that NewSession did not make, or no ticket")
	}
	out, err := m.write.control(m, out)
	if err != nil {
		return out, err
	}
	if m.write.closed {
		return out, ErrWriteClosed
	}
	msg := wire.NewSessionTicket{Lifetime: uint32(s.Lifetime / time.Second), AgeAdd: s.AgeAdd, Nonce: s.nonce, Ticket: ticket, Extensions: wire.Extensions{}}
	if s.MaxEarlyData > 0 {
		msg.Extensions.Add(&wire.EarlyDataSize{Max: s.MaxEarlyData})
	}
	defer func() { m.write.message = nil }() // an idle connection need not hold it
	return m.write.sendMessage(m, out, &msg)
}
