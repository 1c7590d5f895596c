package tlsnet_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// Certificates whose signatures no quantum computer can forge, from the root to the leaf (ML-DSA, FIPS 204). Peers that do not know them need a
// second identity with another key: the first that a peer can verify is shown.
func ExampleConfig_mldsa() {
	now := time.Now()
	rootKey, err := pki.GenerateKey(pki.MLDSA65)
	if err != nil {
		log.Fatal(err)
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Example Root"}, rootKey, now)
	if err != nil {
		log.Fatal(err)
	}
	var identities []tlsnet.Identity
	for _, kind := range []pki.KeyType{pki.MLDSA44, pki.P256} {
		key, err := pki.GenerateKey(kind)
		if err != nil {
			log.Fatal(err)
		}
		leaf, err := pki.Issuer{Certificate: root, Key: rootKey}.Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"127.0.0.1"}, Key: key.Public()}, now)
		if err != nil {
			log.Fatal(err)
		}
		identities = append(identities, tlsnet.Identity{Chain: [][]byte{leaf.Raw}, Key: key})
	}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: identities})
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
	fmt.Println(pki.DescribeKey(conn.Peer().Leaf.PublicKey), "signed the handshake:", conn.Facts().PeerScheme)
	// Output: ML-DSA-44 signed the handshake: mldsa44
}
