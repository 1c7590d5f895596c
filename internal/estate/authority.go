package estate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/internal/zlint"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/crl"
)

// ProfilesFile holds profiles of the user's own, below the home.
const ProfilesFile = "ca/profiles.yaml"

// Profiles reads the profiles of the user's own; nil where there are none.
func (b *Base) Profiles() (map[string]pki.ProfileSpec, error) {
	path := filepath.Join(b.Home, filepath.FromSlash(ProfilesFile))
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the profiles: %w", err)
	}
	profiles, err := config.ReadProfiles(text)
	if err != nil {
		p := &Problem{Text: path + ": " + err.Error(), Err: err}
		var wrong *config.Error
		if errors.As(err, &wrong) {
			p.Advice = wrong.Hint
		}
		return nil, p
	}
	return profiles, nil
}

// OpenAuthority opens the records of the CA, and the issuer's key too if it is needed. issuer is the name of an intermediate,
// root, or "" for the intermediate that was made with the root. Close it after use.
func (b *Base) OpenAuthority(ctx context.Context, issuer string, needsKey bool, linters ...issue.Linter) (*authority.Authority, error) {
	profiles, err := b.Profiles()
	if err != nil {
		return nil, err
	}
	au, err := authority.OpenHome(ctx, b.Home, authority.HomeOptions{
		Issuer: issuer, WithoutKey: !needsKey, Passphrase: b.Passphrase, Linters: linters, Now: b.Now, Actor: b.Actor, Profiles: profiles, Database: b.records(),
	})
	if err != nil {
		return nil, openingProblem(err, issuer)
	}
	au.Publication = publicationOf(au.Publication, issuer)
	for _, l := range au.Lost() {
		b.Log.Warn("a crash left the serial number " + authority.SerialText(new(big.Int).SetBytes(l.Serial)) + " without a certificate; it is closed and never used again")
	}
	return au, nil
}

// openingProblem says what stood in the way of opening the CA where it was the key.
func openingProblem(err error, issuer string) error {
	var missing *fs.PathError
	if errors.As(err, &missing) && errors.Is(err, fs.ErrNotExist) && filepath.Ext(missing.Path) == ".key" {
		return &Problem{Err: err,
			Text:   fmt.Sprintf("the key of the issuer %s is not here, and this needs its signature: there is no %s", issuerName(issuer), missing.Path),
			Advice: "bring the key back for the while, or do this where it is kept"}
	}
	return err
}

// OpenToIssue opens the authority to issue by it: with zlint beside our own lints, and only if the issuer itself is not
// revoked.
func (b *Base) OpenToIssue(ctx context.Context, issuer string) (*authority.Authority, error) {
	linter, err := zlint.New()
	if err != nil {
		return nil, fmt.Errorf("preparing zlint: %w", err)
	}
	au, err := b.OpenAuthority(ctx, issuer, true, issue.Linter(linter))
	if err != nil {
		return nil, err
	}
	if err = b.RefuseRevokedIssuer(ctx, au, issuer); err == nil {
		err = b.ShowToKeptLogs(ctx, au)
	}
	if err != nil {
		return nil, errors.Join(err, au.Close())
	}
	return au, nil
}

// RefuseRevokedIssuer keeps an intermediate that the root has revoked from issuing what nobody would take.
func (b *Base) RefuseRevokedIssuer(ctx context.Context, au *authority.Authority, issuer string) error {
	if len(au.Issuer.Chain) == 0 {
		return nil // the root
	}
	r, err := b.recordOfIssuer(ctx, au)
	var unknown *pki.RefusedError
	switch {
	case errors.As(err, &unknown):
		return nil // signed elsewhere, and of another time than our records
	case err != nil:
		return fmt.Errorf("looking for the issuer: %w", err)
	case r.State != store.StateRevoked && r.State != store.StateOnHold:
		return nil
	}
	return &Problem{
		Text: fmt.Sprintf("the intermediate %s was revoked on %s (%s): nobody would take what it issues", issuerName(issuer), r.Revocation.At.UTC().Format(time.DateTime)+" UTC",
			crl.Reason(r.Revocation.Reason)),
		Advice: "make another one (tlswright ca intermediate NAME), and issue with --issuer NAME"}
}

// recordOfIssuer is what the root has on file about an intermediate.
func (b *Base) recordOfIssuer(ctx context.Context, au *authority.Authority) (*authority.Record, error) {
	root, err := authority.Open(ctx, authority.Options{
		Store: au.Store, Issuer: pki.Issuer{Certificate: au.Issuer.Chain[len(au.Issuer.Chain)-1]}, Now: b.Now, Actor: b.Actor,
	})
	if err != nil {
		return nil, err
	}
	return root.Get(ctx, au.Issuer.Certificate.SerialNumber)
}

func issuerName(issuer string) string {
	if issuer == "" {
		return keystore.DefaultIntermediate
	}
	return issuer
}

// IssuerMark stands in a URL of what is published for the name of the intermediate.
const IssuerMark = "{issuer}"

// publicationOf is what one of several intermediates publishes. Two of them cannot have their CRLs and certificates at the
// same URL: for others than the default one, URLs without {issuer} are left out. A responder may answer for several.
func publicationOf(p authority.Publication, issuer string) authority.Publication {
	isDefault := issuer == "" || issuer == keystore.DefaultIntermediate
	own := func(urls []string, isShared bool) []string {
		var of []string
		for _, u := range urls {
			if isDefault || isShared || strings.Contains(u, IssuerMark) {
				of = append(of, strings.ReplaceAll(u, IssuerMark, issuerName(issuer)))
			}
		}
		return of
	}
	p.CRL, p.Delta, p.Issuer, p.OCSP = own(p.CRL, false), own(p.Delta, false), own(p.Issuer, false), own(p.OCSP, true)
	return p
}

// OpenOrMakeCA opens the CA of the estate, or makes it. When another tlswright is just making one, as two servers that
// are started together do, it waits for that one.
func (b *Base) OpenOrMakeCA() (*keystore.CA, error) {
	for attempt := 0; ; attempt++ {
		ca, err := keystore.ReadCA(b.Home)
		if errors.Is(err, keystore.ErrNoCA) {
			if ca, err = keystore.CreateCA(b.Home, keystore.CAOptions{}, b.Now()); err == nil {
				b.Log.Info("there was no CA yet: made one in " + ca.Dir)
			}
		}
		var locked *keystore.LockedError
		isBusy := errors.As(err, &locked) || errors.Is(err, keystore.ErrCAExists)
		if isBusy && attempt < 50 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if err != nil {
			return nil, err
		}
		return ca, nil
	}
}

// IssueOnRecord makes a key and has the CA of the estate certify it; the certificate is on record, the key in memory only.
func (b *Base) IssueOnRecord(ctx context.Context, req pki.Request, keyType pki.KeyType) (id keystore.Identity, err error) {
	au, err := b.OpenToIssue(ctx, "")
	if err != nil {
		return id, err
	}
	defer func() {
		if closeErr := au.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("closing the records of the CA: %w", closeErr)
		}
	}()
	key, err := pki.GenerateKey(keyType)
	if err != nil {
		return id, fmt.Errorf("making a key: %w", err)
	}
	req.Key = key.Public()
	au.Publication = b.whole.publication(au.Publication)
	issued, err := au.Order(ctx, authority.Order{Request: req})
	if err != nil {
		return id, doing(err, "issuing the certificate")
	}
	return keystore.Identity{Chain: issued.Chain, Key: key}, nil
}
