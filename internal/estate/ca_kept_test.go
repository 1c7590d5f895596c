package estate

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/tlswright/tlswright/pki/crl"
)

// TestAStartAddsNoCertificate: a service that starts again shows the certificate that it had, unless another one is due.
func TestAStartAddsNoCertificate(t *testing.T) {
	b := testBase(t)
	c := looseCA()
	c.HTTPURL = "http://ca.corp.test"
	start := func() *big.Int {
		t.Helper()
		p, err := openCA(t.Context(), b, c)
		if err != nil {
			t.Fatal(err)
		}
		serial := p.own.certificate().SerialNumber
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
		return serial
	}
	first := start()
	same := func(what string, want bool) {
		t.Helper()
		next := start()
		if (next.Cmp(first) == 0) != want {
			t.Errorf("%s: the same certificate: %t", what, !want)
		}
		first = next
	}
	same("nothing has changed", true)
	c.Names = []string{"ca.corp.test"}
	same("another name", false)
	same("the same name", true)
	c.Lifetime = time.Hour
	same("a shorter life", false)
	same("as short", true)
	c.HTTPURL = "http://pki.corp.test"
	same("its status is elsewhere", false)
	same("at the same place", true)
	now := b.Now
	b.Now = func() time.Time { return now().Add(45 * time.Minute) }
	same("most of its life is over", false)
	au, err := b.OpenAuthority(t.Context(), "", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := au.Revoke(context.Background(), first, crl.Superseded, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := au.Close(); err != nil {
		t.Fatal(err)
	}
	same("it is revoked", false)
}

func TestAnAddressForAllIsNone(t *testing.T) {
	for base, want := range map[string]bool{"http://[::]:9080": true, "http://0.0.0.0:80": true, "http://127.0.0.1:9080": false, "http://ca.corp.test": false, "": false} {
		if isNowhere(base) != want {
			t.Errorf("%s: %t", base, !want)
		}
	}
}
