package tlsnet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// refused starts a server that refuses each of the clients below and closes at once, as servers do.
func refused(t *testing.T, s *site) *tlsnet.Listener {
	t.Helper()
	l := listen(t, s.mutual())
	go func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			go func() {
				if err := c.Handshake(); err == nil {
					t.Error("a client was accepted")
				}
				c.Close()
			}()
		}
	}()
	return l
}

// TestRefusedClientsSeeTheAlert lets 200 clients that send data at once, and go on sending, be refused.
func TestRefusedClientsSeeTheAlert(t *testing.T) {
	s := newSite(t)
	stranger := s.ca.Stranger().Client(pkitest.P256, "mallory")
	for _, c := range []struct {
		name  string
		certs []tls.Certificate
		want  string
	}{
		{"no certificate", nil, "certificate required"},
		{"unknown CA", []tls.Certificate{stdCertificate(stranger)}, "unknown certificate authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := refused(t, s)
			config := s.stdClient()
			config.Certificates = c.certs
			var wg sync.WaitGroup
			limit := make(chan struct{}, 20)
			for range 200 {
				limit <- struct{}{}
				wg.Go(func() {
					defer func() { <-limit }()
					seesAlert(t, l.Addr().String(), config, c.want)
				})
			}
			wg.Wait()
		})
	}
}

func seesAlert(t *testing.T, addr string, config *tls.Config, want string) {
	t.Helper()
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Errorf("dial: %v", err)
		return
	}
	defer c.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		data := make([]byte, 16<<10)
		for range 64 { // a megabyte, whether somebody wants it or not
			if _, err := c.Write(data); err != nil {
				return
			}
		}
	})
	if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the client saw %v, not the alert %q", err, want)
	}
	wg.Wait()
}

func TestRefusedCurlsSeeTheAlert(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		skipOrFail(t, "curl is not installed")
	}
	s := newSite(t)
	mallory := s.ca.Stranger().Client(pkitest.P256, "mallory").Files()
	upload := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(upload, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	root := s.ca.RootFile()
	l := listen(t, s.mutual())
	server := &tlsnet.HTTPServer{Handler: http.NotFoundHandler(), HandshakeError: func(*tlsnet.Conn, error) {}}
	go server.Serve(l)
	defer server.Close()
	url := "https://" + strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1) + "/"
	seen := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	limit := make(chan struct{}, 4)
	for i := range 200 {
		args := []string{"-sS", "--ipv4", "--cacert", root, "-o", os.DevNull, "--max-time", "20"}
		if i%2 == 0 {
			args = append(args, "--cert", mallory.FullChain, "--key", mallory.Key)
		}
		if i%4 < 2 {
			args = append(args, "--data-binary", "@"+upload)
		}
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			out, _ := exec.CommandContext(t.Context(), curl, append(args, url)...).CombinedOutput()
			word := "none: " + string(out)
			for _, w := range []string{"certificate required", "unknown ca"} {
				if strings.Contains(string(out), w) {
					word = w
				}
			}
			mu.Lock()
			defer mu.Unlock()
			seen[word]++
		})
	}
	wg.Wait()
	if seen["certificate required"] != 100 || seen["unknown ca"] != 100 {
		t.Errorf("what 200 refused clients saw: %v", seen)
	}
}

// skipOrFail skips a test that lacks a program, or fails it where everything must be there.
func skipOrFail(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// closeTold tells when a connection beneath is closed, and has nobody who waits for the peer give up.
type closeTold struct {
	net.Conn
	closed chan struct{}
}

func (c closeTold) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

func (c closeTold) SetReadDeadline(time.Time) error { return nil }

func (c closeTold) Close() error {
	close(c.closed)
	return c.Conn.Close()
}

// oneConn is a listener with one connection.
type oneConn struct {
	net.Listener
	conn net.Conn
}

func (l oneConn) Accept() (net.Conn, error) { return l.conn, nil }

func TestRefusedPeerIsLeftInTheBackground(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	told := closeTold{b, make(chan struct{})}
	l, err := tlsnet.NewListener(oneConn{nil, told}, s.mutual())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	go tls.Client(a, s.stdClient()).Handshake() // and never closes
	if err := c.Handshake(); codeOf(err) != tlscore.CodeCertificateRequired {
		t.Fatalf("handshake: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told.closed:
		t.Error("closed at once: the peer had no time to read its alert")
	default:
	}
	a.Close()
	<-told.closed
}

func TestRefusalNamesThePeerAndTheReason(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	cc := s.clientConfig()
	cc.Identities = []tlsnet.Identity{identity(s.ca.ExpiredClient(pkitest.P256, "old"))}
	c, sv := ends(t, cc, s.mutual(), a, b)
	go io.Copy(io.Discard, c)
	err := sv.Handshake()
	var v *pki.VerifyError
	if !errors.As(err, &v) || v.Reason != pki.ReasonExpired {
		t.Errorf("refused with %v", err)
	}
	if p := sv.Peer(); p.Leaf == nil || p.Leaf.Subject.CommonName != "old" || p.Verified() {
		t.Errorf("peer: %+v", p)
	}
}

// TestBrokenRecordIsAnsweredWithAnAlert tampers with a record of an established connection.
func TestBrokenRecordIsAnsweredWithAnAlert(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	c, sv := connected(t, s.clientConfig(), s.serverConfig(), a, b)
	go func() {
		if _, err := sv.Read(make([]byte, 10)); codeOf(err) != tlscore.CodeBadRecordMAC {
			t.Errorf("the server says %v", err)
		}
		sv.Close()
	}()
	forged := append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...)
	if _, err := a.Write(forged); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	var te *tlscore.Error
	if !errors.As(err, &te) || !te.Received() {
		t.Fatalf("the client saw %v", err)
	}
	if alert, _ := te.Alert(); alert.String() != "bad_record_mac" {
		t.Errorf("alert %v", alert)
	}
}

func TestSlowSignerHearsOfTheEnd(t *testing.T) {
	s := newSite(t)
	a, b := tcpPair(t)
	sc := s.serverConfig()
	signer := slowSigner{s.server.Key, make(chan struct{})}
	sc.Identities[0].Key = signer
	c, sv := ends(t, s.clientConfig(), sc, a, b)
	go c.Handshake()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-signer.asked; cancel() }()
	if err := sv.HandshakeContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("handshake: %v", err)
	}
}
