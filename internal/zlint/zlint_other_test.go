//go:build !unix

package zlint

import (
	"testing"

	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/pki/lint"
)

var _ issue.Linter = (*Linter)(nil)

func TestWhatIsNotExaminedIsSaid(t *testing.T) {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if found := l.Lint([]byte("no certificate"), nil); len(found) != 1 || found[0].Severity != lint.Notice || found[0].Text == "" {
		t.Errorf("%v", found)
	}
}
