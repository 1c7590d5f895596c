package pki_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
)

const day = 24 * time.Hour

// options judge as a peer that trusts ca does.
func options(ca *pkitest.CA, l *pkitest.Leaf) pki.VerifyOptions {
	return pki.VerifyOptions{Roots: ca.Roots(), Intermediates: l.Chain[1:], Time: ca.Now}
}

// refusal is the VerifyError that verification must end in.
func refusal(t *testing.T, leaf []byte, o pki.VerifyOptions) *pki.VerifyError {
	t.Helper()
	chain, err := pki.Verify(leaf, o)
	var verr *pki.VerifyError
	if !errors.As(err, &verr) {
		t.Fatalf("chain %v, error %v", chain, err)
	}
	if verr.Text == "" || pki.Printable(verr.Text) != verr.Text || strings.HasSuffix(verr.Text, ".") {
		t.Errorf("text %q", verr.Text)
	}
	return verr
}

// expect checks reason, words of the text and of the hint.
func expect(t *testing.T, what string, e *pki.VerifyError, r pki.Reason, text, hint string) {
	t.Helper()
	if e.Reason != r || !strings.Contains(e.Text, text) || !strings.Contains(e.Hint, hint) {
		t.Errorf("%s: reason %v, text %q, hint %q", what, e.Reason, e.Text, e.Hint)
	}
}

func TestTrustedChainsAreReturnedLeafFirst(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	o := options(ca, l)
	o.ServerName = "localhost"
	chain, err := pki.Verify(l.Chain[0], o)
	if err != nil {
		t.Fatal(err)
	}
	if len(chain.Certificates) != 3 || !chain.Certificates[0].Equal(l.Certificate) || !chain.Root.Equal(ca.Root) {
		t.Errorf("%d certificates, root %v", len(chain.Certificates), chain.Root.Subject)
	}
}

func TestNeedlessCertificatesDoNoHarm(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	other := pkitest.New(t, pkitest.Ed25519)
	o := options(ca, l)
	o.Intermediates = [][]byte{other.Intermediate.Raw, []byte("junk"), ca.Root.Raw, l.Chain[0], ca.Intermediate.Raw, ca.Intermediate.Raw}
	if _, err := pki.Verify(l.Chain[0], o); err != nil {
		t.Error(err)
	}
}

func TestRSAPSSKeysVerify(t *testing.T) {
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		l := ca.Server(pkitest.RSAPSS, "pss.example")
		if l.Certificate.PublicKey != nil {
			t.Fatal("the library reads id-RSASSA-PSS keys now: simplify")
		}
		o := options(ca, l)
		o.ServerName = "pss.example"
		if _, err := pki.Verify(l.Chain[0], o); err != nil {
			t.Errorf("under a %s CA: %v", k, err)
		}
		o.Roots = pkitest.New(t, k).Roots()
		expect(t, "stranger", refusal(t, l.Chain[0], o), pki.ReasonUnknownAuthority, "unknown authority", "--ca")
		broken := bytes.Clone(l.Chain[0])
		broken[len(broken)-1] ^= 1
		o = options(ca, l)
		if e := refusal(t, broken, o); e.Reason != pki.ReasonSignature {
			t.Errorf("broken signature: %v", e)
		}
	}
}

func TestDatesAreExplained(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	at := func(when time.Time) *pki.VerifyError {
		o := options(ca, l)
		o.Time = when
		return refusal(t, l.Chain[0], o)
	}
	end, start := l.Certificate.NotAfter, l.Certificate.NotBefore
	expired := "the certificate expired on " + end.Format("2006-01-02") + " "
	for _, c := range []struct {
		after time.Duration
		want  string
	}{
		{time.Second, "(1 second ago)"}, {59 * time.Second, "(59 seconds ago)"}, {5 * time.Minute, "(5 minutes ago)"},
		{30 * time.Hour, "(30 hours ago)"}, {19 * day, "(19 days ago)"}, {730 * day, "(2 years ago)"},
	} {
		expect(t, c.want, at(end.Add(c.after)), pki.ReasonExpired, expired+c.want, "renew")
	}
	expect(t, "early", at(start.Add(-3*day)), pki.ReasonNotYetValid, "the certificate is not valid before "+start.Format("2006-01-02 15:04 UTC")+" (in 3 days)", "clock")
	for _, when := range []time.Time{start, end} {
		o := options(ca, l)
		o.Time = when
		if _, err := pki.Verify(l.Chain[0], o); err != nil {
			t.Errorf("at the very end of its validity: %v", err)
		}
	}
}

