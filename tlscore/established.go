package tlscore

import (
	"github.com/tlswright/tlswright/wire"
)

// established is the state after the handshake: CONNECTED in RFC 8446, Appendix A.
type established struct{ role Role }

func (established) name() string { return "CONNECTED" }

func (s established) expects() []wire.HandshakeType {
	if s.role == RoleClient {
		return []wire.HandshakeType{wire.TypeNewSessionTicket, wire.TypeKeyUpdate}
	}
	return []wire.HandshakeType{wire.TypeKeyUpdate}
}

func (s established) on(t *turn, m message) (state, error) {
	if m.kind == wire.TypeKeyUpdate {
		return s.onKeyUpdate(t, m)
	}
	var ticket wire.NewSessionTicket
	if err := parse(&ticket, m.raw); err != nil {
		return nil, err
	}
	if kind, twice := ticket.Extensions.Duplicate(); twice {
		return nil, fail(CodeDuplicateExtension, "%v", kind)
	}
	t.want(effectTicket)
	return s, nil
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
