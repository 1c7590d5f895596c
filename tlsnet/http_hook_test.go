package tlsnet_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"testing"

	"github.com/tlswright/tlswright/tlsnet"
)

// hookedWeb serves HTTP/1.1 with f.
func hookedWeb(t *testing.T, s *site, f func(ctx context.Context, c *tlsnet.Conn)) (*tlsnet.HTTPServer, func(alpn ...string) *tlsnet.Conn) {
	t.Helper()
	config := s.serverConfig()
	config.Core.ALPN = tlsnet.HTTPProtocols()
	l := listen(t, config)
	server := &tlsnet.HTTPServer{Handler: http.HandlerFunc(report), HTTP1: f, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return server, func(alpn ...string) *tlsnet.Conn {
		cc := s.clientConfig()
		cc.Core.ALPN = alpn
		c, err := tlsnet.Dial(t.Context(), "tcp", l.Addr().String(), cc)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

func TestHTTP1CanBeServedByOthers(t *testing.T) {
	s := newSite(t)
	_, dial := hookedWeb(t, s, func(ctx context.Context, c *tlsnet.Conn) {
		defer c.Close()
		i, ok := tlsnet.InfoFromContext(ctx)
		if !ok || i.Facts.ALPN == "h2" {
			t.Errorf("info %v %+v", ok, i.Facts)
		}
		if again := c.Context(ctx); again != ctx {
			t.Error("the context has not what it needs")
		}
		io.WriteString(c, "hooked")
	})
	for _, alpn := range [][]string{{"http/1.1"}, nil} {
		if b, err := io.ReadAll(dial(alpn...)); err != nil || string(b) != "hooked" {
			t.Errorf("%q: %q %v", alpn, b, err)
		}
	}
	h2 := dial("h2")
	io.WriteString(h2, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	b := make([]byte, 9)
	if _, err := io.ReadFull(h2, b); err != nil || b[3] != 4 {
		t.Errorf("HTTP/2 answers %x %v", b, err)
	}
}

func TestShutdownAndCloseReachWhoServesHTTP1(t *testing.T) {
	s := newSite(t)
	began := make(chan struct{})
	server, dial := hookedWeb(t, s, func(ctx context.Context, c *tlsnet.Conn) {
		close(began)
		<-ctx.Done()
		if _, err := c.Read(make([]byte, 1)); err == nil { // until Close
			t.Error("it is open still")
		}
	})
	c := dial("http/1.1")
	<-began
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := server.Shutdown(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with a connection: %v", err)
	}
	server.Close()
	if err := server.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown without one: %v", err)
	}
	io.ReadAll(c)
}

func TestAbortLooksCutOff(t *testing.T) {
	s := newSite(t)
	_, dial := hookedWeb(t, s, func(_ context.Context, c *tlsnet.Conn) {
		io.WriteString(c, "part")
		c.Abort()
		if _, err := c.Write([]byte("x")); err == nil {
			t.Error("it can be written to")
		}
	})
	if b, err := io.ReadAll(dial("http/1.1")); string(b) != "part" || err == nil {
		t.Errorf("%q %v", b, err)
	}
}
