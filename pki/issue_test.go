package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testNow is the present of these tests.
var testNow = time.Date(2026, 1, 21, 12, 0, 0, 0, time.UTC)

func mustSelfSign(t testing.TB, req Request, key crypto.Signer) *x509.Certificate {
	t.Helper()
	c, err := SelfSign(req, key, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustIssue(t testing.TB, i Issuer, req Request) *x509.Certificate {
	t.Helper()
	c, err := i.Issue(req, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// testCA is a root and an intermediate, valid from two years before testNow.
func testCA(t testing.TB, k KeyType) (root, inter Issuer) {
	t.Helper()
	start := testNow.Add(-730 * day)
	root.Key = newKey(t, k)
	root.Certificate = mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "Test Root", NotBefore: start}, root.Key)
	inter.Key = newKey(t, P256)
	inter.Certificate = mustIssue(t, root, Request{Profile: ProfileIntermediate, CommonName: "Test Intermediate", Key: inter.Key.Public(), NotBefore: start})
	return root, inter
}

func TestProfilesCarryWhatTheirUseNeeds(t *testing.T) {
	root, inter := testCA(t, P256)
	key := newKey(t, P256).Public()
	server := mustIssue(t, inter, Request{Profile: ProfileServer, SANs: []string{"a.example"}, Key: key})
	client := mustIssue(t, inter, Request{Profile: ProfileClient, CommonName: "alice", Key: key})
	peer := mustIssue(t, inter, Request{Profile: ProfilePeer, SANs: []string{"a.example"}, Key: key})
	caUsage := x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	for name, c := range map[string]struct {
		cert     *x509.Certificate
		ca       bool
		pathLen  int
		usage    x509.KeyUsage
		extended []x509.ExtKeyUsage
		lifetime time.Duration
	}{
		"root":         {root.Certificate, true, -1, caUsage, nil, 3650 * day},
		"intermediate": {inter.Certificate, true, 0, caUsage, nil, 1825 * day},
		"server":       {server, false, -1, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, 90 * day},
		"client":       {client, false, -1, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, 90 * day},
		"peer":         {peer, false, -1, x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, 90 * day},
	} {
		if c.cert.Version != 3 || !c.cert.BasicConstraintsValid || c.cert.IsCA != c.ca {
			t.Errorf("%s: version %d, basic constraints %v, CA %v", name, c.cert.Version, c.cert.BasicConstraintsValid, c.cert.IsCA)
		}
		if c.cert.MaxPathLen != c.pathLen {
			t.Errorf("%s: path length %d, want %d", name, c.cert.MaxPathLen, c.pathLen)
		}
		if c.cert.KeyUsage != c.usage || !cmp.Equal(c.cert.ExtKeyUsage, c.extended) {
			t.Errorf("%s: key usage %b, extended %v", name, c.cert.KeyUsage, c.cert.ExtKeyUsage)
		}
		// Both ends belong to the period (RFC 5280, Section 4.1.2.5).
		if got := c.cert.NotAfter.Sub(c.cert.NotBefore) + time.Second; got != c.lifetime {
			t.Errorf("%s: lifetime %v, want %v", name, got, c.lifetime)
		}
	}
	if got := testNow.Sub(server.NotBefore); got != Backdate {
		t.Errorf("the leaf starts %v before now, not %v", got, Backdate)
	}
	for _, e := range root.Certificate.Extensions {
		if id := e.Id.String(); (id == "2.5.29.15" || id == "2.5.29.19") && !e.Critical {
			t.Errorf("extension %s of the root is not critical", id)
		}
	}
}

func TestSerialsArePositiveAndOf128RandomBits(t *testing.T) {
	_, inter := testCA(t, P256)
	key := newKey(t, P256).Public()
	seen := make(map[string]bool)
	ored := new(big.Int)
	for range 64 {
		n := mustIssue(t, inter, Request{Profile: ProfileClient, CommonName: "a", Key: key}).SerialNumber
		if n.Sign() <= 0 || n.BitLen() > 128 {
			t.Fatalf("serial %x", n)
		}
		if seen[n.String()] {
			t.Fatalf("serial %x came twice", n)
		}
		seen[n.String()] = true
		ored.Or(ored, n)
	}
	// Each bit stays 0 in 64 draws with probability 2^-64.
	if want := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)); ored.Cmp(want) != 0 {
		t.Errorf("some of the 128 bits never vary: %x", ored)
	}
}

