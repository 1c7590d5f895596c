package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
	noSudo   bool
	asJSON   bool

	home    string   // of the CA
	elevate []string // in front of what needs root; none: nothing is
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

The stores of the system and of Java belong to root: sudo asks for the password.
Where a Chromium is installed that has no database yet, one is made. Browsers
that run already have to be started anew.

--remove takes the root out again, and proves that too. --list changes nothing
and only makes the handshakes.`

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
	f.BoolVar(&o.noSudo, "no-sudo", false, "leave the stores alone that belong to root")
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
	if o.home, err = a.home(); err != nil {
		return err
	}
	if o.home, err = filepath.Abs(o.home); err != nil {
		return cannotRun(err, "")
	}
	if o.elevate = a.sudo(); o.noSudo {
		o.elevate = nil
	}
	found, err := a.storesToTrust(cmd.Context(), o)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return &failure{kind: kindLocal, text: "there is no such trust store on this machine",
			hint: "give programs the root by hand: tlswright ca show --pem > root.pem"}
	}
	reports := make([]trustReport, 0, len(found))
	isBrowser := false
	for _, s := range found {
		r := a.changeStore(cmd.Context(), o, s, ca)
		reports = append(reports, r)
		isBrowser = isBrowser || s.Kind() == "nss" && r.Problem == ""
	}
	err = a.reportTrust(o, reports)
	if isBrowser && !o.isList && !o.asJSON {
		a.ui.notef("browsers that run already have to be started anew")
	}
	return err
}

// sudo is the command that gives the rights of root on this machine; none: there is none, or this is root.
func (a *app) sudo() []string {
	if _, err := exec.LookPath("sudo"); err != nil || os.Geteuid() <= 0 {
		return nil
	}
	if a.canAsk() {
		return []string{"sudo"}
	}
	return []string{"sudo", "-n"} // it fails where it would have to ask
}

// storesToTrust finds the stores that the flags leave. A Chromium that has no database yet gets one.
func (a *app) storesToTrust(ctx context.Context, o *caTrustFlags) ([]stores.Store, error) {
	user, err := os.UserHomeDir()
	if err != nil {
		return nil, cannotRun(err, "looking for trust stores")
	}
	found, err := stores.Stores(stores.Options{Home: user, Elevate: o.elevate})
	if err != nil {
		return nil, cannotRun(err, "looking for trust stores")
	}
	if !o.isRemove && !o.isList && stores.HasChromium() && !slices.ContainsFunc(found, stores.IsChromium) {
		s, err := stores.MakeNSS(ctx, stores.ChromiumDatabase(user))
		if err != nil {
			s = stores.NSS(stores.ChromiumDatabase(user)) // what is missing is told where it is used
		}
		found = append(found, s)
	}
	if len(o.kinds) > 0 {
		found = slices.DeleteFunc(found, func(s stores.Store) bool { return !slices.Contains(o.kinds, s.Kind()) })
	}
	return found, nil
}

// changeStore does what was asked to one store and proves it.
func (a *app) changeStore(ctx context.Context, o *caTrustFlags, s stores.Store, ca *keystore.CA) trustReport {
	r := trustReport{Store: s.Kind(), Where: s.Where()}
	issuer := ca.Issuer()
	issuer.Chain = []*x509.Certificate{ca.Root}
	prove := func() error { return stores.Prove(ctx, s, issuer, ca.Chain(), a.now()) }
	proof := prove()
	r.Trusted = proof == nil
	if o.isList || r.Trusted && !o.isRemove {
		return r
	}
	if stores.NeedsRoot(s) {
		if roots, err := s.Roots(ctx); o.isRemove && err == nil && !slices.ContainsFunc(roots, ca.Root.Equal) {
			return r
		}
		if len(o.elevate) == 0 {
			r.Problem, r.Hint = "it belongs to root", a.asRoot(o, s.Kind())
			return r
		}
		if !o.asJSON {
			a.ui.notef("changing %s, by sudo: the store belongs to root", pki.Printable(s.Where()))
		}
	}
	var err error
	if o.isRemove {
		err = s.Remove(ctx, ca.Root)
	} else {
		err = s.Install(ctx, ca.Root)
	}
	proof = prove()
	r.Trusted = proof == nil
	switch {
	case err != nil:
	case o.isRemove && r.Trusted:
		err = errors.New("still trusts the CA: the root is there under another name, or was put there by other means")
	case !o.isRemove && !r.Trusted:
		err = proof
	}
	if err != nil {
		r.Problem = pki.Printable(err.Error())
		var known *stores.Error
		if errors.As(err, &known) {
			r.Problem, r.Hint = known.Text, known.Hint
		}
		if stores.NeedsRoot(s) && r.Hint == "" {
			r.Hint = a.asRoot(o, s.Kind())
		}
	}
	return r
}

// asRoot is the command by which root changes a store: root has other paths, and another home.
func (a *app) asRoot(o *caTrustFlags, kind string) string {
	program, err := os.Executable()
	if err != nil {
		program = "tlswright"
	}
	text := "as root: " + shellWord(program) + " ca trust --store " + kind + " --home " + shellWord(o.home)
	if o.isRemove {
		text += " --remove"
	}
	return pki.Printable(text)
}

// shellWord is a text as one word of a command line that people paste into a shell.
func shellWord(text string) string {
	isPlain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:=@%,", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !isPlain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
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
			where := r.Where
			if r.Store == "nss" {
				where += " (" + whatFor(browserOf(r.Where)) + ")"
			}
			text, st := "does not trust the CA", plain
			switch {
			case r.Problem != "":
				text, st = r.Problem, bad
			case r.Trusted:
				text, st = "trusts the CA, shown by a handshake", good
			case o.isRemove:
				text, st = "no longer trusts the CA, shown by a handshake", good
			}
			rows = append(rows, row{label: r.Store, value: text, style: st}, row{label: "", value: where, style: faint})
		}
		a.ui.write(&a.ui.out, a.ui.out.rows(rows))
	}
	if worst == nil {
		return nil
	}
	return &failure{kind: kindFinding, text: worst.Store + " store: " + worst.Problem, hint: worst.Hint, told: o.asJSON}
}

// browserOf names the browser that an NSS database belongs to.
func browserOf(dir string) string {
	if stores.IsChromium(stores.NSS(dir)) {
		return "Chromium"
	}
	return "Firefox"
}
