package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// sameAsLibrary encodes the template with our encoder and with crypto/x509's and
// compares what is signed. The parent is nil for a certificate that signs itself.
func sameAsLibrary(t *testing.T, what string, template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	if own, err := encodeKey(pub); err != nil || !bytes.Equal(own, spki) {
		t.Fatalf("%s: the key is %x, not %x (%v)", what, own, spki, err)
	}
	subject, err := encodeName(template.Subject)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	issuer := subject
	if parent == nil {
		parent = template
	} else {
		issuer = parent.RawSubject
	}
	algorithm, err := signatureAlgorithmFor(key.Public(), template.SignatureAlgorithm)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	ours, err := encodeTBS(template, algorithm.identifier, issuer, subject, spki)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		t.Fatalf("%s: the library: %v", what, err)
	}
	var theirs struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &theirs); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours, theirs.TBS.FullBytes) {
		t.Fatalf("%s:\nours   %x\ntheirs %x", what, ours, theirs.TBS.FullBytes)
	}
	if !bytes.Equal(algorithm.identifier, theirs.Algorithm.FullBytes) {
		t.Fatalf("%s: algorithm\nours   %x\ntheirs %x", what, algorithm.identifier, theirs.Algorithm.FullBytes)
	}
	whole, err := joinCertificate(ours, algorithm.identifier, theirs.Signature.Bytes)
	if err != nil || !bytes.Equal(whole, der) {
		t.Fatalf("%s: the whole differs (%v)", what, err)
	}
}

// allSANs has every form of name.
func allSANs() []string {
	return []string{"a.example", "*.c.example", "xn--mller-kva.example", "192.0.2.1", "::1", "2001:db8::1", "::ffff:192.0.2.2",
		"spiffe://td/service", "urn:uuid:1", "https://e.example/a?b=c%20d", "email:bob@example.org"}
}

func TestOurEncoderEqualsTheLibraryForEveryProfileAndKey(t *testing.T) {
	root, inter := testCA(t, P256)
	constraints := &NameConstraints{PermittedDNS: []string{"example"}, ExcludedIP: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	for _, p := range Profiles() {
		for _, k := range []KeyType{RSA2048, P256, P384, P521, Ed25519} {
			key := newKey(t, k)
			for name, change := range map[string]func(*Request){
				"plain":       func(*Request) {},
				"no subject":  func(r *Request) { r.CommonName = "" },
				"unicode":     func(r *Request) { r.CommonName = "Grüße & mehr" },
				"long":        func(r *Request) { r.Subject, r.CommonName = fullName(), "" },
				"after 2049":  func(r *Request) { r.NotBefore, r.Lifetime = time.Date(2049, 12, 31, 23, 0, 0, 0, time.UTC), 2*day },
				"path length": func(r *Request) { r.PathLen = new(int); *r.PathLen = 3 },
				"services": func(r *Request) {
					r.CRLDistributionPoints = []string{"http://ca.example/a.crl", "http://ca.example/b.crl"}
					r.OCSPServers, r.IssuingCertificateURLs = []string{"http://ocsp.example"}, []string{"http://ca.example/ca.der"}
					r.Policies = []x509.OID{mustOID(t, "2.23.140.1.2.1"), mustOID(t, "1.3.6.1.4.1.99999.4294967296.1")}
				},
				"small serial": func(r *Request) { r.Serial = big.NewInt(1) },
				"staple":       func(r *Request) { r.MustStaple = true },
				"constraints":  func(r *Request) { r.NameConstraints = constraints },
			} {
				req := Request{Profile: p, CommonName: "Some Name", SANs: allSANs(), Key: key.Public()}
				if p == ProfileEmail {
					req.SANs = []string{"bob@example.org"}
				} else if p != ProfileServer && p != ProfilePeer {
					req.SANs = append(req.SANs[:1], req.SANs[2:]...)
				}
				change(&req)
				spec, err := req.spec()
				if err != nil {
					t.Fatal(err)
				}
				what := string(p) + " " + string(k) + " " + name
				template, _, err := newTemplate(spec, req, testNow)
				var refused *RefusedError
				if errors.As(err, &refused) {
					continue // a leaf with constraints, a CA without name
				} else if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				sameAsLibrary(t, what+", self-signed", template, nil, req.Key, key)
				for _, issuer := range []Issuer{root, inter} {
					under := *template
					under.AuthorityKeyId = issuer.Certificate.SubjectKeyId
					sameAsLibrary(t, what, &under, issuer.Certificate, req.Key, issuer.Key)
				}
			}
		}
	}
}

func fullName() pkix.Name {
	return pkix.Name{
		Country: []string{"DE"}, Province: []string{"Hessen", "Bayern", "A"}, Locality: []string{"Köln"}, StreetAddress: []string{"Weg 1"},
		PostalCode: []string{"12345"}, Organization: []string{"Zeta", "Alpha*", "a@b"}, OrganizationalUnit: []string{"U1", "U2"}, CommonName: "c_n", SerialNumber: "7",
		ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "a@b.example"},
			{Type: asn1.ObjectIdentifier{2, 5, 4, 99}, Value: 7},
		},
	}
}