func TestKeyIdentifiersLinkTheChainWithoutSHA1(t *testing.T) {
	root, inter := testCA(t, P256)
	leaf := mustIssue(t, inter, Request{Profile: ProfileClient, CommonName: "a", Key: newKey(t, Ed25519).Public()})
	if !bytes.Equal(leaf.AuthorityKeyId, inter.Certificate.SubjectKeyId) || !bytes.Equal(inter.Certificate.AuthorityKeyId, root.Certificate.SubjectKeyId) {
		t.Error("authority key identifiers do not name the issuer's key")
	}
	raw, err := inter.Key.Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(raw); !bytes.Equal(inter.Certificate.SubjectKeyId, sum[:20]) {
		t.Error("the subject key identifier is not that of RFC 7093")
	}
	bare := *inter.Certificate
	bare.SubjectKeyId = nil
	leaf = mustIssue(t, Issuer{Certificate: &bare, Key: inter.Key}, Request{Profile: ProfileClient, CommonName: "a", Key: newKey(t, P256).Public()})
	if !bytes.Equal(leaf.AuthorityKeyId, inter.Certificate.SubjectKeyId) {
		t.Error("under an issuer without key identifier there is none that fits")
	}
}

func TestSANsAreSortedByTheirForm(t *testing.T) {
	_, inter := testCA(t, P256)
	c := mustIssue(t, inter, Request{Profile: ProfileServer, Key: newKey(t, P256).Public(), SANs: []string{
		"a.example", "B.Example.", "*.c.example", "xn--mller-kva.example", "_dmarc.example", "192.0.2.1", "::1", "[2001:db8::1]",
		"::ffff:192.0.2.2", "spiffe://td/service", "urn:uuid:1", "alice@example.org", "dns:d.example", "IP:192.0.2.3", "email:bob@example.org", "uri:https://e.example/",
	}})
	if want := []string{"a.example", "b.example", "*.c.example", "xn--mller-kva.example", "_dmarc.example", "d.example"}; !cmp.Equal(c.DNSNames, want) {
		t.Error(cmp.Diff(c.DNSNames, want))
	}
	var ips, uris []string
	for _, ip := range c.IPAddresses {
		ips = append(ips, ip.String())
	}
	for _, u := range c.URIs {
		uris = append(uris, u.String())
	}
	if want := []string{"192.0.2.1", "::1", "2001:db8::1", "192.0.2.2", "192.0.2.3"}; !cmp.Equal(ips, want) {
		t.Error(cmp.Diff(ips, want))
	}
	if want := []string{"spiffe://td/service", "urn:uuid:1", "https://e.example/"}; !cmp.Equal(uris, want) {
		t.Error(cmp.Diff(uris, want))
	}
	if want := []string{"alice@example.org", "bob@example.org"}; !cmp.Equal(c.EmailAddresses, want) {
		t.Error(cmp.Diff(c.EmailAddresses, want))
	}
}

