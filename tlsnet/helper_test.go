package tlsnet_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// site is a CA with what a server and a client of it need.
type site struct {
	ca     *pkitest.CA
	server *pkitest.Leaf
	client *pkitest.Leaf
}

func newSite(t testing.TB) *site {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	return &site{ca: ca, server: ca.Server(pkitest.P256), client: ca.Client(pkitest.P256, "alice")}
}

func identity(l *pkitest.Leaf) tlsnet.Identity { return tlsnet.Identity{Chain: l.Chain, Key: l.Key} }

func (s *site) serverConfig() *tlsnet.Config {
	return &tlsnet.Config{Identities: []tlsnet.Identity{identity(s.server)}, ClientRoots: s.ca.Roots()}
}

// mutual is serverConfig that demands a client certificate.
func (s *site) mutual() *tlsnet.Config {
	c := s.serverConfig()
	c.Core.ClientAuth = tlscore.RequireClientCert
	return c
}

func (s *site) clientConfig() *tlsnet.Config {
	return &tlsnet.Config{Roots: s.ca.Roots(), ServerName: "localhost"}
}

func (s *site) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.ca.Root)
	return p
}

func (s *site) stdServer() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{stdCertificate(s.server)}, ClientCAs: s.pool()}
}

func (s *site) stdClient() *tls.Config {
	return &tls.Config{RootCAs: s.pool(), ServerName: "localhost"}
}

func stdCertificate(l *pkitest.Leaf) tls.Certificate {
	return tls.Certificate{Certificate: l.Chain, PrivateKey: l.Key}
}

// tcpPair returns the two ends of a TCP connection over loopback.
func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// ends makes both ends of a TLS connection over two joined connections, without a handshake.
func ends(t testing.TB, client, server *tlsnet.Config, a, b net.Conn) (*tlsnet.Conn, *tlsnet.Conn) {
	t.Helper()
	c, err := tlsnet.Client(a, client)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tlsnet.Server(b, server)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// connected makes both ends of an established TLS connection over two joined connections.
func connected(t testing.TB, client, server *tlsnet.Config, a, b net.Conn) (*tlsnet.Conn, *tlsnet.Conn) {
	t.Helper()
	c, s := ends(t, client, server, a, b)
	done := make(chan error, 1)
	go func() { done <- s.HandshakeContext(context.Background()) }()
	if err := c.Handshake(); err != nil {
		t.Fatal("client:", err)
	}
	if err := <-done; err != nil {
		t.Fatal("server:", err)
	}
	return c, s
}

// listen starts a listener on a free port of loopback, closed at the end of the test.
func listen(t testing.TB, c *tlsnet.Config) *tlsnet.Listener {
	t.Helper()
	l, err := tlsnet.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// listenToReturn is listen for who closes the listener and listens there again: on a port that meanwhile is given to
// nobody who asks for any.
func listenToReturn(t testing.TB, c *tlsnet.Config) *tlsnet.Listener {
	t.Helper()
	addr, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlsnet.Listen("tcp", addr, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// echo serves connections of l by sending back what comes, until l is closed.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

func mustRead(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func mustWrite(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if n, err := io.WriteString(w, s); err != nil || n != len(s) {
		t.Fatalf("write: %d, %v", n, err)
	}
}

// codeOf returns the code of a failure of the protocol, CodeInternal for any other error.
func codeOf(err error) tlscore.Code {
	var te *tlscore.Error
	if errors.As(err, &te) {
		return te.Code
	}
	return tlscore.CodeInternal
}

// slowSigner signs when its context ends, that is never.
type slowSigner struct {
	crypto.Signer
	asked chan struct{}
}

func (s slowSigner) SignContext(ctx context.Context, _ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	close(s.asked)
	<-ctx.Done()
	return nil, ctx.Err()
}
