package pki

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsSurviveTheRoundTrip(t *testing.T) {
	_, inter := testCA(t, P256)
	for _, k := range []KeyType{RSA2048, P256, P384, P521, Ed25519} {
		key := newKey(t, k)
		der, err := CreateCSR(CSRRequest{Subject: pkix.Name{Organization: []string{"Org"}}, CommonName: "a.example", MustStaple: true,
			SANs: []string{"a.example", "*.b.example", "192.0.2.1", "2001:db8::1", "spiffe://td/x", "bob@a.example"}}, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range [][]byte{der, AppendCSRPEM(nil, der), AppendCSRPEM([]byte("# of Bob\n"), der)} {
			c, err := ParseCSR(form)
			if err != nil {
				t.Fatalf("%s: %v", k, err)
			}
			want := []string{"dns:a.example", "dns:*.b.example", "ip:192.0.2.1", "ip:2001:db8::1", "uri:spiffe://td/x", "email:bob@a.example"}
			if !cmp.Equal(c.SANs, want) || !c.MustStaple || len(c.Ignored) > 0 || Name(c.Subject) != "CN=a.example, O=Org" || !SameKey(c.Key, key.Public()) || !bytes.Equal(c.Raw, der) {
				t.Errorf("%s: %+v", k, c)
			}
			req, err := RequestFromCSR(c, ProfileServer)
			if err != nil {
				t.Fatal(err)
			}
			issued := mustIssue(t, inter, req)
			if !SameKey(issued.PublicKey, key.Public()) || len(issued.DNSNames) != 2 || Name(issued.Subject) != "CN=a.example, O=Org" {
				t.Errorf("%s: %v", k, issued.DNSNames)
			}
		}
	}
	if der, err := CreateCSR(CSRRequest{CommonName: "a"}, NewPSSKey(testRSA())); err != nil {
		t.Error(err)
	} else if c, err := ParseCSR(der); err != nil || c.Algorithm != x509.SHA256WithRSAPSS {
		t.Errorf("%v", err)
	}
}

func TestUnsoundCertificateRequestsAreNotMade(t *testing.T) {
	key := newKey(t, P256)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	var refused *RefusedError
	for name, f := range map[string]func() ([]byte, error){
		"weak key": func() ([]byte, error) { return CreateCSR(CSRRequest{CommonName: "a"}, weak) },
		"SHA-1": func() ([]byte, error) {
			return CreateCSR(CSRRequest{CommonName: "a", SignatureAlgorithm: x509.ECDSAWithSHA1}, key)
		},
		"other kind": func() ([]byte, error) {
			return CreateCSR(CSRRequest{CommonName: "a", SignatureAlgorithm: x509.PureEd25519}, key)
		},
		"no name":      func() ([]byte, error) { return CreateCSR(CSRRequest{}, key) },
		"bad name":     func() ([]byte, error) { return CreateCSR(CSRRequest{SANs: []string{"a b"}}, key) },
		"long name":    func() ([]byte, error) { return CreateCSR(CSRRequest{CommonName: strings.Repeat("x", 65)}, key) },
		"big wildcard": func() ([]byte, error) { return CreateCSR(CSRRequest{SANs: []string{"*.example"}}, key) },
	} {
		if _, err := f(); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := CreateCSR(CSRRequest{CommonName: "a"}, nil); err == nil {
		t.Error("a request without key")
	}
}

// libraryCSR makes a request with crypto/x509, which asks less questions.
func libraryCSR(t testing.TB, change func(*x509.CertificateRequest)) []byte {
	t.Helper()
	r := &x509.CertificateRequest{Subject: pkix.Name{CommonName: "a.example"}}
	change(r)
	der, err := x509.CreateCertificateRequest(rand.Reader, r, newKey(t, P256))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestWhatARequestAsksBeyondItsNamesIsReported(t *testing.T) {
	ext := func(id asn1.ObjectIdentifier, value ...byte) pkix.Extension {
		return pkix.Extension{Id: id, Value: value}
	}
	c, err := ParseCSR(libraryCSR(t, func(r *x509.CertificateRequest) {
		r.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "a@b.example"}}
		r.ExtraExtensions = []pkix.Extension{
			ext(asn1.ObjectIdentifier{2, 5, 29, 19}, 0x30, 3, 1, 1, 0xff), ext(asn1.ObjectIdentifier{2, 5, 29, 15}, 3, 2, 2, 4), ext(asn1.ObjectIdentifier{2, 5, 29, 37}, 0x30, 0),
			ext(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, 0x30, 3, 2, 1, 17), ext(asn1.ObjectIdentifier{1, 2, 3, 4}),
			ext(asn1.ObjectIdentifier{2, 5, 29, 17}, 0x30, 15, 0x82, 1, 'a', 0xa0, 10, 6, 3, 0x2a, 3, 4, 0xa0, 3, 12, 1, 'u'),
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"basic constraints", "key usage", "extended key usage", "a TLS feature other than must-staple", "extension 1.2.3.4",
		"subject alternative names of kinds that are not issued", "the subject's attribute emailAddress"}
	if !cmp.Equal(c.Ignored, want) || c.MustStaple || !cmp.Equal(c.SANs, []string{"dns:a"}) {
		t.Error(cmp.Diff(c.Ignored, want), c.SANs)
	}
	_, inter := testCA(t, P256)
	req, err := RequestFromCSR(c, ProfileServer)
	if err != nil {
		t.Fatal(err)
	}
	if issued := mustIssue(t, inter, req); issued.IsCA || issued.KeyUsage != x509.KeyUsageDigitalSignature || Name(issued.Subject) != "CN=a.example" {
		t.Errorf("the request decided what the profile decides: %+v", issued.Subject)
	}
}

func TestTheCommonNameOfABareRequestBecomesAName(t *testing.T) {
	for cn, want := range map[string][]string{"a.example": {"a.example"}, "192.0.2.1": {"192.0.2.1"}, "Alice Example": nil} {
		c, err := ParseCSR(libraryCSR(t, func(r *x509.CertificateRequest) { r.Subject.CommonName = cn }))
		if err != nil {
			t.Fatal(err)
		}
		if req, err := RequestFromCSR(c, ProfileServer); err != nil || !slices.Equal(req.SANs, want) {
			t.Errorf("%q: %v, %v", cn, req.SANs, err)
		}
		spec, err := BuiltinProfile(ProfilePeer)
		if err != nil {
			t.Fatal(err)
		}
		if req := c.Request(&spec); req.Spec != &spec || !slices.Equal(req.SANs, want) {
			t.Errorf("%q under a profile of one's own: %v", cn, req.SANs)
		}
		if req, err := RequestFromCSR(c, ProfileClient); err != nil || len(req.SANs) > 0 {
			t.Errorf("%q for a client: %v, %v", cn, req.SANs, err)
		}
	}
	if _, err := RequestFromCSR(nil, ProfileServer); err == nil {
		t.Error("a request of nothing")
	}
	if _, err := RequestFromCSR(&CSR{Key: newKey(t, P256).Public()}, "nobody"); err == nil {
		t.Error("a profile of nobody")
	}
}

func TestBadCertificateRequestsAreRefused(t *testing.T) {
	good := libraryCSR(t, func(*x509.CertificateRequest) {})
	forged := bytes.Clone(good)
	forged[bytes.Index(forged, []byte("a.example"))] = 'b'
	huge := &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 9000), big.NewInt(1)), E: 3}
	hugeSPKI, err := x509.MarshalPKIXPublicKey(huge)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.ParseCertificateRequest(good)
	if err != nil {
		t.Fatal(err)
	}
	hugeCSR := resize(t, bytes.Replace(good, spki.RawSubjectPublicKeyInfo, hugeSPKI, 1), len(hugeSPKI)-len(spki.RawSubjectPublicKeyInfo))
	many := libraryCSR(t, func(r *x509.CertificateRequest) {
		for range 1001 {
			r.IPAddresses = append(r.IPAddresses, net.IPv4(192, 0, 2, 1))
		}
	})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":       {nil, "no certificate request"},
		"text":          {[]byte("hello"), "no certificate request"},
		"forged":        {forged, "not that of its key"},
		"trailing":      {append(bytes.Clone(good), 0), "certificate request"},
		"truncated":     {good[:len(good)-1], "certificate request"},
		"huge":          {make([]byte, maxCSR+1), "more than the limit"},
		"two":           {AppendCSRPEM(AppendCSRPEM(nil, good), good), "more than one"},
		"a certificate": {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good}), "not a certificate request"},
		"huge key":      {hugeCSR, "larger than peers accept"},
		"1001 names":    {many, "more than 1000"},
		"odd names": {libraryCSR(t, func(r *x509.CertificateRequest) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 18}, Value: []byte{1}}, {Id: asn1.ObjectIdentifier{2, 5, 29, 18}, Value: []byte{1}}}
		}), "duplicate"},
	} {
		if _, err := ParseCSR(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// resize corrects the two outer lengths, both of two octets before and after.
func resize(t *testing.T, der []byte, by int) []byte {
	t.Helper()
	var outer, inner asn1.RawValue
	// Lengths of one octet (0x81) become those of two.
	header := func(b []byte) (head int, length int) {
		if b[1] < 0x80 {
			return 2, int(b[1])
		}
		if b[1] == 0x81 {
			return 3, int(b[2])
		}
		return 4, int(b[2])<<8 | int(b[3])
	}
	h1, n1 := header(der)
	h2, n2 := header(der[h1:])
	body := der[h1+h2 : h1+h2+n2+by]
	rest := der[h1+h2+n2+by:]
	inner = asn1.RawValue{Tag: 16, IsCompound: true, Bytes: body}
	first, err := asn1.Marshal(inner)
	if err != nil {
		t.Fatal(err)
	}
	outer = asn1.RawValue{Tag: 16, IsCompound: true, Bytes: append(first, rest...)}
	out, err := asn1.Marshal(outer)
	if err != nil || n1 == 0 {
		t.Fatal(err)
	}
	return out
}

func FuzzCSR(f *testing.F) {
	f.Add(libraryCSR(f, func(r *x509.CertificateRequest) { r.DNSNames = []string{"a.example"} }))
	f.Add(AppendCSRPEM(nil, libraryCSR(f, func(r *x509.CertificateRequest) { r.EmailAddresses = []string{"a@b.example"} })))
	root, _ := testCA(f, Ed25519)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCSR(data)
		if err != nil {
			return
		}
		for _, s := range c.Ignored {
			if Printable(s) != s {
				t.Errorf("%q is not fit to print", s)
			}
		}
		for _, p := range []Profile{ProfileServer, ProfileEmail, ProfileClient} {
			req, err := RequestFromCSR(c, p)
			if err != nil {
				t.Fatal(err)
			}
			var refused *RefusedError
			issued, err := root.Issue(req, testNow)
			if err != nil && !errors.As(err, &refused) {
				t.Fatalf("our check let pass what cannot be issued: %v", err)
			}
			if err == nil && issued.IsCA {
				t.Fatal("a CA by request")
			}
		}
	})
}
