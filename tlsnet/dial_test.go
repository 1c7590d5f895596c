package tlsnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

func TestDialVerifiesTheHostItDials(t *testing.T) {
	s := newSite(t)
	l := listen(t, s.serverConfig())
	go echo(l)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for host, sent := range map[string]string{"localhost": "localhost", "127.0.0.1": ""} {
		c, err := tlsnet.Dial(t.Context(), "tcp4", net.JoinHostPort(host, port), &tlsnet.Config{Roots: s.ca.Roots()})
		if err != nil {
			t.Fatal(err)
		}
		if name := c.Facts().ServerName; name != sent {
			t.Errorf("%s: server_name %q", host, name)
		}
		mustWrite(t, c, "hello")
		mustRead(t, c, "hello")
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("end: %v", err)
		}
		c.Close()
	}
}

func TestDialTellsFailuresApart(t *testing.T) {
	s := newSite(t)
	l := listen(t, s.serverConfig())
	go echo(l)
	closed, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	quick := s.clientConfig()
	quick.HandshakeTimeout = 20 * time.Millisecond
	wrong := s.clientConfig()
	wrong.Roots = s.ca.Stranger().Roots()
	for name, c := range map[string]struct {
		ctx       context.Context
		addr      string
		config    *tlsnet.Config
		want      tlsnet.Failure
		handshake bool
	}{
		"no such name": {t.Context(), "host.invalid:443", s.clientConfig(), tlsnet.FailureDNS, false},
		"refused":      {t.Context(), closed, s.clientConfig(), tlsnet.FailureRefused, false},
		"time-out":     {t.Context(), silent.Addr().String(), quick, tlsnet.FailureTimeout, true},
		"tls":          {t.Context(), l.Addr().String(), wrong, tlsnet.FailureTLS, true},
		"canceled":     {canceled, l.Addr().String(), s.clientConfig(), tlsnet.FailureCanceled, false},
		"no port":      {t.Context(), "localhost", s.clientConfig(), tlsnet.FailureNetwork, false},
	} {
		_, err := tlsnet.Dial(c.ctx, "tcp", c.addr, c.config)
		var de *tlsnet.DialError
		if !errors.As(err, &de) || de.Failure != c.want || de.Handshake != c.handshake || de.Address != c.addr {
			t.Errorf("%s: %v (%+v)", name, err, de)
			continue
		}
		if de.Timeout() != (c.want == tlsnet.FailureTimeout) {
			t.Errorf("%s: Timeout is %v", name, de.Timeout())
		}
		if c.want == tlsnet.FailureTLS {
			var v *pki.VerifyError
			if !errors.As(err, &v) || v.Reason != pki.ReasonUnknownAuthority || codeOf(err) != tlscore.CodeCertificateRejected {
				t.Errorf("%s: no reason in %v", name, err)
			}
			if de.Peer.Leaf == nil {
				t.Errorf("%s: the certificate is not shown", name)
			}
		}
	}
}

func TestNewConfigHoldsForNewConnections(t *testing.T) {
	s := newSite(t)
	l := listen(t, s.serverConfig())
	go echo(l)
	old := dialEcho(t, s, l)
	defer old.Close()
	renewed := s.serverConfig()
	leaf := s.ca.Server(pkitest.P256)
	renewed.Identities = []tlsnet.Identity{identity(leaf)}
	if err := l.SetConfig(renewed); err != nil {
		t.Fatal(err)
	}
	if err := l.SetConfig(&tlsnet.Config{}); err == nil {
		t.Error("a configuration without a certificate was taken")
	}
	fresh := dialEcho(t, s, l)
	defer fresh.Close()
	if fresh.Peer().Leaf.Equal(old.Peer().Leaf) || !fresh.Peer().Leaf.Equal(leaf.Certificate) {
		t.Error("the new connection has the old certificate")
	}
	mustWrite(t, old, "still")
	mustRead(t, old, "still")
}

func dialEcho(t *testing.T, s *site, l net.Listener) *tlsnet.Conn {
	t.Helper()
	c, err := tlsnet.Dial(t.Context(), "tcp", l.Addr().String(), s.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStalledHandshakesTakeNoPlace leaves handshakes unfinished: some peers say nothing, some stop after their
// ClientHello.
func TestStalledHandshakesTakeNoPlace(t *testing.T) {
	s := newSite(t)
	sc := s.serverConfig()
	sc.MaxHandshakes = 1
	l := listen(t, sc)
	go echo(l)
	for i := range 10 {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if i%2 == 0 {
			continue
		}
		c, err := tlsnet.Client(readNothing{nc}, s.clientConfig())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Handshake(); err == nil {
			t.Fatal("a handshake without hearing the server")
		}
		if _, err := io.ReadFull(nc, make([]byte, 100)); err != nil { // the server's flight is out
			t.Fatal(err)
		}
	}
	for range 5 {
		c := dialEcho(t, s, l)
		mustWrite(t, c, "hello")
		mustRead(t, c, "hello")
		c.Close()
	}
}

// readNothing is a connection that gives up at once when it should listen.
type readNothing struct{ net.Conn }

func (readNothing) Read([]byte) (int, error) { return 0, errors.New("not listening") }

func TestChosenIdentityIsPresented(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	sc := s.serverConfig()
	second := s.ca.Server(pkitest.Ed25519)
	sc.Identities = append(sc.Identities, identity(second))
	sc.ChooseIdentity = func(_ context.Context, q *tlscore.Question, all []*tlscore.Identity) (*tlscore.Identity, error) {
		if q.ServerName != "localhost" || q.Hello == nil {
			t.Errorf("question: %+v", q)
		}
		return all[1], nil
	}
	c, _ := connected(t, s.clientConfig(), sc, a, b)
	if !c.Peer().Leaf.Equal(second.Certificate) {
		t.Error("another identity was presented")
	}
}

func TestDialerAndTransportConnectAsTheyAreTold(t *testing.T) {
	s := newSite(t)
	l := listen(t, s.serverConfig())
	go echo(l)
	var asked string
	connect := func(ctx context.Context, network, addr string) (net.Conn, error) {
		asked = addr
		return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
	}
	d, err := tlsnet.NewDialer(s.clientConfig())
	if err != nil {
		t.Fatal(err)
	}
	d.Connect = connect
	c, err := d.Dial(t.Context(), "tcp", "elsewhere.test:443")
	if err != nil || asked != "elsewhere.test:443" {
		t.Fatalf("asked for %q: %v", asked, err)
	}
	defer c.Close()
	mustWrite(t, c, "hello")
	mustRead(t, c, "hello")
	refused := errors.New("the proxy says no")
	tr := &tlsnet.Transport{Config: s.clientConfig(), Connect: func(context.Context, string, string) (net.Conn, error) { return nil, refused }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://elsewhere.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := tr.RoundTrip(req); !errors.Is(err, refused) {
		t.Errorf("%v, %v", resp, err)
	}
}
