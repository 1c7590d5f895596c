package cli

import (
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/admin"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

const caAdminLong = `Who may run the CA from elsewhere, over the admin API of "ca serve --admin".

Admins come with client certificates of an admin CA of their own, so that
nothing the CA issues, by hand or over ACME, ever opens that door. "ca admin
init" makes it, "ca admin issue" certifies somebody and puts the certificate on
a list in the CA's records, with roles: read, issue, revoke, accounts, or all.
What is not on the list may do nothing, and "ca admin remove" takes somebody off
it at once.

The API is described at /openapi.json; "ca admin call" and curl speak to it:
  curl --cert alice/fullchain.pem --key alice/privkey.pem \
    --cacert alice/ca.pem https://127.0.0.1:9444/v1/certificates
Whatever is changed is in the log with the admin's name: "ca audit".`

func newCAAdmin(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "admin",
		Short: "Who may run the CA over the network, and do it",
		Long:  caAdminLong,
		Example: "  tlswright ca admin init\n  tlswright ca admin issue alice --role read,revoke\n  tlswright ca serve --admin 127.0.0.1:9444\n" +
			"  tlswright ca admin call /v1/status --as alice",
	}, newCAAdminInit(a), newCAAdminIssue(a), newCAAdminList(a), newCAAdminRemove(a), newCAAdminCall(a))
}

// adminFailure puts an error about admins into words.
func adminFailure(err error, doing string) error {
	switch {
	case errors.Is(err, admin.ErrNoCA):
		return &failure{kind: kindLocal, text: err.Error(), err: err, hint: "make one: tlswright ca admin init"}
	case errors.Is(err, admin.ErrCAExists):
		return &failure{kind: kindLocal, text: err.Error(), err: err, hint: "certify somebody: tlswright ca admin issue NAME --role read"}
	}
	return caFailure(err, doing)
}

func newCAAdminInit(a *app) *cobra.Command {
	var keyName string
	var asJSON bool
	var secret secretFlags
	secret.isNew = true
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Make the admin CA, which certifies admins and nothing else",
		Long:    "Make the admin CA, which certifies admins and nothing else. It lives beside the\nCA, in the folder ca/admin below --home; its key is only needed when somebody is\ncertified. Nodes that share a database need its certificate, root.pem, each.",
		Example: "  tlswright ca admin init\n  tlswright ca admin init --passphrase-file secret.txt",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keyType, err := pki.ParseKeyType(keyName)
			if err != nil {
				return refusedFlag(cmd, "--key", err)
			}
			if _, err := a.readCA(); err != nil {
				return err
			}
			home, err := a.home()
			if err != nil {
				return err
			}
			o := admin.CAOptions{KeyType: keyType}
			if secret.isSet() {
				if o.Passphrase, err = a.passphraseText(&secret, "the key of the admin CA"); err != nil {
					return err
				}
			}
			ca, err := admin.InitCA(home, o, a.now())
			if err != nil {
				return adminFailure(err, "making the admin CA")
			}
			if asJSON {
				return a.ui.printJSON(newCertReport(ca.Root, a.now()))
			}
			out := &a.ui.out
			a.ui.write(out, out.paint(bold, "made the admin CA")+"\n"+out.rows(append(a.issuerRows("subject", ca.Root), row{label: "folder", value: ca.Dir})))
			a.ui.printf("\nnext: %s", out.paint(bold, "tlswright ca admin issue NAME --role read"))
			return nil
		},
	}
	registerPassphrase(cmd, &secret, "encrypt the key; the passphrase")
	cmd.Flags().StringVar(&keyName, "key", string(pki.P256), "`KIND` of the key: "+keyTypeList())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	completeKeyTypes(cmd)
	return cmd
}

// adminReport is one admin in --json.
type adminReport struct {
	admin.Identity
	Serial string            `json:"serial,omitempty"`
	Files  map[string]string `json:"files,omitempty"`
}

type caAdminIssueFlags struct {
	secret secretFlags
	roles  []string
	out    string
	days   int
	asJSON bool
}

