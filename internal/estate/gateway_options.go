package estate

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tlswright/tlswright/acmeclient"
	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/gateway"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/revoked"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// GatewayOptions gathers what a gateway needs of the estate: the home, the CA, the tree of ACME, what was revoked. close
// must be called at the end, whatever the error.
func (b *Base) GatewayOptions(ctx context.Context, g *config.Gateway) (o gateway.Options, closeAll func() error, err error) {
	closeAll = func() error { return nil }
	o = gateway.Options{Home: b.Home, Now: b.Now, AllowPrivate: g.AllowPrivate, KeepMemory: true}
	if o.DenialsFile, err = b.DenialsFile(); err != nil {
		return o, closeAll, err
	}
	if o.Tree, err = b.gatewayTree(g); err != nil {
		return o, closeAll, err
	}
	ca, err := b.GatewayCA(g)
	if err != nil || ca == nil {
		return o, closeAll, err
	}
	o.OwnRoots = []*x509.Certificate{ca.Root}
	o.OwnCA = func(ctx context.Context, names []string, key pki.KeyType) (keystore.Identity, error) {
		return b.IssueOnRecord(ctx, b.ownRequest(names), key)
	}
	if _, judges := needsOwnCA(g); judges || b.whole.hasCA() {
		au, err := b.OpenAuthority(ctx, "", false)
		if err != nil {
			return o, closeAll, err
		}
		o.Live = []revoked.Live{au.Store}
		closeAll = au.Close
	}
	return o, closeAll, nil
}

// DryGatewayOptions are GatewayOptions for a gateway that is not run: nothing is issued, made or kept.
func (b *Base) DryGatewayOptions(ctx context.Context, g *config.Gateway) (o gateway.Options, closeAll func() error, err error) {
	closeAll = func() error { return nil }
	o = gateway.Options{Now: b.Now, AllowPrivate: g.AllowPrivate}
	if needsTree(g) {
		if o.Tree, closeAll, err = b.dryTree(); err != nil {
			return o, closeAll, err
		}
	}
	o.OwnCA = func(_ context.Context, names []string, key pki.KeyType) (id keystore.Identity, err error) {
		if id.Key, err = pki.GenerateKey(key); err != nil {
			return id, err
		}
		c, err := pki.SelfSign(b.ownRequest(names), id.Key, b.Now())
		if err == nil {
			id.Chain = [][]byte{c.Raw}
		}
		return id, err
	}
	if _, judges := needsOwnCA(g); !judges {
		return o, closeAll, nil
	}
	ca, err := b.GatewayCA(g)
	if errors.Is(err, keystore.ErrNoCA) && b.whole.hasCA() { // it will be made before the gateway is opened
		id, err := o.OwnCA(ctx, []string{"localhost"}, pki.P256)
		if err != nil {
			return o, closeAll, err
		}
		root, err := cert.ParseX509(id.Chain[0])
		o.OwnRoots = []*x509.Certificate{root}
		return o, closeAll, err
	}
	if err != nil {
		return o, closeAll, err
	}
	o.OwnRoots = []*x509.Certificate{ca.Root}
	au, err := b.OpenAuthority(ctx, "", false)
	if err != nil {
		return o, closeAll, err
	}
	o.Live = []revoked.Live{au.Store}
	release := closeAll
	return o, func() error { return errors.Join(au.Close(), release()) }, nil
}

// ownRequest asks the own CA for a server certificate. A name that is too long to be a common name is a DNS name only.
func (b *Base) ownRequest(names []string) pki.Request {
	req := pki.Request{Profile: pki.ProfileServer, SANs: names, Lifetime: b.whole.lifetime()}
	if len(names) > 0 && len(names[0]) <= 64 {
		req.CommonName = names[0]
	}
	return req
}

// DenialsFile is where the gateway's refusals are kept; its folder is made.
func (b *Base) DenialsFile() (string, error) {
	dir := filepath.Join(b.Home, "gateway")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, "denials.jsonl"), nil
}

