package cert

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of extensions, dotted, for [Certificate.Find].
const (
	OIDSubjectKeyID       = "2.5.29.14" // RFC 5280, Section 4.2.1.2
	OIDKeyUsage           = "2.5.29.15" // RFC 5280, Section 4.2.1.3
	OIDSubjectAltName     = "2.5.29.17" // RFC 5280, Section 4.2.1.6
	OIDBasicConstraints   = "2.5.29.19" // RFC 5280, Section 4.2.1.9
	OIDNameConstraints    = "2.5.29.30" // RFC 5280, Section 4.2.1.10
	OIDAuthorityKeyID     = "2.5.29.35" // RFC 5280, Section 4.2.1.1
	OIDExtendedKeyUsage   = "2.5.29.37" // RFC 5280, Section 4.2.1.12
	OIDTLSFeature         = "1.3.6.1.5.5.7.1.24"
	OIDAuthorityInfo      = "1.3.6.1.5.5.7.1.1"
	OIDSignedTimestamps   = "1.3.6.1.4.1.11129.2.4.2"
	OIDCertificatePolicy  = "2.5.29.32"
	OIDCRLDistribution    = "2.5.29.31"
	OIDDelegatedCredUsage = "1.3.6.1.4.1.44363.44"
)

const (
	usualExtensions = 10             // room for those that a certificate of the web has
	rawKeyUsage     = "\x55\x1d\x0f" // OIDKeyUsage, as it is encoded
)

// KeyUsage is the set of bits of RFC 5280, Section 4.2.1.3; bit n of the ASN.1
// BIT STRING is 1<<n here.
type KeyUsage uint16

// The named bits of KeyUsage.
const (
	DigitalSignature KeyUsage = 1 << iota
	NonRepudiation
	KeyEncipherment
	DataEncipherment
	KeyAgreement
	KeyCertSign
	CRLSign
	EncipherOnly
	DecipherOnly
)

// String lists the bits by their RFC names, "digitalSignature, keyCertSign".
func (u KeyUsage) String() string {
	names := []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
		"keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"}
	var set []string
	for i, n := range names {
		if u&(1<<i) != 0 {
			set = append(set, n)
		}
	}
	return strings.Join(set, ", ")
}

// Find returns the value of the first extension with the dotted identifier oid.
func (c *Certificate) Find(oid string) (Extension, bool) {
	for _, e := range c.Extensions {
		if e.OID.String() == oid {
			return e, true
		}
	}
	return Extension{}, false
}

func (c *Certificate) parseExtensions(explicit cryptobyte.String) error {
	const field = "tbsCertificate.extensions"
	var list cryptobyte.String
	if !explicit.ReadASN1(&list, cbasn1.SEQUENCE) {
		return malformed(field)
	}
	if !explicit.Empty() {
		c.defect("%d bytes follow the extensions", len(explicit))
	}
	c.Extensions = make([]Extension, 0, usualExtensions)
	for i := 0; !list.Empty(); i++ {
		if i == maxExtensions {
			return &ParseError{field, fmt.Sprintf("more than %d of them", maxExtensions)}
		}
		e, ok := readExtension(&list)
		if !ok {
			return malformed(fmt.Sprintf("%s[%d]", field, i))
		}
		if c.carries(e.RawOID) {
			// RFC 5280, Section 4.2: a certificate MUST NOT include more than one
			// instance of a particular extension.
			c.defect("extension %v appears twice", e.OID)
		} else if string(e.RawOID) == rawKeyUsage {
			c.HasKeyUsage = true
			if c.KeyUsage, ok = readKeyUsage(e.Value); !ok {
				c.defect("the key usage extension is malformed")
			}
		}
		c.Extensions = append(c.Extensions, e)
	}
	return nil
}

// carries reports whether an extension of that kind has been read. A look through a few is cheaper than a map of them.
func (c *Certificate) carries(rawOID []byte) bool {
	for i := range c.Extensions {
		if bytes.Equal(c.Extensions[i].RawOID, rawOID) {
			return true
		}
	}
	return false
}

func readExtension(list *cryptobyte.String) (e Extension, ok bool) {
	var s, oid, value cryptobyte.String
	if !list.ReadASN1(&s, cbasn1.SEQUENCE) {
		return e, false
	}
	rest := s
	if !s.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
		return e, false
	}
	e.RawOID = oid
	if !rest.ReadASN1ObjectIdentifier(&e.OID) {
		e.OID = nil
	}
	if s.PeekASN1Tag(cbasn1.BOOLEAN) {
		var b cryptobyte.String
		if !s.ReadASN1(&b, cbasn1.BOOLEAN) || len(b) != 1 {
			return e, false
		}
		e.Critical = b[0] != 0
	}
	if !s.ReadASN1(&value, cbasn1.OCTET_STRING) { // what follows is passed over, as the library does
		return e, false
	}
	e.Value = value
	return e, true
}

func readKeyUsage(value cryptobyte.String) (KeyUsage, bool) {
	var bits asn1.BitString
	if !value.ReadASN1BitString(&bits) || !value.Empty() {
		return 0, false
	}
	var u KeyUsage
	for i := range 9 {
		if bits.At(i) != 0 {
			u |= 1 << i
		}
	}
	return u, true
}

// AltNames are the subject alternative names a TLS endpoint may go by. The
// strings are the peer's: pass them through pki.Printable before showing them.
type AltNames struct {
	DNS    []string
	Emails []string
	URIs   []string
	IPs    []netip.Addr
	Others int // names of other kinds
}

// AltNames reads the subjectAltName extension (RFC 5280, Section 4.2.1.6). It is
// empty without error when the extension is absent.
func (c *Certificate) AltNames() (AltNames, error) {
	var names AltNames
	e, ok := c.Find(OIDSubjectAltName)
	if !ok {
		return names, nil
	}
	in := cryptobyte.String(e.Value)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return names, malformed("subjectAltName")
	}
	for i := 0; !list.Empty(); i++ {
		var v cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1(&v, &tag) {
			return names, malformed(fmt.Sprintf("subjectAltName[%d]", i))
		}
		switch tag {
		case cbasn1.Tag(1).ContextSpecific():
			names.Emails = append(names.Emails, string(v))
		case cbasn1.Tag(2).ContextSpecific():
			names.DNS = append(names.DNS, string(v))
		case cbasn1.Tag(6).ContextSpecific():
			names.URIs = append(names.URIs, string(v))
		case cbasn1.Tag(7).ContextSpecific():
			ip, ok := netip.AddrFromSlice(v)
			if !ok {
				return names, malformed(fmt.Sprintf("subjectAltName[%d].iPAddress", i))
			}
			names.IPs = append(names.IPs, ip)
		default:
			names.Others++
		}
	}
	return names, nil
}
