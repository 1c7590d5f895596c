package tlsnet_test

import (
	"bytes"
	"io"
	"testing"
	"time"
)

func TestHeldWritesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	st := newSite(t)
	c, s := joinedInMemory(t, delayed(st.clientConfig(), forever), st.serverConfig())
	data := bytes.Repeat([]byte("x"), 64<<10)
	buf := make([]byte, 128<<10)
	for _, size := range []int{1, 100, 1 << 10, 5000, 16 << 10, 40_000} {
		once := func() {
			for range 20 {
				if _, err := c.Write(data[:size]); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			for left := 20 * size; left > 0; {
				n, err := s.Read(buf[:min(left, len(buf))])
				if err != nil {
					t.Fatal(err)
				}
				left -= n
			}
		}
		once() // buffers grow
		if n := testing.AllocsPerRun(50, once); n != 0 {
			t.Errorf("20 times %d bytes: %v allocations", size, n)
		}
	}
}

// BenchmarkRequestResponse: questions and answers are as fast with a delay as without, for whoever reads sends.
func BenchmarkRequestResponse(b *testing.B) {
	for _, by := range []time.Duration{0, time.Millisecond} {
		b.Run(by.String(), func(b *testing.B) {
			st := newSite(b)
			x, y := tcpPair(b)
			c, s := connected(b, delayed(st.clientConfig(), by), delayed(st.serverConfig(), by), x, y)
			go func() {
				buf := make([]byte, 1000)
				for {
					if _, err := io.ReadFull(s, buf); err != nil {
						return
					}
					s.Write(buf)
				}
			}()
			buf := make([]byte, 1000)
			b.ReportAllocs()
			for b.Loop() {
				c.Write(buf)
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
