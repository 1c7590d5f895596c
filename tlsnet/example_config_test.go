package tlsnet_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// A CA of one's own, from nothing: a root, a server's certificate, and a client that trusts that root alone.
func ExampleConfig_customCA() {
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Example Root"}, rootKey, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	ca := pki.Issuer{Certificate: root, Key: rootKey}
	leaf, err := ca.Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"127.0.0.1"}, Key: key.Public()}, time.Now())
	if err != nil {
		log.Fatal(err)
	}

	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: [][]byte{leaf.Raw}, Key: key}}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)

	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{Roots: []*x509.Certificate{root}})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(pki.Name(conn.Peer().Root().Subject))
	// Output: CN=Example Root
}

// Mutual TLS, both ends. The server asks for a certificate, trusts one CA for it, and looks at the name; the client shows
// its own. A client without one is refused by an alert that says so.
func ExampleConfig_mutualTLS() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities:  []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")},
		Core:        tlscore.Config{ClientAuth: tlscore.RequireClientCert},
		ClientRoots: ca.roots(),
		VerifyPeer: func(_ context.Context, p tlsnet.Peer, _ tlscore.Facts) error {
			if p.CommonName() != "alice" {
				return errors.New("only alice may come in")
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &tlsnet.HTTPServer{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			info, _ := tlsnet.InfoFromContext(r.Context())
			fmt.Fprintln(w, "hello", info.Peer.CommonName())
		}),
		HandshakeError: func(*tlsnet.Conn, error) {}, // where a server notes whom it refused, and why
	}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()

	for _, identities := range [][]tlsnet.Identity{{ca.identity(pki.ProfileClient, "alice")}, {ca.identity(pki.ProfileClient, "bob")}, nil} {
		client := &http.Client{Transport: &tlsnet.Transport{Config: &tlsnet.Config{Roots: ca.roots(), Identities: identities}}}
		response, err := client.Get("https://" + listener.Addr().String())
		var refused *tlscore.Error
		if errors.As(err, &refused) {
			alert, _ := refused.Alert()
			fmt.Println("refused:", alert)
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			log.Fatal(err)
		}
		_ = response.Body.Close()
		fmt.Printf("%s", body)
	}
	// Output:
	// hello alice
	// refused: access_denied
	// refused: certificate_required
}

// messages watches a handshake. An observer sees what is said, decrypted, and no secret.
type messages struct{}

func (messages) Observe(o tlscore.Observation) {
	if m, ok := o.(tlscore.MessageObserved); ok {
		fmt.Println(m.Direction, wire.HandshakeType(m.Raw[0]))
	}
}

// Watch a handshake as it happens. For a recording with every byte explained see package trace.
func ExampleConfig_observer() {
	url, caFile, stop := exampleSite("hello")
	defer stop()
	roots, err := pki.ParseCertificatesPEM(caFile)
	if err != nil {
		log.Fatal(err)
	}
	conn, err := tlsnet.Dial(context.Background(), "tcp", strings.TrimPrefix(url, "https://"), &tlsnet.Config{
		Roots:    roots,
		Observer: func() tlscore.Observer { return messages{} },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	// Output:
	// sent client_hello
	// received server_hello
	// received encrypted_extensions
	// received certificate
	// received certificate_verify
	// received finished
	// sent finished
}

// A key log lets Wireshark read a recorded connection. It holds secrets: for debugging alone.
func ExampleConfig_keyLog() {
	url, caFile, stop := exampleSite("hello")
	defer stop()
	roots, err := pki.ParseCertificatesPEM(caFile)
	if err != nil {
		log.Fatal(err)
	}
	var keyLog bytes.Buffer // commonly the file that SSLKEYLOGFILE names, opened to append with mode 0600
	conn, err := tlsnet.Dial(context.Background(), "tcp", strings.TrimPrefix(url, "https://"), &tlsnet.Config{Roots: roots, KeyLog: &keyLog})
	if err != nil {
		log.Fatal(err)
	}
	_ = conn.Close()
	for line := range strings.Lines(keyLog.String()) {
		label, _, _ := strings.Cut(line, " ")
		fmt.Println(label)
	}
	// Output:
	// CLIENT_HANDSHAKE_TRAFFIC_SECRET
	// SERVER_HANDSHAKE_TRAFFIC_SECRET
	// CLIENT_TRAFFIC_SECRET_0
	// SERVER_TRAFFIC_SECRET_0
	// EXPORTER_SECRET
}