func TestDatesOfIssuersAreExplained(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	key := ca.Key
	old, err := pki.Issuer{Certificate: ca.Root, Key: ca.RootKey}.Issue(pki.Request{
		Profile: pki.ProfileIntermediate, CommonName: "Old Intermediate", Key: key.Public(), NotBefore: ca.Now.Add(-10 * day), Lifetime: 30 * day}, ca.Now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := pki.Issuer{Certificate: old, Key: key}.Issue(pki.Request{Profile: pki.ProfileClient, CommonName: "a", Key: newKey(t).Public(), Lifetime: 20*day - time.Hour}, ca.Now)
	if err != nil {
		t.Fatal(err)
	}
	o := pki.VerifyOptions{Roots: ca.Roots(), Intermediates: [][]byte{ca.Server(pkitest.P256).Chain[0], old.Raw}, Time: ca.Now, Usage: pki.UsageClient}
	if _, err := pki.Verify(leaf.Raw, o); err != nil {
		t.Fatal(err)
	}
	// Reissue the leaf for longer than its issuer lives, which Issue refuses.
	long := *leaf
	long.NotAfter = ca.Now.Add(80 * day)
	der, err := x509.CreateCertificate(rand.Reader, &long, old, leaf.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	o.Time = old.NotAfter.Add(5 * day)
	e := refusal(t, der, o)
	expect(t, "old intermediate", e, pki.ReasonExpired, `the CA certificate "CN=Old Intermediate" expired on`, "renew")
	if e.Certificate == nil || !e.Certificate.Equal(old) || e.Depth != 2 || e.Subject != "CN=Old Intermediate" {
		t.Errorf("depth %d, subject %q", e.Depth, e.Subject)
	}
	o = options(ca, ca.Server(pkitest.P256))
	o.Time = ca.Root.NotAfter.Add(day)
	ancient := *leaf
	ancient.NotAfter = ca.Root.NotAfter.Add(900 * day)
	if der, err = x509.CreateCertificate(rand.Reader, &ancient, ca.Root, leaf.PublicKey, ca.RootKey); err != nil {
		t.Fatal(err)
	}
	o.Usage, o.Intermediates = pki.UsageClient, nil
	expect(t, "old root", refusal(t, der, o), pki.ReasonExpired, `the CA certificate "CN=Test Root`, "")
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestNamesAreMatchedAndExplained(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256, "b.example", "*.w.example", "192.0.2.1", "2001:db8::1", "fe80::1")
	for name, ok := range map[string]bool{
		"": true, "b.example": true, "B.Example": true, "b.example.": true, "x.w.example": true, "192.0.2.1": true, "2001:db8::1": true,
		"2001:DB8:0::1": true, "[2001:db8::1]": true, "::ffff:192.0.2.1": true, "fe80::1%eth0": true,
		"a.example": false, "w.example": false, "x.y.w.example": false, "192.0.2.2": false, "2001:db8::2": false,
		"xb.example": false, "b.example:443": false, "b.example\x00": false,
	} {
		o := options(ca, l)
		o.ServerName = name
		if _, err := pki.Verify(l.Chain[0], o); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	explain := func(l *pkitest.Leaf, name string) *pki.VerifyError {
		o := options(ca, l)
		o.ServerName = name
		return refusal(t, l.Chain[0], o)
	}
	expect(t, "other", explain(l, "a.example"), pki.ReasonNameMismatch, "the certificate is valid for b.example, *.w.example, 192.0.2.1, 2001:db8::1, fe80::1, not a.example", "--servername")
	expect(t, "evil", explain(l, "a\x1b[m"), pki.ReasonNameMismatch, `not a\x1b[m`, "")
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprintf("h%d.example", i))
	}
	expect(t, "many", explain(ca.Server(pkitest.P256, many...), "a.example"), pki.ReasonNameMismatch, "h4.example and 7 more names, not a.example", "")
	none := func(cn string, subject pkix.Name) *pki.VerifyError {
		leaf := ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfileClient, CommonName: cn, Subject: subject})
		o := options(ca, leaf)
		o.Usage, o.ServerName = pki.UsageClient, "a.example"
		return refusal(t, leaf.Chain[0], o)
	}
	expect(t, "common name", none("a.example", pkix.Name{}), pki.ReasonNameMismatch, `its common name "a.example" does not count`, "subject alternative name")
	expect(t, "no names", none("", pkix.Name{Organization: []string{"O"}}), pki.ReasonNameMismatch, "names no host at all", "")
}

