package cert_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/google/go-cmp/cmp"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/cert"
)

func parse(t *testing.T, der []byte) *cert.Certificate {
	t.Helper()
	c, err := cert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAgreesWithTheLibraryOnGoodCertificates(t *testing.T) {
	for _, ck := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, ck)
		list := []*x509.Certificate{ca.Root, ca.Intermediate}
		for _, k := range pkitest.KeyTypes() {
			list = append(list, ca.Server(k).Certificate, ca.Client(k, "alice").Certificate)
		}
		for _, want := range list {
			got := parse(t, want.Raw)
			if len(got.Defects) != 0 || got.KeyError != nil {
				t.Errorf("defects %q, key error %v", got.Defects, got.KeyError)
			}
			if problem := disagreement(got, want); problem != "" {
				t.Errorf("%s: %s", want.Subject, problem)
			}
			if got.HasKeyUsage != true || x509.KeyUsage(got.KeyUsage) != want.KeyUsage {
				t.Errorf("key usage %v, want %v", got.KeyUsage, want.KeyUsage)
			}
			names, err := got.AltNames()
			if err != nil || !cmp.Equal(names.DNS, want.DNSNames) || len(names.IPs) != len(want.IPAddresses) {
				t.Errorf("names %v, %v", names, err)
			}
		}
	}
}

// disagreement compares what both views read of one certificate.
func disagreement(got *cert.Certificate, want *x509.Certificate) string {
	raw := func(name string, a, b []byte) string {
		if !bytes.Equal(a, b) {
			return name
		}
		return ""
	}
	for _, problem := range []string{
		raw("whole", got.Raw, want.Raw), raw("TBS", got.RawTBS, want.RawTBSCertificate),
		raw("issuer", got.RawIssuer, want.RawIssuer), raw("subject", got.RawSubject, want.RawSubject),
		raw("SPKI", got.RawSPKI, want.RawSubjectPublicKeyInfo), raw("signature", got.Signature, sameBits(got, want)),
		raw("serial", new(big.Int).SetBytes(got.Serial).Bytes(), want.SerialNumber.Bytes()),
	} {
		if problem != "" {
			return problem + " differs"
		}
	}
	// Of versions 1 and 2 the library reads no extensions; they have none.
	if got.Version != want.Version || want.Version == 3 && len(got.Extensions) != len(want.Extensions) {
		return "version or extensions differ"
	}
	if !got.NotBefore.Equal(want.NotBefore) || !got.NotAfter.Equal(want.NotAfter) {
		return "dates differ: " + got.NotBefore.String() + " " + got.NotAfter.String()
	}
	if k, ok := got.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); ok && want.PublicKey != nil && !k.Equal(want.PublicKey) {
		return "key differs"
	}
	return ""
}

