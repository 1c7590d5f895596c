package tlscore

import (
	"github.com/tlswright/tlswright/wire"
)

// state awaits one thing. It is a small value that holds what is known by then; the machine has the only reference.
type state interface {
	// name is the state's name in RFC 8446, Appendix A where it has one there.
	name() string
	// expects lists the handshake messages that may come now. The driver refuses every other with unexpected_message.
	expects() []wire.HandshakeType
	// on handles one of them and returns the next state.
	on(t *turn, m message) (state, error)
}

// waiting is a state that awaits the answer to a question instead of a message.
type waiting interface {
	state
	// answered handles the answer, whose kind the driver has checked.
	answered(t *turn, a Answer) (state, error)
}

// message is one handshake message as it came, with its four-byte header. Nobody writes to raw, so that a state may hold on
// to it, and to what borrows from it, for as long as it is worth the memory.
type message struct {
	kind wire.HandshakeType
	raw  []byte
}

// awaitsAnswer is the part that all waiting states share: no message may come.
type awaitsAnswer struct{}

func (awaitsAnswer) expects() []wire.HandshakeType { return nil }
func (awaitsAnswer) on(*turn, message) (state, error) {
	return nil, fail(CodeInternal, "a message reached a state that awaits an answer")
}

// parse decodes a message into m and turns a failure into decode_error.
func parse[M interface{ Parse([]byte) error }](m M, raw []byte) error {
	if err := m.Parse(raw); err != nil {
		return because(CodeMalformed, err)
	}
	return nil
}

// extended is a message with extensions.
type extended interface {
	Ext(wire.ExtensionView) (bool, error)
}

// decoded takes what Ext of a message returns and turns a failure into decode_error. Ext is called on the message's own type
// where that can be: through an interface the view would go to the heap.
func decoded(present bool, err error) (bool, error) {
	if err != nil {
		return present, because(CodeMalformed, err)
	}
	return present, nil
}

// missing refuses a message without an extension that must be there.
func missing(kind wire.ExtensionType) error { return fail(CodeMissingExtension, "%v", kind) }
