package authority

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/internal/issue"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// The files of an authority in a home folder, beside those of the keystore.
const (
	DatabaseFile    = "ca.db"        // in the folder of the CA
	PublicationFile = "publish.json" // likewise; may be missing
	AddressFile     = "database"     // likewise: where the records are, if they are in PostgreSQL and not in ca.db
)

// RootIssuer is the name of the root as HomeOptions.Issuer has it.
const RootIssuer = "root"

// HomeOptions say how the authority of a home folder is opened. The zero value is
// sound.
type HomeOptions struct {
	// Issuer is who issues: the name of an intermediate, "root", or "" for the
	// intermediate that was made with the root.
	Issuer string
	// WithoutKey leaves the issuer's key alone, so that nobody is asked for a passphrase:
	// enough to list, search, revoke and verify.
	WithoutKey  bool
	Passphrase  keystore.PassphraseFunc
	Linters     []issue.Linter
	Now         func() time.Time
	Actor       string
	SignTimeout time.Duration
	Profiles    map[string]pki.ProfileSpec
	// Database is the address of the PostgreSQL database with the records, which the home then remembers; "": the one that it
	// remembers, or else a file in it.
	Database string
}

// OpenHome opens the authority of the CA in a home folder; without a CA the error
// is [keystore.ErrNoCA]. A CA that has no database yet gets it now, with its
// intermediates and the certificates below live/ on file. Close it after use.
func OpenHome(ctx context.Context, home string, o HomeOptions) (a *Authority, err error) {
	ca, err := keystore.ReadCA(home)
	if err != nil {
		return nil, err
	}
	options := Options{Linters: o.Linters, Now: o.Now, Actor: o.Actor, SignTimeout: o.SignTimeout, Profiles: o.Profiles}
	if err := chooseIssuer(ca, o, &options); err != nil {
		return nil, err
	}
	if o.Issuer != RootIssuer {
		// What is published of the intermediate is not where the root's is found.
		if options.Publication, err = ReadPublication(home); err != nil {
			return nil, err
		}
	}
	if options.Store, err = openRecords(ctx, ca.Dir, o.Database); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, options.Store.Close())
		}
	}()
	if err := takeStock(ctx, home, ca, options); err != nil {
		return nil, err
	}
	if a, err = Open(ctx, options); err != nil {
		return nil, err
	}
	a.ownsStore = true
	return a, nil
}

// chooseIssuer finds the certificate of who issues and, if it is needed, the key.
// No other key is touched, so that nobody is asked for a passphrase in vain.
func chooseIssuer(ca *keystore.CA, o HomeOptions, options *Options) error {
	keyFile := filepath.Join(ca.Dir, "root.key")
	if o.Issuer == RootIssuer {
		options.Issuer.Certificate, options.Chain = ca.Root, []*x509.Certificate{}
	} else {
		name := o.Issuer
		if name == "" {
			name = keystore.DefaultIntermediate
		}
		c, err := intermediateNamed(ca, name)
		if err != nil {
			return err
		}
		options.Issuer.Certificate, options.Issuer.Chain = c, []*x509.Certificate{ca.Root}
		options.Chain = []*x509.Certificate{c}
		keyFile = filepath.Join(ca.Dir, "intermediate.key")
		if name != keystore.DefaultIntermediate {
			keyFile = filepath.Join(ca.Dir, "intermediates", name, "intermediate.key")
		}
	}
	if o.WithoutKey {
		return nil
	}
	key, err := keystore.ReadKeyWith(keyFile, o.Passphrase)
	if err != nil {
		return fmt.Errorf("open the key of %q: %w", pki.Name(options.Issuer.Certificate.Subject), err)
	}
	options.Issuer.Key = key
	return nil
}

func intermediateNamed(ca *keystore.CA, name string) (*x509.Certificate, error) {
	all, err := ca.Intermediates()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if i.Name == name {
			return i.Certificate, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", keystore.ErrNoIntermediate, pki.Printable(name))
}

// maxAdopted bounds how many certificates below live/ are taken on file at first.
const maxAdopted = 10000

// takeStock files the intermediates of the root that are not on file, and, when
// the database has just been made, the certificates that are in use.
func takeStock(ctx context.Context, home string, ca *keystore.CA, o Options) error {
	all, err := ca.Intermediates()
	if err != nil {
		return err
	}
	root, err := Open(ctx, Options{Store: o.Store, Issuer: pki.Issuer{Certificate: ca.Root}, Now: o.Now, Actor: o.Actor})
	if err != nil {
		return err
	}
	for _, i := range all {
		if _, err := root.Import(ctx, i.Certificate); err != nil {
			return fmt.Errorf("file the intermediate %s: %w", pki.Printable(i.Name), err)
		}
	}
	if !o.Store.Created() {
		return nil
	}
	if err := o.Store.Note(ctx, store.Entry{At: root.Now(), Actor: root.Actor, Action: store.ActionCreated, Detail: "the database was made"}); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(globEscaped(home), "live", "*", keystore.CertFile))
	if err != nil {
		return fmt.Errorf("look for certificates in use: %w", err)
	}
	for _, file := range files[:min(len(files), maxAdopted)] {
		if err := adopt(ctx, file, all, o); err != nil {
			return err
		}
	}
	return nil
}

// adopt files a certificate in use if one of the intermediates issued it. What
// cannot be read or is somebody else's is nothing to us.
func adopt(ctx context.Context, file string, all []keystore.Intermediate, o Options) error {
	certificates, err := keystore.ReadCertificates(file)
	if err != nil || len(certificates) == 0 {
		return nil
	}
	for _, i := range all {
		if cert.CheckSignatureFrom(certificates[0], i.Certificate) != nil {
			continue
		}
		a, err := Open(ctx, Options{Store: o.Store, Issuer: pki.Issuer{Certificate: i.Certificate}, Now: o.Now, Actor: o.Actor})
		if err != nil {
			return err
		}
		var refused *pki.RefusedError
		if _, err := a.Import(ctx, certificates[0]); err != nil && !errors.As(err, &refused) {
			return err
		}
		return nil
	}
	return nil
}

// globEscaped makes a path mean itself in a pattern.
func globEscaped(path string) string {
	var b []byte
	for i := range len(path) {
		switch c := path[i]; {
		case c == '*', c == '?', c == '[':
			b = append(b, '[', c, ']')
		case c == '\\' && filepath.Separator != '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// maxPublication bounds the file, in bytes.
const maxPublication = 1 << 20

// ReadPublication reads what a home folder says about where revocation information
// is published; nothing if there is no such file.
func ReadPublication(home string) (Publication, error) {
	var p Publication
	path := filepath.Join(home, "ca", PublicationFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read where revocation is published: %w", err)
	}
	if len(text) > maxPublication {
		return p, fmt.Errorf("%s is too long", pki.Printable(path))
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("read %s: %w", pki.Printable(path), err)
	}
	return p, p.check()
}

// WritePublication keeps for certificates issued from now on where revocation
// information is published.
func WritePublication(home string, p Publication) error {
	if err := p.check(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return keystore.WriteFile(filepath.Join(home, "ca", PublicationFile), append(text, '\n'), 0o644)
}
