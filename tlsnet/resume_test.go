package tlsnet_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// visitor makes connections to an echo server, one after the other.
type visitor struct {
	t      *testing.T
	dialer *tlsnet.Dialer
}

func newVisitor(t *testing.T, c *tlsnet.Config) *visitor {
	t.Helper()
	d, err := tlsnet.NewDialer(c)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, d}
}

// visit makes one connection, waits for an answer and so for tickets, and returns the facts.
func (v *visitor) visit(addr string) tlscore.Facts {
	v.t.Helper()
	c, err := v.dialer.Dial(v.t.Context(), "tcp", addr)
	if err != nil {
		v.t.Fatal(err)
	}
	defer c.Close()
	chat(v.t, c)
	if !c.Peer().Verified() {
		v.t.Error("the server was not verified")
	}
	return c.Facts()
}

// chat sends two messages: the tickets that go behind the answer to the first have come when the second is answered.
func chat(t *testing.T, c net.Conn) {
	t.Helper()
	for range 2 {
		mustWrite(t, c, "hello")
		mustRead(t, c, "hello")
	}
}

func served(t *testing.T, c *tlsnet.Config) string {
	t.Helper()
	l := listen(t, c)
	go echo(l)
	return l.Addr().String()
}

func versions() map[string]wire.Version {
	return map[string]wire.Version{"1.3": wire.VersionTLS13, "1.2": wire.VersionTLS12}
}

func TestConnectionsAreResumed(t *testing.T) {
	for name, v := range versions() {
		for _, store := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stored=%v", name, store), func(t *testing.T) {
				s := newSite(t)
				sc := s.mutual()
				sc.Core.MaxVersion = v
				if store {
					sc.ServerSessions = tlsnet.NewMemoryServerSessions(0)
				}
				addr := served(t, sc)
				cc := s.clientConfig()
				cc.Identities = []tlsnet.Identity{identity(s.client)}
				who := newVisitor(t, cc)
				for i := range 5 {
					if f := who.visit(addr); f.Resumed != (i > 0) || f.Version != v {
						t.Errorf("connection %d: resumed %v, %v", i, f.Resumed, f.Version)
					}
				}
			})
		}
	}
}

