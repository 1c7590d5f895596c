package tlscore_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/record"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// gauge measures memory from its making on.
type gauge struct{ before runtime.MemStats }

func newGauge() *gauge {
	g := &gauge{}
	read(&g.before)
	return g
}

func read(s *runtime.MemStats) {
	runtime.GC()
	runtime.GC() // what pools hold goes with the second
	runtime.ReadMemStats(s)
}

// grown checks and logs how much more is alive now.
func (g *gauge) grown(t *testing.T, most int64) {
	t.Helper()
	var s runtime.MemStats
	read(&s)
	alive := int64(s.HeapAlloc) - int64(g.before.HeapAlloc)
	t.Logf("%d bytes more are alive; %d were allocated on the way, the puppet's included", alive, s.TotalAlloc-g.before.TotalAlloc)
	if alive > most {
		t.Errorf("the heap grew by %d bytes, want at most %d", alive, most)
	}
}

// bomb is something that a peer sends without end.
type bomb struct {
	name   string
	client bool // the machine under fire
	at     wire.Version
	kind   wire.ContentType
	each   []byte
	within int // how many are taken at most
	code   tlscore.Code
	alert  wire.AlertCode
}

func bombs() []bomb {
	ticket := wire.AppendMessage(nil, &wire.NewSessionTicket{Lifetime: 3600, Nonce: []byte{1}, Ticket: make([]byte, 8000), Extensions: wire.Extensions{}})
	update := func(ask wire.KeyUpdateRequest) []byte { return wire.AppendMessage(nil, &wire.KeyUpdate{Request: ask}) }
	const v12, v13, most = wire.VersionTLS12, wire.VersionTLS13, tlscore.DefaultMaxUselessRecords
	huge := append([]byte{byte(wire.TypeCertificate), 0xff, 0xff, 0xff}, make([]byte, 16<<10-4)...)
	useless, unexpected := tlscore.CodeTooManyUselessRecords, wire.AlertUnexpectedMessage
	warning := []byte{byte(wire.AlertLevelWarning), byte(wire.AlertNoRenegotiation)}
	canceled := []byte{byte(wire.AlertLevelWarning), byte(wire.AlertUserCanceled)}
	return []bomb{
		{"tickets", true, v13, wire.ContentHandshake, ticket, most, tlscore.CodeTooManyTickets, unexpected},
		{"key updates", true, v13, wire.ContentHandshake, update(wire.UpdateNotRequested), most, tlscore.CodeTooManyKeyUpdates, unexpected},
		{"key updates that ask", false, v13, wire.ContentHandshake, update(wire.UpdateRequested), most, tlscore.CodeTooManyKeyUpdates, unexpected},
		{"empty records", true, v13, wire.ContentApplicationData, []byte{}, most, useless, unexpected},
		{"empty records", false, v13, wire.ContentApplicationData, []byte{}, most, useless, unexpected},
		{"empty records", true, v12, wire.ContentApplicationData, []byte{}, most, useless, unexpected},
		{"empty records", false, v12, wire.ContentApplicationData, []byte{}, most, useless, unexpected},
		{"warnings", true, v12, wire.ContentAlert, warning, 4, tlscore.CodeTooManyWarnings, unexpected},
		{"warnings", false, v12, wire.ContentAlert, warning, 4, tlscore.CodeTooManyWarnings, unexpected},
		{"user_canceled", false, v13, wire.ContentAlert, canceled, 4, tlscore.CodeTooManyWarnings, unexpected},
		{"a message of 16 MiB", true, v13, wire.ContentHandshake, huge, 0, tlscore.CodeMessageTooLong, wire.AlertIllegalParameter},
		{"a message of 16 MiB", false, v12, wire.ContentHandshake, huge, 0, tlscore.CodeMessageTooLong, wire.AlertIllegalParameter},
	}
}

