package tlscore_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// rush makes a connection with early data under way before the server has said a word.
func (s *shop) rush(session *tlscore.Session, data []byte) (*tlstest.Link, error) {
	s.t.Helper()
	l := s.visit(session, true, time.Minute)
	if err := l.Start(); err != nil {
		s.t.Fatal(err)
	}
	_, out, err := l.Client.Machine.SealEarly(data, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	l.Carry(l.Client, out)
	return l, l.Run()
}

func earlyShop(t *testing.T) *shop {
	s := newShop(t)
	s.server.MaxEarlyData = 40_000
	return s
}

func TestEarlyDataArrivesBeforeTheHandshakeIsDone(t *testing.T) {
	s := earlyShop(t)
	s.client.ALPN, s.server.ALPN = []string{"x"}, []string{"x"}
	session := s.first()
	if session.MaxEarlyData != 40_000 {
		t.Fatalf("the ticket allows %d bytes", session.MaxEarlyData)
	}
	data := bytes.Repeat([]byte("early"), 7000)
	l, err := s.rush(session, data)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(l.Server.Early, data) || len(l.Server.Received) != 0 {
		t.Errorf("%d bytes arrived early, %d as ordinary data", len(l.Server.Early), len(l.Server.Received))
	}
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		if f := e.Machine.Facts(); f.EarlyData != tlscore.EarlyDataAccepted || !f.Resumed || !e.Done {
			t.Errorf("%v: %+v", f.Role, f)
		}
	}
	exchange(t, l)
	if _, _, err := l.Client.Machine.SealEarly([]byte("late"), nil); !errors.Is(err, tlscore.ErrEarlyDataOver) {
		t.Errorf("SealEarly after the handshake: %v", err)
	}
}

func TestServerMayAnswerEarlyDataAtOnce(t *testing.T) {
	s := earlyShop(t)
	session := s.first()
	l := s.visit(session, true, time.Minute)
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	_, out, err := l.Client.Machine.SealEarly([]byte("question"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Client, out)
	l.Mutate = func(from *tlstest.End, rec []byte) []byte {
		if from == l.Client { // nothing more comes from the client: no Finished
			return nil
		}
		return rec
	}
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if l.Server.Done || string(l.Server.Early) != "question" {
		t.Fatalf("done %v, early %q", l.Server.Done, l.Server.Early)
	}
	if err := l.Send(l.Server, []byte("answer")); err != nil {
		t.Fatal(err)
	}
	if string(l.Client.Received) != "answer" {
		t.Errorf("the client received %q", l.Client.Received)
	}
	theirs, err := l.Client.Machine.Export("label", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := l.Server.Machine.Export("label", nil, 32); err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("the server's keying material is %x, %v, the client's %x", ours, err, theirs)
	}
}

func TestRefusedEarlyDataIsSkipped(t *testing.T) {
	for name, change := range map[string]func(*shop){
		"used before":     func(s *shop) { s.used = map[string]bool{}; s.server.MaxEarlyData = 40_000; s.refuse() },
		"server has none": func(s *shop) { s.server.MaxEarlyData = 0 },
		"retry":           func(s *shop) { s.server.RetryAlways = true },
		"retry for a group": func(s *shop) {
			s.client.Groups = []wire.Group{wire.GroupX25519, wire.GroupSecp384r1}
			s.server.Groups = []wire.Group{wire.GroupSecp384r1}
		},
		"unknown session":  func(s *shop) { clear(s.known) },
		"does not ask":     func(s *shop) { s.server.AskSession = false },
		"another protocol": func(s *shop) { s.server.ALPN = []string{"y"}; s.client.ALPN = []string{"x", "y"} },
		"another suite": func(s *shop) {
			s.server.CipherSuites = []wire.CipherSuite{wire.TLS_CHACHA20_POLY1305_SHA256}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := earlyShop(t)
			session := s.first()
			change(s)
			l, err := s.rush(session, bytes.Repeat([]byte("early"), 3000))
			if err != nil {
				t.Fatal(err)
			}
			if len(l.Server.Early) != 0 {
				t.Errorf("%d bytes were taken", len(l.Server.Early))
			}
			for _, e := range []*tlstest.End{l.Client, l.Server} {
				if f := e.Machine.Facts(); f.EarlyData != tlscore.EarlyDataRejected || !e.Done {
					t.Errorf("%v: %v, done %v", f.Role, f.EarlyData, e.Done)
				}
			}
			exchange(t, l)
		})
	}
}

// refuse marks all tickets as used.
func (s *shop) refuse() {
	for ticket := range s.known {
		s.used[ticket] = true
	}
}

func TestEarlyDataIsBoundedAtBothEnds(t *testing.T) {
	s := earlyShop(t)
	session := s.first()
	l := s.visit(session, true, time.Minute)
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	n, _, err := l.Client.Machine.SealEarly(make([]byte, 50_000), nil)
	if n != 40_000 || !errors.Is(err, tlscore.ErrEarlyDataOver) {
		t.Errorf("the client sealed %d bytes: %v", n, err)
	}
	greedy := *session
	greedy.MaxEarlyData = 1 << 20
	if _, err := s.rush(&greedy, make([]byte, 50_000)); !codeIs(err, tlscore.CodeTooMuchEarlyData) {
		t.Errorf("a server that takes 40000 bytes and got 50000: %v", err)
	}
	clear(s.known)
	if _, err := s.rush(&greedy, make([]byte, 50_000)); !codeIs(err, tlscore.CodeTooMuchEarlyData) {
		t.Errorf("a server that skips 40000 bytes and got 50000: %v", err)
	}
}

func codeIs(err error, c tlscore.Code) bool {
	code, ok := tlscore.CodeOf(err)
	return ok && code == c
}

func TestEarlyDataIsNotOfferedWhereItCannotBe(t *testing.T) {
	s := newShop(t)
	session := s.first() // its ticket allows none
	l := s.visit(session, true, time.Minute)
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Client.Machine.SealEarly([]byte("x"), nil); !errors.Is(err, tlscore.ErrEarlyDataOver) {
		t.Errorf("SealEarly: %v", err)
	}
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
	if f := l.Client.Machine.Facts(); f.EarlyData != tlscore.EarlyDataNone || !f.Resumed {
		t.Errorf("%+v", f)
	}
}

func TestEarlyDataSurvivesChunking(t *testing.T) {
	s := earlyShop(t)
	session := s.first()
	for _, size := range []int{1, 7, 100} {
		clear(s.used)
		l := s.visit(session, true, time.Minute)
		l.Chunk = func(int) int { return size }
		if err := l.Start(); err != nil {
			t.Fatal(err)
		}
		_, out, err := l.Client.Machine.SealEarly([]byte("early"), nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Carry(l.Client, out)
		if err := l.Run(); err != nil {
			t.Fatal(err)
		}
		if string(l.Server.Early) != "early" || !l.Client.Done || !l.Server.Done {
			t.Errorf("pieces of %d: %q", size, l.Server.Early)
		}
	}
}
