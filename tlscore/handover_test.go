package tlscore_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// handOver suspends an end and puts a restored machine in its place. It returns the old machine.
func handOver(t testing.TB, e *tlstest.End, p *tlscore.Params) (old *tlscore.Machine) {
	t.Helper()
	old = e.Machine
	state, err := old.Suspend()
	if err != nil {
		t.Fatal(err)
	}
	if e.Machine, err = tlscore.Restore(p, tlscore.Options{}, state); err != nil {
		t.Fatal(err)
	}
	return old
}

// handoverScene is a connection of which one end is handed over.
type handoverScene struct {
	version wire.Version
	suite   wire.CipherSuite
	server  bool // it is the server that is handed over
}

func handoverScenes() (out []handoverScene) {
	for _, server := range []bool{false, true} {
		for _, id := range []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256} {
			out = append(out, handoverScene{wire.VersionTLS13, id, server})
		}
		for _, id := range []wire.CipherSuite{wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256} {
			out = append(out, handoverScene{wire.VersionTLS12, id, server})
		}
	}
	return out
}

// TestConnectionsAreHandedOver has an end go on in another machine, twice, in the middle of all kinds of things.
func TestConnectionsAreHandedOver(t *testing.T) {
	for _, scene := range handoverScenes() {
		t.Run(fmt.Sprintf("%v/server=%v", scene.suite, scene.server), func(t *testing.T) {
			server := serverConfig(t)
			server.ALPN, server.ClientAuth = []string{"h2"}, tlscore.RequestClientCert
			client := tlscore.Config{CipherSuites: []wire.CipherSuite{scene.suite}, ALPN: []string{"h2"}, Identities: []tlscore.Identity{selfSigned(t, p256(t), "client")}}
			params := map[bool]*tlscore.Params{false: compile(t, client), true: compile(t, server)}
			l := tlstest.New(params[false], params[true], tlscore.Options{ServerName: "www.example.org"}, tlscore.Options{})
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			end, other := l.Client, l.Server
			if scene.server {
				end, other = l.Server, l.Client
			}
			exchange(t, l)
			before, facts := export(t, end), end.Machine.Facts()
			old := handOver(t, end, params[scene.server])
			isDead(t, old, scene)
			after := end.Machine.Facts()
			if facts.OwnIdentity != after.OwnIdentity {
				t.Error("the identity that was presented is not found among those of the configuration")
			}
			if fmt.Sprintf("%+v", facts) != fmt.Sprintf("%+v", after) {
				t.Errorf("facts were\n%+v, are\n%+v", facts, after)
			}
			if !bytes.Equal(before, export(t, end)) || !bytes.Equal(before, export(t, other)) {
				t.Error("the exporter gives something else")
			}
			exchange(t, l)
			if scene.version == wire.VersionTLS13 {
				updateBoth(t, l)
			}
			handOver(t, end, params[scene.server])
			exchange(t, l)
			closeBoth(t, l)
		})
	}
}

