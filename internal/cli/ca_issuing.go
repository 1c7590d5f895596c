package cli

import (
	"context"

	"github.com/tlswright/tlswright/internal/authority"
)

// openToIssue opens the authority for a command that issues: with zlint beside our own lints, and only if the issuer itself
// is not revoked.
func (a *app) openToIssue(ctx context.Context, f *caFlags) (*authority.Authority, error) {
	b, err := a.base(f)
	if err != nil {
		return nil, err
	}
	au, err := b.OpenToIssue(ctx, f.issuer)
	if err != nil {
		return nil, caFailure(err, "opening the CA")
	}
	return au, nil
}
