package tlsnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// One list of cipher suites for all versions, in the order of preference. What is not in it is neither offered nor taken.
func ExampleConfig_cipherSuites() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")},
		Core: tlscore.Config{CipherSuites: []wire.CipherSuite{
			wire.TLS_CHACHA20_POLY1305_SHA256, wire.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go greet(listener)
	for _, versions := range []wire.Version{wire.VersionTLS13, wire.VersionTLS12} {
		conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{Roots: ca.roots(), Core: tlscore.Config{MaxVersion: versions}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(conn.Facts().CipherSuite)
		_ = conn.Close()
	}
	// Output:
	// TLS_CHACHA20_POLY1305_SHA256
	// TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
}

// Certificates travel compressed where both ends can do it.
func ExampleConfig_certificateCompression() {
	ca := exampleCA("Example Root")
	compression := []wire.CompressionAlgorithm{wire.CompressionZstd, wire.CompressionBrotli, wire.CompressionZlib}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")}, CertificateCompression: compression,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go greet(listener)
	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{Roots: ca.roots(), CertificateCompression: compression})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.Facts().PeerCompression)
	// Output: zstd
}

// A server learns of each handshake that fails: what went wrong, whose fault it is, which alert went over the wire, in
// which direction, and what the client had asked for.
func ExampleHTTPServer_handshakeError() {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")}})
	if err != nil {
		log.Fatal(err)
	}
	told := make(chan struct{})
	server := &tlsnet.HTTPServer{
		Handler: http.NotFoundHandler(),
		HandshakeError: func(c *tlsnet.Conn, err error) {
			defer close(told)
			var reason *tlscore.Error
			if errors.As(err, &reason) {
				alert, _ := reason.Alert()
				fmt.Println("alert:", alert, "received:", reason.Received())
			}
			fmt.Println("client asked for:", c.Facts().ServerName)
		},
	}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()

	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{
		Roots: exampleCA("Another Root").roots(), ServerName: "www.example.org",
	})
	if err == nil {
		_, err = io.ReadAll(conn)
	}
	<-told
	fmt.Println("refused by the client:", err != nil)
	// Output:
	// alert: unknown_ca received: true
	// client asked for: www.example.org
	// refused by the client: true
}
