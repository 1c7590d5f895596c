package cert_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki/cert"
)

// attribute is one attribute of a name: 2.5.4.n with a value of some kind of string.
func attribute(n int, tag cbasn1.Tag, value string) []byte {
	return seq(oid(2, 5, 4, n), tlv(tag, []byte(value)))
}

func set(attributes ...[]byte) []byte { return tlv(cbasn1.SET, attributes...) }

func TestNamesAreComparedAsTheRFCSays(t *testing.T) {
	const printable, utf8, ia5, bmp, t61 = cbasn1.PrintableString, cbasn1.UTF8String, cbasn1.IA5String, cbasn1.Tag(30), cbasn1.T61String
	plain := seq(set(attribute(10, printable, "Test Org")), set(attribute(3, printable, "Good CA")))
	for label, c := range map[string]struct {
		other []byte
		want  bool
	}{
		"itself":            {plain, true},
		"capitals":          {seq(set(attribute(10, printable, "TEST ORG")), set(attribute(3, printable, "good ca"))), true},
		"spaces":            {seq(set(attribute(10, printable, "  Test   Org ")), set(attribute(3, printable, "Good CA"))), true},
		"other string":      {seq(set(attribute(10, utf8, "Test Org")), set(attribute(3, ia5, "Good CA"))), true},
		"two octets each":   {seq(set(attribute(10, bmp, "\x00T\x00e\x00s\x00t\x00 \x00O\x00r\x00g")), set(attribute(3, printable, "Good CA"))), true},
		"odd octets":        {seq(set(attribute(10, bmp, "\x00T\x00e\x00s\x00t\x00 \x00O\x00r\x00g\x00")), set(attribute(3, printable, "Good CA"))), false},
		"no space":          {seq(set(attribute(10, printable, "TestOrg")), set(attribute(3, printable, "Good CA"))), false},
		"another order":     {seq(set(attribute(3, printable, "Good CA")), set(attribute(10, printable, "Test Org"))), false},
		"another type":      {seq(set(attribute(11, printable, "Test Org")), set(attribute(3, printable, "Good CA"))), false},
		"one set":           {seq(set(attribute(10, printable, "Test Org"), attribute(3, printable, "Good CA"))), false},
		"shorter":           {seq(set(attribute(10, printable, "Test Org"))), false},
		"longer":            {seq(set(attribute(10, printable, "Test Org")), set(attribute(3, printable, "Good CA")), set(attribute(3, printable, "x"))), false},
		"not a known text":  {seq(set(attribute(10, t61, "Test Org")), set(attribute(3, printable, "Good CA"))), false},
		"not UTF-8":         {seq(set(attribute(10, utf8, "Test\xffOrg")), set(attribute(3, printable, "Good CA"))), false},
		"empty":             {seq(), false},
		"no name":           {[]byte("no name"), false},
		"bytes after it":    {append(plain[:len(plain):len(plain)], 0), false},
		"joined":            {seq(set(attribute(10, printable, "Test Org1:")), set(attribute(3, printable, "Good CA"))), false},
		"an empty set more": {seq(set(attribute(10, printable, "Test Org")), set(), set(attribute(3, printable, "Good CA"))), false},
	} {
		if got := cert.SameName(plain, c.other); got != c.want {
			t.Errorf("%s: %v", label, got)
		}
		if cert.SameName(c.other, plain) != c.want || !cert.SameName(c.other, c.other) {
			t.Errorf("%s: not the same the other way round, or not equal to itself", label)
		}
	}
	a, b := attribute(10, printable, "a"), attribute(3, printable, "b")
	if !cert.SameName(seq(set(a, b)), seq(set(b, a))) {
		t.Error("the order within a set matters")
	}
	if !cert.SameName(seq(set(attribute(10, utf8, "ÄRGER"))), seq(set(attribute(10, utf8, "ärger")))) {
		t.Error("capitals beyond ASCII matter")
	}
}

func FuzzSameName(f *testing.F) {
	plain := seq(set(attribute(10, cbasn1.PrintableString, "Test Org")), set(attribute(3, cbasn1.UTF8String, "Good CA"), attribute(11, cbasn1.IA5String, "x")))
	f.Add(plain, plain[2:])
	f.Add(plain, seq(set(attribute(10, cbasn1.UTF8String, "test org"))))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if !cert.SameName(a, a) || cert.SameName(a, b) != cert.SameName(b, a) {
			t.Error("not an equivalence")
		}
	})
}

func TestAlgorithmsAreNamedAndUsed(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ca := pkitest.New(t, pkitest.RSA2048)
	for _, a := range []x509.SignatureAlgorithm{x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS} {
		// What the library writes is what we write.
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: ca.Root.SerialNumber, SignatureAlgorithm: a}, ca.Root, key.Public(), ca.RootKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := cert.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		id := cert.AlgorithmIdentifier(a)
		if cert.SignatureAlgorithm(id) != a || !c.SignatureAlgorithm.Equal(algorithmOID(t, id)) || !bytes.HasSuffix(id, c.SignatureParameters) {
			t.Errorf("%v: %x", a, id)
		}
		signature, err := cert.Sign(ca.RootKey, a, []byte("text"))
		if err != nil || ca.Root.CheckSignature(a, []byte("text"), signature) != nil {
			t.Errorf("%v: %v", a, err)
		}
	}
	for _, k := range pkitest.CAKeyTypes() {
		ca := pkitest.New(t, k)
		a, err := cert.UsualAlgorithm(ca.RootKey.Public())
		if err != nil || a != ca.Root.SignatureAlgorithm || cert.SignatureAlgorithm(cert.AlgorithmIdentifier(a)) != a {
			t.Errorf("%s: %v, %v", k, a, err)
		}
		signature, err := cert.Sign(ca.RootKey, a, []byte("text"))
		if err != nil || ca.Root.CheckSignature(a, []byte("text"), signature) != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	bare := []byte("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c")
	if cert.SignatureAlgorithm(bare) != x509.SHA384WithRSA {
		t.Error("RSA without parameters is not known")
	}
}

// algorithmOID takes the identifier out of an AlgorithmIdentifier.
func algorithmOID(t *testing.T, id []byte) asn1.ObjectIdentifier {
	t.Helper()
	var s pkix.AlgorithmIdentifier
	if _, err := asn1.Unmarshal(id, &s); err != nil {
		t.Fatal(err)
	}
	return s.Algorithm
}

func TestUnsafeAlgorithmsAreUnknown(t *testing.T) {
	for _, a := range []x509.SignatureAlgorithm{x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA256, 0, 99} {
		if cert.AlgorithmIdentifier(a) != nil {
			t.Errorf("%v has an identifier", a)
		}
		if _, err := cert.Sign(nil, a, nil); err == nil {
			t.Errorf("%v: signed", a)
		}
	}
	if _, err := cert.UsualAlgorithm("no key"); err == nil {
		t.Error("a string signs")
	}
	for id := range 256 { // no other number behind ecdsa-with-SHA2 is known
		der := []byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, byte(id)}
		if known := cert.SignatureAlgorithm(der) != 0; known != (id >= 2 && id <= 4) {
			t.Errorf("%d: %v", id, known)
		}
	}
}