func TestKeysItCannotReadAreKeptRaw(t *testing.T) {
	base := takeApart(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256).Certificate)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224SPKI, err := x509.MarshalPKIXPublicKey(&p224.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	rsaAlg := seq(oid(1, 2, 840, 113549, 1, 1, 1), []byte{5, 0})
	ecAlg := seq(oid(1, 2, 840, 10045, 2, 1), oid(1, 2, 840, 10045, 3, 1, 7))
	rsaKey := func(n, e *big.Int) []byte { return seq(integer(n), integer(e)) }
	odd := func(bits uint) *big.Int { return new(big.Int).SetBit(big.NewInt(1), int(bits)-1, 1) }
	for name, c := range map[string]struct {
		spki []byte
		want string
	}{
		"P-224":                     {p224SPKI, "unknown curve 1.3.132.0.33"},
		"SLH-DSA":                   {spkiOf(seq(oid(2, 16, 840, 1, 101, 3, 4, 3, 20)), make([]byte, 32)), "unknown key algorithm 2.16.840.1.101.3.4.3.20"},
		"short ML-DSA-44 key":       {spkiOf(seq(oid(2, 16, 840, 1, 101, 3, 4, 3, 17)), make([]byte, 1311)), "1311 bytes, not 1312"},
		"identifier from a UUID":    {spkiOf(seq([]byte{6, 7, 0x69, 0x90, 0x80, 0x80, 0x80, 0x80, 0x01}), []byte{1}), "unknown key algorithm"},
		"explicit curve parameters": {spkiOf(seq(oid(1, 2, 840, 10045, 2, 1), seq([]byte{2, 1, 1})), []byte{4}), "does not name its curve"},
		"compressed point":          {spkiOf(ecAlg, append([]byte{2}, make([]byte, 32)...)), "compressed"},
		"point off the curve":       {spkiOf(ecAlg, append([]byte{4}, make([]byte, 64)...)), "not on its curve"},
		"short Ed25519 key":         {spkiOf(seq(oid(1, 3, 101, 112)), make([]byte, 31)), "31 bytes, not 32"},
		"negative modulus":          {spkiOf(rsaAlg, rsaKey(big.NewInt(-15), big.NewInt(3))), "positive odd"},
		"even modulus":              {spkiOf(rsaAlg, rsaKey(big.NewInt(16), big.NewInt(3))), "positive odd"},
		"exponent one":              {spkiOf(rsaAlg, rsaKey(odd(2048), big.NewInt(1))), "exponent"},
		"huge exponent":             {spkiOf(rsaAlg, rsaKey(odd(2048), odd(40))), "exponent"},
		"huge modulus":              {spkiOf(rsaAlg, rsaKey(odd(8200), big.NewInt(3))), "8200 bits"},
		"no RSA key at all":         {spkiOf(rsaAlg, []byte("hello")), "malformed RSA key"},
	} {
		p := base
		p.spki = c.spki
		got := parse(t, p.der())
		if got.PublicKey != nil || got.KeyError == nil || !strings.Contains(got.KeyError.Error(), c.want) {
			t.Errorf("%s: key %v, error %v", name, got.PublicKey, got.KeyError)
		}
		if !bytes.Equal(got.RawSPKI, c.spki) {
			t.Errorf("%s: the raw key is not kept", name)
		}
	}
}

func integer(n *big.Int) []byte {
	b := n.Bytes()
	if n.Sign() < 0 {
		b = []byte{byte(n.Int64())}
	} else if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return tlv(cbasn1.INTEGER, b)
}

func TestPSSParametersAreRead(t *testing.T) {
	leaf := pkitest.New(t, pkitest.P256).Server(pkitest.RSA2048)
	base := takeApart(t, leaf.Certificate)
	key := x509.MarshalPKCS1PublicKey(leaf.Key.Public().(*rsa.PublicKey))
	pss := func(params ...[]byte) []byte {
		return spkiOf(seq(append([][]byte{oid(1, 2, 840, 113549, 1, 1, 10)}, params...)...), key)
	}
	sha384 := seq(oid(2, 16, 840, 1, 101, 3, 4, 2, 2), []byte{5, 0})
	mgf1 := func(h []byte) []byte { return context(1, seq(oid(1, 2, 840, 113549, 1, 1, 8), h)) }
	for name, c := range map[string]struct {
		spki []byte
		want *cert.PSSParameters
		bad  bool
	}{
		"absent":        {spki: pss()},
		"defaults":      {spki: pss(seq()), want: &cert.PSSParameters{Hash: crypto.SHA1, MGFHash: crypto.SHA1, SaltLength: 20}},
		"SHA-384":       {spki: pss(seq(context(0, sha384), mgf1(sha384), context(2, []byte{2, 1, 48}))), want: &cert.PSSParameters{Hash: crypto.SHA384, MGFHash: crypto.SHA384, SaltLength: 48}},
		"unknown hash":  {spki: pss(seq(context(0, seq(oid(1, 2, 3))))), want: &cert.PSSParameters{MGFHash: crypto.SHA1, SaltLength: 20}},
		"not MGF1":      {spki: pss(seq(context(1, seq(oid(1, 2, 3), sha384)))), bad: true},
		"wrong trailer": {spki: pss(seq(context(3, []byte{2, 1, 2}))), bad: true},
		"negative salt": {spki: pss(seq(context(2, []byte{2, 1, 0xff}))), bad: true},
		"trailing junk": {spki: pss(seq(context(2, []byte{2, 1, 32}), []byte{5, 0})), bad: true},
		"NULL":          {spki: pss([]byte{5, 0}), bad: true},
	} {
		p := base
		p.spki = c.spki
		got := parse(t, p.der())
		if !got.PSSOnly {
			t.Errorf("%s: the key is not seen as restricted", name)
		}
		if (got.KeyError != nil) != c.bad || (got.PublicKey == nil) != c.bad {
			t.Errorf("%s: key %T, error %v", name, got.PublicKey, got.KeyError)
		}
		if !c.bad && !cmp.Equal(got.PSS, c.want) {
			t.Errorf("%s: %s", name, cmp.Diff(got.PSS, c.want))
		}
	}
}

