package relay_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/relay"
	"github.com/tlswright/tlswright/tlsnet"
)

// upgrading changes the protocol to "websocket", and echoes what comes.
func upgrading(t testing.TB) string {
	return backend(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			fmt.Fprintf(w, "plain upgrade=%q connection=%q", r.Header["Upgrade"], r.Header["Connection"])
			return
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: x\r\n\r\nfirst")
		io.Copy(c, rw)
	}))
}

const upgradeRequest = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: x\r\n\r\n"

func TestAWebSocketIsJoined(t *testing.T) {
	fronts(t, upstream(t, upgrading(t), relay.UpstreamOptions{}), func(t *testing.T, addr string) {
		c, r := dial(t, addr)
		io.WriteString(c, upgradeRequest+"early")
		head, err := readHead(r)
		if err != nil || !strings.HasPrefix(head, "HTTP/1.1 101 Switching Protocols\r\n") {
			t.Fatalf("%q %v", head, err)
		}
		for _, want := range []string{"Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-Websocket-Accept: x\r\n"} {
			if strings.Count(head, want) != 1 {
				t.Errorf("%q has no %q", head, want)
			}
		}
		b := make([]byte, 10)
		if _, err := io.ReadFull(r, b); err != nil || string(b) != "firstearly" {
			t.Errorf("%q %v", b, err)
		}
		for i := range 3 {
			fmt.Fprintf(c, "message %d\n", i)
			if line, err := r.ReadString('\n'); err != nil || line != fmt.Sprintf("message %d\n", i) {
				t.Errorf("%q %v", line, err)
			}
		}
		c.(*net.TCPConn).CloseWrite()
		if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
			t.Errorf("%q %v", rest, err)
		}
	})
}

func TestOtherProtocolsAreNotChangedTo(t *testing.T) {
	addr := serve(t, &relay.Front{Handler: upstream(t, upgrading(t), relay.UpstreamOptions{})})
	for _, fields := range []string{
		"Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: x\n",
		"Connection: Upgrade\nUpgrade: h2c, websocket\n",
		"Connection: Upgrade\nUpgrade: websocket\nUpgrade: h2c\n",
		"Connection: Upgrade\nUpgrade: TLS/1.2\n",
		"Upgrade: websocket\n",
		"Connection: close\nUpgrade: websocket\n",
		"Connection: Upgrade\n",
	} {
		answer := raw(t, addr, written("GET / HTTP/1.1\nHost: a\n"+fields+"\n"))
		if !strings.HasPrefix(answer, "HTTP/1.1 200") || !strings.HasSuffix(answer, `plain upgrade=[] connection=[]`) {
			t.Errorf("%q: %q", fields, answer)
		}
	}
	for _, request := range []string{
		"POST / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\nContent-Length: 1\n\nx",
		"GET / HTTP/1.0\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n\n",
	} {
		if answer := raw(t, addr, written(request)); !strings.HasSuffix(answer, `plain upgrade=[] connection=[]`) {
			t.Errorf("%q: %q", request, answer)
		}
	}
}

func TestAWrongChangeOfProtocolIsRefused(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 101 Switching Protocols\n\n",
		"HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\n\n",
		"HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\n",
		"HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: h2c\n\n",
		"HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\nUpgrade: h2c\n\n",
	} {
		to, _ := scripted(t, func(int, int) string { return written(answer) })
		addr := serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{})})
		if got := raw(t, addr, upgradeRequest); !strings.HasPrefix(got, "HTTP/1.1 502 ") {
			t.Errorf("%q: %q", answer, got)
		}
	}
	// Who refuses answers as ever, and what follows is another request, and no tunnel.
	to, seen := scripted(t, func(int, int) string { return "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n" })
	addr := serve(t, &relay.Front{Handler: upstream(t, to, relay.UpstreamOptions{})})
	answer := raw(t, addr, upgradeRequest+"GET /hidden\r\n\r\n")
	if !strings.HasPrefix(answer, "HTTP/1.1 426 ") || !strings.Contains(answer, "HTTP/1.1 400 ") {
		t.Errorf("answered %q", answer)
	}
	if _, requests := seen(); requests != 1 {
		t.Errorf("%d requests", requests)
	}
}

// pair returns the two ends of a TCP connection over loopback.
func pair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{a, b} {
		c.SetDeadline(time.Now().Add(2 * time.Minute)) // a bound for what hangs
		t.Cleanup(func() { c.Close() })
	}
	return a, b
}

// securePair is pair with TLS.
func securePair(t testing.TB) (client, server net.Conn) { return securePairOver(t, nil) }