func TestUsagesAreExplained(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	client, server := ca.Client(pkitest.P256, "alice"), ca.Server(pkitest.P256)
	expect(t, "client as server", refusal(t, client.Chain[0], options(ca, client)), pki.ReasonUsage, "may be used for clientAuth only, not to prove a server (serverAuth)", "profile server")
	o := options(ca, server)
	o.Usage = pki.UsageClient
	expect(t, "server as client", refusal(t, server.Chain[0], o), pki.ReasonUsage, "may be used for serverAuth only, not to prove a client (clientAuth)", "profile client")
	if _, err := pki.Verify(ca.Issue(pkitest.P256, pki.Request{Profile: pki.ProfilePeer, SANs: []string{"a.example"}}).Chain[0], o); err != nil {
		t.Errorf("a peer as client: %v", err)
	}
	key := newKey(t)
	limited, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Mail CA"}, NotBefore: ca.Now.Add(-day), NotAfter: ca.Now.Add(100 * day),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 2, 3}},
	}, ca.Root, key.Public(), ca.RootKey)
	if err != nil {
		t.Fatal(err)
	}
	der := craft(t, limited, key, nil)
	o = pki.VerifyOptions{Roots: ca.Roots(), Intermediates: [][]byte{limited}, Time: ca.Now}
	expect(t, "limited CA", refusal(t, der, o), pki.ReasonUsage, `the CA certificate "CN=Mail CA" may be used for emailProtection, 1.2.3 only`, "")
}

// craft signs a server leaf for a.example with any CA, however unfit; change may
// spoil the template.
func craft(t *testing.T, issuer []byte, key crypto.Signer, change func(*x509.Certificate)) []byte {
	t.Helper()
	parent, err := x509.ParseCertificate(issuer)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(77), Subject: pkix.Name{CommonName: "leaf"}, NotBefore: parent.NotBefore, NotAfter: parent.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"a.example"},
	}
	if change != nil {
		change(leaf)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, newKey(t).Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestUnknownAuthoritiesAreNamed(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	stranger := ca.Stranger()
	judge := func(leaf []byte, roots []*x509.Certificate, sent ...[]byte) *pki.VerifyError {
		return refusal(t, leaf, pki.VerifyOptions{Roots: roots, Intermediates: sent, Time: ca.Now})
	}
	inter, root := pki.Name(ca.Intermediate.Subject), pki.Name(ca.Root.Subject)
	for _, c := range []struct {
		what, text, hint string
		err              *pki.VerifyError
		depth            int
	}{
		{"no roots", `the CA certificate "` + inter + `" is signed by unknown authority "` + root + `"`, "--ca", judge(l.Chain[0], nil, l.Chain[1]), 1},
		{"other roots", `is signed by unknown authority "` + root + `"`, "pass its root with --ca", judge(l.Chain[0], stranger.Roots(), l.Chain[1]), 1},
		{"intermediate missing", `the certificate is signed by unknown authority "` + inter + `"`, "the peer must send it", judge(l.Chain[0], ca.Roots()), 0},
		{"unreadable intermediate", "1 further certificates the peer sent cannot be read", "--ca", judge(l.Chain[0], ca.Roots(), []byte("x")), 0},
		{"root sent, not trusted", `the CA certificate "` + root + `" is the self-signed end of the chain and not among the trusted roots`, "--ca", judge(l.Chain[0], nil, l.Chain[1], ca.Root.Raw), 2},
		{"self-signed", "the certificate is self-signed and not among the trusted roots", "--ca", judge(ca.SelfSigned(pkitest.P256).Chain[0], ca.Roots()), 0},
		{"namesake", "a trusted CA has this name, but another key", "made anew", judge(ca.Namesake().Server(pkitest.P256).Chain[0], ca.Roots(), ca.Intermediate.Raw), 0},
	} {
		expect(t, c.what, c.err, pki.ReasonUnknownAuthority, c.text, c.hint)
		if c.err.Depth != c.depth || c.err.Err == nil {
			t.Errorf("%s: depth %d, library says %v", c.what, c.err.Depth, c.err.Err)
		}
	}
	client := ca.Client(pkitest.P256, "alice")
	o := options(stranger, client)
	o.Usage = pki.UsageClient
	expect(t, "client", refusal(t, client.Chain[0], o), pki.ReasonUnknownAuthority, "unknown authority", "--client-ca")
}

func TestATrustedLeafNeedsNoCA(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.SelfSigned(pkitest.Ed25519)
	chain, err := pki.Verify(l.Chain[0], pki.VerifyOptions{Roots: []*x509.Certificate{l.Certificate}, Time: ca.Now, ServerName: "localhost"})
	if err != nil || len(chain.Certificates) != 1 || chain.Root != chain.Certificates[0] {
		t.Errorf("%v, %v", chain, err)
	}
}

func TestSystemRootsAreOnlyThoseHandedIn(t *testing.T) {
	ca, other := pkitest.New(t, pkitest.P256), pkitest.New(t, pkitest.P256)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Root)
	for _, roots := range [][]*x509.Certificate{nil, other.Roots()} {
		for _, l := range []*pkitest.Leaf{ca.Server(pkitest.P256), other.Server(pkitest.P256)} {
			_, err := pki.Verify(l.Chain[0], pki.VerifyOptions{Roots: roots, SystemRoots: pool, Intermediates: l.Chain[1:], Time: ca.Now})
			if trusted := l.Certificate.Issuer.CommonName == ca.Intermediate.Subject.CommonName || roots != nil; (err == nil) != trusted {
				t.Errorf("%d roots: %v", len(roots), err)
			}
		}
	}
	if !pool.Equal(func() *x509.CertPool { p := x509.NewCertPool(); p.AddCert(ca.Root); return p }()) {
		t.Error("the caller's pool was changed")
	}
}

