package tlsnet_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// choppy hides what kind of connection it is, and hands out what came in pieces of odd sizes.
type choppy struct {
	net.Conn
	random *rand.Rand
}

func (c *choppy) Read(p []byte) (int, error) {
	if c.random.IntN(3) == 0 {
		p = p[:1+c.random.IntN(len(p))]
	}
	return c.Conn.Read(p)
}

// TestReadsOfAnyLength: whatever the lengths of writes, records, reads and pieces are, the same bytes come out, and Read
// touches nothing beyond its slice.
func TestReadsOfAnyLength(t *testing.T) {
	const total = 6 << 20
	st := newSite(t)
	for name, setUp := range map[string]func(config *tlsnet.Config){
		"as it is": func(*tlsnet.Config) {},
		"TLS 1.2":  func(c *tlsnet.Config) { c.Core.MinVersion, c.Core.MaxVersion = wire.VersionTLS12, wire.VersionTLS12 },
		"padded":   func(c *tlsnet.Config) { c.Core.Padding.To = 1000 },
	} {
		for _, hidden := range []bool{false, true} {
			client, server := st.clientConfig(), st.serverConfig()
			setUp(client)
			random := rand.New(rand.NewPCG(1, uint64(len(name))))
			a, b := tcpPair(t)
			if hidden {
				b = &choppy{b, random}
			}
			c, s := connected(t, client, server, a, b)
			sent := make([]byte, total)
			rand.NewChaCha8([32]byte{1}).Read(sent)
			done := make(chan error, 1)
			go func() { done <- writeInPieces(c, sent) }()
			got := make([]byte, total+1)
			guard := byte(0x5a)
			for n := 0; n < total; {
				end := min(n+1+random.IntN(300<<random.IntN(11)), total)
				got[end] = guard
				k, err := s.Read(got[n:end])
				if err != nil {
					t.Fatal(name, err)
				}
				if got[end] != guard {
					t.Fatalf("%s: a Read of %d bytes wrote beyond them", name, end-n)
				}
				n += k
			}
			if err := <-done; err != nil {
				t.Fatal(name, err)
			}
			if !bytes.Equal(got[:total], sent) {
				t.Errorf("%s, hidden %v: other bytes came out", name, hidden)
			}
		}
	}
}

// writeInPieces writes b, mostly in full records, with new keys now and then.
func writeInPieces(c *tlsnet.Conn, b []byte) error {
	random := rand.New(rand.NewPCG(2, 2))
	for i := 0; len(b) > 0; i++ {
		n := min(len(b), 1+random.IntN(200<<10))
		if i%3 == 0 {
			n = min(len(b), 16<<10)
		}
		if _, err := c.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		if i%10 == 9 && c.Facts().Version == wire.VersionTLS13 {
			if err := c.KeyUpdate(true); err != nil {
				return errors.Join(errors.New("key update"), err)
			}
		}
	}
	return nil
}
