package cert_test

import (
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// Parse reads what can be read. What is odd stands in Defects, what is unknown is kept as bytes.
func ExampleParse() {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	signed, err := pki.SelfSign(pki.Request{Profile: pki.ProfileServer, SANs: []string{"www.example.org"}}, key, time.Now())
	if err != nil {
		log.Fatal(err)
	}

	c, err := cert.Parse(signed.Raw)
	if err != nil {
		log.Fatal(err) // a *cert.ParseError: the structure itself is broken
	}
	names, err := c.AltNames()
	if err != nil {
		log.Fatal(err)
	}
	_, constrained := c.Find(cert.OIDNameConstraints)
	fmt.Println(c.Version, names.DNS, c.KeyUsage, constrained, c.Defects)
	// Output: 3 [www.example.org] digitalSignature false []
}

// An error names the field in the words of the RFC.
func ExampleParseError() {
	_, err := cert.Parse([]byte{0x30, 0x03, 0x02, 0x01, 0x05})
	fmt.Println(err)
	// Output: certificate: tbsCertificate: malformed
}
