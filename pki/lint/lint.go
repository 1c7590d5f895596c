package lint

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Severity says how bad a finding is.
type Severity uint8

// The severities. An Error is a violation of what a standard demands (or what
// makes the certificate useless or dangerous), a Warning of what it recommends or
// what programs trip over, a Notice is worth knowing.
const (
	Notice Severity = iota + 1
	Warning
	Error
)

// String gives "notice", "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("severity %d", uint8(s))
}

// MarshalText gives [Severity.String], for JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that is wrong with a certificate.
type Finding struct {
	Lint     string // the lint's name: "serial_positive"
	Severity Severity
	Text     string // what is wrong, fit to print
	Section  string // where it is required: "RFC 5280, Section 4.1.2.2"
}

// String gives one line: "error: text (serial_positive; RFC 5280, Section 4.1.2.2)".
func (f Finding) String() string {
	return fmt.Sprintf("%v: %s (%s; %s)", f.Severity, f.Text, f.Lint, f.Section)
}

// Lint is one requirement.
type Lint struct {
	Name        string // lower case, words joined by _
	Severity    Severity
	Requirement string // the requirement in our own words
	Section     string // where it is written
	// Since is when the requirement took effect, as YYYY-MM-DD; certificates valid from
	// an earlier day on are not held to it. "": always.
	Since string
	// Kinds are those it applies to; 0: all.
	Kinds Kinds

	check func(*certificate) []string // what is wrong, in words; none: nothing
}

// All lists the lints, ordered by name.
func All() []Lint {
	list := make([]Lint, 0, len(lints)+1)
	list = append(list, lintReadable)
	for _, l := range lints {
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b Lint) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// maxFindings bounds what one lint says about one certificate.
const maxFindings = 16

// Run applies all lints to a certificate, which need not be signed yet. The issuer
// may be nil; what depends on it is then not examined. kind says what the
// certificate is for; [KindAuto] takes that from itself. Findings come with the
// worst first. It never fails: what cannot be read is a finding.
func Run(der []byte, issuer *x509.Certificate, kind Kind) []Finding {
	c, err := parse(der)
	if err != nil {
		return []Finding{lintReadable.finding(err.Error())}
	}
	c.issuer, c.kind = issuer, kind
	if kind == KindAuto {
		c.kind = kindOf(c)
	}
	day := c.notBefore.value.Format(time.DateOnly)
	var findings []Finding
	for _, l := range lints {
		if l.Kinds != 0 && !l.Kinds.Has(c.kind) || l.Since != "" && day < l.Since {
			continue
		}
		for n, text := range l.check(c) {
			if n == maxFindings {
				findings = append(findings, l.finding("and more of the same"))
				break
			}
			findings = append(findings, l.finding(text))
		}
	}
	if len(findings) > 1 {
		slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	}
	return findings
}

func (l *Lint) finding(text string) Finding {
	return Finding{Lint: l.Name, Severity: l.Severity, Text: text, Section: l.Section}
}

// Worst returns the highest severity among findings, 0 for none.
func Worst(findings []Finding) Severity {
	var worst Severity
	for _, f := range findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

// complain is the usual result of a check that finds one thing.
func complain(format string, args ...any) []string { return []string{fmt.Sprintf(format, args...)} }

// join lists names for people.
func join(names []string) string { return strings.Join(names, ", ") }