func TestOddCertificatesAreReadWithTheirDefects(t *testing.T) {
	base := takeApart(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256).Certificate)
	ku := extension(oid(2, 5, 29, 15), []byte{3, 2, 7, 0x80})
	for name, c := range map[string]struct {
		change func(*parts)
		want   string
	}{
		"negative serial":        {func(p *parts) { p.serial = []byte{2, 1, 0x80} }, "negative"},
		"zero serial":            {func(p *parts) { p.serial = []byte{2, 1, 0} }, "zero"},
		"padded serial":          {func(p *parts) { p.serial = []byte{2, 2, 0, 1} }, "not minimally"},
		"long serial":            {func(p *parts) { p.serial = tlv(cbasn1.INTEGER, bytes.Repeat([]byte{1}, 21)) }, "more than 20"},
		"version 9":              {func(p *parts) { p.version = context(0, []byte{2, 1, 8}) }, "version number 8"},
		"version 1 extensions":   {func(p *parts) { p.version = nil }, "version 1 certificate carries extensions"},
		"algorithms differ":      {func(p *parts) { p.outerAlg = seq(oid(1, 2, 3)) }, "differ"},
		"extension twice":        {func(p *parts) { p.tail = extensionsOf(ku, ku) }, "appears twice"},
		"key usage without bits": {func(p *parts) { p.tail = extensionsOf(extension(oid(2, 5, 29, 15), []byte{5, 0})) }, "key usage extension is malformed"},
		"date without meaning":   {func(p *parts) { p.validity = validityOf(cbasn1.UTCTime, "hello", "491231235959Z") }, "not a time"},
		"date without seconds":   {func(p *parts) { p.validity = validityOf(cbasn1.UTCTime, "2001010000Z", "491231235959Z") }, "form RFC 5280"},
		"date with a zone":       {func(p *parts) { p.validity = validityOf(cbasn1.UTCTime, "200101000000+0100", "491231235959Z") }, "form RFC 5280"},
		"date with a fraction": {func(p *parts) {
			p.validity = validityOf(cbasn1.GeneralizedTime, "20200101000000.5Z", "20491231235959Z")
		}, "form RFC 5280"},
		"broken bits in the key": {func(p *parts) {
			p.spki = seq(seq(oid(1, 3, 101, 112)), tlv(cbasn1.BIT_STRING, []byte{3}, make([]byte, 32)))
		}, "whole number of bytes"},
		"after the signature":     {func(p *parts) { p.afterOuter = []byte{5, 0} }, "2 bytes follow the signature"},
		"after the extensions":    {func(p *parts) { p.tail = append(bytes.Clone(p.tail), 5, 0) }, "2 bytes follow the last field"},
		"junk in version 1":       {func(p *parts) { p.version, p.tail = nil, []byte{0xa3, 9} }, "version 1 certificate cannot be read"},
		"parameters with Ed25519": {func(p *parts) { p.spki = spkiOf(seq(oid(1, 3, 101, 112), []byte{5, 0}), make([]byte, 32)) }, "has parameters"},
	} {
		p := base
		c.change(&p)
		got := parse(t, p.der())
		if !strings.Contains(strings.Join(got.Defects, "; "), c.want) {
			t.Errorf("%s: defects %q", name, got.Defects)
		}
	}
}

func TestDatesFollowRFC5280(t *testing.T) {
	base := takeApart(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256).Certificate)
	for text, want := range map[string]time.Time{
		"500101000000Z":     time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC),
		"681231235959Z":     time.Date(1968, 12, 31, 23, 59, 59, 0, time.UTC),
		"990101000000Z":     time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		"491231235959Z":     time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC),
		"200101010000+0100": time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		p := base
		p.validity = validityOf(cbasn1.UTCTime, text, text)
		if got := parse(t, p.der()); !got.NotAfter.Equal(want) || got.NotAfter.Location() != time.UTC {
			t.Errorf("%s read as %v", text, got.NotAfter)
		}
	}
	p := base
	p.validity = validityOf(cbasn1.GeneralizedTime, "20500101000000Z", "99991231235959Z")
	if got := parse(t, p.der()); got.NotAfter.Year() != 9999 || got.NotBefore.Year() != 2050 || len(got.Defects) != 0 {
		t.Errorf("read as %v to %v, %q", got.NotBefore, got.NotAfter, got.Defects)
	}
}

