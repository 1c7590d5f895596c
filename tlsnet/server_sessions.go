package tlsnet

import (
	"container/list"
	"errors"
	"sync"
	"time"
)

// ServerSessions keeps sessions at the server, in the place of tickets that hold them. The client's ticket is then a
// mere name. Implementations are safe for concurrent use; those that several nodes share make Take atomic.
type ServerSessions interface {
	// Put keeps the state of a session under its name until a time. The state is secret. An error means that the client
	// gets no ticket.
	Put(name, state []byte, until time.Time) error
	// Take returns the state kept under a name, and forgets it: each session is resumed once. ok is false for a name
	// that is not known, or whose time is over.
	Take(now time.Time, name []byte) (state []byte, ok bool)
}

// DefaultServerSessions is how many sessions a [MemoryServerSessions] keeps.
const DefaultServerSessions = 1 << 14

// MemoryServerSessions keeps sessions in memory, and forgets the oldest when there are too many.
type MemoryServerSessions struct {
	max int

	mu    sync.Mutex
	known map[string]*list.Element // of *serverSession
	order *list.List               // oldest first
}

type serverSession struct {
	name  string
	state []byte
	until time.Time
}

var _ ServerSessions = (*MemoryServerSessions)(nil)

// maxServerSession is how many bytes of state one session may have.
const maxServerSession = 32 << 10

// NewMemoryServerSessions makes a store for at most so many sessions; zero: DefaultServerSessions.
func NewMemoryServerSessions(sessions int) *MemoryServerSessions {
	if sessions <= 0 {
		sessions = DefaultServerSessions
	}
	return &MemoryServerSessions{max: sessions, known: map[string]*list.Element{}, order: list.New()}
}

// Put implements ServerSessions. It refuses sessions of more than 32 KiB.
func (m *MemoryServerSessions) Put(name, state []byte, until time.Time) error {
	if len(state) > maxServerSession {
		return errors.New("tlsnet: the session is too large to keep")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.order.Len() >= m.max {
		m.removeLocked(m.order.Front())
	}
	if old := m.known[string(name)]; old != nil {
		m.removeLocked(old)
	}
	m.known[string(name)] = m.order.PushBack(&serverSession{string(name), state, until})
	return nil
}

// Take implements ServerSessions.
func (m *MemoryServerSessions) Take(now time.Time, name []byte) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.known[string(name)]
	if e == nil {
		return nil, false
	}
	s := m.removeLocked(e)
	return s.state, !now.After(s.until)
}

// Len returns how many sessions are kept.
func (m *MemoryServerSessions) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.order.Len()
}

func (m *MemoryServerSessions) removeLocked(e *list.Element) *serverSession {
	s := m.order.Remove(e).(*serverSession)
	delete(m.known, s.name)
	return s
}
