package jks_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/jks"
)

// A key store as old Java servers want it: one password for the store and for the key in it.
func Example() {
	key, leaf := exampleIdentity()
	password := []byte("changeit")
	file, err := jks.Encode([]jks.Entry{{Alias: "www", Key: key, Chain: []*x509.Certificate{leaf}}}, password)
	if err != nil {
		log.Fatal(err)
	}

	_, err = jks.Decode(file, []byte("changed!"), nil)
	fmt.Println(errors.Is(err, jks.ErrWrongPassword))

	entries, err := jks.Decode(file, password, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range entries {
		fmt.Println(pki.Printable(e.Alias), pki.Name(e.Chain[0].Subject), pki.SameKey(e.Key.Public(), key.Public()))
	}
	// Output:
	// true
	// www CN=www.example.org true
}

// exampleIdentity makes a key with a certificate that it signs itself.
func exampleIdentity() (crypto.Signer, *x509.Certificate) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	leaf, err := pki.SelfSign(pki.Request{Profile: pki.ProfileServer, CommonName: "www.example.org", SANs: []string{"www.example.org"}}, key, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	return key, leaf
}
