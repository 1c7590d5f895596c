package minitls_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/minitls"
	"github.com/tlswright/tlswright/pki"
)

// The whole lesson: two machines hand each other lines until both are done, and then a secret.
func Example() {
	now := time.Now()
	rootKey, key := newKey(), newKey()
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Lesson CA"}, rootKey, now)
	if err != nil {
		log.Fatal(err)
	}
	leaf, err := pki.Issuer{Certificate: root, Key: rootKey}.Issue(
		pki.Request{Profile: pki.ProfileServer, CommonName: "server.test", SANs: []string{"server.test"}, Key: key.Public()}, now)
	if err != nil {
		log.Fatal(err)
	}

	server, err := minitls.NewServer(minitls.ServerConfig{Certificate: leaf, Key: key})
	if err != nil {
		log.Fatal(err)
	}
	client, hello, err := minitls.NewClient(minitls.ClientConfig{ServerName: "server.test", Root: root})
	if err != nil {
		log.Fatal(err)
	}

	answer, _ := deliver(server, hello, now)    // ServerHello, Certificate, CertificateVerify, Finished
	finished, _ := deliver(client, answer, now) // Finished
	deliver(server, finished, now)
	secret, err := client.Seal([]byte("meet at the usual place"))
	if err != nil {
		log.Fatal(err)
	}
	_, text := deliver(server, secret, now)
	fmt.Printf("%s\n", text)
	// Output: meet at the usual place
}

// deliver hands a machine the lines of its peer, and gives what it sends back and what it has read.
func deliver(to machine, lines []byte, now time.Time) (send, data []byte) {
	for line := range bytes.Lines(lines) {
		r, err := to.Feed(line, now)
		if err != nil {
			log.Fatal(err) // a *minitls.Error: its Check names the step that found the peer at fault
		}
		send, data = append(send, r.Send...), append(data, r.Data...)
	}
	return send, data
}

// machine is what both ends have in common.
type machine interface {
	Feed(line []byte, now time.Time) (minitls.Result, error)
}

func newKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	return key
}
