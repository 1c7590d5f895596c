package tlsnet_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

func TestParseIdentity(t *testing.T) {
	s := newSite(t)
	key := func(l *pkitest.Leaf) []byte {
		text, err := pki.MarshalPrivateKeyPEM(l.Key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var chain []byte
	for _, der := range s.server.Chain {
		chain = pki.AppendCertificatePEM(chain, der)
	}
	both := slices.Concat(chain, key(s.server))
	for _, texts := range [][2][]byte{{chain, key(s.server)}, {both, both}} {
		id, err := tlsnet.ParseIdentity(texts[0], texts[1])
		if err != nil || len(id.Chain) != len(s.server.Chain) || !pki.SameKey(id.Key.Public(), s.server.Key.Public()) {
			t.Errorf("%d certificates, %v", len(id.Chain), err)
		}
	}

	sealed, err := pki.MarshalEncryptedPrivateKeyPEM(s.server.Key, []byte("x"), "pbkdf2:1000")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		chain, key []byte
		want       string
	}{
		{nil, key(s.server), "read the certificates: "},
		{chain, chain, "read the private key: "},
		{chain, sealed, "encrypted"},
		{chain, key(s.client), "the private key is not the one of the certificate"},
	} {
		if id, err := tlsnet.ParseIdentity(c.chain, c.key); err == nil || !strings.Contains(err.Error(), c.want) || id.Key != nil {
			t.Errorf("%q is wanted, got %v", c.want, err)
		}
	}
	if _, err := tlsnet.ParseIdentity(chain, sealed); !errors.Is(err, pki.ErrEncryptedKey) {
		t.Error(err)
	}
}
