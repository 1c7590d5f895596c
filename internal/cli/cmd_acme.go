package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/tlsnet"
)

func newACME(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "acme",
		Short: "Get certificates from Let's Encrypt, the own CA or any ACME server, and renew them",
		Long: `Certificates by ACME (RFC 8555), kept as certbot keeps them: live/NAME/ has
links to the newest cert.pem, chain.pem, fullchain.pem and privkey.pem.
Everything is below acme/ in --home, or in --dir.`,
		Example: "  tlswright acme obtain www.example.org --email me@example.org\n  tlswright acme obtain '*.example.org' --rfc2136 ns1.example.org\n" +
			"  tlswright acme renew\n  tlswright acme list",
	}, newACMEObtain(a), newACMERenew(a), newACMEList(a), newACMERevoke(a), newACMEDelete(a), newACMEAccount(a), newACMESnippet(a), newACMEInstall(a), newACMESelftest(a))
}

// acmeFlags are common to all acme commands.
type acmeFlags struct {
	dir    string
	server string
	ca     []string
}

// servers are the names of well-known directories.
func acmeServers() map[string]string {
	return map[string]string{
		"letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
		"staging":     "https://acme-staging-v02.api.letsencrypt.org/directory",
		"own":         "https://localhost:9443/acme/directory",
	}
}

func (f *acmeFlags) registerDir(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "dir", "", "keep certificates in `DIR` (default: acme in --home)")
	_ = cmd.MarkFlagDirname("dir")
}

func (f *acmeFlags) register(cmd *cobra.Command) {
	f.registerDir(cmd)
	cmd.Flags().StringVar(&f.server, "server", "letsencrypt", "the ACME directory: letsencrypt, staging, own (\"ca serve\" on this machine) or a `URL`")
	complete(cmd, "server", []string{"letsencrypt", "staging", "own"})
	cmd.Flags().StringSliceVar(&f.ca, "ca", nil, "trust the certificates in this PEM `FILE` for the ACME server, and no others")
	_ = cmd.MarkFlagFilename("ca", "pem", "crt", "cer")
}

func (a *app) acmeTree(f *acmeFlags) (*acmeclient.Tree, error) {
	dir := f.dir
	if dir == "" {
		home, err := a.home()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(home, "acme")
	}
	t, err := acmeclient.OpenTree(dir)
	if err != nil {
		return nil, cannotRun(err, "opening the folder of certificates")
	}
	return t, nil
}

// acmeClient makes a client of a server.
func (a *app) acmeClient(t *acmeclient.Tree, f *acmeFlags, server string, say func(string)) (*acmeclient.Client, error) {
	if known := acmeServers()[server]; known != "" {
		server = known
	}
	trusted, err := a.loadTrust(f.ca)
	if err != nil {
		return nil, err
	}
	transport := &tlsnet.Transport{Config: &tlsnet.Config{Roots: trusted.roots, SystemRoots: trusted.system, Time: a.now}}
	return acmeclient.New(t, acmeclient.Options{Server: server, Transport: transport, UserAgent: "tlswright", Now: a.now, Say: say}), nil
}

// acmeFailure puts an error of the client into words, with a hint where there is one.
func acmeFailure(err error) error {
	if err == nil {
		return nil
	}
	var server *acmeclient.ServerError
	var hook *acmeclient.HookError
	var locked *keystore.LockedError
	f := &failure{kind: kindLocal, text: err.Error(), err: err}
	switch {
	case errors.As(err, &server):
		f.kind, f.text = kindFinding, server.Error()
		f.hint = acmeHint(server.Type)
	case errors.As(err, new(*acmeclient.InstallError)):
		f.hint = "mend that; \"acme renew\" tries again, and so does \"acme install\""
	case errors.As(err, &hook):
		f.hint = "the certificate is there; mend the hook and run it by hand"
	case errors.As(err, &locked):
		f.hint = "another tlswright is at work on that certificate: wait for it"
	case errors.Is(err, acmeclient.ErrNotFound):
		f.kind, f.hint = kindUsage, "see: tlswright acme list"
	case errors.Is(err, context.DeadlineExceeded):
		f.hint = "is the server up? try again later"
	}
	return f
}