func newCAAdminIssue(a *app) *cobra.Command {
	o := &caAdminIssueFlags{}
	cmd := &cobra.Command{
		Use:   "issue NAME",
		Short: "Certify an admin, and say what that one may do",
		Long: `Certify an admin, with a new key, and put the certificate on the list with its
roles: read (look at everything), issue, revoke (hold, release and CRLs, too),
accounts (deactivate ACME accounts, make and take back keys that bind them), or
all. The folder gets cert.pem, chain.pem, fullchain.pem and privkey.pem, and in
ca.pem the root by which the service itself is known. To renew, issue again; the
earlier certificate goes on until it ends.`,
		Example: "  tlswright ca admin issue alice --role all\n  tlswright ca admin issue monitor --role read --days 365 --out ./monitor",
		Args:    oneArg("the NAME of the admin"),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.caAdminIssue(cmd, o, args[0]) },
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	registerPassphrase(cmd, &o.secret, "the passphrase of the admin CA's key")
	f := cmd.Flags()
	f.StringSliceVar(&o.roles, "role", nil, "what the admin may do: `ROLES` of "+admin.RoleWords())
	f.StringVar(&o.out, "out", "", "the `DIR` to write to (default admins/NAME below --home)")
	f.IntVar(&o.days, "days", int(admin.AdminLifetime/day), "how many `DAYS` the certificate is valid")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	_ = cmd.MarkFlagDirname("out")
	complete(cmd, "role", strings.Split(admin.RoleWords(), ", "))
	return cmd
}

// adminFolder is where the files of an admin are, unless somebody says otherwise.
func (a *app) adminFolder(name string) (string, error) {
	home, err := a.home()
	return filepath.Join(home, "admins", name), err
}

func (a *app) caAdminIssue(cmd *cobra.Command, o *caAdminIssueFlags, name string) (err error) {
	roles, err := admin.ParseRoles(o.roles)
	if err != nil {
		return refusedFlag(cmd, "--role", err)
	}
	lifetime, err := lifetimeOf(cmd, o.days)
	if err != nil {
		return err
	}
	if err := admin.CheckName(name); err != nil {
		return caFailure(err, "certifying the admin")
	}
	home, err := a.home()
	if err != nil {
		return err
	}
	ca, err := admin.ReadCA(home)
	if err != nil {
		return adminFailure(err, "")
	}
	dir := o.out
	if dir == "" {
		if dir, err = a.adminFolder(name); err != nil {
			return err
		}
	}
	live, err := a.holdLive(cmd.Context(), dir)
	if err != nil {
		return err
	}
	defer letGo(live, &err)
	if err := refuseOtherKey(dir, ca.Root); err != nil {
		return err
	}
	au, err := a.openAuthority(cmd.Context(), &caFlags{}, false)
	if err != nil {
		return err
	}
	defer closing(au, &err)
	key, err := pki.GenerateKey(pki.P256)
	if err != nil {
		return cannotRun(err, "making a key")
	}
	c, entry, err := ca.Issue(name, roles, key.Public(), lifetime, a.passphrase(&caFlags{secret: o.secret}), a.now())
	if err != nil {
		return caFailure(err, "certifying the admin")
	}
	if err := live.Write(c.Raw, [][]byte{ca.Root.Raw}, key); err != nil {
		return cannotRun(err, "writing the certificate")
	}
	own, err := a.readCA()
	if err != nil {
		return err
	}
	if err := keystore.WriteCertificates(filepath.Join(dir, "ca.pem"), own.Root.Raw); err != nil {
		return cannotRun(err, "writing the root")
	}
	// Only now may the certificate anything: its key is safely on disk.
	if err := au.Store.AddAdmin(cmd.Context(), entry, store.By{Actor: actor(), At: a.now()}); err != nil {
		return caFailure(err, "putting the admin on the list")
	}
	return a.reportAdmin(o, c, &entry, dir)
}

// refuseOtherKey keeps a key from being lost that the admin CA has not certified.
func refuseOtherKey(dir string, root *x509.Certificate) error {
	certs, err := keystore.ReadCertificates(filepath.Join(dir, keystore.CertFile))
	if err != nil || len(certs) == 0 || cert.CheckSignatureFrom(certs[0], root) == nil {
		if err == nil {
			return nil
		}
		return refuseToReplace(filepath.Join(dir, keystore.KeyFile))
	}
	return &failure{kind: kindLocal, text: dir + " holds a certificate that is not of the admin CA; its key would be lost", hint: "choose another folder with --out"}
}

