package cli

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// certReport is one certificate in --json. The names are stable.
type certReport struct {
	Subject   string   `json:"subject"` // RFC 4514, most specific part first
	Issuer    string   `json:"issuer"`
	Names     []string `json:"names"` // subject alternative names: DNS, IP, URI, e-mail
	Serial    string   `json:"serial"`
	NotBefore string   `json:"not_before"` // RFC 3339, UTC
	NotAfter  string   `json:"not_after"`
	DaysLeft  int      `json:"days_left"` // whole days until not_after; negative once it is over
	Key       string   `json:"key"`
	Signature string   `json:"signature"`
	IsCA      bool     `json:"is_ca"`
	SHA256    string   `json:"sha256"`
	PEM       string   `json:"pem"`
}

func newCertReport(c *x509.Certificate, now time.Time) certReport {
	return certReport{
		Subject:   pki.Name(c.Subject),
		Issuer:    pki.Name(c.Issuer),
		Names:     namesOf(c),
		Serial:    c.SerialNumber.Text(16),
		NotBefore: c.NotBefore.UTC().Format(time.RFC3339),
		NotAfter:  c.NotAfter.UTC().Format(time.RFC3339),
		DaysLeft:  daysUntil(c.NotAfter, now),
		Key:       pki.DescribeKey(c.PublicKey),
		Signature: cert.AlgorithmName(c.SignatureAlgorithm),
		IsCA:      c.BasicConstraintsValid && c.IsCA,
		SHA256:    pki.Fingerprint(c.Raw),
		PEM:       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})),
	}
}

// namesOf lists the subject alternative names as the certificate has them. They are a peer's text: Printable before
// they are shown.
func namesOf(c *x509.Certificate) []string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	return append(names, c.EmailAddresses...)
}

// nameOf names a certificate in a sentence: its subject, or where that is empty its first alternative name.
func nameOf(c *x509.Certificate) string {
	if name := pki.Name(c.Subject); name != "" {
		return name
	}
	if names := namesOf(c); len(names) > 0 {
		return pki.Printable(names[0])
	}
	return "serial " + c.SerialNumber.Text(16)
}

// shortName is the common name, for places where the whole subject would be too long.
func shortName(c *x509.Certificate) string {
	if cn := c.Subject.CommonName; cn != "" {
		return pki.Printable(cn)
	}
	return nameOf(c)
}

// issuerShort is the common name of the issuer.
func issuerShort(c *x509.Certificate) string {
	if cn := c.Issuer.CommonName; cn != "" {
		return pki.Printable(cn)
	}
	return pki.Name(c.Issuer)
}

// daysUntil is the number of whole days from now to t, rounded down: the day on which a certificate expires is 0, the
// day after it -1.
func daysUntil(t, now time.Time) int {
	const day = 24 * time.Hour
	d := t.Sub(now)
	days := int(d / day)
	if d < 0 && d%day != 0 {
		days--
	}
	return days
}

func dateOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// lifeLeft says how far away the end of a certificate is.
func lifeLeft(c *x509.Certificate, now time.Time) string {
	switch {
	case now.Before(c.NotBefore):
		return "not valid yet"
	case now.After(c.NotAfter):
		return countOf(int(now.Sub(c.NotAfter)/(24*time.Hour)), "day") + " over"
	}
	return countOf(daysUntil(c.NotAfter, now), "day") + " left"
}

// lifeStyle marks certificates near their end.
func lifeStyle(c *x509.Certificate, now time.Time) style {
	switch {
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return bad
	case c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/10:
		return caution
	}
	return plain
}

// listShort joins names for one line and counts those that do not fit into it.
func listShort(names []string, width int) string {
	var b strings.Builder
	for i, n := range names {
		n = pki.Printable(n)
		if i > 0 && b.Len()+len(n) > width {
			fmt.Fprintf(&b, ", and %d more", len(names)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n)
	}
	return b.String()
}

// countOf is a number with its noun: "1 day", "2 days".
func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
