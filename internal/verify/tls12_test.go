package verify

import (
	"bytes"
	"crypto"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/internal/keys"
	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

func TestServerKeyExchangeInputIsThatOfTheSpecification(t *testing.T) {
	r := &keys.Randoms{Client: [32]byte{1, 2, 3}, Server: [32]byte{4, 5, 6}}
	want := slices.Concat(r.Client[:], r.Server[:], []byte("params"))
	if got := ServerKeyExchangeInput(r, []byte("params")); !bytes.Equal(got, want) {
		t.Errorf("got %x", got)
	}
}

func TestSignaturesOfTLS12AreProven(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	r := &keys.Randoms{Client: [32]byte{1}, Server: [32]byte{2}}
	params := []byte("curve and point")
	for _, k := range pkitest.KeyTypes() {
		l := ca.Server(k)
		key, err := Leaf(l.Chain[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range suite.DefaultSchemes() {
			s := suite.SchemeByID(id)
			if !key.FitsTLS12(s) {
				if proof, err := ServerKeyExchange(s, key, r, params, nil); proof != nil || !errors.Is(err, ErrScheme) {
					t.Errorf("%s with %v: %v", k, id, err)
				}
				if proof, err := CertificateVerify12(s, key, params, nil); proof != nil || !errors.Is(err, ErrScheme) {
					t.Errorf("%s with %v: %v", k, id, err)
				}
				continue
			}
			sign := func(input []byte) []byte {
				sig, err := suite.SignTLS12(l.Key, s, input)
				if err != nil {
					t.Fatalf("%s with %v: %v", k, id, err)
				}
				return sig
			}
			sig := sign(ServerKeyExchangeInput(r, params))
			proof, err := ServerKeyExchange(s, key, r, params, sig)
			if err != nil || !proof.Holds() || proof.Scheme() != id || !reflect.DeepEqual(proof.Key(), key.Public) {
				t.Errorf("%s with %v: %+v, %v", k, id, proof, err)
			}
			for what, c := range map[string]struct {
				r           *keys.Randoms
				params, sig []byte
			}{
				"other parameters":      {r, params[1:], sig},
				"another connection":    {&keys.Randoms{Client: [32]byte{1}, Server: [32]byte{3}}, params, sig},
				"the randoms swapped":   {&keys.Randoms{Client: r.Server, Server: r.Client}, params, sig},
				"part of the signature": {r, params, sig[1:]},
				"parameters alone":      {r, params, sign(params)},
			} {
				if proof, err := ServerKeyExchange(s, key, c.r, c.params, c.sig); proof != nil || !errors.Is(err, ErrSignature) {
					t.Errorf("%s with %v: %s: %v", k, id, what, err)
				}
			}
			checkCertificateVerify12(t, s, key, sign)
		}
	}
}

func checkCertificateVerify12(t *testing.T, s *suite.Scheme, key LeafKey, sign func([]byte) []byte) {
	t.Helper()
	messages := []byte("all messages, one behind the other")
	sig := sign(messages)
	proof, err := CertificateVerify12(s, key, messages, sig)
	if err != nil || !proof.Holds() || proof.Role() != ClientSigner || proof.Scheme() != s.ID || !reflect.DeepEqual(proof.Key(), key.Public) {
		t.Errorf("%v: %+v, %v", s.ID, proof, err)
	}
	for what, c := range map[string]struct{ messages, sig []byte }{
		"another transcript":        {messages[1:], sig},
		"part of the signature":     {messages, sig[1:]},
		"the hash of the messages":  {messages, sign(hashOf(messages))},
		"the form that TLS 1.3 has": {messages, sign(CertificateVerifyInput(ClientSigner, hashOf(messages)))},
	} {
		if proof, err := CertificateVerify12(s, key, c.messages, c.sig); proof != nil || !errors.Is(err, ErrSignature) {
			t.Errorf("%v: %s: %v", s.ID, what, err)
		}
	}
	if proof, err := CertificateVerify12(s, key, nil, sign(nil)); proof != nil || err == nil {
		t.Errorf("%v: a signature over nothing is accepted", s.ID)
	}
}

func hashOf(b []byte) []byte {
	h := crypto.SHA256.New()
	h.Write(b)
	return h.Sum(nil)
}

func TestSHA1SignsNothing(t *testing.T) {
	l := pkitest.New(t, pkitest.P256).Server(pkitest.P256)
	key, err := Leaf(l.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []wire.SignatureScheme{wire.SchemeRSAPKCS1SHA1, wire.SchemeECDSASHA1, 0x0101, 0x0301} {
		s := suite.SchemeByID(id)
		if proof, err := ServerKeyExchange(s, key, &keys.Randoms{}, nil, nil); proof != nil || !errors.Is(err, ErrScheme) {
			t.Errorf("%v: %v", id, err)
		}
		if proof, err := CertificateVerify12(s, key, []byte("messages"), nil); proof != nil || !errors.Is(err, ErrScheme) {
			t.Errorf("%v: %v", id, err)
		}
	}
}

func TestPSSParametersBindInTLS12Too(t *testing.T) {
	s := suite.SchemeByID(wire.SchemeRSAPSSPSSSHA256)
	fits := LeafKey{Kind: suite.KeyRSAPSS, pss: &cert.PSSParameters{Hash: crypto.SHA256, MGFHash: crypto.SHA256, SaltLength: 32}}
	other := LeafKey{Kind: suite.KeyRSAPSS, pss: &cert.PSSParameters{Hash: crypto.SHA384, MGFHash: crypto.SHA384, SaltLength: 48}}
	if !fits.FitsTLS12(s) || other.FitsTLS12(s) {
		t.Error("the parameters in the certificate are not looked at")
	}
	if fits.FitsTLS12(suite.SchemeByID(wire.SchemeRSAPKCS1SHA256)) {
		t.Error("a key bound to PSS signs with PKCS #1 v1.5")
	}
}

func TestFinishedOfTLS12IsProven(t *testing.T) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		th := bytes.Repeat([]byte{7}, h.Size())
		m := keys.NewPremaster12(h, []byte("shared")).Extended(th)
		for role, data := range map[Signer][]byte{ServerSigner: m.ServerFinished(th), ClientSigner: m.ClientFinished(th)} {
			if proof, err := Finished12(role, m, th, data); !proof.Holds() || err != nil {
				t.Errorf("%v: %v", h, err)
			}
			refused := func(what string, role Signer, m keys.Master12, th, got []byte) {
				t.Helper()
				if proof, err := Finished12(role, m, th, got); proof != nil || !errors.Is(err, ErrFinished) {
					t.Errorf("%v: %s: %v", h, what, err)
				}
			}
			refused("reflected", ServerSigner+ClientSigner-role, m, th, data)
			refused("nobody's", 0, m, th, data)
			refused("another session", role, keys.NewPremaster12(h, []byte("other")).Extended(th), th, data)
			refused("another transcript", role, m, th[1:], data)
			refused("nothing", role, m, th, nil)
			refused("too short", role, m, th, data[1:])
			refused("too long", role, m, th, append(bytes.Clone(data), 0))
			refused("no secret", role, keys.Master12{}, th, data)
			refused("no secret, no data", role, keys.Master12{}, th, nil)
			for i := range data {
				data[i] ^= 0x80
				refused("a changed byte", role, m, th, data)
				data[i] ^= 0x80
			}
		}
	}
}