// Tree opens the folder of ACME certificates.
func (b *Base) Tree() (*acmeclient.Tree, error) {
	t, err := acmeclient.OpenTree(filepath.Join(b.Home, "acme"))
	return t, doing(err, "opening the folder of certificates")
}

// gatewayTree opens the folder of ACME certificates where a site needs it.
func (b *Base) gatewayTree(g *config.Gateway) (*acmeclient.Tree, error) {
	if !needsTree(g) {
		return nil, nil
	}
	return b.Tree()
}

func needsTree(g *config.Gateway) bool {
	return slices.ContainsFunc(g.Sites, func(s config.Site) bool { return s.Certificate.Live != "" || s.Certificate.ACME != nil })
}

// dryTree is the tree for a gateway that is not run. Where there is none yet, it is an empty one that release takes away: who
// checks a file makes no folders, which might belong to the wrong user.
func (b *Base) dryTree() (t *acmeclient.Tree, release func() error, err error) {
	release = func() error { return nil }
	if _, err := os.Stat(filepath.Join(b.Home, "acme")); err == nil || !errors.Is(err, fs.ErrNotExist) {
		t, err = b.Tree()
		return t, release, err
	}
	dir, err := os.MkdirTemp("", "tlswright-check-")
	if err != nil {
		return nil, release, err
	}
	t, err = acmeclient.OpenTree(dir)
	return t, func() error { return os.RemoveAll(dir) }, err
}

// GatewayCA opens the estate's CA; nil: there is none, and none is needed. Where sites have certificates of it and there
// is none yet, it is made, as `serve` does.
func (b *Base) GatewayCA(g *config.Gateway) (*keystore.CA, error) {
	issues, judges := needsOwnCA(g)
	ca, err := keystore.ReadCA(b.Home)
	switch {
	case err == nil:
		return ca, nil
	case !errors.Is(err, keystore.ErrNoCA):
		return nil, doing(err, "opening the CA")
	case judges:
		return nil, &Problem{Err: err, Text: "clients are to be of the own CA, and there is none in " + b.Home,
			Advice: "make it, and a certificate for each client: tlswright ca init; tlswright ca issue alice --profile client --out alice"}
	case issues:
		return b.OpenOrMakeCA()
	}
	return nil, nil
}

// needsOwnCA says what of a gateway needs the estate's CA: to issue, and to judge clients.
func needsOwnCA(g *config.Gateway) (issues, judges bool) {
	shows := make(map[string]bool)
	for _, l := range g.Listeners {
		if l.Protocol != config.ProtocolHTTPS && l.Protocol != config.ProtocolTLS {
			continue
		}
		for _, s := range l.Sites {
			shows[s] = true
		}
	}
	for i := range g.Sites {
		s := &g.Sites[i]
		c := &s.Certificate
		issues = issues || shows[s.Name] && len(c.Files) == 0 && c.Live == "" && c.ACME == nil
		judges = judges || s.Clients != nil && s.Clients.OwnCA
	}
	return issues, judges
}

// RecognizeOwnCA has clients judged by the records of the estate's own CA wherever that CA is trusted, be it that the file
// names its root's file in the place of "own": a root by any name has the same books. Files that cannot be read are left
// to gateway.New, which says what is wrong with them.
func (b *Base) RecognizeOwnCA(g *config.Gateway) {
	ca, err := keystore.ReadCA(b.Home)
	if err != nil {
		return // there is none, or it is broken, which is said where it is needed
	}
	for i := range g.Sites {
		c := g.Sites[i].Clients
		if c == nil || c.OwnCA || c.Revocation == config.RevocationOff {
			continue
		}
		c.OwnCA = slices.ContainsFunc(c.CA, func(file string) bool {
			roots, err := keystore.ReadCertificates(file)
			return err == nil && slices.ContainsFunc(roots, ca.Root.Equal)
		})
	}
}