func TestBrokenCertificatesAreRefusedByField(t *testing.T) {
	base := takeApart(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256).Certificate)
	ku := extension(oid(2, 5, 29, 15), []byte{3, 2, 7, 0x80})
	many := make([][]byte, 257)
	for i := range many {
		many[i] = ku
	}
	for name, c := range map[string]struct {
		change func(*parts)
		want   string
	}{
		"no serial":            {func(p *parts) { p.serial = nil }, "tbsCertificate.serialNumber"},
		"empty serial":         {func(p *parts) { p.serial = []byte{2, 0} }, "tbsCertificate.serialNumber"},
		"version as string":    {func(p *parts) { p.version = context(0, []byte{12, 1, 65}) }, "tbsCertificate.version"},
		"no algorithm":         {func(p *parts) { p.algorithm = []byte{5, 0} }, "signatureAlgorithm"},
		"issuer is a string":   {func(p *parts) { p.issuer = []byte{12, 1, 65} }, "tbsCertificate.issuer"},
		"subject is a string":  {func(p *parts) { p.subject = []byte{12, 1, 65} }, "tbsCertificate.subject"},
		"one date":             {func(p *parts) { p.validity = seq(tlv(cbasn1.UTCTime, []byte("491231235959Z"))) }, "tbsCertificate.validity.notAfter"},
		"three dates":          {func(p *parts) { p.validity = seq(p.validity[2:], p.validity[2:17]) }, "tbsCertificate.validity"},
		"no key bits":          {func(p *parts) { p.spki = seq(seq(oid(1, 3, 101, 112))) }, "subjectPublicKeyInfo.subjectPublicKey"},
		"nine unused bits":     {func(p *parts) { p.signature = tlv(cbasn1.BIT_STRING, []byte{9, 0}) }, "signatureValue"},
		"extension without id": {func(p *parts) { p.tail = extensionsOf(ku, seq([]byte{4, 0})) }, "tbsCertificate.extensions[1]"},
		"too many extensions":  {func(p *parts) { p.tail = extensionsOf(many...) }, "more than 256"},
	} {
		p := base
		c.change(&p)
		_, err := cert.Parse(p.der())
		var perr *cert.ParseError
		if !errors.As(err, &perr) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	der := pkitest.New(t, pkitest.P256).Server(pkitest.P256).Chain[0]
	for n := range der {
		if _, err := cert.Parse(der[:n]); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(der))
		}
	}
	if _, err := cert.Parse(append(bytes.Clone(der), 0)); err == nil || !strings.Contains(err.Error(), "1 bytes follow") {
		t.Errorf("a trailing byte: %v", err)
	}
}

func TestOversizedCertificatesAreRefused(t *testing.T) {
	base := takeApart(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256).Certificate)
	big := func(n int) []byte {
		p := base
		p.tail = extensionsOf(extension(oid(1, 2, 3), make([]byte, n)))
		return p.der()
	}
	fits := cert.MaxSize - len(big(60000)) + 60000
	parse(t, big(fits))
	if _, err := cert.Parse(big(fits + 1)); err == nil || !strings.Contains(err.Error(), "65536") {
		t.Errorf("one byte over the limit: %v", err)
	}
}

func TestAltNamesOfAllKindsAreRead(t *testing.T) {
	base := takeApart(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256).Certificate)
	name := func(n uint8, value string) []byte { return tlv(cbasn1.Tag(n).ContextSpecific(), []byte(value)) }
	with := func(list ...[]byte) *cert.Certificate {
		p := base
		p.tail = extensionsOf(extension(oid(2, 5, 29, 17), seq(list...)))
		return parse(t, p.der())
	}
	names, err := with(name(2, "a.example"), name(1, "x@a.example"), name(6, "spiffe://a/b"), name(7, "\x7f\x00\x00\x01"), name(8, "\x2a\x03")).AltNames()
	if err != nil || len(names.DNS) != 1 || len(names.Emails) != 1 || len(names.URIs) != 1 || names.IPs[0].String() != "127.0.0.1" || names.Others != 1 {
		t.Errorf("%+v, %v", names, err)
	}
	if _, err := with(name(7, "\x7f\x00\x01")).AltNames(); err == nil {
		t.Error("an address of three bytes was accepted")
	}
	p := base
	p.tail = nil
	if names, err := parse(t, p.der()).AltNames(); err != nil || len(names.DNS) != 0 {
		t.Errorf("without the extension: %+v, %v", names, err)
	}
}

