package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// certify makes a certificate around a public key, changed by edit. Who signs it does not matter here.
func certify(t *testing.T, pub crypto.PublicKey, edit func(*x509.Certificate)) []byte {
	t.Helper()
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func ecdsaKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestLeavesOfEveryKeyTypeAreRead(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	kinds := map[pkitest.KeyType]suite.KeyKind{
		pkitest.P256: suite.KeyECDSAP256, pkitest.P384: suite.KeyECDSAP384, pkitest.P521: suite.KeyECDSAP521,
		pkitest.Ed25519: suite.KeyEd25519, pkitest.RSA2048: suite.KeyRSA, pkitest.RSAPSS: suite.KeyRSAPSS,
	}
	for _, k := range pkitest.KeyTypes() {
		l := ca.Server(k)
		key, err := Leaf(l.Chain[0])
		if err != nil {
			t.Errorf("%s: %v", k, err)
			continue
		}
		if key.Kind != kinds[k] {
			t.Errorf("%s is taken for %v", k, key.Kind)
		}
		if pub, ok := key.Public.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(l.Key.Public()) {
			t.Errorf("%s: another key", k)
		}
	}
}

func TestUnfitLeavesAreRefused(t *testing.T) {
	key := ecdsaKey(t, elliptic.P256()).Public()
	usage := func(u x509.KeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.KeyUsage = u }
	}
	huge := func(bits uint) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
	}
	good := certify(t, key, nil)
	for name, c := range map[string]struct {
		der  []byte
		want error
	}{
		"no key usage":            {good, nil},
		"digitalSignature":        {certify(t, key, usage(x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment)), nil},
		"only keyEncipherment":    {certify(t, key, usage(x509.KeyUsageKeyEncipherment)), ErrKeyUsage},
		"only certSign":           {certify(t, key, usage(x509.KeyUsageCertSign)), ErrKeyUsage},
		"P-224":                   {certify(t, ecdsaKey(t, elliptic.P224()).Public(), nil), ErrKeyType},
		"RSA of 8192 bits":        {certify(t, huge(suite.MaxRSABits), nil), nil},
		"RSA of 8193 bits":        {certify(t, huge(suite.MaxRSABits+1), nil), ErrKeyType},
		"nothing":                 {nil, ErrCertificate},
		"rubbish":                 {[]byte("certificate"), ErrCertificate},
		"truncated":               {good[:len(good)-1], ErrCertificate},
		"bytes behind":            {append(bytes.Clone(good), 0), ErrCertificate},
		"without its outer layer": {good[4:], ErrCertificate},
	} {
		got, err := Leaf(c.der)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if hasKey := got.Public != nil; hasKey != (err == nil || errors.Is(err, ErrKeyUsage)) {
			t.Errorf("%s: a key beside the error: %v", name, hasKey)
		}
	}
}

func TestPSSParametersRestrictTheScheme(t *testing.T) {
	sha256, sha384 := suite.SchemeByID(wire.SchemeRSAPSSPSSSHA256), suite.SchemeByID(wire.SchemeRSAPSSPSSSHA384)
	for name, c := range map[string]struct {
		pss    *cert.PSSParameters
		s      *suite.Scheme
		expect bool
	}{
		"unrestricted":     {nil, sha384, true},
		"same hash":        {&cert.PSSParameters{Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32}, sha256, true},
		"shorter salt":     {&cert.PSSParameters{Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 20}, sha256, true},
		"longer salt":      {&cert.PSSParameters{Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 33}, sha256, false},
		"another hash":     {&cert.PSSParameters{Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32}, sha384, false},
		"another MGF hash": {&cert.PSSParameters{Hash: crypto.SHA256, MGFHash: crypto.SHA1, SaltLength: 32}, sha256, false},
		"SHA-1 by default": {&cert.PSSParameters{Hash: crypto.SHA1, MGFHash: crypto.SHA1, SaltLength: 20}, sha256, false},
	} {
		if got := (LeafKey{Kind: suite.KeyRSAPSS, pss: c.pss}).Fits(c.s); got != c.expect {
			t.Errorf("%s: fits: %v", name, got)
		}
	}
}

func TestCertificateVerifyInputIsThatOfTheSpecification(t *testing.T) {
	th := []byte{1, 2, 3}
	for role, context := range map[Signer]string{
		ServerSigner: "TLS 1.3, server CertificateVerify", ClientSigner: "TLS 1.3, client CertificateVerify",
	} {
		want := append([]byte(strings.Repeat(" ", 64)+context+"\x00"), th...)
		if got := CertificateVerifyInput(role, th); !bytes.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	}
}

