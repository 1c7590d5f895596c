package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"filippo.io/mldsa"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// certView is one certificate taken apart to be shown. It comes from the tolerant reader, so that a certificate that
// nobody accepts can be looked at as well; strict is nil for such.
type certView struct {
	*cert.Certificate
	strict     *x509.Certificate
	strictErr  error // why crypto/x509 does not read it
	subject    []cert.Attribute
	issuer     []cert.Attribute
	names      []cert.GeneralName
	extensions []extensionView
	isCA       bool
	pathLen    int // -1: no limit, or no CA
	purposes   []string
	policies   []cert.Policy
	now        time.Time
}

// newCertView takes a certificate apart.
func newCertView(der []byte, now time.Time) (*certView, error) {
	c, err := cert.Parse(der)
	if err != nil {
		return nil, err
	}
	v := &certView{Certificate: c, pathLen: -1, now: now}
	v.strict, v.strictErr = cert.ParseX509(der)
	if v.subject, err = cert.ParseName(c.RawSubject); err != nil {
		c.Defects = append(c.Defects, "the subject cannot be read to its end")
	}
	if v.issuer, err = cert.ParseName(c.RawIssuer); err != nil {
		c.Defects = append(c.Defects, "the issuer cannot be read to its end")
	}
	for _, e := range c.Extensions {
		x := newExtensionView(e)
		if x.problem != "" {
			c.Defects = append(c.Defects, "extension "+oidText(e.ID())+": "+x.problem)
		}
		v.extensions = append(v.extensions, x)
	}
	// Errors stand among the defects already.
	if e, ok := c.Find(cert.OIDBasicConstraints); ok {
		v.isCA, v.pathLen, _ = cert.ReadBasicConstraints(e.Value)
	}
	if e, ok := c.Find(cert.OIDSubjectAltName); ok {
		v.names, _ = cert.ReadNames(e.Value)
	}
	if e, ok := c.Find(cert.OIDExtendedKeyUsage); ok {
		v.purposes, _ = cert.ReadIdentifiers(e.Value)
	}
	if e, ok := c.Find(cert.OIDCertificatePolicy); ok {
		v.policies, _ = cert.ReadPolicies(e.Value)
	}
	return v, nil
}

// extension is the view of the first extension with an identifier, nil if absent.
func (v *certView) extension(oid string) *extensionView {
	for i := range v.extensions {
		if v.extensions[i].oid == oid {
			return &v.extensions[i]
		}
	}
	return nil
}

// nameText renders a distinguished name as pki.Name does, also one that crypto/x509 would not read.
func nameText(attributes []cert.Attribute) string {
	var n pkix.Name
	for _, a := range attributes {
		var id asn1.ObjectIdentifier
		for part := range strings.SplitSeq(a.Type, ".") {
			arc, err := strconv.Atoi(part)
			if err != nil {
				id = nil
				break
			}
			id = append(id, arc)
		}
		n.Names = append(n.Names, pkix.AttributeTypeAndValue{Type: id, Value: a.Value})
	}
	if len(n.Names) == 0 {
		return ""
	}
	return pki.Name(n)
}

// rawNameText renders a Name in DER.
func rawNameText(der []byte) string {
	attributes, err := cert.ParseName(der)
	if err != nil {
		return "(unreadable) " + hex.EncodeToString(der)
	}
	return nameText(attributes)
}

// commonName is the last common name of a distinguished name, "" where there is none.
func commonName(attributes []cert.Attribute) string {
	cn := ""
	for _, a := range attributes {
		if a.Type == "2.5.4.3" {
			cn = a.Value
		}
	}
	return cn
}

// title names the certificate in one line.
func (v *certView) title() string {
	if name := nameText(v.subject); name != "" {
		return name
	}
	if len(v.names) > 0 {
		return generalNameText(v.names[0])
	}
	return "serial " + v.serialHex()
}

// isSelfIssued reports whether subject and issuer are the same name.
func (v *certView) isSelfIssued() bool { return bytes.Equal(v.RawSubject, v.RawIssuer) }

// role is the place of the certificate in a chain, in a word.
func (v *certView) role() string {
	switch {
	case v.isCA && v.isSelfIssued():
		return "root"
	case v.isCA:
		return "intermediate"
	case v.isSelfIssued():
		return "self-signed"
	}
	return "leaf"
}

// serialNumber is the serial number, which may be negative where the certificate is wrong.
func (v *certView) serialNumber() *big.Int {
	n := new(big.Int).SetBytes(v.Serial)
	if len(v.Serial) > 0 && v.Serial[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v.Serial))))
	}
	return n
}

func (v *certView) serialHex() string { return v.serialNumber().Text(16) }

// serialText is the serial number in hex, as certificates and CRLs are searched for, and in decimal where that differs.
func (v *certView) serialText() string {
	hexed, decimal := v.serialHex(), v.serialNumber().String()
	if hexed == decimal {
		return hexed
	}
	return hexed + " (" + decimal + ")"
}

// keyText describes the key for people.
func (v *certView) keyText() string {
	if v.PublicKey != nil {
		text := pki.DescribeKey(v.PublicKey)
		if k, ok := v.PublicKey.(*rsa.PublicKey); ok {
			text += fmt.Sprintf(", exponent %d", k.E)
		}
		if v.PSSOnly {
			text += ", for RSA-PSS only"
		}
		return text
	}
	text := oidName(v.SPKIAlgorithm.String())
	if text == "" {
		text = "unknown kind " + v.SPKIAlgorithm.String()
	}
	var curve asn1.ObjectIdentifier
	params := cryptobyte.String(v.SPKIParameters)
	if params.ReadASN1ObjectIdentifier(&curve) {
		text += " on " + oidText(curve.String())
	}
	return text
}

