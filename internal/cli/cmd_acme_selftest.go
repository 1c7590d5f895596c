package cli

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/acmecheck"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlsnet"
)

// acmeSelftestFlags are the flags of `acme selftest`.
type acmeSelftestFlags struct {
	acmeFlags
	name, listen string
	email        []string
	eabKID       string
	eabKey       secretFlags
	patience     time.Duration
	agreed       bool
	all, asJSON  bool
}

const acmeSelftestLong = `Hold an ACME server against RFC 8555 (and RFC 8738, RFC 9773 and profiles, where
it offers them), rule by rule, and print a scorecard. DIRECTORY is a URL, or one
of letsencrypt, staging and own.

It makes two accounts and a dozen orders for --name, tries requests that must be
refused, and gives everything up again at the end. With --listen a web server
there answers http-01, and two certificates are obtained and revoked: the name
must lead to it, by way of the port that the server asks (usually 80). Without,
what needs a proof is not looked at. One validation fails on purpose.

Test a public CA on its staging server: its limits are generous there.
--agree-tos says that you agree to its terms of service, if it has any.

The exit code is 1 if a rule is broken.`

func newACMESelftest(a *app) *cobra.Command {
	o := &acmeSelftestFlags{}
	cmd := &cobra.Command{
		Use:   "selftest DIRECTORY",
		Short: "Check any ACME server against RFC 8555, rule by rule",
		Long:  acmeSelftestLong,
		Example: "  tlswright acme selftest own --listen 127.0.0.1:5002\n" +
			"  tlswright acme selftest https://localhost:14000/dir --ca p.pem --listen :5002\n" +
			"  tlswright acme selftest staging --name www.example.org --listen :80 --json",
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"letsencrypt", "staging", "own"}, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.acmeSelftest(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.ca, "ca", nil, "trust the certificates in this PEM `FILE` for the ACME server, and no others")
	_ = cmd.MarkFlagFilename("ca", "pem", "crt", "cer")
	f.StringVar(&o.name, "name", "localhost", "order certificates for this `NAME`")
	f.StringVar(&o.listen, "listen", "", "answer http-01 at this `ADDRESS`, such as :80")
	f.StringSliceVar(&o.email, "email", nil, "`ADDRESS` that the account names as contact")
	f.StringVar(&o.eabKID, "eab-kid", "", "`NAME` of the key for external account binding")
	o.eabKey.prefix = "eab-"
	f.StringVar(&o.eabKey.file, "eab-key-file", "", "the HMAC key for --eab-kid is the first line of `FILE` (\"-\": standard input)")
	f.DurationVar(&o.patience, "patience", time.Minute, "wait so long for one validation or one certificate")
	f.BoolVar(&o.agreed, "agree-tos", false, "agree to the server's terms of service")
	f.BoolVar(&o.all, "all", false, "list the rules that are kept, too")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) acmeSelftest(cmd *cobra.Command, o *acmeSelftestFlags, server string) error {
	if known := acmeServers()[server]; known != "" {
		server = known
	}
	binding, err := o.binding(cmd, a)
	if err != nil {
		return err
	}
	trusted, err := a.loadTrust(o.ca)
	if err != nil {
		return err
	}
	transport := &tlsnet.Transport{Config: &tlsnet.Config{Roots: trusted.roots, SystemRoots: trusted.system, Time: a.now}}
	defer transport.CloseIdleConnections()
	options := acmecheck.Options{Directory: server, Transport: transport, UserAgent: "tlswright", Name: o.name, Listen: o.listen, Binding: binding, Contact: mailto(o.email), Patience: o.patience}
	if !o.agreed {
		terms, err := acmecheck.Terms(cmd.Context(), options)
		if err != nil {
			return acmeFailure(err)
		}
		if terms != "" {
			f := usagef(cmd, "the server wants its terms of service agreed to: %s", pki.Printable(terms))
			f.hint = "read them, and say --agree-tos"
			return f
		}
	}
	report, err := acmecheck.Run(cmd.Context(), options)
	if err != nil {
		return acmeFailure(err)
	}
	if o.asJSON {
		if err := a.ui.printJSON(report); err != nil {
			return err
		}
	} else {
		a.ui.write(&a.ui.out, a.scorecard(report, o.all))
	}
	for _, left := range report.Left {
		a.ui.warnf("%s", left)
	}
	if report.Failed > 0 {
		return &failure{kind: kindFinding, text: countOf(report.Failed, "rule") + " broken", told: true}
	}
	return nil
}

func (o *acmeSelftestFlags) binding(cmd *cobra.Command, a *app) (*acmecheck.Binding, error) {
	switch {
	case o.eabKID == "" && o.eabKey.file != "":
		return nil, usagef(cmd, "--eab-key-file without --eab-kid")
	case o.eabKID == "":
		return nil, nil
	case o.eabKey.file == "":
		return nil, usagef(cmd, "--eab-kid without --eab-key-file")
	}
	text, err := a.secretFromFile(&o.eabKey)
	if err != nil {
		return nil, err
	}
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(string(text)), "="))
	if err != nil {
		return nil, usagef(cmd, "--eab-key-file: the key is no base64url")
	}
	return &acmecheck.Binding{KID: o.eabKID, Key: key}, nil
}

// scorecard is a report for people: a line for each group, and below it the rules that are broken.
func (a *app) scorecard(r *acmecheck.Report, all bool) string {
	var b strings.Builder
	cells := [][]string{{"group", "passed", "failed", "not applicable"}}
	counts := map[string]map[acmecheck.Outcome]int{}
	var groups []string
	for _, c := range r.Results {
		if counts[c.Group] == nil {
			counts[c.Group] = map[acmecheck.Outcome]int{}
			groups = append(groups, c.Group)
		}
		counts[c.Group][c.Outcome]++
	}
	for _, g := range groups {
		n := counts[g]
		cells = append(cells, []string{g, fmt.Sprint(n[acmecheck.Passed]), fmt.Sprint(n[acmecheck.Failed]), fmt.Sprint(n[acmecheck.NotApplicable])})
	}
	cells = append(cells, []string{"all", fmt.Sprint(r.Passed), fmt.Sprint(r.Failed), fmt.Sprint(r.NotApplicable)})
	b.WriteString(a.ui.out.grid(cells, func(row, col int) style {
		switch {
		case col == 2 && cells[row][col] != "0":
			return bad
		case row == len(cells)-1:
			return bold
		}
		return plain
	}))
	for _, c := range r.Results {
		if c.Outcome == acmecheck.Failed || all {
			b.WriteString("\n" + a.resultText(c))
		}
	}
	return b.String()
}

func (a *app) resultText(c acmecheck.Result) string {
	ink := map[acmecheck.Outcome]style{acmecheck.Passed: good, acmecheck.Failed: bad, acmecheck.NotApplicable: faint}[c.Outcome]
	text := fmt.Sprintf("%s  %s  %s\n", a.ui.out.paint(ink, string(c.Outcome)), c.Section, c.Check)
	if c.Detail != "" {
		text += "        " + c.Detail + "\n"
	}
	return text
}
