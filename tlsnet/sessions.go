package tlsnet

import (
	"bytes"
	"container/list"
	"slices"
	"sync"

	"github.com/tlswright/tlswright/tlscore"
)

// SessionStore keeps a client's sessions between connections. Implementations are safe for concurrent use, and bounded.
//
// The key says which connections a session is for: server, port, and a digest of everything in the configuration that
// the trust in the server and the identity of the client rest on. A session is never offered under another key.
type SessionStore interface {
	// Put keeps a session. One with the same name as another, ticket and session id together, replaces it.
	Put(key string, s *tlscore.Session)
	// Take returns the newest session of a key, or nil, and forgets it unless it is the last one.
	//
	// RFC 8446, Appendix C.4: clients SHOULD NOT reuse a ticket for multiple connections.
	Take(key string) *tlscore.Session
	// Remove forgets a session that turned out to be of no use.
	Remove(key string, s *tlscore.Session)
}

const (
	// DefaultSessions is for how many servers a [MemorySessions] keeps sessions.
	DefaultSessions = 256
	// sessionsPerKey is how many sessions are kept for one server.
	sessionsPerKey = 4
)

// MemorySessions keeps sessions in memory. When there are too many servers it forgets the one that was not used for the
// longest time.
type MemorySessions struct {
	max int

	mu    sync.Mutex
	known map[string]*list.Element // of *sessionsOf
	order *list.List               // least recently used first
}

// sessionsOf are those of one key, oldest first.
type sessionsOf struct {
	key      string
	sessions []*tlscore.Session
}

var _ SessionStore = (*MemorySessions)(nil)

// NewMemorySessions makes a store for the sessions of at most so many servers; zero: DefaultSessions.
func NewMemorySessions(servers int) *MemorySessions {
	if servers <= 0 {
		servers = DefaultSessions
	}
	return &MemorySessions{max: servers, known: map[string]*list.Element{}, order: list.New()}
}

// Put implements SessionStore.
func (m *MemorySessions) Put(key string, s *tlscore.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.known[key]
	if e == nil {
		if m.order.Len() >= m.max {
			m.removeLocked(m.order.Front())
		}
		e = m.order.PushBack(&sessionsOf{key: key})
		m.known[key] = e
	}
	m.order.MoveToBack(e)
	of := e.Value.(*sessionsOf)
	of.sessions = addSession(of.sessions, s)
}

// Take implements SessionStore.
func (m *MemorySessions) Take(key string) *tlscore.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.known[key]
	if e == nil {
		return nil
	}
	m.order.MoveToBack(e)
	of := e.Value.(*sessionsOf)
	var s *tlscore.Session
	s, of.sessions = takeSession(of.sessions)
	return s
}

// Remove implements SessionStore.
func (m *MemorySessions) Remove(key string, s *tlscore.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.known[key]
	if e == nil {
		return
	}
	of := e.Value.(*sessionsOf)
	if of.sessions = removeSession(of.sessions, s); len(of.sessions) == 0 {
		m.removeLocked(e)
	}
}

func (m *MemorySessions) removeLocked(e *list.Element) {
	delete(m.known, m.order.Remove(e).(*sessionsOf).key)
}

// addSession puts a session behind those that are there, and drops the oldest if there are too many.
func addSession(of []*tlscore.Session, s *tlscore.Session) []*tlscore.Session {
	of = append(removeSession(of, s), s)
	if len(of) > sessionsPerKey {
		of = slices.Delete(of, 0, len(of)-sessionsPerKey)
	}
	return of
}

// takeSession returns the newest session, and what remains.
func takeSession(of []*tlscore.Session) (*tlscore.Session, []*tlscore.Session) {
	last := len(of) - 1
	if last < 0 {
		return nil, of
	}
	s := of[last]
	if last > 0 {
		of = slices.Delete(of, last, last+1)
	}
	return s, of
}

func removeSession(of []*tlscore.Session, s *tlscore.Session) []*tlscore.Session {
	return slices.DeleteFunc(of, func(other *tlscore.Session) bool { return sameName(other, s) })
}

// sameName reports whether two sessions would be presented alike. One of TLS 1.2 that its server keeps has an id and no
// ticket.
func sameName(a, b *tlscore.Session) bool {
	return bytes.Equal(a.Ticket, b.Ticket) && bytes.Equal(a.SessionID, b.SessionID)
}
