package scan

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/tlswright/tlswright/internal/legacy"
	"github.com/tlswright/tlswright/wire"
)

// allOld finishes a handshake for every version and suite that the server takes of those we know, with a request in it,
// and counts them by version.
func allOld(t *testing.T, port int, ems, etm bool) map[wire.Version]int {
	t.Helper()
	h, ctx := oldHost(port), context.Background()
	count := make(map[wire.Version]int)
	for _, v := range []wire.Version{wire.VersionSSL30, wire.VersionTLS10, wire.VersionTLS11, wire.VersionTLS12} {
		for id := range wire.CipherSuites() {
			suite, ok := legacy.ByID(id)
			if !ok || v < suite.Since() {
				continue
			}
			o := oneSuite(v, id)
			o.EMS, o.EncryptThenMAC = ems && v > wire.VersionSSL30, etm && v > wire.VersionSSL30
			s, err := h.finish12Once(ctx, o, nil)
			var refused *refusedError
			if errors.As(err, &refused) && refused.a.Outcome != accepted {
				continue
			}
			if err != nil {
				t.Errorf("%v %v: %v", v, id, err)
				continue
			}
			if s.Version() != v {
				s.Close()
				continue
			}
			if err := request(s); err != nil {
				t.Errorf("%v %v: %v", v, id, err)
			}
			s.Close()
			count[v]++
		}
	}
	return count
}

// request asks for a page.
func request(s session) error {
	if _, err := s.Write([]byte("GET / HTTP/1.0\r\nHost: lab.test\r\n\r\n")); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(s), nil)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return errors.New(r.Status)
	}
	return r.Body.Close()
}

func atLeast(t *testing.T, count map[wire.Version]int, want map[wire.Version]int) {
	t.Helper()
	t.Logf("finished: %v", count)
	for v, n := range want {
		if count[v] < n {
			t.Errorf("%v: %d suites, expected at least %d", v, count[v], n)
		}
	}
}

func TestOldHandshakesWithOpenSSL(t *testing.T) {
	id := newOldIdentity(t)
	for _, c := range []struct {
		args string
		v    wire.Version
		n    int
		ems  bool
	}{
		{"-tls1 -www -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0", wire.VersionTLS10, 15, false},
		{"-tls1_1 -www -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0", wire.VersionTLS11, 15, true},
		{"-tls1_2 -www -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0", wire.VersionTLS12, 60, true},
	} {
		atLeast(t, allOld(t, oldOpenSSL(t, id, c.args), c.ems, c.ems), map[wire.Version]int{c.v: c.n})
	}
}

func TestOldHandshakesWithGnuTLS(t *testing.T) {
	port := oldGnuTLS(t, newOldIdentity(t), "NORMAL:-VERS-ALL:+VERS-TLS1.0:+VERS-TLS1.1:+VERS-TLS1.2:+ARCFOUR-128:+3DES-CBC:+NULL:+MD5:+ANON-ECDH:+ANON-DH:+RSA:+CAMELLIA-128-CBC:+CAMELLIA-256-GCM:+AES-128-CCM:+AES-256-CCM-8")
	atLeast(t, allOld(t, port, true, true), map[wire.Version]int{wire.VersionTLS10: 10, wire.VersionTLS12: 25})
}

func TestOldHandshakesWithNSS(t *testing.T) {
	port := oldNSS(t, newOldIdentity(t), "-V ssl3:tls1.2 -H 1")
	atLeast(t, allOld(t, port, true, false), map[wire.Version]int{wire.VersionSSL30: 3, wire.VersionTLS10: 5, wire.VersionTLS12: 8})
}

func TestOldHandshakesWithJava(t *testing.T) {
	port := oldJava(t, newOldIdentity(t), "SSLv3,TLSv1,TLSv1.1,TLSv1.2", "")
	atLeast(t, allOld(t, port, false, false), map[wire.Version]int{wire.VersionSSL30: 20, wire.VersionTLS10: 30, wire.VersionTLS11: 20, wire.VersionTLS12: 40})
}

// A server may ask for a certificate of ours, which we do not have: in SSL 3.0 an alert says so, later an empty message.
func TestOldHandshakesWithoutTheCertificateAskedFor(t *testing.T) {
	id := newOldIdentity(t)
	for _, c := range []struct {
		name string
		port func(*testing.T) int
		v    wire.Version
	}{
		{"OpenSSL", func(t *testing.T) int { return oldOpenSSL(t, id, "-tls1_2 -verify 1 -www -cipher ALL:@SECLEVEL=0") }, wire.VersionTLS12},
		{"OpenSSL, TLS 1.0", func(t *testing.T) int { return oldOpenSSL(t, id, "-tls1 -verify 1 -www -cipher ALL:@SECLEVEL=0") }, wire.VersionTLS10},
		{"NSS, SSL 3.0", func(t *testing.T) int { return oldNSS(t, id, "-V ssl3:tls1.2 -H 1 -r") }, wire.VersionSSL30},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := oldHost(c.port(t)).finish12(context.Background(), oneSuite(c.v, wire.TLS_RSA_WITH_AES_128_CBC_SHA), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if !s.a.ClientAuth || s.Version() != c.v {
				t.Errorf("asked %t, in %v", s.a.ClientAuth, s.Version())
			}
			if err := request(s); err != nil {
				t.Error(err)
			}
		})
	}
}
