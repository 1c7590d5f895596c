package cli

import (
	"context"
	"crypto"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
	"github.com/tlswright/tlswright/pki/crl"
)

// acmeObtainFlags are the flags of `acme obtain`.
type acmeObtainFlags struct {
	acmeFlags
	name                     string
	email                    []string
	agreed                   bool
	webroot, hook, rfc2136   string
	tlsALPN, manual          bool
	listen, zone, tsig       string
	resolver                 string
	keyType, profile, chain  string
	reuse, stage, mustStaple bool
	eabKID                   string
	eabKey                   secretFlags
	dryRun, force, asJSON    bool
	pre, post                string
	deploy                   []string
}

const acmeObtainLong = `Get a certificate for one or several names, and keep it in live/NAME. How the
names are proven is kept, too, so that "acme renew" needs no flags.

Without a flag that says otherwise, a web server of its own on port 80 answers
(http-01, --listen); --tls-alpn does so on port 443, --webroot DIR writes into
the folder of a running web server. Wildcards need the DNS: --dns-hook PROGRAM
runs "PROGRAM add|remove NAME RECORD VALUE", --rfc2136 SERVER updates the zone
with the TSIG key of --tsig-key, --manual asks you to make the record.

A certificate that is there for the same names and not due for renewal is left
alone, unless --force is given. --dry-run goes the whole way, on Let's Encrypt's
staging server if it is theirs, and keeps nothing.

--stage-key keeps the key of the next certificate ready, so that its pin (see
"acme list --json") can be published before it is used. --preferred-chain
chooses where the CA offers several chains, as one with a cross-signed root
does.`

func newACMEObtain(a *app) *cobra.Command {
	o := &acmeObtainFlags{}
	cmd := &cobra.Command{
		Use:   "obtain NAME...",
		Short: "Get a certificate",
		Long:  acmeObtainLong,
		Example: "  tlswright acme obtain www.example.org example.org --email me@example.org\n  tlswright acme obtain www.example.org --webroot /var/www/html\n" +
			"  tlswright acme obtain '*.example.org' --rfc2136 ns1 --tsig-key key.conf\n  tlswright acme obtain app.corp.test --server own --listen 127.0.0.1:5002",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				f := usagef(cmd, "a certificate for which names?")
				f.hint = "for example: tlswright acme obtain www.example.org"
				return f
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.acmeObtain(cmd, o, args) },
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "keep it under this `NAME` (default: the first name)")
	f.StringSliceVar(&o.email, "email", nil, "`ADDRESS` that the CA may write to")
	f.BoolVar(&o.agreed, "agree-tos", false, "agree to the CA's terms of service")
	f.StringVar(&o.webroot, "webroot", "", "prove by a file in this `DIR`, which a web server serves")
	f.BoolVar(&o.tlsALPN, "tls-alpn", false, "prove by a TLS server of its own (tls-alpn-01)")
	f.StringVar(&o.hook, "dns-hook", "", "prove by a DNS record that this `PROGRAM` makes")
	f.StringVar(&o.rfc2136, "rfc2136", "", "prove by a DNS record, by dynamic update of this `SERVER`")
	f.BoolVar(&o.manual, "manual", false, "prove by a DNS record that you make")
	exclusive(cmd, "webroot", "tls-alpn", "dns-hook", "rfc2136", "manual")
	f.StringVar(&o.listen, "listen", "", "`ADDRESS` of the server for the proof (default: :80, with --tls-alpn :443)")
	f.StringVar(&o.tsig, "tsig-key", "", "TSIG key for --rfc2136, a `FILE` as tsig-keygen writes it")
	f.StringVar(&o.zone, "zone", "", "`ZONE` for --rfc2136 (default: found by asking)")
	f.StringVar(&o.resolver, "resolver", "", "wait until this DNS server, an `ADDRESS`, has the record")
	f.StringVar(&o.keyType, "key-type", "", "`TYPE` of the certificate's key (default: p256)")
	complete(cmd, "key-type", keyTypeNames())
	f.StringVar(&o.profile, "profile", "", "`NAME` of the CA's profile, such as shortlived")
	f.StringVar(&o.chain, "preferred-chain", "", "of several chains keep the one that an authority of this common `NAME` issued")
	f.BoolVar(&o.reuse, "reuse-key", false, "keep the key when renewing")
	f.BoolVar(&o.stage, "stage-key", false, "keep the key of the next certificate ready")
	exclusive(cmd, "reuse-key", "stage-key")
	f.BoolVar(&o.mustStaple, "must-staple", false, "ask for a certificate that is only good with a stapled OCSP answer")
	f.StringVar(&o.eabKID, "eab-kid", "", "`NAME` of the key for external account binding")
	o.eabKey.prefix = "eab-"
	f.StringVar(&o.eabKey.file, "eab-key-file", "", "the HMAC key for --eab-kid is the first line of `FILE` (\"-\": standard input)")
	f.BoolVar(&o.dryRun, "dry-run", false, "try everything and keep nothing")
	f.BoolVar(&o.force, "force", false, "get a new one though the old one is good")
	f.StringVar(&o.pre, "pre-hook", "", "`COMMAND` to run before a renewal")
	f.StringVar(&o.post, "post-hook", "", "`COMMAND` to run after renewals")
	f.StringArrayVar(&o.deploy, "deploy-hook", nil, "`COMMAND` to run when there is a new certificate; may be repeated")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagDirname("webroot")
	_ = cmd.MarkFlagFilename("tsig-key")
	return cmd
}

