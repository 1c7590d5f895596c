package lint_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log"
	"math/big"
	"time"

	"github.com/tlswright/tlswright/pki/lint"
)

// A certificate as it is made by hand: browsers would refuse it, and the findings say why.
func ExampleRun() {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "www.example.org"}, // no subject alternative name
		NotBefore:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(nil, template, template, public, key)
	if err != nil {
		log.Fatal(err)
	}

	findings := lint.Run(der, nil, lint.KindServer)
	for _, f := range findings {
		if f.Severity == lint.Error {
			fmt.Println(f.Lint, "-", f.Section)
		}
	}
	fmt.Println("worst:", lint.Worst(findings))
	// Output:
	// alt_names_present - RFC 9525, Section 3
	// worst: error
}
