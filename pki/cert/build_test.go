package cert_test

import (
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// parts is a certificate in pieces of raw DER, so that tests can break any one.
type parts struct {
	version    []byte
	serial     []byte
	algorithm  []byte
	issuer     []byte
	validity   []byte
	subject    []byte
	spki       []byte
	tail       []byte // from issuerUniqueID on
	outerAlg   []byte // nil: as algorithm
	signature  []byte
	afterOuter []byte
}

// takeApart splits a certificate made by the library.
func takeApart(t testing.TB, c *x509.Certificate) parts {
	t.Helper()
	var p parts
	in := cryptobyte.String(c.RawTBSCertificate)
	var s cryptobyte.String
	if !in.ReadASN1(&s, cbasn1.SEQUENCE) {
		t.Fatal("malformed")
	}
	for _, to := range []*[]byte{&p.version, &p.serial, &p.algorithm, &p.issuer, &p.validity, &p.subject, &p.spki} {
		var e cryptobyte.String
		var tag cbasn1.Tag
		if !s.ReadAnyASN1Element(&e, &tag) {
			t.Fatal("malformed")
		}
		*to = e
	}
	p.tail = s
	p.signature = tlv(cbasn1.BIT_STRING, append([]byte{0}, c.Signature...))
	return p
}

func (p parts) der() []byte {
	outer := p.outerAlg
	if outer == nil {
		outer = p.algorithm
	}
	tbs := seq(p.version, p.serial, p.algorithm, p.issuer, p.validity, p.subject, p.spki, p.tail)
	return seq(tbs, outer, p.signature, p.afterOuter)
}

func tlv(tag cbasn1.Tag, content ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, c := range content {
			b.AddBytes(c)
		}
	})
	return b.BytesOrPanic()
}

func seq(content ...[]byte) []byte { return tlv(cbasn1.SEQUENCE, content...) }

func oid(arcs ...int) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier(arcs))
	return b.BytesOrPanic()
}

// context wraps content in an explicit context tag.
func context(n uint8, content ...[]byte) []byte {
	return tlv(cbasn1.Tag(n).Constructed().ContextSpecific(), content...)
}

// spkiOf builds SubjectPublicKeyInfo.
func spkiOf(algorithm, key []byte) []byte {
	return seq(algorithm, tlv(cbasn1.BIT_STRING, []byte{0}, key))
}

// extensionsOf builds the extensions field.
func extensionsOf(list ...[]byte) []byte { return context(3, seq(list...)) }

func extension(id []byte, value []byte) []byte {
	return seq(id, tlv(cbasn1.OCTET_STRING, value))
}

func validityOf(tag cbasn1.Tag, from, to string) []byte {
	return seq(tlv(tag, []byte(from)), tlv(tag, []byte(to)))
}
