package scan

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
)

// TestClientCertificatesAreShown has crypto/tls demand and verify one, in both versions, with each kind of key.
func TestClientCertificatesAreShown(t *testing.T) {
	ca := pkitest.New(t, pkitest.P256)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Root)
	server := ca.Server(pkitest.P256, "lab.test")
	identity := func(l *pkitest.Leaf) *Identity { return &Identity{Chain: l.Chain, Key: l.Key} }
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		port := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: server.Chain, PrivateKey: server.Key}}, MinVersion: version, MaxVersion: version,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
		for _, c := range []struct {
			name    string
			client  *Identity
			refused bool
		}{
			{"P-256", identity(ca.Client(pkitest.P256, "probe")), false},
			{"P-384", identity(ca.Client(pkitest.P384, "probe")), false},
			{"Ed25519", identity(ca.Client(pkitest.Ed25519, "probe")), false},
			{"RSA", identity(ca.Client(pkitest.RSA2048, "probe")), false},
			{"expired", identity(ca.ExpiredClient(pkitest.P256, "probe")), true},
			{"of a stranger", identity(ca.Stranger().Client(pkitest.P256, "probe")), true},
			{"none", nil, false},
		} {
			t.Run(fmt.Sprintf("%x %s", version, c.name), func(t *testing.T) {
				all, err := New(Options{Quick: true, TLSOnly: true, Offline: true, Client: c.client}).Scan(t.Context(), Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"})
				if err != nil || len(all) != 1 {
					t.Fatalf("%v, %v", all, err)
				}
				f := all[0]
				refused := slices.ContainsFunc(f.Gaps, func(g grade.Gap) bool { return g.Probe == ClientGap })
				if len(f.Chains) != 1 || f.Chains[0].NameMatches != grade.Yes || f.Features.ClientAuth != grade.Yes || refused != c.refused {
					t.Errorf("refused %v, want %v: gaps %v, chains %d", refused, c.refused, f.Gaps, len(f.Chains))
				}
				if c.client != nil && !c.refused && len(f.Gaps) > 0 {
					t.Errorf("%v", f.Gaps)
				}
			})
		}
	}
}
