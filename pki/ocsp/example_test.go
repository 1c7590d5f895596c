package ocsp_test

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ocsp"
)

// A client asks, the CA answers, the client checks. How the bytes travel is left out: by HTTP POST (RFC 6960, Appendix A.1).
func Example() {
	ca, leaf := exampleCA()
	now := time.Now()

	id, err := ocsp.NewCertID(leaf.SerialNumber.Bytes(), ca.Certificate, crypto.SHA256)
	if err != nil {
		log.Fatal(err)
	}
	question, err := ocsp.CreateRequest([]ocsp.CertID{id}, nil)
	if err != nil {
		log.Fatal(err)
	}

	request, err := ocsp.ParseRequest(question) // at the CA
	if err != nil {
		log.Fatal(err) // in a server: answer ocsp.ErrorResponse(ocsp.MalformedRequest)
	}
	answer, err := ocsp.CreateResponse(ocsp.ResponseTemplate{
		Singles:    []ocsp.Single{{ID: request.IDs[0], Status: ocsp.Good, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}},
		Nonce:      request.Nonce,
		ProducedAt: now,
	}, ca.Certificate, ca.Key)
	if err != nil {
		log.Fatal(err)
	}

	response, err := ocsp.ParseResponse(answer) // at the client
	if err != nil {
		log.Fatal(err)
	}
	if err := response.Verify(ca.Certificate, now); err != nil {
		log.Fatal(err)
	}
	single := response.Find(leaf, ca.Certificate)
	if single == nil || !now.Before(single.NextUpdate) {
		log.Fatal("the response says nothing about this certificate, or is too old")
	}
	fmt.Println(response.Status, single.Status)
	// Output: successful good
}

// exampleCA makes a root and a certificate from it.
func exampleCA() (pki.Issuer, *x509.Certificate) {
	rootKey, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Example Root"}, rootKey, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	ca := pki.Issuer{Certificate: root, Key: rootKey}
	leaf, err := ca.Issue(pki.Request{Profile: pki.ProfileServer, Key: key.Public(), SANs: []string{"www.example.org"}}, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	return ca, leaf
}
