package tlscore_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"testing/cryptotest"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// diary writes down all that an observer sees, as text.
type diary struct{ lines []string }

func (d *diary) Observe(o tlscore.Observation) {
	line := ""
	switch o := o.(type) {
	case tlscore.RecordObserved:
		line = fmt.Sprintf("%v %v %d %d ", o.Direction, o.Epoch, o.Sequence, o.Offset) + string(o.Raw)
	default:
		line = fmt.Sprintf("%T%+v", o, o)
	}
	d.lines = append(d.lines, line)
}

// conversation is one whole connection: what each end sent, saw and did.
type conversation struct {
	sent   [2][]byte
	events [2][]string
	seen   [2][]string
}

// talk is a kind of connection to hold in pieces.
type talk struct {
	c, s    tlscore.Config
	session *tlscore.Session // known to both ends; nil: none
	early   []byte           // 0-RTT data
}

func (k *talk) hold(t *testing.T, observed bool, chunk func(int) int) conversation {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 7)
	var diaries [2]diary
	oc, os := tlscore.Options{ServerName: "a.example", Session: k.session, EarlyData: k.early != nil}, tlscore.Options{}
	if observed {
		oc.Observer, os.Observer = &diaries[0], &diaries[1]
	}
	l := tlstest.New(compile(t, k.c), compile(t, k.s), oc, os)
	l.Chunk = chunk
	if k.session != nil || k.s.AskSession {
		l.Server.Answer = knowing(k.c.MaxVersion)
		if k.session != nil {
			l.Server.Answer = knowing(k.session.Version)
		}
	}
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	if k.early != nil {
		_, out, err := l.Client.Machine.SealEarly(k.early, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Carry(l.Client, out)
	}
	if err := l.Run(); err != nil || !l.Client.Done || !l.Server.Done {
		t.Fatalf("%v, done %v and %v", err, l.Client.Done, l.Server.Done)
	}
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		if f := e.Machine.Facts(); f.Resumed != (k.session != nil) || (f.EarlyData == tlscore.EarlyDataAccepted) != (k.early != nil) {
			t.Fatalf("resumed %v, early data %v", f.Resumed, f.EarlyData)
		}
		if err := l.Send(e, bytes.Repeat([]byte("data"), 4200)); err != nil {
			t.Fatal(err)
		}
		if e.Machine.Facts().Version == wire.VersionTLS12 {
			continue
		}
		out, err := e.Machine.KeyUpdate(true, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.Carry(e, out)
		if err := l.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(l.Server.Early, k.early) {
		t.Fatalf("early data %q", l.Server.Early)
	}
	var got conversation
	for i, e := range []*tlstest.End{l.Client, l.Server} {
		got.sent[i], got.events[i], got.seen[i] = e.Sent, e.Events, diaries[i].lines
	}
	return got
}

// talks are the kinds there are.
func talks(t *testing.T) map[string]*talk {
	t.Helper()
	c, s := chattyConfigs(t)
	c12, s12 := c, s
	c12.MaxVersion, s12.AskSession = wire.VersionTLS12, true
	again := tlscore.Config{CipherSuites: []wire.CipherSuite{sessionOf(wire.VersionTLS13).CipherSuite}, Groups: []wire.Group{wire.GroupX25519}}
	again12 := tlscore.Config{MaxVersion: wire.VersionTLS12}
	known := tlscore.Config{Identities: s.Identities, AskSession: true, MaxEarlyData: 40_000}
	sessions := map[wire.Version]*tlscore.Session{wire.VersionTLS12: sessionOf(wire.VersionTLS12), wire.VersionTLS13: sessionOf(wire.VersionTLS13)}
	for _, session := range sessions {
		session.ServerName = "a.example"
	}
	return map[string]*talk{
		"1.3 with everything": {c: c, s: s},
		"1.3 resumed":         {c: again, s: known, session: sessions[wire.VersionTLS13]},
		"1.3 with early data": {c: again, s: known, session: sessions[wire.VersionTLS13], early: bytes.Repeat([]byte("early"), 100)},
		"1.2 with everything": {c: c12, s: s12},
		"1.2 resumed":         {c: again12, s: known, session: sessions[wire.VersionTLS12]},
	}
}

// chattyConfigs is a handshake with everything: HelloRetryRequest, cookie, ALPN, client certificate. The identities are
// Ed25519, whose signatures do not depend on the global random source's order.
func chattyConfigs(t *testing.T) (c, s tlscore.Config) {
	c = tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, ed(t))}, ALPN: []string{"h2", "http/1.1"}, KeyShares: []wire.Group{}}
	s = tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, ed(t), "a.example")}, ALPN: []string{"http/1.1"}, RetryAlways: true, ClientAuth: tlscore.RequireClientCert}
	return c, s
}

// TestChunkingIsInvisible cuts connections into pieces of 1 to 79 bytes: bytes, events and observations stay the same.
func TestChunkingIsInvisible(t *testing.T) {
	for name, k := range talks(t) {
		whole := k.hold(t, true, nil)
		for size := 1; size <= 79; size++ {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				got := k.hold(t, true, func(int) int { return size })
				for i, name := range []string{"client", "server"} {
					if !bytes.Equal(got.sent[i], whole.sent[i]) {
						t.Errorf("the %s sent other bytes", name)
					}
					if !slices.Equal(got.events[i], whole.events[i]) {
						t.Errorf("the %s saw events %v, not %v", name, got.events[i], whole.events[i])
					}
					if !slices.Equal(got.seen[i], whole.seen[i]) {
						t.Errorf("the %s's observer saw something else", name)
					}
				}
			})
		}
	}
}

func TestObserverChangesNoByte(t *testing.T) {
	for name, k := range talks(t) {
		with, without := k.hold(t, true, nil), k.hold(t, false, nil)
		for i := range with.sent {
			if !bytes.Equal(with.sent[i], without.sent[i]) {
				t.Errorf("%s: bytes differ with an observer", name)
			}
		}
		if len(with.seen[0]) < 20 || len(without.seen[0]) != 0 {
			t.Errorf("%s: %d and %d observations", name, len(with.seen[0]), len(without.seen[0]))
		}
	}
}
