package pkcs12_test

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/pkcs12"
)

// A .p12 file carries a key with its chain to Windows, macOS, Java and browsers.
func Example() {
	key, leaf := exampleIdentity()
	file, err := pkcs12.Encode(pkcs12.Bundle{Key: key, Chain: []*x509.Certificate{leaf}, FriendlyName: "www"}, []byte("correct horse"), pkcs12.Modern)
	if err != nil {
		log.Fatal(err)
	}

	_, err = pkcs12.Decode(file, []byte("wrong donkey"))
	fmt.Println(errors.Is(err, pkcs12.ErrWrongPassword))

	bundle, err := pkcs12.Decode(file, []byte("correct horse"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pki.Printable(bundle.FriendlyName), pki.Name(bundle.Chain[0].Subject), pki.SameKey(bundle.Key.Public(), key.Public()))
	// Output:
	// true
	// www CN=www.example.org true
}

// A trust store for Java holds certificates alone, and may go without a password.
func ExampleEncode_trustStore() {
	_, root := exampleIdentity()
	file, err := pkcs12.Encode(pkcs12.Bundle{Trusted: []*x509.Certificate{root}}, nil, pkcs12.Modern)
	if err != nil {
		log.Fatal(err)
	}
	bundle, err := pkcs12.Decode(file, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(bundle.Trusted), bundle.Key)
	// Output: 1 <nil>
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
