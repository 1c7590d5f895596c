package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
)

// Name renders a distinguished name for people, most specific part first:
// "CN=www.example, O=Example". The order and the escapes are those of RFC 4514,
// Section 2; what may harm a terminal is escaped by [Printable]. An empty name
// gives "".
func Name(n pkix.Name) string {
	attributes := n.Names
	if len(attributes) == 0 {
		for _, rdn := range n.ToRDNSequence() {
			attributes = append(attributes, rdn...)
		}
	}
	parts := make([]string, 0, len(attributes))
	for i := len(attributes) - 1; i >= 0; i-- {
		a := attributes[i]
		value, ok := a.Value.(string)
		if !ok {
			value = fmt.Sprintf("%v", a.Value)
		}
		parts = append(parts, attributeName(a.Type)+"="+escapeValue(value))
	}
	return strings.Join(parts, ", ")
}

// attributeName gives the short name of RFC 4514, Section 3 and a few others
// that occur in certificates; unknown types stay dotted.
func attributeName(oid asn1.ObjectIdentifier) string {
	switch oid.String() {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.5":
		return "serialNumber"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.9":
		return "STREET"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "2.5.4.15":
		return "businessCategory"
	case "2.5.4.17":
		return "postalCode"
	case "2.5.4.97":
		return "organizationIdentifier"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	case "1.2.840.113549.1.9.1":
		return "emailAddress"
	case "1.3.6.1.4.1.311.60.2.1.1":
		return "jurisdictionL"
	case "1.3.6.1.4.1.311.60.2.1.2":
		return "jurisdictionST"
	case "1.3.6.1.4.1.311.60.2.1.3":
		return "jurisdictionC"
	}
	return oid.String()
}

// escapeValue escapes what would make two attributes out of one (RFC 4514,
// Section 2.4).
func escapeValue(v string) string {
	var b strings.Builder
	for i := range len(v) { // bytes, so that broken UTF-8 reaches Printable as it is
		if strings.IndexByte(`,+"\<>;`, v[i]) >= 0 || i == 0 && (v[i] == '#' || v[i] == ' ') || i == len(v)-1 && v[i] == ' ' {
			b.WriteByte('\\')
		}
		b.WriteByte(v[i])
	}
	return Printable(b.String())
}

// describe names a certificate to a person even when its subject is empty.
func describe(c *x509.Certificate) string {
	if name := Name(c.Subject); name != "" {
		return name
	}
	if names := certificateNames(c); len(names) > 0 {
		return Printable(names[0])
	}
	return "serial " + c.SerialNumber.Text(16)
}

// issuerName names a certificate's issuer.
func issuerName(c *x509.Certificate) string {
	if name := Name(c.Issuer); name != "" {
		return name
	}
	return "(empty name)"
}

// certificateNames lists the names a TLS endpoint may be checked against, as the
// certificate has them.
func certificateNames(c *x509.Certificate) []string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	return append(names, c.EmailAddresses...)
}
