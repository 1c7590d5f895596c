package estate

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"

	"github.com/tlswright/tlswright/internal/config"
	"github.com/tlswright/tlswright/internal/keystore"
	"github.com/tlswright/tlswright/internal/store"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/pki/cert"
)

// The service's certificate is kept, so that a start does not add another one to the records.

// serviceDir is where it is kept.
func serviceDir(b *Base) string { return filepath.Join(b.Home, "ca", "service") }

// keep writes the service's certificate down. Where that fails, the next start has another one issued.
func keep(b *Base, id keystore.Identity) {
	dir := serviceDir(b)
	err := os.MkdirAll(filepath.Dir(dir), 0o700)
	if err == nil {
		err = keystore.WriteLive(dir, id.Chain[0], id.Chain[1:], id.Key)
	}
	if err != nil {
		b.Log.Warn("the service's certificate is not kept: " + pki.Printable(err.Error()))
	}
}

// kept is the certificate of an earlier start, if it is what would be issued now and two thirds of its life are not over.
func (s *caServices) kept(ctx context.Context, b *Base, c *config.CA, root *x509.Certificate) (id keystore.Identity, ok bool) {
	dir := serviceDir(b)
	id, err := keystore.LoadIdentity(filepath.Join(dir, keystore.FullChainFile), filepath.Join(dir, keystore.KeyFile))
	if err != nil {
		return id, false // there is none yet, or none that can be read
	}
	leaf, err := cert.ParseX509(id.Chain[0])
	if err != nil || !sameNames(leaf, serviceNames(c)) || !s.publishesAt(leaf) {
		return id, false
	}
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	now := b.Now()
	if c.Lifetime > 0 && life > c.Lifetime+c.Lifetime/4 || now.After(leaf.NotBefore.Add(life*2/3)) {
		return id, false
	}
	au := s.authorities[0]
	if record, err := au.Get(ctx, leaf.SerialNumber); err != nil || record.State != store.StateIssued {
		return id, false // revoked, or of other records
	}
	_, err = pki.Verify(id.Chain[0], pki.VerifyOptions{Roots: []*x509.Certificate{root}, Intermediates: id.Chain[1:], Time: now, Usage: pki.UsageServer})
	return id, err == nil
}

// publishesAt reports whether a certificate says where its status and its issuer are found now.
func (s *caServices) publishesAt(leaf *x509.Certificate) bool {
	p := s.authorities[0].Publication
	return slices.Equal(leaf.OCSPServer, p.OCSP) && slices.Equal(leaf.IssuingCertificateURL, p.Issuer)
}

// sameNames reports whether a certificate is for these names and no others. A machine may be called what no certificate can
// say: its own name may be missing.
func sameNames(leaf *x509.Certificate, names []string) bool {
	has := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		has = append(has, ip.String())
	}
	slices.Sort(has)
	return slices.Equal(has, names) || slices.Equal(has, withoutHostname(names))
}
