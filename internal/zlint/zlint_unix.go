//go:build unix

package zlint

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	zcrypto "github.com/zmap/zcrypto/x509"
	zmap "github.com/zmap/zlint/v3/lint"

	// The sources whose lints are taken; importing them registers their lints.
	_ "github.com/zmap/zlint/v3/lints/cabf_br"
	_ "github.com/zmap/zlint/v3/lints/community"
	_ "github.com/zmap/zlint/v3/lints/rfc"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/lint"
)

// sources are taken whole, but for what is excluded.
var sources = []zmap.LintSource{zmap.RFC3279, zmap.RFC5280, zmap.RFC5480, zmap.RFC5891, zmap.RFC6960, zmap.RFC8813, zmap.Community}

// excluded are lints of these sources that a private CA must ignore.
var excluded = []string{"n_san_iana_pub_suffix_empty", "w_ian_iana_pub_suffix_empty"}

// sound are lints of the Baseline Requirements that hold for every CA.
var sound = []string{
	"e_rsa_mod_less_than_2048_bits", "e_rsa_public_exponent_not_odd", "e_rsa_public_exponent_too_small", "w_rsa_public_exponent_not_in_range",
	"w_rsa_mod_not_odd", "w_rsa_mod_factors_smaller_than_752", "e_ec_improper_curves", "e_br_prohibit_dsa_usage",
	"e_sub_cert_key_usage_cert_sign_bit_set", "e_sub_cert_key_usage_crl_sign_bit_set", "e_ca_key_cert_sign_not_set",
}

// Linter applies zlint. It may be used by several goroutines at once.
type Linter struct {
	lints  []*zmap.CertificateLint
	config zmap.Configuration
}

// New selects the lints. It fails if zlint no longer has one that is named here.
func New() (*Linter, error) {
	registry := zmap.GlobalRegistry()
	l := &Linter{config: registry.GetConfiguration()}
	known := make(map[string]bool)
	for _, z := range registry.CertificateLints().Lints() {
		known[z.Name] = true
		if slices.Contains(sources, z.Source) && !slices.Contains(excluded, z.Name) || slices.Contains(sound, z.Name) {
			l.lints = append(l.lints, z)
		}
	}
	for _, name := range slices.Concat(sound, excluded) {
		if !known[name] {
			return nil, fmt.Errorf("zlint has no lint %q", name)
		}
	}
	slices.SortFunc(l.lints, func(a, b *zmap.CertificateLint) int { return strings.Compare(a.Name, b.Name) })
	return l, nil
}

// Count is how many lints are applied.
func (l *Linter) Count() int { return len(l.lints) }

// Lint examines a certificate, signed or not yet; the issuer is not looked at. A
// certificate that zlint cannot read, or a lint that gives up, is an Error: what was
// not examined must not pass.
func (l *Linter) Lint(der []byte, _ *x509.Certificate) (findings []lint.Finding) {
	c, err := read(der)
	if err != nil {
		return []lint.Finding{{Lint: "zlint", Severity: lint.Error, Text: pki.Printable(err.Error()), Section: "zlint"}}
	}
	for _, z := range l.lints {
		if r := z.Execute(c, l.config); r.Status >= zmap.Notice {
			findings = append(findings, translate(z, r))
		}
	}
	return findings
}

// read parses with zlint's own parser, which must not bring us down.
func read(der []byte) (c *zcrypto.Certificate, err error) {
	defer func() {
		if recover() != nil {
			c, err = nil, fmt.Errorf("zlint fell over the certificate")
		}
	}()
	if c, err = zcrypto.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("zlint cannot read the certificate: %w", err)
	}
	return c, nil
}

func translate(z *zmap.CertificateLint, r *zmap.LintResult) lint.Finding {
	f := lint.Finding{Lint: "zlint/" + z.Name, Severity: lint.Error, Text: z.Description, Section: z.Citation}
	switch r.Status {
	case zmap.Notice:
		f.Severity = lint.Notice
	case zmap.Warn:
		f.Severity = lint.Warning
	}
	if r.Details != "" {
		f.Text += " (" + r.Details + ")"
	}
	f.Text = pki.Printable(f.Text)
	return f
}
