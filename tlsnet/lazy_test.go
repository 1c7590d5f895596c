package tlsnet_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unixPair returns the two ends of a connection over a Unix socket.
func unixPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// TestSocketsAreCopiedWhole sends what comes from a socket, in pieces of all sizes, and takes it off into another.
func TestSocketsAreCopiedWhole(t *testing.T) {
	for name, pair := range map[string]func() (a, b net.Conn){
		"tcp": func() (a, b net.Conn) { return tcpPair(t) }, "unix": func() (a, b net.Conn) { return unixPair(t) },
	} {
		t.Run(name, func(t *testing.T) {
			st := newSite(t)
			a, b := pair()
			c, s := connected(t, st.clientConfig(), st.serverConfig(), a, b)
			in, from := pair()
			to, out := pair()
			data := make([]byte, 3<<20)
			rand.NewChaCha8([32]byte{}).Read(data)
			done := make(chan error, 3)
			go func() {
				var err error
				for i, size := 0, 1; i < len(data) && err == nil; size = size*3 + 1 {
					n := min(size, len(data)-i)
					_, err = in.Write(data[i : i+n])
					i += n
				}
				in.Close()
				done <- err
			}()
			go func() {
				n, err := s.ReadFrom(from)
				if n != int64(len(data)) {
					err = errors.Join(err, errors.New("not all was sent"))
				}
				done <- errors.Join(err, s.CloseWrite())
			}()
			go func() {
				_, err := c.WriteTo(to)
				to.Close()
				done <- err
			}()
			got, err := io.ReadAll(out)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d of %d bytes arrived, or others; %v", len(got), len(data), err)
			}
			for range 3 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestWaitingWithoutABufferFailsAsReadingDoes: the errors of a connection look the same, whichever way it is read.
func TestWaitingWithoutABufferFailsAsReadingDoes(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	_, s := connected(t, st.clientConfig(), st.serverConfig(), a, b)
	s.SetReadDeadline(time.Unix(1, 0))
	_, err := s.WriteTo(io.Discard)
	var op *net.OpError
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("a deadline: %v", err)
	}
	s.SetReadDeadline(time.Time{})
	a.(*net.TCPConn).SetLinger(0) // a reset
	a.Close()
	_, err = s.WriteTo(io.Discard)
	if !errors.As(err, &op) || op.Op != "read" || op.Addr == nil || !strings.Contains(err.Error(), "read: connection reset") {
		t.Errorf("a reset: %v", err)
	}
	x, y := tcpPair(t)
	_, s = connected(t, st.clientConfig(), st.serverConfig(), x, y)
	done := make(chan error, 1)
	go func() {
		_, err := s.WriteTo(io.Discard)
		done <- err
	}()
	s.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// hiding wraps a socket, and changes what is read from it.
type hiding struct{ *net.TCPConn }

func (h hiding) Read(p []byte) (int, error) {
	n, err := h.TCPConn.Read(p)
	for i := range p[:n] {
		p[i] ^= 0xff
	}
	return n, err
}

func (h hiding) Write(p []byte) (int, error) {
	q := bytes.Clone(p)
	for i := range q {
		q[i] ^= 0xff
	}
	return h.TCPConn.Write(q)
}

// TestWrappedSocketsAreReadByTheirOwnMethod: the socket within is not read behind the back of a type that wraps it.
func TestWrappedSocketsAreReadByTheirOwnMethod(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	c, s := connected(t, st.clientConfig(), st.serverConfig(), hiding{a.(*net.TCPConn)}, hiding{b.(*net.TCPConn)})
	mustWrite(t, c, "hello")
	mustRead(t, s, "hello")
	in, from := tcpPair(t)
	mustWrite(t, in, string([]byte{'b' ^ 0xff, 'y' ^ 0xff, 'e' ^ 0xff}))
	in.(*net.TCPConn).CloseWrite()
	go s.ReadFrom(hiding{from.(*net.TCPConn)})
	mustRead(t, c, "bye")
}
