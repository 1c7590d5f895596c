package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	stores "github.com/tlswright/tlswright/internal/trust"
	"github.com/tlswright/tlswright/pki"
)

type caTrustFlags struct {
	caFlags
	kinds    []string
	isRemove bool
	isList   bool
	asJSON   bool
}

// trustReport is one store in `ca trust --json`.
type trustReport struct {
	Store   string `json:"store"`
	Where   string `json:"where"`
	Trusted bool   `json:"trusted"` // shown by a handshake
	Problem string `json:"problem,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

const caTrustLong = `Put the root of the CA into the trust stores of this machine, so that browsers,
curl and Java believe its certificates: the system's store, the NSS databases of
Firefox and Chromium, and Java's. Each store is proved afterwards: a handshake
is made with a fresh certificate of the CA and a client that trusts what the
store holds, and nothing else.

--remove takes the root out again, and proves that too. --list changes nothing
and only makes the handshakes. The system's store belongs to root: run the
command with sudo, and give it --home.`

func newCATrust(a *app) *cobra.Command {
	o := &caTrustFlags{}
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Have this machine's programs trust the CA, or no longer",
		Long:  caTrustLong,
		Example: "  tlswright ca trust\n  tlswright ca trust --store nss\n" +
			"  sudo tlswright ca trust --home ~/.local/share/tlswright --store system\n  tlswright ca trust --remove",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.caTrust(cmd, o) },
	}
	o.registerSecret(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.kinds, "store", nil, "only these `STORES`: "+strings.Join(stores.Kinds(), ", "))
	f.BoolVar(&o.isRemove, "remove", false, "take the root out again")
	f.BoolVar(&o.isList, "list", false, "change nothing, only say which stores trust the CA")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	complete(cmd, "store", stores.Kinds())
	return cmd
}

func (a *app) caTrust(cmd *cobra.Command, o *caTrustFlags) error {
	if o.isRemove && o.isList {
		return usagef(cmd, "--remove and --list exclude each other")
	}
	for _, kind := range o.kinds {
		if !slices.Contains(stores.Kinds(), kind) {
			return usagef(cmd, "--store %q is not one of %s", kind, strings.Join(stores.Kinds(), ", "))
		}
	}
	ca, err := a.openCA(&o.caFlags)
	if err != nil {
		return err
	}
	found, err := stores.Stores(stores.Options{})
	if err != nil {
		return cannotRun(err, "looking for trust stores")
	}
	if len(o.kinds) > 0 {
		found = slices.DeleteFunc(found, func(s stores.Store) bool { return !slices.Contains(o.kinds, s.Kind()) })
	}
	if len(found) == 0 {
		return &failure{kind: kindLocal, text: "there is no such trust store on this machine",
			hint: "give programs the root by hand: tlswright ca show --pem > root.pem"}
	}
	reports := make([]trustReport, 0, len(found))
	for _, s := range found {
		reports = append(reports, a.changeStore(cmd.Context(), o, s, ca))
	}
	return a.reportTrust(o, reports)
}

// changeStore does what was asked to one store and proves it.
func (a *app) changeStore(ctx context.Context, o *caTrustFlags, s stores.Store, ca *keystore.CA) trustReport {
	r := trustReport{Store: s.Kind(), Where: s.Where()}
	var err error
	switch {
	case o.isRemove:
		err = s.Remove(ctx, ca.Root)
	case !o.isList:
		err = s.Install(ctx, ca.Root)
	}
	issuer := ca.Issuer()
	issuer.Chain = []*x509.Certificate{ca.Root}
	proof := stores.Prove(ctx, s, issuer, ca.Chain(), a.now())
	r.Trusted = proof == nil
	switch {
	case err != nil:
	case o.isRemove && r.Trusted:
		err = errors.New("still trusts the CA: the root is there under another name, or was put there by other means")
	case !o.isRemove && !o.isList && !r.Trusted:
		err = proof
	}
	if err != nil {
		r.Problem = pki.Printable(err.Error())
		var known *stores.Error
		if errors.As(err, &known) {
			r.Problem, r.Hint = known.Text, known.Hint
		}
	}
	return r
}

func (a *app) reportTrust(o *caTrustFlags, reports []trustReport) error {
	var worst *trustReport
	for i := range reports {
		if reports[i].Problem != "" && worst == nil {
			worst = &reports[i]
		}
	}
	if o.asJSON {
		if err := a.ui.printJSON(reports); err != nil {
			return err
		}
	} else {
		var rows []row
		for _, r := range reports {
			text, st := "does not trust the CA", plain
			switch {
			case r.Problem != "":
				text, st = r.Problem, bad
			case r.Trusted:
				text, st = "trusts the CA, shown by a handshake", good
			case o.isRemove:
				text, st = "no longer trusts the CA, shown by a handshake", good
			}
			rows = append(rows, row{label: r.Store, value: text, style: st}, row{label: "", value: r.Where, style: faint})
		}
		a.ui.write(&a.ui.out, a.ui.out.rows(rows))
	}
	if worst == nil {
		return nil
	}
	return &failure{kind: kindFinding, text: worst.Store + " store: " + worst.Problem, hint: worst.Hint, told: o.asJSON}
}
