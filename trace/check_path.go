package trace

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/wire"
)

// checkPaths looks at the certificates that the two sides showed.
func (d *decoder) checkPaths() {
	for _, side := range []Side{Server, Client} {
		chain := d.chain(side)
		if len(chain) == 0 || d.rawKeys(side) {
			continue
		}
		m := d.certificate(side)
		if d.c.Trust != nil {
			d.judgePath(m, chain)
			continue
		}
		d.followPath(m, chain)
	}
}

// at is the moment that certificates are judged for.
func (d *decoder) at() time.Time {
	if d.c.Trust != nil && !d.c.Trust.Time.IsZero() {
		return d.c.Trust.Time
	}
	return d.c.Started
}

// judgePath asks package pki, which knows the roots.
func (d *decoder) judgePath(m *Message, chain [][]byte) {
	o := *d.c.Trust
	o.Intermediates, o.Time, o.Usage = chain[1:], d.at(), pki.UsageServer
	if m.From == Client {
		o.Usage, o.ServerName = pki.UsageClient, ""
	} else if o.ServerName == "" {
		o.ServerName = d.hostName()
	}
	if o.Time.IsZero() {
		return
	}
	for _, r := range pki.Explain(chain[0], o).Checks {
		c := Check{Name: checkPath, Message: m.ID, Section: r.Section, Text: fmt.Sprintf("%s of the %s: %s", r.Check, m.From, r.Text)}
		if r.Subject != "" {
			c.Text = fmt.Sprintf("%s of the %s: %s: %s", r.Check, m.From, r.Subject, r.Text)
		}
		switch r.Outcome {
		case pki.Passed:
			c.Result = resultRight
		case pki.Failed:
			c.Result = resultWrong
			if r.Hint != "" {
				c.Text += " (" + r.Hint + ")"
			}
		default:
			c.Result = resultImpossible
		}
		d.checked(c)
	}
}

// hostName is the name that the client asked for.
func (d *decoder) hostName() string {
	var names wire.ServerNames
	if d.hello == nil {
		return ""
	}
	if _, err := d.hello.Ext(&names); err != nil {
		return ""
	}
	name, _ := names.HostName()
	return name
}

// followPath checks what can be said without a root: each link, the dates, and the name.
func (d *decoder) followPath(m *Message, chain [][]byte) {
	certs := make([]*x509.Certificate, 0, len(chain))
	for i, der := range chain {
		if i == pki.MaxChainLength {
			break
		}
		c, err := cert.ParseX509(der)
		if err != nil {
			d.holds(Check{Name: checkPath, Message: m.ID, Section: "RFC 5280, Section 4.1", Text: fmt.Sprintf("certificate %d of the %s cannot be read: %s", i, m.From, pki.Printable(err.Error()))}, false)
			return
		}
		// RFC 8446, Section 4.4.2: certificates that are not needed may be there; some peers send their leaf twice.
		if !slices.ContainsFunc(certs, c.Equal) {
			certs = append(certs, c)
		}
	}
	for i, c := range certs {
		d.followLink(m, certs, i)
		if at := d.at(); !at.IsZero() {
			ok := !at.Before(c.NotBefore) && !at.After(c.NotAfter)
			d.holds(Check{
				Name: checkPath, Message: m.ID, Section: "RFC 5280, Section 4.1.2.5",
				Text: fmt.Sprintf("dates: %s is good from %s to %s", subjectOf(c), c.NotBefore.Format(time.DateTime), c.NotAfter.Format(time.DateTime)),
			}, ok)
		}
	}
	if name := d.hostName(); name != "" && m.From == Server {
		err := certs[0].VerifyHostname(name)
		d.holds(Check{
			Name: checkPath, Message: m.ID, Section: "RFC 9525, Section 6",
			Text: fmt.Sprintf("name: the leaf has to be for %s, which the client asked for", shorten(pki.Printable(name))),
		}, err == nil)
	}
}

// followLink checks the signature of one certificate with the key of the next.
func (d *decoder) followLink(m *Message, certs []*x509.Certificate, i int) {
	c := certs[i]
	check := Check{Name: checkPath, Message: m.ID, Section: "RFC 5280, Section 6.1.3"}
	if i+1 < len(certs) {
		issuer := certs[i+1]
		err := cert.CheckSignatureFrom(c, issuer)
		check.Text = fmt.Sprintf("link: %s is signed by %s", subjectOf(c), subjectOf(issuer))
		if err != nil {
			check.Text = fmt.Sprintf("link: %s is not signed by %s: %s", subjectOf(c), subjectOf(issuer), pki.Printable(err.Error()))
		}
		d.holds(check, err == nil)
		return
	}
	err := cert.CheckSignature(c, c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	if string(c.RawIssuer) == string(c.RawSubject) && (err == nil || !errors.Is(err, x509.ErrUnsupportedAlgorithm)) {
		check.Text = fmt.Sprintf("link: %s has signed itself; whether to trust it is for a root store to say", subjectOf(c))
		d.holds(check, err == nil)
		return
	}
	check.Result = resultImpossible
	check.Text = fmt.Sprintf("link: %s is signed by %s, which was not sent; a root store may have it", subjectOf(c), distinguishedName(c.RawIssuer))
	d.checked(check)
}

// subjectOf names a certificate.
func subjectOf(c *x509.Certificate) string {
	if name := distinguishedName(c.RawSubject); name != "" {
		return name
	}
	if len(c.DNSNames) > 0 {
		return shorten(pki.Printable(c.DNSNames[0]))
	}
	return "a certificate without a name"
}
