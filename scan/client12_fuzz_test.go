package scan

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/wire"
)

// flightOf records what a server of crypto/tls says to our hello: a seed that is a real flight.
func flightOf(f *testing.F, id wire.CipherSuite) []byte {
	f.Helper()
	leaf := pkitest.New(f, pkitest.P256).Server(pkitest.RSA2048)
	client, server := net.Pipe()
	defer client.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{{Certificate: leaf.Chain, PrivateKey: leaf.Key}}, MaxVersion: tls.VersionTLS12,
			CipherSuites: []uint16{uint16(id)}})
		_ = c.Handshake() // fails when we hang up
		server.Close()
	}()
	sent, err := oldHost(1).hello(oneSuite(wire.VersionTLS12, id))
	if err != nil {
		f.Fatal(err)
	}
	_, _ = client.Write(append([]byte{22, 3, 1, byte(len(sent.Raw) >> 8), byte(len(sent.Raw))}, sent.Raw...))
	_ = client.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	flight, _ := io.ReadAll(client)
	client.Close()
	<-done
	return flight
}

// A server may say anything at all: the old client ends, with an error.
func FuzzOldClient(f *testing.F) {
	for _, id := range []wire.CipherSuite{wire.TLS_RSA_WITH_AES_128_CBC_SHA, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256} {
		flight := flightOf(f, id)
		f.Add(flight, []byte{20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 1, 0})
		f.Add(flight, []byte{21, 3, 3, 0, 2, 2, 40})
	}
	f.Add([]byte{22, 3, 3, 0, 4, 2, 0, 0, 0}, []byte{})
	s := New(Options{})
	f.Fuzz(func(t *testing.T, flight, rest []byte) {
		o := oneSuite(wire.VersionTLS12, wire.TLS_RSA_WITH_AES_128_CBC_SHA)
		o.Suites = append(o.Suites, wire.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, wire.TLS_DHE_RSA_WITH_AES_128_CBC_SHA, wire.TLS_RSA_WITH_RC4_128_SHA)
		o.Until = untilFlight
		l := replayed(s, append(append([]byte{}, flight...), rest...))
		a := l.exchange(o)
		if a.Outcome != accepted || a.Err != nil {
			return
		}
		if _, err := continue12(l, o, a); err == nil {
			t.Error("a handshake with nobody was finished")
		}
		if hs, err := (&session12{link: l}).begin(o, a); err == nil {
			_, _ = hs.robotFlight(blockStart)
		}
	})
}
