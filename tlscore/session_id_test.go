package tlscore_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// remembering is a server of TLS 1.2 that keeps its sessions under their ids and issues no tickets.
func remembering(t *testing.T) *shop {
	s := newShop(t)
	s.server = at12(s.server)
	s.server.SessionIDs, s.server.NoTickets = true, true
	return s
}

// keep answers as the shop does, and keeps new sessions under their ids.
func (s *shop) keep(q *tlscore.Question) tlscore.Answer {
	if q.Kind != tlscore.NeedTicket {
		return s.answer(q)
	}
	s.known[string(q.Resumed.SessionID)] = q.Resumed
	return tlscore.Issued{Ticket: []byte("not looked at"), Lifetime: time.Hour}
}

// recall makes a connection whose server keeps sessions under their ids.
func (s *shop) recall(session *tlscore.Session) *tlstest.Link {
	s.t.Helper()
	l := s.visit(session, false, time.Minute)
	l.Server.Answer = s.keep
	return l
}

// remembered makes a first connection and returns the client's session, as it comes back out of a file.
func (s *shop) remembered() *tlscore.Session {
	s.t.Helper()
	l := s.recall(nil)
	resumed(s.t, l, false)
	if len(l.Client.Sessions) != 1 || len(s.known) != 1 {
		s.t.Fatalf("the client has %d sessions, the server %d", len(l.Client.Sessions), len(s.known))
	}
	b, err := l.Client.Sessions[0].AppendBinary(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	session, err := tlscore.ParseSession(b)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(session.SessionID) != 32 || len(session.Ticket) != 0 || s.known[string(session.SessionID)] == nil {
		s.t.Fatalf("id %x, ticket %x", session.SessionID, session.Ticket)
	}
	return session
}

func TestSessionIDsResume(t *testing.T) {
	s := remembering(t)
	session := s.remembered()
	l := s.recall(session)
	resumed(t, l, true)
	if len(l.Client.Sessions) != 0 || len(s.known) != 1 {
		t.Errorf("resuming brought the client %d sessions, the server has %d", len(l.Client.Sessions), len(s.known))
	}
	if f := l.Client.Machine.Facts(); len(f.PeerChain) == 0 || !f.ExtendedMasterSecret {
		t.Errorf("%+v", f)
	}
	clear(s.known)
	l = s.recall(session)
	resumed(t, l, false)
	if len(l.Client.Sessions) != 1 || bytes.Equal(l.Client.Sessions[0].SessionID, session.SessionID) {
		t.Error("a session that is forgotten gets no new id")
	}
}

func TestSessionIDsResumeWhateverElseBothCouldDo(t *testing.T) {
	for name, change := range map[string]func(*shop){
		"the server has tickets by now":    func(s *shop) { s.server.NoTickets = false },
		"the client has no compatibility":  func(s *shop) { s.client.NoCompatibilityMode = true },
		"the client has no TLS 1.3 by now": func(s *shop) { s.client.MaxVersion = wire.VersionTLS12 },
	} {
		t.Run(name, func(t *testing.T) {
			s := remembering(t)
			session := s.remembered()
			change(s)
			resumed(t, s.recall(session), true)
		})
	}
}

func TestSessionIDIsNothingToTLS13(t *testing.T) {
	s := remembering(t)
	session := s.remembered()
	s.server.MaxVersion = wire.VersionTLS13
	l := s.recall(session)
	resumed(t, l, false)
	if v := l.Client.Machine.Facts().Version; v != wire.VersionTLS13 {
		t.Errorf("spoke %v", v)
	}
}

func TestSessionIDsWantTheExtendedMasterSecretAgain(t *testing.T) {
	s := remembering(t)
	l := s.recall(s.remembered())
	rewrite(l, l.Client, func(raw []byte) []byte {
		var hello wire.ClientHello
		if err := hello.Parse(raw); err != nil {
			t.Fatal(err)
		}
		hello.Extensions = drop(hello.Extensions, wire.ExtExtendedMasterSecret)
		return wire.AppendMessage(nil, &hello)
	})
	if err := l.Handshake(); !codeIs(l.Server.Err, tlscore.CodeBadResumption) {
		t.Errorf("ended with %v", err)
	}
}

func TestServersNameNoSessionsUnlessToldTo(t *testing.T) {
	for name, change := range map[string]func(*tlscore.Config){
		"no ids":         func(c *tlscore.Config) { c.SessionIDs = false },
		"nobody to ask":  func(c *tlscore.Config) { c.AskSession = false },
		"tickets do":     func(c *tlscore.Config) { c.NoTickets = false },
		"nothing at all": func(c *tlscore.Config) { c.AskSession, c.SessionIDs = false, false },
	} {
		t.Run(name, func(t *testing.T) {
			s := remembering(t)
			change(&s.server)
			l := s.recall(nil)
			resumed(t, l, false)
			for _, session := range l.Client.Sessions {
				if len(session.SessionID) > 0 {
					t.Errorf("id %x", session.SessionID)
				}
			}
		})
	}
}

// TestNamesOfSessionsAreOfTheirKind: who answers is told which kind is asked for, and an answer of the other resumes
// nothing.
func TestNamesOfSessionsAreOfTheirKind(t *testing.T) {
	ids, tickets := remembering(t), newShop(t)
	tickets.server = at12(tickets.server)
	byID := ids.remembered()
	first := tickets.visit(nil, false, 0)
	first.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind != tlscore.NeedTicket {
			return tickets.answer(q)
		}
		tickets.known["ticket"] = q.Resumed
		return tlscore.Issued{Ticket: []byte("ticket"), Lifetime: time.Hour}
	}
	resumed(t, first, false)
	byTicket := first.Client.Sessions[0]
	for _, c := range []struct {
		name    string
		shop    *shop
		session *tlscore.Session
		byID    bool
		known   *tlscore.Session // to the server; nil: what it kept
		want    bool
	}{
		{"an id", ids, byID, true, nil, true},
		{"a ticket", tickets, byTicket, false, nil, true},
		{"an id for what a ticket names", ids, byID, true, renamed(ids.known[string(byID.SessionID)], ""), false},
		{"a ticket for what an id names", tickets, byTicket, false, renamed(tickets.known["ticket"], "ticket"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := c.shop.recall(c.session)
			asked := 0
			l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
				if q.Kind != tlscore.NeedSession {
					return c.shop.keep(q)
				}
				if asked++; q.ByID != c.byID || len(q.Tickets) != 1 {
					t.Errorf("by id %v, %d names", q.ByID, len(q.Tickets))
				}
				if c.known != nil {
					return tlscore.Found{Session: c.known}
				}
				return c.shop.answer(q)
			}
			resumed(t, l, c.want)
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

// renamed is a session under another id, or none.
func renamed(s *tlscore.Session, id string) *tlscore.Session {
	c := *s
	c.SessionID = []byte(id)
	return &c
}

func TestClientsWithoutTicketsKeepNoSessionIDs(t *testing.T) {
	s := remembering(t)
	session := s.remembered()
	s.client.NoTickets = true
	l := s.recall(session)
	resumed(t, l, false)
	if len(l.Client.Sessions) != 0 {
		t.Error("a session came to a client that wants no resumption")
	}
}

func TestServersWithoutTicketsTakeNone(t *testing.T) {
	for _, version := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		s := newShop(t)
		s.server.MaxVersion = version
		s.server.NoTickets, s.server.SessionIDs = true, true
		session := sessionOf(version)
		session.ServerName, session.Ticket = "a.example", []byte("ticket")
		l := s.recall(session)
		asked := 0
		l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
			if q.Kind == tlscore.NeedSession && string(q.Tickets[0]) == "ticket" {
				asked++
			}
			return s.keep(q)
		}
		resumed(t, l, false)
		if asked != 0 {
			t.Errorf("%v: the ticket was looked up", version)
		}
	}
}

// TestSessionIDsServeClientsThatKnowNoTickets: that is what they are for.
func TestSessionIDsServeClientsThatKnowNoTickets(t *testing.T) {
	s := remembering(t)
	s.server.NoTickets = false
	visit := func(session *tlscore.Session) *tlscore.Machine {
		p := &tlstest.Puppet{Version: wire.VersionTLS12, Session: session, Answer: s.keep}
		p.Edit = inHello(func(h *wire.ClientHello) {
			h.Extensions = drop(h.Extensions, wire.ExtSessionTicket)
			if session != nil {
				h.SessionID = session.SessionID
			}
		})
		m := tlscore.NewServer(compile(t, s.server), tlscore.Options{})
		if out := p.Connect(m); !out.Done {
			t.Fatalf("%+v", out)
		}
		return m
	}
	if visit(nil).Facts().Resumed || len(s.known) != 1 {
		t.Fatalf("%d sessions are kept", len(s.known))
	}
	for id, session := range s.known {
		if id != string(session.SessionID) || len(id) != 32 {
			t.Fatalf("%x under %x", session.SessionID, id)
		}
		if !visit(session).Facts().Resumed {
			t.Error("not resumed")
		}
	}
	if len(s.known) != 1 {
		t.Errorf("%d sessions are kept after resuming", len(s.known))
	}
}

// TestPreSharedKeyIsNothingToTLS12: neither where it stands nor what is in it.
func TestPreSharedKeyIsNothingToTLS12(t *testing.T) {
	var good wire.Extensions
	good.Add(&wire.PreSharedKeys{Identities: []wire.PSKIdentity{{Identity: []byte("x")}}, Binders: [][]byte{make([]byte, 32)}})
	for name, body := range map[string][]byte{
		"sound": good[0].Data, "empty": nil, "a short binder": {0, 7, 0, 1, 'x', 0, 0, 0, 0, 0, 13, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		for _, last := range []bool{true, false} {
			p := &tlstest.Puppet{Version: wire.VersionTLS12}
			p.Edit = inHello(func(h *wire.ClientHello) {
				h.Extensions = append(h.Extensions, wire.Extension{Type: wire.ExtPreSharedKey, Data: body})
				if !last {
					h.Extensions.Add(&wire.Padding{Length: 1})
				}
			})
			if out := p.Connect(tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})); !out.Done {
				t.Errorf("%s, last %v: %+v", name, last, out)
			}
		}
	}
}