func TestConstraintsAreExplained(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	roots := pki.VerifyOptions{Roots: ca.Roots(), Time: ca.Now}
	with := func(sent ...[]byte) pki.VerifyOptions {
		o := roots
		o.Intermediates = sent
		return o
	}
	// A leaf that signs another certificate.
	signer := ca.Server(pkitest.P256)
	expect(t, "leaf as CA", refusal(t, craft(t, signer.Chain[0], signer.Key, nil), with(signer.Chain...)), pki.ReasonConstraint, `the issuing certificate "localhost" is not a CA certificate`, "")
	// A CA below an intermediate of path length 0.
	key := newKey(t)
	deeper := craft(t, ca.Intermediate.Raw, ca.Key, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = "Deeper CA", true, true, x509.KeyUsageCertSign, nil
	})
	deeper = resign(t, deeper, ca.Intermediate, key, ca.Key)
	expect(t, "path length", refusal(t, craft(t, deeper, key, nil), with(deeper, ca.Intermediate.Raw)), pki.ReasonConstraint, "at most 0 CAs below it", "")
	// A CA that may not sign.
	mute := resign(t, craft(t, ca.Root.Raw, ca.RootKey, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = "Mute CA", true, true, x509.KeyUsageCRLSign, nil
	}), ca.Root, key, ca.RootKey)
	expect(t, "key usage", refusal(t, craft(t, mute, key, nil), with(mute)), pki.ReasonConstraint, "may not sign certificates", "")
	// Name constraints.
	narrow := resign(t, craft(t, ca.Root.Raw, ca.RootKey, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = "Narrow CA", true, true, x509.KeyUsageCertSign, nil
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"b.example"}
	}), ca.Root, key, ca.RootKey)
	expect(t, "name constraints", refusal(t, craft(t, narrow, key, nil), with(narrow)), pki.ReasonConstraint, "may not certify", "")
	// A critical extension nobody knows.
	odd := craft(t, ca.Intermediate.Raw, ca.Key, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	})
	expect(t, "critical extension", refusal(t, odd, with(ca.Intermediate.Raw)), pki.ReasonConstraint, "critical extension 1.2.3.4", "")
}

