package tlsnet_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

// TestEveryOldSuiteWorksWithCryptoTLS goes through the suites of TLS 1.2 that both have, in both roles, resumed too.
func TestEveryOldSuiteWorksWithCryptoTLS(t *testing.T) {
	s := newSite(t)
	rsa := s.ca.Server(pkitest.RSA2048)
	for _, id := range tls.CipherSuites() {
		if !slices.Contains(suite.Defaults12(), wire.CipherSuite(id.ID)) {
			continue // of TLS 1.3, or with CBC, which we have not
		}
		for _, leaf := range []*pkitest.Leaf{s.server, rsa, s.ca.Server(pkitest.Ed25519), s.ca.Server(pkitest.P384)} {
			if (leaf.Type == pkitest.RSA2048) != strings.Contains(id.Name, "_RSA_") {
				continue
			}
			t.Run(id.Name+" "+string(leaf.Type), func(t *testing.T) { oldSuite(t, s, id.ID, leaf) })
		}
	}
}

func oldSuite(t *testing.T, s *site, id uint16, leaf *pkitest.Leaf) {
	sc := s.mutual()
	sc.Identities = []tlsnet.Identity{identity(leaf)}
	sc.Core.MaxVersion = wire.VersionTLS12
	addr := served(t, sc)
	theirs := s.stdClient()
	theirs.MaxVersion, theirs.CipherSuites = tls.VersionTLS12, []uint16{id}
	theirs.Certificates = []tls.Certificate{stdCertificate(s.client)}
	theirs.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	for i := range 2 {
		c, err := tls.Dial("tcp", addr, theirs)
		if err != nil {
			t.Fatal(err)
		}
		chat(t, c)
		if st := c.ConnectionState(); st.CipherSuite != id || st.DidResume != (i > 0) {
			t.Errorf("their client: %04x, resumed %v", st.CipherSuite, st.DidResume)
		}
		c.Close()
	}

	std := s.stdServer()
	std.Certificates = []tls.Certificate{stdCertificate(leaf)}
	std.MaxVersion, std.CipherSuites, std.ClientAuth = tls.VersionTLS12, []uint16{id}, tls.RequireAndVerifyClientCert
	l, err := tls.Listen("tcp", "127.0.0.1:0", std)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go echo(l)
	cc := s.clientConfig()
	cc.Identities = []tlsnet.Identity{identity(s.client)}
	who := newVisitor(t, cc)
	for i := range 2 {
		if f := who.visit(l.Addr().String()); uint16(f.CipherSuite) != id || f.Resumed != (i > 0) {
			t.Errorf("their server: %v, resumed %v", f.CipherSuite, f.Resumed)
		}
	}
}
