package trace_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/trace"
)

// A connection of one's own, recorded and told in words.
func Example() {
	address, roots, stop := exampleServer() // any TLS server
	defer stop()

	recorder := trace.NewRecorder(trace.Client, trace.Endpoint{}, trace.Endpoint{Name: "www.example.org", Address: address}, time.Now)
	conn, err := tlsnet.Dial(context.Background(), "tcp", address, &tlsnet.Config{
		Roots:    roots,
		Observer: func() tlscore.Observer { return recorder },
		Secrets:  func() tlscore.Secrets { return recorder }, // without it what is encrypted stays closed
	})
	if err != nil {
		recorder.Fail(err) // a failed handshake can be traced as well
	} else {
		_ = conn.Close()
	}
	recording, err := trace.Decode(recorder.Capture())
	if err != nil {
		log.Fatal(err)
	}
	var text strings.Builder
	if err := trace.WriteText(&text, recording.WithoutSecrets(), trace.Options{}); err != nil { // see also trace.Write
		log.Fatal(err)
	}
	for line := range strings.Lines(text.String()) { // some hundred: each byte with what it means
		if strings.HasPrefix(line, "version  ") || strings.HasPrefix(line, "signature  ") {
			fmt.Print(line)
		}
	}
	// Output:
	// version       TLS 1.3
	// signature     ecdsa_secp256r1_sha256
}

// A handshake that failed tells which side stopped it, and what to change.
func ExampleExplain() {
	address, _, stop := exampleServer()
	defer stop()
	_, other := exampleIdentity()

	recorder := trace.NewRecorder(trace.Client, trace.Endpoint{}, trace.Endpoint{Address: address}, time.Now)
	_, err := tlsnet.Dial(context.Background(), "tcp", address, &tlsnet.Config{
		Roots:    []*x509.Certificate{other}, // not that of the server
		Observer: func() tlscore.Observer { return recorder },
		Secrets:  func() tlscore.Secrets { return recorder },
	})
	recorder.Fail(err)
	recording, err := trace.Decode(recorder.Capture())
	if err != nil {
		log.Fatal(err)
	}
	story := trace.Explain(recording)
	fmt.Println(story[0])
	fmt.Println(story[len(story)-1])
	// Output:
	// the client stopped, after the Certificate of the server (message 3), with the alert unknown_ca
	// what to change: add the root of the server's certificate to the trust store of the client, or let the server send its intermediates, too
}

// exampleServer starts a TLS server on loopback.
func exampleServer() (address string, roots []*x509.Certificate, stop func()) {
	key, certificate := exampleIdentity()
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: [][]byte{certificate.Raw}, Key: key}}})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.AcceptConn()
			if err != nil {
				return
			}
			go func() {
				_ = conn.Handshake()
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String(), []*x509.Certificate{certificate}, func() { _ = listener.Close() }
}

// exampleIdentity makes a certificate that is its own root.
func exampleIdentity() (crypto.Signer, *x509.Certificate) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	request := pki.Request{Profile: pki.ProfileServer, CommonName: "www.example.org", SANs: []string{"www.example.org", "127.0.0.1"}}
	certificate, err := pki.SelfSign(request, key, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	return key, certificate
}
