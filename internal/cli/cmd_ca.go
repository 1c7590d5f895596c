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
		Short: "A private CA: make it, issue and revoke certificates, answer for them",
		Long: `A private CA with a root and an intermediate. The root signs the intermediate,
the intermediate signs everything else. Both live below --home, their keys in
files that only you can read; what was issued and revoked is on record there, in
a log that can only be added to.`,
		Example: "  tlswright ca init\n  tlswright ca issue app.test --san app.test,127.0.0.1 --out ./app\n" +
			"  tlswright ca revoke app.test --reason keyCompromise\n  tlswright ca crl -o ca.crl\n  tlswright ca show --pem > root.pem",
	}, newCAInit(a), newCAIntermediate(a), newCAIssue(a), newCASign(a), newCARenew(a), newCARevoke(a),
		newCAList(a), newCASearch(a), newCAShow(a), newCAExport(a), newCACRL(a), newCAOCSP(a),
		newCATrust(a), newCAAudit(a), newCABackup(a), newCARestore(a), newCAMove(a), newCAServe(a), newCAAccount(a), newCAOrder(a), newCABinding(a), newCAAdmin(a))
}

// openCA opens the CA of the estate with its key, or says how to make one.
func (a *app) openCA(f *caFlags) (*keystore.CA, error) {
	home, err := a.home()
	if err != nil {
		return nil, err
	}
	ca, err := keystore.OpenCAWith(home, a.passphrase(f))
	if err != nil {
		return nil, caFailure(err, "opening the CA")
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
