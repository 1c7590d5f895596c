package pki_test

import (
	"crypto/x509"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

func TestLeavesMayDelegate(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	for _, wanted := range []bool{false, true} {
		leaf := ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileServer, SANs: []string{"a.example"}, MayDelegate: wanted})
		c, err := cert.Parse(leaf.Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		e, has := c.Find(cert.OIDDelegatedCredUsage)
		if has != wanted || has && (e.Critical || string(e.Value) != "\x05\x00") {
			t.Errorf("wanted %v: %v, %+v", wanted, has, e)
		}
	}
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Issuer().Issue(pki.Request{Profile: pki.ProfileIntermediate, CommonName: "CA", Key: key.Public(), MayDelegate: true}, ca.Now); err == nil {
		t.Error("a CA may delegate")
	}
	spec, err := pki.BuiltinProfile(pki.ProfileServer)
	if err != nil {
		t.Fatal(err)
	}
	spec.KeyUsage = x509.KeyUsageKeyAgreement
	if _, err := ca.Issuer().Issue(pki.Request{Spec: &spec, SANs: []string{"a.example"}, Key: key.Public(), MayDelegate: true}, ca.Now); err == nil {
		t.Error("who may not sign may delegate")
	}
}
