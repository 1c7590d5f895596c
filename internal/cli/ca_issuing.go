package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/internal/zlint"
	"github.com/tlswright/tlswright/pki"
)

// openToIssue opens the authority for a command that issues: with zlint beside our own lints, and only if the issuer itself
// is not revoked.
func (a *app) openToIssue(ctx context.Context, f *caFlags) (*authority.Authority, error) {
	linter, err := zlint.New()
	if err != nil {
		return nil, cannotRun(err, "preparing zlint")
	}
	au, err := a.openAuthority(ctx, f, true, issue.Linter(linter))
	if err != nil {
		return nil, err
	}
	if err = a.refuseRevokedIssuer(ctx, au, f); err == nil {
		err = a.showToKeptLogs(ctx, au)
	}
	if err != nil {
		closing(au, &err)
		return nil, err
	}
	return au, nil
}

// refuseRevokedIssuer keeps an intermediate that the root has revoked from issuing what nobody would take.
func (a *app) refuseRevokedIssuer(ctx context.Context, au *authority.Authority, f *caFlags) error {
	if len(au.Issuer.Chain) == 0 {
		return nil // the root
	}
	name := orWord(f.issuer, keystore.DefaultIntermediate)
	r, err := a.recordOfIssuer(ctx, au)
	var unknown *pki.RefusedError
	switch {
	case errors.As(err, &unknown):
		return nil // signed elsewhere, and of another time than our records
	case err != nil:
		return caFailure(err, "looking for the issuer")
	case r.State != store.StateRevoked && r.State != store.StateOnHold:
		return nil
	}
	return &failure{kind: kindLocal,
		text: fmt.Sprintf("the intermediate %s was revoked on %s (%s): nobody would take what it issues", name, timeOf(r.Revocation.At), revocationReason(r.Revocation)),
		hint: "make another one (tlswright ca intermediate NAME), and issue with --issuer NAME"}
}

// recordOfIssuer is what the root has on file about an intermediate.
func (a *app) recordOfIssuer(ctx context.Context, au *authority.Authority) (*authority.Record, error) {
	root, err := authority.Open(ctx, authority.Options{
		Store: au.Store, Issuer: pki.Issuer{Certificate: au.Issuer.Chain[len(au.Issuer.Chain)-1]}, Now: a.now, Actor: actor(),
	})
	if err != nil {
		return nil, err
	}
	return root.Get(ctx, au.Issuer.Certificate.SerialNumber)
}
