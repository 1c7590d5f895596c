package tlsnet_test

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/tlswright/tlswright/internal/pkitest"
	"github.com/tlswright/tlswright/pki"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/tlsnet"
)

// mayDelegate issues a certificate like another one that may sign delegated credentials.
func mayDelegate(t *testing.T, ca *pkitest.CA, like *pkitest.Leaf) *pkitest.Leaf {
	t.Helper()
	next := *like.Certificate
	next.SerialNumber = big.NewInt(time.Now().UnixNano())
	next.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 44363, 44}, Value: []byte{5, 0}}}
	der, err := x509.CreateCertificate(rand.Reader, &next, ca.Intermediate, like.Key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pkitest.Leaf{Certificate: cert, Chain: [][]byte{der, ca.Intermediate.Raw}, Key: like.Key}
}

// delegated makes a credential for an hour.
func delegated(t *testing.T, leaf *pkitest.Leaf, role tlscore.Role) *tlsnet.Delegated {
	t.Helper()
	key, err := pki.GenerateKey(pki.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	credential, err := tlscore.Delegate(leaf.Chain[0], leaf.Key, role, key.Public(), time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return &tlsnet.Delegated{Credential: credential, Key: key}
}

// TestDelegatedCredentials: a server and a client that have a credential each, and no other key.
func TestDelegatedCredentials(t *testing.T) {
	s := newSite(t)
	server, alice := mayDelegate(t, s.ca, s.server), mayDelegate(t, s.ca, s.ca.Client(pkitest.P256, "alice"))
	sc, cc := s.serverConfig(), s.clientConfig()
	sc.Identities = []tlsnet.Identity{{Chain: server.Chain, Delegated: delegated(t, server, tlscore.RoleServer)}}
	sc.ClientRoots, sc.Core.ClientAuth = s.ca.Roots(), tlscore.RequireClientCert
	cc.Identities = []tlsnet.Identity{{Chain: alice.Chain, Delegated: delegated(t, alice, tlscore.RoleClient)}}
	sc.Core.DelegatedSchemes, cc.Core.DelegatedSchemes = tlscore.DelegatedSchemes(), tlscore.DelegatedSchemes()
	client, srv, err, theirs := meet(t, cc, sc)
	if err != nil || theirs != nil {
		t.Fatal(err, theirs)
	}
	if !client.Peer().Verified() || srv.Peer().CommonName() != "alice" || client.Facts().PeerDelegation == nil || srv.Facts().PeerDelegation == nil {
		t.Errorf("%+v, %+v", client.Facts().PeerDelegation, srv.Facts().PeerDelegation)
	}
	cc.Core.DelegatedSchemes = nil
	if _, _, err, theirs := meet(t, cc, sc); err == nil || theirs == nil {
		t.Error("a server without its own key serves a client that takes no credential")
	}
	sc.Identities[0].Key = server.Key
	if client, _, err, _ := meet(t, cc, sc); err != nil || client.Facts().PeerDelegation != nil {
		t.Errorf("with its own key: %v", err)
	}
	a, b := tcpPair(t)
	sc.Core.ClientAuth = tlscore.NoClientCert
	go func() {
		if c, err := tlsnet.Server(b, sc); err == nil {
			_ = c.Handshake()
		}
	}()
	std := tls.Client(a, &tls.Config{RootCAs: s.pool(), ServerName: "localhost"})
	if err := std.Handshake(); err != nil {
		t.Errorf("crypto/tls, which knows nothing of them: %v", err)
	}
}

func TestDelegatedCredentialsAreCheckedAhead(t *testing.T) {
	s := newSite(t)
	leaf := mayDelegate(t, s.ca, s.server)
	good := delegated(t, leaf, tlscore.RoleServer)
	text, err := good.MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	if read, err := tlsnet.ParseDelegated(text); err != nil || string(read.Credential) != string(good.Credential) || !read.Key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(good.Key.Public()) {
		t.Errorf("read again: %v", err)
	}
	other := delegated(t, leaf, tlscore.RoleServer)
	for name, c := range map[string]struct {
		id   tlsnet.Identity
		says string
	}{
		"a client's":             {tlsnet.Identity{Chain: leaf.Chain, Delegated: delegated(t, leaf, tlscore.RoleClient)}, "signature"},
		"another key":            {tlsnet.Identity{Chain: leaf.Chain, Delegated: &tlsnet.Delegated{Credential: good.Credential, Key: other.Key}}, "not the one of the credential"},
		"no key":                 {tlsnet.Identity{Chain: leaf.Chain, Delegated: &tlsnet.Delegated{Credential: good.Credential}}, "has no key"},
		"nonsense":               {tlsnet.Identity{Chain: leaf.Chain, Delegated: &tlsnet.Delegated{Credential: []byte("x"), Key: good.Key}}, "delegated credential"},
		"of another certificate": {tlsnet.Identity{Chain: s.server.Chain, Key: s.server.Key, Delegated: good}, "DelegationUsage"},
		"with no chain":          {tlsnet.Identity{Delegated: good}, "chain is empty"},
		"raw":                    {tlsnet.Identity{Delegated: good, Raw: true}, "has no key"},
	} {
		sc := s.serverConfig()
		sc.Identities = []tlsnet.Identity{c.id}
		if _, err := tlsnet.Prepare(sc, nil); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tlsnet.ParseDelegated([]byte("nothing")); err == nil {
		t.Error("nothing was read")
	}
}
