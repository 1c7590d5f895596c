package trace_test

import (
	"testing"

	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
)

// quantumSafe configures two ends with chains of ML-DSA keys, the largest and the smallest.
func quantumSafe(t *testing.T) (client, server tlscore.Config) {
	key := func(k pki.KeyType) *pki.Issuer {
		made, err := pki.GenerateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return &pki.Issuer{Key: made}
	}
	root := key(pki.MLDSA87)
	var err error
	if root.Certificate, err = pki.SelfSign(pki.Request{Profile: pki.ProfileRoot, CommonName: "Root"}, root.Key, tlstest.Now); err != nil {
		t.Fatal(err)
	}
	own := func(k pki.KeyType) []tlscore.Identity {
		leaf := key(k)
		c, err := root.Issue(pki.Request{Profile: pki.ProfilePeer, SANs: []string{"a.example"}, Key: leaf.Key.Public()}, tlstest.Now)
		if err != nil {
			t.Fatal(err)
		}
		return []tlscore.Identity{{Chain: [][]byte{c.Raw, root.Certificate.Raw}, Tag: leaf.Key}}
	}
	return tlscore.Config{Identities: own(pki.MLDSA44)}, tlscore.Config{Identities: own(pki.MLDSA87), ClientAuth: tlscore.RequireClientCert}
}
