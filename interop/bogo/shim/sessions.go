package main

import (
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/tlswright/tlswright/tlscore"
)

// sessions is what outlives a connection: a clock that stands still unless a test puts it forward, a client's last
// session, and a server's sessions by their tickets and ids. All of them are kept encoded, as an application would keep them.
type sessions struct {
	time   time.Time
	client []byte // nil: none came with the last connection
	server map[string][]byte
}

func newSessions() *sessions { return &sessions{time: time.Now(), server: make(map[string][]byte)} }

func (s *sessions) now() time.Time { return s.time }

// errNoSession ends a test that wants to resume without anything to resume.
var errNoSession = errors.New("no session to offer")

// take returns the session that the last connection left, and forgets it.
func (s *sessions) take() (*tlscore.Session, error) {
	if s.client == nil {
		return nil, errNoSession
	}
	session, err := tlscore.ParseSession(s.client)
	s.client = nil
	return session, err
}

// keep stores the session of a client.
func (s *sessions) keep(session *tlscore.Session) (err error) {
	s.client, err = session.AppendBinary(nil)
	return err
}

// Tickets of a server.
const (
	ticketLength   = 32 // bytes
	ticketLifetime = tlscore.MaxTicketLifetime
)

// issue makes a ticket for the session of a server.
func (s *sessions) issue(session *tlscore.Session) ([]byte, error) {
	ticket := make([]byte, ticketLength)
	rand.Read(ticket)
	return ticket, s.store(ticket, session)
}

// store keeps the session of a server under its ticket or its id.
func (s *sessions) store(name []byte, session *tlscore.Session) error {
	encoded, err := session.AppendBinary(nil)
	s.server[string(name)] = encoded
	return err
}

// find answers NeedSession.
func (s *sessions) find(tickets [][]byte) tlscore.Found {
	i := slices.IndexFunc(tickets, func(t []byte) bool { return s.server[string(t)] != nil })
	if i < 0 {
		return tlscore.Found{}
	}
	session, err := tlscore.ParseSession(s.server[string(tickets[i])])
	if err != nil {
		return tlscore.Found{}
	}
	return tlscore.Found{Index: i, Session: session}
}

// maxSkew is how far the age of a ticket that the client tells may be from ours for its early data to be fresh. Whether
// it comes for the second time is not asked: no test of the runner replays anything.
const maxSkew = 60 * time.Second
