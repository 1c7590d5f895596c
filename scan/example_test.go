package scan_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/grade/report"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/scan"
	"github.com/tlswright/tlswright/tlsnet"
)

// Scan a server, judge what was found, and write it down.
func Example() {
	address, roots, stop := exampleServer() // of your own: "www.example.org"; without Stores nobody is trusted
	defer stop()

	target, err := scan.ParseTarget(address)
	if err != nil {
		log.Fatal(err)
	}
	scanner := scan.New(scan.Options{Stores: []scan.Store{{Name: "mine", Own: true, Roots: roots}}, Offline: true})
	found, err := scanner.Scan(context.Background(), target)
	if err != nil {
		log.Fatal(err)
	}
	for _, facts := range found { // one for each address of a name
		result := grade.Judge(facts, grade.Options{})
		fmt.Println("grade", result.Grade)
		for _, f := range result.Findings { // the worst first, the good ones at the end
			if f.Severity == grade.Low {
				fmt.Println("mend:", f.Title)
			}
		}
		var page bytes.Buffer // a page for a browser; there are eight more formats
		if err := report.Write(&page, report.FormatHTML, []report.Report{{Facts: facts, Result: result}}, report.Options{}); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// grade A
	// mend: No HSTS
}

// exampleServer starts a TLS server on loopback, with a certificate that is its own root.
func exampleServer() (address string, roots []*x509.Certificate, stop func()) {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	certificate, err := pki.SelfSign(pki.Request{Profile: pki.ProfileServer, SANs: []string{"127.0.0.1"}}, key, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tlsnet.Listen("tcp", "127.0.0.1:0", &tlsnet.Config{Identities: []tlsnet.Identity{{Chain: [][]byte{certificate.Raw}, Key: key}}})
	if err != nil {
		log.Fatal(err)
	}
	server := &tlsnet.HTTPServer{
		Handler:        http.NotFoundHandler(),
		HandshakeError: func(*tlsnet.Conn, error) {}, // a scan makes many
	}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), []*x509.Certificate{certificate}, func() { _ = server.Close() }
}