// challenge is the way that the flags say.
func (o *acmeObtainFlags) challenge() (acmeclient.Challenge, error) {
	ch := acmeclient.Challenge{Way: acmeclient.Standalone, Listen: o.listen, Resolver: o.resolver}
	var err error
	switch {
	case o.webroot != "":
		ch.Way = acmeclient.Webroot
		ch.Webroot, err = filepath.Abs(o.webroot)
	case o.tlsALPN:
		ch.Way = acmeclient.TLSALPN
	case o.hook != "":
		ch.Way = acmeclient.DNSHook
		ch.Hook, err = filepath.Abs(o.hook)
	case o.rfc2136 != "":
		ch.Way, ch.Server, ch.Zone = acmeclient.RFC2136, o.rfc2136, o.zone
		if o.tsig != "" {
			ch.KeyFile, err = filepath.Abs(o.tsig)
		}
	case o.manual:
		ch.Way = acmeclient.Manual
	}
	return ch, err
}

func (a *app) acmeObtain(cmd *cobra.Command, o *acmeObtainFlags, names []string) error {
	for i, n := range names {
		names[i] = strings.ToLower(n)
		if strings.HasPrefix(n, "*.") && o.rfc2136 == "" && o.hook == "" && !o.manual {
			f := usagef(cmd, "%s is a wildcard, which only the DNS can prove", pki.Printable(n))
			f.hint = "use --dns-hook, --rfc2136 or --manual"
			return f
		}
	}
	if err := checkPublic(cmd, o.server, names); err != nil {
		return err
	}
	ch, err := o.challenge()
	if err != nil {
		return cannotRun(err, "")
	}
	t, err := a.acmeTree(&o.acmeFlags)
	if err != nil {
		return err
	}
	server := o.server
	if o.dryRun && server == "letsencrypt" {
		server = "staging"
	}
	c, err := a.acmeClient(t, &o.acmeFlags, server, func(line string) { a.ui.notef("%s", line) })
	if err != nil {
		return err
	}
	name := o.name
	if name == "" {
		name = acmeclient.NameFor(names)
	}
	if old, err := t.Find(name); err == nil && !o.force && !o.dryRun && a.stillGood(old, names) {
		a.ui.notef("the certificate %s is good until %s: left alone (--force gets a new one)", pki.Printable(name), whenText(leafOf(old).NotAfter, a.now()))
		return a.tellACME(t, old, o.asJSON)
	}
	if err := a.agree(cmd, c, o.agreed); err != nil {
		return err
	}
	binding, err := a.acmeBinding(cmd, o)
	if err != nil {
		return err
	}
	got, err := c.Obtain(cmd.Context(), acmeclient.Request{Name: name, Contact: mailto(o.email), Binding: binding, DryRun: o.dryRun, Ask: a.askPerson,
		Renewal: acmeclient.Renewal{Names: names, KeyType: o.keyType, Profile: o.profile, PreferredChain: o.chain, ReuseKey: o.reuse, StageKey: o.stage, MustStaple: o.mustStaple, Challenge: ch,
			Hooks: acmeclient.Hooks{Pre: o.pre, Post: o.post, Deploy: o.deploy}}})
	if err != nil {
		return acmeFailure(err)
	}
	if o.dryRun {
		a.ui.notef("the dry run went well: nothing was kept")
		return nil
	}
	return a.tellACME(t, got, o.asJSON)
}

