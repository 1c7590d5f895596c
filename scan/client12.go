package scan

import (
	"errors"
	"io"

	"github.com/tlswright/tlswright/wire"
)

// session12 is a finished handshake of SSL 3.0 to TLS 1.2.
type session12 struct {
	*link
	a *answer
}

var errNoOldClient = errors.New("old handshakes cannot be finished yet")

// continue12 finishes a handshake behind the server's first flight.
func continue12(l *link, _ *offer, _ *answer) (*session12, error) { return nil, errNoOldClient }

// Answer is what the server said in the handshake.
func (s *session12) Answer() *answer { return s.a }

// Version is what was negotiated.
func (s *session12) Version() wire.Version { return s.a.Version }

// Read reads nothing yet.
func (s *session12) Read([]byte) (int, error) { return 0, io.EOF }
