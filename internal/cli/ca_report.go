package cli

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

// newCAReport says all about a CA that can be said without its keys.
func (a *app) newCAReport(ctx context.Context, ca *keystore.CA) (caReport, error) {
	now := a.now()
	r := caReport{Folder: ca.Dir, Root: newCertReport(ca.Root, now), Intermediate: newCertReport(ca.Intermediate, now), Others: []intermediateReport{}}
	all, err := ca.Intermediates()
	if err != nil {
		return r, cannotRun(err, "reading the CA")
	}
	for _, i := range all {
		if i.Name != keystore.DefaultIntermediate {
			r.Others = append(r.Others, intermediateReport{i.Name, newCertReport(i.Certificate, now)})
		}
	}
	key, err := os.ReadFile(filepath.Join(ca.Dir, "intermediate.key"))
	r.Encrypted = err == nil && bytes.Contains(key, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
	_, err = os.Stat(filepath.Join(ca.Dir, "root.key"))
	r.RootKey = err == nil
	p, err := authority.ReadPublication(filepath.Dir(ca.Dir))
	if err != nil {
		return r, cannotRun(err, "reading where the CA publishes")
	}
	r.Publication = newPublicationReport(p)
	r.Revoked, err = a.revokedIntermediates(ctx, ca, all)
	return r, err
}

// revokedIntermediates are the names of those that the root has revoked. A CA without records yet gets none for it.
func (a *app) revokedIntermediates(ctx context.Context, ca *keystore.CA, all []keystore.Intermediate) (revoked []string, err error) {
	revoked = []string{}
	if _, err := os.Stat(filepath.Join(ca.Dir, authority.DatabaseFile)); err != nil {
		return revoked, nil
	}
	root, err := a.openAuthority(ctx, &caFlags{issuer: authority.RootIssuer}, false)
	if err != nil {
		return nil, err
	}
	defer closing(root, &err)
	for _, i := range all {
		if r, err := root.Get(ctx, i.Certificate.SerialNumber); err == nil && r.Revocation != nil && r.State != store.StateIssued {
			revoked = append(revoked, i.Name)
		}
	}
	return revoked, nil
}

// printCA shows the certificates of the CA under a heading.
func (a *app) printCA(ca *keystore.CA, r caReport, heading string) {
	out := &a.ui.out
	rows := a.issuerRows("root", ca.Root)
	all, err := ca.Intermediates()
	if err != nil {
		all = []keystore.Intermediate{{Name: keystore.DefaultIntermediate, Certificate: ca.Intermediate}}
	}
	for _, i := range all {
		label := "intermediate"
		if i.Name != keystore.DefaultIntermediate {
			label = i.Name
		}
		rows = append(rows, a.issuerRows(label, i.Certificate)...)
		if slices.Contains(r.Revoked, i.Name) {
			rows = append(rows, row{label: "", value: "REVOKED: nobody takes what it issues", style: bad})
		}
	}
	var keys []string
	if r.Encrypted {
		keys = append(keys, "encrypted with a passphrase")
	}
	if !r.RootKey {
		keys = append(keys, "that of the root is not here")
	}
	if len(keys) > 0 {
		rows = append(rows, row{label: "keys", value: strings.Join(keys, "; ")})
	}
	a.ui.write(out, out.paint(bold, heading)+"\n"+out.rows(append(rows, publicationRows(r.Publication)...)))
}

// issuerRows are the lines about one certificate of the CA.
func (a *app) issuerRows(label string, c *x509.Certificate) []row {
	now := a.now()
	rows := []row{
		{label: label, value: pki.Name(c.Subject), style: bold},
		{label: "", value: pki.DescribeKey(c.PublicKey) + ", " + dateOf(c.NotBefore) + " to " + dateOf(c.NotAfter) + ", " + lifeLeft(c, now), style: lifeStyle(c, now)},
	}
	if text := constraintText(c); text != "" {
		rows = append(rows, row{label: "", value: text})
	}
	return append(rows, row{label: "", value: "sha256 " + pki.Fingerprint(c.Raw), style: faint})
}

// constraintText says in a line for what a CA may issue; "" where nothing limits it.
func constraintText(c *x509.Certificate) string {
	var parts []string
	for _, x := range c.Extensions {
		if !x.Id.Equal([]int{2, 5, 29, 30}) {
			continue
		}
		n, err := pki.ParseNameConstraints(x.Value)
		if err != nil {
			return "name constraints that cannot be read"
		}
		only := slices.Concat(n.PermittedDNS, names(n.PermittedIP), prefixed("e-mail ", n.PermittedEmail), prefixed("URI ", n.PermittedURI))
		never := slices.Concat(n.ExcludedDNS, names(n.ExcludedIP), prefixed("e-mail ", n.ExcludedEmail), prefixed("URI ", n.ExcludedURI))
		if len(only) > 0 {
			parts = append(parts, "only for "+listShort(only, 60))
		}
		if len(never) > 0 {
			for i, s := range never {
				never[i] = orWord(map[string]string{"": "any host", "0.0.0.0/0": "any IPv4 address", "::/0": "any IPv6 address"}[s], s)
			}
			parts = append(parts, "never for "+listShort(never, 60))
		}
	}
	return strings.Join(parts, "; ")
}

func prefixed(prefix string, list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, prefix+s)
	}
	return out
}

func publicationRows(p publicationReport) []row {
	crls := p.CRL
	if p.Shards > 1 && len(crls) > 0 {
		crls = append([]string{}, crls...)
		crls[0] += fmt.Sprintf(" (in %d parts)", p.Shards)
	}
	var rows []row
	for _, part := range []struct {
		label string
		urls  []string
	}{{"CRL", crls}, {"delta CRL", p.Delta}, {"OCSP", p.OCSP}, {"issuer at", p.Issuer}} {
		rows = append(rows, many(part.label, part.urls, plain)...)
	}
	return rows
}
