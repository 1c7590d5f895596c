package pki_test

import (
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

func TestBundlesAreReadInOrder(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	var text []byte
	for _, der := range append(l.Chain, ca.Root.Raw) {
		text = append(append(text, "# a comment\n"...), pki.AppendCertificatePEM(nil, der)...)
	}
	key, err := pki.MarshalPrivateKeyPEM(l.Key)
	if err != nil {
		t.Fatal(err)
	}
	certs, err := pki.ParseCertificatesPEM(append(key, text...))
	if err != nil || len(certs) != 3 || !certs[0].Equal(l.Certificate) || !certs[2].Equal(ca.Root) {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
	for what, c := range map[string]struct {
		text []byte
		want string
	}{
		"DER":      {l.Chain[0], "DER form"},
		"key":      {key, "private key, but no certificate"},
		"nothing":  {nil, "no certificate"},
		"broken":   {pki.AppendCertificatePEM(text, []byte("x")), "certificate 4"},
		"too much": {make([]byte, 9<<20), "limit"},
	} {
		if _, err := pki.ParseCertificatesPEM(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := pki.Fingerprint(nil); got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Error(got)
	}
}
