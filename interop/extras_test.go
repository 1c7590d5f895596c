package interop

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// What goes beyond the table is tried with the peers that have it, one line each way.

const spoken = "every peer says this line"

// told13 is what one of our connections was like.
type told13 struct {
	facts tlscore.Facts
	conn  *tlsnet.Conn
	err   error
}

// echoServer is our end as a server: it sends each line back to whoever comes, and tells what each connection was like.
func echoServer(t *testing.T, config *tlsnet.Config, more ...func(*tlsnet.Conn)) (addr string, told <-chan told13) {
	t.Helper()
	config.HandshakeTimeout = caseTimeout
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlsnet.NewListener(tcp, config)
	if err != nil {
		tcp.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	out := make(chan told13, 4)
	go func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				err := c.Handshake()
				if err == nil {
					for _, f := range more {
						f(c)
					}
					err = echoLines(c)
				}
				out <- told13{c.Facts(), c, err}
			}()
		}
	}()
	return l.Addr().String(), out
}

func echoLines(c net.Conn) error {
	c.SetDeadline(time.Now().Add(caseTimeout))
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := io.WriteString(c, line); err != nil {
			return err
		}
	}
}

// say dials a server that sends lines back, as they are or reversed, and tells what the connection was like.
func say(t *testing.T, addr string, config *tlsnet.Config) told13 {
	t.Helper()
	config.HandshakeTimeout = caseTimeout
	ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
	defer cancel()
	conn, err := tlsnet.Dial(ctx, "tcp", addr, config)
	if err != nil {
		return told13{err: err}
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(caseTimeout))
	if _, err := fmt.Fprintln(conn, spoken); err != nil {
		return told13{conn.Facts(), conn, err}
	}
	for lines := bufio.NewReader(conn); ; {
		line, err := lines.ReadString('\n')
		line = strings.TrimSpace(line)
		if err != nil || line == spoken || line == reversed(spoken) {
			return told13{conn.Facts(), conn, err}
		}
	}
}

func reversed(s string) string {
	var b strings.Builder
	for i := len(s) - 1; i >= 0; i-- {
		b.WriteByte(s[i])
	}
	return b.String()
}

// speak has a program say a line to our server, and waits until the line comes back and our end has told.
func speak(t *testing.T, told <-chan told13, name string, args ...string) told13 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
	defer cancel()
	p, err := start(ctx, false, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	if _, err := fmt.Fprintln(p.stdin, spoken); err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	if err := p.mentions(ctx, spoken); err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	p.stdin.Close()
	p.stop()
	select {
	case got := <-told:
		got.err = nil // the program was stopped
		return got
	case <-ctx.Done():
		t.Fatalf("our end does not end\n%s", p.log)
		return told13{}
	}
}

// peerServing runs a server that sends lines back, and stops it at the end.
func peerServing(t *testing.T, name string, args ...string) (addr string, p *program) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*caseTimeout)
	t.Cleanup(cancel)
	p, addr, err := startServer(ctx, false, name, func(port string) []string {
		out := append([]string(nil), args...)
		for i := range out {
			out[i] = strings.ReplaceAll(out[i], "PORT", port)
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return addr, p
}

// port is that of an address.
func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}