// stillGood reports a certificate for the same names that is not due for renewal.
func (a *app) stillGood(c *acmeclient.Certificate, names []string) bool {
	leaf := leafOf(c)
	if leaf == nil {
		return false
	}
	for _, n := range names {
		if leaf.VerifyHostname(strings.Replace(n, "*", "x", 1)) != nil {
			return false
		}
	}
	renewal := c.Renewal
	_, isDue := acmeclient.Decide(&renewal, leaf, a.now())
	return !isDue && len(names) == len(c.Renewal.Names)
}

func leafOf(c *acmeclient.Certificate) *x509.Certificate {
	if len(c.Chain) == 0 {
		return nil
	}
	leaf, err := cert.ParseX509(c.Chain[0])
	if err != nil {
		return nil
	}
	return leaf
}

// tellACME shows a certificate that was obtained.
func (a *app) tellACME(t *acmeclient.Tree, c *acmeclient.Certificate, asJSON bool) error {
	r, err := a.acmeReport(t, c)
	if err != nil {
		return cannotRun(err, "")
	}
	if asJSON {
		return a.ui.printJSON(r)
	}
	rows := []row{{label: "certificate", value: pki.Printable(r.Name), style: bold}, {label: "names", value: listed(r.Names)}, {label: "valid", value: whenText(r.NotAfter, a.now())},
		{label: "renewal", value: dateOf(r.Renewal)}, {label: "key", value: r.Key}, {label: "files", value: r.Live + "/{cert,chain,fullchain,privkey}.pem"}}
	if r.NextPin != "" {
		rows = append(rows, row{label: "next pin", value: r.NextPin})
	}
	a.ui.write(&a.ui.out, a.ui.out.rows(rows))
	return nil
}

func (a *app) acmeBinding(cmd *cobra.Command, o *acmeObtainFlags) (*acmeclient.Binding, error) {
	if o.eabKID == "" {
		return nil, nil
	}
	if o.eabKey.file == "" {
		return nil, usagef(cmd, "--eab-kid without --eab-key-file")
	}
	text, err := a.secretFromFile(&o.eabKey)
	if err != nil {
		return nil, err
	}
	return &acmeclient.Binding{KID: o.eabKID, Key: strings.TrimSpace(string(text))}, nil
}