func (a *app) reportAdmin(o *caAdminIssueFlags, c *x509.Certificate, entry *store.Admin, dir string) error {
	if o.asJSON {
		files := liveFiles(dir)
		files["ca"] = filepath.Join(dir, "ca.pem")
		return a.ui.printJSON(adminReport{Identity: admin.NewIdentity(entry), Serial: c.SerialNumber.Text(16), Files: files})
	}
	out := &a.ui.out
	a.ui.write(out, out.paint(bold, "certified the admin "+entry.Name)+"\n"+out.rows([]row{
		{label: "may", value: strings.Join(entry.Roles, ", ")}, {label: "until", value: whenText(c.NotAfter, a.now())},
		{label: "sha256", value: pki.Fingerprint(c.Raw)}, {label: "files", value: filepath.Join(dir, "{cert,chain,fullchain,privkey,ca}.pem")},
	}))
	return nil
}

func newCAAdminList(a *app) *cobra.Command {
	var asJSON, isAll bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the admins, and what each may do",
		Example: "  tlswright ca admin list\n  tlswright ca admin list --all --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAuthority(cmd.Context(), func(au *authority.Authority) error {
				all, err := au.Store.Admins(cmd.Context())
				if err != nil {
					return caFailure(err, "listing the admins")
				}
				now := a.now()
				views := []admin.Identity{}
				cells := [][]string{{"name", "may", "until", "sha256", "state"}}
				for i := range all {
					state := adminState(&all[i], now)
					if state != "active" && !isAll {
						continue
					}
					v := admin.NewIdentity(&all[i])
					views = append(views, v)
					cells = append(cells, []string{pki.Printable(v.Name), strings.Join(v.Roles, ", "), dateOf(v.NotAfter), v.SHA256[:16], state})
				}
				return a.tellList(asJSON, views, cells, "there is no admin; \"tlswright ca admin issue NAME --role read\" certifies one")
			})
		},
	}
	cmd.Flags().BoolVar(&isAll, "all", false, "also those who were removed, and certificates that have expired")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func adminState(a *store.Admin, now time.Time) string {
	switch {
	case !a.RemovedAt.IsZero():
		return "removed"
	case now.After(a.NotAfter):
		return "expired"
	}
	return "active"
}

func newCAAdminRemove(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Take an admin off the list, with all certificates of that name",
		Long:    "Take an admin off the list, with all certificates of that name. It counts from\nthe next request on, on every node.",
		Example: "  tlswright ca admin remove alice",
		Args:    oneArg("the NAME of the admin"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAuthority(cmd.Context(), func(au *authority.Authority) error {
				n, err := au.Store.RemoveAdmin(cmd.Context(), args[0], store.By{Actor: actor(), At: a.now()})
				if errors.Is(err, store.ErrNotFound) {
					f := usagef(cmd, "no admin is called %s", pki.Printable(args[0]))
					f.hint = "see: tlswright ca admin list"
					return f
				}
				if err != nil {
					return caFailure(err, "removing the admin")
				}
				if !asJSON {
					a.ui.printf("removed %s, with %s", pki.Printable(args[0]), countOf(int(n), "certificate"))
				}
				return a.tellDone(asJSON, args[0], "removed")
			})
		},
	}
	cmd.ValidArgsFunction = a.completeAdmins
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// completeAdmins offers the names of admins.
func (a *app) completeAdmins(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeFromStore(cmd, func(s *store.Store) (words []string, err error) {
		all, err := s.Admins(cmd.Context())
		for i := range all {
			if adminState(&all[i], a.now()) == "active" {
				words = append(words, all[i].Name+"\t"+strings.Join(all[i].Roles, ", "))
			}
		}
		return words, err
	})
}

// completeFromStore offers words that are looked up in the records; nothing where they cannot be read.
func (a *app) completeFromStore(cmd *cobra.Command, look func(*store.Store) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	au, err := a.openAuthority(cmd.Context(), &caFlags{}, false)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer func() { _ = au.Close() }() // there is nobody to tell
	words, err := look(au.Store)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return words[:min(len(words), maxCompletions)], cobra.ShellCompDirectiveNoFileComp
}