func export(t testing.TB, e *tlstest.End) []byte {
	t.Helper()
	b, err := e.Machine.Export("EXPORTER-test", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// isDead sees to it that a machine does nothing any more.
func isDead(t *testing.T, m *tlscore.Machine, scene handoverScene) {
	t.Helper()
	if _, err := m.Feed(tlstest.Now, []byte{23, 3, 3, 0, 1, 0}, nil); !errors.Is(err, tlscore.ErrSuspended) {
		t.Errorf("Feed: %v", err)
	}
	if _, out, err := m.Seal([]byte("again"), nil); !errors.Is(err, tlscore.ErrWriteClosed) || len(out) > 0 {
		t.Errorf("Seal: %d bytes, %v", len(out), err)
	}
	if scene.version == wire.VersionTLS13 {
		if out, err := m.KeyUpdate(true, nil); !errors.Is(err, tlscore.ErrWriteClosed) || len(out) > 0 {
			t.Errorf("KeyUpdate: %d bytes, %v", len(out), err)
		}
	}
	for name, f := range map[string]func([]byte) ([]byte, error){"CloseWrite": m.CloseWrite, "Flush": m.Flush,
		"Abort": func(out []byte) ([]byte, error) { return m.Abort(wire.AlertInternalError, out) }} {
		if out, err := f(nil); len(out) > 0 || err != nil {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
	if _, err := m.Export("EXPORTER-test", nil, 32); !errors.Is(err, tlscore.ErrSuspended) {
		t.Errorf("Export: %v", err)
	}
	if _, err := m.NewSession(tlstest.Now, time.Hour); err == nil {
		t.Error("NewSession made a session")
	}
	if _, err := m.Suspend(); !errors.Is(err, tlscore.ErrSuspended) {
		t.Errorf("the second Suspend: %v", err)
	}
}

// updateBoth has each end change its keys and ask the other to do so.
func updateBoth(t *testing.T, l *tlstest.Link) {
	t.Helper()
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		out, err := e.Machine.KeyUpdate(true, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Carry(e, out)
		if err := l.Run(); err != nil {
			t.Fatal(err)
		}
		exchange(t, l)
	}
}

func closeBoth(t *testing.T, l *tlstest.Link) {
	t.Helper()
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		out, err := e.Machine.CloseWrite(nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Carry(e, out)
	}
	if err := l.Run(); err != nil || !l.Client.Closed || !l.Server.Closed {
		t.Errorf("closed %v and %v, %v", l.Client.Closed, l.Server.Closed, err)
	}
}

// TestHandoverKeepsWhatIsUnderWay suspends a client in the middle of a NewSessionTicket, and a server that owes the answer
// to a KeyUpdate and has sent tickets before.
func TestHandoverKeepsWhatIsUnderWay(t *testing.T) {
	client, server := compile(t, tlscore.Config{RecordSizeLimit: 64}), compile(t, serverConfig(t))
	l := tlstest.New(client, server, tlscore.Options{}, tlscore.Options{})
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	ticket := func(name byte) {
		t.Helper()
		s, err := l.Server.Machine.NewSession(tlstest.Now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		out, err := l.Server.Machine.SendTicket(s, bytes.Repeat([]byte{name}, 150), nil)
		if err != nil {
			t.Fatal(err)
		}
		first := out[:wire.RecordHeaderLen+int(out[3])<<8+int(out[4])]
		l.Carry(l.Server, first)
		if err := l.Run(); err != nil {
			t.Fatal(err)
		}
		handOver(t, l.Client, client)
		handOver(t, l.Server, server)
		l.Carry(l.Server, out[len(first):])
		if err := l.Run(); err != nil {
			t.Fatal(err)
		}
	}
	ticket('a')
	ticket('b')
	if n := len(l.Client.Sessions); n != 2 || l.Client.Machine.Facts().TicketsReceived != 2 {
		t.Fatalf("%d sessions, %d tickets", n, l.Client.Machine.Facts().TicketsReceived)
	}
	if a, b := l.Client.Sessions[0], l.Client.Sessions[1]; bytes.Equal(a.Secret, b.Secret) || a.Ticket[0] != 'a' || b.Ticket[0] != 'b' {
		t.Error("two tickets with one nonce, or in another order")
	}
	out, err := l.Client.Machine.KeyUpdate(true, nil)
	if err != nil {
		t.Fatal(err)
	}
	if step, err := l.Server.Machine.Feed(tlstest.Now, out, nil); err != nil || step.N != len(out) || !l.Server.Machine.Pending() {
		t.Fatalf("%d of %d bytes, pending %v, %v", step.N, len(out), l.Server.Machine.Pending(), err)
	}
	handOver(t, l.Server, server)
	if !l.Server.Machine.Pending() {
		t.Error("the answer to the KeyUpdate is forgotten")
	}
	exchange(t, l)
	if got := l.Server.Machine.Facts().RecordLimitWrite; got != 64 {
		t.Errorf("the limit of records is %d", got)
	}
}

// TestSessionsOfHandedOverConnectionsResume resumes with a ticket from before, and from after.
func TestSessionsOfHandedOverConnectionsResume(t *testing.T) {
	config := serverConfig(t)
	config.AskSession = true
	client, server := compile(t, tlscore.Config{}), compile(t, config)
	l := tlstest.New(client, server, tlscore.Options{}, tlscore.Options{})
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	handOver(t, l.Server, server)
	handOver(t, l.Client, client)
	s, err := l.Server.Machine.NewSession(tlstest.Now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.Server.Machine.SendTicket(s, []byte("ticket"), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Carry(l.Server, out)
	if err := l.Run(); err != nil || len(l.Client.Sessions) != 1 {
		t.Fatalf("%d sessions, %v", len(l.Client.Sessions), err)
	}
	again := tlstest.New(client, server, tlscore.Options{Session: l.Client.Sessions[0]}, tlscore.Options{})
	again.Server.Answer = func(q *tlscore.Question) tlscore.Answer {
		if q.Kind == tlscore.NeedSession {
			return tlscore.Found{Session: s}
		}
		return nil
	}
	if err := again.Handshake(); err != nil || !again.Client.Machine.Facts().Resumed {
		t.Fatalf("resumed: %v, %v", again.Client.Machine.Facts().Resumed, err)
	}
	handOver(t, again.Server, server)
	exchange(t, again)
}

func TestSuspendWantsAnEstablishedConnection(t *testing.T) {
	var m *tlscore.MisuseError
	client := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{})
	if _, err := client.Suspend(); !errors.As(err, &m) {
		t.Errorf("before the handshake: %v", err)
	}
	l := connected(t)
	l.Inject(l.Client, []byte("GET / HTTP/1.1"))
	l.Run()
	if _, err := l.Client.Machine.Suspend(); err == nil || errors.As(err, &m) {
		t.Errorf("after an error: %v", err)
	}
}

// suspendedStates are those of both ends, in both versions, and of ends that have asked for certificates later.
func suspendedStates(t testing.TB) (out [][]byte) {
	t.Helper()
	suspend := func(l *tlstest.Link) {
		for _, e := range []*tlstest.End{l.Client, l.Server} {
			state, err := e.Machine.Suspend()
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, state)
		}
	}
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		config := tlscore.Config{MaxVersion: v, Identities: []tlscore.Identity{selfSigned(t, p256(t), "client")}}
		server := serverConfig(t)
		server.ClientAuth = tlscore.RequestClientCert
		l := link(t, config, server)
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
		suspend(l)
	}
	late := lateLink(t, nil)
	request(t, late)
	suspend(late)
	return out
}

// TestAStateHasOneForm changes states at each place in turn: what is taken is what suspending gives again.
func TestAStateHasOneForm(t *testing.T) {
	params := compile(t, serverConfig(t))
	taken := 0
	for i, state := range suspendedStates(t) {
		for at := range state {
			for _, bit := range []byte{1, 0x80} {
				changed := bytes.Clone(state)
				changed[at] ^= bit
				m, err := tlscore.Restore(params, tlscore.Options{}, changed)
				if err != nil {
					continue
				}
				taken++
				if again, err := m.Suspend(); err != nil || !bytes.Equal(again, changed) {
					t.Errorf("state %d changed at %d by %x: suspended again it is another: %v", i, at, bit, err)
				}
			}
		}
	}
	if taken == 0 {
		t.Error("no change is taken")
	}
}

// FuzzRestore sees to it that no bytes lead to a panic, that what is taken is what would be written, and that a machine
// made of it works.
func FuzzRestore(f *testing.F) {
	params := compile(f, serverConfig(f))
	for _, state := range suspendedStates(f) {
		f.Add(state)
	}
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		given := bytes.Clone(state)
		m, err := tlscore.Restore(params, tlscore.Options{}, state)
		if !bytes.Equal(given, state) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			if !errors.Is(err, tlscore.ErrNotSuspended) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := m.Suspend()
		if err != nil || !bytes.Equal(again, state) {
			t.Fatalf("suspended again it is another: %v", err)
		}
		if m, err = tlscore.Restore(params, tlscore.Options{}, state); err != nil {
			t.Fatal(err)
		}
		m.Feed(tlstest.Now, []byte{23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, nil)
		m.Seal(make([]byte, 20<<10), nil)
		m.Flush(nil)
		m.Export("EXPORTER-test", nil, 32)
		m.CloseWrite(nil)
	})
}
