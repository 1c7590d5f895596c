package tlsnet_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// recorder keeps what is written to a connection.
type recorder struct {
	net.Conn
	sent bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.sent.Write(p)
	return r.Conn.Write(p)
}

// TestHostileFirstFlightsEndInAnError sends servers noise, and ClientHellos that are cut off or damaged.
func TestHostileFirstFlightsEndInAnError(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	rec := &recorder{Conn: a}
	client, _ := ends(t, s.clientConfig(), s.serverConfig(), rec, b)
	go b.Close()
	if err := client.Handshake(); err == nil {
		t.Fatal("a handshake with nobody")
	}
	hello := rec.sent.Bytes()

	random := rand.New(rand.NewPCG(1, 2))
	l := listen(t, s.serverConfig())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				if err := c.Handshake(); err == nil {
					t.Error("a handshake was completed")
				}
			})
		}
	})
	for i := range 300 {
		flight := bytes.Clone(hello)
		switch i % 4 {
		case 0:
			flight = make([]byte, random.IntN(2000))
			for j := range flight {
				flight[j] = byte(random.Uint32())
			}
		case 1:
			flight = flight[:random.IntN(len(flight))]
		case 2:
			flight[random.IntN(len(flight))] ^= byte(1 + random.IntN(255))
		case 3:
			flight = append(flight, flight[:random.IntN(len(flight))]...)
		}
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(flight)
		nc.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, nc)
		nc.Close()
	}
	l.Close()
	serving.Wait()
}

func TestPlainHTTPIsNamed(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	_, sv := ends(t, s.clientConfig(), s.serverConfig(), a, b)
	io.WriteString(a, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err := sv.Handshake(); codeOf(err) != tlscore.CodeNotTLS {
		t.Errorf("got %v", err)
	}
}

func TestUpgradeUsesAConnectionMadeElsewhere(t *testing.T) {
	s := newSite(t)
	a, b := net.Pipe()
	defer a.Close()
	l, err := tlsnet.NewListener(oneConn{}, s.serverConfig())
	if err != nil {
		t.Fatal(err)
	}
	d, err := tlsnet.NewDialer(&tlsnet.Config{Roots: s.ca.Roots()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Upgrade(a, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	sv := l.Upgrade(b)
	go func() { sv.Write([]byte("220 ready")); sv.Close() }()
	if got, err := io.ReadAll(c); err != nil || string(got) != "220 ready" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := d.Upgrade(a, ""); err == nil {
		t.Error("a client without a name to verify")
	}
}

func TestEachConnectionHasItsObserver(t *testing.T) {
	s := newSite(t)
	var mu sync.Mutex
	var made []*counter
	cc := s.clientConfig()
	cc.Observer = func() tlscore.Observer {
		mu.Lock()
		defer mu.Unlock()
		made = append(made, new(counter))
		return made[len(made)-1]
	}
	l := listen(t, s.serverConfig())
	go echo(l)
	d, err := tlsnet.NewDialer(cc)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, err := d.Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, c, "hello")
		mustRead(t, c, "hello")
		c.Close()
	}
	if len(made) != 2 {
		t.Fatalf("%d observers", len(made))
	}
	for _, o := range made {
		if o.sent == 0 || o.received == 0 {
			t.Errorf("records seen: %+v", o)
		}
	}
}

type counter struct {
	mu             sync.Mutex
	sent, received int
}

func (c *counter) Observe(o tlscore.Observation) {
	r, ok := o.(tlscore.RecordObserved)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Direction == tlscore.Sent {
		c.sent++
	} else {
		c.received++
	}
}