func mustOID(t testing.TB, s string) x509.OID {
	t.Helper()
	id, err := x509.ParseOID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestOurEncoderEqualsTheLibraryForEveryAlgorithm(t *testing.T) {
	for a := x509.SHA256WithRSA; a <= x509.PureEd25519; a++ {
		for _, k := range []KeyType{RSA2048, P256, P384, Ed25519} {
			key := newKey(t, k)
			template := &x509.Certificate{SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "a"}, NotBefore: testNow, NotAfter: testNow.Add(day), SignatureAlgorithm: a}
			if _, err := signatureAlgorithmFor(key.Public(), a); err != nil {
				if _, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err == nil && checkSignatureAlgorithm(a) == nil {
					t.Errorf("%v with %s is refused, but possible", a, k)
				}
				continue
			}
			// The library writes no extensions where there are none; we always have some.
			template.BasicConstraintsValid = true
			sameAsLibrary(t, a.String()+" "+string(k), template, nil, key.Public(), key)
		}
	}
}

// TestOurEncoderEqualsTheLibraryForRandomTemplates draws templates that no profile
// has.
func TestOurEncoderEqualsTheLibraryForRandomTemplates(t *testing.T) {
	key := newKey(t, Ed25519)
	for seed := range uint64(2000) {
		r := mrand.New(mrand.NewPCG(seed, 1))
		sameAsLibrary(t, "seed", randomTemplate(t, r), nil, key.Public(), key)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func randomTemplate(t *testing.T, r *mrand.Rand) *x509.Certificate {
	alphabet := []string{"a", "B", "7", " ", "*", "&", "@", "é", "日", "_", "'", "?", "\n", "-"}
	text := func() string {
		var b strings.Builder
		for range 1 + r.IntN(70) {
			b.WriteString(alphabet[r.IntN(len(alphabet))])
		}
		return b.String()
	}
	some := func(n int, f func() string) (list []string) {
		for range r.IntN(n) {
			list = append(list, f())
		}
		return list
	}
	host := func() string { return strings.Repeat("a", r.IntN(60)) + ".example" }
	link := func() string { return "http://h.example/" + strings.Repeat("p", r.IntN(200)) }
	b := make([]byte, 1+r.IntN(19))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	c := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(b),
		Subject: pkix.Name{Country: some(2, text), Organization: some(4, text), OrganizationalUnit: some(3, text), Locality: some(2, text),
			Province: some(3, text), StreetAddress: some(2, text), PostalCode: some(2, text), SerialNumber: strings.Join(some(2, text), "")},
		NotBefore: time.Unix(r.Int64N(4e9)-6e8, 0), NotAfter: time.Unix(r.Int64N(9e9), 0),
		KeyUsage:              x509.KeyUsage(r.IntN(512)),
		BasicConstraintsValid: r.IntN(2) == 0,
		MaxPathLen:            -1,
		SubjectKeyId:          b,
		AuthorityKeyId:        b[:r.IntN(len(b))],
		DNSNames:              some(5, host), EmailAddresses: some(3, func() string { return "a@" + host() }),
		OCSPServer: some(3, link), IssuingCertificateURL: some(3, link), CRLDistributionPoints: some(3, link),
	}
	if c.IsCA = c.BasicConstraintsValid && r.IntN(2) == 0; c.IsCA {
		c.MaxPathLen = r.IntN(300) - 1
		c.MaxPathLenZero = c.MaxPathLen == 0
	}
	for range r.IntN(6) {
		c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsage(r.IntN(int(x509.ExtKeyUsageMicrosoftKernelCodeSigning)+1)))
	}
	for range r.IntN(3) {
		c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, asn1.ObjectIdentifier{2, r.IntN(2000), r.IntN(1 << 30)})
		c.Policies = append(c.Policies, mustOID(t, "1.3.6.1.4.1."+new(big.Int).SetBytes(b).String()))
		c.IPAddresses = append(c.IPAddresses, net.IP(b).To16(), net.IPv4(192, 0, 2, byte(r.IntN(256))))
		u, err := url.Parse(link())
		if err != nil {
			t.Fatal(err)
		}
		c.URIs = append(c.URIs, u)
	}
	for i := 0; i < len(c.IPAddresses); {
		if c.IPAddresses[i] == nil {
			c.IPAddresses = append(c.IPAddresses[:i], c.IPAddresses[i+1:]...)
			continue
		}
		i++
	}
	for _, id := range []asn1.ObjectIdentifier{{2, 5, 29, 15}, {2, 5, 29, 37}, {2, 5, 29, 17}, {1, 3, 6, 1, 5, 5, 7, 1, 1}, {2, 5, 29, 56}} {
		if r.IntN(8) == 0 {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: r.IntN(2) == 0, Value: []byte{5, 0}})
		}
	}
	return c
}

