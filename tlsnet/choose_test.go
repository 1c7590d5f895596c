package tlsnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// sluggish hands a client's bytes on in small pieces.
type sluggish struct {
	net.Conn
	piece int
}

func (s sluggish) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		var k int
		k, err = s.Conn.Write(p[:min(s.piece, len(p))])
		n, p = n+k, p[k:]
	}
	return n, err
}

// fragmenting puts every record of a client's first flight into records of one byte's content.
type fragmenting struct{ net.Conn }

func (f fragmenting) Write(p []byte) (int, error) {
	if len(p) < wire.RecordHeaderLen || wire.ContentType(p[0]) != wire.ContentHandshake {
		return f.Conn.Write(p)
	}
	var out []byte
	for _, b := range p[wire.RecordHeaderLen:] {
		out = append(out, p[0], p[1], p[2], 0, 1, b)
	}
	_, err := f.Conn.Write(out)
	return len(p), err
}

// chooser serves two names with configurations of their own, a third it refuses, and all others take the listener's.
func chooser(t *testing.T, open, guarded *site) *tlsnet.Listener {
	t.Helper()
	strict, err := tlsnet.Prepare(guarded.mutual(), "guarded")
	if err != nil {
		t.Fatal(err)
	}
	c := open.serverConfig()
	c.ForClient = func(h *tlsnet.ClientHello) (*tlsnet.Prepared, error) {
		if h.Local == nil || h.Remote == nil || h.Message == nil {
			t.Error("the hello comes without its connection")
		}
		switch {
		case h.ServerName == "localhost" && len(h.ALPN) == 1 && h.ALPN[0] == "guarded":
			return strict, nil
		case strings.HasPrefix(h.ServerName, "refused"):
			return nil, &tlsnet.RefusalError{Alert: wire.AlertAccessDenied, Err: errors.New("not this one")}
		case strings.HasPrefix(h.ServerName, "unknown"):
			return nil, errors.New("nothing is served under that name")
		}
		return nil, nil
	}
	return listen(t, c)
}

func TestTheConfigurationIsChosenByTheHello(t *testing.T) {
	open, guarded := newSite(t), newSite(t)
	l := chooser(t, open, guarded)
	tags := make(chan any, 1)
	go func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if c.Handshake() == nil {
					tags <- c.Tag()
				} else {
					tags <- "refused"
				}
				io.Copy(c, c)
			}()
		}
	}()
	withKey := func(c *tlsnet.Config) *tlsnet.Config {
		c.Identities = []tlsnet.Identity{identity(guarded.client)}
		return c
	}
	strictServer := func() *tlsnet.Config { c := guarded.clientConfig(); c.Core.ALPN = []string{"guarded"}; return c }
	for _, test := range []struct {
		name   string
		client *tlsnet.Config
		wrap   func(net.Conn) net.Conn
		want   any
		alert  wire.AlertCode
	}{
		{name: "the listener's own", client: open.clientConfig(), want: nil},
		{name: "by its protocol", client: withKey(strictServer()), want: "guarded"},
		{name: "in pieces", client: withKey(strictServer()), wrap: func(c net.Conn) net.Conn { return sluggish{c, 7} }, want: "guarded"},
		{name: "in many records", client: withKey(strictServer()), wrap: func(c net.Conn) net.Conn { return fragmenting{c} }, want: "guarded"},
		{name: "without the certificate it asks for", client: strictServer(), want: "refused", alert: wire.AlertCertificateRequired},
		{name: "refused by an alert", client: &tlsnet.Config{Insecure: true, ServerName: "refused.example"}, want: "refused", alert: wire.AlertAccessDenied},
		{name: "an unknown name", client: &tlsnet.Config{Insecure: true, ServerName: "unknown.example"}, want: "refused", alert: wire.AlertUnrecognizedName},
	} {
		t.Run(test.name, func(t *testing.T) {
			nc, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if test.wrap != nil {
				nc = test.wrap(nc)
			}
			c, err := tlsnet.Client(nc, test.client)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			err = c.HandshakeContext(context.Background())
			if err == nil && test.alert != 0 {
				_, err = c.Read(make([]byte, 1)) // TLS 1.3 refuses a client behind its handshake
			}
			if test.alert == 0 {
				if err != nil {
					t.Fatal(err)
				}
				mustWrite(t, c, "round")
				mustRead(t, c, "round")
			} else if te := (*tlscore.Error)(nil); !errors.As(err, &te) || !te.Received() {
				t.Errorf("error %v, want an alert of the server", err)
			} else if a, _ := te.Alert(); a != test.alert {
				t.Errorf("alert %v, want %v", a, test.alert)
			}
			if got := <-tags; got != test.want {
				t.Errorf("chosen %v, want %v", got, test.want)
			}
		})
	}
}

// A session goes back to where it came from: the policy that a configuration names separates it from its twin.
func TestSessionsStayUnderTheirPolicy(t *testing.T) {
	s := newSite(t)
	keys := tlsnet.NewTicketKeys(0, 0)
	policy := func(p string) *tlsnet.Listener {
		c := s.mutual()
		c.TicketKeys, c.SessionPolicy = keys, p
		l := listen(t, c)
		go echo(l)
		return l
	}
	first, same, other := policy("allow alice"), policy("allow alice"), policy("allow bob")
	config := s.clientConfig()
	config.Identities = []tlsnet.Identity{identity(s.client)}
	config.Sessions = anywhere{tlsnet.NewMemorySessions(0)}
	d, err := tlsnet.NewDialer(config)
	if err != nil {
		t.Fatal(err)
	}
	visit := func(l *tlsnet.Listener) bool {
		c, err := d.Dial(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 2 { // the tickets come behind the first answer
			mustWrite(t, c, "x")
			mustRead(t, c, "x")
		}
		return c.Facts().Resumed
	}
	if visit(first) {
		t.Fatal("the first connection was resumed")
	}
	if !visit(same) {
		t.Error("a session was not resumed under its own policy")
	}
	if visit(other) {
		t.Error("a session was resumed under another policy")
	}
}

// anywhere offers the sessions of any server to every other.
type anywhere struct{ *tlsnet.MemorySessions }

func (a anywhere) Put(_ string, s *tlscore.Session)    { a.MemorySessions.Put("", s) }
func (a anywhere) Take(string) *tlscore.Session        { return a.MemorySessions.Take("") }
func (a anywhere) Remove(_ string, s *tlscore.Session) { a.MemorySessions.Remove("", s) }