// TestBombsAreRefused sends ten thousand of each to an established connection.
func TestBombsAreRefused(t *testing.T) {
	for _, b := range bombs() {
		role := "server"
		if b.client {
			role = "client"
		}
		t.Run(b.name+"/"+role+"/"+b.at.String(), func(t *testing.T) {
			memory := newGauge()
			m, taken, o := b.explode(t)
			t.Logf("%d taken, then %v", taken, o.Err)
			memory.grown(t, 64<<10)
			refusal{code: b.code, alert: b.alert}.check(t, o)
			if taken > b.within {
				t.Errorf("%d were taken, want at most %d", taken, b.within)
			}
			runtime.KeepAlive(m)
		})
	}
}

// explode runs a handshake and sends the bomb; it returns how many were taken.
func (b *bomb) explode(t *testing.T) (m *tlscore.Machine, taken int, o tlstest.Outcome) {
	t.Helper()
	p := &tlstest.Puppet{Version: b.at, Identity: selfSigned(t, p256(t))}
	m, o = established(t, p, b.client)
	if !o.Done {
		t.Fatalf("%+v", o)
	}
	for ; taken < 10_000; taken++ {
		if o = p.Say(m, b.kind, b.each); o.Err != nil {
			break
		}
		if b.kind == wire.ContentHandshake && wire.HandshakeType(b.each[0]) == wire.TypeKeyUpdate {
			p.UpdateKeys()
		}
	}
	return m, taken, o
}

// established runs a puppet's script against a machine of the other role.
func established(t testing.TB, p *tlstest.Puppet, client bool) (*tlscore.Machine, tlstest.Outcome) {
	t.Helper()
	if client {
		m := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{})
		return m, p.Serve(m)
	}
	m := tlscore.NewServer(compile(t, serverConfig(t)), tlscore.Options{})
	return m, p.Connect(m)
}

// TestBombsInTheHandshakeAreRefused lets the Certificate message be one of 16 MiB, and sends its records without end.
func TestBombsInTheHandshakeAreRefused(t *testing.T) {
	for _, v := range []wire.Version{wire.VersionTLS12, wire.VersionTLS13} {
		for _, client := range []bool{true, false} {
			sent := 0
			p := &tlstest.Puppet{Version: v, Identity: selfSigned(t, p256(t)), Edit: rawly(wire.TypeCertificate, func([]byte) []byte {
				sent = 1<<24 + 3
				return append([]byte{byte(wire.TypeCertificate), 0xff, 0xff, 0xff}, make([]byte, 1<<24-1)...)
			})}
			c, s := tlscore.Config{}, serverConfig(t)
			s.ClientAuth = tlscore.RequireClientCert
			m := tlscore.NewServer(compile(t, s), tlscore.Options{})
			if client {
				m = tlscore.NewClient(compile(t, c), tlscore.Options{})
			}
			memory := newGauge()
			var o tlstest.Outcome
			if client {
				o = p.Serve(m)
			} else {
				o = p.Connect(m)
			}
			refusal{code: tlscore.CodeMessageTooLong, alert: wire.AlertIllegalParameter}.check(t, o)
			t.Logf("%v, client %v: %d bytes offered", v, client, sent)
			p = nil
			memory.grown(t, 64<<10)
			runtime.KeepAlive(m)
		}
	}
}