// resign gives a certificate another key.
func resign(t *testing.T, der []byte, parent *x509.Certificate, key, signer crypto.Signer) []byte {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	c.SubjectKeyId = nil
	der, err = x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestBrokenSignaturesAreExplained(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	broken := bytes.Clone(l.Chain[0])
	broken[len(broken)-1] ^= 1
	expect(t, "broken", refusal(t, broken, options(ca, l)), pki.ReasonSignature, `not made by "CN=Test Intermediate`, "")
	o := options(ca, l)
	inter := bytes.Clone(l.Chain[1])
	inter[len(inter)-1] ^= 1
	o.Intermediates = [][]byte{inter}
	e := refusal(t, l.Chain[0], o)
	expect(t, "broken intermediate", e, pki.ReasonSignature, `the CA certificate "CN=Test Intermediate`, "")
	if e.Depth != 1 {
		t.Errorf("depth %d", e.Depth)
	}
}

func TestUnreadableLeavesAreMalformed(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	for _, der := range [][]byte{nil, []byte("junk"), l.Chain[0][:100], append(bytes.Clone(l.Chain[0]), 0)} {
		expect(t, "junk", refusal(t, der, options(ca, l)), pki.ReasonMalformed, "cannot be read", "")
	}
	// A negative serial is refused by the library, and the tolerant view says so.
	odd := bytes.Replace(l.Chain[0], l.Certificate.SerialNumber.Bytes(), append([]byte{0x80}, l.Certificate.SerialNumber.Bytes()[1:]...), 1)
	if i := bytes.Index(odd, []byte{2, 17, 0, 0x80}); i > 0 {
		odd[i+2], odd[i+3] = 0x80, 1
	}
	expect(t, "negative serial", refusal(t, odd, options(ca, l)), pki.ReasonMalformed, "the serial number is negative", "")
}

func TestChainsBeyondTheLimitsAreRefused(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	o := options(ca, l)
	for len(o.Intermediates) < pki.MaxChainLength-1 {
		o.Intermediates = append(o.Intermediates, ca.Intermediate.Raw)
	}
	if _, err := pki.Verify(l.Chain[0], o); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	o.Intermediates = append(o.Intermediates, ca.Intermediate.Raw)
	expect(t, "eleven", refusal(t, l.Chain[0], o), pki.ReasonLimit, "11 certificates, more than the limit of 10", "")
	o.Intermediates = [][]byte{ca.Intermediate.Raw, make([]byte, pki.MaxChainBytes)}
	expect(t, "bytes", refusal(t, l.Chain[0], o), pki.ReasonLimit, "more than the limit of 65536", "")
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8200, 1), E: 65537}
	template := *l.Certificate
	der, err := x509.CreateCertificate(rand.Reader, &template, ca.Intermediate, huge, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "huge RSA key", refusal(t, der, options(ca, l)), pki.ReasonLimit, "RSA key of 8201 bits", "")
}

func TestVerifyNeverTakesTheClockOfTheMachine(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.Server(pkitest.P256)
	o := options(ca, l)
	o.Time = time.Time{}
	expect(t, "no time", refusal(t, l.Chain[0], o), pki.ReasonMisuse, "no time", "")
}

func TestVerifyErrorsCarryTheLibrarysVerdict(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	l := ca.WrongName(pkitest.P256)
	o := options(ca, l)
	o.ServerName = "localhost"
	_, err := pki.Verify(l.Chain[0], o)
	var host x509.HostnameError
	if !errors.As(err, &host) {
		t.Errorf("%T", err)
	}
	for r := pki.ReasonMisuse; r <= pki.ReasonLimit; r++ {
		if s := r.String(); s == "" || strings.HasPrefix(s, "reason") {
			t.Errorf("reason %d is called %q", r, s)
		}
	}
}

// FuzzVerify feeds altered chains; none may be trusted unless it is the real one,
// and every refusal must be fit to show.
func FuzzVerify(f *testing.F) {
	ca := pkitest.New(f, pkitest.Ed25519)
	l := ca.Server(pkitest.Ed25519)
	f.Add(l.Chain[0], l.Chain[1], "localhost")
	f.Add(l.Chain[1], l.Chain[0], "x\x1b")
	f.Add(ca.SelfSigned(pkitest.P256).Chain[0], ca.Root.Raw, "::1")
	pq := pkitest.New(f, pkitest.MLDSA44)
	m := pq.Server(pkitest.MLDSA44)
	f.Add(m.Chain[0], m.Chain[1], "localhost")
	f.Add(m.Chain[0], l.Chain[1], "localhost")
	known := [][]byte{l.Chain[0], ca.Root.Raw, ca.Intermediate.Raw, m.Chain[0], pq.Root.Raw, pq.Intermediate.Raw}
	roots := append(ca.Roots(), pq.Roots()...)
	f.Fuzz(func(t *testing.T, leaf, inter []byte, name string) {
		_, err := pki.Verify(leaf, pki.VerifyOptions{Roots: roots, Intermediates: [][]byte{inter}, Time: ca.Now, ServerName: name})
		var verr *pki.VerifyError
		switch {
		case err == nil && !slices.ContainsFunc(known, func(der []byte) bool { return bytes.Equal(leaf, der) }):
			t.Fatalf("a forged leaf was trusted")
		case err != nil && (!errors.As(err, &verr) || pki.Printable(verr.Text) != verr.Text || pki.Printable(verr.Hint) != verr.Hint):
			t.Fatalf("%#v", err)
		}
	})
}
