//go:build !unix

package zlint

import (
	"crypto/x509"
	"runtime"

	"github.com/tlswright/tlswright/pki/lint"
)

// Linter stands in for zlint where zlint cannot be built: the parser beneath it, zcrypto, lacks a piece for this system.
// Our own lints (pki/lint) apply all the same.
type Linter struct{}

// New never fails: what cannot be examined here is said by [Linter.Lint].
func New() (*Linter, error) { return &Linter{}, nil }

// Count is how many lints are applied: none.
func (l *Linter) Count() int { return 0 }

// Lint says, as a notice, that zlint was not asked. It must not be silent, or a list without findings would look examined.
func (l *Linter) Lint([]byte, *x509.Certificate) []lint.Finding {
	return []lint.Finding{{Lint: "zlint", Severity: lint.Notice, Text: "not examined by zlint, which cannot be built for " + runtime.GOOS, Section: "zlint"}}
}
