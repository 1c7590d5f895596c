package tlscore_test

import (
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// BenchmarkHandshake is a full handshake of both ends, without chain verification, which is not this package's.
func BenchmarkHandshake(b *testing.B) {
	for _, g := range []wire.Group{wire.GroupX25519, wire.GroupSecp256r1, wire.GroupX25519MLKEM768} {
		b.Run(g.String(), func(b *testing.B) {
			b.ReportAllocs()
			c, s := compile(b, tlscore.Config{Groups: []wire.Group{g}}), compile(b, serverConfig(b))
			for b.Loop() {
				l := tlstest.New(c, s, tlscore.Options{ServerName: "a.example"}, tlscore.Options{})
				if err := l.Handshake(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestPlainHandshakeAllocates holds a handshake without any extras to what it has cost so far, both ends together.
func TestPlainHandshakeAllocates(t *testing.T) {
	if brief {
		t.Skip("the race detector allocates, too")
	}
	c, s := compile(t, tlscore.Config{Groups: []wire.Group{wire.GroupX25519}}), compile(t, serverConfig(t))
	n := testing.AllocsPerRun(50, func() {
		l := tlstest.New(c, s, tlscore.Options{ServerName: "a.example"}, tlscore.Options{})
		if err := l.Handshake(); err != nil {
			t.Fatal(err)
		}
	})
	if n > 358 {
		t.Errorf("%v allocations, 358 so far", n)
	}
}

// BenchmarkRecord seals and opens one full record.
func BenchmarkRecord(b *testing.B) {
	l := connected(b)
	data, out := make([]byte, wire.MaxPlaintext), make([]byte, 0, 20<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		_, sealed, err := l.Client.Machine.Seal(data, out)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Server.Machine.Feed(tlstest.Now, sealed, nil); err != nil {
			b.Fatal(err)
		}
	}
}