func TestImpossibleSANsAreRefused(t *testing.T) {
	_, inter := testCA(t, P256)
	key := newKey(t, P256).Public()
	for _, san := range []string{
		"", " ", "a..example", ".example", "-a.example", "a-.example", "a b.example", "*", "a.*.example", "*a.example", "a*.example", "müller.example",
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "example", "a.example\x00.evil", "ip:a.example", "fe80::1%eth0", "ip:fe80::1%eth0",
		"uri:/relative", "https://müller.example/", "https://a.example./", "@example.org", "alice@", "alice@*.example", "al ice@example.org", "Alice <alice@example.org>", "email:alice", "dns:", "dns:192.0.2.1", "a.example:443", "a/b",
	} {
		var refused *RefusedError
		if _, err := inter.Issue(Request{Profile: ProfileServer, Key: key, SANs: []string{san}}, testNow); !errors.As(err, &refused) {
			t.Errorf("%q: %v", san, err)
		} else if Printable(refused.Reason) != refused.Reason {
			t.Errorf("%q: the reason is not fit to print", san)
		}
	}
}

func FuzzSAN(f *testing.F) {
	root, _ := testCA(f, Ed25519) // whose signatures take always the same path through the code
	key := newKey(f, Ed25519).Public()
	for _, s := range []string{"a.example", "192.0.2.1", "spiffe://td/service", "alice@example.org", "*.a.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, san string) {
		var refused *RefusedError
		c, err := root.Issue(Request{Profile: ProfileServer, Key: key, CommonName: "x", SANs: []string{san}}, testNow)
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("%q passed our check, but not the library: %v", san, err)
		}
		if err == nil && len(certificateNames(c)) != 1 {
			t.Fatalf("%q gave the names %q", san, certificateNames(c))
		}
	})
}

