package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/fetch"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/internal/staple"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/wire"
)

// openKept opens what is kept about revocation: of clients' certificates, and of our own.
func (g *Gateway) openKept(c *config.Gateway) error {
	g.fetcher = fetch.New(fetch.Options{AllowPrivate: g.o.AllowPrivate || c.AllowPrivate, Now: g.o.Now})
	var err error
	g.pool, err = revoked.NewPool(revoked.PoolOptions{Dir: g.folder("revocation"), Fetcher: g.fetcher, Live: g.o.Live, Extra: g.o.OwnRoots, Now: g.o.Now, Log: g.log})
	if err != nil {
		return err
	}
	g.staples, err = staple.New(staple.Options{Dir: g.folder("staples"), Fetcher: g.fetcher, Issuers: g.o.OwnRoots, Changed: g.stapleChanged, Now: g.o.Now, Log: g.log})
	return err
}

// closeKept ends what openKept began.
func (g *Gateway) closeKept() error {
	var errs []error
	if g.staples != nil {
		errs = append(errs, g.staples.Close())
	}
	g.checking.Lock()
	for _, k := range g.checkers {
		errs = append(errs, k.Close())
	}
	clear(g.checkers)
	g.checking.Unlock()
	if g.pool != nil {
		errs = append(errs, g.pool.Close())
	}
	if g.fetcher != nil {
		g.fetcher.Close()
	}
	return errors.Join(errs...)
}

// folder is a folder of the gateway's own; "": nothing is kept.
func (g *Gateway) folder(name string) string {
	if g.o.Home == "" {
		return ""
	}
	return filepath.Join(g.o.Home, "gateway", name)
}

// revocationOf makes what judges the clients of a site; nil: nothing does.
func (g *Gateway) revocationOf(c *config.Clients) (*revoked.Checker, error) {
	o := revoked.Options{Pool: g.pool, CRLs: c.CRL}
	switch c.Revocation {
	case config.RevocationOff:
		if len(c.CRL) > 0 {
			return nil, errors.New("crl: with revocation off nobody would look at them")
		}
		return nil, nil
	case config.RevocationHard, "":
		o.Mode = pki.RevocationHard
	case config.RevocationSoft:
		o.Mode = pki.RevocationSoft
	default:
		return nil, errors.New("revocation: it is hard, soft or off")
	}
	// Sites with the same settings share a checker, and a reload that leaves them alone leaves it with what it watches.
	key := fmt.Sprintf("%d %q", o.Mode, o.CRLs)
	g.checking.Lock()
	defer g.checking.Unlock()
	if k := g.checkers[key]; k != nil {
		return k, nil
	}
	k, err := revoked.New(o)
	if err != nil {
		return nil, err
	}
	g.checkers[key] = k
	return k, nil
}

// retainCheckers lets go of those that no site uses any more. They go on for a while, for handshakes under way.
func (g *Gateway) retainCheckers(ctx context.Context) {
	used := make(map[*revoked.Checker]bool)
	for _, s := range g.state.Load().sites {
		used[s.clients.Load().revocation] = true
	}
	var gone []*revoked.Checker
	g.checking.Lock()
	for key, k := range g.checkers {
		if !used[k] {
			delete(g.checkers, key)
			gone = append(gone, k)
		}
	}
	g.checking.Unlock()
	if len(gone) == 0 {
		return
	}
	if pause(ctx, time.Minute) {
		g.judgeAgain(ctx)
	}
	for _, k := range gone {
		_ = k.Close()
	}
}

// revocationAlert is the alert for a chain that is revoked, or of which nobody knows (RFC 8446, Section 6.2).
func revocationAlert(err error) wire.AlertCode {
	var e *revoked.Error
	if errors.As(err, &e) {
		return e.Alert()
	}
	return wire.AlertCertificateUnknown
}

// stapleChanged hands a new OCSP answer to the sites whose certificate it is about.
func (g *Gateway) stapleChanged(chain [][]byte) {
	st := g.state.Load()
	if st == nil || len(chain) == 0 {
		return
	}
	for _, s := range st.sites {
		if s.shows(chain[0]) {
			if err := s.refresh(); err != nil {
				g.warn(s.name, "the new OCSP answer cannot be sent along: "+pki.Printable(err.Error()))
			}
		}
	}
}
