package ct_test

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"log"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/ct"
)

// The timestamps in a certificate are held against a list of logs, as browsers do.
func ExampleVerifySCT() {
	chain, list := loggedCertificate() // of your own: a verified chain, and ct.ParseLogList
	timestamps, err := ct.FromCertificate(chain[0])
	if err != nil {
		log.Fatal(err)
	}
	var verdicts []ct.Verdict
	for _, sct := range timestamps {
		verdict, err := ct.VerifySCT(sct, chain, list, time.Now())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(sct.Source, "-", verdict.Status)
		verdicts = append(verdicts, verdict)
	}
	ok, reason := ct.Complies(chain[0], verdicts)
	fmt.Println(ok, "-", reason)
	// Output:
	// embedded - valid
	// false - 1 of the 2 logs that must have signed it have
}

// loggedCertificate issues a certificate as a public CA does: a precertificate first, which a log signs a timestamp for.
func loggedCertificate() (chain []*x509.Certificate, list *ct.LogList) {
	rootKey, key, logKey := newKey(), newKey(), newKey()
	now := time.Now()
	root, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Example Root"}, rootKey, now)
	if err != nil {
		log.Fatal(err)
	}
	serial, err := pki.NewSerial()
	if err != nil {
		log.Fatal(err)
	}
	ca := pki.Issuer{Certificate: root, Key: rootKey}
	request := pki.Request{Profile: pki.ProfileServer, Key: key.Public(), SANs: []string{"www.example.org"}, Serial: serial, Precertificate: true}
	precertificate, err := ca.Issue(request, now)
	if err != nil {
		log.Fatal(err)
	}
	entry, err := ct.EntryOf(precertificate, root, ct.Embedded)
	if err != nil {
		log.Fatal(err)
	}
	sct, err := ct.Sign(entry, now, nil, logKey)
	if err != nil {
		log.Fatal(err)
	}
	if request.Timestamps, err = ct.MarshalExtension([]ct.SCT{sct}); err != nil {
		log.Fatal(err)
	}
	request.Precertificate = false
	leaf, err := ca.Issue(request, now)
	if err != nil {
		log.Fatal(err)
	}
	id, err := ct.LogID(logKey.Public())
	if err != nil {
		log.Fatal(err)
	}
	return []*x509.Certificate{leaf, root}, &ct.LogList{Timestamp: now, Logs: []*ct.Log{
		{ID: id, Key: logKey.Public(), Description: "Example Log 2026", Operator: "Example", State: ct.Usable},
	}}
}

func newKey() crypto.Signer {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	return key
}
