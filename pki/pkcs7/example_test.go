package pkcs7_test

import (
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/pkcs7"
)

// A .p7b file carries certificates, and no keys.
func Example() {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Example Root"}, key, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	file, err := pkcs7.EncodePEM([]*x509.Certificate{root})
	if err != nil {
		log.Fatal(err)
	}

	if !pkcs7.Is(file) {
		log.Fatal("not a .p7b file")
	}
	certificates, err := pkcs7.Decode(file) // PEM, DER or BER
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range certificates {
		fmt.Println(pki.Name(c.Subject))
	}
	// Output: CN=Example Root
}
