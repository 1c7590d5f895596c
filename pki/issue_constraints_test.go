package pki

import (
	"crypto/x509"
	"errors"
	mrand "math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// TestIssuingUnderConstraintsAgreesWithPathValidation draws constraints and names
// and lets crypto/x509 judge: what is issued verifies, and what is refused would
// not have, were it issued by a CA that does not look.
func TestIssuingUnderConstraintsAgreesWithPathValidation(t *testing.T) {
	key := newKey(t, P256)
	root := Issuer{Key: newKey(t, Ed25519)}
	root.Certificate = mustSelfSign(t, Request{Profile: ProfileRoot, CommonName: "Root"}, root.Key)
	interKey := newKey(t, Ed25519)
	issued, refusals := 0, 0
	for seed := range uint64(600) {
		r := mrand.New(mrand.NewPCG(seed, 2))
		most := 3
		pick := func(list ...string) (some []string) {
			for range r.IntN(most) {
				some = append(some, list[r.IntN(len(list))])
			}
			return some
		}
		prefixes := func() (some []netip.Prefix) {
			for _, p := range pick("10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0", "::/0") {
				some = append(some, netip.MustParsePrefix(p))
			}
			return some
		}
		hosts := []string{"a.example", "b.a.example", "example", "a.test", "x.test"}
		n := &NameConstraints{
			PermittedDNS: pick(hosts...), ExcludedDNS: pick(hosts...), PermittedIP: prefixes(), ExcludedIP: prefixes(),
			PermittedEmail: pick("a.example", ".a.example", "bob@a.example", "a.test"), ExcludedEmail: pick("a.example", "eve@a.example", ".test"),
			PermittedURI: pick(".a.example", "a.example", ".test"), ExcludedURI: pick("b.a.example", ".x.test"),
		}
		constrained := Request{Profile: ProfileIntermediate, CommonName: "Sub", Key: interKey.Public(), NameConstraints: n}
		if _, err := n.Marshal(); err != nil {
			constrained.NameConstraints = nil // nothing was drawn
		}
		inter := Issuer{Key: interKey, Certificate: mustIssue(t, root, constrained), Chain: []*x509.Certificate{root.Certificate}}
		most = 2
		names := append(pick("a.example", "b.a.example", "c.b.a.example", "ba.example", "x.test", "a.x.test"), pick("10.1.2.3", "10.2.3.4", "192.0.2.9", "2001:db8::1", "2001:db9::1")...)
		names = append(names, pick("bob@a.example", "eve@a.example", "bob@b.a.example", "al@x.test")...)
		names = append(names, pick("https://a.example/x", "https://b.a.example/", "spiffe://a.x.test/y")...)
		if len(names) == 0 {
			names = []string{"a.example"}
		}
		req := Request{Profile: ProfileClient, CommonName: "Client", SANs: names, Key: key.Public()}
		c, err := inter.Issue(req, testNow)
		if err != nil {
			var refused *RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "name constraints") {
				t.Fatalf("seed %d: %v", seed, err)
			}
			blind := *inter.Certificate
			blind.Extensions = nil
			c = mustIssue(t, Issuer{Certificate: &blind, Key: interKey}, req)
		}
		roots, middle := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(root.Certificate)
		middle.AddCert(inter.Certificate)
		_, judge := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle, CurrentTime: testNow, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		// The library lets a permitted host of e-mail addresses and URIs stand for those
		// below it, which RFC 5280, Section 4.2.1.10 does not.
		looser := err != nil && strings.Contains(err.Error(), "outside the permitted") && (strings.Contains(err.Error(), "e-mail") || strings.Contains(err.Error(), "URI"))
		if (judge == nil) != (err == nil) && !looser {
			t.Errorf("seed %d: %q under %+v: we say %v, the library %v", seed, names, n, err, judge)
		}
		if err == nil {
			issued++
		} else {
			refusals++
		}
	}
	if issued < 50 || refusals < 50 {
		t.Errorf("%d issued, %d refused: too few to mean anything", issued, refusals)
	}
}
