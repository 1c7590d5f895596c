package trace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// maxPageCertificates is how many certificates a page reads out; the bytes of all are in it.
const maxPageCertificates = 64

// pageCertificate is a certificate in words, and where in its message it lies.
type pageCertificate struct {
	Message int `json:"message"`
	Index   int `json:"index"` // in its message, 0 is the end entity
	Offset  int `json:"offset"`
	Length  int `json:"length"`
	// The SubjectPublicKeyInfo, by which the page verifies signatures; a length of 0: not found.
	KeyOffset int `json:"key_offset"`
	KeyLength int `json:"key_length"`

	Subject     string   `json:"subject"`
	Issuer      string   `json:"issuer"`
	Serial      string   `json:"serial"`
	NotBefore   string   `json:"not_before"`
	NotAfter    string   `json:"not_after"`
	Names       []string `json:"names"`
	Key         string   `json:"key"`
	SignedWith  string   `json:"signed_with"`
	CA          bool     `json:"ca"`
	Fingerprint string   `json:"fingerprint"` // SHA-256
	Problem     string   `json:"problem,omitempty"`
}

// pageCertificates reads the certificates in the handshake messages.
func pageCertificates(r *Recording) []pageCertificate {
	var found []pageCertificate
	for i := range r.Messages {
		m := &r.Messages[i]
		index := 0
		for _, f := range m.Fields {
			if f.Kind != "certificate" || !inside(f.Offset, f.Length, len(m.Raw)) || len(found) >= maxPageCertificates {
				continue
			}
			c := readCertificate(m.Raw[f.Offset : f.Offset+f.Length])
			c.Message, c.Index, c.Offset, c.Length = i, index, f.Offset, f.Length
			c.KeyOffset += f.Offset
			found = append(found, c)
			index++
		}
	}
	return found
}

// readCertificate says what a certificate says. KeyOffset counts from its start.
func readCertificate(der []byte) pageCertificate {
	sum := sha256.Sum256(der)
	page := pageCertificate{Fingerprint: hex.EncodeToString(sum[:])}
	c, err := cert.ParseX509(der)
	if err != nil {
		if key, bare := cert.ParsePublicKey(der); bare == nil { // RFC 7250
			page.Subject, page.Key, page.KeyLength = "a bare public key", pki.DescribeKey(key), len(der)
			return page
		}
		page.Problem = pki.Printable(err.Error())
		return page
	}
	if at := bytes.Index(der, c.RawSubjectPublicKeyInfo); at >= 0 {
		page.KeyOffset, page.KeyLength = at, len(c.RawSubjectPublicKeyInfo)
	}
	page.Subject, page.Issuer = distinguishedName(c.RawSubject), distinguishedName(c.RawIssuer)
	page.Serial = c.SerialNumber.Text(16)
	page.NotBefore, page.NotAfter = c.NotBefore.UTC().Format(time.DateTime), c.NotAfter.UTC().Format(time.DateTime)
	for _, name := range c.DNSNames {
		page.Names = append(page.Names, pki.Printable(name))
	}
	for _, ip := range c.IPAddresses {
		page.Names = append(page.Names, ip.String())
	}
	if page.Subject == "" && len(page.Names) > 0 {
		page.Subject = page.Names[0]
	}
	page.Key, page.SignedWith, page.CA = pki.DescribeKey(c.PublicKey), cert.AlgorithmName(c.SignatureAlgorithm), c.IsCA
	return page
}
