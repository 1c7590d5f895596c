package tlscore_test

import (
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

func TestServerChoosesTheSuite(t *testing.T) {
	const a128, a256, chacha = wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256
	for _, c := range []struct {
		name   string
		client []wire.CipherSuite
		prefer bool
		want   wire.CipherSuite
	}{
		{"our order", []wire.CipherSuite{a128, chacha, a256}, false, a256},
		{"what is common", []wire.CipherSuite{a128}, false, a128},
		{"a client without AES", []wire.CipherSuite{chacha, a128, a256}, false, chacha},
		{"the client's order", []wire.CipherSuite{a128, chacha, a256}, true, a128},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serverConfig(t)
			s.PreferClient = c.prefer
			l := link(t, tlscore.Config{CipherSuites: c.client}, s)
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			if got := l.Server.Machine.Facts().CipherSuite; got != c.want {
				t.Errorf("chose %v, want %v", got, c.want)
			}
		})
	}
}
