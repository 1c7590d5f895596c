package tlscore

import (
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/wire"
)

// established is the state after the handshake: CONNECTED in RFC 8446, Appendix A.
type established struct {
	role       Role
	resumption keys.Resumption // a client's: tickets turn it into PSKs
	resumed    *Session        // a client's: the session this connection resumed; nil: none
	late       *lateAuth       // nil: there is no authentication after the handshake
	packed     bool            // a server's: certificates may come compressed
}

func (established) name() string { return "CONNECTED" }

func (s established) expects() []wire.HandshakeType {
	late := s.late.expects(s.role, s.packed)
	if s.role == RoleClient {
		return append(late, wire.TypeNewSessionTicket, wire.TypeKeyUpdate)
	}
	return append(late, wire.TypeKeyUpdate)
}

func (s established) on(t *turn, m message) (state, error) {
	switch m.kind {
	case wire.TypeKeyUpdate:
		return s.onKeyUpdate(t, m)
	case wire.TypeCertificateRequest:
		return s.onLateRequest(t, m)
	case wire.TypeCertificate, wire.TypeCompressedCertificate:
		return s.onLateCertificate(t, m)
	}
	return s.onTicket(t, m)
}

// onKeyUpdate changes the receiving keys and answers where asked (RFC 8446, Section 4.6.3).
func (s established) onKeyUpdate(t *turn, m message) (state, error) {
	var update wire.KeyUpdate
	if err := parse(&update, m.raw); err != nil {
		return nil, err
	}
	switch update.Request {
	case wire.UpdateNotRequested:
	case wire.UpdateRequested:
		t.want(effectAnswerUpdate)
	default:
		return nil, fail(CodeBadKeyUpdate, "request_update is %d", update.Request)
	}
	t.want(effectUpdateReadKeys)
	return s, nil
}

// onTicket turns NewSessionTicket into a session (RFC 8446, Section 4.6.1).
func (s established) onTicket(t *turn, m message) (state, error) {
	var ticket wire.NewSessionTicket
	if err := parse(&ticket, m.raw); err != nil {
		return nil, err
	}
	if kind, twice := ticket.Extensions.Duplicate(); twice {
		return nil, fail(CodeDuplicateExtension, "%v", kind)
	}
	var early wire.EarlyDataSize
	if _, err := decoded(ticket.Ext(&early)); err != nil {
		return nil, err
	}
	e := effect{kind: effectTicket}
	// RFC 8446, Section 4.6.1: a lifetime of zero means that the ticket should be discarded immediately.
	if ticket.Lifetime > 0 && !t.params.c.NoTickets && !s.resumption.IsZero() {
		e.session = t.session(s.resumption.PSK(ticket.Nonce), s.resumed)
		e.session.Lifetime = min(time.Duration(ticket.Lifetime)*time.Second, MaxTicketLifetime)
		e.session.AgeAdd, e.session.MaxEarlyData = ticket.AgeAdd, early.Max
		e.session.Ticket = ticket.Ticket
	}
	t.effects = append(t.effects, e)
	return s, nil
}

// session makes a session of this connection with a ticket's PSK. A resumed connection passes on when its certificates
// were last verified.
func (t *turn) session(psk []byte, resumed *Session) *Session {
	return newSession(t.now, t.facts, psk, resumed)
}

func newSession(now time.Time, f *Facts, psk []byte, resumed *Session) *Session {
	s := &Session{
		Version: f.Version, CipherSuite: f.CipherSuite, Secret: psk,
		Issued: now, Authenticated: now,
		ServerName: f.ServerName, ALPN: f.ALPN, PeerChain: f.PeerChain, PeerType: f.PeerType, PeerScheme: f.PeerScheme,
		PSKIdentity: f.PSKIdentity, pskCheck: f.pskCheck,
	}
	if f.PeerDelegation != nil {
		s.DelegatedUntil = f.PeerDelegation.Until
	}
	if f.OwnIdentity != nil {
		s.OwnType = f.OwnIdentity.Type
	}
	if resumed != nil {
		s.Authenticated, s.OwnType = resumed.Authenticated, resumed.OwnType
	}
	return s
}
