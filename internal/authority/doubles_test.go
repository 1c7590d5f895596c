package authority

import (
	"crypto/x509"

	"github.com/tlswright/tlswright/pki/lint"
)

// pessimist is a linter that likes nothing.
type pessimist struct{}

func (pessimist) Lint([]byte, *x509.Certificate) []lint.Finding {
	return []lint.Finding{{Lint: "pessimist", Severity: lint.Error, Text: "it is bad", Section: "none"}}
}
