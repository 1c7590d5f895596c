package cert_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/cert"
)

// valuesOf is a CA certificate made by the library with every extension that it can write.
func valuesOf(t testing.TB) *cert.Certificate {
	t.Helper()
	ca := pkitest.New(t, pkitest.P256)
	oid, err := x509.ParseOID("2.23.140.1.2.1")
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse("https://a.example/x")
	if err != nil {
		t.Fatal(err)
	}
	_, ten, _ := net.ParseCIDR("10.0.0.0/8")
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x", Organization: []string{"Müller & Co"}},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<31, 0), BasicConstraintsValid: true, IsCA: true, MaxPathLen: 2,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageAny}, SubjectKeyId: []byte{1, 2, 3},
		DNSNames: []string{"a.example"}, EmailAddresses: []string{"x@a.example"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}, URIs: []*url.URL{uri},
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"example"}, ExcludedIPRanges: []*net.IPNet{ten},
		Policies: []x509.OID{oid}, OCSPServer: []string{"http://ocsp.example"}, IssuingCertificateURL: []string{"http://ca.example/ca.crt"},
		CRLDistributionPoints: []string{"http://ca.example/ca.crl"},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Value: []byte{0x30, 6, 0x80, 1, 3, 0x81, 1, 0}},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Intermediate, ca.Root.PublicKey, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestValuesAreReadAsTheLibraryWroteThem(t *testing.T) {
	c := valuesOf(t)
	value := func(oid string) []byte {
		e, ok := c.Find(oid)
		if !ok {
			t.Errorf("%s is missing", oid)
		}
		return e.Value
	}
	check := func(name string, got, want any, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	isCA, pathLen, err := cert.ReadBasicConstraints(value(cert.OIDBasicConstraints))
	check("basic constraints", []any{isCA, pathLen}, []any{true, 2}, err)
	purposes, err := cert.ReadIdentifiers(value(cert.OIDExtendedKeyUsage))
	check("purposes", purposes, []string{"1.3.6.1.5.5.7.3.1", "2.5.29.37.0"}, err)
	id, err := cert.ReadOctets(value(cert.OIDSubjectKeyID))
	check("key id", id, []byte{1, 2, 3}, err)
	names, err := cert.ReadNames(value(cert.OIDSubjectAltName))
	texts := []string{}
	for _, n := range names {
		texts = append(texts, n.Kind.String()+" "+n.Text)
	}
	check("names", texts, []string{"DNS a.example", "e-mail x@a.example", "IP 10.0.0.1", "URI https://a.example/x"}, err)
	permitted, excluded, err := cert.ReadNameConstraints(value(cert.OIDNameConstraints))
	check("constraints", []string{permitted[0].Text, excluded[0].Text}, []string{"example", "10.0.0.0/8"}, err)
	policies, err := cert.ReadPolicies(value(cert.OIDCertificatePolicy))
	check("policies", policies, []cert.Policy{{ID: "2.23.140.1.2.1"}}, err)
	access, err := cert.ReadAccess(value(cert.OIDAuthorityInfo))
	check("access", []string{access[0].Location.Text, access[1].Location.Text}, []string{"http://ocsp.example", "http://ca.example/ca.crt"}, err)
	points, err := cert.ReadDistributionPoints(value(cert.OIDCRLDistribution))
	check("CRLs", points[0].Names[0].Text, "http://ca.example/ca.crl", err)
	features, err := cert.ReadFeatures(value(cert.OIDTLSFeature))
	check("features", features, []int{5}, err)
	explicit, mapping, err := cert.ReadPolicyConstraints(value("2.5.29.36"))
	check("policy constraints", []int{explicit, mapping}, []int{3, 0}, err)
	authority, err := cert.ReadAuthorityKeyID(value(cert.OIDAuthorityKeyID))
	check("authority", len(authority.KeyID) > 0, true, err)
	subject, err := cert.ParseName(c.RawSubject)
	check("subject", subject, []cert.Attribute{{Type: "2.5.4.10", Value: "Müller & Co"}, {Type: "2.5.4.3", Value: "x"}}, err)
}

func TestRareValuesAreRead(t *testing.T) {
	from := func(text string) []byte {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if n, err := cert.ReadNumber(from("020103")); err != nil || n != "3" {
		t.Errorf("%q, %v", n, err)
	}
	if bits, err := cert.ReadBits(from("03020780")); err != nil || !cmp.Equal(bits, []int{0}) {
		t.Errorf("%v, %v", bits, err)
	}
	if text, err := cert.ReadText(from("1e0400e400fc")); err != nil || text != "äü" {
		t.Errorf("%q, %v", text, err)
	}
	// An old string: T61, read as Latin-1.
	name, err := cert.ParseName(from("300f310d300b0603550403140441e4406f"))
	if err != nil || len(name) != 1 || name[0].Value != "Aä@o" {
		t.Errorf("%+v, %v", name, err)
	}
	if pairs, err := cert.ReadPolicyMappings(from("300a300806022a0306022a04")); err != nil || !cmp.Equal(pairs, [][2]string{{"1.2.3", "1.2.4"}}) {
		t.Errorf("%v, %v", pairs, err)
	}
	// A policy with an address and a notice.
	policies, err := cert.ReadPolicies(from("3036303406022a03302e301206082b060105050702011606687474703a2f301806082b06010505070202300c0c0a52656164207468697321"))
	if err != nil || len(policies) != 1 || !cmp.Equal(policies[0].CPS, []string{"http:/"}) || !cmp.Equal(policies[0].Notices, []string{"Read this!"}) {
		t.Errorf("%+v, %v", policies, err)
	}
	for _, name := range []struct{ raw, want string }{
		{"2a03", "1.2.3"}, {"550403", "2.5.4.3"}, {"69" + "9080808001", "2.25.4294967297"}, {"8837", "2.999"}, {"", ""}, {"80", "80"},
	} {
		if got := (cert.Extension{RawOID: from(name.raw)}).ID(); got != name.want {
			t.Errorf("%s: %s, want %s", name.raw, got, name.want)
		}
	}
}

func TestCutValuesAreRefused(t *testing.T) {
	c := valuesOf(t)
	for _, e := range c.Extensions {
		for n := range e.Value {
			if readAny(e.ID(), e.Value[:n]) == nil && readers()[e.ID()] != nil {
				t.Errorf("%s: %d of %d bytes were accepted", e.ID(), n, len(e.Value))
			}
		}
	}
}

type reader func([]byte) error

// readers are those of this package by extension.
func readers() map[string][]reader {
	names := func(v []byte) error { _, err := cert.ReadNames(v); return err }
	points := func(v []byte) error { _, err := cert.ReadDistributionPoints(v); return err }
	access := func(v []byte) error { _, err := cert.ReadAccess(v); return err }
	return map[string][]reader{
		cert.OIDBasicConstraints:  {func(v []byte) error { _, _, err := cert.ReadBasicConstraints(v); return err }},
		cert.OIDExtendedKeyUsage:  {func(v []byte) error { _, err := cert.ReadIdentifiers(v); return err }},
		cert.OIDSubjectKeyID:      {func(v []byte) error { _, err := cert.ReadOctets(v); return err }},
		cert.OIDAuthorityKeyID:    {func(v []byte) error { _, err := cert.ReadAuthorityKeyID(v); return err }},
		cert.OIDSubjectAltName:    {names},
		cert.OIDNameConstraints:   {func(v []byte) error { _, _, err := cert.ReadNameConstraints(v); return err }},
		cert.OIDCertificatePolicy: {func(v []byte) error { _, err := cert.ReadPolicies(v); return err }},
		"2.5.29.33":               {func(v []byte) error { _, err := cert.ReadPolicyMappings(v); return err }},
		"2.5.29.36":               {func(v []byte) error { _, _, err := cert.ReadPolicyConstraints(v); return err }},
		"2.5.29.54":               {func(v []byte) error { _, err := cert.ReadNumber(v); return err }},
		cert.OIDCRLDistribution:   {points},
		cert.OIDAuthorityInfo:     {access},
		cert.OIDTLSFeature:        {func(v []byte) error { _, err := cert.ReadFeatures(v); return err }},
		cert.OIDKeyUsage:          {func(v []byte) error { _, err := cert.ReadBits(v); return err }},
		"text":                    {func(v []byte) error { _, err := cert.ReadText(v); return err }},
		"name":                    {func(v []byte) error { _, err := cert.ParseName(v); return err }},
	}
}

func readAny(oid string, value []byte) error {
	for _, read := range readers()[oid] {
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

// FuzzValues feeds every reader anything: none may panic, and none may change its input.
func FuzzValues(f *testing.F) {
	for _, e := range valuesOf(f).Extensions {
		f.Add(e.Value)
	}
	f.Add(valuesOf(f).RawSubject)
	f.Fuzz(func(t *testing.T, value []byte) {
		before := bytes.Clone(value)
		for oid := range readers() {
			_ = readAny(oid, value)
		}
		_ = (cert.Extension{RawOID: value}).ID()
		if !bytes.Equal(before, value) {
			t.Fatal("the input was changed")
		}
	})
}
