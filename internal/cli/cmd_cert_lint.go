package cli

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/zlint"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/lint"
)

type certLintFlags struct {
	peer     peerFlags
	secret   secretFlags
	kind     string
	issuer   string
	isStrict bool
	zlint    bool
	listAll  bool
	asJSON   bool
}

const certLintLong = `Hold certificates against what the standards and the programs that read them
demand, and list what they break: errors, which make a certificate wrong or
useless, warnings, which some program trips over, and notices. Each says where
the requirement stands.

What a certificate is for is taken from itself, unless --kind says it. Of a
chain each is examined with its issuer, where that follows; --issuer FILE names
it otherwise. --zlint has zlint, which public CAs use, examine them as well. An
error is a failed check; with --strict a warning is one, too.

--list prints every requirement.

` + exitCodeHelp

const certLintExample = `  tlswright cert lint server.pem
  tlswright cert lint --strict example.com
  tlswright cert lint --issuer ca.pem --json server.pem
  tlswright cert lint --list`

func lintKinds() []lint.Kind {
	var kinds []lint.Kind
	for k := lint.KindAuto; k <= lint.KindLeaf; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}

func newCertLint(a *app) *cobra.Command {
	o := &certLintFlags{}
	cmd := &cobra.Command{
		Use:     "lint FILE | - | HOST[:PORT]",
		Short:   "Hold certificates against what standards and programs demand",
		Long:    certLintLong,
		Example: certLintExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.listAll {
				return noArgs(cmd, args)
			}
			return oneArg("a FILE, \"-\" or a server HOST:PORT")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.listAll {
				return a.listLints(o)
			}
			return a.certLint(cmd, o, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.kind, "kind", lint.KindAuto.String(), "examine it as this `KIND`: "+strings.Join(names(lintKinds()), ", "))
	f.StringVar(&o.issuer, "issuer", "", "the issuer's certificate is in `FILE`")
	f.BoolVar(&o.isStrict, "strict", false, "a warning is a failed check, too")
	f.BoolVar(&o.zlint, "zlint", false, "apply zlint too, as far as its requirements suit a private CA")
	f.BoolVar(&o.listAll, "list", false, "list every requirement")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	o.secret.register(cmd, "a PKCS#12 or JKS file")
	o.peer.register(cmd)
	complete(cmd, "kind", names(lintKinds()))
	_ = cmd.MarkFlagFilename("issuer")
	return cmd
}

// findingJSON is a finding in --json.
type findingJSON struct {
	Lint     string `json:"lint"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
	Section  string `json:"section,omitempty"`
}

func newFindingsJSON(found []lint.Finding) []findingJSON {
	list := []findingJSON{}
	for _, f := range found {
		list = append(list, findingJSON{f.Lint, f.Severity.String(), f.Text, f.Section})
	}
	return list
}

type lintedJSON struct {
	Subject  string        `json:"subject"`
	SHA256   string        `json:"sha256"`
	Findings []findingJSON `json:"findings"`
}

type lintJSON struct {
	Source       string       `json:"source"`
	Certificates []lintedJSON `json:"certificates"`
	Errors       int          `json:"errors"`
	Warnings     int          `json:"warnings"`
	Notices      int          `json:"notices"`
	Error        *errorJSON   `json:"error,omitempty"`
}

func (a *app) certLint(cmd *cobra.Command, o *certLintFlags, arg string) error {
	kind := lint.KindAuto
	known := false
	for _, k := range lintKinds() {
		if k.String() == o.kind {
			kind, known = k, true
		}
	}
	if !known {
		f := usagef(cmd, "--kind %q is not one we know", o.kind)
		f.hint = "known are " + strings.Join(names(lintKinds()), ", ")
		return f
	}
	c, err := a.readInput(cmd, arg, &o.peer, &o.secret)
	if err != nil {
		return err
	}
	if err := c.needCerts(); err != nil {
		return err
	}
	var given *x509.Certificate
	if o.issuer != "" {
		if given, err = a.readIssuer(cmd, o.issuer); err != nil {
			return err
		}
	}
	var second *zlint.Linter
	if o.zlint {
		if second, err = zlint.New(); err != nil {
			return cannotRun(err, "--zlint")
		}
	}
	j := lintJSON{Source: c.origin}
	for i, der := range c.certs {
		found := lint.Run(der, issuerIn(c.certs, i, given), kind)
		if second != nil {
			found = append(found, second.Lint(der, nil)...)
			slices.SortStableFunc(found, func(a, b lint.Finding) int { return int(b.Severity) - int(a.Severity) })
		}
		j.add(der, found, a)
		if !o.asJSON {
			a.printFindings(ordinal(i, len(c.certs)), der, found)
		}
	}
	problem := j.problem(o.isStrict)
	if o.asJSON {
		j.Error = newErrorJSON(problem)
		err = a.ui.printJSON(j)
	}
	if err == nil && problem != nil {
		return problem
	}
	return err
}

func (a *app) readIssuer(cmd *cobra.Command, file string) (*x509.Certificate, error) {
	c, err := a.readInput(cmd, file, nil, nil)
	if err != nil {
		return nil, err
	}
	if err := c.needCerts(); err != nil {
		return nil, err
	}
	all, err := c.parsed()
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// issuerIn finds the issuer of a certificate among those that came with it: by name, for nothing is verified here.
func issuerIn(certs [][]byte, i int, given *x509.Certificate) *x509.Certificate {
	c, err := cert.ParseX509(certs[i])
	if err != nil {
		return nil
	}
	if given != nil && string(given.RawSubject) == string(c.RawIssuer) {
		return given
	}
	for _, der := range certs {
		if other, err := cert.ParseX509(der); err == nil && string(other.RawSubject) == string(c.RawIssuer) {
			return other
		}
	}
	return nil
}

func (j *lintJSON) add(der []byte, found []lint.Finding, a *app) {
	subject := "(unreadable)"
	if v, err := newCertView(der, a.now()); err == nil {
		subject = v.title()
	}
	j.Certificates = append(j.Certificates, lintedJSON{subject, pki.Fingerprint(der), newFindingsJSON(found)})
	for _, f := range found {
		switch f.Severity {
		case lint.Error:
			j.Errors++
		case lint.Warning:
			j.Warnings++
		default:
			j.Notices++
		}
	}
}

func (j *lintJSON) problem(strict bool) *failure {
	if j.Errors == 0 && (!strict || j.Warnings == 0) {
		return nil
	}
	text := countOf(j.Errors, "error")
	if j.Warnings > 0 {
		text += " and " + countOf(j.Warnings, "warning")
	}
	return &failure{kind: kindFinding, text: j.Source + ": " + text}
}

func severityStyle(s lint.Severity) style {
	switch s {
	case lint.Error:
		return bad
	case lint.Warning:
		return caution
	}
	return faint
}

// printFindings lists what was found about one certificate.
func (a *app) printFindings(place string, der []byte, found []lint.Finding) {
	out := &a.ui.out
	title := "(unreadable)"
	if v, err := newCertView(der, a.now()); err == nil {
		title = v.title()
	}
	text := out.paint(faint, place) + out.paint(bold, title)
	if len(found) == 0 {
		a.ui.write(out, text+"\n  "+out.paint(good, "nothing found")+"\n")
		return
	}
	var rows []row
	for _, f := range found {
		word := f.Severity.String()
		value := out.paint(severityStyle(f.Severity), word) + strings.Repeat(" ", len("warning")+2-len(word))
		rows = append(rows, row{label: value, value: f.Text + " " + out.paint(faint, "("+joined(f.Lint, f.Section)+")")})
	}
	a.ui.write(out, text+"\n"+findingLines(out, rows))
}

func joined(parts ...string) string {
	var list []string
	for _, p := range parts {
		if p != "" {
			list = append(list, p)
		}
	}
	return strings.Join(list, "; ")
}

// findingLines lays out findings; the label keeps its own colour.
func findingLines(s *stream, rows []row) string {
	const indent = 11
	var b strings.Builder
	for _, r := range rows {
		lines := []string{r.value}
		if s.width > 0 {
			lines = wrap(r.value, max(s.width-indent, 20))
		}
		head := "  " + r.label
		for _, line := range lines {
			b.WriteString(head + line + "\n")
			head = strings.Repeat(" ", indent)
		}
	}
	return b.String()
}

// requirementJSON is a requirement in `cert lint --list --json`.
type requirementJSON struct {
	Lint        string `json:"lint"`
	Severity    string `json:"severity"`
	Requirement string `json:"requirement"`
	Section     string `json:"section"`
	Since       string `json:"since,omitempty"`
	Kinds       string `json:"kinds,omitempty"`
}

// listLints is --list.
func (a *app) listLints(o *certLintFlags) error {
	list := []requirementJSON{}
	var rows []row
	out := &a.ui.out
	for _, l := range lint.All() {
		list = append(list, requirementJSON{l.Name, l.Severity.String(), l.Requirement, l.Section, l.Since, l.Kinds.String()})
		word := l.Severity.String()
		more := joined(l.Name, l.Section, map[bool]string{true: "since " + l.Since}[l.Since != ""], l.Kinds.String())
		rows = append(rows, row{label: out.paint(severityStyle(l.Severity), word) + strings.Repeat(" ", len("warning")+2-len(word)),
			value: l.Requirement + " " + out.paint(faint, "("+more+")")})
	}
	if o.asJSON {
		return a.ui.printJSON(list)
	}
	a.ui.write(out, out.paint(bold, fmt.Sprintf("%d requirements", len(list)))+"\n"+findingLines(out, rows))
	return nil
}
