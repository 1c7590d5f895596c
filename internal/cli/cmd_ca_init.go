package cli

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

const day = 24 * time.Hour

type caInitFlags struct {
	key    string
	name   string
	days   int
	asJSON bool
}

// caReport is `ca init --json` and `ca show --json`.
type caReport struct {
	Folder       string     `json:"folder"`
	Root         certReport `json:"root"`
	Intermediate certReport `json:"intermediate"`
}

func newCAInit(a *app) *cobra.Command {
	o := &caInitFlags{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a private CA: a root and an intermediate",
		Long: `Make a root, valid for ten years, and an intermediate, valid for five, which
issues everything else. The private keys are files that only you can read. An
existing CA is never overwritten.`,
		Example: "  tlswright ca init\n  tlswright ca init --key rsa4096 --days 3650 --name 'Example Ltd'",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.caInit(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.key, "key", string(pki.P256), "`KIND` of the keys: "+keyTypeList())
	f.IntVar(&o.days, "days", 3650, "how many `DAYS` the root is valid; the intermediate is for half as long")
	f.StringVar(&o.name, "name", "", "your `NAME` in the certificates (default \"tlswright\")")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	completeKeyTypes(cmd)
	return cmd
}

func keyTypeList() string {
	text := ""
	for i, t := range pki.KeyTypes() {
		if i > 0 {
			text += ", "
		}
		text += string(t)
	}
	return text
}

func completeKeyTypes(cmd *cobra.Command) {
	var words []string
	for _, t := range pki.KeyTypes() {
		words = append(words, string(t))
	}
	complete(cmd, "key", words)
}

// lifetimeOf turns --days into a time.
func lifetimeOf(cmd *cobra.Command, days int) (time.Duration, error) {
	if days < 1 || days > 36500 {
		return 0, usagef(cmd, "--days %d is no lifetime (1 to 36500)", days)
	}
	return time.Duration(days) * day, nil
}

func (a *app) caInit(cmd *cobra.Command, o *caInitFlags) error {
	keyType, err := pki.ParseKeyType(o.key)
	if err != nil {
		return refusedFlag(cmd, "--key", err)
	}
	lifetime, err := lifetimeOf(cmd, o.days)
	if err != nil {
		return err
	}
	home, err := a.home()
	if err != nil {
		return err
	}
	if keyType == pki.RSA4096 && a.ui.err.width > 0 {
		a.ui.notef("making two RSA keys of 4096 bits, which takes a while")
	}
	ca, err := keystore.CreateCA(home, keystore.CAOptions{
		KeyType: keyType, Name: o.name, RootLifetime: lifetime, IntermediateLifetime: max(lifetime/2, day),
	}, a.now())
	if errors.Is(err, keystore.ErrCAExists) {
		return &failure{kind: kindLocal, err: err, text: err.Error(),
			hint: "use it as it is (tlswright ca show), or name another place with --home"}
	}
	if err != nil {
		return refusedRequest(err, "making the CA")
	}
	if o.asJSON {
		return a.ui.printJSON(a.newCAReport(ca))
	}
	a.printCA(ca, "made a CA in "+filepath.Clean(ca.Dir))
	a.ui.printf("\nnext: %s", a.ui.out.paint(bold, "tlswright ca issue localhost --profile server --san localhost,127.0.0.1 --out ./localhost"))
	return nil
}

// refusedFlag reports the value of a flag that pki does not take.
func refusedFlag(cmd *cobra.Command, flag string, err error) error {
	f := usagef(cmd, "%s: %v", flag, err)
	var refused *pki.RefusedError
	if errors.As(err, &refused) && refused.Hint != "" {
		f.hint = refused.Hint
	}
	return f
}

func (a *app) newCAReport(ca *keystore.CA) caReport {
	now := a.now()
	return caReport{Folder: ca.Dir, Root: newCertReport(ca.Root, now), Intermediate: newCertReport(ca.Intermediate, now)}
}

// printCA shows both certificates of the CA under a heading.
func (a *app) printCA(ca *keystore.CA, heading string) {
	now, out := a.now(), &a.ui.out
	text := out.paint(bold, heading) + "\n"
	var rows []row
	for i, c := range []string{"root", "intermediate"} {
		certificate := ca.Root
		if i == 1 {
			certificate = ca.Intermediate
		}
		rows = append(rows,
			row{label: c, value: pki.Name(certificate.Subject), style: bold},
			row{label: "", value: pki.DescribeKey(certificate.PublicKey) + ", " + dateOf(certificate.NotBefore) + " to " +
				dateOf(certificate.NotAfter) + ", " + lifeLeft(certificate, now), style: lifeStyle(certificate, now)},
			row{label: "", value: "sha256 " + pki.Fingerprint(certificate.Raw), style: faint})
	}
	a.ui.write(out, text+out.rows(rows))
}
