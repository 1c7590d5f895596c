package pki

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/tlswright/tlswright/pki/cert"
)

// maxCSR bounds a certificate request, in bytes of DER or PEM.
const maxCSR = 64 << 10

// CSRRequest says what a certificate request (PKCS #10) shall ask for.
type CSRRequest struct {
	Subject pkix.Name
	// CommonName replaces Subject.CommonName where it is not "".
	CommonName string
	// SANs are written as in [Request].
	SANs       []string
	MustStaple bool
	// SignatureAlgorithm; zero: the key's usual one.
	SignatureAlgorithm x509.SignatureAlgorithm
}

// CSR is a certificate request whose signature was checked: its sender has the
// key. What it asks for is the sender's wish and nothing more.
type CSR struct {
	Raw     []byte // DER
	Key     crypto.PublicKey
	Subject pkix.Name // as sent; pass its strings through [Name] or [Printable]
	// SANs are the names asked for, in the form of Request.SANs, always with their
	// prefix: "dns:a.example". They have not been checked; issuing does that.
	SANs       []string
	MustStaple bool
	// Ignored lists, in words fit to print, what the request asks for and
	// [RequestFromCSR] does not take over: the profile decides it.
	Ignored []string
	// Algorithm is what the request is signed with.
	Algorithm x509.SignatureAlgorithm
}

// CreateCSR makes a certificate request in DER (RFC 2986), signed by key. What no
// CA of ours would issue is refused with a [*RefusedError].
func CreateCSR(req CSRRequest, key crypto.Signer) ([]byte, error) {
	if key == nil {
		return nil, errors.New("no key to sign with")
	}
	if err := checkKey(key.Public()); err != nil {
		return nil, err
	}
	if err := checkSignatureAlgorithm(req.SignatureAlgorithm); err != nil {
		return nil, err
	}
	names := x509.Certificate{Subject: req.Subject}
	if req.CommonName != "" {
		names.Subject.CommonName = req.CommonName
	}
	if err := setNames(&names, &ProfileSpec{}, req.SANs); err != nil {
		return nil, err
	}
	t := &x509.CertificateRequest{
		Subject: names.Subject, DNSNames: names.DNSNames, IPAddresses: names.IPAddresses, URIs: names.URIs,
		EmailAddresses: names.EmailAddresses, SignatureAlgorithm: req.SignatureAlgorithm,
	}
	if _, ok := key.(*PSSKey); ok && t.SignatureAlgorithm == 0 {
		t.SignatureAlgorithm = x509.SHA256WithRSAPSS
	}
	if _, err := signatureAlgorithmFor(key.Public(), t.SignatureAlgorithm); err != nil {
		return nil, err
	}
	if req.MustStaple {
		t.ExtraExtensions = markers(&ProfileSpec{}, true)
	}
	der, err := cert.CreateRequest(t, key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate request: %w", err)
	}
	return der, nil
}

// AppendCSRPEM appends der to b as a CERTIFICATE REQUEST block (RFC 7468,
// Section 7).
func AppendCSRPEM(b, der []byte) []byte {
	return append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})...)
}

// ParseCSR reads one certificate request, PEM or DER, of at most 64 KiB, and
// checks its signature. Keys that are too large are refused before that.
func ParseCSR(data []byte) (*CSR, error) {
	if len(data) > maxCSR {
		return nil, fmt.Errorf("certificate request: %d bytes, more than the limit of %d", len(data), maxCSR)
	}
	der, err := csrDER(data)
	if err != nil {
		return nil, err
	}
	r, err := cert.ParseRequest(der)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	if k, ok := r.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > MaxRSABits {
		return nil, checkKey(r.PublicKey)
	}
	if r.PublicKey == nil {
		return nil, refuse("make a new key: p256, ed25519 or rsa2048", "certificate request: a key of a kind that cannot be certified")
	}
	if checkSignatureAlgorithm(r.SignatureAlgorithm) != nil {
		return nil, refuse("make the request anew with SHA-256", "the certificate request is signed with %v, which can be forged", cert.AlgorithmName(r.SignatureAlgorithm))
	}
	if err := cert.CheckRequest(r); err != nil {
		return nil, refuse("make the request anew with its key", "the signature of the certificate request is not that of its key")
	}
	c := &CSR{Raw: r.Raw, Key: r.PublicKey, Subject: r.Subject, Algorithm: r.SignatureAlgorithm}
	return c, c.read(r)
}

// csrDER takes the request out of PEM; other blocks, such as the key, are skipped.
func csrDER(data []byte) ([]byte, error) {
	if len(data) > 0 && data[0] == 0x30 {
		return data, nil
	}
	var der []byte
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
			continue
		}
		if der != nil {
			return nil, errors.New("certificate request: more than one of them")
		}
		der = block.Bytes
	}
	if der == nil {
		if bytes.Contains(data, []byte("BEGIN CERTIFICATE-----")) {
			return nil, refuse("ask its owner for the request (CERTIFICATE REQUEST)", "a certificate, not a certificate request")
		}
		return nil, errors.New("no certificate request in PEM or DER form")
	}
	return der, nil
}