func TestDraftsAreSignedAsTheyWereShown(t *testing.T) {
	_, inter := testCA(t, P256)
	for _, k := range []KeyType{RSA2048, P256, P384, P521, Ed25519} {
		d, err := inter.Draft(Request{Profile: ProfileServer, SANs: []string{"a.example"}, Key: newKey(t, k).Public()}, testNow)
		if err != nil {
			t.Fatal(err)
		}
		shown := d.Certificate()
		if len(shown.Signature) != 0 || d.Serial().Cmp(shown.SerialNumber) != 0 {
			t.Errorf("%s: a draft with signature %x", k, shown.Signature)
		}
		c, err := d.Sign(inter.Key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.RawTBSCertificate, shown.RawTBSCertificate) || !bytes.Contains(c.Raw, shown.RawTBSCertificate) {
			t.Errorf("%s: what was signed is not what was shown", k)
		}
		again, err := x509.ParseCertificate(c.Raw)
		if err != nil || !again.Equal(c) || !bytes.Equal(again.Signature, c.Signature) || again.CheckSignatureFrom(inter.Certificate) != nil {
			t.Errorf("%s: read back: %v", k, err)
		}
	}
	d, err := inter.Draft(Request{Profile: ProfileClient, CommonName: "a", Key: newKey(t, P256).Public()}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Sign(newKey(t, P256)); err == nil {
		t.Error("a stranger's key signed")
	}
	if _, err := d.Sign(nil); err == nil {
		t.Error("no key signed")
	}
	if _, err := d.Sign(liar{inter.Key}); err == nil || !strings.Contains(err.Error(), "invalid") {
		t.Errorf("a signer that errs: %v", err)
	}
}

// liar is a signer that signs something else than it was given.
type liar struct{ crypto.Signer }

func (l liar) SignMessage(_ io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return crypto.SignMessage(l.Signer, rand.Reader, append([]byte("x"), msg...), opts)
}

// BenchmarkIssue measures the library's CreateCertificate and our way in turns, so
// that both see the same machine, and compares medians, which other programs on it
// do not disturb: read the ratio, not the times.
func BenchmarkIssue(b *testing.B) {
	for _, k := range []KeyType{P256, Ed25519, RSA2048} {
		root, _ := testCA(b, k)
		leaf := newKey(b, P256).Public()
		req := Request{Profile: ProfileServer, SANs: []string{"a.example", "b.example"}, Key: leaf}
		spec, err := req.spec()
		if err != nil {
			b.Fatal(err)
		}
		template, _, err := newTemplate(spec, req, testNow)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(k), func(b *testing.B) {
			var library, ours []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := x509.CreateCertificate(rand.Reader, template, root.Certificate, leaf, root.Key); err != nil {
					b.Fatal(err)
				}
				made := time.Now()
				if _, err := root.Issue(req, testNow); err != nil {
					b.Fatal(err)
				}
				library, ours = append(library, made.Sub(start)), append(ours, time.Since(made))
			}
			b.ReportMetric(median(ours)/median(library), "ours/library")
		})
	}
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2])
}