// TestServersKnowWhoResumes: the client's certificate is verified again, and known, on both sides of a resumption.
func TestServersKnowWhoResumes(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			sc := s.mutual()
			sc.Core.MaxVersion = v
			l := listen(t, sc)
			cc := s.clientConfig()
			cc.Identities = []tlsnet.Identity{identity(s.client)}
			who := newVisitor(t, cc)
			for i := range 3 {
				done := make(chan error, 1)
				go func() {
					c, err := l.AcceptConn()
					if err != nil {
						done <- err
						return
					}
					defer c.Close()
					io.Copy(c, c)
					if p := c.Peer(); p.CommonName() != "alice" || c.Facts().Resumed != (i > 0) {
						err = fmt.Errorf("peer %q, resumed %v", p.CommonName(), c.Facts().Resumed)
					}
					done <- err
				}()
				who.visit(l.Addr().String())
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestResumptionNeverWidens gives a second listener the keys of the first and another policy.
func TestResumptionNeverWidens(t *testing.T) {
	other := newSite(t)
	for name, c := range map[string]struct {
		change func(s *site, sc *tlsnet.Config)
		want   bool
	}{
		"the same":            {func(*site, *tlsnet.Config) {}, true},
		"renewed certificate": {func(s *site, sc *tlsnet.Config) { sc.Identities[0] = identity(s.ca.Server(pkitest.P256)) }, true},
		"other names": {func(s *site, sc *tlsnet.Config) {
			sc.Identities[0] = identity(s.ca.Server(pkitest.P256, "localhost", "b.example"))
		}, false},
		"more client CAs":       {func(s *site, sc *tlsnet.Config) { sc.ClientRoots = append(sc.ClientRoots, other.ca.Root) }, false},
		"client auth by choice": {func(s *site, sc *tlsnet.Config) { sc.Core.ClientAuth = tlscore.RequestClientCert }, false},
		"other protocol":        {func(s *site, sc *tlsnet.Config) { sc.Core.ALPN = []string{"b", "a"} }, false},
		"other keys":            {func(s *site, sc *tlsnet.Config) { sc.TicketKeys = tlsnet.NewTicketKeys(0, 0) }, false},
		"no tickets":            {func(s *site, sc *tlsnet.Config) { sc.Core.NoTickets = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range versions() {
				s := newSite(t)
				sc := s.mutual()
				sc.TicketKeys = tlsnet.NewTicketKeys(0, 0)
				sc.Core.ALPN = []string{"a", "b"}
				sc.Core.MaxVersion = v
				first := listen(t, sc)
				go echo(first)
				cc := s.clientConfig()
				cc.Core.ALPN = []string{"a", "b"}
				cc.Identities = []tlsnet.Identity{identity(s.client)}
				who := newVisitor(t, cc)
				who.visit(first.Addr().String())
				again := *sc
				again.Identities = []tlsnet.Identity{sc.Identities[0]}
				c.change(s, &again)
				if err := first.SetConfig(&again); err != nil {
					t.Fatal(err)
				}
				if f := who.visit(first.Addr().String()); f.Resumed != c.want {
					t.Errorf("%v: resumed %v", v, f.Resumed)
				}
			}
		})
	}
}

func TestTicketKeysAreShared(t *testing.T) {
	s := newSite(t)
	one, two := tlsnet.NewTicketKeys(0, 0), tlsnet.NewTicketKeys(0, 0)
	a, b := s.serverConfig(), s.serverConfig()
	a.TicketKeys, b.TicketKeys = one, two
	la := listenToReturn(t, a)
	go echo(la)
	who := newVisitor(t, s.clientConfig())
	addr := la.Addr().String()
	who.visit(addr)
	if err := two.Import(one.Export(time.Now())); err != nil {
		t.Fatal(err)
	}
	la.Close()
	nl, err := net.Listen("tcp", addr) // the other node takes over
	if err != nil {
		t.Fatal(err)
	}
	lb, err := tlsnet.NewListener(nl, b)
	if err != nil {
		t.Fatal(err)
	}
	defer lb.Close()
	go echo(lb)
	if f := who.visit(addr); !f.Resumed {
		t.Error("the other node could not open the ticket")
	}
}

func TestResumedChainsAreVerifiedAgain(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			sc := s.serverConfig()
			sc.Core.MaxVersion = v
			addr := served(t, sc)
			shared := tlsnet.NewMemorySessions(0)
			now := time.Now()
			cc := s.clientConfig()
			cc.Sessions, cc.Time = shared, func() time.Time { return now }
			newVisitor(t, cc).visit(addr)
			strict := *cc
			strict.Roots = s.ca.Stranger().Roots() // trusts others: finds nothing, and would not take it
			d, err := tlsnet.NewDialer(&strict)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Dial(t.Context(), "tcp", addr); err == nil {
				t.Error("a session made up for the lack of trust")
			}
			now = now.Add(time.Hour)
			if f := newVisitor(t, cc).visit(addr); !f.Resumed {
				t.Error("not resumed within the hour")
			}
			now = now.Add(400 * 24 * time.Hour) // the certificate is over
			if _, err := tlsnet.Dial(t.Context(), "tcp", addr, cc); err == nil {
				t.Error("an expired certificate was resumed")
			}
		})
	}
}

func TestInsecureSessionsStayInsecure(t *testing.T) {
	s := newSite(t)
	addr := served(t, s.serverConfig())
	shared := tlsnet.NewMemorySessions(0)
	cc := &tlsnet.Config{Insecure: true, ServerName: "localhost", Sessions: shared}
	for i := range 2 {
		c, err := tlsnet.Dial(t.Context(), "tcp", addr, cc)
		if err != nil {
			t.Fatal(err)
		}
		chat(t, c)
		if c.Facts().Resumed != (i > 0) || c.Peer().Verified() || c.Peer().Problem == nil {
			t.Errorf("%d: resumed %v, peer %+v", i, c.Facts().Resumed, c.Peer())
		}
		c.Close()
	}
	strict := s.clientConfig()
	strict.Sessions = shared
	if f := newVisitor(t, strict).visit(addr); f.Resumed {
		t.Error("a session made without verification was used by who verifies")
	}
}

func TestRefusedSessionsAreForgotten(t *testing.T) {
	s := newSite(t)
	l := listen(t, s.serverConfig())
	go echo(l)
	addr := l.Addr().String()
	shared := tlsnet.NewMemorySessions(0)
	cc := s.clientConfig()
	cc.Sessions = shared
	who := newVisitor(t, cc)
	who.visit(addr)
	if err := l.SetConfig(s.mutualByChoice()); err != nil { // another policy: the tickets are worth nothing
		t.Fatal(err)
	}
	for i, want := range []bool{false, true} {
		if f := who.visit(addr); f.Resumed != want {
			t.Errorf("%d: resumed %v", i, f.Resumed)
		}
	}
}

func (s *site) mutualByChoice() *tlsnet.Config {
	c := s.serverConfig()
	c.Core.ClientAuth = tlscore.RequestClientCert
	return c
}

func TestSessionsLiveInFiles(t *testing.T) {
	s := newSite(t)
	addr := served(t, s.serverConfig())
	dir := filepath.Join(t.TempDir(), "sessions")
	for i := range 3 {
		files, err := tlsnet.NewFileSessions(dir) // as another process
		if err != nil {
			t.Fatal(err)
		}
		cc := s.clientConfig()
		cc.Sessions = files
		if f := newVisitor(t, cc).visit(addr); f.Resumed != (i > 0) {
			t.Errorf("%d: resumed %v", i, f.Resumed)
		}
	}
}

