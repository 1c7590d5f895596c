package pki

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The identifiers of what we write, as content octets: mostly from the arcs
// 2.5.29 (id-ce) and 1.3.6.1.5.5.7 (id-pkix).
var (
	idSubjectKeyID     = []byte{0x55, 29, 14}
	idKeyUsage         = []byte{0x55, 29, 15}
	idSubjectAltName   = []byte{0x55, 29, 17}
	idBasicConstraints = []byte{0x55, 29, 19}
	idCRLDistribution  = []byte{0x55, 29, 31}
	idPolicies         = []byte{0x55, 29, 32}
	idAuthorityKeyID   = []byte{0x55, 29, 35}
	idExtKeyUsage      = []byte{0x55, 29, 37}
	idAnyPurpose       = []byte{0x55, 29, 37, 0}
	idAuthorityInfo    = []byte{0x2b, 6, 1, 5, 5, 7, 1, 1}
	idPurpose          = []byte{0x2b, 6, 1, 5, 5, 7, 3}
	idAccessOCSP       = []byte{0x2b, 6, 1, 5, 5, 7, 48, 1}
	idAccessIssuers    = []byte{0x2b, 6, 1, 5, 5, 7, 48, 2}
)

// explicit is the tag of an EXPLICIT or constructed context-specific field.
func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// markers are the extensions that are there or not, without anything to vary.
func markers(spec *ProfileSpec, staple bool) []pkix.Extension {
	null := []byte{5, 0}
	var list []pkix.Extension
	if slices.Contains(spec.ExtKeyUsage, x509.ExtKeyUsageTimeStamping) {
		// RFC 3161, Section 2.3: the extended key usage of a time stamper MUST be critical.
		list = append(list, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
			Value: append([]byte{0x30, 10, 6, 8}, append(idPurpose, byte(x509.ExtKeyUsageTimeStamping))...)})
	}
	if staple {
		// RFC 7633, Section 6: the number of status_request is 5.
		list = append(list, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}})
	}
	if spec.OCSPNoCheck {
		list = append(list, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: null})
	}
	if spec.ShortLived {
		list = append(list, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 56}, Value: null})
	}
	return list
}

// addExtensions writes the extensions in the order of crypto/x509, then the extra
// ones, which take the place of those with the same identifier.
func addExtensions(b *cryptobyte.Builder, t *x509.Certificate, nameless bool) {
	b.AddASN1(explicit(3), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			add := func(id []byte, critical bool, value func(*cryptobyte.Builder)) {
				if !isExtra(t, id) {
					addExtension(b, id, critical, value)
				}
			}
			if t.KeyUsage != 0 {
				add(idKeyUsage, true, func(b *cryptobyte.Builder) { addKeyUsage(b, t.KeyUsage) })
			}
			if len(t.ExtKeyUsage)+len(t.UnknownExtKeyUsage) > 0 {
				add(idExtKeyUsage, false, func(b *cryptobyte.Builder) { addPurposes(b, t) })
			}
			if t.BasicConstraintsValid {
				add(idBasicConstraints, true, func(b *cryptobyte.Builder) { addBasicConstraints(b, t) })
			}
			if len(t.SubjectKeyId) > 0 {
				add(idSubjectKeyID, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(t.SubjectKeyId) })
			}
			if len(t.AuthorityKeyId) > 0 {
				add(idAuthorityKeyID, false, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(t.AuthorityKeyId) })
					})
				})
			}
			if len(t.OCSPServer)+len(t.IssuingCertificateURL) > 0 {
				add(idAuthorityInfo, false, func(b *cryptobyte.Builder) { addAuthorityInfo(b, t) })
			}
			if sanKinds(t) != 0 {
				// RFC 5280, Section 4.2.1.6: critical where the subject is empty.
				add(idSubjectAltName, nameless, func(b *cryptobyte.Builder) { addAltNames(b, t) })
			}
			if len(t.Policies) > 0 {
				add(idPolicies, false, func(b *cryptobyte.Builder) { addPolicies(b, t.Policies) })
			}
			if len(t.CRLDistributionPoints) > 0 {
				add(idCRLDistribution, false, func(b *cryptobyte.Builder) { addDistributionPoints(b, t.CRLDistributionPoints) })
			}
			for _, e := range t.ExtraExtensions {
				id, err := x509.OIDFromASN1OID(e.Id)
				if err != nil {
					b.SetError(err)
					return
				}
				raw, err := id.MarshalBinary()
				if err != nil {
					b.SetError(err)
					return
				}
				addExtension(b, raw, e.Critical, func(b *cryptobyte.Builder) { b.AddBytes(e.Value) })
			}
		})
	})
}

