package issue

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/lint"
)

// ErrSpent is returned by [Token.Sign] on the second call.
var ErrSpent = errors.New("the token has been used: every certificate is prepared anew")

// Linter examines a certificate before it is signed: der is complete but for its
// signature, which has no bits. The issuer is nil where the certificate will be
// self-signed. Linters are called from several goroutines.
type Linter interface {
	Lint(der []byte, issuer *x509.Certificate) []lint.Finding
}

// LintError says that a certificate was not prepared because of what the linters
// found.
type LintError struct {
	Findings []lint.Finding // all of them, at least one an Error
}

// Error tells the first error and how many there are.
func (e *LintError) Error() string {
	errs := 0
	var first lint.Finding
	for _, f := range e.Findings {
		if f.Severity == lint.Error {
			if errs == 0 {
				first = f
			}
			errs++
		}
	}
	more := ""
	if errs > 1 {
		more = fmt.Sprintf(", and %d more", errs-1)
	}
	return fmt.Sprintf("the certificate would be faulty: %s (%s, %s)%s", first.Text, first.Lint, first.Section, more)
}

// Token is the right to one signature over one certificate that was examined.
type Token struct {
	draft *pki.Draft
	spent atomic.Bool
}

// Prepare makes the certificate that req asks for and has it examined by our own
// lints and then by linters. It returns all findings, also beside an error; one of
// severity Error makes a [*LintError]. A request that cannot be sound is refused
// with a [*pki.RefusedError]. The issuer's key may be nil: it is not used.
func Prepare(is pki.Issuer, req pki.Request, now time.Time, linters ...Linter) (*Token, []lint.Finding, error) {
	d, err := is.Draft(req, now)
	if err != nil {
		return nil, nil, err
	}
	return examine(d, is.Certificate, linters)
}

// PrepareSelfSigned does the same for a certificate that its own key, Request.Key,
// will sign.
func PrepareSelfSigned(req pki.Request, now time.Time, linters ...Linter) (*Token, []lint.Finding, error) {
	d, err := pki.DraftSelfSigned(req, now)
	if err != nil {
		return nil, nil, err
	}
	return examine(d, nil, linters)
}

func examine(d *pki.Draft, issuer *x509.Certificate, linters []Linter) (*Token, []lint.Finding, error) {
	der := d.Certificate().Raw
	findings := lint.Run(der, issuer, lint.KindAuto)
	for _, l := range linters {
		// A linter gets bytes of its own: what is signed must not change any more.
		findings = append(findings, l.Lint(slices.Clone(der), issuer)...)
	}
	if lint.Worst(findings) == lint.Error {
		return nil, findings, &LintError{Findings: findings}
	}
	return &Token{draft: d}, findings, nil
}

// Serial is the serial number the certificate will have.
func (t *Token) Serial() *big.Int { return t.draft.Serial() }

// Certificate is the certificate to be, with a signature of no bits. It must not be
// changed.
func (t *Token) Certificate() *x509.Certificate { return t.draft.Certificate() }

// Sign signs exactly the bytes that were examined and spends the token, even if
// signing fails: whether a signer that reports an error has signed is not known.
// The key must be the issuer's.
func (t *Token) Sign(key crypto.Signer) (*x509.Certificate, error) {
	if t.draft == nil || t.spent.Swap(true) {
		return nil, ErrSpent
	}
	return t.draft.Sign(key)
}