// TestRotationFailsNoResumption rotates keys every second, by a clock of its own, under 50 connections a second.
func TestRotationFailsNoResumption(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	sc := s.serverConfig()
	sc.Time, sc.TicketLifetime = clock, 10*time.Second
	sc.TicketKeys = tlsnet.NewTicketKeys(time.Second, 10*time.Second)
	addr := served(t, sc)
	cc := s.clientConfig()
	cc.Time = clock
	who := make([]*visitor, 10)
	for i := range who {
		who[i] = newVisitor(t, cc)
		who[i].visit(addr)
	}
	for tick := range 25 { // 250 connections in five seconds
		mu.Lock()
		now = now.Add(200 * time.Millisecond)
		mu.Unlock()
		var wg sync.WaitGroup
		for _, v := range who {
			wg.Go(func() {
				if f := v.visit(addr); !f.Resumed {
					t.Errorf("tick %d: not resumed", tick)
				}
			})
		}
		wg.Wait()
	}
	if n := len(sc.TicketKeys.Export(clock())); n < 5 {
		t.Errorf("%d keys after five rotations", n)
	}
}

// TestTicketsDoNotHoldUpTheFirstAnswer: where the server has something to say, the tickets go behind it in one write.
func TestTicketsDoNotHoldUpTheFirstAnswer(t *testing.T) {
	s := newSite(t)
	sc := s.serverConfig()
	sc.TicketKeys, sc.Tickets = tlsnet.NewTicketKeys(0, 0), 5
	a, b := tcpPair(t)
	c, sv := connected(t, s.clientConfig(), sc, a, b)
	mustWrite(t, sv, "first")
	mustRead(t, c, "first")
	if n := c.Facts().TicketsReceived; n != 0 {
		t.Errorf("%d tickets came before the first answer", n)
	}
	mustWrite(t, sv, "second")
	mustRead(t, c, "second")
	if n := c.Facts().TicketsReceived; n != 5 {
		t.Errorf("%d tickets", n)
	}
}

// announced is a store that tells of what is put in.
type announced struct {
	tlsnet.SessionStore
	put chan struct{}
}

func (a announced) Put(key string, s *tlscore.Session) {
	a.SessionStore.Put(key, s)
	a.put <- struct{}{}
}

// TestTicketsComeWhileTheServerWaits: a server that only listens sends them, too.
func TestTicketsComeWhileTheServerWaits(t *testing.T) {
	s := newSite(t)
	pairs(t, func(t *testing.T, a, b net.Conn) {
		sc := s.serverConfig()
		sc.TicketKeys = tlsnet.NewTicketKeys(0, 0)
		cc := s.clientConfig()
		store := announced{tlsnet.NewMemorySessions(0), make(chan struct{}, tlsnet.DefaultTickets)}
		cc.Sessions = store
		c, sv := connected(t, cc, sc, a, b)
		go io.Copy(io.Discard, sv)
		go io.Copy(io.Discard, c)
		for range tlsnet.DefaultTickets {
			<-store.put
		}
	})
}

func TestResumptionWithCryptoTLS(t *testing.T) {
	for name, v := range versions() {
		t.Run(name+" their client", func(t *testing.T) {
			s := newSite(t)
			sc := s.mutual()
			addr := served(t, sc)
			cc := s.stdClient()
			cc.MaxVersion = uint16(v)
			cc.Certificates = []tls.Certificate{stdCertificate(s.client)}
			cc.ClientSessionCache = tls.NewLRUClientSessionCache(0)
			for i := range 4 {
				c, err := tls.Dial("tcp", addr, cc)
				if err != nil {
					t.Fatal(err)
				}
				chat(t, c)
				if st := c.ConnectionState(); st.DidResume != (i > 0) || st.Version != uint16(v) {
					t.Errorf("%d: resumed %v", i, st.DidResume)
				}
				c.Close()
			}
		})
		t.Run(name+" their server", func(t *testing.T) {
			s := newSite(t)
			sc := s.stdServer()
			sc.MaxVersion = uint16(v)
			sc.ClientAuth = tls.RequireAndVerifyClientCert
			l, err := tls.Listen("tcp", "127.0.0.1:0", sc)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go echo(l)
			cc := s.clientConfig()
			cc.Identities = []tlsnet.Identity{identity(s.client)}
			who := newVisitor(t, cc)
			for i := range 4 {
				if f := who.visit(l.Addr().String()); f.Resumed != (i > 0) || f.Version != v {
					t.Errorf("%d: resumed %v", i, f.Resumed)
				}
			}
		})
	}
}