// isExtra reports whether the extension with these content octets is replaced.
func isExtra(t *x509.Certificate, id []byte) bool {
	for _, e := range t.ExtraExtensions {
		if len(id) == 3 && len(e.Id) == 4 && e.Id[0] == 2 && e.Id[1] == 5 && e.Id[2] == int(id[1]) && e.Id[3] == int(id[2]) {
			return true
		}
		if len(id) == 8 && e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}) {
			return true
		}
	}
	return false
}

func addExtension(b *cryptobyte.Builder, id []byte, critical bool, value func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addOID(b, id)
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1(cbasn1.OCTET_STRING, value)
	})
}

func addOID(b *cryptobyte.Builder, id []byte) {
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(id) })
}

// addKeyUsage writes a BIT STRING without trailing zero bits, as DER has it for
// named bits (X.690, 11.2.2). Bit 0 is the highest of the first octet.
func addKeyUsage(b *cryptobyte.Builder, u x509.KeyUsage) {
	octets := []byte{bits.Reverse8(byte(u)), bits.Reverse8(byte(u >> 8))}
	if octets[1] == 0 {
		octets = octets[:1]
	}
	unused := bits.TrailingZeros8(octets[len(octets)-1])
	b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) {
		b.AddUint8(uint8(unused))
		b.AddBytes(octets)
	})
}

func addPurposes(b *cryptobyte.Builder, t *x509.Certificate) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, u := range t.ExtKeyUsage {
			switch {
			case u == x509.ExtKeyUsageAny:
				addOID(b, idAnyPurpose)
			case u >= x509.ExtKeyUsageServerAuth && u <= x509.ExtKeyUsageOCSPSigning:
				// crypto/x509 counts as id-kp does.
				b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) {
					b.AddBytes(idPurpose)
					b.AddUint8(uint8(u))
				})
			case u > x509.ExtKeyUsageOCSPSigning && u <= x509.ExtKeyUsageMicrosoftKernelCodeSigning:
				addLongOID(b, u.OID())
			default:
				b.SetError(fmt.Errorf("unknown extended key usage %d", u))
			}
		}
		for _, id := range t.UnknownExtKeyUsage {
			b.AddASN1ObjectIdentifier(id)
		}
	})
}

func addLongOID(b *cryptobyte.Builder, id x509.OID) {
	raw, err := id.MarshalBinary()
	if err != nil || len(raw) == 0 {
		b.SetError(errors.New("an object identifier is empty"))
		return
	}
	addOID(b, raw)
}

func addBasicConstraints(b *cryptobyte.Builder, t *x509.Certificate) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if t.IsCA {
			b.AddASN1Boolean(true)
		}
		if t.MaxPathLen > 0 || t.MaxPathLenZero {
			b.AddASN1Int64(int64(t.MaxPathLen))
		}
	})
}

func addAuthorityInfo(b *cryptobyte.Builder, t *x509.Certificate) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		access := func(method []byte, url string) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, method)
				addString(b, generalTag(6), url)
			})
		}
		for _, url := range t.OCSPServer {
			access(idAccessOCSP, url)
		}
		for _, url := range t.IssuingCertificateURL {
			access(idAccessIssuers, url)
		}
	})
}

func addAltNames(b *cryptobyte.Builder, t *x509.Certificate) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, name := range t.DNSNames {
			addString(b, generalTag(2), name)
		}
		for _, name := range t.EmailAddresses {
			addString(b, generalTag(1), name)
		}
		for _, ip := range t.IPAddresses {
			b.AddASN1(generalTag(7), func(b *cryptobyte.Builder) {
				if short := ip.To4(); short != nil {
					ip = short
				}
				b.AddBytes(ip)
			})
		}
		for _, u := range t.URIs {
			addString(b, generalTag(6), u.String())
		}
	})
}

// addString writes an IA5String of the given tag.
func addString(b *cryptobyte.Builder, tag cbasn1.Tag, s string) {
	if !isASCII(s) {
		b.SetError(fmt.Errorf("%q is not ASCII", Printable(s)))
		return
	}
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
}

func addPolicies(b *cryptobyte.Builder, policies []x509.OID) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, p := range policies {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addLongOID(b, p) })
		}
	})
}

// addDistributionPoints writes one point with one name for each URL (RFC 5280,
// Section 4.2.1.13).
func addDistributionPoints(b *cryptobyte.Builder, urls []string) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, url := range urls {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
					b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { addString(b, generalTag(6), url) })
				})
			})
		}
	})
}
