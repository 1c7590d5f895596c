package pki_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// pointWith makes the extension of a certificate with one distribution point.
func pointWith(uri string, reasons byte, issuer []byte) pkix.Extension {
	var b cryptobyte.Builder
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			if uri != "" {
				b.AddASN1(tag(0).Constructed(), func(b *cryptobyte.Builder) {
					b.AddASN1(tag(0).Constructed(), func(b *cryptobyte.Builder) {
						b.AddASN1(tag(6), func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
					})
				})
			}
			if reasons != 0 {
				b.AddASN1(tag(1), func(b *cryptobyte.Builder) { b.AddBytes([]byte{0, reasons}) })
			}
			if issuer != nil {
				b.AddASN1(tag(2).Constructed(), func(b *cryptobyte.Builder) {
					b.AddASN1(tag(4).Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(issuer) })
				})
			}
		})
	})
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: b.BytesOrPanic()}
}

// openSSLSays judges the leaf of a scene with openssl and gives the reason of its refusal; "" if there is none.
func openSSLSays(t *testing.T, s *scene, o pki.RevocationOptions) string {
	t.Helper()
	openssl := pkitest.Program(t, "openssl")
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var lists []byte
	for _, l := range o.CRLs {
		lists = append(lists, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: l.Raw})...)
	}
	others := pki.AppendCertificatePEM(nil, s.Intermediate.Raw)
	for _, c := range o.Extra {
		others = pki.AppendCertificatePEM(others, c.Raw)
	}
	args := []string{"verify", "-CAfile", s.RootFile(), "-untrusted", file("others.pem", others), "-crl_check", "-extended_crl", "-use_deltas"}
	if len(lists) > 0 {
		args = append(args, "-CRLfile", file("lists.pem", lists))
	}
	out, err := pkitest.Run(t, openssl, append(args, file("leaf.pem", pki.AppendCertificatePEM(nil, s.leaf.Raw)))...)
	if err == nil {
		return ""
	}
	if _, after, ok := strings.Cut(out, " lookup: "); ok {
		line, _, _ := strings.Cut(after, "\n")
		return line
	}
	return out
}

func TestOpenSSLAgreesOnRevocation(t *testing.T) {
	s := newScene(t)
	plain, namesake := s.leaf, s.Namesake()
	delta := func(tm *crl.Template) { tm.Number, tm.Base = big.NewInt(8), big.NewInt(5) }
	fresh := func(tm *crl.Template) { tm.Freshest = []string{"http://crl.test/delta"} }
	point := func(p crl.DistributionPoint) func(*crl.Template) {
		return func(tm *crl.Template) { tm.IDP = &p }
	}
	with := func(e pkix.Extension) *x509.Certificate {
		s.relieve(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{e} })
		return s.leaf
	}
	one := with(pointWith("http://crl.test/1", 0, nil))
	indirect := with(pointWith("", 0, s.Root.RawSubject))
	entry := func(c *x509.Certificate) crl.Entry {
		e := s.bad(c, crl.KeyCompromise)
		e.Issuer = s.Intermediate.RawSubject
		return e
	}
	for label, c := range map[string]struct {
		leaf *x509.Certificate
		o    pki.RevocationOptions
		want pki.RevocationStatus
		says string // openssl
	}{
		"good":                {plain, lists(s.list(nil)), good, ""},
		"revoked":             {plain, lists(s.list(nil, s.bad(plain, crl.Superseded))), revoked, "certificate revoked"},
		"no list":             {plain, lists(), unknown, "unable to get certificate CRL"},
		"old":                 {plain, lists(s.list(func(tm *crl.Template) { tm.NextUpdate = s.Now.Add(-time.Minute) })), unknown, "CRL has expired"},
		"early":               {plain, lists(s.list(func(tm *crl.Template) { tm.ThisUpdate = s.Now.Add(50 * time.Minute) })), unknown, "CRL is not yet valid"},
		"namesake's":          {plain, lists(s.listBy(namesake.Intermediate, namesake.Key, nil)), unknown, "unable to get certificate CRL"},
		"CAs only":            {plain, lists(s.list(point(crl.DistributionPoint{OnlyCA: true}))), unknown, "different CRL scope"},
		"attributes only":     {plain, lists(s.list(point(crl.DistributionPoint{OnlyAttribute: true}))), unknown, "different CRL scope"},
		"users only":          {plain, lists(s.list(point(crl.DistributionPoint{OnlyUser: true}))), good, ""},
		"its partition":       {one, lists(s.list(point(crl.DistributionPoint{URIs: []string{"http://crl.test/1"}}))), good, ""},
		"on its partition":    {one, lists(s.list(point(crl.DistributionPoint{URIs: []string{"http://crl.test/1"}}), s.bad(one, 0))), revoked, "certificate revoked"},
		"another partition":   {one, lists(s.list(point(crl.DistributionPoint{URIs: []string{"http://crl.test/2"}}))), unknown, "different CRL scope"},
		"one of two names":    {one, lists(s.list(point(crl.DistributionPoint{URIs: []string{"http://crl.test/2", "http://crl.test/1"}}))), good, ""},
		"some reasons":        {plain, lists(s.list(point(crl.DistributionPoint{OnlySomeReasons: crl.SetOf(crl.KeyCompromise)}))), unknown, "unable to get certificate CRL"},
		"added by a delta":    {plain, lists(s.list(fresh), s.list(delta, s.bad(plain, 0))), revoked, "certificate revoked"},
		"delta without it":    {plain, lists(s.list(fresh), s.list(delta)), good, ""},
		"taken off by one":    {plain, lists(s.list(fresh, s.bad(plain, crl.CertificateHold)), s.list(delta, s.bad(plain, crl.RemoveFromCRL))), good, ""},
		"delta alone":         {plain, lists(s.list(delta)), unknown, "unable to get certificate CRL"},
		"indirect":            {indirect, lists(s.listBy(s.Root, s.RootKey, point(crl.DistributionPoint{Indirect: true}))), good, ""},
		"on an indirect one":  {indirect, lists(s.listBy(s.Root, s.RootKey, point(crl.DistributionPoint{Indirect: true}), entry(indirect))), revoked, "certificate revoked"},
		"not an indirect one": {indirect, lists(s.listBy(s.Root, s.RootKey, nil)), unknown, "unable to get certificate CRL"},
	} {
		s.leaf = c.leaf
		s.judge(label, c.o, c.want, "")
		if says := openSSLSays(t, s, c.o); says == "" != (c.says == "") || !strings.Contains(says, c.says) {
			t.Errorf("%s: openssl says %q, not %q", label, says, c.says)
		}
	}
}
