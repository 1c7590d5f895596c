package tlsnet_test

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// archive is a server of TLS 1.2 that issues no tickets and keeps its sessions under their ids, made of bare machines.
type archive struct {
	t      *testing.T
	params *tlscore.Params

	mu        sync.Mutex
	known     map[string]*tlscore.Session
	presented map[string]bool // what clients offered and it knew
}

func newArchive(t *testing.T, s *site) (a *archive, addr string) {
	t.Helper()
	params, err := tlscore.Compile(tlscore.Config{
		MaxVersion: wire.VersionTLS12, NoTickets: true, AskSession: true, SessionIDs: true,
		Identities: []tlscore.Identity{{Chain: s.server.Chain, Tag: s.server.Key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a = &archive{t: t, params: params, known: map[string]*tlscore.Session{}, presented: map[string]bool{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { a.serve(nc) })
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return a, l.Addr().String()
}

// serve echoes each record of data until the client is gone.
func (a *archive) serve(nc net.Conn) {
	defer nc.Close()
	m := tlscore.NewServer(a.params, tlscore.Options{})
	if _, err := m.Start(time.Now(), nil); err != nil {
		a.t.Error(err)
	}
	for {
		rec := make([]byte, wire.RecordHeaderLen)
		if _, err := io.ReadFull(nc, rec); err != nil {
			return
		}
		h, _ := wire.ParseRecordHeader(rec)
		rec = append(rec, make([]byte, h.Length)...)
		if _, err := io.ReadFull(nc, rec[wire.RecordHeaderLen:]); err != nil {
			return
		}
		if err := a.feed(nc, m, rec); err != nil {
			return
		}
	}
}

// feed gives the machine one record, and writes what follows from it.
func (a *archive) feed(nc net.Conn, m *tlscore.Machine, rec []byte) error {
	for {
		step, err := m.Feed(time.Now(), rec, nil)
		rec = rec[step.N:]
		moved := step.N > 0
		for err == nil && step.Event.Question != nil {
			q := step.Event.Question
			step, err = m.Resume(time.Now(), q.ID, a.answer(q), step.Out)
			moved = true
		}
		out := step.Out
		switch step.Event.Kind {
		case tlscore.Data:
			_, out, err = m.Seal(step.Event.Data, out)
		case tlscore.PeerClosed:
			err = io.EOF
		}
		if _, werr := nc.Write(out); err != nil || werr != nil {
			return errors.Join(err, werr)
		}
		if !moved {
			return nil
		}
	}
}

func (a *archive) answer(q *tlscore.Question) tlscore.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch q.Kind {
	case tlscore.NeedSession:
		session := a.known[string(q.Tickets[0])]
		if session != nil {
			a.presented[string(session.SessionID)] = true
		}
		return tlscore.Found{Session: session}
	case tlscore.NeedTicket:
		a.known[string(q.Resumed.SessionID)] = q.Resumed
		return tlscore.Issued{Lifetime: time.Hour}
	case tlscore.NeedSignature:
		sig, err := tlscore.SignWith(q.Identity.Tag.(crypto.Signer), q)
		return tlscore.Signed{Signature: sig, Err: err}
	}
	a.t.Errorf("asked %v", q.Kind)
	return nil
}

func (a *archive) counts() (known, presented int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.known), len(a.presented)
}

// giving is a store that takes sessions and gives none out.
type giving struct{ tlsnet.SessionStore }

func (giving) Take(string) *tlscore.Session { return nil }

// TestClientsKeepSeveralSessionIDs: connections leave a session each, and each of these is of use.
func TestClientsKeepSeveralSessionIDs(t *testing.T) {
	const conns = 3
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			a, addr := newArchive(t, s)
			cc := s.clientConfig()
			for again := range 2 {
				cc.Sessions = giving{store}
				if again > 0 {
					cc.Sessions = store
				}
				who := newVisitor(t, cc)
				for i := range conns {
					if f := who.visit(addr); f.Resumed != (again > 0) || f.Version != wire.VersionTLS12 {
						t.Errorf("connection %d: resumed %v, %v", i, f.Resumed, f.Version)
					}
				}
			}
			known, presented := a.counts()
			if known != conns || presented != conns {
				t.Errorf("the server knows %d sessions, %d of them came back, want %d", known, presented, conns)
			}
		})
	}
}