// acmeHint says what to do about an error of the server.
func acmeHint(kind string) string {
	switch kind {
	case "connection", "tls":
		return "the CA connects to the name from outside: check the DNS, the firewall, and that nothing else has the port"
	case "dns":
		return "check that the name resolves, and that its name servers answer"
	case "unauthorized", "incorrectResponse":
		return "the CA saw another server, or an old record: check where the name leads to"
	case "caa":
		return "the zone's CAA records do not let this CA issue"
	case "rateLimited":
		return "wait, and try with --dry-run until all is well"
	case "externalAccountRequired":
		return "ask the CA for a key, and give it with --eab-kid and --eab-key-file"
	case "rejectedIdentifier":
		return "the CA does not issue for that name"
	case "userActionRequired":
		return "the CA wants its terms agreed to: --agree-tos"
	}
	return ""
}

// agree sees to it that the server's terms are agreed to.
func (a *app) agree(cmd *cobra.Command, c *acmeclient.Client, agreed bool) error {
	if agreed {
		return nil
	}
	terms, err := c.Terms(cmd.Context())
	if err != nil || terms == "" {
		return acmeFailure(err)
	}
	if a.ui.out.width == 0 {
		f := usagef(cmd, "the CA wants its terms of service agreed to: %s", pki.Printable(terms))
		f.hint = "read them, and say --agree-tos"
		return f
	}
	ok, err := a.askYes(fmt.Sprintf("The terms of service are at %s. Do you agree? [y/N] ", pki.Printable(terms)))
	if err == nil && !ok {
		err = usagef(cmd, "without that there is no account")
	}
	return err
}

// askYes asks on the terminal.
func (a *app) askYes(question string) (bool, error) {
	a.ui.write(&a.ui.err, question)
	line, err := bufio.NewReader(a.ui.in).ReadString('\n')
	if err != nil {
		return false, cannotRun(err, "reading the answer")
	}
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y"), nil
}

