package acme_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/tlswright/tlswright/acme"
)

// What a client puts where, for each way to prove that it controls a name.
func ExampleKeyAuthorization() {
	thumbprint := make([]byte, 32) // of the account's key, by RFC 7638
	proof := acme.KeyAuthorization("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ", thumbprint)
	fmt.Println("http-01:    ", acme.HTTP01Path+"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ")
	fmt.Println("dns-01:     ", acme.DNS01Name("*.example.org"), acme.DNS01Value(proof))
	fmt.Println("tls-alpn-01:", acme.TLSALPN01ServerName(acme.Identifier{Type: acme.TypeIP, Value: "192.0.2.1"}))
	// Output:
	// http-01:     /.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ
	// dns-01:      _acme-challenge.example.org __Gj-X3i_HqUudr6pV1XQWVFJIJ99xhBKTpjLjcZmaE
	// tls-alpn-01: 1.2.0.192.in-addr.arpa
}

// Names are compared and stored in one form; what may not be ordered is a problem that can be sent as it is.
func ExampleIdentifier_Normalize() {
	id, problem := acme.Identifier{Type: acme.TypeDNS, Value: "WWW.Example.ORG"}.Normalize()
	if problem != nil {
		log.Fatal(problem)
	}
	fmt.Println(id)

	_, problem = acme.Identifier{Type: acme.TypeDNS, Value: "no spaces.example"}.Normalize()
	fmt.Println(problem.Status, problem.Kind())
	// Output:
	// dns:www.example.org
	// 403 rejectedIdentifier
}

// A problem document is an error of Go; Kind is what programs switch on.
func ExampleProblem() {
	var answer acme.Problem
	if err := json.Unmarshal([]byte(`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates","status":429}`), &answer); err != nil {
		log.Fatal(err)
	}
	err := fmt.Errorf("order a certificate: %w", &answer)

	var problem *acme.Problem
	if errors.As(err, &problem) && problem.Kind() == acme.RateLimited {
		fmt.Println("later:", problem.Detail)
	}
	// Output: later: too many certificates
}
