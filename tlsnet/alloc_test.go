package tlsnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlsnet"
)

// memory is one direction of a connection in memory that never blocks and does not allocate once it has grown.
type memory struct {
	data          []byte
	r             int
	reads, writes int // calls
}

func (m *memory) Write(p []byte) (int, error) {
	m.writes++
	if m.r == len(m.data) {
		m.data, m.r = m.data[:0], 0
	}
	m.data = append(m.data, p...)
	return len(p), nil
}

func (m *memory) Read(p []byte) (int, error) {
	m.reads++
	if m.r == len(m.data) {
		return 0, errors.New("nothing to read")
	}
	n := copy(p, m.data[m.r:])
	m.r += n
	return n, nil
}

// switched reads and writes a real connection until it is switched to memory.
type switched struct {
	net.Conn
	in, out *memory // nil: the connection
}

func (s *switched) Read(p []byte) (int, error) {
	if s.in != nil {
		return s.in.Read(p)
	}
	return s.Conn.Read(p)
}

func (s *switched) Write(p []byte) (int, error) {
	if s.out != nil {
		return s.out.Write(p)
	}
	return s.Conn.Write(p)
}

// inMemory returns an established pair whose data moves through memory.
func inMemory(t testing.TB) (c, s *tlsnet.Conn) {
	st := newSite(t)
	return joinedInMemory(t, st.clientConfig(), st.serverConfig())
}

// joinedInMemory is inMemory with configurations of one's own.
func joinedInMemory(t testing.TB, client, server *tlsnet.Config) (c, s *tlsnet.Conn) {
	a, b := tcpPair(t)
	x, y := &switched{Conn: a}, &switched{Conn: b}
	c, s = connected(t, client, server, x, y)
	up, down := new(memory), new(memory)
	x.in, x.out, y.in, y.out = down, up, up, down
	return c, s
}

func TestReadAndWriteDoNotAllocate(t *testing.T) {
	c, s := inMemory(t)
	c.SetWriteDeadline(time.Now().Add(time.Hour))
	data := bytes.Repeat([]byte("x"), 64<<10)
	buf := make([]byte, 64<<10)
	for _, size := range []int{1, 100, 4096, 16 << 10, 64 << 10} {
		for _, step := range []int{16, 4096, 32 << 10, 64 << 10} {
			once := func() {
				if _, err := c.Write(data[:size]); err != nil {
					t.Fatal(err)
				}
				for left := size; left > 0; {
					n, err := s.Read(buf[:min(step, left)])
					if err != nil {
						t.Fatal(err)
					}
					left -= n
				}
			}
			once() // buffers grow
			if n := testing.AllocsPerRun(50, once); n != 0 {
				t.Errorf("%d bytes, read %d at a time: %v allocations", size, step, n)
			}
		}
	}
}

// TestLongWritesAndReadsTakeFewCalls counts calls of the connection beneath, each of which is a system call: two records of
// 16 KiB leave together, and as many are read at once as the caller's slice has room for, less what one takes that lets
// them be opened without a move.
func TestLongWritesAndReadsTakeFewCalls(t *testing.T) {
	const size, records = 256 << 10, 16
	c, s := inMemory(t)
	up := c.NetConn().(*switched).out
	for _, step := range []struct{ slice, most int }{{64 << 10, 8}, {128 << 10, 3}, {size + 32<<10, 1}} {
		*up = memory{}
		if _, err := c.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if up.writes > 8 {
			t.Errorf("a Write of %d bytes is %d calls", size, up.writes)
		}
		buf := make([]byte, step.slice)
		for left := size; left > 0; {
			n, err := s.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			left -= n
		}
		t.Logf("%d records: %d writes, %d reads into %d bytes", records, up.writes, up.reads, step.slice)
		if up.reads > step.most {
			t.Errorf("%d records are %d calls, read into %d bytes", records, up.reads, step.slice)
		}
	}
	*up = memory{}
	if n, err := c.ReadFrom(io.LimitReader(zeros{}, size)); n != size || err != nil {
		t.Fatal(n, err)
	}
	if up.writes > 9 { // a small piece first, while it is not known that there is plenty
		t.Errorf("ReadFrom makes %d calls of %d bytes", up.writes, size)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkRecordPath(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 64 << 10} {
		b.Run(byteCount(size), func(b *testing.B) {
			c, s := inMemory(b)
			data, buf := make([]byte, size), make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(data); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(s, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func byteCount(n int) string {
	return map[int]string{1 << 10: "1KiB", 16 << 10: "16KiB", 64 << 10: "64KiB"}[n]
}
