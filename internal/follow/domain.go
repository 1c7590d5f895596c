package follow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/ct"
)

// Domains are those that are watched, each with all names below it.
type Domains []string

// ParseDomain brings a domain into the form that [Domains] has: small letters, no star, no dot at its ends. The error says
// that a text is none.
func ParseDomain(text string) (string, error) {
	domain := strings.ToLower(strings.Trim(strings.TrimPrefix(text, "*."), "."))
	if domain == "" || len(domain) > 253 || strings.ContainsAny(domain, " /:@*") {
		return "", fmt.Errorf("%q is no domain", text)
	}
	return domain, nil
}

// Found is a certificate of an entry. Its texts are as they stand in it, and not fit to print.
type Found struct {
	Index          uint64
	Logged         time.Time         // as the log says
	Precertificate bool              // it is the promise of a certificate
	Certificate    *cert.Certificate // nil: the entry holds a domain, and cannot be read
	DER            []byte            // of it; of a precertificate without a signature
	Names          []string
	SHA256         string // lower-case hexadecimal: the fingerprint by which others know it; "": the log gives out something else
}

// Find looks whether an entry is for one of the domains.
func (d Domains) Find(index uint64, e ct.LogEntry) (f Found, ok bool) {
	if !d.mayBeIn(e.Data) {
		return f, false
	}
	f = Found{Index: index, Logged: ct.SCT{Timestamp: e.Timestamp}.Time(), Precertificate: e.Precertificate, SHA256: entryDigest(e)}
	der, err := e.Unsigned()
	if err == nil {
		f.Certificate, err = cert.Parse(der)
	}
	if err != nil {
		return f, true
	}
	f.DER, f.Names = der, certNames(f.Certificate)
	return f, slices.ContainsFunc(f.Names, d.Has)
}

// mayBeIn passes over the mass of entries without taking them apart: a name stands in a certificate as its letters.
func (d Domains) mayBeIn(data []byte) bool {
	lower := bytes.ToLower(data)
	return slices.ContainsFunc(d, func(domain string) bool { return bytes.Contains(lower, []byte(domain)) })
}

// Has tells whether a name is one of the domains, or below one.
func (d Domains) Has(name string) bool {
	name = strings.TrimSuffix(strings.TrimPrefix(strings.ToLower(name), "*."), ".")
	return slices.ContainsFunc(d, func(domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) })
}

// Identity is what a precertificate and its certificate share, in whatever logs they are: issuer and serial number. 32
// characters; "" where it cannot be read.
func (f *Found) Identity() string {
	if f.Certificate == nil {
		return ""
	}
	sum := sha256.New()
	sum.Write(f.Certificate.RawIssuer)
	sum.Write([]byte{0})
	sum.Write(f.Certificate.Serial)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// entryDigest is the fingerprint by which others know the certificate.
func entryDigest(e ct.LogEntry) string {
	data := e.Data
	if e.Precertificate {
		if !e.SameEntry() {
			return "" // what the log gave out beside the entry may be anything
		}
		data = e.Submitted
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// certNames are the names for which clients may take a certificate: alternative names and, as old ones did, the common
// name.
func certNames(c *cert.Certificate) []string {
	var names []string
	if alt, err := c.AltNames(); err == nil {
		names = alt.DNS
	}
	subject, err := cert.ParseName(c.RawSubject)
	if err != nil {
		return names
	}
	for _, at := range subject {
		if at.Type == "2.5.4.3" && at.Value != "" && !slices.Contains(names, at.Value) {
			names = append(names, at.Value)
		}
	}
	return names
}
