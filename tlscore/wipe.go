package tlscore

import (
	"errors"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/wire"
)

// ErrWiped is what a machine says to everything after Wipe.
var ErrWiped = errors.New("tlscore: the connection's secrets were wiped")

// Wipe overwrites the secrets of the connection and ends the machine: Feed returns [ErrWiped], or the error that ended the
// read half before, Seal and its kin [ErrWriteClosed]; Facts goes on to answer. It may be called at any time, also twice,
// but while no other call is under way in either half. See docs/threats.md for what cannot be wiped.
func (m *Machine) Wipe() { m.end(ErrWiped) }

// end forgets all secrets, for a reason.
func (m *Machine) end(why error) {
	if m.read.err == nil {
		m.read.err = why
	}
	m.over, m.write.closed, m.question = why, true, nil
	m.control.answerUpdate.Store(false)
	m.control.alert.Store(0)
	m.read.joiner.Release()
	if m.read.opener != nil {
		m.read.opener.Wipe()
	}
	if m.write.sealer != nil {
		m.write.sealer.Wipe()
	}
	m.read.opener, m.write.sealer = nil, nil
	m.read.traffic.Wipe()
	m.write.traffic.Wipe()
	m.resumption.Wipe()
	if m.exporter != nil {
		m.exporter.Wipe()
		m.exporter = nil
	}
	if m.early != nil {
		m.early.Wipe()
		m.early = nil
	}
	if s, ok := m.state.(interface{ wipe() }); ok {
		s.wipe()
	}
	m.scratch, m.state, m.resumed = nil, ended{}, nil
}

// scrubbed is how much of the stack below a turn is overwritten once secrets were at work there: hashes and ciphers of the
// standard library leave theirs behind.
const scrubbed = 12 << 10

// scrubStack overwrites what earlier calls have left on the stack.
//
//go:noinline
func scrubStack(i int) byte {
	var room [scrubbed]byte
	room[i] = 1 // with an index that is not known the compiler cannot do without the array
	return room[i/2]
}

// ended is the state of a machine that has forgotten everything.
type ended struct{}

func (ended) name() string                  { return "ended" }
func (ended) expects() []wire.HandshakeType { return nil }
func (ended) on(*turn, message) (state, error) {
	return nil, fail(CodeInternal, "a message reached a machine that has ended")
}

// What follows is for connections that end before they are established; a state without one of these holds no secrets.

func (s established12) wipe() { s.master.Wipe() }

func (hs *clientHandshake) wipe() {
	if hs == nil {
		return
	}
	for _, p := range hs.psks {
		p.early.Wipe()
	}
}

func (hs *clientKeys) wipe() {
	hs.clientHandshake.wipe()
	wipe13(hs.main, hs.client, hs.server)
}

func (k *serverKeys) wipe() { wipe13(k.main, k.client, k.server) }

func wipe13(main keys.Main, client, server keys.Traffic) {
	main.Wipe()
	client.Wipe()
	server.Wipe()
}

func (c *client12) wipe() {
	c.clientHandshake.wipe()
	c.master.Wipe()
	c.block.Wipe()
}

func (s *server12) wipe() {
	s.master.Wipe()
	s.block.Wipe()
}
