package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki"
)

func newCA(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "ca",
		Short: "A private CA: make it, issue certificates, show it",
		Long: `A private CA with a root and an intermediate. The root signs the intermediate,
the intermediate signs everything else. Both live below --home, their keys in
files that only you can read.`,
		Example: "  tlswright ca init\n  tlswright ca issue app.test --san app.test,127.0.0.1 --out ./app\n  tlswright ca show --pem > root.pem",
	}, newCAInit(a), newCAIssue(a), newCASign(a), newCARenew(a), newCARevoke(a),
		newCAList(a), newCASearch(a), newCAShow(a), newCATrust(a), newCAAudit(a))
}

// openCA opens the CA of the estate, or says how to make one.
func (a *app) openCA() (*keystore.CA, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	ca, err := keystore.OpenCA(home)
	if errors.Is(err, keystore.ErrNoCA) {
		return nil, &failure{kind: kindLocal, err: err, text: err.Error(), hint: "make one: tlswright ca init"}
	}
	if err != nil {
		return nil, cannotRun(err, "opening the CA")
	}
	return ca, nil
}

// readCA reads the CA's certificates, without any key.
func (a *app) readCA() (*keystore.CA, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	ca, err := keystore.ReadCA(home)
	if err != nil {
		return nil, caFailure(err, "opening the CA")
	}
	return ca, nil
}

// refusedRequest turns a refusal of pki into a failure with its hint; anything else becomes a failure of this machine.
func refusedRequest(err error, doing string) error {
	var refused *pki.RefusedError
	if errors.As(err, &refused) {
		return &failure{kind: kindUsage, text: doing + ": " + refused.Reason, hint: refused.Hint, err: err}
	}
	return cannotRun(err, "%s", doing)
}