// read sorts what the request asks for into what is taken and what is not.
func (c *CSR) read(r *x509.CertificateRequest) error {
	seen := make(map[string]bool)
	for _, e := range r.Extensions {
		id := e.Id.String()
		if seen[id] {
			return fmt.Errorf("certificate request: extension %s twice", id)
		}
		seen[id] = true
		switch id {
		case "2.5.29.17":
			if err := c.readNames(r, e.Value); err != nil {
				return err
			}
		case "1.3.6.1.5.5.7.1.24":
			if string(e.Value) == "\x30\x03\x02\x01\x05" {
				c.MustStaple = true
				continue
			}
			c.Ignored = append(c.Ignored, "a TLS feature other than must-staple")
		default:
			c.Ignored = append(c.Ignored, extensionName(id))
		}
	}
	for _, a := range r.Subject.Names {
		if !isTakenAttribute(a.Type) {
			c.Ignored = append(c.Ignored, "the subject's attribute "+attributeName(a.Type))
		}
	}
	return nil
}

// readNames takes the names in the order of the kinds. Names of other kinds (a
// user principal, a directory name) are reported.
func (c *CSR) readNames(r *x509.CertificateRequest, value []byte) error {
	var all subjectNames
	if err := all.readAlternatives(value); err != nil {
		return fmt.Errorf("certificate request: %w", err)
	}
	if n := len(all.dns) + len(all.ip) + len(all.uri) + len(all.email); n > maxSANs {
		return fmt.Errorf("certificate request: %d subject alternative names, more than %d", n, maxSANs)
	}
	for _, name := range r.DNSNames {
		c.SANs = append(c.SANs, "dns:"+name)
	}
	for _, ip := range all.ip {
		c.SANs = append(c.SANs, "ip:"+ip.String())
	}
	for _, u := range r.URIs {
		c.SANs = append(c.SANs, "uri:"+u.String())
	}
	for _, name := range r.EmailAddresses {
		c.SANs = append(c.SANs, "email:"+name)
	}
	if len(all.other)+len(all.dir) > 0 {
		c.Ignored = append(c.Ignored, "subject alternative names of kinds that are not issued")
	}
	return nil
}

// isTakenAttribute reports whether pkix.Name has a field for the attribute.
func isTakenAttribute(id asn1.ObjectIdentifier) bool {
	switch attributeName(id) {
	case "CN", "serialNumber", "C", "L", "ST", "STREET", "O", "OU", "postalCode":
		return true
	}
	return false
}

// extensionName names an extension that a request may ask for.
func extensionName(id string) string {
	switch id {
	case "2.5.29.14":
		return "subject key identifier"
	case "2.5.29.15":
		return "key usage"
	case "2.5.29.19":
		return "basic constraints"
	case "2.5.29.30":
		return "name constraints"
	case "2.5.29.31":
		return "CRL distribution points"
	case "2.5.29.32":
		return "certificate policies"
	case "2.5.29.35":
		return "authority key identifier"
	case "2.5.29.37":
		return "extended key usage"
	case "1.3.6.1.5.5.7.1.1":
		return "authority information access"
	}
	return "extension " + id
}

// RequestFromCSR turns a certificate request into a request to an issuer: key,
// subject, names and must-staple are taken over, all else comes from the profile.
// A common name that is a host name is added to the names of a server that asks for
// none.
func RequestFromCSR(c *CSR, p Profile) (Request, error) {
	if c == nil || c.Key == nil {
		return Request{}, errors.New("no certificate request")
	}
	spec, err := BuiltinProfile(p)
	if err != nil {
		return Request{}, err
	}
	req := c.Request(&spec)
	req.Profile, req.Spec = p, nil
	return req, nil
}

// Request does what [RequestFromCSR] does, for a profile of one's own.
func (c *CSR) Request(spec *ProfileSpec) Request {
	s := c.Subject
	req := Request{
		Spec: spec, Key: c.Key, SANs: slices.Clone(c.SANs), MustStaple: c.MustStaple && spec.serves(),
		Subject: pkix.Name{
			Country: s.Country, Organization: s.Organization, OrganizationalUnit: s.OrganizationalUnit, Locality: s.Locality,
			Province: s.Province, StreetAddress: s.StreetAddress, PostalCode: s.PostalCode, SerialNumber: s.SerialNumber, CommonName: s.CommonName,
		},
	}
	if spec.NeedsSAN && spec.serves() && len(req.SANs) == 0 && checkDNS(s.CommonName, true) == "" {
		req.SANs = []string{s.CommonName}
	}
	return req
}