func TestUnsoundRequestsAreRefusedWithTheirReason(t *testing.T) {
	root, inter := testCA(t, P256)
	key := newKey(t, P256)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leafIssuer := Issuer{Certificate: mustIssue(t, inter, Request{Profile: ProfileClient, CommonName: "a", Key: key.Public()}), Key: key}
	expired := Issuer{Certificate: mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "Old", NotBefore: testNow.Add(-10 * day), Lifetime: 9 * day}, key), Key: key}
	future := Issuer{Certificate: mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "New", NotBefore: testNow.Add(day)}, key), Key: key}
	one, zero := 1, 0
	client := func(change func(*Request)) Request {
		r := Request{Profile: ProfileClient, CommonName: "alice", Key: key.Public()}
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		issuer Issuer
		req    Request
		reason string
		hint   string
	}{
		"server without names":      {inter, Request{Profile: ProfileServer, Key: key.Public()}, "needs a subject alternative name", "--san"},
		"common name only":          {inter, Request{Profile: ProfileServer, CommonName: "a.example", Key: key.Public()}, "clients ignore the common name", "--san a.example"},
		"peer without names":        {inter, Request{Profile: ProfilePeer, CommonName: "a.example", Key: key.Public()}, "clients ignore", "--san"},
		"nobody":                    {inter, client(func(r *Request) { r.CommonName = "" }), "nobody", "common name"},
		"common name of 65":         {inter, client(func(r *Request) { r.CommonName = strings.Repeat("é", 65) }), "64 characters", "subject alternative"},
		"RSA 1024":                  {inter, client(func(r *Request) { r.Key = &weak.PublicKey }), "1024 bits is too short", "rsa2048"},
		"huge RSA":                  {inter, client(func(r *Request) { r.Key = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 9000), E: 3} }), "larger than peers accept", "rsa4096"},
		"RSA exponent 1":            {inter, client(func(r *Request) { r.Key = &rsa.PublicKey{N: testRSA().N, E: 1} }), "exponent 1", ""},
		"P-224":                     {inter, client(func(r *Request) { r.Key = &p224.PublicKey }), "P-224", "p256"},
		"key of no kind":            {inter, client(func(r *Request) { r.Key = "key" }), "cannot be certified", ""},
		"399 days":                  {inter, client(func(r *Request) { r.Lifetime = 399 * day }), "399 days", "fewer days"},
		"negative lifetime":         {inter, client(func(r *Request) { r.Lifetime = -day }), "too short", ""},
		"year 10000":                {inter, client(func(r *Request) { r.NotBefore = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }), "cannot be written", ""},
		"SHA-1":                     {inter, client(func(r *Request) { r.SignatureAlgorithm = x509.ECDSAWithSHA1 }), "ECDSA-SHA1", "SHA-256"},
		"MD5":                       {inter, client(func(r *Request) { r.SignatureAlgorithm = x509.MD5WithRSA }), "MD5-RSA", "SHA-256"},
		"beyond the issuer":         {inter, client(func(r *Request) { r.Lifetime, r.AllowLong = 2000*day, true }), "after that of the issuer", "1095 days"},
		"before the issuer":         {inter, client(func(r *Request) { r.NotBefore = testNow.Add(-800 * day) }), "before that of the issuer", ""},
		"a root from an issuer":     {inter, Request{Profile: ProfileRoot, CommonName: "R", Key: key.Public()}, "signed by its own key", "intermediate"},
		"a CA below path length 0":  {inter, Request{Profile: ProfileIntermediate, CommonName: "I", Key: key.Public()}, "no further CA", ""},
		"an issuer that is no CA":   {leafIssuer, client(func(*Request) {}), "not a CA", "root or an intermediate"},
		"an expired issuer":         {expired, client(func(*Request) {}), "expired on 2026-01-20", "renew"},
		"an issuer of tomorrow":     {future, client(func(*Request) {}), "not valid before", "clock"},
		"another key than issuer's": {Issuer{Certificate: inter.Certificate, Key: key}, client(func(*Request) {}), "does not belong", ""},
		"the issuer's own key":      {inter, client(func(r *Request) { r.Key = inter.Key.Public() }), "issuer's own key", "make a key"},
		"the issuer's own name":     {root, Request{Profile: ProfileIntermediate, CommonName: "Test Root", Key: key.Public()}, "look self-signed", "another common name"},
		"CA without name":           {root, Request{Profile: ProfileIntermediate, Key: key.Public()}, "needs a name", "common name"},
	} {
		_, err := c.issuer.Issue(c.req, testNow)
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.reason) || !strings.Contains(refused.Hint, c.hint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	limited := Issuer{Key: root.Key, Certificate: mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "L", PathLen: &one}, root.Key)}
	if _, err := limited.Issue(Request{Profile: ProfileIntermediate, CommonName: "I", Key: key.Public(), PathLen: &one}, testNow); err == nil {
		t.Error("a path length as large as the issuer's was accepted")
	}
	mustIssue(t, limited, Request{Profile: ProfileIntermediate, CommonName: "I", Key: key.Public(), PathLen: &zero})
	mustIssue(t, inter, client(func(r *Request) { r.Lifetime = 398 * day }))
	mustIssue(t, inter, client(func(r *Request) { r.Lifetime, r.AllowLong = 500*day, true }))
}

// TestShortLivesAreNotBackdatedAway: what lives for minutes is good for most of them.
func TestShortLivesAreNotBackdatedAway(t *testing.T) {
	_, inter := testCA(t, P256)
	key := newKey(t, P256)
	for lifetime, want := range map[time.Duration]time.Duration{4 * time.Minute: 20 * time.Second, 5 * time.Minute: 25 * time.Second, time.Hour: Backdate, 2 * time.Hour: Backdate} {
		c := mustIssue(t, inter, Request{Profile: ProfileServer, SANs: []string{"a.test"}, Key: key.Public(), Lifetime: lifetime})
		if got := testNow.Sub(c.NotBefore); got != want {
			t.Errorf("%v: starts %v before now, not %v", lifetime, got, want)
		}
	}
}

