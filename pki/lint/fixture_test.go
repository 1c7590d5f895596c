package lint

import (
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

// build is a certificate of which every part can be made wrong. It is never
// signed: no lint looks at the signature.
type build struct {
	version       []byte // with its header; nil: absent
	serial        []byte // content
	inner, outer  []byte // AlgorithmIdentifiers
	issuer        []byte
	from, to      []byte // times with their headers
	subject       []byte
	key           []byte
	uniqueID      []byte
	extensions    []built
	withoutList   bool // no extensions field at all
	trailing      []byte
	issuerOf      *x509.Certificate
	kind          Kind
	beforeWriting func(tbs []byte) []byte
}

// built is one extension.
type built struct {
	id    string
	flag  []byte // the BOOLEAN critical with its header; nil: absent
	value []byte
}

// tlv writes one element; contents longer than 64 KiB do not occur here.
func tlv(tag byte, contents ...[]byte) []byte {
	body := slices.Concat(contents...)
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
}

func oid(id string) []byte                 { return tlv(6, []byte(id)) }
func seq(contents ...[]byte) []byte        { return tlv(0x30, contents...) }
func text(tag byte, s string) []byte       { return tlv(tag, []byte(s)) }
func utc(s string) []byte                  { return text(23, s) }
func generalized(s string) []byte          { return text(24, s) }
func dns(s string) []byte                  { return text(0x82, s) }
func uri(s string) []byte                  { return text(0x86, s) }
func email(s string) []byte                { return text(0x81, s) }
func names(list ...[]byte) []byte          { return seq(list...) }
func critical() []byte                     { return []byte{1, 1, 0xff} }
func algorithm(id string, p []byte) []byte { return seq(oid(id), p) }

// dn writes a distinguished name of attributes made by att.
func dn(attributes ...[]byte) []byte {
	var sets [][]byte
	for _, a := range attributes {
		sets = append(sets, tlv(0x31, a))
	}
	return seq(sets...)
}

func att(id string, tag byte, value string) []byte { return seq(oid(id), text(tag, value)) }

func ecdsaSHA256() []byte { return algorithm(idECDSAWith+"\x03\x02", nil) }
func rsaSHA256() []byte   { return algorithm(idPKCS1+"\x0b", []byte{5, 0}) }

const (
	curveP256 = "\x2a\x86\x48\xce\x3d\x03\x01\x07"
	// pointP256 is the generator of P-256, a point as good as any.
	pointP256 = "\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96" +
		"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
)

func bitString(unused byte, b []byte) []byte { return tlv(3, []byte{unused}, b) }

func ecKey(curve []byte, point string) []byte {
	return seq(seq(oid(idECKey), curve), bitString(0, []byte(point)))
}

// rsaKey makes a key with this modulus, which is given as its content octets.
func rsaKey(params, modulus, exponent []byte) []byte {
	return seq(seq(oid(idRSA), params), bitString(0, seq(tlv(2, modulus), tlv(2, exponent))))
}

// modulus is an odd number of n octets, without small factors for 256 and 128: it
// is the product of nothing in particular, drawn until [lintRsaModulusFactors]
// was content.
func modulus(n int) []byte {
	b := make([]byte, n+1)
	state := uint32(n)
	for i := 1; i <= n; i++ {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	b[1] |= 0x80
	for b[n] |= 1; ; b[n] += 2 {
		c := certificate{spki: rsaKey([]byte{5, 0}, b, []byte{1, 0, 1})}
		if lintRsaModulusFactors.check(&c) == nil {
			return b
		}
	}
}

func null() []byte { return []byte{5, 0} }

func ed25519Key(n int, params []byte) []byte {
	return seq(seq(oid(idEd25519), params), bitString(0, make([]byte, n)))
}

func mldsaKey(id string, n int, params []byte) []byte {
	return seq(seq(oid(id), params), bitString(0, make([]byte, n)))
}

// set replaces an extension or adds it.
func (b *build) set(id string, flag []byte, value []byte) {
	for i := range b.extensions {
		if b.extensions[i].id == id {
			b.extensions[i] = built{id, flag, value}
			return
		}
	}
	b.extensions = append(b.extensions, built{id, flag, value})
}

func (b *build) drop(id string) {
	b.extensions = slices.DeleteFunc(b.extensions, func(e built) bool { return e.id == id })
}

func (b *build) sans(list ...[]byte)     { b.set(idSubjectAltName, nil, names(list...)) }
func (b *build) purposes(list ...string) { b.set(idExtKeyUsage, nil, purposesDER(list)) }
func (b *build) usage(bits uint16)       { b.set(idKeyUsage, critical(), usageDER(bits)) }

func (b *build) der() []byte {
	tbs := slices.Concat(b.version, tlv(2, b.serial), b.inner, b.issuer, seq(b.from, b.to), b.subject, b.key, b.uniqueID)
	if !b.withoutList {
		var list [][]byte
		for _, e := range b.extensions {
			list = append(list, seq(oid(e.id), e.flag, tlv(4, e.value)))
		}
		tbs = append(tbs, tlv(0xa3, seq(list...))...)
	}
	if b.beforeWriting != nil {
		tbs = b.beforeWriting(tbs)
	}
	return append(seq(seq(tbs), b.outer, bitString(0, nil)), b.trailing...)
}

const keyIDText = "01234567890123456789"

// goodServer is a server certificate that no lint finds fault with.
func goodServer() *build {
	b := &build{
		version: tlv(0xa0, tlv(2, []byte{2})), serial: []byte("\x01random number 1"), inner: ecdsaSHA256(), outer: ecdsaSHA256(),
		issuer: dn(att(attributeCN, 19, "Test CA")), from: utc("260101000000Z"), to: utc("260331235959Z"),
		subject: dn(att(attributeCN, 12, "a.example")), key: ecKey(oid(curveP256), pointP256),
	}
	b.usage(bitDigitalSignature)
	b.purposes(purposeServer)
	b.set(idBasicConstraints, critical(), seq())
	b.set(idSubjectKeyID, nil, text(4, keyIDText))
	b.set(idAuthorityKeyID, nil, seq(text(0x80, keyIDText)))
	b.sans(dns("a.example"), dns("*.b.example"), text(0x87, "\xc0\x00\x02\x01"), uri("spiffe://td/x"))
	return b
}

// goodLeaf is an end entity of another purpose.
func goodLeaf(purpose string) *build {
	b := goodServer()
	b.subject = dn(att(attributeCN, 12, "Alice"))
	b.drop(idSubjectAltName)
	b.purposes(purpose)
	switch purpose {
	case purposeEmail:
		b.sans(email("alice@a.example"))
	case purposeOCSP:
		b.set(idOCSPNoCheck, nil, null())
	case purposeTime:
		b.set(idExtKeyUsage, critical(), purposesDER([]string{purpose}))
	}
	return b
}

// goodCA is an intermediate, goodRoot a root.
func goodCA() *build {
	b := goodServer()
	b.subject = dn(att(attributeCountry, 19, "DE"), att(attributeCN, 19, "Sub CA"))
	b.to = utc("301231235959Z")
	b.drop(idSubjectAltName)
	b.drop(idExtKeyUsage)
	b.usage(bitKeyCertSign | bitCRLSign)
	b.set(idBasicConstraints, critical(), seq([]byte{1, 1, 0xff}, tlv(2, []byte{0})))
	return b
}

func goodRoot() *build {
	b := goodCA()
	b.subject = b.issuer
	b.to = generalized("20551231235959Z")
	b.drop(idAuthorityKeyID)
	b.set(idBasicConstraints, critical(), seq([]byte{1, 1, 0xff}))
	return b
}

// issuerCertificate is what [goodRoot] would be as an issuer.
func issuerCertificate(change func(*build)) *x509.Certificate {
	b := goodRoot()
	b.key = rsaKey(null(), modulus(384), []byte{1, 0, 1})
	if change != nil {
		change(b)
	}
	c, err := x509.ParseCertificate(b.der())
	if err != nil {
		return nil
	}
	return c
}

// good are certificates without a fault.
func good() map[string]*build {
	list := map[string]*build{
		"server": goodServer(), "ca": goodCA(), "root": goodRoot(), "client": goodLeaf(purposeClient), "email": goodLeaf(purposeEmail),
		"code": goodLeaf(purposeCode), "ocsp": goodLeaf(purposeOCSP), "time": goodLeaf(purposeTime),
	}
	with := func(name string, change func(*build)) {
		b := goodServer()
		change(b)
		list[name] = b
	}
	with("rsa", func(b *build) { b.key = rsaKey(null(), modulus(256), []byte{1, 0, 1}) })
	with("rsa signature", func(b *build) { b.inner, b.outer = rsaSHA256(), rsaSHA256() })
	with("ml-dsa", func(b *build) { b.key = mldsaKey(idMLDSA65, 1952, nil) })
	with("ed25519", func(b *build) { b.key = ed25519Key(32, nil) })
	with("no subject", func(b *build) {
		b.subject = seq()
		b.set(idSubjectAltName, critical(), names(dns("a.example")))
	})
	with("services", func(b *build) {
		b.set(idCRLDistribution, nil, seq(seq(tlv(0xa0, tlv(0xa0, uri("http://a.example/crl"))))))
		b.set(idAuthorityInfo, nil, seq(seq(oid(idAccessOCSP), uri("http://a.example")), seq(oid(idAccessIssuers), uri("http://a.example/ca"))))
		b.set(idTLSFeature, nil, seq(tlv(2, []byte{5})))
		b.set(idPolicies, nil, seq(seq(oid("\x2a\x03")), seq(oid("\x2a\x04"))))
	})
	with("short-lived", func(b *build) {
		b.to = utc("260107000000Z")
		b.set(idNoRevAvail, nil, null())
	})
	return list
}

func TestGoodCertificatesHaveNoFindings(t *testing.T) {
	issuer := issuerCertificate(nil)
	if issuer == nil {
		t.Fatal("the issuer cannot be read")
	}
	for name, b := range good() {
		for _, by := range []*x509.Certificate{nil, issuer} {
			for _, f := range Run(b.der(), by, KindAuto) {
				t.Errorf("%s: %v", name, f)
			}
		}
		if _, err := x509.ParseCertificate(b.der()); err != nil {
			t.Errorf("%s: the library: %v", name, err)
		}
	}
}

func TestKindsAreToldFromTheCertificate(t *testing.T) {
	for name, want := range map[string]Kind{
		"server": KindServer, "ca": KindIntermediate, "root": KindRoot, "client": KindClient, "email": KindEmail, "code": KindCode, "ocsp": KindOCSP, "time": KindLeaf,
	} {
		c, err := parse(good()[name].der())
		if err != nil || kindOf(c) != want {
			t.Errorf("%s: %v, %v", name, kindOf(c), err)
		}
	}
	b := goodServer()
	b.drop(idExtKeyUsage)
	if c, err := parse(b.der()); err != nil || kindOf(c) != KindServer {
		t.Error("a certificate with a host and without purpose is not taken for a server's")
	}
	b.drop(idSubjectAltName)
	if c, err := parse(b.der()); err != nil || kindOf(c) != KindLeaf {
		t.Error("a certificate without host and purpose is taken for a server's")
	}
	for k := KindAuto; k <= KindLeaf+1; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	if got := (cas | server).String(); got != "root, intermediate, server" {
		t.Error(got)
	}
}

// show prints a fixture so that other tools can look at it.
func show(b *build) string {
	return strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.der()})))
}
