package tlsnet_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// An HTTPS server: a certificate with its key, a listener, and a handler of net/http.
func ExampleServeHTTP() {
	fullchain, privkey, roots := exampleFiles() // of your own: os.ReadFile("fullchain.pem"), os.ReadFile("privkey.pem")
	identity, err := tlsnet.ParseIdentity(fullchain, privkey)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Identities: []tlsnet.Identity{identity},
		Core:       tlscore.Config{ALPN: tlsnet.HTTPProtocols()}, // HTTP/2, too
	})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, _ := tlsnet.InfoFromContext(r.Context())
		fmt.Fprintln(w, r.Proto, "over", info.Facts.Version)
	})
	go func() { _ = tlsnet.ServeHTTP(listener, handler) }() // until the listener is closed; to end softly: HTTPServer

	client := &http.Client{Transport: &tlsnet.Transport{Config: &tlsnet.Config{Roots: roots}}}
	response, err := client.Get("https://" + listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", body)
	// Output: HTTP/2.0 over TLS 1.3
}

// An HTTPS client: the zero Transport trusts the roots of the system; this one trusts a CA of its own, and nobody else.
func ExampleTransport() {
	url, caFile, stop := exampleSite("hello") // of your own: os.ReadFile("ca.pem")
	defer stop()

	roots, err := pki.ParseCertificatesPEM(caFile)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: &tlsnet.Transport{Config: &tlsnet.Config{Roots: roots}}, Timeout: 30 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	info, _ := tlsnet.InfoFromResponse(response) // Response.TLS is nil: its type belongs to crypto/tls
	fmt.Printf("%s %s %s\n", response.Status, body, info.Peer.CommonName())
	// Output: 200 OK hello www.example.org
}

// Why no connection was made, told apart as a program needs it, and in words as a person does.
func ExampleDialError() {
	url, _, stop := exampleSite("hello")
	defer stop()
	_, err := tlsnet.Dial(context.Background(), "tcp", url[len("https://"):], &tlsnet.Config{Roots: exampleCA("Another Root").roots()})

	var dial *tlsnet.DialError
	var refused *pki.VerifyError
	if errors.As(err, &dial) {
		fmt.Println(dial.Failure, dial.Failure == tlsnet.FailureTLS)
	}
	if errors.As(err, &refused) {
		fmt.Println(refused.Reason, "-", refused.Text)
	}
	// Output:
	// tls true
	// unknown authority - the certificate is signed by unknown authority "CN=Example Root"
}

// Any net.Conn carries TLS: here the two ends of a pipe in memory.
func ExampleClient() {
	ca := exampleCA("Example Root")
	here, there := net.Pipe()
	server, err := tlsnet.Server(there, &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")}})
	if err != nil {
		log.Fatal(err)
	}
	go func() { // the handshake is made by the first Read or Write
		defer server.Close()
		fmt.Fprint(server, "hello from the other end")
	}()

	client, err := tlsnet.Client(here, &tlsnet.Config{Roots: ca.roots(), ServerName: "www.example.org"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	text, err := io.ReadAll(client) // io.EOF only after the peer said that it is done; io.ErrUnexpectedEOF where it was cut off
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", text)
	// Output: hello from the other end
}

// exampleSite starts an HTTPS server on loopback that always says the same.
func exampleSite(says string) (url string, caFile []byte, stop func()) {
	ca := exampleCA("Example Root")
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")}})
	if err != nil {
		log.Fatal(err)
	}
	server := &tlsnet.HTTPServer{
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, says) }),
		HandshakeError: func(*tlsnet.Conn, error) {}, // clients that refuse us are not worth a line here
	}
	go func() { _ = server.Serve(listener) }()
	return "https://" + listener.Addr().String(), pki.AppendCertificatePEM(nil, ca.Certificate.Raw), func() { _ = server.Close() }
}

// exampleFiles are the files that a CA hands out.
func exampleFiles() (fullchain, privkey []byte, roots []*x509.Certificate) {
	ca := exampleCA("Example Root")
	id := ca.identity(pki.ProfileServer, "www.example.org")
	privkey, err := pki.MarshalPrivateKeyPEM(id.Key)
	if err != nil {
		log.Fatal(err)
	}
	return pki.AppendCertificatePEM(nil, id.Chain[0]), privkey, ca.roots()
}

// authority is a CA for the examples; see package pki.
type authority struct{ pki.Issuer }

func exampleCA(name string) authority {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: name}, key, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	return authority{pki.Issuer{Certificate: root, Key: key}}
}

func (a authority) roots() []*x509.Certificate { return []*x509.Certificate{a.Certificate} }

func (a authority) identity(p pki.Profile, name string) tlsnet.Identity {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	request := pki.Request{Profile: p, CommonName: name, Key: key.Public()}
	if p == pki.ProfileServer {
		request.SANs = []string{name, "127.0.0.1"}
	}
	leaf, err := a.Issue(request, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	return tlsnet.Identity{Chain: [][]byte{leaf.Raw}, Key: key}
}
