package cli

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/acmeserver"
	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
)

func newCABinding(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:     "binding",
		Short:   "Keys that bind ACME accounts to customers (EAB)",
		Long:    "Keys for external account binding (RFC 8555, Section 7.3.4). A client that is\ngiven one registers with it, once; what the key allows, the account may have.\n\"ca serve --require-binding\" takes no other accounts.",
		Example: "  tlswright ca binding add alice --allow-name alice.corp.example\n  tlswright ca binding list\n  tlswright ca binding remove alice",
	}, newCABindingAdd(a), newCABindingList(a), newCABindingRemove(a))
}

// bindingReport is one key in --json; the key itself is shown when it is made, and never again.
type bindingReport struct {
	KID       string    `json:"kid"`
	Key       string    `json:"hmac_key,omitempty"` // base64url, as clients want it
	Directory string    `json:"directory"`
	Account   string    `json:"account,omitempty"` // that has used it
	Names     []string  `json:"names"`
	Networks  []string  `json:"networks"`
	CreatedAt time.Time `json:"created_at"`
}

func newBindingReport(b store.ACMEBinding) bindingReport {
	r := bindingReport{KID: b.KID, Directory: b.Directory, Account: b.Account, Names: []string{}, Networks: []string{}, CreatedAt: b.CreatedAt}
	var rights acmeserver.Rights
	if json.Unmarshal(b.Body, &rights) == nil { // what we wrote ourselves
		r.Names = orEmpty(rights.DNS)
		for _, n := range rights.IP {
			r.Networks = append(r.Networks, n.String())
		}
	}
	return r
}

func newCABindingAdd(a *app) *cobra.Command {
	var names, networks []string
	var directory string
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "add NAME",
		Short:             "Make a key",
		Example:           "  tlswright ca binding add alice --allow-name alice.corp.example\n  certbot register --eab-kid alice --eab-hmac-key KEY --server URL",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			rights := acmeserver.Rights{DNS: names}
			for _, text := range networks {
				n, err := netip.ParsePrefix(text)
				if err != nil {
					return usagef(cmd, "--allow-address %q is no network, such as 10.0.0.0/8", text)
				}
				rights.IP = append(rights.IP, n.Masked())
			}
			body, err := json.Marshal(rights)
			if err != nil {
				return cannotRun(err, "")
			}
			au, err := a.openAuthority(cmd.Context(), &caFlags{}, false)
			if err != nil {
				return err
			}
			defer closing(au, &err)
			b := store.ACMEBinding{KID: args[0], Directory: directory, Key: make([]byte, 32), Body: body, CreatedAt: a.now()}
			_, _ = rand.Read(b.Key) // never fails
			err = au.Store.AddACMEBinding(cmd.Context(), b, store.By{Actor: actor(), At: a.now()})
			if errors.Is(err, store.ErrTaken) {
				return usagef(cmd, "there is a key called %s already", pki.Printable(args[0]))
			}
			if err != nil {
				return caFailure(err, "keeping the key")
			}
			report := newBindingReport(b)
			report.Key = base64.RawURLEncoding.EncodeToString(b.Key)
			if asJSON {
				return a.ui.printJSON(report)
			}
			a.ui.write(&a.ui.out, a.ui.out.rows([]row{{label: "key id", value: pki.Printable(b.KID)}, {label: "HMAC key", value: report.Key}}))
			a.ui.notef("the HMAC key is shown this once; a client uses it to register, once")
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&names, "allow-name", nil, "the account may have this `NAME` and those below only; may be repeated")
	f.StringSliceVar(&networks, "allow-address", nil, "the account may have addresses of this `CIDR` only; may be repeated")
	f.StringVar(&directory, "directory", "", "the `NAME` of the further issuer that the key is for (default: the first)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newCABindingList(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the keys, and which were used",
		Example: "  tlswright ca binding list",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withAuthority(cmd.Context(), func(au *authority.Authority) error {
				all, err := au.Store.ACMEBindings(cmd.Context())
				if err != nil {
					return caFailure(err, "listing the keys")
				}
				reports := make([]bindingReport, 0, len(all))
				cells := [][]string{{"key id", "account", "names", "made"}}
				for _, b := range all {
					r := newBindingReport(b)
					reports = append(reports, r)
					cells = append(cells, []string{pki.Printable(r.KID), orWord(r.Account, "not used yet"), orWord(listed(append(r.Names, r.Networks...)), "all"), dateOf(r.CreatedAt)})
				}
				return a.tellList(asJSON, reports, cells, "there is no key; \"tlswright ca binding add NAME\" makes one")
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newCABindingRemove(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "remove NAME",
		Short:             "Take a key back; an account that was made with it stays",
		Example:           "  tlswright ca binding remove alice",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withAuthority(cmd.Context(), func(au *authority.Authority) error {
				err := au.Store.RemoveACMEBinding(cmd.Context(), args[0], store.By{Actor: actor(), At: a.now()})
				if errors.Is(err, store.ErrNotFound) {
					f := usagef(cmd, "there is no key called %s", pki.Printable(args[0]))
					f.hint = "see: tlswright ca binding list"
					return f
				}
				if err != nil {
					return caFailure(err, "taking the key back")
				}
				return a.tellDone(asJSON, args[0], "removed")
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listed is a list in one cell; names of a CA's own records, which are printable already.
func listed(words []string) string {
	text := ""
	for i, w := range words {
		if i > 0 {
			text += ", "
		}
		text += pki.Printable(w)
	}
	return text
}
