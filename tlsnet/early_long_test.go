package tlsnet_test

import (
	"bytes"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// lumpy is a connection whose next Read, if told so, waits until much has come.
type lumpy struct {
	net.Conn
	least atomic.Int64
}

func (l *lumpy) Read(p []byte) (int, error) {
	if n := int(l.least.Swap(0)); n > 0 {
		return io.ReadAtLeast(l.Conn, p, min(n, len(p)))
	}
	return l.Conn.Read(p)
}

// lumpyListener makes lumpy connections.
type lumpyListener struct {
	net.Listener
	last atomic.Pointer[lumpy]
}

func (l *lumpyListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &lumpy{Conn: nc}
	l.last.Store(c)
	return c, nil
}

// TestNothingBehindTheHandshakeIsLost: what a client sends at once behind its Finished may come together with it, and be
// more than is kept of a connection.
func TestNothingBehindTheHandshakeIsLost(t *testing.T) {
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	beneath := &lumpyListener{Listener: nl}
	s := newSite(t)
	l, err := tlsnet.NewListener(beneath, s.early())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := dialer(t, s.clientConfig())
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 4<<10)
	serve := func() ([]byte, error) {
		c, err := l.AcceptConn()
		if err != nil {
			return nil, err
		}
		defer c.Close()
		buf := make([]byte, 256<<10)
		for {
			n, err := c.ReadEarly(buf)
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
			if string(buf[:n]) == "early" {
				beneath.last.Load().least.Store(int64(len(sent)))
			}
		}
		if _, err := c.Write([]byte("seen")); err != nil { // a ticket behind it
			return nil, err
		}
		return io.ReadAll(c)
	}
	for i := range 2 { // the second has a ticket
		type result struct {
			got []byte
			err error
		}
		done := make(chan result, 1)
		go func() {
			got, err := serve()
			done <- result{got, err}
		}()
		c, err := d.DialEarly(t.Context(), "tcp", l.Addr().String(), []byte("early"))
		if err != nil {
			t.Fatal(err)
		}
		c.ForgetEarly()
		if i == 1 && c.Facts().EarlyData != tlscore.EarlyDataAccepted {
			t.Error("the second connection took no early data")
		}
		if _, err := c.Write(sent); err != nil {
			t.Error(err)
		}
		mustRead(t, c, "seen")
		c.CloseWrite()
		io.Copy(io.Discard, c) // and with that the ticket
		r := <-done
		if r.err != nil || !bytes.Equal(r.got, sent) {
			t.Errorf("%d: %d bytes of %d, %v", i, len(r.got), len(sent), r.err)
		}
		c.Close()
	}
}
