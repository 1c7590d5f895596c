package tlsnet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// brusque is a server of crypto/tls that refuses clients without a certificate, and closes at once: with their bytes
// unread, that resets the connection. done is told when it has.
func brusque(t *testing.T, s *site, max uint16) (addr string, done <-chan struct{}) {
	t.Helper()
	sc := s.stdServer()
	sc.ClientAuth, sc.MaxVersion = tls.RequireAndVerifyClientCert, max
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 100)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				if err := tls.Server(nc, sc).Handshake(); err == nil {
					t.Error("a client was accepted")
				}
				nc.Close()
				ended <- struct{}{}
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return l.Addr().String(), ended
}

// wantAlert checks that an error is the alert, whatever else it says.
func wantAlert(t *testing.T, err error, want wire.AlertCode) {
	t.Helper()
	var te *tlscore.Error
	if !errors.As(err, &te) || !te.Received() {
		t.Errorf("the error is %v, want the alert %v", err, want)
		return
	}
	if alert, _ := te.Alert(); alert != want {
		t.Errorf("the alert is %v, want %v", alert, want)
	}
}

// TestWriteReturnsTheAlert: a client whose server refuses it writes on until it meets the reset.
func TestWriteReturnsTheAlert(t *testing.T) {
	s := newSite(t)
	addr, done := brusque(t, s, tls.VersionTLS13)
	for name, reader := range map[string]bool{"nobody reads": false, "somebody reads": true} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				c, err := tlsnet.Dial(t.Context(), "tcp", addr, s.clientConfig())
				if err != nil {
					t.Fatal(err)
				}
				var reading sync.WaitGroup
				if reader {
					reading.Go(func() {
						_, err := c.Read(make([]byte, 100))
						wantAlert(t, err, wire.AlertCertificateRequired)
					})
				}
				wantAlert(t, writeOn(c), wire.AlertCertificateRequired)
				<-done
				wantAlert(t, writeOn(c), wire.AlertCertificateRequired) // it stays
				_, err = c.Read(make([]byte, 100))
				wantAlert(t, err, wire.AlertCertificateRequired)
				reading.Wait()
				c.Close()
				wantAlert(t, writeOn(c), wire.AlertCertificateRequired)
			}
		})
	}
}

// writeOn writes until that fails.
func writeOn(c io.Writer) error {
	data := make([]byte, 50_000)
	for {
		if _, err := c.Write(data); err != nil {
			return err
		}
	}
}

// TestWriteKeepsWhatCameBeforeTheReset: looking for an alert must not eat data.
func TestWriteKeepsWhatCameBeforeTheReset(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
	mustWrite(t, sv, "last words")
	mustWrite(t, c, "unread")
	b.Close() // without a word of TLS
	err := writeOn(c)
	var te *tlscore.Error
	if err == nil || errors.As(err, &te) {
		t.Errorf("writing ended with %v", err)
	}
	mustRead(t, c, "last words")
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("read on")
	}
}

// TestTransportSaysWhyItWasRefused uploads to servers that refuse the client in the middle.
func TestTransportSaysWhyItWasRefused(t *testing.T) {
	s := newSite(t)
	body := bytes.Repeat([]byte("x"), 4<<20)
	their, _ := brusque(t, s, tls.VersionTLS13)
	sc := s.mutual()
	sc.Core.ALPN = tlsnet.HTTPProtocols()
	l := listen(t, sc)
	srv := &tlsnet.HTTPServer{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
	var serving sync.WaitGroup
	serving.Go(func() { srv.Serve(l) })
	defer serving.Wait()
	defer srv.Close()
	for _, c := range []struct {
		name, addr string
		alpn       []string
	}{
		{"crypto/tls, HTTP/1.1", their, []string{"http/1.1"}},
		{"ours, HTTP/1.1", l.Addr().String(), []string{"http/1.1"}},
		{"ours, HTTP/2", l.Addr().String(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			cc := s.clientConfig()
			cc.Core.ALPN = c.alpn
			rt := &tlsnet.Transport{Config: cc}
			defer rt.CloseIdleConnections()
			for range 40 {
				req, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+c.addr+"/", bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := rt.RoundTrip(req)
				if err == nil {
					resp.Body.Close()
				}
				wantAlert(t, err, wire.AlertCertificateRequired)
			}
		})
	}
}

// TestTransportAsksOnceWhereItWasRefused: whoever refuses a client for its certificate does so each time, and tells its
// operator each time.
func TestTransportAsksOnceWhereItWasRefused(t *testing.T) {
	s := newSite(t)
	url, _ := web(t, s.mutual(), http.NotFoundHandler())
	var dialed atomic.Int64
	rt := &tlsnet.Transport{Config: s.clientConfig(), Connect: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer rt.CloseIdleConnections()
	const tries = 20
	for range tries {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		wantAlert(t, err, wire.AlertCertificateRequired)
	}
	// A reset now and then overtakes the alert, and to be reset is no refusal.
	if n := dialed.Load(); n > tries+tries/2 {
		t.Errorf("%d connections for %d requests", n, tries)
	}
}
