package tlsnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// A handler that asks for a certificate on one path only, after the handshake (RFC 8446, Section 4.6.2). HTTP/2 forbids it
// (RFC 9113, Section 9.2.3), so the server offers HTTP/1.1 alone.
func ExampleConn_RequestClientCertificate() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities:  []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")},
		Core:        tlscore.Config{PostHandshakeAuth: true, ALPN: []string{tlsnet.ProtocolHTTP1}},
		ClientRoots: ca.roots(),
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
	mux.HandleFunc("/private", func(w http.ResponseWriter, r *http.Request) {
		conn, _ := tlsnet.ConnFromContext(r.Context())
		if !conn.Peer().Verified() { // it may have been asked by an earlier request
			ctx, cancel := context.WithTimeout(r.Context(), time.Minute) // a person may have to choose
			defer cancel()
			if _, err := conn.RequestClientCertificate(ctx); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
		}
		fmt.Fprintf(w, "hello %q\n", conn.Peer().CommonName())
	})
	server := &tlsnet.HTTPServer{Handler: mux}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()

	for _, offers := range []bool{true, false} {
		client := &http.Client{Transport: &tlsnet.Transport{Config: &tlsnet.Config{
			Roots:      ca.roots(),
			Identities: []tlsnet.Identity{ca.identity(pki.ProfileClient, "alice")},
			Core:       tlscore.Config{PostHandshakeAuth: offers},
		}}}
		for _, path := range []string{"/", "/private"} {
			response, err := client.Get("https://" + listener.Addr().String() + path)
			if err != nil {
				log.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			fmt.Printf("%s: %s", path, body)
		}
		client.CloseIdleConnections()
	}
	// Output:
	// /: hello
	// /private: hello "alice"
	// /: hello
	// /private: tlscore: the client cannot be asked for a certificate after the handshake: it has not offered that, or Config.PostHandshakeAuth is not set
}

// Verification that somebody else answers, in his own time: VerifyPeer hands the question to another goroutine and waits,
// for as long as the handshake may take. It is asked at either end, and again whenever a session is resumed.
func ExampleConfig_slowVerification() {
	type question struct {
		name    string
		resumed bool
		answer  chan error
	}
	questions := make(chan question)
	go func() { // a directory, somewhere in the network
		for q := range questions {
			fmt.Printf("is %s welcome? resumed: %v\n", q.name, q.resumed)
			q.answer <- nil
		}
	}()
	ask := func(ctx context.Context, p tlsnet.Peer, f tlscore.Facts) error {
		q := question{name: f.Role.String() + "'s peer " + p.CommonName(), resumed: f.Resumed, answer: make(chan error, 1)}
		select {
		case questions <- q:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case err := <-q.answer:
			return err
		case <-ctx.Done(): // Config.HandshakeTimeout, or the caller's own context
			return context.Cause(ctx)
		}
	}

	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities:  []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")},
		Core:        tlscore.Config{ClientAuth: tlscore.RequireClientCert},
		ClientRoots: ca.roots(),
		VerifyPeer:  ask,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)
	dialer, err := tlsnet.NewDialer(&tlsnet.Config{
		Roots: ca.roots(), Identities: []tlsnet.Identity{ca.identity(pki.ProfileClient, "alice")}, VerifyPeer: ask,
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		conn, err := dialer.Dial(context.Background(), "tcp", listener.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(conn, "hello")
		conn.CloseWrite()
		if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, io.EOF) {
			log.Fatal(err)
		}
		conn.Close()
	}
	// Unordered output:
	// is client's peer www.example.org welcome? resumed: false
	// is server's peer alice welcome? resumed: false
	// is client's peer www.example.org welcome? resumed: true
	// is server's peer alice welcome? resumed: true
}
