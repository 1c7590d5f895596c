package revset_test

import (
	"crypto/sha256"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki/revset"
)

// Of everything a CA has issued, number 7 is revoked. The set is made once, sent, and asked.
func ExampleBuild() {
	ca := sha256.Sum256([]byte("the CA's SubjectPublicKeyInfo")) // of a certificate: its RawSubjectPublicKeyInfo
	revoked := [][]byte{revset.Key(ca, []byte{7})}
	valid := [][]byte{revset.Key(ca, []byte{8}), revset.Key(ca, []byte{9})}
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	set, err := revset.Build(slices.Values(revoked), slices.Values(valid), revset.Options{Created: created, Expires: created.AddDate(0, 0, 7)})
	if err != nil {
		log.Fatal(err)
	}

	received, err := revset.Parse(set.Marshal()) // a signed one: CheckSignature comes next
	if err != nil {
		log.Fatal(err)
	}
	for _, serial := range []byte{7, 8, 9} {
		answer, known := received.Revoked(ca, []byte{serial})
		fmt.Println(serial, answer, known)
	}
	// Output:
	// 7 true true
	// 8 false true
	// 9 false true
}
