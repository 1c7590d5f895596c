package scan

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/tlswright/tlswright/grade"
	"github.com/tlswright/tlswright/internal/pkitest"
)

func TestQuickModeFindsBothKindsOfKeys(t *testing.T) {
	both := append(tlsIdentities(t, pkitest.P256), tlsIdentities(t, pkitest.RSA2048)...)
	for name, test := range map[string]struct {
		identities []tls.Certificate
		highest    uint16
		auth       tls.ClientAuthType
		want       int
	}{
		"both, TLS 1.3":              {both, tls.VersionTLS13, tls.NoClientCert, 2},
		"both, TLS 1.2":              {both, tls.VersionTLS12, tls.NoClientCert, 2},
		"one, TLS 1.3":               {both[:1], tls.VersionTLS13, tls.NoClientCert, 1},
		"one, TLS 1.2":               {both[:1], tls.VersionTLS12, tls.NoClientCert, 1},
		"both, a client certificate": {both, tls.VersionTLS13, tls.RequireAnyClientCert, 2},
	} {
		t.Run(name, func(t *testing.T) {
			port := serveTLS(t, &tls.Config{Certificates: test.identities, MaxVersion: test.highest, ClientAuth: test.auth})
			all, err := New(Options{Quick: true, AllKeys: true, Offline: true}).Scan(context.Background(), Target{Host: "127.0.0.1", Port: port, ServerName: "lab.test"})
			if err != nil || len(all) != 1 {
				t.Fatalf("%v, %v", all, err)
			}
			f := all[0]
			if len(f.Chains) != test.want || f.Connections != 2 || f.Unreachable != "" {
				t.Errorf("%d chains by %d connections, %q, gaps %v", len(f.Chains), f.Connections, f.Unreachable, f.Gaps)
			}
			for _, c := range f.Chains {
				if c.NameMatches != grade.Yes || len(c.Sent) == 0 {
					t.Errorf("a chain was not judged: %+v", c)
				}
			}
		})
	}
}
