package tlsnet_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// An OCSP response from wherever the program keeps them, for clients that want one. A program with many certificates need
// not load all of theirs ahead.
func ExampleConfig_staples() {
	ca := exampleCA("Example Root")
	config := &tlsnet.Config{Identities: []tlsnet.Identity{ca.identity(pki.ProfileServer, "www.example.org")}}
	config.Staples = func(_ context.Context, q *tlscore.Question) ([][]byte, error) {
		der, err := ca.answerAbout(q.Identity.Chain[0])
		if err != nil {
			log.Println("no OCSP response this time:", err)
			return nil, nil // the handshake goes on without one
		}
		return [][]byte{der}, nil
	}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go echo(listener)

	conn, err := tlsnet.Dial(context.Background(), "tcp", listener.Addr().String(), &tlsnet.Config{Roots: ca.roots()})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println("stapled:", conn.Peer().Status != nil)
	// Output: stapled: true
}

// answerAbout makes an OCSP response that a certificate is good. A real one comes from the CA.
func (a authority) answerAbout(der []byte) ([]byte, error) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	id, err := ocsp.NewCertID(leaf.SerialNumber.Bytes(), a.Certificate, crypto.SHA1)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	single := ocsp.Single{ID: id, Status: ocsp.Good, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}
	return ocsp.CreateResponse(ocsp.ResponseTemplate{Singles: []ocsp.Single{single}, ProducedAt: now}, a.Certificate, a.Key)
}
