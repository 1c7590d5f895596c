package crl_test

import (
	"fmt"
	"log"
	"math/big"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// A CA revokes number 4711; whoever has the list and the CA's certificate can tell.
func Example() {
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now()
	ca, err := pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Example Root"}, key, now)
	if err != nil {
		log.Fatal(err)
	}

	serial := big.NewInt(4711).Bytes()
	revoked := []crl.Entry{{Serial: serial, RevokedAt: now, Reason: crl.KeyCompromise}}
	der, err := crl.Create(crl.Template{
		Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(24 * time.Hour), Entries: slices.Values(revoked),
	}, ca, key)
	if err != nil {
		log.Fatal(err)
	}

	list, err := crl.Parse(der)
	if err != nil {
		log.Fatal(err)
	}
	if err := list.CheckSignature(ca); err != nil {
		log.Fatal(err)
	}
	entry, found := list.Find(serial, nil)
	fmt.Println(found, entry.Reason)
	_, found = list.Find(big.NewInt(4712).Bytes(), nil)
	fmt.Println(found)
	// Output:
	// true keyCompromise
	// false
}