// TestTicketsAmongDataLeaveNothingBehind takes ten thousand tickets with data between them.
func TestTicketsAmongDataLeaveNothingBehind(t *testing.T) {
	p := &tlstest.Puppet{Identity: selfSigned(t, p256(t))}
	m, o := established(t, p, true)
	if !o.Done {
		t.Fatalf("%+v", o)
	}
	ticket := wire.AppendMessage(nil, &wire.NewSessionTicket{Lifetime: 3600, Nonce: []byte{1}, Ticket: make([]byte, 200), Extensions: wire.Extensions{}})
	memory := newGauge()
	for range 10_000 {
		p.Say(m, wire.ContentHandshake, ticket)
		if o = p.Say(m, wire.ContentApplicationData, []byte{1}); o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	memory.grown(t, 64<<10)
	if n := m.Facts().TicketsReceived; n != 10_000 {
		t.Errorf("%d tickets", n)
	}
	runtime.KeepAlive(m)
}

// TestEndlessEarlyDataIsRefused sends early data without end to servers that refuse it and to one that takes some, in
// records of several sizes.
func TestEndlessEarlyDataIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*tlscore.Config, *tlstest.Puppet)
		size   int
		code   tlscore.Code
	}{
		{"refused", func(c *tlscore.Config, _ *tlstest.Puppet) { c.AskSession = false }, 16 << 10, tlscore.CodeTooMuchEarlyData},
		{"refused, in small records", func(c *tlscore.Config, _ *tlstest.Puppet) { c.AskSession = false }, 1, tlscore.CodeTooMuchEarlyData},
		{"refused, in empty records", func(c *tlscore.Config, _ *tlstest.Puppet) { c.AskSession = false }, 0, tlscore.CodeTooMuchEarlyData},
		{"refused by a retry", func(c *tlscore.Config, _ *tlstest.Puppet) { c.RetryAlways = true }, 16 << 10, tlscore.CodeTooMuchEarlyData},
		{"taken", func(*tlscore.Config, *tlstest.Puppet) {}, 16 << 10, tlscore.CodeTooMuchEarlyData},
		{"taken, in empty records", func(*tlscore.Config, *tlstest.Puppet) {}, 0, tlscore.CodeTooManyUselessRecords},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serverConfig(t)
			s.AskSession, s.MaxEarlyData = true, 40_000
			p := &tlstest.Puppet{Session: sessionOf(wire.VersionTLS13)}
			p.Early = make([][]byte, 100_000/max(c.size, 2))
			for i := range p.Early {
				p.Early[i] = make([]byte, c.size)
			}
			c.change(&s, p)
			m := tlscore.NewServer(compile(t, s), tlscore.Options{})
			memory := newGauge()
			o := p.Connect(m)
			refusal{code: c.code, alert: wire.AlertUnexpectedMessage}.check(t, o)
			t.Logf("%v; %d bytes reported", o.Err, len(o.Early))
			early := len(o.Early)
			p, o = nil, tlstest.Outcome{}
			memory.grown(t, 64<<10)
			if early > 40_000 {
				t.Errorf("%d bytes of early data were reported", early)
			}
			runtime.KeepAlive(m)
		})
	}
}

// sessionOf is a session that a puppet and a machine share without having met.
func sessionOf(v wire.Version) *tlscore.Session {
	s := &tlscore.Session{
		Version: v, CipherSuite: wire.TLS_AES_128_GCM_SHA256, Secret: bytes.Repeat([]byte{7}, 32),
		Issued: tlstest.Now.Add(-time.Minute), Lifetime: time.Hour, Authenticated: tlstest.Now.Add(-time.Minute), AgeAdd: 1 << 31,
		MaxEarlyData: 40_000, Ticket: []byte("ticket"), ExtendedMasterSecret: v == wire.VersionTLS12,
	}
	if v == wire.VersionTLS12 {
		s.CipherSuite, s.Secret = wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, bytes.Repeat([]byte{7}, 48)
	}
	return s
}

// TestFloodsBeforeTheHandshakeIsDoneAreRefused sends what may come at any time while nothing else does.
func TestFloodsBeforeTheHandshakeIsDoneAreRefused(t *testing.T) {
	warning := record.AppendPlaintext(nil, wire.ContentAlert, wire.VersionTLS12, []byte{1, byte(wire.AlertNoRenegotiation)})
	for name, in := range map[string][]byte{
		"change_cipher_spec": record.AppendPlaintext(nil, wire.ContentChangeCipherSpec, wire.VersionTLS12, []byte{1}),
		"warnings":           warning,
	} {
		m := tlscore.NewClient(compile(t, tlscore.Config{}), tlscore.Options{})
		if _, err := m.Start(tlstest.Now, nil); err != nil {
			t.Fatal(err)
		}
		if err := drive(m, bytes.Repeat(in, 10_000)); !codeIs(err, tlscore.CodeTooManyUselessRecords) && !codeIs(err, tlscore.CodeTooManyWarnings) {
			t.Errorf("%s: ended with %v", name, err)
		}
	}
}