// TestServersResumeBySessionID serves a client of TLS 1.2 that knows no tickets.
func TestServersResumeBySessionID(t *testing.T) {
	s := newSite(t)
	sc := s.serverConfig()
	store := tlsnet.NewMemoryServerSessions(0)
	sc.ServerSessions = store
	l := listen(t, sc)
	go echo(l)
	file := filepath.Join(t.TempDir(), "session")
	run := func(args ...string) string {
		o := startOpenSSL(t, append([]string{"s_client", "-connect", l.Addr().String(), "-servername", "localhost",
			"-tls1_2", "-no_ticket", "-CAfile", s.ca.RootFile(), "-verify_return_error", "-sess_out", file}, args...)...)
		o.say("hello")
		o.until("hello")
		return o.finish()
	}
	if out := run(); !strings.Contains(out, "New, TLSv1.2") {
		t.Errorf("first: %s", out)
	}
	for range 2 { // the server goes on knowing a session that was resumed
		if out := run("-sess_in", file); !strings.Contains(out, "Reused, TLSv1.2") {
			t.Errorf("then: %s", out)
		}
	}
	if n := store.Len(); n != 1 {
		t.Errorf("%d sessions are kept", n)
	}
	if err := l.SetConfig(s.serverConfig()); err != nil { // it issues tickets now, and keeps nothing
		t.Fatal(err)
	}
	if out := run("-sess_in", file); !strings.Contains(out, "New, TLSv1.2") {
		t.Errorf("without a store: %s", out)
	}
}

// TestTicketsAreNotTakenForSessionIDs: a hello of TLS 1.2 presents the name of a stored session, which came as a ticket, in
// the place of an id. It must be met by a full handshake, and the session still be there for its ticket.
func TestTicketsAreNotTakenForSessionIDs(t *testing.T) {
	s := newSite(t)
	sc := s.serverConfig()
	sc.Core.MaxVersion, sc.ServerSessions = wire.VersionTLS12, tlsnet.NewMemoryServerSessions(0)
	addr := served(t, sc)
	cc := s.clientConfig()
	store := tlsnet.NewMemorySessions(0)
	cc.Sessions = &spying{SessionStore: store}
	who := newVisitor(t, cc)
	who.visit(addr)
	name := cc.Sessions.(*spying).last.Ticket
	if len(name) != 32 {
		t.Fatalf("a ticket of %d bytes", len(name))
	}
	for _, own := range []bool{false, true} {
		hello := hello12(name)
		if own {
			hello.Extensions.Add(&wire.SessionTicket{Ticket: name})
		}
		sh := answerTo(t, addr, hello)
		if resumes := bytes.Equal(sh.SessionID, name); resumes != own {
			t.Errorf("as a ticket: %v: resumed %v", own, resumes)
		}
	}
	if f := who.visit(addr); !f.Resumed {
		t.Error("the session is gone")
	}
}

// spying is a store that knows what was put in last.
type spying struct {
	tlsnet.SessionStore
	last *tlscore.Session
}

func (s *spying) Put(key string, session *tlscore.Session) {
	s.last = session
	s.SessionStore.Put(key, session)
}

// hello12 is a ClientHello of TLS 1.2 for the site.
func hello12(id []byte) *wire.ClientHello {
	h := &wire.ClientHello{
		LegacyVersion: wire.VersionTLS12, SessionID: id, CompressionMethods: []byte{0}, Extensions: wire.Extensions{},
		CipherSuites: []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
	}
	h.Extensions.Add(&wire.ServerNames{Names: []wire.ServerName{{Name: []byte("localhost")}}})
	h.Extensions.Add(&wire.SupportedGroups{Groups: []wire.Group{wire.GroupX25519, wire.GroupSecp256r1}})
	h.Extensions.Add(&wire.SignatureAlgorithms{Schemes: []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256}})
	h.Extensions.Add(&wire.ExtendedMasterSecret{})
	return h
}

// answerTo sends a ClientHello and returns the ServerHello.
func answerTo(t *testing.T, addr string, h *wire.ClientHello) *wire.ServerHello {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw := wire.AppendMessage(nil, h)
	head := wire.RecordHeader{Type: wire.ContentHandshake, Version: wire.VersionTLS10, Length: len(raw)}
	if _, err := c.Write(append(wire.AppendRecordHeader(nil, head), raw...)); err != nil {
		t.Fatal(err)
	}
	var joiner wire.Joiner
	for {
		rec := make([]byte, wire.RecordHeaderLen)
		if _, err := io.ReadFull(c, rec); err != nil {
			t.Fatal(err)
		}
		head, _ := wire.ParseRecordHeader(rec)
		body := make([]byte, head.Length)
		if _, err := io.ReadFull(c, body); err != nil || head.Type != wire.ContentHandshake {
			t.Fatalf("%v % x, %v", head, body, err)
		}
		joiner.Add(body)
		msg, ok, err := joiner.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			var sh wire.ServerHello
			if err := sh.Parse(msg); err != nil {
				t.Fatal(err)
			}
			return &sh
		}
	}
}
