package trace_test

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/trace"
)

// tap is a connection whose writes are captured, as on the wire.
type tap struct {
	net.Conn
	mu   *sync.Mutex
	c    *trace.Capture
	from trace.Side
	at   uint64
}

func (w *tap) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.c.Segments = append(w.c.Segments, trace.Segment{From: w.from, Offset: w.at, Data: bytes.Clone(b)})
	w.at += uint64(len(b))
	w.mu.Unlock()
	return w.Conn.Write(b)
}

// joined is a connection over the loopback.
func joined(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// overhear lets two ends of crypto/tls speak, and returns what a capture and a key log hold of it.
func overhear(t *testing.T, client, server *tls.Config, logged *bytes.Buffer) *trace.Capture {
	t.Helper()
	a, b := joined(t)
	var mu sync.Mutex
	var keyLog bytes.Buffer
	c := &trace.Capture{Started: tlstest.Now}
	client.KeyLogWriter, client.InsecureSkipVerify, client.ServerName = &keyLog, true, "a.example"
	client.Time, server.Time = atNow, atNow
	deadline := time.Now().Add(2 * time.Minute) // a bound for what hangs
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	done := make(chan error, 1)
	go func() {
		s := tls.Server(&tap{Conn: b, mu: &mu, c: c, from: trace.Server}, server)
		_, err := io.Copy(s, io.LimitReader(s, 5))
		s.Close()
		done <- err
	}()
	conn := tls.Client(&tap{Conn: a, mu: &mu, c: c, from: trace.Client}, client)
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	conn.Close()
	logged.Write(keyLog.Bytes())
	for line := range strings.Lines(logged.String()) {
		parts := strings.Fields(line)
		if len(parts) != 3 {
			continue
		}
		random, err1 := hex.DecodeString(parts[1])
		secret, err2 := hex.DecodeString(parts[2])
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		c.KeyLog = append(c.KeyLog, trace.KeyLogLine{Label: parts[0], ClientRandom: random, Secret: secret})
	}
	return c
}

func TestOthersConnectionsAreToldFromCaptureAndKeyLog(t *testing.T) {
	identity := func(id tlscore.Identity) tls.Certificate {
		return tls.Certificate{Certificate: id.Chain, PrivateKey: id.Tag}
	}
	var logged bytes.Buffer // a key log of them all
	ecdsa, rsa := identity(selfSigned(t, "ecdsa", "a.example")), identity(selfSigned(t, "rsa", "a.example"))
	cache := tls.NewLRUClientSessionCache(4)
	again := &tls.Config{Certificates: []tls.Certificate{ecdsa}}
	again12 := &tls.Config{Certificates: []tls.Certificate{ecdsa}, MaxVersion: tls.VersionTLS12}
	cache12 := tls.NewLRUClientSessionCache(4)
	for _, c := range []struct {
		name           string
		client, server *tls.Config
		closed         bool // we do not open its records
		want           trace.Summary
	}{
		{name: "1.3", client: &tls.Config{}, server: &tls.Config{Certificates: []tls.Certificate{ecdsa}}},
		{name: "1.3 with client certificate", client: &tls.Config{Certificates: []tls.Certificate{rsa}}, want: trace.Summary{ClientAuth: true},
			server: &tls.Config{Certificates: []tls.Certificate{rsa}, ClientAuth: tls.RequireAnyClientCert}},
		{name: "1.3 with retry", client: &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}}, want: trace.Summary{HelloRetry: true},
			server: &tls.Config{Certificates: []tls.Certificate{ecdsa}, CurvePreferences: []tls.CurveID{tls.CurveP384}}},
		{name: "1.3 for a ticket", client: &tls.Config{ClientSessionCache: cache}, server: again},
		{name: "1.3 resumed", client: &tls.Config{ClientSessionCache: cache}, server: again, want: trace.Summary{Resumed: true}},
		{name: "1.2", client: &tls.Config{}, server: &tls.Config{Certificates: []tls.Certificate{ecdsa}, MaxVersion: tls.VersionTLS12}},
		{name: "1.2 with client certificate", client: &tls.Config{Certificates: []tls.Certificate{rsa}}, want: trace.Summary{ClientAuth: true},
			server: &tls.Config{Certificates: []tls.Certificate{rsa}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}},
		{name: "1.2 for a ticket", client: &tls.Config{ClientSessionCache: cache12}, server: again12},
		{name: "1.2 resumed", client: &tls.Config{ClientSessionCache: cache12}, server: again12, want: trace.Summary{Resumed: true}},
		{name: "1.2 with RSA and CBC", closed: true, client: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}},
			server: &tls.Config{Certificates: []tls.Certificate{rsa}, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}},
		{name: "1.0", closed: true, client: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}},
			server: &tls.Config{MinVersion: tls.VersionTLS10, Certificates: []tls.Certificate{rsa}, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := decode(t, overhear(t, c.client, c.server, &logged))
			if c.closed {
				if s := r.Summary; s.AnnotatedBytes != s.ClientBytes+s.ServerBytes || s.Version == "" || s.CipherSuite == "" {
					t.Errorf("%+v", s)
				}
				return
			}
			whole(t, r)
			allRight(t, r)
			checked(t, r)
			agrees(t, c.want, r.Summary)
			if r.Failure != nil {
				t.Errorf("%+v", r.Failure)
			}
		})
	}
}

func TestTwoGoroutinesMayRecord(t *testing.T) {
	r := trace.NewRecorder(trace.Client, trace.Endpoint{}, trace.Endpoint{}, time.Now)
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			for n := range 100 {
				r.Observe(tlscore.RecordObserved{Direction: tlscore.Direction(i), Offset: uint64(5 * n), Raw: []byte{23, 3, 3, 0, 0}})
				r.Derived(tlscore.Derivation{Name: "x", Output: []byte{1}})
				r.Capture()
			}
		})
	}
	wg.Wait()
	if c := r.Capture(); len(c.Segments) != 200 || len(c.Derivations) != 200 {
		t.Errorf("%d segments, %d derivations", len(c.Segments), len(c.Derivations))
	}
}

func atNow() time.Time { return tlstest.Now }
