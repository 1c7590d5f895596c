package pki_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
)

// A root signs itself, and then the certificate of a server. Both keys stay with the caller.
func ExampleIssuer_Issue() {
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now()
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Example Root"}, rootKey, now)
	if err != nil {
		log.Fatal(err)
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	ca := pki.Issuer{Certificate: root, Key: rootKey}
	leaf, err := ca.Issue(pki.Request{Profile: pki.ProfileServer, Key: key.Public(), SANs: []string{"www.example.org", "127.0.0.1"}}, now)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pki.Name(leaf.Issuer))
	fmt.Println(leaf.DNSNames, leaf.IPAddresses)
	fmt.Println(leaf.NotAfter.Sub(leaf.NotBefore).Round(time.Hour))
	// Output:
	// CN=Example Root
	// [www.example.org] [127.0.0.1]
	// 2160h0m0s
}

// What cannot be sound is refused before anything is signed, and the error says what to do instead.
func ExampleRefusedError() {
	ca, _ := exampleCA()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	_, err = ca.Issue(pki.Request{Profile: pki.ProfileServer, Key: key.Public(), SANs: []string{"www.example.org"}, Lifetime: 3 * 365 * 24 * time.Hour}, time.Now())
	var refused *pki.RefusedError
	if errors.As(err, &refused) {
		fmt.Println(refused.Reason)
		fmt.Println(refused.Hint)
	}
	// Output:
	// a leaf certificate for 1095 days: browsers and other clients refuse more than 398
	// ask for fewer days and renew it in time
}

// Verify decides; its error names the certificate at fault and the reason, which a program can switch on.
func ExampleVerify() {
	ca, leaf := exampleCA()
	options := pki.VerifyOptions{Roots: []*x509.Certificate{ca.Certificate}, Time: time.Now(), ServerName: "www.example.org"}
	if _, err := pki.Verify(leaf.Raw, options); err != nil {
		log.Fatal(err)
	}
	options.ServerName = "mail.example.org"
	_, err := pki.Verify(leaf.Raw, options)
	var refused *pki.VerifyError
	if errors.As(err, &refused) {
		fmt.Println(refused.Reason == pki.ReasonNameMismatch)
		fmt.Println(refused.Text)
	}
	// Output:
	// true
	// the certificate is valid for www.example.org, not mail.example.org
}

// Explain gives the same verdict with every check that led to it.
func ExampleExplain() {
	ca, leaf := exampleCA()
	e := pki.Explain(leaf.Raw, pki.VerifyOptions{
		Roots:      []*x509.Certificate{ca.Certificate},
		Time:       time.Now().AddDate(1, 0, 0), // a year from now
		ServerName: "www.example.org",
	})
	fmt.Println("trusted:", e.Trusted)
	for _, check := range e.Checks {
		if check.Outcome != pki.NotAsked {
			fmt.Printf("%s: %s\n", check.Check, check.Outcome)
		}
	}
	fmt.Println(e.Err.Hint)
	// Output:
	// trusted: false
	// signature per link: passed
	// root in store: passed
	// dates: failed
	// name: passed
	// usage: passed
	// constraints: passed
	// renew it, and check the clock of this machine if that date is not past
}

// A request (CSR) proves that its sender has the key; what becomes of its wishes is the issuer's decision.
func ExampleParseCSR() {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	der, err := pki.CreateCSR(pki.CSRRequest{CommonName: "www.example.org", SANs: []string{"www.example.org"}}, key)
	if err != nil {
		log.Fatal(err)
	}

	csr, err := pki.ParseCSR(der) // at the CA
	if err != nil {
		log.Fatal(err)
	}
	request, err := pki.RequestFromCSR(csr, pki.ProfileServer)
	if err != nil {
		log.Fatal(err)
	}
	ca, _ := exampleCA()
	leaf, err := ca.Issue(request, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(csr.SANs, pki.SameKey(leaf.PublicKey, key.Public()))
	// Output: [dns:www.example.org] true
}

// Keys and certificates are written as PEM, and read in every form in use.
func ExampleParsePrivateKeyPEM() {
	key, err := pki.GenerateKey(pki.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	text, err := pki.MarshalPrivateKeyPEM(key)
	if err != nil {
		log.Fatal(err)
	}
	again, err := pki.ParsePrivateKeyPEM(text)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pki.DescribeKey(again.Public()), pki.SameKey(key.Public(), again.Public()))
	// Output: Ed25519 true
}

// Pins name keys, not certificates, so that they survive a renewal. A set needs a backup that is not in use.
func ExamplePinSet() {
	_, leaf := exampleCA()
	backup, err := pki.GenerateKey(pki.P256) // to be put into a safe
	if err != nil {
		log.Fatal(err)
	}
	pin, err := pki.PinPublicKey(backup.Public())
	if err != nil {
		log.Fatal(err)
	}
	chain := []*x509.Certificate{leaf}
	pins := pki.PinSet{pki.PinSPKI(leaf)}
	fmt.Println(pins.Validate(chain))
	pins = append(pins, pin)
	fmt.Println(pins.Validate(chain))
	// Output:
	// every pin is of a key in use: there is no backup for when it is lost
	// <nil>
}

// exampleCA makes a root and a certificate for www.example.org, as ExampleIssuer_Issue does.
func exampleCA() (pki.Issuer, *x509.Certificate) {
	now := time.Now()
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Example Root"}, rootKey, now)
	if err != nil {
		log.Fatal(err)
	}
	ca := pki.Issuer{Certificate: root, Key: rootKey}
	leaf, err := ca.Issue(pki.Request{Profile: pki.ProfileServer, Key: key.Public(), SANs: []string{"www.example.org"}}, now)
	if err != nil {
		log.Fatal(err)
	}
	return ca, leaf
}