// acmeReport is one certificate in --json.
type acmeReport struct {
	Name      string    `json:"name"`
	Names     []string  `json:"names"`
	Server    string    `json:"server"`
	Challenge string    `json:"challenge"`
	Live      string    `json:"live"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	DaysLeft  *int      `json:"days_left,omitempty"`
	Renewal   time.Time `json:"renewal,omitzero"` // when it is due
	Fails     int       `json:"failed_renewals,omitempty"`
	Key       string    `json:"key,omitempty"`
	Pin       string    `json:"pin,omitempty"`
	NextPin   string    `json:"next_pin,omitempty"` // of the staged key
	Serial    string    `json:"serial,omitempty"`
	Installed string    `json:"installed_in,omitempty"` // the server that is told of renewals
	Pending   bool      `json:"install_pending,omitempty"`
}

func (a *app) acmeReport(t *acmeclient.Tree, c *acmeclient.Certificate) (acmeReport, error) {
	r := acmeReport{Name: c.Name, Names: orEmpty(c.Renewal.Names), Server: c.Renewal.Server, Challenge: c.Renewal.Challenge.Way, Live: t.Live(c.Name), Fails: c.Renewal.Fails,
		Installed: c.Renewal.Installer, Pending: c.Renewal.InstallPending}
	if len(c.Chain) == 0 {
		return r, nil
	}
	leaf, err := cert.ParseX509(c.Chain[0])
	if err != nil {
		return r, err
	}
	renewal := c.Renewal
	r.Renewal, _ = acmeclient.Decide(&renewal, leaf, a.now())
	days := int(leaf.NotAfter.Sub(a.now()) / day)
	r.NotBefore, r.NotAfter, r.DaysLeft = leaf.NotBefore, leaf.NotAfter, &days
	r.Key, r.Pin, r.Serial = pki.DescribeKey(leaf.PublicKey), pki.PinSPKI(leaf).String(), fmt.Sprintf("%x", leaf.SerialNumber)
	r.NextPin, _, err = t.NextPin(c.Name)
	return r, err
}

func newACMEList(a *app) *cobra.Command {
	f := &acmeFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the certificates, and when each is renewed",
		Example: "  tlswright acme list\n  tlswright acme list --json",
		Args:    noArgs,
		RunE: func(_ *cobra.Command, _ []string) error {
			t, err := a.acmeTree(f)
			if err != nil {
				return err
			}
			all, err := t.List()
			if err != nil {
				return cannotRun(err, "reading the certificates")
			}
			reports := make([]acmeReport, 0, len(all))
			cells := [][]string{{"name", "for", "valid", "renewal", "by"}}
			for _, c := range all {
				r, err := a.acmeReport(t, c)
				if err != nil {
					return cannotRun(err, "%s", c.Name)
				}
				reports = append(reports, r)
				cells = append(cells, []string{pki.Printable(r.Name), listed(r.Names), whenText(r.NotAfter, a.now()), dateOf(r.Renewal), r.Challenge})
			}
			if asJSON {
				return a.ui.printJSON(reports)
			}
			if len(all) == 0 {
				a.ui.notef("there is no certificate yet; \"tlswright acme obtain NAME\" gets one")
				return nil
			}
			a.ui.write(&a.ui.out, a.ui.out.grid(cells, func(row, col int) style {
				if col == 2 && reports[row-1].DaysLeft != nil && *reports[row-1].DaysLeft < 7 {
					return bad
				}
				return plain
			}))
			return nil
		},
	}
	f.registerDir(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newACMEDelete(a *app) *cobra.Command {
	f := &acmeFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "delete NAME",
		Short:             "Remove a certificate with its keys from this machine; it stays valid",
		Example:           "  tlswright acme delete www.example.org",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeACME(f),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := a.acmeTree(f)
			if err != nil {
				return err
			}
			if err := t.Delete(args[0]); err != nil {
				return acmeFailure(err)
			}
			return a.tellDone(asJSON, args[0], "deleted")
		},
	}
	f.registerDir(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newACMESnippet(a *app) *cobra.Command {
	f := &acmeFlags{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "snippet SERVER NAME",
		Short:   "Show how a server uses a certificate: " + strings.Join(acmeclient.SnippetServers(), ", "),
		Example: "  tlswright acme snippet nginx www.example.org",
		Args:    cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return acmeclient.SnippetServers(), cobra.ShellCompDirectiveNoFileComp
			}
			return a.completeACME(f)(cmd, nil, word)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := a.acmeTree(f)
			if err != nil {
				return err
			}
			text, err := t.Snippet(args[0], args[1])
			if err != nil {
				return acmeFailure(err)
			}
			if asJSON {
				return a.ui.printJSON(snippetReport{Server: args[0], Name: args[1], Text: text})
			}
			a.ui.write(&a.ui.out, text)
			return nil
		},
	}
	f.registerDir(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// snippetReport is `acme snippet --json`.
type snippetReport struct {
	Server string `json:"server"`
	Name   string `json:"name"`
	Text   string `json:"text"`
}

// doneReport says in --json that something was done to something.
type doneReport struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
}

// tellDone says so; for people silence is enough.
func (a *app) tellDone(asJSON bool, name, outcome string) error {
	if !asJSON {
		return nil
	}
	return a.ui.printJSON(doneReport{Name: name, Outcome: outcome})
}

// completeACME completes the names of certificates.
func (a *app) completeACME(f *acmeFlags) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		t, err := a.acmeTree(f)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, _ := t.List() // what cannot be read is not completed
		var words []string
		for _, c := range all {
			words = append(words, c.Name)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

func newACMEAccount(a *app) *cobra.Command {
	f := &acmeFlags{}
	var email []string
	var rolls, deactivates, asJSON bool
	cmd := &cobra.Command{
		Use:     "account",
		Short:   "Show the account on a server; change its contact or its key, or give it up",
		Example: "  tlswright acme account\n  tlswright acme account --email me@example.org\n  tlswright acme account --new-key",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := a.acmeTree(f)
			if err != nil {
				return err
			}
			c, err := a.acmeClient(t, f, f.server, nil)
			if err != nil {
				return err
			}
			switch {
			case deactivates:
				return acmeFailure(c.Deactivate(cmd.Context()))
			case rolls:
				err = c.Rollover(cmd.Context())
			case len(email) > 0:
				err = c.UpdateContact(cmd.Context(), mailto(email))
			}
			if err != nil {
				return acmeFailure(err)
			}
			account, err := c.Show(cmd.Context())
			if err != nil {
				return acmeFailure(err)
			}
			if asJSON {
				return a.ui.printJSON(account)
			}
			a.ui.write(&a.ui.out, a.ui.out.rows([]row{{label: "server", value: pki.Printable(account.Server)}, {label: "account", value: pki.Printable(account.URL)},
				{label: "status", value: pki.Printable(account.Status)}, {label: "contact", value: orWord(listed(account.Contact), "none")}}))
			return nil
		},
	}
	f.register(cmd)
	cmd.Flags().StringSliceVar(&email, "email", nil, "have the CA write to this `ADDRESS`")
	cmd.Flags().BoolVar(&rolls, "new-key", false, "give the account a fresh key")
	cmd.Flags().BoolVar(&deactivates, "deactivate", false, "give the account up, for ever")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	exclusive(cmd, "email", "new-key", "deactivate")
	return cmd
}

func mailto(addresses []string) []string {
	var urls []string
	for _, m := range addresses {
		urls = append(urls, "mailto:"+strings.TrimPrefix(m, "mailto:"))
	}
	return urls
}
