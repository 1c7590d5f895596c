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
	d.lines = append(d.lines, fmt.Sprintf("%T%+v", o, o))
}

// conversation is one whole connection: what each end sent, saw and did.
type conversation struct {
	sent   [2][]byte
	events [2][]string
	seen   [2][]string
}

func converse(t *testing.T, c, s tlscore.Config, observed bool, chunk func(int) int) conversation {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 7)
	var diaries [2]diary
	var oc, os tlscore.Options
	oc.ServerName = "a.example"
	if observed {
		oc.Observer, os.Observer = &diaries[0], &diaries[1]
	}
	l := tlstest.New(compile(t, c), compile(t, s), oc, os)
	l.Chunk = chunk
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*tlstest.End{l.Client, l.Server} {
		if err := l.Send(e, bytes.Repeat([]byte("data"), 9000)); err != nil {
			t.Fatal(err)
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
	var got conversation
	for i, e := range []*tlstest.End{l.Client, l.Server} {
		got.sent[i], got.events[i], got.seen[i] = e.Sent, e.Events, diaries[i].lines
	}
	return got
}

// chattyConfigs is a handshake with everything: HelloRetryRequest, cookie, ALPN, client certificate. The identities are
// Ed25519, whose signatures do not depend on the global random source's order.
func chattyConfigs(t *testing.T) (c, s tlscore.Config) {
	c = tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, ed(t))}, ALPN: []string{"h2", "http/1.1"}, KeyShares: []wire.Group{}}
	s = tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, ed(t), "a.example")}, ALPN: []string{"http/1.1"}, RetryAlways: true, ClientAuth: tlscore.RequireClientCert}
	return c, s
}

// TestChunkingIsInvisible cuts a connection into pieces of 1 to 79 bytes: bytes, events and observations stay the same.
func TestChunkingIsInvisible(t *testing.T) {
	c, s := chattyConfigs(t)
	whole := converse(t, c, s, true, nil)
	for size := 1; size <= 79; size++ {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			got := converse(t, c, s, true, func(int) int { return size })
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

func TestObserverChangesNoByte(t *testing.T) {
	c, s := chattyConfigs(t)
	with, without := converse(t, c, s, true, nil), converse(t, c, s, false, nil)
	for i := range with.sent {
		if !bytes.Equal(with.sent[i], without.sent[i]) {
			t.Error("bytes differ with an observer")
		}
	}
	if len(with.seen[0]) < 40 || len(without.seen[0]) != 0 {
		t.Errorf("%d and %d observations", len(with.seen[0]), len(without.seen[0]))
	}
}
