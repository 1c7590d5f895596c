package acmeclient_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/challenge"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/freeport"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/resolve"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// A certificate is obtained, used, found not to be due yet, and revoked.
func Example() {
	ca := exampleCA() // of your own: the directory of a CA, and who signed the certificate of its web server
	defer ca.stop()

	tree, err := acmeclient.OpenTree(ca.folder("acme")) // commonly /etc/tlswright/acme
	if err != nil {
		log.Fatal(err)
	}
	options := acmeclient.Options{Server: ca.directory, Transport: &tlsnet.Transport{Config: &tlsnet.Config{Roots: ca.roots}}}
	client := acmeclient.New(tree, options)
	ctx := context.Background()
	got, err := client.Obtain(ctx, acmeclient.Request{Renewal: acmeclient.Renewal{
		Names:     []string{"127.0.0.1"},                                               // commonly names of DNS
		Challenge: acmeclient.Challenge{Way: acmeclient.Standalone, Listen: ca.proofs}, // without Listen: port 80
	}})
	if err != nil {
		log.Fatal(err)
	}
	files, err := os.ReadDir(tree.Live(got.Name))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(f.Name())
	}

	renewed, err := tree.Renew(ctx, acmeclient.RenewOptions{ // daily; it does what is due
		Client: func(server string) (*acmeclient.Client, error) { return client, nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range renewed {
		fmt.Println(r.Name, "not due yet:", r.Skipped)
	}
	if err := client.Revoke(ctx, got.Name, 0); err != nil {
		log.Fatal(err)
	}
	// Output:
	// cert.pem
	// chain.pem
	// fullchain.pem
	// privkey.pem
	// 127.0.0.1 not due yet: true
}

// What a server refuses has a type for programs and a sentence for people.
func ExampleServerError() {
	ca := exampleCA()
	defer ca.stop()
	tree, err := acmeclient.OpenTree(ca.folder("acme"))
	if err != nil {
		log.Fatal(err)
	}
	client := acmeclient.New(tree, acmeclient.Options{Server: ca.directory, Transport: &tlsnet.Transport{Config: &tlsnet.Config{Roots: ca.roots}}})
	_, err = client.Obtain(context.Background(), acmeclient.Request{Renewal: acmeclient.Renewal{
		Names: []string{"no_such_name.example"}, Challenge: acmeclient.Challenge{Way: acmeclient.Standalone, Listen: ca.proofs},
	}})
	var refused *acmeclient.ServerError
	if errors.As(err, &refused) {
		fmt.Println(refused.Type)
	}
	// Output:
	// rejectedIdentifier
}

// exampleServer is a CA that speaks ACME on loopback and, other than a public one, certifies addresses of this machine.
type exampleServer struct {
	home, directory, proofs string
	roots                   []*x509.Certificate
	stop                    func()
}

func (s *exampleServer) folder(name string) string { return filepath.Join(s.home, name) }

func exampleCA() *exampleServer {
	s := &exampleServer{}
	var err error
	if s.home, err = os.MkdirTemp("", "acmeclient-example-"); err != nil {
		log.Fatal(err)
	}
	if s.proofs, err = freeport.Address(); err != nil {
		log.Fatal(err)
	}
	if _, err := keystore.CreateCA(s.folder("ca"), keystore.CAOptions{}, time.Now()); err != nil {
		log.Fatal(err)
	}
	a, err := authority.OpenHome(context.Background(), s.folder("ca"), authority.HomeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	validator, err := challenge.New(challenge.Options{
		Gate:         fetch.Gate{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		NoCAA:        true,
		Perspectives: []challenge.Perspective{{Resolver: resolve.New(resolve.Options{Server: "127.0.0.1:9"})}}, // not asked for addresses
		HTTPPort:     int(netip.MustParseAddrPort(s.proofs).Port()),
	})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := acmeserver.New(context.Background(), acmeserver.Options{Store: a.Store, Validator: validator, Directories: []acmeserver.Directory{{Authority: a}}})
	if err != nil {
		log.Fatal(err)
	}
	web := s.serve(handler)
	s.stop = func() {
		_ = web.Close()
		_ = handler.Close()
		validator.Close()
		_ = a.Close()
		_ = os.RemoveAll(s.home)
	}
	return s
}

// serve puts a handler behind a certificate that signs itself.
func (s *exampleServer) serve(h http.Handler) *tlsnet.HTTPServer {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	certificate, err := pki.SelfSign(pki.Request{Profile: pki.ProfileServer, SANs: []string{"127.0.0.1"}}, key, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: [][]byte{certificate.Raw}, Key: key}}})
	if err != nil {
		log.Fatal(err)
	}
	s.directory, s.roots = "https://"+listener.Addr().String()+"/acme/directory", []*x509.Certificate{certificate}
	server := &tlsnet.HTTPServer{Handler: h}
	go func() { _ = server.Serve(listener) }()
	return server
}