func TestUnknownExtensionsKeepTheirOrder(t *testing.T) {
	base := takeApart(t, pkitest.New(t, pkitest.P256).Server(pkitest.P256).Certificate)
	base.tail = extensionsOf(
		extension(oid(1, 2, 3), []byte("first")),
		seq([]byte{6, 7, 0x69, 0x90, 0x80, 0x80, 0x80, 0x80, 0x01}, []byte{1, 1, 0xff}, []byte{4, 1, 7}), // 2.25.2^32+…: an arc from a UUID
		extension(oid(1, 2, 4), nil))
	c := parse(t, base.der())
	if len(c.Extensions) != 3 || string(c.Extensions[0].Value) != "first" || !c.Extensions[1].Critical || c.Extensions[1].OID != nil || len(c.Extensions[1].RawOID) != 7 {
		t.Errorf("%+v", c.Extensions)
	}
	if e, ok := c.Find("1.2.4"); !ok || len(e.Value) != 0 {
		t.Error("the last extension is not found")
	}
}

func TestKeyUsageIsNamedAsInTheRFC(t *testing.T) {
	if got := (cert.DigitalSignature | cert.KeyCertSign | cert.DecipherOnly).String(); got != "digitalSignature, keyCertSign, decipherOnly" {
		t.Error(got)
	}
	if x509.KeyUsage(cert.CRLSign) != x509.KeyUsageCRLSign || x509.KeyUsage(cert.DecipherOnly) != x509.KeyUsageDecipherOnly {
		t.Error("the bits are numbered unlike those of the library")
	}
}

func FuzzParse(f *testing.F) {
	for _, ck := range []pkitest.KeyType{pkitest.P256, pkitest.Ed25519} {
		ca := pkitest.New(f, ck)
		for _, k := range pkitest.KeyTypes() {
			f.Add(ca.Server(k).Chain[0])
		}
		f.Add(ca.Root.Raw)
	}
	odd, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}},
		&x509.Certificate{}, pkitest.New(f, pkitest.P384).Key.Public(), pkitest.New(f, pkitest.P384).Key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(odd)
	f.Fuzz(compareWithLibrary)
}

// FuzzParseFields puts arbitrary fields into a sound frame, which random changes
// of a whole certificate seldom leave standing.
func FuzzParseFields(f *testing.F) {
	ca := pkitest.New(f, pkitest.P256)
	base := takeApart(f, ca.Root)
	for _, k := range pkitest.KeyTypes() {
		p := takeApart(f, ca.Server(k).Certificate)
		f.Add(p.serial, p.validity, p.spki, p.tail)
	}
	f.Fuzz(func(t *testing.T, serial, validity, spki, tail []byte) {
		p := base
		p.serial, p.validity, p.spki, p.tail = serial, validity, spki, tail
		compareWithLibrary(t, p.der())
	})
}

// sameBits is the library's signature. It shifts one that is no whole number of bytes, which the tolerant view does not.
func sameBits(got *cert.Certificate, want *x509.Certificate) []byte {
	if slices.Contains(got.Defects, "signatureValue is not a whole number of bytes") {
		return got.Signature
	}
	return want.Signature
}

// compareWithLibrary holds the tolerant view against the library: it reads all
// that the library reads, and the same.
func compareWithLibrary(t *testing.T, der []byte) {
	got, err := cert.Parse(der)
	want, libraryErr := x509.ParseCertificate(der)
	switch {
	case err == nil:
		_, _ = got.AltNames()
		if !bytes.Equal(got.Raw, der) || !bytes.Contains(got.RawTBS, got.RawSPKI) {
			t.Fatal("raw parts are not parts of the input")
		}
		if libraryErr == nil {
			if problem := disagreement(got, want); problem != "" {
				t.Fatal(problem)
			}
		}
	case libraryErr == nil && len(der) <= cert.MaxSize && len(want.Extensions) <= 256:
		t.Fatalf("the library reads what the tolerant view refuses: %v", err)
	}
}
