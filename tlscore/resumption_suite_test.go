package tlscore_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

const (
	aes128 = wire.TLS_AES_128_GCM_SHA256
	aes256 = wire.TLS_AES_256_GCM_SHA384
	chacha = wire.TLS_CHACHA20_POLY1305_SHA256
)

type suiteList []wire.CipherSuite

// TestSessionsAreResumedWithASuiteOfTheirHash: the order of the suites is for choosing between full handshakes.
func TestSessionsAreResumedWithASuiteOfTheirHash(t *testing.T) {
	for _, c := range []struct {
		name           string
		session        wire.CipherSuite
		client, server suiteList
		prefer         bool // the client's order counts
		want           wire.CipherSuite
		resumed        bool
	}{
		{"its own, which is not our first", aes128, suiteList{aes256, aes128}, suiteList{aes256, aes128}, false, aes128, true},
		{"its own, which is our last", aes128, suiteList{aes256, aes128, chacha}, suiteList{aes256, chacha, aes128}, false, aes128, true},
		{"another of its hash, since the server has its own no more", aes128, suiteList{aes256, aes128, chacha}, suiteList{aes256, chacha}, false, chacha, true},
		{"another of its hash, since the client has its own no more", aes128, suiteList{aes256, chacha}, suiteList{aes256, chacha, aes128}, false, chacha, true},
		{"the longer hash behind the shorter", aes256, suiteList{aes128, aes256}, suiteList{aes128, aes256}, false, aes256, true},
		{"the client's second, in the client's order", aes128, suiteList{aes256, aes128}, suiteList{aes128, aes256}, true, aes128, true},
		{"our first, where the hash is the same", aes128, suiteList{aes128, chacha}, suiteList{chacha, aes128}, false, chacha, true},
		{"none left at the server", aes128, suiteList{aes256, aes128}, suiteList{aes256}, false, aes256, false},
		{"none in common", aes128, suiteList{aes256, chacha}, suiteList{aes256, aes128}, false, aes256, false},
		{"against a client without AES", aes256, suiteList{chacha, aes256}, suiteList{aes256, chacha}, false, chacha, false},
		{"for a client without AES", chacha, suiteList{chacha, aes256}, suiteList{aes256, chacha}, false, chacha, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			s.server.CipherSuites, s.client.CipherSuites = suiteList{c.session}, suiteList{c.session}
			session := s.first()
			s.server.CipherSuites, s.client.CipherSuites, s.server.PreferClient = c.server, c.client, c.prefer
			l := s.visit(session, false, time.Minute)
			resumed(t, l, c.resumed)
			for _, e := range []*tlstest.End{l.Client, l.Server} {
				if got := e.Machine.Facts().CipherSuite; got != c.want {
					t.Errorf("%v: %v, want %v", e.Machine.Facts().Role, got, c.want)
				}
			}
		})
	}
}

// TestSuitesGiveWayOnlyWhereTheSessionIsResumed: what keeps a session from that keeps our order, too.
func TestSuitesGiveWayOnlyWhereTheSessionIsResumed(t *testing.T) {
	for name, change := range map[string]func(*shop, *tlscore.Session) *tlscore.Session{
		"unknown":           func(s *shop, x *tlscore.Session) *tlscore.Session { clear(s.known); return x },
		"too old":           func(s *shop, x *tlscore.Session) *tlscore.Session { s.age(); return x },
		"behind a retry":    func(s *shop, x *tlscore.Session) *tlscore.Session { s.server.RetryAlways = true; return x },
		"for another name":  func(s *shop, x *tlscore.Session) *tlscore.Session { y := *x; y.ServerName = "b.example"; return &y },
		"a session of none": func(*shop, *tlscore.Session) *tlscore.Session { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.server.CipherSuites, s.client.CipherSuites = suiteList{aes128}, suiteList{aes128}
			session := s.first()
			s.server.CipherSuites, s.client.CipherSuites = suiteList{aes256, aes128}, suiteList{aes256, aes128}
			l := s.visit(change(s, session), false, time.Minute)
			resumed(t, l, false)
			if got := l.Server.Machine.Facts().CipherSuite; got != aes256 {
				t.Errorf("spoke %v", got)
			}
		})
	}
}

// age ends the lifetime of all sessions, as the server knows it.
func (s *shop) age() {
	for _, known := range s.known {
		known.Lifetime = time.Second
	}
}

// TestSuitesComeBackWhereTheOldCertificateIsRefused: that leads to a full handshake after the suite had given way.
func TestSuitesComeBackWhereTheOldCertificateIsRefused(t *testing.T) {
	s := newShop(t)
	s.server.ClientAuth = tlscore.RequireClientCert
	s.client.Identities = []tlscore.Identity{selfSigned(t, ed(t))}
	s.server.CipherSuites, s.client.CipherSuites = suiteList{aes128}, suiteList{aes128}
	session := s.first()
	s.server.CipherSuites, s.client.CipherSuites = suiteList{aes256, aes128}, suiteList{aes256, aes128}
	for _, refuse := range []bool{true, false} {
		l := s.visit(session, false, time.Minute)
		l.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
			if q.Kind == tlscore.NeedVerify && q.Resumed != nil && refuse {
				return tlscore.Verified{Err: bytes.ErrTooLarge}
			}
			return s.answer(q)
		}
		resumed(t, l, !refuse)
		want := aes128
		if refuse {
			want = aes256
		}
		if got := l.Server.Machine.Facts().CipherSuite; got != want {
			t.Errorf("refused %v: spoke %v", refuse, got)
		}
	}
}

// TestEarlyDataComesWithTheSessionsOwnSuite although that is not our first.
func TestEarlyDataComesWithTheSessionsOwnSuite(t *testing.T) {
	s := earlyShop(t)
	s.server.CipherSuites, s.client.CipherSuites = suiteList{aes128}, suiteList{aes128}
	session := s.first()
	s.server.CipherSuites, s.client.CipherSuites = suiteList{aes256, chacha, aes128}, suiteList{aes256, aes128, chacha}
	l, err := s.rush(session, []byte("early"))
	if err != nil {
		t.Fatal(err)
	}
	if string(l.Server.Early) != "early" || !l.Client.Done {
		t.Errorf("%q, done %v", l.Server.Early, l.Client.Done)
	}
	exchange(t, l)
}

// TestWrongBinderEndsTheHandshakeWithAnySuite: the binder is made with the hash of the session.
func TestWrongBinderEndsTheHandshakeWithAnySuite(t *testing.T) {
	s := newShop(t)
	s.server.CipherSuites, s.client.CipherSuites = suiteList{aes128}, suiteList{aes128}
	session := s.first()
	s.server.CipherSuites, s.client.CipherSuites = suiteList{aes256, aes128}, suiteList{aes256, aes128}
	forged := *session
	forged.Secret = bytes.Repeat([]byte{1}, len(session.Secret))
	if err := s.visit(&forged, false, time.Minute).Handshake(); !codeIs(err, tlscore.CodeBadBinder) {
		t.Errorf("ended with %v", err)
	}
	forged.CipherSuite, forged.Secret = aes256, bytes.Repeat([]byte{1}, 48) // and a binder of 48 bytes
	if err := s.visit(&forged, false, time.Minute).Handshake(); !codeIs(err, tlscore.CodeBadBinder) {
		t.Errorf("ended with %v", err)
	}
}
