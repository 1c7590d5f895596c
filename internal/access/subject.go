package access

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"strings"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// SubjectOf reads who the holder of a certificate is; the caller has verified it. nil gives the zero Subject: no
// certificate was shown.
//
// Names that can be read in two ways are not read at all: of several common names none counts, for programs differ in
// which of them they take.
func SubjectOf(c *x509.Certificate) Subject {
	if c == nil {
		return Subject{}
	}
	s := Subject{
		Present: true, Units: c.Subject.OrganizationalUnit,
		Pin: sha256.Sum256(c.RawSubjectPublicKeyInfo), Fingerprint: sha256.Sum256(c.Raw),
		Name: pki.Name(c.Subject), Issuer: pki.Name(c.Issuer),
	}
	if c.SerialNumber != nil {
		s.Serial = c.SerialNumber.Text(16)
	}
	if commonNames(c) == 1 {
		s.CommonName = c.Subject.CommonName
	}
	s.readNames(c)
	if s.Name == "" {
		s.Name = s.anyName()
	}
	return s
}

// commonNames counts them.
func commonNames(c *x509.Certificate) int {
	count := 0
	for _, a := range c.Subject.Names {
		if a.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}) {
			count++
		}
	}
	return count
}

// readNames takes the alternative names as they stand in the certificate: a URI that was taken apart and put together
// again might not be the one that was certified.
func (s *Subject) readNames(c *x509.Certificate) {
	for _, e := range c.Extensions {
		if !e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		names, err := cert.ReadNames(e.Value)
		if err != nil {
			return // without names that can be read it has none
		}
		for _, n := range names {
			switch n.Kind {
			case cert.NameDNS:
				s.DNS = append(s.DNS, strings.ToLower(n.Text))
			case cert.NameEmail:
				s.Emails = append(s.Emails, n.Text)
			case cert.NameURI:
				s.URIs = append(s.URIs, n.Text)
			case cert.NameIP:
				if ip, ok := netip.AddrFromSlice(n.Raw); ok {
					s.IPs = append(s.IPs, ip.Unmap())
				}
			}
		}
	}
}

// anyName is what to call a subject whose name is empty.
func (s *Subject) anyName() string {
	for _, list := range [][]string{s.URIs, s.DNS, s.Emails} {
		if len(list) > 0 {
			return pki.Printable(list[0])
		}
	}
	return "serial " + s.Serial
}