func TestSignaturesAreProven(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	th := bytes.Repeat([]byte{7}, 32)
	for _, k := range pkitest.KeyTypes() {
		l := ca.Server(k)
		key, err := Leaf(l.Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range suite.DefaultSchemes() {
			s := suite.SchemeByID(id)
			if !key.Fits(s) || !s.TLS13 {
				if proof, err := CertificateVerify(ServerSigner, s, key, th, nil); proof != nil || !errors.Is(err, ErrScheme) {
					t.Errorf("%s with %v: %v", k, id, err)
				}
				continue
			}
			sig, err := suite.Sign(l.Key, s, CertificateVerifyInput(ServerSigner, th))
			if err != nil {
				t.Fatalf("%s with %v: %v", k, id, err)
			}
			proof, err := CertificateVerify(ServerSigner, s, key, th, sig)
			if err != nil || !proof.Holds() || proof.Role() != ServerSigner || proof.Scheme() != id || !reflect.DeepEqual(proof.Key(), key.Public) {
				t.Errorf("%s with %v: %+v, %v", k, id, proof, err)
			}
			refused := func(what string, proof *SignatureProof, err error) {
				t.Helper()
				if proof != nil || !errors.Is(err, ErrSignature) {
					t.Errorf("%s with %v: %s: %v", k, id, what, err)
				}
			}
			proof, err = CertificateVerify(ClientSigner, s, key, th, sig)
			refused("as the client's", proof, err)
			proof, err = CertificateVerify(ServerSigner, s, key, th[1:], sig)
			refused("another transcript", proof, err)
			proof, err = CertificateVerify(ServerSigner, s, key, th, sig[1:])
			refused("part of the signature", proof, err)
			bare, err := suite.Sign(l.Key, s, th)
			if err != nil {
				t.Fatal(err)
			}
			proof, err = CertificateVerify(ServerSigner, s, key, th, bare)
			refused("without the context", proof, err)
		}
	}
}

func TestSignaturesNeedASchemeAndASigner(t *testing.T) {
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	key, err := Leaf(l.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if proof, err := CertificateVerify(ServerSigner, nil, key, nil, nil); proof != nil || !errors.Is(err, ErrScheme) {
		t.Errorf("no scheme: %v", err)
	}
	s := suite.SchemeByID(wire.SchemeECDSASecp256r1SHA256)
	if proof, err := CertificateVerify(ServerSigner, s, LeafKey{}, nil, nil); proof != nil || !errors.Is(err, ErrScheme) {
		t.Errorf("no key: %v", err)
	}
	for _, role := range []Signer{0, 3} {
		sig, err := suite.Sign(l.Key, s, CertificateVerifyInput(role, nil))
		if err != nil {
			t.Fatal(err)
		}
		if proof, err := CertificateVerify(role, s, key, nil, sig); proof != nil || err == nil {
			t.Errorf("signer %d is accepted", role)
		}
	}
}

func TestFinishedIsProven(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		th := bytes.Repeat([]byte{7}, h.Size())
		handshake := keys.NewEarly(h, nil).Handshake([]byte("shared"))
		client, server := handshake.ClientTraffic(th), handshake.ServerTraffic(th)
		data := server.Finished(th)
		if proof, err := Finished(server, th, data); !proof.Holds() || err != nil {
			t.Errorf("%v: %v", h, err)
		}
		refused := func(what string, secret keys.Traffic, th, got []byte) {
			t.Helper()
			if proof, err := Finished(secret, th, got); proof != nil || !errors.Is(err, ErrFinished) {
				t.Errorf("%v: %s: %v", h, what, err)
			}
		}
		refused("the other direction", client, th, data)
		refused("another transcript", server, th[1:], data)
		refused("nothing", server, th, nil)
		refused("too short", server, th, data[1:])
		refused("too long", server, th, append(bytes.Clone(data), 0))
		refused("no secret, no data", keys.Traffic{}, th, nil)
		for i := range data {
			data[i] ^= 0x80
			refused("a changed byte", server, th, data)
			data[i] ^= 0x80
		}
	}
}

func TestBindersAreProven(t *testing.T) {
	th := bytes.Repeat([]byte{7}, 32)
	early := keys.NewEarly(crypto.SHA256, []byte("psk"))
	mac := early.Binder(true).MAC(th)
	if proof, err := Binder(early.Binder(true), th, mac); !proof.Holds() || err != nil {
		t.Error(err)
	}
	for what, c := range map[string]struct {
		b   keys.Binder
		got []byte
	}{
		"a ticket's":  {early.Binder(false), mac},
		"another PSK": {keys.NewEarly(crypto.SHA256, []byte("other")).Binder(true), mac},
		"too short":   {early.Binder(true), mac[1:]},
		"nothing":     {early.Binder(true), nil},
		"no key":      {keys.Binder{}, nil},
	} {
		if proof, err := Binder(c.b, th, c.got); proof != nil || !errors.Is(err, ErrBinder) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A proof that another package could write down would prove nothing.
func TestProofsCannotBeForged(t *testing.T) {
	for _, proof := range []any{SignatureProof{}, KeyExchangeProof{}, FinishedProof{}, BinderProof{}} {
		typ := reflect.TypeOf(proof)
		if typ.NumField() == 0 {
			t.Errorf("%v has no fields", typ)
		}
		for i := range typ.NumField() {
			if typ.Field(i).IsExported() {
				t.Errorf("%v.%s is exported", typ, typ.Field(i).Name)
			}
		}
	}
	if new(KeyExchangeProof).Holds() || (*KeyExchangeProof)(nil).Holds() || new(SignatureProof).Holds() || new(FinishedProof).Holds() || new(BinderProof).Holds() {
		t.Error("a zero value proves something")
	}
	if (*SignatureProof)(nil).Holds() || (*FinishedProof)(nil).Holds() || (*BinderProof)(nil).Holds() {
		t.Error("nil proves something")
	}
}

func FuzzLeaf(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	for _, k := range []pkitest.KeyType{pkitest.P256, pkitest.Ed25519} { // making an RSA key would delay every worker
		f.Add(ca.Server(k).Chain[0])
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := Leaf(der)
		if err != nil {
			return
		}
		// Whatever can be read can be asked for a signature, and none was ever made.
		for _, id := range suite.DefaultSchemes() {
			if proof, err := CertificateVerify(ClientSigner, suite.SchemeByID(id), key, der, []byte("signature")); err == nil || proof != nil {
				t.Errorf("%v: forged", id)
			}
		}
	})
}
