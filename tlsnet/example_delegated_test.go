package tlsnet_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// A server at the edge with a delegated credential, and without the key of its certificate: the owner of that signs a new key
// every day. What such a server does not have, nobody can take from it.
func ExampleConfig_delegated() {
	ca := exampleCA("Example Root")
	owner, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	leaf, err := ca.Issue(pki.Request{Profile: pki.ProfileServer, SANs: []string{"127.0.0.1"}, Key: owner.Public(), MayDelegate: true}, time.Now())
	if err != nil {
		log.Fatal(err)
	}

	// At the edge: a new key. At the owner's: a credential for it.
	key, err := pki.GenerateKey(pki.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	credential, err := tlscore.Delegate(leaf.Raw, owner, tlscore.RoleServer, key.Public(), time.Now(), time.Now().Add(36*time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{{
		Chain: [][]byte{leaf.Raw}, Delegated: &tlsnet.Delegated{Credential: credential, Key: key},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)

	config := &tlsnet.Config{Roots: ca.roots(), Core: tlscore.Config{DelegatedSchemes: tlscore.DelegatedSchemes()}}
	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), config)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.Facts().PeerDelegation.Scheme)
	// Output: ed25519
}
