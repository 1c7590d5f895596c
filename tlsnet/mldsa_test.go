package tlsnet_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
	"github.com/tlswright/tlswright/wire"
)

func mldsaSite(t testing.TB, k pkitest.KeyType) *site {
	t.Helper()
	ca := pkitest.New(t, k)
	return &site{ca: ca, server: ca.Server(k), client: ca.Client(k, "alice")}
}

// TestMLDSACertificatesBothWays has root, intermediates and leaves of ML-DSA on both sides, with the root sent along and the certificates
// compressed where that is asked for.
func TestMLDSACertificatesBothWays(t *testing.T) {
	schemes := map[pkitest.KeyType]wire.SignatureScheme{
		pkitest.MLDSA44: wire.SchemeMLDSA44, pkitest.MLDSA65: wire.SchemeMLDSA65, pkitest.MLDSA87: wire.SchemeMLDSA87,
	}
	for k, scheme := range schemes {
		for _, compressed := range []bool{false, true} {
			s := mldsaSite(t, k)
			cc, sc := s.clientConfig(), s.mutual()
			own := identity(s.client)
			own.Chain = append(own.Chain, s.ca.Root.Raw)
			cc.Identities = []tlsnet.Identity{own}
			if compressed {
				cc.CertificateCompression = tlsnet.CertificateCompressions()
				sc.CertificateCompression = tlsnet.CertificateCompressions()
			}
			a, b := tcpPair(t)
			c, sv := connected(t, cc, sc, a, b)
			if f := c.Facts(); f.PeerScheme != scheme || f.OwnScheme != scheme || !c.Peer().Verified() {
				t.Errorf("%s: client: %v, %v, verified %v", k, f.PeerScheme, f.OwnScheme, c.Peer().Verified())
			}
			if leaf := c.Peer().Leaf; leaf == nil || !pki.SameKey(leaf.PublicKey, s.server.Key.Public()) {
				t.Errorf("%s: the server's key is not the one it has", k)
			}
			if f := sv.Facts(); f.PeerScheme != scheme || len(f.PeerChain) != 3 || !sv.Peer().Verified() {
				t.Errorf("%s: server: %v, %d certificates", k, f.PeerScheme, len(f.PeerChain))
			}
			exchange(t, c, sv, 1<<16)
		}
	}
}

// TestMLDSALeavesBesideOthers gives who knows ML-DSA the first identity, and others the second.
func TestMLDSALeavesBesideOthers(t *testing.T) {
	s := newSite(t)
	sc := s.serverConfig()
	sc.Identities = []tlsnet.Identity{identity(s.ca.Server(pkitest.MLDSA65)), identity(s.server)}
	a, b := tcpPair(t)
	c, _ := connected(t, s.clientConfig(), sc, a, b)
	if f := c.Facts(); f.PeerScheme != wire.SchemeMLDSA65 {
		t.Errorf("our client was answered with %v", f.PeerScheme)
	}
	a, b = tcpPair(t)
	sv, err := tlsnet.Server(b, sc)
	if err != nil {
		t.Fatal(err)
	}
	go sv.Handshake()
	if err := tls.Client(a, s.stdClient()).Handshake(); err != nil {
		t.Errorf("crypto/tls: %v", err)
	}
	// TLS 1.2 has no ML-DSA (draft-ietf-tls-mldsa, Section 3).
	cc := s.clientConfig()
	cc.Core.MaxVersion = wire.VersionTLS12
	a, b = tcpPair(t)
	c, _ = connected(t, cc, sc, a, b)
	if f := c.Facts(); f.PeerScheme != wire.SchemeECDSASecp256r1SHA256 {
		t.Errorf("in TLS 1.2 the server signed with %v", f.PeerScheme)
	}
}

// TestPeersWithoutMLDSAAreToldSo: nobody else's library of 2026 may be assumed to know it, and the error has to say what is wrong.
func TestPeersWithoutMLDSAAreToldSo(t *testing.T) {
	s := mldsaSite(t, pkitest.MLDSA44)
	refused := func(what string, sc *tlsnet.Config, connect func(a *tls.Conn) error, std *tls.Config, want string) {
		t.Helper()
		a, b := tcpPair(t)
		sv, err := tlsnet.Server(b, sc)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- sv.HandshakeContext(context.Background()) }()
		if err := connect(tls.Client(a, std)); err == nil {
			t.Errorf("%s: connected", what)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("crypto/tls", s.serverConfig(), (*tls.Conn).Handshake, s.stdClient(), "no certificate that the peer's signature algorithms allow")
	old := s.clientConfig()
	old.Core.MaxVersion = wire.VersionTLS12
	a, b := tcpPair(t)
	c, sv := ends(t, old, s.serverConfig(), a, b)
	go sv.Handshake()
	if err := c.Handshake(); err == nil {
		t.Error("TLS 1.2 with a certificate of ML-DSA")
	}
	// A client that does not offer it is not sent it.
	narrow := s.clientConfig()
	narrow.Core.Schemes = []wire.SignatureScheme{wire.SchemeECDSASecp256r1SHA256}
	a, b = tcpPair(t)
	c, sv = ends(t, narrow, s.serverConfig(), a, b)
	done := make(chan error, 1)
	go func() { done <- sv.HandshakeContext(context.Background()) }()
	if err := c.Handshake(); err == nil {
		t.Error("ML-DSA was taken unasked")
	}
	var e *tlscore.Error
	if err := <-done; !errors.As(err, &e) || e.Code != tlscore.CodeNoSharedScheme {
		t.Errorf("server: %v", err)
	}
}

// TestRawMLDSAKeys: a key needs no certificate around it (RFC 7250), and there is little reason for one of this size.
func TestRawMLDSAKeys(t *testing.T) {
	key, err := pki.GenerateKey(pki.MLDSA44)
	if err != nil {
		t.Fatal(err)
	}
	pin, err := pki.PinPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sc := &tlsnet.Config{Identities: []tlsnet.Identity{{Key: key, Raw: true}}}
	cc := &tlsnet.Config{RawKeys: pki.PinSet{pin}, ServerName: "localhost"}
	a, b := tcpPair(t)
	c, _ := connected(t, cc, sc, a, b)
	if f := c.Facts(); f.PeerScheme != wire.SchemeMLDSA44 || f.PeerType != wire.CertificateTypeRawPublicKey {
		t.Errorf("%v, %v", f.PeerScheme, f.PeerType)
	}
}

// TestForeignMLDSARootsAreRefused: the same names under another root.
func TestForeignMLDSARootsAreRefused(t *testing.T) {
	s := mldsaSite(t, pkitest.MLDSA44)
	cc := s.clientConfig()
	cc.Roots = s.ca.Namesake().Roots()
	a, b := tcpPair(t)
	c, sv := ends(t, cc, s.serverConfig(), a, b)
	go sv.Handshake()
	err := c.Handshake()
	if err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("a namesake's server: %v", err)
	}
}
