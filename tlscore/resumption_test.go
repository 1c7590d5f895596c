package tlscore_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// shop is a server that hands out tickets and remembers their sessions, and the client that collects them.
type shop struct {
	t      *testing.T
	client tlscore.Config
	server tlscore.Config
	known  map[string]*tlscore.Session
	used   map[string]bool // tickets whose early data was taken
}

func newShop(t *testing.T) *shop {
	s := serverConfig(t)
	s.AskSession = true
	return &shop{t: t, server: s, known: map[string]*tlscore.Session{}, used: map[string]bool{}}
}

func (s *shop) answer(q *tlscore.Question) tlscore.Answer {
	switch q.Kind {
	case tlscore.NeedSession:
		for i, ticket := range q.Tickets {
			if session := s.known[string(ticket)]; session != nil {
				return tlscore.Found{Index: i, Session: session}
			}
		}
		return tlscore.Found{}
	case tlscore.NeedFresh:
		fresh := !s.used[string(q.Tickets[0])]
		s.used[string(q.Tickets[0])] = true
		return tlscore.Fresh(fresh)
	}
	return nil
}

// visit makes a connection with a session, or a full one with nil.
func (s *shop) visit(session *tlscore.Session, early bool, later time.Duration) *tlstest.Link {
	s.t.Helper()
	l := tlstest.New(compile(s.t, s.client), compile(s.t, s.server), tlscore.Options{ServerName: "a.example", Session: session, EarlyData: early}, tlscore.Options{})
	l.Later = later
	l.Server.Answer = s.answer
	return l
}

// ticket sends a ticket over a connection and returns the session the client made of it.
func (s *shop) ticket(l *tlstest.Link) *tlscore.Session {
	s.t.Helper()
	now := tlstest.Now.Add(l.Later)
	session, err := l.Server.Machine.NewSession(now, time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	name := make([]byte, 20)
	rand.Read(name)
	s.known[string(name)] = session
	out, err := l.Server.Machine.SendTicket(session, name, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	l.Carry(l.Server, out)
	if err := l.Run(); err != nil {
		s.t.Fatal(err)
	}
	got := l.Client.Sessions[len(l.Client.Sessions)-1]
	if !bytes.Equal(got.Secret, session.Secret) || !bytes.Equal(got.Ticket, name) {
		s.t.Fatal("the two ends made different sessions")
	}
	return got
}

func (s *shop) first() *tlscore.Session {
	s.t.Helper()
	l := s.visit(nil, false, 0)
	if err := l.Handshake(); err != nil {
		s.t.Fatal(err)
	}
	return s.ticket(l)
}

func resumed(t *testing.T, l *tlstest.Link, want bool) {
	t.Helper()
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	c, s := l.Client.Machine.Facts(), l.Server.Machine.Facts()
	if c.Resumed != want || s.Resumed != want {
		t.Fatalf("resumed: client %v, server %v, want %v", c.Resumed, s.Resumed, want)
	}
	exchange(t, l)
}

func TestSessionsAreResumed(t *testing.T) {
	for name, change := range map[string]func(c, s *tlscore.Config){
		"plainly":        func(c, s *tlscore.Config) {},
		"after retry":    func(c, s *tlscore.Config) { c.KeyShares = []wire.Group{} },
		"with cookie":    func(c, s *tlscore.Config) { s.RetryAlways = true },
		"with SHA-256":   func(c, s *tlscore.Config) { c.CipherSuites = []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256} },
		"in plain style": func(c, s *tlscore.Config) { c.NoCompatibilityMode = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			change(&s.client, &s.server)
			session := s.first()
			l := s.visit(session, false, time.Minute)
			resumed(t, l, true)
			if f := l.Client.Machine.Facts(); f.Group == 0 || len(f.PeerChain) == 0 {
				t.Errorf("no forward secrecy or no chain: %+v", f)
			}
			again := s.ticket(l)
			if !again.Authenticated.Equal(session.Authenticated) {
				t.Error("a resumed connection renewed the time of authentication")
			}
			resumed(t, s.visit(again, false, 2*time.Minute), true)
		})
	}
}

func TestSessionsThatDoNotFitLeadToAFullHandshake(t *testing.T) {
	for name, change := range map[string]func(s *shop, session *tlscore.Session) *tlscore.Session{
		"unknown to the server": func(s *shop, x *tlscore.Session) *tlscore.Session { clear(s.known); return x },
		"server does not ask":   func(s *shop, x *tlscore.Session) *tlscore.Session { s.server.AskSession = false; return x },
		"client wants none":     func(s *shop, x *tlscore.Session) *tlscore.Session { s.client.NoTickets = true; return x },
		"other hash": func(s *shop, x *tlscore.Session) *tlscore.Session {
			s.client.CipherSuites = []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}
			return x
		},
		"other hash at the server": func(s *shop, x *tlscore.Session) *tlscore.Session {
			s.server.CipherSuites = []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256}
			return x
		},
		"client certificate required now": func(s *shop, x *tlscore.Session) *tlscore.Session {
			s.server.ClientAuth = tlscore.RequireClientCert
			s.client.Identities = []tlscore.Identity{selfSigned(s.t, ed(s.t))}
			return x
		},
		"for another name": func(s *shop, x *tlscore.Session) *tlscore.Session { y := *x; y.ServerName = "b.example"; return &y },
		"too old":          func(s *shop, x *tlscore.Session) *tlscore.Session { y := *x; y.Lifetime = time.Second; return &y },
		"too old at the server": func(s *shop, x *tlscore.Session) *tlscore.Session {
			for _, known := range s.known {
				known.Lifetime = time.Second
			}
			return x
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			session := change(s, s.first())
			resumed(t, s.visit(session, false, time.Minute), false)
		})
	}
}

