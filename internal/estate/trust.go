package estate

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

	"github.com/tlswright/tlswright/internal/authority"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/pki/ct"
	"github.com/tlswright/tlswright/scan"
	"github.com/tlswright/tlswright/tlsnet"
)

// RootPath is the file of the own CA's root, which need not exist.
func (b *Base) RootPath() string { return filepath.Join(b.Home, "ca", "root.pem") }

// Roots are those of the own CA; none where there is none.
func (b *Base) Roots() ([]*x509.Certificate, error) {
	roots, err := keystore.ReadCertificates(b.RootPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the root of the own CA: %w", err)
	}
	return roots, nil
}

// Stores are the trust stores by which chains are judged, each for itself: the system's roots, and the own CA.
func (b *Base) Stores() ([]scan.Store, error) {
	roots, err := b.Roots()
	if err != nil {
		return nil, err
	}
	var all []scan.Store
	if pool, err := x509.SystemCertPool(); err == nil {
		all = append(all, scan.Store{Name: "system", System: pool})
	}
	if len(roots) > 0 {
		all = append(all, scan.Store{Name: "own CA", Own: true, Roots: roots})
	}
	return all, nil
}

// intermediates are those of the own CA, where there is one.
func (b *Base) intermediates() []*x509.Certificate {
	ca, err := keystore.ReadCA(b.Home)
	if err != nil {
		return nil // most homes have none
	}
	list, err := ca.Intermediates()
	if err != nil {
		return nil
	}
	var all []*x509.Certificate
	for _, i := range list {
		all = append(all, i.Certificate)
	}
	return all
}

// ClientTLS says whom to trust as a server that we come to as clients: the system's roots and the own CA.
func (b *Base) ClientTLS() (*tlsnet.Config, error) {
	roots, err := b.Roots()
	if err != nil {
		return nil, err
	}
	return &tlsnet.Config{Roots: roots, SystemRoots: true, Time: b.Now}, nil
}

// LogFetcher makes who asks CT logs. A person has named the list, so its addresses may be private ones: no certificate and
// no log can name others, for redirects are not followed.
func (b *Base) LogFetcher(timeout time.Duration) (*fetch.Fetcher, error) {
	c, err := b.ClientTLS()
	if err != nil {
		return nil, err
	}
	return fetch.New(fetch.Options{AllowPrivate: true, Timeout: timeout, Now: b.Now, TLS: c}), nil
}

// transparencyFile is what the folder of a CA remembers of the logs that certificates are shown to.
const transparencyFile = "ct.json"

// maxLogs bounds that file, in bytes.
const maxLogs = 16 << 20

// KeptLogs are the CT logs that certificates are shown to before they are signed.
type KeptLogs struct {
	Minimum int             `json:"minimum,omitempty"` // that must take one; 0: as browsers demand
	Logs    json.RawMessage `json:"logs"`              // the list as it was
}

// Keep has certificates that are issued from now on shown to these logs.
func (k *KeptLogs) Keep(home string) error {
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	return keystore.WriteFile(filepath.Join(home, "ca", transparencyFile), append(text, '\n'), 0o644)
}

// ShowToKeptLogs has the authority show what it issues to the logs that the home folder remembers.
func (b *Base) ShowToKeptLogs(ctx context.Context, au *authority.Authority) error {
	path := filepath.Join(b.Home, "ca", transparencyFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Size() > maxLogs {
		return fmt.Errorf("%s is longer than %d bytes", path, maxLogs)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading which logs certificates are shown to: %w", err)
	}
	var k KeptLogs
	if err := json.Unmarshal(data, &k); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return b.ShowToLogs(ctx, &k, au)
}

// ShowToLogs has the authority show what it issues to logs.
func (b *Base) ShowToLogs(ctx context.Context, k *KeptLogs, au *authority.Authority) error {
	list, err := ct.ParseLogList(k.Logs)
	if err != nil {
		return err
	}
	f, err := b.LogFetcher(0)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, f.Close)
	au.Transparency = &authority.Transparency{Logs: list, Minimum: k.Minimum,
		Submit: func(ctx context.Context, log *ct.Log, chain [][]byte, entry ct.Entry) (ct.SCT, error) {
			return f.Log(log).Submit(ctx, chain, entry)
		}}
	return nil
}
