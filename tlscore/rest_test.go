package tlscore_test

import (
	"errors"
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func rest(l *tlstest.Link) {
	l.Client.Machine.Rest()
	l.Server.Machine.Rest()
}

// TestRestIsInvisible rests at every moment between records, updates of keys, and ends, with every suite of both versions.
func TestRestIsInvisible(t *testing.T) {
	for _, version := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		for _, s := range []wire.CipherSuite{
			wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		} {
			if (s == wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) != (version == wire.VersionTLS12) {
				continue
			}
			server := serverConfig(t)
			server.MinVersion, server.MaxVersion = version, version
			l := link(t, tlscore.Config{CipherSuites: []wire.CipherSuite{s}, MinVersion: version, MaxVersion: version}, server)
			if err := l.Handshake(); err != nil {
				t.Fatal(version, s, err)
			}
			rest(l)
			rest(l)
			exchange(t, l)
			rest(l)
			if version == wire.VersionTLS13 {
				out, err := l.Client.Machine.KeyUpdate(true, nil)
				if err != nil {
					t.Fatal(err)
				}
				rest(l)
				l.Carry(l.Client, out)
				if err := l.Run(); err != nil {
					t.Fatal(err)
				}
				rest(l)
				exchange(t, l)
				rest(l)
			}
			out, err := l.Server.Machine.CloseWrite(nil)
			if err != nil {
				t.Fatal(err)
			}
			l.Carry(l.Server, out)
			if err := l.Run(); err != nil || !l.Client.Closed {
				t.Errorf("%v %v: the end did not arrive (%v)", version, s, err)
			}
		}
	}
}

// TestRestLetsGoOfTheKeys sees it by what the next record allocates, in the direction that it goes and no other.
func TestRestLetsGoOfTheKeys(t *testing.T) {
	l := connected(t)
	out, data := make([]byte, 0, 20<<10), make([]byte, 100)
	seal := func() float64 {
		return testing.AllocsPerRun(1, func() { // it is called once before it is counted
			if _, _, err := l.Client.Machine.Seal(data, out); err != nil {
				t.Fatal(err)
			}
		})
	}
	if n := seal(); n != 0 {
		t.Fatalf("%v allocations without a rest", n)
	}
	n := testing.AllocsPerRun(10, func() {
		l.Client.Machine.Rest()
		if _, _, err := l.Client.Machine.Seal(data, out); err != nil {
			t.Fatal(err)
		}
	})
	if n == 0 {
		t.Error("the AEAD was there all the time")
	}
	t.Logf("%v allocations after a rest", n)
	if n := seal(); n != 0 {
		t.Errorf("%v allocations once awake", n)
	}
}

func TestWhatMustNotRestGoesOn(t *testing.T) {
	l := link(t, tlscore.Config{}, serverConfig(t))
	rest(l) // before anything
	if err := l.Handshake(); err != nil {
		t.Fatal(err)
	}
	rest(l)
	state, err := l.Client.Machine.Suspend()
	if err != nil || len(state) == 0 {
		t.Fatalf("a machine that rests is not handed over: %v", err)
	}
	rest(l) // nothing is left to rest
	if _, _, err := l.Client.Machine.Seal([]byte("x"), nil); err == nil {
		t.Error("a suspended machine seals")
	}
	l = connected(t)
	rest(l)
	l.Client.Machine.Wipe()
	rest(l)
	if _, _, err := l.Client.Machine.Seal([]byte("x"), nil); !errors.Is(err, tlscore.ErrWriteClosed) {
		t.Errorf("a wiped machine seals: %v", err)
	}
	if _, err := l.Client.Machine.Feed(tlstest.Now, []byte{23}, nil); !errors.Is(err, tlscore.ErrWiped) {
		t.Errorf("a wiped machine opens: %v", err)
	}
}