// securePairOver has the client write through a connection of the test's, if there is one.
func securePairOver(t testing.TB, through *cutting) (client, server net.Conn) {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	leaf := ca.Server(pkitest.P256)
	a, b := pair(t)
	if through != nil {
		through.Conn = a
		a = through
	}
	c, err := tlsnet.Client(a, &tlsnet.Config{Roots: ca.Roots(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := tlsnet.Server(b, &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: leaf.Chain, Key: leaf.Key}}})
	if err != nil {
		t.Fatal(err)
	}
	shaken := make(chan error)
	go func() { shaken <- s.Handshake() }()
	if err := errors.Join(c.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	return c, s
}

// hidingTCP is a connection that is none of the operating system's.
type hidingTCP struct{ net.Conn }

func hidingPair(t testing.TB) (a, b net.Conn) {
	a, b = pair(t)
	return a, hidingTCP{b}
}

type joined struct {
	fromA, fromB int64
	err          error
}

// joining joins the inner ends of two pairs, and returns the outer ones.
func joining(ctx context.Context, t testing.TB, one, other func(testing.TB) (net.Conn, net.Conn), idle time.Duration) (a, b net.Conn, end chan joined) {
	a, ia := one(t)
	b, ib := other(t)
	end = make(chan joined, 1)
	go func() {
		var j joined
		j.fromA, j.fromB, j.err = relay.Join(ctx, ia, ib, idle)
		end <- j
	}()
	return a, b, end
}

func TestJoinCarriesBothWaysAndHalfCloses(t *testing.T) {
	for name, p := range map[string][2]func(testing.TB) (net.Conn, net.Conn){
		"plain": {pair, pair}, "secure": {securePair, pair}, "secure behind": {pair, securePair}, "both": {securePair, securePair}, "other": {hidingPair, pair},
	} {
		t.Run(name, func(t *testing.T) {
			a, b, end := joining(t.Context(), t, p[0], p[1], time.Minute)
			const size = 3 << 20
			sent := make(chan error)
			go func() {
				_, err := a.Write(make([]byte, size))
				sent <- errors.Join(err, a.(interface{ CloseWrite() error }).CloseWrite())
			}()
			got, err := io.ReadAll(b)
			if err := errors.Join(err, <-sent); err != nil || len(got) != size {
				t.Fatalf("%d %v", len(got), err)
			}
			for range 3 { // the other direction lives on
				b.Write([]byte("hello"))
				if _, err := io.ReadFull(a, got[:5]); err != nil || string(got[:5]) != "hello" {
					t.Fatalf("%q %v", got[:5], err)
				}
			}
			b.Close()
			if rest, err := io.ReadAll(a); err != nil || len(rest) > 0 {
				t.Errorf("%q %v", rest, err)
			}
			if j := <-end; j.fromA != size || j.fromB != 15 || j.err != nil {
				t.Errorf("%+v", j)
			}
		})
	}
}

func TestJoinTellsWhatWasCutOff(t *testing.T) {
	a, b, end := joining(t.Context(), t, securePair, pair, 0)
	b.Write([]byte("part"))
	if _, err := io.ReadFull(a, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	b.(*net.TCPConn).SetLinger(0)
	b.Close()
	if _, err := a.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the cut-off stream ends in order: %v", err)
	}
	if j := <-end; j.err == nil {
		t.Error("no error")
	}
}

func TestJoinEndsWhenIdleOrTold(t *testing.T) {
	a, b, end := joining(t.Context(), t, pair, pair, 40*time.Millisecond)
	if j := <-end; !errors.Is(j.err, relay.ErrIdle) {
		t.Errorf("%+v", j)
	}
	for _, c := range []net.Conn{a, b} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("it is open still")
		}
	}
	// A side that takes nothing more is idle as well.
	a, _, end = joining(t.Context(), t, pair, pair, 40*time.Millisecond)
	io.Copy(a, endless{})
	if j := <-end; !errors.Is(j.err, relay.ErrIdle) {
		t.Errorf("%+v", j)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, _, end = joining(ctx, t, securePair, pair, time.Hour)
	cancel()
	if j := <-end; !errors.Is(j.err, context.Canceled) {
		t.Errorf("%+v", j)
	}
}

// endless is a source that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAnIdleTunnelEnds(t *testing.T) {
	addr := serve(t, &relay.Front{Handler: upstream(t, upgrading(t), relay.UpstreamOptions{TunnelIdle: 40 * time.Millisecond})})
	c, r := dial(t, addr)
	io.WriteString(c, upgradeRequest)
	io.ReadAll(bufio.NewReader(r)) // ends
}
