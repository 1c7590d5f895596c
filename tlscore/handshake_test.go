package tlscore_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"

	"github.com/tlswright/tlswright/internal/suite"
	"github.com/tlswright/tlswright/internal/tlstest"
	"github.com/tlswright/tlswright/tlscore"
	"github.com/tlswright/tlswright/wire"
)

// selfSigned is an identity whose certificate nobody needs to trust: the tests answer NeedVerify themselves.
func selfSigned(t testing.TB, key crypto.Signer, names ...string) tlscore.Identity {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: tlstest.Now.AddDate(0, -1, 0), NotAfter: tlstest.Now.AddDate(0, 1, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tlscore.Identity{Chain: [][]byte{der}, Tag: key}
}

func p256(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ed(t testing.TB) crypto.Signer {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func compile(t testing.TB, c tlscore.Config) *tlscore.Params {
	t.Helper()
	p, err := tlscore.Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func serverConfig(t testing.TB) tlscore.Config {
	return tlscore.Config{Identities: []tlscore.Identity{selfSigned(t, p256(t), "a.example")}}
}

func link(t testing.TB, client, server tlscore.Config) *tlstest.Link {
	t.Helper()
	return tlstest.New(compile(t, client), compile(t, server), tlscore.Options{ServerName: "a.example"}, tlscore.Options{})
}

// exchange sends some data both ways and checks that it arrives.
func exchange(t *testing.T, l *tlstest.Link) {
	t.Helper()
	for _, pair := range [][2]*tlstest.End{{l.Client, l.Server}, {l.Server, l.Client}} {
		data := make([]byte, 100_000)
		rand.Read(data)
		pair[1].Received = nil
		if err := l.Send(pair[0], data); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pair[1].Received, data) {
			t.Fatalf("%d bytes arrived, not the %d sent", len(pair[1].Received), len(data))
		}
	}
}

func TestEverySuiteAndGroupCompletes(t *testing.T) {
	server := serverConfig(t)
	server.Groups = suite.AllGroups()
	for _, s := range suite.Defaults() {
		for _, g := range suite.AllGroups() {
			t.Run(s.String()+"/"+g.String(), func(t *testing.T) {
				l := link(t, tlscore.Config{CipherSuites: []wire.CipherSuite{s}, Groups: []wire.Group{g}}, server)
				if err := l.Handshake(); err != nil {
					t.Fatal(err)
				}
				for _, e := range []*tlstest.End{l.Client, l.Server} {
					f := e.Machine.Facts()
					if f.CipherSuite != s || f.Group != g || f.Version != wire.VersionTLS13 || f.HelloRetried || !f.HandshakeComplete {
						t.Errorf("%v: %+v", f.Role, f)
					}
				}
				exchange(t, l)
			})
		}
	}
}

func TestHelloRetryRequestCompletes(t *testing.T) {
	for name, change := range map[string]func(c, s *tlscore.Config){
		"no share":         func(c, s *tlscore.Config) { c.KeyShares = []wire.Group{} },
		"other group":      func(c, s *tlscore.Config) { s.Groups = []wire.Group{wire.GroupSecp384r1} },
		"cookie alone":     func(c, s *tlscore.Config) { s.RetryAlways = true },
		"cookie and share": func(c, s *tlscore.Config) { s.RetryAlways = true; c.KeyShares = []wire.Group{} },
		"no compatibility": func(c, s *tlscore.Config) { s.RetryAlways = true; c.NoCompatibilityMode = true },
	} {
		t.Run(name, func(t *testing.T) {
			c, s := tlscore.Config{}, serverConfig(t)
			change(&c, &s)
			l := link(t, c, s)
			if err := l.Handshake(); err != nil {
				t.Fatal(err)
			}
			if !l.Client.Machine.Facts().HelloRetried || !l.Server.Machine.Facts().HelloRetried {
				t.Error("no HelloRetryRequest was seen")
			}
			exchange(t, l)
		})
	}
}

func TestClientCertificates(t *testing.T) {
	own := []tlscore.Identity{selfSigned(t, ed(t))}
	for _, c := range []struct {
		name     string
		policy   tlscore.ClientAuth
		own      []tlscore.Identity
		want     tlscore.Code
		presents bool
	}{
		{"required and present", tlscore.RequireClientCert, own, 0, true},
		{"required and absent", tlscore.RequireClientCert, nil, tlscore.CodeCertificateRequired, false},
		{"optional and present", tlscore.RequestClientCert, own, 0, true},
		{"optional and absent", tlscore.RequestClientCert, nil, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serverConfig(t)
			s.ClientAuth = c.policy
			l := link(t, tlscore.Config{Identities: c.own}, s)
			err := l.Handshake()
			if c.want != 0 {
				if code, _ := tlscore.CodeOf(err); code != c.want {
					t.Fatalf("error %v, want %v", err, c.want)
				}
				if code, _ := tlscore.CodeOf(l.Client.Err); code != tlscore.CodePeerAlert {
					t.Errorf("the client did not see the alert: %v", l.Client.Err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := len(l.Server.Machine.Facts().PeerChain) > 0; got != c.presents {
				t.Errorf("the server saw a certificate: %v, want %v", got, c.presents)
			}
			exchange(t, l)
		})
	}
}