// askPerson shows what is to be done, and waits for the Enter key.
func (a *app) askPerson(ctx context.Context, text string) error {
	a.ui.write(&a.ui.err, text+"\nand press Enter when it is there. ")
	read := make(chan error, 1)
	go func() {
		var b [1]byte
		for {
			_, err := a.ui.in.Read(b[:])
			if err != nil || b[0] == '\n' {
				read <- err
				return
			}
		}
	}()
	select {
	case err := <-read:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newACMERenew(a *app) *cobra.Command {
	f := &acmeFlags{}
	var force, dryRun, asJSON bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "renew [NAME...]",
		Short: "Renew what is due",
		Long: `Renew the certificates that are due, in the way they were obtained: when the CA
suggests it (RFC 9773), else from two thirds of their life on, each at a moment
of its own. What fails is tried again with growing pauses.

Run it from a timer as often as you like, or let it go on by itself with
--every.`,
		Example:           "  tlswright acme renew\n  tlswright acme renew www.example.org --force\n  tlswright acme renew --dry-run\n  tlswright acme renew --every 1h",
		ValidArgsFunction: a.completeACME(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := a.acmeTree(f)
			if err != nil {
				return err
			}
			o := acmeclient.RenewOptions{Names: args, Force: force, DryRun: dryRun, Client: func(server string) (*acmeclient.Client, error) {
				if dryRun && server == acmeServers()["letsencrypt"] {
					server = "staging"
				}
				return a.acmeClient(t, f, server, func(line string) { a.ui.notef("%s", line) })
			}}
			for {
				err := a.renewOnce(cmd.Context(), t, o, asJSON)
				if every <= 0 || cmd.Context().Err() != nil {
					return err
				}
				if err != nil {
					a.ui.warnf("%v", err)
				}
				if !pause(cmd.Context(), every) {
					return nil
				}
			}
		},
	}
	f.registerDir(cmd)
	cmd.Flags().StringSliceVar(&f.ca, "ca", nil, "trust the certificates in this PEM `FILE` for the ACME server, and no others")
	cmd.Flags().BoolVar(&force, "force", false, "renew whatever their age")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "try everything and keep nothing")
	cmd.Flags().DurationVar(&every, "every", 0, "go on, and look again after this `TIME`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// renewedReport is what became of one certificate, in --json.
type renewedReport struct {
	Name    string    `json:"name"`
	Outcome string    `json:"outcome"` // renewed, not due, failed
	Due     time.Time `json:"due,omitzero"`
	Error   string    `json:"error,omitempty"`
}

func (a *app) renewOnce(ctx context.Context, t *acmeclient.Tree, o acmeclient.RenewOptions, asJSON bool) error {
	results, err := t.Renew(ctx, o)
	if err != nil {
		return acmeFailure(err)
	}
	reports := make([]renewedReport, 0, len(results))
	failed := 0
	for _, r := range results {
		report := renewedReport{Name: r.Name, Outcome: "renewed", Due: r.Due}
		switch {
		case r.Skipped:
			report.Outcome = "not due"
		case r.Err != nil:
			failed++
			report.Outcome, report.Error = "failed", pki.Printable(r.Err.Error())
		}
		reports = append(reports, report)
		if !asJSON {
			text := pki.Printable(r.Name) + ": " + report.Outcome
			if r.Skipped {
				text += " until " + dateOf(r.Due)
			}
			if report.Error != "" {
				text += ": " + report.Error
			}
			a.ui.printf("%s", text)
		}
	}
	if asJSON {
		if err := a.ui.printJSON(reports); err != nil {
			return err
		}
	}
	if len(results) == 0 && !asJSON {
		a.ui.notef("there is no certificate to renew")
	}
	if failed > 0 {
		return &failure{kind: kindFinding, text: countOf(failed, "renewal") + " failed", hint: "it is tried again by the next \"acme renew\""}
	}
	return nil
}

func newACMERevoke(a *app) *cobra.Command {
	f := &acmeFlags{}
	var file, keyFile, reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "revoke NAME | --cert FILE",
		Short:             "Revoke a certificate",
		Long:              "Revoke a certificate of the tree by its own key, or one in a file: by --key, or\nby the account that ordered it.",
		Example:           "  tlswright acme revoke www.example.org --reason keyCompromise\n  tlswright acme revoke --cert cert.pem --key key.pem --server letsencrypt",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeACME(f),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (file != "") {
				return usagef(cmd, "name a certificate, or give --cert FILE")
			}
			code, err := crl.ParseReason(reason)
			if err != nil {
				return usagef(cmd, "--reason %q is not known", reason)
			}
			t, err := a.acmeTree(f)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				found, err := t.Find(args[0])
				if err != nil {
					return acmeFailure(err)
				}
				c, err := a.acmeClient(t, f, found.Renewal.Server, nil)
				if err != nil {
					return err
				}
				if err := c.Revoke(cmd.Context(), args[0], int(code)); err != nil {
					return acmeFailure(err)
				}
				return a.tellDone(asJSON, args[0], "revoked")
			}
			if err := a.revokeFile(cmd, t, f, file, keyFile, int(code)); err != nil {
				return err
			}
			return a.tellDone(asJSON, file, "revoked")
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&file, "cert", "", "the certificate in `FILE`")
	cmd.Flags().StringVar(&keyFile, "key", "", "its private key in `FILE` (default: the account revokes)")
	cmd.Flags().StringVar(&reason, "reason", "unspecified", "`WHY`: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	complete(cmd, "reason", []string{"unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation"})
	return cmd
}

func (a *app) revokeFile(cmd *cobra.Command, t *acmeclient.Tree, f *acmeFlags, file, keyFile string, reason int) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return cannotRun(err, "--cert")
	}
	chain, err := pki.CertificatesPEM(text)
	if err != nil || len(chain) == 0 {
		return cannotRun(err, "--cert: no certificate in %s", file)
	}
	var key crypto.Signer
	if keyFile != "" {
		if key, err = keystore.ReadKey(keyFile); err != nil {
			return cannotRun(err, "--key")
		}
	}
	c, err := a.acmeClient(t, f, f.server, nil)
	if err != nil {
		return err
	}
	return acmeFailure(c.RevokeCertificate(cmd.Context(), chain[0], key, reason))
}
