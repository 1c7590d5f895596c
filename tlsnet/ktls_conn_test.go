package tlsnet_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// needKernel skips where the kernel took no keys.
func needKernel(t *testing.T, c *tlsnet.Conn) {
	t.Helper()
	if k := c.KernelTLS(); k.String() != "both" {
		t.Skipf("the kernel protects %v: %v", k, k.Problem)
	}
}

// TestKernelTLSFallsBack: with or without such a kernel, the connection works, and says what it does.
func TestKernelTLSFallsBack(t *testing.T) {
	for name, v := range versions() {
		t.Run(name, func(t *testing.T) {
			st := newSite(t)
			sc, cc := st.serverConfig(), st.clientConfig()
			sc.KernelTLS, cc.Core.MaxVersion = true, v
			a, b := tcpPair(t)
			c, s := connected(t, cc, sc, a, b)
			if k := s.KernelTLS(); (k.Problem == nil) != (k.String() == "both") {
				t.Errorf("%v, but %v", k, k.Problem)
			}
			if k := c.KernelTLS(); k != (tlsnet.KernelTLS{}) {
				t.Errorf("nobody asked for %v", k)
			}
			mustWrite(t, c, "hello")
			mustRead(t, s, "hello")
			mustWrite(t, s, "good day")
			mustRead(t, c, "good day")
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if n, err := c.Read(make([]byte, 10)); err != io.EOF {
				t.Errorf("%d bytes, %v", n, err)
			}
			x, y := unixPair(t)
			c, s = connected(t, cc, sc, x, y)
			if k := s.KernelTLS(); k.String() != "none" || k.Problem == nil {
				t.Errorf("over a Unix socket: %v", k)
			}
			mustWrite(t, s, "hello")
			mustRead(t, c, "hello")
		})
	}
}

// TestKernelTLSWithCryptoTLS has much go both ways, where both halves are the kernel's, and the end told in order.
func TestKernelTLSWithCryptoTLS(t *testing.T) {
	for _, id := range []wire.CipherSuite{wire.TLS_AES_128_GCM_SHA256, wire.TLS_AES_256_GCM_SHA384, wire.TLS_CHACHA20_POLY1305_SHA256,
		wire.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, wire.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256} {
		t.Run(id.String(), func(t *testing.T) {
			st := newSite(t)
			sc := st.serverConfig()
			sc.KernelTLS, sc.Core.CipherSuites = true, []wire.CipherSuite{id}
			l := listen(t, sc)
			served := make(chan *tlsnet.Conn, 1)
			done := make(chan error, 1)
			go func() {
				c, err := l.AcceptConn()
				if err == nil {
					err = c.Handshake()
				}
				served <- c
				if err == nil {
					_, err = io.Copy(c, c)
				}
				done <- errors.Join(err, c.Close())
			}()
			c, err := tls.Dial("tcp", l.Addr().String(), st.stdClient())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			needKernel(t, <-served)
			c.SetDeadline(time.Now().Add(time.Minute))
			sent := make([]byte, 5<<20)
			rand.NewChaCha8([32]byte{}).Read(sent)
			go func() {
				c.Write(sent)
				c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestKernelTLSEndsAtKeyUpdate: the kernel's keys stay, so a peer that changes its own is told that we cannot go on.
func TestKernelTLSEndsAtKeyUpdate(t *testing.T) {
	for _, ask := range []bool{false, true} {
		st := newSite(t)
		sc := st.serverConfig()
		sc.KernelTLS = true
		a, b := tcpPair(t)
		c, s := connected(t, st.clientConfig(), sc, a, b)
		needKernel(t, s)
		mustWrite(t, c, "hello")
		mustRead(t, s, "hello")
		if err := c.KeyUpdate(ask); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 10)); codeOf(err) != tlscore.CodeInternal || err == io.EOF {
			t.Errorf("the server: %v", err)
		}
		var te *tlscore.Error
		if _, err := c.Read(make([]byte, 10)); !errors.As(err, &te) || te.Code != tlscore.CodePeerAlert {
			t.Errorf("the client: %v", err)
		}
	}
}

// TestKernelTLSNoticesForgeries: a changed byte ends the connection.
func TestKernelTLSNoticesForgeries(t *testing.T) {
	st := newSite(t)
	sc := st.serverConfig()
	sc.KernelTLS = true
	a, b := tcpPair(t)
	_, s := connected(t, st.clientConfig(), sc, a, b)
	needKernel(t, s)
	mustWrite(t, a, "\x17\x03\x03\x00\x20"+string(make([]byte, 32)))
	if _, err := s.Read(make([]byte, 10)); codeOf(err) != tlscore.CodeBadRecordMAC {
		t.Errorf("%v", err)
	}
}