func TestResumptionVerifiesTheChainAgain(t *testing.T) {
	s := newShop(t)
	s.server.ClientAuth = tlscore.RequireClientCert
	s.client.Identities = []tlscore.Identity{selfSigned(t, ed(t))}
	session := s.first()

	l := s.visit(session, false, time.Minute)
	refused := 0
	l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind == tlscore.NeedVerify && q.Resumed != nil {
			refused++
			return tlscore.Verified{Err: bytes.ErrTooLarge}
		}
		return s.answer(q)
	}
	resumed(t, l, false) // the server falls back to a full handshake
	if refused != 1 {
		t.Errorf("asked %d times", refused)
	}

	l = s.visit(session, false, time.Minute)
	l.Client.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind == tlscore.NeedVerify && q.Resumed != nil {
			return tlscore.Verified{Err: bytes.ErrTooLarge, Alert: wire.AlertCertificateRevoked}
		}
		return nil
	}
	if code, _ := tlscore.CodeOf(l.Handshake()); code != tlscore.CodeCertificateRejected {
		t.Errorf("the client ended with %v", l.Client.Err)
	}
}

func TestWrongBinderEndsTheHandshake(t *testing.T) {
	s := newShop(t)
	session := s.first()
	forged := *session
	forged.Secret = bytes.Repeat([]byte{1}, len(session.Secret))
	l := s.visit(&forged, false, time.Minute)
	if code, _ := tlscore.CodeOf(l.Handshake()); code != tlscore.CodeBadBinder {
		t.Errorf("the server ended with %v", l.Server.Err)
	}
	if code, _ := tlscore.CodeOf(l.Client.Err); code != tlscore.CodePeerAlert {
		t.Errorf("the client ended with %v", l.Client.Err)
	}
}

func TestPSKAloneIsByOptInOfBothEnds(t *testing.T) {
	s := newShop(t)
	session := s.first()
	s.client.InsecurePSKWithoutDHE, s.server.InsecurePSKWithoutDHE = true, true
	l := s.visit(session, false, time.Minute)
	resumed(t, l, true)
	if l.Server.Machine.Facts().Group == 0 {
		t.Error("both know psk_dhe_ke, and it was not preferred")
	}
}

func TestSessionsSurviveEncoding(t *testing.T) {
	s := newShop(t)
	session := s.first()
	b, err := session.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := tlscore.ParseSession(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.AppendBinary(nil)
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("%v: differs", err)
	}
	resumed(t, s.visit(back, false, time.Minute), true)
	for i := range b {
		if _, err := tlscore.ParseSession(b[:i]); err == nil {
			t.Fatalf("%d of %d bytes parse", i, len(b))
		}
	}
}

// TestEncodedSessionsHaveOneForm: what AppendBinary would have written otherwise is not taken.
func TestEncodedSessionsHaveOneForm(t *testing.T) {
	b, err := (&tlscore.Session{Version: wire.VersionTLS13, Secret: []byte{1}}).AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tlscore.ParseSession(b); err != nil {
		t.Fatal(err)
	}
	// At the end stand the lengths of a key's name, of what the key is recognised by, and, of three bytes, of the chain.
	unnamed := slices.Concat(b[:len(b)-5], []byte{0, 1, 7}, b[len(b)-3:])
	const delegated = 1 + 2 + 2 + 2 + 3*8 // behind the format, version, suite, secret and three numbers
	dated := slices.Clone(b)
	binary.BigEndian.PutUint64(dated[delegated:], uint64(time.Time{}.UnixMilli()))
	for name, other := range map[string][]byte{"a key without a name": unnamed, "the zero of times, written out": dated} {
		if s, err := tlscore.ParseSession(other); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func FuzzParseSession(f *testing.F) {
	b, err := (&tlscore.Session{Version: wire.VersionTLS13, Secret: []byte{1}, PeerChain: [][]byte{{2}}, Ticket: []byte{3}}).AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := tlscore.ParseSession(in)
		if err != nil {
			return
		}
		if out, err := s.AppendBinary(nil); err != nil || !bytes.Equal(out, in) {
			t.Errorf("% x became % x: %v", in, out, err)
		}
	})
}

// TestTicketsWithoutRoomAreNotOffered: how long a ticket is chooses the server, and it may have been a hostile one.
func TestTicketsWithoutRoomAreNotOffered(t *testing.T) {
	s := newShop(t)
	session := *s.first()
	for _, size := range []int{40 << 10, 64_300, 65_510, 1<<16 - 1} {
		session.Ticket = make([]byte, size)
		resumed(t, s.visit(&session, false, time.Minute), false)
	}
	// One that has room, but not beside the cookie of whom it is offered to.
	session.Ticket = make([]byte, 32<<10)
	p := &tlstest.Puppet{Identity: selfSigned(t, ed(t)), Retry: wire.GroupSecp384r1, Edit: inServerHello(func(h *wire.ServerHello) {
		if h.IsHelloRetryRequest() {
			h.Extensions.Add(&wire.Cookie{Cookie: make([]byte, 32<<10)})
		}
	})}
	o := p.Serve(tlscore.NewClient(compile(t, s.client), tlscore.Options{ServerName: "a.example", Session: &session}))
	if !codeIs(o.Err, tlscore.CodeTooLongToSend) {
		t.Errorf("a cookie and a ticket: %v", o.Err)
	}
}