// keyStrength is about how many bits of work the key stands for (NIST SP 800-57 Part 1, table 2); 0: not known.
func keyStrength(key any) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		switch bits := k.N.BitLen(); {
		case bits >= 15360:
			return 256
		case bits >= 7680:
			return 192
		case bits >= 3072:
			return 128
		case bits >= 2048:
			return 112
		case bits >= 1024:
			return 80
		}
		return 60
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize / 2
	case ed25519.PublicKey:
		return 128
	case *mldsa.PublicKey:
		return mldsaStrength(k)
	}
	return 0
}

// keyBits is the size of the key in bits, 0: not known.
func keyBits(key any) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return 256
	case *mldsa.PublicKey:
		return 8 * len(k.Bytes())
	}
	return 0
}

// mldsaStrength is that of the symmetric key that the NIST compares with: SHA-256 collisions, AES-192, AES-256
// (FIPS 204, Table 1).
func mldsaStrength(k *mldsa.PublicKey) int {
	switch k.Parameters() {
	case mldsa.MLDSA44():
		return 128
	case mldsa.MLDSA65():
		return 192
	}
	return 256
}

// keyWeakness says what is wrong with a key, "" for nothing.
func keyWeakness(key any) string {
	k, ok := key.(*rsa.PublicKey)
	switch {
	case !ok:
		return ""
	case k.N.BitLen() < pki.MinRSABits:
		return fmt.Sprintf("too short: below %d bits it can be broken or is refused", pki.MinRSABits)
	case k.N.BitLen() > pki.MaxRSABits:
		return fmt.Sprintf("longer than the %d bits that peers put up with", pki.MaxRSABits)
	case k.E < 65537:
		return "the exponent is below 65537"
	}
	return ""
}

// signatureText names the algorithm of the signature.
func (v *certView) signatureText() string {
	oid := v.SignatureAlgorithm.String()
	if oid == "1.2.840.113549.1.1.10" && v.strict != nil && v.strict.SignatureAlgorithm != 0 {
		return "RSA-PSS with " + strings.TrimSuffix(strings.Replace(v.strict.SignatureAlgorithm.String(), "SHA", "SHA-", 1), "-RSAPSS")
	}
	if name := oidName(oid); name != "" {
		return name
	}
	return "unknown algorithm " + oid
}

// signatureWeakness says what is wrong with the algorithm of the signature, "" for nothing.
func (v *certView) signatureWeakness() string {
	name := v.signatureText()
	switch {
	case strings.Contains(name, "MD5"), strings.Contains(name, "MD2"):
		return "broken: anybody can forge it"
	case strings.HasSuffix(name, "SHA-1"):
		return "SHA-1 collides, and is refused everywhere"
	}
	return ""
}

// status says in one word whether the certificate is in force.
func (v *certView) status() string {
	switch {
	case v.NotBefore.IsZero() || v.NotAfter.IsZero():
		return "unreadable"
	case v.now.Before(v.NotBefore):
		return "not yet valid"
	case v.now.After(v.NotAfter):
		return "expired"
	}
	return "valid"
}

// lifeText says whether the certificate is in force, and how far its end is away.
func (v *certView) lifeText() (string, style) {
	life, st := v.life()
	switch v.status() {
	case "valid":
		return "valid, " + life, st
	case "expired":
		return "EXPIRED " + strings.TrimSuffix(life, "over") + "ago", st
	}
	return strings.ToUpper(life), st
}

// life is the distance to the end, in words, with the style that it deserves.
func (v *certView) life() (string, style) {
	stand := &x509.Certificate{NotBefore: v.NotBefore, NotAfter: v.NotAfter}
	if v.status() == "unreadable" {
		return "unreadable", bad
	}
	return lifeLeft(stand, v.now), lifeStyle(stand, v.now)
}

// mustStaple reports whether the server must staple an OCSP response (RFC 7633).
func (v *certView) mustStaple() bool {
	if v.strict != nil {
		return pki.MustStaple(v.strict)
	}
	return v.extension(cert.OIDTLSFeature) != nil
}

// fingerprints are the hashes by which people and programs know a certificate.
type fingerprints struct{ sha256, sha1, pin string }

func (v *certView) fingerprints() fingerprints {
	legacy, spki := sha1.Sum(v.Raw), sha256.Sum256(v.RawSPKI)
	return fingerprints{pki.Fingerprint(v.Raw), hex.EncodeToString(legacy[:]), base64.StdEncoding.EncodeToString(spki[:])}
}

// keyIDs are the identifiers by which certificate and issuer find each other, hex; "" where absent.
func (v *certView) keyIDs() (subject, authority string) {
	if e, ok := v.Find(cert.OIDSubjectKeyID); ok {
		id, _ := cert.ReadOctets(e.Value)
		subject = hex.EncodeToString(id)
	}
	if e, ok := v.Find(cert.OIDAuthorityKeyID); ok {
		id, _ := cert.ReadAuthorityKeyID(e.Value)
		authority = hex.EncodeToString(id.KeyID)
	}
	return subject, authority
}

// derSequence reports whether data begins as a SEQUENCE in DER whose length fits.
func derSequence(data []byte) bool {
	in := cryptobyte.String(data)
	var s cryptobyte.String
	return in.ReadASN1(&s, cbasn1.SEQUENCE)
}
