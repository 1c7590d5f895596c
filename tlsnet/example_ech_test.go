package tlsnet_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// Encrypted ClientHello: who is on the path reads the public name, and not the one that is asked for. The server's certificate is
// for both.
func ExampleConfig_encryptedClientHello() {
	ca := exampleCA("Example Root")
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	leaf, err := ca.Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"secret.example", "public.example"}, Key: key.Public()}, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	echKey, err := tlscore.GenerateECHKey(wire.ECHConfig{PublicName: "public.example", ConfigID: 1, MaximumNameLength: 32})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{
		Core:       tlscore.Config{ECHKeys: []tlscore.ECHKey{echKey}},
		Identities: []tlsnet.Identity{{Chain: [][]byte{leaf.Raw}, Key: key}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)

	// What stands in the DNS, as ech= of an HTTPS record.
	published, err := tlscore.ECHConfigList(echKey)
	if err != nil {
		log.Fatal(err)
	}

	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{
		Roots: []*x509.Certificate{ca.Certificate}, ServerName: "secret.example",
		ECHConfigList: published, ECH: tlsnet.ECHAlways,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	f := conn.Facts()
	fmt.Println(f.ServerName, "behind", f.ECH.PublicName, f.ECH.Status)
	// Output: secret.example behind public.example accepted
}