func TestMisusedIssuingIsAnError(t *testing.T) {
	_, inter := testCA(t, P256)
	key := newKey(t, P256)
	req := Request{Profile: ProfileClient, CommonName: "a", Key: key.Public()}
	for name, err := range map[string]error{
		"no time":         second(inter.Issue(req, time.Time{})),
		"no key":          second(inter.Issue(Request{Profile: ProfileClient, CommonName: "a"}, testNow)),
		"no issuer":       second(Issuer{}.Issue(req, testNow)),
		"unknown profile": second(inter.Issue(Request{Profile: "x", CommonName: "a", Key: key.Public()}, testNow)),
		"no signer":       second(SelfSign(req, nil, testNow)),
		"foreign key":     second(SelfSign(req, inter.Key, testNow)),
		"self-signed intermediate": second(SelfSign(
			Request{Profile: ProfileIntermediate, CommonName: "I"}, key, testNow)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func second(_ *x509.Certificate, err error) error { return err }

func TestDefaultLifetimeEndsWithTheIssuer(t *testing.T) {
	key := newKey(t, P256)
	short := Issuer{Key: key, Certificate: mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "Short", Lifetime: 10 * day}, key)}
	c := mustIssue(t, short, Request{Profile: ProfileClient, CommonName: "a", Key: newKey(t, P256).Public()})
	if !c.NotAfter.Equal(short.Certificate.NotAfter) || c.NotBefore.Before(short.Certificate.NotBefore) {
		t.Errorf("%v to %v", c.NotBefore, c.NotAfter)
	}
}

func TestEveryIssuerKeyMakesSignaturesTheLibraryAccepts(t *testing.T) {
	for _, k := range []KeyType{RSA2048, P256, P384, P521, Ed25519} {
		key := newKey(t, k)
		i := Issuer{Key: key, Certificate: mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "R"}, key)}
		c := mustIssue(t, i, Request{Profile: ProfileClient, CommonName: "a", Key: newKey(t, P256).Public()})
		if err := c.CheckSignatureFrom(i.Certificate); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	key := NewPSSKey(testRSA())
	if c := mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "R"}, key); c.SignatureAlgorithm != x509.SHA256WithRSAPSS {
		t.Errorf("a restricted key signs with %v", c.SignatureAlgorithm)
	}
}

func TestEmptySubjectMakesTheNamesCritical(t *testing.T) {
	_, inter := testCA(t, P256)
	c := mustIssue(t, inter, Request{Profile: ProfileServer, SANs: []string{"a.example"}, Key: newKey(t, P256).Public()})
	for _, e := range c.Extensions {
		// RFC 5280, Section 4.1.2.6: with an empty subject the subjectAltName MUST be critical.
		if e.Id.String() == "2.5.29.17" && !e.Critical {
			t.Error("subjectAltName is not critical")
		}
	}
	c = mustIssue(t, inter, Request{Profile: ProfileServer, Subject: pkix.Name{Organization: []string{"O"}}, CommonName: "a", SANs: []string{"a.example"}, Key: newKey(t, P256).Public()})
	if got := Name(c.Subject); got != "CN=a, O=O" {
		t.Error(got)
	}
}

func TestASelfSignedLeafIsCalledByItsFirstName(t *testing.T) {
	long := strings.Repeat("a.", 40) + "example"
	for _, c := range []struct {
		sans []string
		want string
	}{
		{[]string{"a.example", "b.example", "192.0.2.1"}, "CN=a.example"},
		{[]string{"192.0.2.1", "2001:db8::1"}, "CN=192.0.2.1"},
		{[]string{long, "uri:spiffe://a.example/b"}, "CN=spiffe://a.example/b"},
		{[]string{long}, "CN=self-signed"},
	} {
		got := mustSelfSign(t, Request{Profile: ProfilePeer, SANs: c.sans}, newKey(t, P256))
		// RFC 5280, Section 4.1.2.4: the issuer field MUST contain a non-empty distinguished name.
		if Name(got.Subject) != c.want || Name(got.Issuer) != c.want {
			t.Errorf("%q: subject %q, issuer %q; %q is wanted", c.sans, Name(got.Subject), Name(got.Issuer), c.want)
		}
	}
}
